//! What the program says to people: diagnostics of a command on standard error, those of the daemon in the journal.
//!
//! Under systemd, diagnostics go to the journal with the field [`MARK`]. The daemon's reader knows its own words by
//! it, and never lets them have consequences: else one error about an entry could be an entry with an error.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The field that marks our own diagnostics in the journal.
pub(crate) const MARK: &str = "PYRUSE_DIAGNOSTIC";

/// Sends diagnostics where they belong. Only the first call counts.
pub(crate) fn start(verbose: bool) {
    let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let registry = tracing_subscriber::registry().with(level);
    if std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal() {
        if let Ok(journal) = tracing_journald::layer() {
            let journal = journal
                .with_syslog_identifier("pyruse".into())
                .with_field_prefix(Some("PYRUSE".into()))
                .with_custom_fields([(MARK, "1")]);
            let _ = registry.with(journal).try_init();
            // A panic would else be written to standard error, and come back as an entry like any other.
            std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
            return;
        }
    }
    let plain = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time();
    let _ = registry.with(plain).try_init();
}

/// The last words of a command.
pub(crate) fn fatal(error: &anyhow::Error) {
    eprintln!("pyruse: {error:#}");
}

/// Whoever read our output has seen enough: that is no failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

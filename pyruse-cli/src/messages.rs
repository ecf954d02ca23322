//! What the program says to people: on standard error, or in the journal where that is where standard error leads.
//!
//! In the journal, what we say carries the field [`DIAGNOSTIC`]. The daemon's reader knows its own words by it, and never
//! lets them have consequences: else one error about an entry could be an entry with an error. That holds for the
//! words of a start that failed, too: the next start reads them.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use pyruse_core::engine::DIAGNOSTIC;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::command::{has_colours, printable};

/// Sends the daemon's diagnostics where they belong. Only the first call counts.
pub(crate) fn start(verbose: bool) {
    let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    if let Some(journal) = journal() {
        let _ = registry().with(level).with(journal).try_init();
        // A panic would else be written to standard error, and come back as an entry like any other.
        std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
        return;
    }
    let plain = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(has_colours(&std::io::stderr()))
        .with_target(false)
        .without_time();
    let _ = registry().with(level).with(plain).try_init();
}

/// The journal, if systemd has connected our standard error with it.
fn journal<S: Subscriber + for<'s> LookupSpan<'s>>() -> Option<impl Layer<S>> {
    // The variable is inherited by programs whose output leads elsewhere: see systemd.exec(5), $JOURNAL_STREAM.
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stderr = std::fs::File::from(std::io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
    if stream != format!("{}:{}", stderr.dev(), stderr.ino()) {
        return None;
    }
    let journal = tracing_journald::layer().ok()?;
    Some(
        journal
            .with_syslog_identifier("pyruse".into())
            .with_field_prefix(Some("PYRUSE".into()))
            .with_custom_fields([(DIAGNOSTIC, "1")]),
    )
}

/// Says something that is no line of the daemon's log, as it is; in the journal, it is one entry of that level.
pub(crate) fn say(level: Level, text: &str) {
    let Some(journal) = journal() else { return eprintln!("{text}") };
    let text = text.trim_end();
    tracing::subscriber::with_default(registry().with(journal), || {
        if level == Level::ERROR { tracing::error!("{text}") } else { tracing::warn!("{text}") }
    });
}

/// The last words of a command.
pub(crate) fn fatal(error: &anyhow::Error) {
    // What is told of a configuration, a file or a program may hold anything.
    let text = format!("{error:#}");
    let lines: Vec<String> = text.lines().map(printable).collect();
    say(Level::ERROR, &format!("pyruse: {}", lines.join("\n")));
}

/// Whoever read our output has seen enough: that is no failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

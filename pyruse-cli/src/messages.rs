//! The program's messages to people: on standard error, or in the journal if standard error is connected to it.
//!
//! In the journal, our messages have the field [`DIAGNOSTIC`]. With it, the daemon recognises its own messages, and
//! never lets them have consequences: otherwise an error about an entry could become an entry with an error. This also
//! applies to the messages of a failed start, because the next start reads them.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use pyruse_core::engine::DIAGNOSTIC;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use crate::command::{has_colours, printable};

/// Libraries that log what the module which uses them says itself; with `--verbose`, they are heard.
const QUIET_LIBRARIES: [&str; 1] = ["async_nats"];

/// Sends the daemon's diagnostics to their destination. Only the first call has an effect.
pub(crate) fn start(verbose: bool) {
    let level = if verbose { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let is_ours = filter_fn(move |metadata: &Metadata<'_>| {
        let library = metadata.target().split("::").next().unwrap_or_default();
        verbose || !QUIET_LIBRARIES.contains(&library)
    });
    if let Some(journal) = journal() {
        let _ = registry().with(level).with(journal.with_filter(is_ours)).try_init();
        // Otherwise a panic would be written to standard error, and be read as an ordinary entry.
        std::panic::set_hook(Box::new(|panic| tracing::error!("panic: {panic}")));
        return;
    }
    let plain = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(has_colours(&std::io::stderr()))
        .with_target(false)
        .without_time();
    let _ = registry().with(level).with(plain.with_filter(is_ours)).try_init();
}

/// Returns the journal, if systemd has connected our standard error to it.
fn journal<S: Subscriber + for<'s> LookupSpan<'s>>() -> Option<impl Layer<S>> {
    // Programs whose output goes elsewhere may inherit the variable: see systemd.exec(5), $JOURNAL_STREAM.
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

/// Prints a message that is not a line of the daemon's log; in the journal, it is one entry of that level.
pub(crate) fn say(level: Level, text: &str) {
    let Some(journal) = journal() else { return eprintln!("{text}") };
    let text = text.trim_end();
    tracing::subscriber::with_default(registry().with(journal), || {
        if level == Level::ERROR { tracing::error!("{text}") } else { tracing::warn!("{text}") }
    });
}

/// Prints the error with which a command ends.
pub(crate) fn fatal(error: &anyhow::Error) {
    // A text from a configuration, a file or a program may contain any character.
    let text = format!("{error:#}");
    let lines: Vec<String> = text.lines().map(printable).collect();
    say(Level::ERROR, &format!("pyruse: {}", lines.join("\n")));
}

/// Returns `true` if the reader of our output has closed it: that is not a failure.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.into_iter().any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

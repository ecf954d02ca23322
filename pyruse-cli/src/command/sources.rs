//! `pyruse sources`: shows each source: what it reads, how far reading is, and what was lost.

use std::io::{self, Write};
use std::path::Path;

use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::json;
use super::status::{self, Daemon, Found, write_field};
use super::table::{length, local};
use super::target::Target;
use super::text::{counted, printable, terminal_columns};
use crate::ending::Ending;

/// Shows each source: what it reads, how far reading is, and what was lost
///
/// Losses are counted since the start of the daemon. Exit code 0: every source can be read, and all of it; 1: one of
/// them cannot.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let status = status::find(Target::open(config)?)?;
    let is_running = matches!(status.daemon, Daemon::Answers(_));
    let mut out = io::stdout().lock();
    if args.json {
        let sources: Vec<Value> = status.sources.iter().map(Found::as_json).collect();
        json::write_line(&mut out, &json!({ "running": is_running, "sources": sources }))?;
    } else {
        for source in &status.sources {
            write(&mut out, source)?;
        }
        writeln!(out, "{}", counted(status.sources.len() as u64, "source", "sources"))?;
    }
    let is_whole = status.sources.iter().all(|source| source.trouble().is_empty() && source.can_be_read());
    Ok(if is_whole { Ending::Good } else { Ending::Failed })
}

fn write(out: &mut dyn Write, source: &Found) -> io::Result<()> {
    let width = terminal_columns();
    writeln!(out, "{}", printable(&source.name))?;
    let mut line = |name: &str, text: &str| write_field(out, &format!("  {name}"), text, width);
    let module = source.module.unwrap_or("unknown");
    match &source.reads {
        Some(reads) => line("reads", &format!("{reads} ({module})"))?,
        None => line("reads", module)?,
    }
    line("position", &source.text())?;
    if let Some(time) = source.silent_since() {
        line(
            "silent",
            &format!("since {} ({})", local(time), length(time.until(Timestamp::now()).as_secs())),
        )?;
    }
    match &source.status {
        Some(status) if status.losses.is_empty() => line("lost", "nothing since the start")?,
        Some(status) => {
            for total in &status.losses {
                line("LOST", &total.text(local))?;
            }
        }
        None => line("lost", "unknown: no daemon that answers reads this source")?,
    }
    for trouble in source.trouble() {
        line("TROUBLE", &trouble)?;
    }
    if let Some(excluded) = &source.excluded {
        line("not read", &excluded.text)?;
    }
    Ok(())
}

//! Where the entry to explain comes from.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;

use pyruse_sources::journal::{JournalSettings, Source, read_one};

/// An entry of the journal has less.
const INPUT_LIMIT: u64 = 64 << 20;

pub(super) fn open_journal(
    directory: Option<&Path>,
    files: &[PathBuf],
    settings: &JournalSettings,
) -> anyhow::Result<Source> {
    match directory {
        Some(directory) => Source::open_directory(directory),
        None if files.is_empty() => Source::open(settings),
        None => Source::open_files(files),
    }
}

pub(super) fn made_up(fields: &[(String, String)]) -> anyhow::Result<MemoryRecord> {
    let mut record = MemoryRecord::at(Timestamp::now());
    for (name, value) in fields {
        if name == "__REALTIME_TIMESTAMP" && value.parse::<i64>().is_err() {
            bail!("`__REALTIME_TIMESTAMP` is a number of microseconds since 1970, not `{value}`");
        }
        record.push(name.as_str(), value.as_str());
    }
    Ok(record)
}

pub(super) fn from_standard_input() -> anyhow::Result<MemoryRecord> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!(
            "which entry? Give one with --cursor or --field, or as JSON on standard input: \
             `journalctl -n 1 -o json | pyruse explain`"
        );
    }
    let mut text = Vec::new();
    stdin.lock().take(INPUT_LIMIT + 1).read_to_end(&mut text).context("standard input")?;
    if text.len() as u64 > INPUT_LIMIT {
        bail!("standard input is longer than {} MiB", INPUT_LIMIT >> 20);
    }
    let mut record = read_one(&text, "standard input")?;
    if record.realtime == Timestamp::default() {
        record.realtime = Timestamp::now();
    }
    Ok(record)
}

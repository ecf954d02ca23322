//! The source of the entry to explain.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::bail;
use pyruse_core::entry::MemoryRecord;
use pyruse_core::plugin::{Begin, Next, Reader, Registry, SourceError};
use pyruse_core::sources::{ConfiguredSource, NamedReader, readers};
use pyruse_core::time::Timestamp;
use serde_json::json;

use crate::command::past::{Form, LineArgs, source_of};

/// Opens the sources that may contain the entry with a cursor, each with its name.
pub(super) fn open_journals(
    directory: Option<&Path>,
    files: &[PathBuf],
    registry: &Registry,
    configured: &[ConfiguredSource],
) -> Result<Vec<NamedReader>, SourceError> {
    let args = match directory {
        Some(directory) => json!({"directory": directory}),
        None if files.is_empty() => {
            return readers(configured);
        }
        None => json!({"files": files}),
    };
    let name = registry.default_source().map_or("journal", |(name, _)| name);
    readers(&[ConfiguredSource::of(registry, name, "source_journal", &args)?])
}

/// Finds the entry with this cursor: the first journal that has it, and the name of its source.
pub(super) fn find(journals: Vec<NamedReader>, cursor: &str) -> anyhow::Result<NamedReader> {
    let (mut searched, mut failed) = (false, None);
    for (name, mut journal) in journals {
        match journal.find(cursor) {
            Ok(true) => return Ok((name, journal)),
            Ok(false) => searched = true,
            // A source whose records have no address, beside one that has them.
            Err(e) => failed = Some(e),
        }
    }
    match failed {
        Some(e) if !searched => Err(e.into()),
        _ => bail!("that journal has no entry with this cursor: it is from another journal, or was deleted"),
    }
}

/// Finds the first entry of a log file, or of standard input; `source` is the name of its source, if no field says it.
pub(super) fn of_log_file(
    format: Form,
    files: &[PathBuf],
    fields: &[(String, String)],
    lines: &LineArgs,
    registry: &Registry,
    source: &str,
) -> anyhow::Result<NamedReader> {
    if matches!(format, Form::Auto | Form::Export) {
        bail!("--format is that of a log file: text, syslog, json, docker or access");
    }
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    let args = format.log_files(files, fields, lines)?;
    let name = source_of(fields).unwrap_or(source);
    let configured = ConfiguredSource::of(registry, name, "source_file", &args)?;
    let mut reader = configured.source.open()?;
    reader.resume(Begin::Head)?;
    loop {
        match reader.next()? {
            Next::Record(_) => return Ok((name.to_owned(), reader)),
            Next::Later(wait) => std::thread::sleep(wait),
            Next::End => bail!("there is no line to explain"),
        }
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

/// Opens standard input, which contains one entry.
pub(super) fn from_standard_input(registry: &Registry) -> anyhow::Result<Box<dyn Reader>> {
    if std::io::stdin().is_terminal() {
        bail!(
            "no entry given: use --cursor or --field, or give JSON on standard input: `journalctl -n 1 -o json | \
             pyruse explain`"
        );
    }
    let args = json!({"file": "-", "format": "object"});
    let mut reader = ConfiguredSource::of(registry, "stdin", "source_recording", &args)?.source.open()?;
    reader.next()?;
    Ok(reader)
}

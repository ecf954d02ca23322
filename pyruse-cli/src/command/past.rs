//! Past entries, for the commands that look back: of this machine's journal, of journal files, or of a recording.

use std::io;
use std::path::PathBuf;

use anyhow::bail;
use pyruse_core::entry::{MemoryRecord, Record};
use pyruse_core::time::Timestamp;

use super::progress::{Progress, Way};
use super::values;
use crate::ending::WrongUsage;
use crate::when;
use pyruse_sources::journal::{Form, JournalSettings, Recording, Source, is_journal_file};

/// Which entries; by default, all of the journal that the configuration names
#[derive(clap::Args)]
pub(crate) struct PastArgs {
    /// Read the journal files of this directory
    #[arg(long, value_name = "DIR", group = "source")]
    directory: Option<PathBuf>,
    /// Read these journal files
    #[arg(long, value_name = "F", num_args = 1.., group = "source")]
    file: Vec<PathBuf>,
    /// Read what `journalctl -o export` or `journalctl -o json --all` wrote, from this file or standard input (`-`)
    #[arg(long, value_name = "F", group = "source")]
    input: Option<PathBuf>,
    /// How the input is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "input")]
    format: Form,
    /// With --format text: a field that every line gets, such as _SYSTEMD_UNIT=nginx.service; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_field, requires = "input")]
    field: Vec<(String, String)>,
    /// Skip entries before that time: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    since: Option<Timestamp>,
    /// Stop at entries after that time
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    until: Option<Timestamp>,
}

/// Parses a field with its value.
pub(super) fn parse_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a field is written NAME=VALUE, such as PRIORITY=3".to_owned()),
    }
}

impl PastArgs {
    /// Do they say where the entries are?
    pub(crate) fn names_a_source(&self) -> bool {
        self.directory.is_some() || !self.file.is_empty() || self.input.is_some()
    }

    /// What the parser cannot see.
    pub(crate) fn check(&self, command: &'static str) -> Result<(), WrongUsage> {
        let is_text = self.format == Form::Text;
        let what = if self.since.zip(self.until).is_some_and(|(since, until)| since > until) {
            "--since is later than --until: there is nothing between them"
        } else if is_text && self.since.or(self.until).is_some() {
            "--since and --until need times, and plain lines have none that are read"
        } else if !is_text && !self.field.is_empty() {
            "--field is for plain lines: add `--format text`, or leave it out"
        } else {
            return Ok(());
        };
        Err(WrongUsage { command, what })
    }
}

enum From {
    Recording(Recording),
    Journal(Box<Source>),
}

/// Why there may be no entries.
pub const MAY_NOT_READ: &str = "or none that we may read: be root or in the group systemd-journal";

/// Past entries, opened.
pub(super) struct Past {
    from: From,
    since: Option<Timestamp>,
    until: Timestamp,
}

impl Past {
    pub(super) fn open(args: &PastArgs, settings: &JournalSettings) -> anyhow::Result<Past> {
        let from = if let Some(input) = &args.input {
            if args.format == Form::Text {
                tracing::warn!(
                    "plain lines have no times that are read: all of them count as written now, at once"
                );
            }
            From::Recording(Recording::open(input, args.format, &args.field)?)
        } else if let Some(directory) = &args.directory {
            From::Journal(Box::new(Source::open_directory(directory)?))
        } else if args.file.is_empty() {
            From::Journal(Box::new(Source::open(settings)?))
        } else {
            for file in &args.file {
                if !is_journal_file(file)? {
                    bail!(
                        "{}: this is not a journal file; exports and text are read with --input",
                        file.display()
                    );
                }
            }
            From::Journal(Box::new(Source::open_files(&args.file)?))
        };
        Ok(Past { from, since: args.since, until: args.until.unwrap_or(Timestamp::NEVER) })
    }

    /// Shows all entries, one after the other.
    pub(super) fn read(
        self,
        progress: Progress,
        show: impl FnMut(&mut dyn Record) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let Past { from, since, until } = self;
        match from {
            From::Recording(recording) => read_recording(recording, since, until, progress, show),
            From::Journal(journal) => read_journal(*journal, since, until, progress, show),
        }
    }
}

fn read_recording(
    mut recording: Recording,
    since: Option<Timestamp>,
    until: Timestamp,
    mut progress: Progress,
    mut show: impl FnMut(&mut dyn Record) -> io::Result<()>,
) -> anyhow::Result<()> {
    let since = since.unwrap_or(Timestamp(i64::MIN));
    let mut record = MemoryRecord::default();
    while recording.next(&mut record)? {
        // Whoever wrote it down may have mixed several journals: an entry that is too late is not the end.
        if (since..=until).contains(&record.realtime) {
            show(&mut record)?;
        }
        progress.entry(record.realtime, || Way { done: recording.offset(), whole: recording.length() });
    }
    Ok(())
}

fn read_journal(
    mut journal: Source,
    since: Option<Timestamp>,
    until: Timestamp,
    mut progress: Progress,
    mut show: impl FnMut(&mut dyn Record) -> io::Result<()>,
) -> anyhow::Result<()> {
    let last = if progress.is_wanted() { journal.seek_tail()?.realtime.min(until) } else { until };
    match since {
        Some(since) => journal.seek_time(since)?,
        None => journal.seek_head()?,
    }
    let mut first = None;
    while journal.next() {
        let mut record = journal.record();
        let time = record.realtime();
        if time > until {
            break;
        }
        show(&mut record)?;
        let first = *first.get_or_insert(time);
        progress.entry(time, || Way::of_time(first, time, last));
    }
    journal.losses().flush();
    if first.is_none() {
        tracing::warn!("no journal entries of that time were found there, {MAY_NOT_READ}");
    }
    Ok(())
}

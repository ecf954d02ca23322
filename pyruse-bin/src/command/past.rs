//! Past entries, for the commands that look back: of this machine's journal, of journal files, or of a recording.

use std::io;
use std::path::PathBuf;

use clap::CommandFactory;
use clap::error::ErrorKind;
use pyruse_core::entry::{MemoryRecord, Record};
use pyruse_core::time::Timestamp;

use super::progress::{Progress, Way};
use crate::cli::Cli;
use crate::journal::{JournalSettings, Recording, Source};
use crate::when;

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
    /// Skip entries before that time: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse)]
    since: Option<Timestamp>,
    /// Stop at entries after that time
    #[arg(long, value_name = "T", value_parser = when::parse)]
    until: Option<Timestamp>,
}

impl PastArgs {
    /// Do they say where the entries are?
    pub(crate) fn names_a_source(&self) -> bool {
        self.directory.is_some() || !self.file.is_empty() || self.input.is_some()
    }

    /// What the parser cannot see; ends the program with the usage of that command.
    pub(crate) fn check(&self, command: &str) {
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since > until
        {
            let mut cli = Cli::command();
            cli.build();
            let message = "--since is later than --until: there is nothing between them";
            let command = cli.find_subcommand(command).cloned();
            command.unwrap_or(cli).error(ErrorKind::ValueValidation, message).exit();
        }
    }
}

enum From {
    Recording(Recording),
    Journal(Box<Source>),
}

/// Past entries, opened.
pub(super) struct Past {
    from: From,
    since: Option<Timestamp>,
    until: Timestamp,
}

impl Past {
    pub(super) fn open(args: &PastArgs, settings: &JournalSettings) -> anyhow::Result<Past> {
        let from = if let Some(input) = &args.input {
            From::Recording(Recording::open(input)?)
        } else if let Some(directory) = &args.directory {
            From::Journal(Box::new(Source::open_directory(directory)?))
        } else if args.file.is_empty() {
            From::Journal(Box::new(Source::open(settings)?))
        } else {
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
        tracing::warn!(
            "no journal entries of that time were found there, or none that we may read: \
             be root or in the group systemd-journal"
        );
    }
    Ok(())
}

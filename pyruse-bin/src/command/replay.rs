//! `pyruse replay`: what would this configuration have done?

use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use pyruse_core::config::Diagnostics;
use pyruse_core::entry::{MemoryRecord, Record};
use pyruse_core::plugin::{Registry, Settings};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::printer::EffectPrinter;
use super::progress::{Progress, Way};
use super::rehearsal::{Rehearsal, Telling};
use super::summary::Summary;
use crate::cli::{Ending, ReplayArgs};
use crate::daemon::load;
use crate::journal::{JournalSettings, Recording, Source};
use crate::{configuration, messages};

pub(crate) fn run(config: Option<&Path>, args: &ReplayArgs) -> anyhow::Result<Ending> {
    let path = configuration::find(config)?;
    let source = configuration::read(&path)?;
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let mut diagnostics = Diagnostics::default();
    let mut state = State::in_memory();
    let Some((engine, mark)) = load(&source, &registry, &mut state, &mut diagnostics)? else {
        return Ok(configuration::refuse(&source, &diagnostics));
    };
    configuration::show(&source, &diagnostics);
    messages::start(engine.config.debug);
    let past = Past::open(args, &engine.settings)?;
    let mut rehearsal = Rehearsal::new(engine, mark, state)?;
    if args.feedback {
        rehearsal = rehearsal.with_feedback();
    }
    let stdout = std::io::stdout().lock();
    // Lines that run by and a bar would tear each other.
    let progress = Progress::new(!(args.json && stdout.is_terminal()));
    let mut out = BufWriter::new(stdout);
    // What came before a failure was processed, and is shown.
    let read = if args.json {
        let mut printer = EffectPrinter::new(&mut out, true);
        past.read(args, progress, &mut rehearsal, &mut printer)
    } else {
        let mut summary = Summary::new();
        let read = past.read(args, progress, &mut rehearsal, &mut summary);
        summary.write(&mut out, rehearsal.engine.workflow.sites(), &TimeZone::system(), columns())?;
        read
    };
    out.flush()?;
    read.map(|()| Ending::Good)
}

/// The columns of the terminal; of what is no terminal, those that mails and pagers have.
fn columns() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| width.0.into())
}

/// Where past entries come from.
enum Past {
    Recording(Recording),
    Journal(Source),
}

impl Past {
    fn open(args: &ReplayArgs, settings: &Settings) -> anyhow::Result<Past> {
        Ok(if let Some(input) = &args.input {
            Past::Recording(Recording::open(input)?)
        } else if let Some(directory) = &args.directory {
            Past::Journal(Source::open_directory(directory)?)
        } else if args.file.is_empty() {
            Past::Journal(Source::open(&settings.get::<JournalSettings>())?)
        } else {
            Past::Journal(Source::open_files(&args.file)?)
        })
    }

    fn read(
        self,
        args: &ReplayArgs,
        progress: Progress,
        rehearsal: &mut Rehearsal,
        telling: &mut impl Telling,
    ) -> anyhow::Result<()> {
        match self {
            Past::Recording(recording) => read_recording(recording, args, progress, rehearsal, telling),
            Past::Journal(journal) => read_journal(journal, args, progress, rehearsal, telling),
        }
    }
}

fn read_recording(
    mut recording: Recording,
    args: &ReplayArgs,
    mut progress: Progress,
    rehearsal: &mut Rehearsal,
    telling: &mut impl Telling,
) -> anyhow::Result<()> {
    let since = args.since.unwrap_or(Timestamp(i64::MIN));
    let until = args.until.unwrap_or(Timestamp::NEVER);
    let mut record = MemoryRecord::default();
    while recording.next(&mut record)? {
        // Whoever wrote it down may have mixed several journals: an entry that is too late is not the end.
        if (since..=until).contains(&record.realtime) {
            rehearsal.run(&mut record, telling)?;
        }
        progress.entry(record.realtime, || Way { done: recording.offset(), whole: recording.length() });
    }
    Ok(())
}

fn read_journal(
    mut journal: Source,
    args: &ReplayArgs,
    mut progress: Progress,
    rehearsal: &mut Rehearsal,
    telling: &mut impl Telling,
) -> anyhow::Result<()> {
    let until = args.until.unwrap_or(Timestamp::NEVER);
    let last = if progress.is_wanted() { journal.seek_tail()?.realtime.min(until) } else { until };
    match args.since {
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
        rehearsal.run(&mut record, telling)?;
        let first = *first.get_or_insert(time);
        progress.entry(time, || Way::of_time(first, time, last));
    }
    if first.is_none() {
        tracing::warn!(
            "no journal entries of that time were found there, or none that we may read: \
             be root or in the group systemd-journal"
        );
    }
    Ok(())
}

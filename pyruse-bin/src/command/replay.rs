//! `pyruse replay`: what would this configuration have done?

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use pyruse_core::config::Diagnostics;
use pyruse_core::entry::{MemoryRecord, Record};
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::tally::{EffectPrinter, Rehearsal, Tally, Telling};
use crate::cli::{Ending, ReplayArgs};
use crate::daemon::load;
use crate::journal::{ExportReader, JournalSettings, Source};
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
    let mut rehearsal = Rehearsal::new(engine, mark, state)?;
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    if args.json {
        let mut printer = EffectPrinter::new(stdout, true);
        let read = read(args, &mut rehearsal, &mut printer);
        printer.out.flush()?;
        read.map(|_| Ending::Good)
    } else {
        let start = Instant::now();
        let mut tally = Tally::default();
        let read = read(args, &mut rehearsal, &mut tally);
        let seconds = start.elapsed().as_secs_f64();
        let entries = rehearsal.entries;
        #[allow(clippy::cast_precision_loss, reason = "a rate, for people")]
        let rate = entries as f64 / seconds.max(1e-9);
        write!(stdout, "{entries} entries in {seconds:.2} s ({rate:.0}/s)")?;
        if let Some((first, last)) = read.as_ref().ok().copied().flatten() {
            write!(stdout, ", from {first} to {last}")?;
        }
        writeln!(stdout)?;
        tally.write(&mut stdout, &rehearsal.engine.workflow, entries)?;
        stdout.flush()?;
        read.map(|_| Ending::Good)
    }
}

/// The times of the first and the last entry.
type Range = Option<(Timestamp, Timestamp)>;

fn read(args: &ReplayArgs, rehearsal: &mut Rehearsal, telling: &mut impl Telling) -> anyhow::Result<Range> {
    let mut range: Range = None;
    let until = args.until.unwrap_or(Timestamp::NEVER);
    let mut note = |time: Timestamp| {
        let (first, last) = range.get_or_insert((time, time));
        (*first, *last) = ((*first).min(time), (*last).max(time));
    };
    if let Some(input) = &args.input {
        let mut reader = ExportReader::open(input)?;
        let mut record = MemoryRecord::default();
        let since = args.since.unwrap_or(Timestamp(i64::MIN));
        while reader.next(&mut record)? {
            if (since..=until).contains(&record.realtime) {
                note(record.realtime);
                rehearsal.run(&mut record, telling)?;
            }
        }
        return Ok(range);
    }
    let mut journal = if let Some(directory) = &args.directory {
        Source::open_directory(directory)?
    } else if args.file.is_empty() {
        Source::open(&rehearsal.engine.settings.get::<JournalSettings>())?
    } else {
        Source::open_files(&args.file)?
    };
    match args.since {
        Some(since) => journal.seek_time(since)?,
        None => journal.seek_head()?,
    }
    while journal.next()? {
        let mut record = journal.record();
        let time = record.realtime();
        if time > until {
            break;
        }
        note(time);
        rehearsal.run(&mut record, telling)?;
    }
    Ok(range)
}

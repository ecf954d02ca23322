//! `pyruse replay`: shows what a configuration would have done.

use std::io::{BufWriter, IsTerminal, LineWriter, Write};
use std::path::Path;

use jiff::tz::TimeZone;

use super::loaded::Loaded;
use super::past::{Past, PastArgs};
use super::printer::EffectPrinter;
use super::progress::Progress;
use super::simulation::Simulation;
use super::summary::Summary;
use super::text::terminal_columns;
use crate::configuration;
use crate::ending::Ending;

/// Shows what this configuration would have done with past entries
///
/// The entries pass through the workflow as they would have when they were written: counters, grace periods and bans
/// use the times of the entries, not the clock. The state starts empty, in memory; nothing is written and nothing is
/// delivered.
///
/// At the end a summary is printed: entries and rate; for each chain, how many entries reached it; bans by set with the
/// most frequent addresses, mails by subject, lines by level, errors by step; and the chains that no entry reached.
/// With --json, effects are printed as they happen instead.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// Print effects as JSON, one object per line, instead of a summary
    #[arg(long)]
    json: bool,
    /// Read the lines of action_log as entries; a recorded journal already contains those that were written then
    #[arg(long)]
    feedback: bool,
    /// Do not optimise the workflow
    #[arg(long, hide = true)]
    no_optimize: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse replay --since '1 week ago'
  ssh server journalctl -o export --since yesterday | pyruse --config new.json replay --input -
  pyruse replay --file access.log access.log.1.gz --format access --field _SOURCE=web
  pyruse replay --json | jq -r 'select(.effect == \"ban\") | .ip' | sort | uniq -c";

/// How many bytes of effects are written at once.
const BUFFER: usize = 32 << 10;

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    args.past.check("replay")?;
    let mut loaded = Loaded::open(config)?;
    configuration::show(&loaded.source, &loaded.diagnostics);
    let past = Past::open(&args.past, &loaded.registry, &loaded.plan.engine().sources)?;
    if !args.no_optimize {
        loaded.plan.optimize();
    }
    let (engine, state) = loaded.for_dry_run()?;
    let mut simulation = Simulation::new(engine, state)?;
    if args.feedback {
        simulation = simulation.with_feedback();
    }
    let stdout = std::io::stdout().lock();
    // Scrolling lines and a bar would disturb each other.
    let progress = Progress::new(!(args.json && stdout.is_terminal()));
    // A person, and a program that follows a stream, get each effect as it happens. Otherwise many are written at once.
    let is_watched = stdout.is_terminal() || args.past.is_stream();
    let mut out: Box<dyn Write> = if is_watched {
        Box::new(LineWriter::new(stdout))
    } else {
        Box::new(BufWriter::with_capacity(BUFFER, stdout))
    };
    // Entries before a failure were processed, and are shown.
    let read = if args.json {
        let mut printer = EffectPrinter::new(&mut out, true);
        past.read(progress, |source, record| simulation.run(source, record, &mut printer))
    } else {
        let mut summary = Summary::new();
        let read = past.read(progress, |source, record| simulation.run(source, record, &mut summary));
        summary.write(
            &mut out,
            simulation.pump.engine.workflow.sites(),
            &TimeZone::system(),
            terminal_columns(),
        )?;
        read
    };
    out.flush()?;
    read.map(|()| Ending::Good)
}

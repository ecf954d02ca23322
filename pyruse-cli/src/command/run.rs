//! `pyruse run`: its arguments, and the output of `--dry-run`. The daemon does the rest.

use std::io::{LineWriter, StdoutLock, Write};

use pyruse_core::entry::Record;
use pyruse_core::pump::Pump;
use pyruse_core::time::Timestamp;

use super::loaded::Loaded;
use super::printer::EffectPrinter;
use super::simulation::Simulation;
use super::values;
use crate::when;

/// Follows the journal (the default without a command)
///
/// Reads every entry, in order, and acts. The first start begins with new entries (or with --since); every later start
/// resumes behind the last entry read. Counters, bans, pending mails and this position are written together: after a
/// crash nothing is lost, and nothing is counted twice.
///
/// Signals: SIGTERM stops it cleanly. SIGHUP reads the configuration again and keeps all state; if the file has an
/// error, this is reported, and the old configuration stays in force. systemd is notified when the daemon is ready,
/// reloading, stopping, and alive.
///
/// With --dry-run nothing is written and nothing is delivered: the effects are printed, until Ctrl-C.
#[derive(clap::Args, Default)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Read and decide, but write no state and deliver nothing: print the effects
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: print effects as JSON, one object per line
    #[arg(long, requires = "dry_run")]
    pub json: bool,
    /// Where to begin at the first start, or with --dry-run: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    pub since: Option<Timestamp>,
    /// Do not optimise the workflow
    #[arg(long, hide = true)]
    pub no_optimize: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse run --dry-run --since '1h ago'
  pyruse --config new.json run --dry-run --json | jq -c 'select(.effect == \"ban\")'";

/// A dry run: entries run without consequences, and their effects are printed.
pub struct DryRun {
    simulation: Simulation,
    printer: EffectPrinter<LineWriter<StdoutLock<'static>>>,
}

impl DryRun {
    /// Creates a dry run with an empty state; effects are printed as JSON, or as lines for people.
    pub fn new(loaded: Loaded, json: bool) -> anyhow::Result<DryRun> {
        let (engine, state) = loaded.for_dry_run()?;
        let printer = EffectPrinter::new(LineWriter::new(std::io::stdout().lock()), json);
        Ok(DryRun { simulation: Simulation::new(engine, state)?, printer })
    }

    /// Returns the pump with the engine.
    pub fn pump(&mut self) -> &mut Pump {
        &mut self.simulation.pump
    }

    /// Runs an entry of this source and prints its effects.
    pub fn run(&mut self, source: &str, record: &mut dyn Record) -> std::io::Result<()> {
        self.simulation.run(source, record, &mut self.printer)
    }

    /// Discards queued messages, and flushes the output.
    pub fn settle(&mut self) -> std::io::Result<()> {
        self.simulation.settle()?;
        self.printer.out.flush()
    }
}

//! `pyruse run`

use std::io::{LineWriter, Write};
use std::path::Path;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyruse_core::time::Timestamp;

use super::loaded::Loaded;
use super::past::MAY_NOT_READ;
use super::printer::EffectPrinter;
use super::rehearsal::Rehearsal;
use super::values;
use crate::daemon::{Daemon, Parts, Wake, storage};
use crate::ending::Ending;
use crate::{configuration, when};
use pyruse_sources::journal::{JournalSettings, Source, go_to_position};

/// Follows the journal (what happens without a command)
///
/// Reads every entry, in order, and acts. At the first start it begins with what is written from then on (or with
/// --since); at every later one, behind the entry that it read last. Counters, bans, waiting mails and that place are
/// written together: after a crash nothing is lost, and nothing is counted twice.
///
/// Signals: SIGTERM ends it in good order. SIGHUP reads the configuration anew and keeps all state; a broken one is
/// reported, and the old one stays. systemd is told when it is ready, reloading, stopping, and alive.
///
/// With --dry-run nothing is written and nothing delivered: what would be done is printed, until Ctrl-C.
#[derive(clap::Args, Default)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Read and decide, but write no state and deliver nothing: print the effects
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: print effects as JSON, one object a line
    #[arg(long, requires = "dry_run")]
    json: bool,
    /// Where to begin at the first start, or with --dry-run: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    since: Option<Timestamp>,
    /// Run the workflow as it was compiled
    #[arg(long, hide = true)]
    no_optimize: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse run --dry-run --since '1h ago'
  pyruse --config new.json run --dry-run --json | jq -c 'select(.effect == \"ban\")'";

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    // First of all: a SIGHUP before this ends the process.
    let wake = Wake::new().context("listening to signals")?;
    let mut loaded = if args.dry_run { Loaded::open(config)? } else { Loaded::open_trusted(config)? };
    configuration::show(&loaded.source, &loaded.diagnostics);
    let optimize = !args.no_optimize;
    if optimize {
        loaded.plan.optimize();
    }
    if args.dry_run {
        let (engine, state) = loaded.rehearsed()?;
        return rehearse(Rehearsal::new(engine, state)?, wake, args);
    }
    let (mut storage, mut state) = storage::open(&loaded.config().storage)?;
    let Loaded { path: config_path, registry, plan, .. } = loaded;
    match plan.open_parts(&mut state) {
        // What is stored makes no sense to a module.
        Err(e) if e.is_loss() => state = storage.go_without(&e.into()),
        opened => opened?,
    }
    let engine = plan.bind(&mut state)?;
    let parts = Parts { config_path, registry, engine, storage, state, wake, optimize };
    Daemon::start(parts, args.since)?.run()?;
    Ok(Ending::Good)
}

/// Real reading and rules; effects are printed instead of having any.
fn rehearse(mut rehearsal: Rehearsal, mut wake: Wake, args: &Args) -> anyhow::Result<Ending> {
    let mut journal = Source::open(&rehearsal.pump.engine.settings.get::<JournalSettings>())?;
    if journal.seek_tail()?.cursor.is_none() {
        tracing::warn!("no journal entries were found there, {MAY_NOT_READ}");
    }
    go_to_position(&mut journal, &mut rehearsal.pump.state, args.since)?;
    tracing::info!("following the journal, dry: effects are printed, nothing is done; Ctrl-C ends");
    let mut printer = EffectPrinter::new(LineWriter::new(std::io::stdout().lock()), args.json);
    while !wake.stop() {
        while journal.next() {
            rehearsal.run(&mut journal.record(), &mut printer)?;
            if wake.stop() {
                break;
            }
        }
        rehearsal.settle()?;
        printer.out.flush()?;
        let mut fds =
            [PollFd::new(wake.as_fd(), PollFlags::POLLIN), PollFd::new(journal.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        wake.clear();
        journal.process();
    }
    Ok(Ending::Good)
}

//! What `pyruse run` does: it follows the journal, as the daemon or in a dry run.

use std::path::Path;

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyruse_cli::{DryRun, Ending, Loaded, MAY_NOT_READ, RunArgs, configuration, storage};
use pyruse_core::time::Timestamp;
use pyruse_sources::journal::{Source, go_to_position};

use crate::daemon::{Daemon, Parts, Wake};

pub(crate) fn run(config: Option<&Path>, args: &RunArgs) -> anyhow::Result<Ending> {
    // First of all: a SIGHUP before this ends the process.
    let wake = Wake::new().context("listening to signals")?;
    let mut loaded = if args.dry_run { Loaded::open(config)? } else { Loaded::open_trusted(config)? };
    configuration::show(&loaded.source, &loaded.diagnostics);
    let optimize = !args.no_optimize;
    if optimize {
        loaded.plan.optimize();
    }
    if args.dry_run {
        return dry_run(DryRun::new(loaded, args.json)?, wake, args.since);
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
fn dry_run(mut dry: DryRun, mut wake: Wake, since: Option<Timestamp>) -> anyhow::Result<Ending> {
    let pump = dry.pump();
    let mut journal = Source::open(&pump.engine.settings.get())?;
    if journal.seek_tail()?.cursor.is_none() {
        tracing::warn!("no journal entries were found there, {MAY_NOT_READ}");
    }
    go_to_position(&mut journal, &mut pump.state, since)?;
    tracing::info!("following the journal, dry: effects are printed, nothing is done; Ctrl-C ends");
    while !wake.stop() {
        while journal.next() {
            dry.run(&mut journal.record())?;
            if wake.stop() {
                break;
            }
        }
        dry.settle()?;
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

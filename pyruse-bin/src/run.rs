//! `pyruse run`: follows the sources, as the daemon or in a dry run.

use std::path::Path;

use anyhow::Context;
use pyruse_cli::{DryRun, Ending, Loaded, MAY_NOT_READ, RunArgs, configuration, storage};
use pyruse_core::sources::Sources;
use pyruse_core::time::Timestamp;

use crate::daemon::{Daemon, Parts, Wake, wait};

pub(crate) fn run(config: Option<&Path>, args: &RunArgs) -> anyhow::Result<Ending> {
    // This comes first: until then, a SIGHUP ends the process.
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
        // A module cannot read what is stored.
        Err(e) if e.is_loss() => state = storage.go_without(&e.into()),
        opened => opened?,
    }
    let engine = plan.bind(&mut state)?;
    let parts = Parts { config_path, registry, engine, storage, state, wake, optimize };
    Daemon::start(parts, args.since)?.run()?;
    Ok(Ending::Good)
}

/// Reads the sources and runs the rules; prints the effects instead of causing them.
fn dry_run(mut dry: DryRun, mut wake: Wake, since: Option<Timestamp>) -> anyhow::Result<Ending> {
    let pump = dry.pump();
    let mut sources = Sources::open(&pump.engine.sources, &mut pump.state, since)?;
    if pump.state.positions().all(|(_, position)| position.place.is_empty()) && since.is_none() {
        tracing::warn!("no entries were found there, {MAY_NOT_READ}");
    }
    tracing::info!(
        "following {} in a dry run: effects are printed, nothing is done; press Ctrl-C to stop",
        sources.in_words()
    );
    while !wake.stop() {
        while let Some(source) = sources.advance_or_log() {
            let (name, record) = sources.record(source);
            dry.run(name, record)?;
            if wake.stop() {
                break;
            }
        }
        dry.settle()?;
        if !sources.tend(true) {
            wait([wake.as_fd()], Some(&mut sources), None).context("waiting")?;
            wake.clear();
        }
    }
    Ok(Ending::Good)
}

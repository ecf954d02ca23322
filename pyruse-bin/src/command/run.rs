//! `pyruse run`

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::bail;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyruse_core::config::Diagnostics;
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;

use super::printer::EffectPrinter;
use super::rehearsal::Rehearsal;
use crate::cli::{Ending, RunArgs};
use crate::daemon::{Daemon, Parts, Wake, load, place, storage};
use crate::journal::{JournalSettings, Source};
use crate::{configuration, messages};

pub(crate) fn run(config: Option<&Path>, args: &RunArgs) -> anyhow::Result<Ending> {
    let path = configuration::find(config)?;
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let read = if args.dry_run { configuration::read } else { configuration::read_trusted };
    let source = read(&path)?;
    // Checked as a whole before the state is touched: a broken configuration must leave no trace.
    let mut diagnostics = Diagnostics::default();
    let mut scratch = State::in_memory();
    let Some((engine, mark)) = load(&source, &registry, &mut scratch, &mut diagnostics)? else {
        return Ok(configuration::refuse(&source, &diagnostics));
    };
    configuration::show(&source, &diagnostics);
    messages::start(engine.config.debug);
    if args.dry_run {
        let rehearsal = Rehearsal::new(engine, mark, scratch)?;
        return rehearse(rehearsal, args);
    }
    let mut storage = storage::open(&engine.config.storage)?;
    let mut diagnostics = Diagnostics::default();
    let Some((engine, mark)) = load(&source, &registry, &mut storage.state, &mut diagnostics)? else {
        // The configuration was good a moment ago: it is the state that a step cannot use.
        configuration::show(&source, &diagnostics);
        bail!("the state cannot be used; not started");
    };
    let parts = Parts { config_path: path, registry, engine, mark, storage };
    Daemon::start(parts, args.since)?.run()?;
    Ok(Ending::Good)
}

/// Real reading and rules; effects are printed instead of having any.
fn rehearse(mut rehearsal: Rehearsal, args: &RunArgs) -> anyhow::Result<Ending> {
    let mut wake = Wake::new()?;
    let mut journal = Source::open(&rehearsal.engine.settings.get::<JournalSettings>())?;
    place(&mut journal, &mut rehearsal.state, args.since)?;
    tracing::info!("following the journal, dry: effects are printed, nothing is done; Ctrl-C ends");
    let mut printer = EffectPrinter::new(BufWriter::new(std::io::stdout().lock()), args.json);
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

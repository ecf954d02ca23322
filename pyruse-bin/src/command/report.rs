//! `pyruse report`: the daily report as it stands now, shown or sent at once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pyruse_core::config::{Config, Diagnostics};
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::deliver::deliver;
use crate::cli::Ending;
use crate::daemon::{load, storage};
use crate::{configuration, messages};

/// The mail of a report is tried for so long before the command gives up; it stays queued.
const PATIENCE: Duration = Duration::from_secs(60);

/// The module that sends the report.
const MAILS: &str = "action_email";

/// The module that records what it tells.
const REPORTS: &str = "action_dailyReport";

const NO_REPORT: &str = "no linked module makes a report";

/// Prints the report; the state is only looked at.
pub(crate) fn show(config: Option<&Path>, html: bool) -> anyhow::Result<Ending> {
    let path = configuration::find(config)?;
    let source = configuration::read(&path)?;
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let mut diagnostics = Diagnostics::default();
    let Some((engine, _)) = load(&source, &registry, &mut State::in_memory(), &mut diagnostics)? else {
        return Ok(configuration::refuse(&source, &diagnostics));
    };
    messages::start(engine.config.debug);
    let file = storage::file(&engine.config.storage);
    let is_there = file
        .try_exists()
        .with_context(|| format!("the state in {} cannot be read", engine.config.storage.display()))?;
    let mut state = if is_there { State::read_file(&file)? } else { State::in_memory() };
    let Some((mut engine, _)) = load(&source, &registry, &mut state, &mut diagnostics)? else {
        return Ok(Ending::BadConfiguration);
    };
    let report = engine.services.report(&mut state, Timestamp::now(), html).context(NO_REPORT)??;
    if report.is_empty() {
        tracing::info!("nothing is recorded for the report{}", why(&engine.config));
    } else {
        super::text::print_line(report.trim_end())?;
    }
    Ok(Ending::Good)
}

/// Sends the report now; the lines are forgotten. A running daemon is asked to do it.
pub(crate) fn send(config: Option<&Path>) -> anyhow::Result<Ending> {
    let path = configuration::find(config)?;
    configuration::check_ownership(&path).map_err(anyhow::Error::msg)?;
    let source = configuration::read(&path)?;
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let mut diagnostics = Diagnostics::default();
    let Some((engine, _)) = load(&source, &registry, &mut State::in_memory(), &mut diagnostics)? else {
        return Ok(configuration::refuse(&source, &diagnostics));
    };
    messages::start(engine.config.debug);
    let mut storage = match storage::try_open(&engine.config.storage)? {
        storage::Opened::Free(storage) => storage,
        storage::Opened::Held(pid) if pid > 0 => {
            kill(Pid::from_raw(pid), Signal::SIGUSR1)
                .with_context(|| format!("asking the daemon, process {pid}"))?;
            tracing::info!("the daemon (process {pid}) is asked to send the report");
            return Ok(Ending::Good);
        }
        storage::Opened::Held(_) => bail!("a daemon holds the state, but does not say who it is"),
    };
    let state = &mut storage.state;
    let Some((mut engine, _)) = load(&source, &registry, state, &mut diagnostics)? else {
        return Ok(Ending::BadConfiguration);
    };
    let sent = engine.services.send_report(state, Timestamp::now()).ok_or_else(|| anyhow!(NO_REPORT))??;
    if !sent {
        tracing::info!("nothing is recorded for the report{}: no mail", why(&engine.config));
    }
    state.commit()?;
    // Bans that wait, perhaps for a set that is missing, are the daemon's business.
    match deliver(engine.services.only(MAILS), state, PATIENCE)? {
        0 => Ok(Ending::Good),
        left => bail!("mails that still wait: {left}; the daemon will send them, or the next `report send`"),
    }
}

/// Why nothing may be recorded, where the configuration says it.
fn why(config: &Config) -> &'static str {
    let mut steps = config.chains.iter().flat_map(|chain| &chain.steps);
    let records = steps.any(|step| step.module.as_ref().is_some_and(|(_, name)| name.text == REPORTS));
    if records { "" } else { " (no step of the configuration is an action_dailyReport)" }
}

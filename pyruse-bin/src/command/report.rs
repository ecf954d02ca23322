//! `pyruse report`: the daily report as it stands now, shown or sent at once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pyruse_core::config::Config;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::deliver::deliver;
use super::loaded::Loaded;
use crate::cli::Ending;
use crate::daemon::storage;

/// The mail of a report is tried for so long before the command gives up; it stays queued.
const PATIENCE: Duration = Duration::from_secs(60);

/// The module that sends the report.
const MAILS: &str = "action_email";

/// The module that records what it tells.
const REPORTS: &str = "action_dailyReport";

const NO_REPORT: &str = "no linked module makes a report";

/// The daily report as it stands now
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Prints it
    Show {
        /// Print the HTML form
        #[arg(long)]
        html: bool,
    },
    /// Sends it at once; what it tells is forgotten then
    Send,
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::Show { html } => show(config, *html),
        Command::Send => send(config),
    }
}

/// Prints the report; the state is only looked at.
fn show(config: Option<&Path>, html: bool) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    let directory = &loaded.engine.config.storage;
    let file = storage::file(directory);
    let is_there =
        file.try_exists().with_context(|| format!("the state in {} cannot be read", directory.display()))?;
    let mut state = if is_there { State::read_file(&file)? } else { State::in_memory() };
    let (mut engine, _) = loaded.compile_with(&mut state)?;
    let report = engine.services.report(&mut state, Timestamp::now(), html).context(NO_REPORT)??;
    if report.is_empty() {
        tracing::info!("nothing is recorded for the report{}", why(&engine.config));
    } else {
        super::text::print_line(report.trim_end())?;
    }
    Ok(Ending::Good)
}

/// Sends the report now; the lines are forgotten. A running daemon is asked to do it.
fn send(config: Option<&Path>) -> anyhow::Result<Ending> {
    let loaded = Loaded::open_trusted(config)?;
    let mut storage = match storage::try_open(&loaded.engine.config.storage)? {
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
    let (mut engine, _) = loaded.compile_with(state)?;
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

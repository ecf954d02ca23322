//! `pyruse report`: shows the daily report as it is now, sends it at once, or shows those that were sent.

mod kept;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use pyruse_core::config::Config;
use pyruse_core::operation::{Answer, Delivery, DeliveryStatus, Operation};
use pyruse_core::plugin::ReportForm;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use self::kept::NO_REPORT;
use super::json;
use super::loaded::Loaded;
use super::operate;
use super::target::Target;
use crate::ending::Ending;
use crate::storage;

/// How long the mail of a report is attempted before the command gives up; it stays queued.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// The module that records the lines.
const REPORTS: &str = "action_dailyReport";

/// Shows or sends the daily report as it is now, and shows those that were sent
///
/// The report contains what `action_dailyReport` has recorded since the last one was sent; it is sent automatically
/// once a day.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Prints the report; changes nothing
    Show {
        /// Print the reports that were sent for this date, `YYYY-MM-DD`, as listed by `report list`; with `--html` or
        /// `--json`, the last of them
        #[arg(long, value_name = "DATE")]
        date: Option<String>,
        /// Print the HTML form
        #[arg(long)]
        html: bool,
        /// Print one JSON object: every recorded line, every ban, and the counts
        #[arg(long, conflicts_with = "html")]
        json: bool,
    },
    /// Lists the reports that were sent; the last 30 are kept
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Writes the reports that were sent as HTML pages, with an index, for a web server
    ///
    /// Existing pages of the same dates are replaced; other files stay.
    Export {
        /// The directory; it is made if it does not exist
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Sends the report at once, and starts a new, empty one
    ///
    /// If the daemon runs, the command asks it. Otherwise the command tries to send the mail itself, for a minute; if
    /// the mail is still pending then, the daemon or the next `report send` sends it.
    Send,
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::Show { date, html, json } => {
            let form = match (json, html) {
                (true, _) => ReportForm::Json,
                (false, true) => ReportForm::Html,
                (false, false) => ReportForm::Text,
            };
            match date {
                Some(date) => kept::show(config, date, form),
                None => show(config, form),
            }
        }
        Command::List { json } => kept::list(config, *json),
        Command::Export { directory } => kept::export(config, directory),
        Command::Send => send(config),
    }
}

/// Prints the report; the state is only read.
fn show(config: Option<&Path>, form: ReportForm) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    let mut state = storage::read(&loaded.config().storage)?.unwrap_or_else(State::in_memory);
    let mut engine = loaded.plan.bind(&mut state)?;
    let report = engine.services.report(&mut state, Timestamp::now(), form).context(NO_REPORT)??;
    if form == ReportForm::Json {
        // An external module may have made it: print only valid JSON, on one line.
        let report: Option<Value> = match report.as_str() {
            "" => None,
            report => Some(serde_json::from_str(report).context("the report is not JSON")?),
        };
        json::print(&json!({ "report": report }))?;
    } else if report.is_empty() {
        tracing::info!("nothing is recorded for the report{}", why(&engine.config));
    } else {
        super::text::print_line(report.trim_end())?;
    }
    Ok(Ending::Good)
}

/// Sends the report now, and removes its lines. If a daemon runs, it is asked.
fn send(config: Option<&Path>) -> anyhow::Result<Ending> {
    let target = Target::open_trusted(config)?;
    let why = target.loaded.as_ref().map_or("", |loaded| why(loaded.config()));
    let changed = operate::change(target, &Operation::SendReport, DELIVERY_TIMEOUT)?;
    if let Some(why) = &changed.unwritten {
        bail!("the report is made, but its mail waits until the state can be written: {why}");
    }
    if changed.answer != (Answer::Report { anything: true }) {
        tracing::info!("nothing is recorded for the report{why}: no mail");
    } else if changed.by_daemon {
        tracing::info!(
            "the daemon has made the report, and sends it; pending mails are listed by: pyruse outbox list"
        );
    }
    // Pending bans are the daemon's task; so are deliveries that were given up.
    let is_open = |delivery: &&Delivery| delivery.status != DeliveryStatus::GivenUp;
    match changed.waiting.iter().filter(is_open).count() {
        0 => Ok(Ending::Good),
        left => bail!("pending mails: {left}; the daemon or the next `report send` will send them"),
    }
}

/// The reason why nothing can be recorded, if it is in the configuration.
fn why(config: &Config) -> &'static str {
    let mut steps = config.chains.iter().flat_map(|chain| &chain.steps);
    let records = steps.any(|step| step.module.as_ref().is_some_and(|(_, name)| name.text == REPORTS));
    if records { "" } else { " (no step of the configuration is an action_dailyReport)" }
}

//! `pyruse outbox`: lists, retries and drops deliveries that wait, are in progress, or were given up.

use std::io;
use std::path::Path;
use std::time::Duration;

use pyruse_core::operation::{Answer, Delivery, DeliveryStatus, Operation};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::json;
use super::listing::Listing;
use super::operate::{self, Changed};
use super::table::{Column, length, local};
use super::target::Target;
use super::text::{print_line, printable};
use super::values;
use crate::ending::Ending;

/// How long a delivery is attempted without a daemon.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Lists, retries and drops deliveries that wait or were given up: mails, HTTP requests, firewall commands, journal lines
///
/// A failed delivery is retried, less and less often, and stays here until it succeeds or is given up. If the daemon
/// runs, the command asks it; otherwise the command does it itself.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows all deliveries that wait, are in progress, or were given up
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Retries a delivery at once, even one that was given up
    Retry {
        /// Its identity, as shown by `outbox list`: `email:12`
        #[arg(add = values::deliveries())]
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Deletes a delivery; a ban whose order is dropped stays in the state, and is put back at the next start
    Drop {
        /// Its identity, as shown by `outbox list`: `email:12`
        #[arg(add = values::deliveries())]
        id: String,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::List { json } => list(config, *json),
        Command::Retry { id, json } => retry(config, id, *json),
        Command::Drop { id, json } => drop(config, id, *json),
    }
}

fn retry(config: Option<&Path>, id: &str, json: bool) -> anyhow::Result<Ending> {
    let (changed, deliveries) = change(config, &Operation::RetryDelivery { id: id.to_owned() })?;
    let is_delivered = changed.waiting.is_empty();
    if json {
        // Shows the current status; a daemon has only just started.
        let deliveries = if is_delivered { &deliveries } else { &changed.waiting };
        let delivered = (!changed.by_daemon).then_some(is_delivered);
        json::print(&json!({
            "deliveries": as_list(deliveries),
            "delivered": delivered,
            "unwritten": changed.unwritten,
        }))?;
    } else if changed.by_daemon {
        print_each(&deliveries, "will be retried at once")?;
    } else if is_delivered {
        print_each(&deliveries, "is delivered")?;
    }
    for delivery in &changed.waiting {
        let why = delivery.error.as_deref().unwrap_or("no attempt was made yet");
        eprintln!("pyruse: {id} is still pending: {}", printable(why));
    }
    Ok(if changed.is_written() && is_delivered { Ending::Good } else { Ending::Failed })
}

fn drop(config: Option<&Path>, id: &str, json: bool) -> anyhow::Result<Ending> {
    let (changed, dropped) = change(config, &Operation::DropDelivery { id: id.to_owned() })?;
    if json {
        json::print(&json!({ "deliveries": as_list(&dropped), "unwritten": changed.unwritten }))?;
    } else {
        print_each(&dropped, "is dropped")?;
    }
    if dropped.iter().any(|delivery| delivery.status == DeliveryStatus::InProgress) {
        eprintln!("pyruse: it was in progress, and may have been delivered anyway");
    }
    Ok(if changed.is_written() { Ending::Good } else { Ending::Failed })
}

fn change(config: Option<&Path>, operation: &Operation) -> anyhow::Result<(Changed, Vec<Delivery>)> {
    let target = Target::open_trusted(config)?;
    let changed = operate::change(target, operation, DELIVERY_TIMEOUT)?;
    let Answer::Deliveries(deliveries) = changed.answer.clone() else {
        return Err(operate::other_answer());
    };
    Ok((changed, deliveries))
}

fn print_each(deliveries: &[Delivery], what: &str) -> io::Result<()> {
    deliveries.iter().try_for_each(|delivery| {
        print_line(&printable(&format!("{} ({}) {what}", delivery.id, delivery.what)))
    })
}

fn as_list(deliveries: &[Delivery]) -> Vec<Value> {
    deliveries.iter().map(as_json).collect()
}

fn list(config: Option<&Path>, json: bool) -> anyhow::Result<Ending> {
    let target = Target::open(config)?;
    let Answer::Deliveries(deliveries) = operate::query(target, &Operation::ListOutbox)? else {
        return Err(operate::other_answer());
    };
    let now = Timestamp::now();
    let listing = Listing {
        key: "deliveries",
        none: "nothing is pending, and nothing was given up",
        names: ("delivery", "deliveries"),
        columns: [
            Column::name("ID"),
            Column::name("STATE"),
            Column::name("AGE"),
            Column::number("TRIES"),
            Column::name("NEXT"),
            Column::text("WHAT"),
            Column::text("ERROR"),
        ],
        row: &|delivery: &Delivery| {
            let next = delivery.next.map(|next| if next <= now { "now".into() } else { local(next) });
            [
                delivery.id.clone(),
                status(delivery.status).into(),
                length(delivery.queued.until(now).as_secs()),
                delivery.tries.to_string(),
                next.unwrap_or_default(),
                delivery.what.clone(),
                delivery.error.clone().unwrap_or_default(),
            ]
        },
        object: as_json,
    };
    listing.print(&deliveries, json)?;
    Ok(Ending::Good)
}

fn status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::InProgress => "in progress",
        DeliveryStatus::GivenUp => "given up",
        _ => "waiting",
    }
}

/// Returns a delivery as JSON.
pub(super) fn as_json(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "module": delivery.module,
        "state": delivery.status,
        "queued": delivery.queued.to_string(),
        "tries": delivery.tries,
        "next": delivery.next.map(|time| time.to_string()),
        "error": delivery.error,
        "what": delivery.what,
    })
}

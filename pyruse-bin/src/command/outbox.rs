//! `pyruse outbox`: deliveries that wait, are on their way, or were given up.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use pyruse_core::operation::{Answer, Delivery, DeliveryStatus, Operation};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::json;
use super::loaded::Loaded;
use super::operate::{self, Changed};
use super::table::{Align, Table, length, local};
use super::text::{counted, print_line, printable};
use crate::cli::Ending;

/// Without a daemon, a delivery is tried for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deliveries that wait or were given up: mails, firewall commands, journal lines
///
/// What cannot be delivered is tried again, less and less often, and stays here until it went through or was given up.
/// A running daemon is asked to do what is asked for; without one it is done here.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows all of them
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Tries one at once, also one that was given up
    Retry {
        /// Its identity, as `outbox list` shows it: `email:12`
        id: String,
    },
    /// Forgets one; a ban whose order is dropped stays in the state, and is put back at the next start
    Drop {
        /// Its identity, as `outbox list` shows it: `email:12`
        id: String,
    },
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::List { json } => list(config, *json),
        Command::Retry { id } => {
            let done = change(config, &Operation::RetryDelivery { id: id.clone() })?;
            for delivery in &done.waiting {
                let why = delivery.error.as_deref().unwrap_or("its turn has not come");
                eprintln!("pyruse: {id} still waits: {}", printable(why));
            }
            if done.by_daemon {
                tell(&done.answer, "is tried at once")?;
            } else if done.waiting.is_empty() {
                tell(&done.answer, "is delivered")?;
            }
            Ok(if done.unwritten.is_none() && done.waiting.is_empty() {
                Ending::Good
            } else {
                Ending::Failed
            })
        }
        Command::Drop { id } => {
            let done = change(config, &Operation::DropDelivery { id: id.clone() })?;
            tell(&done.answer, "is dropped")?;
            if let Answer::Deliveries(dropped) = &done.answer
                && dropped.iter().any(|delivery| delivery.status == DeliveryStatus::Away)
            {
                eprintln!("pyruse: it was on its way, and may have been delivered all the same");
            }
            Ok(if done.unwritten.is_none() { Ending::Good } else { Ending::Failed })
        }
    }
}

fn change(config: Option<&Path>, operation: &Operation) -> anyhow::Result<Changed> {
    let loaded = Loaded::open_trusted(config)?;
    let changed = operate::change(&loaded, operation, PATIENCE)?;
    if let Some(why) = &changed.unwritten {
        eprintln!("pyruse: this is done, but would be lost if the daemon ended now: {}", printable(why));
    }
    Ok(changed)
}

fn tell(answer: &Answer, what: &str) -> io::Result<()> {
    let Answer::Deliveries(deliveries) = answer else { return Ok(()) };
    deliveries.iter().try_for_each(|delivery| {
        print_line(&printable(&format!("{} ({}) {what}", delivery.id, delivery.what)))
    })
}

fn list(config: Option<&Path>, json: bool) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    let Answer::Deliveries(deliveries) = operate::look(&loaded, &Operation::ListOutbox)? else {
        bail!("the daemon's answer is another one than was asked for");
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        let deliveries: Vec<Value> = deliveries.iter().map(as_json).collect();
        json::write_line(&mut out, &json!({ "deliveries": deliveries }))?;
    } else if deliveries.is_empty() {
        writeln!(out, "nothing waits, and nothing was given up")?;
    } else {
        write_table(&deliveries, Timestamp::now(), &mut out)?;
        writeln!(out, "{}", counted(deliveries.len() as u64, "delivery", "deliveries"))?;
    }
    out.flush()?;
    Ok(Ending::Good)
}

fn write_table(deliveries: &[Delivery], now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new([
        ("ID", left),
        ("STATE", left),
        ("AGE", left),
        ("TRIES", right),
        ("NEXT", left),
        ("WHAT", left),
        ("ERROR", left),
    ]);
    for delivery in deliveries {
        let next = delivery.next.map(|next| if next <= now { "now".into() } else { local(next) });
        table.row([
            delivery.id.clone(),
            status(delivery.status).into(),
            length(delivery.queued.until(now).as_secs()),
            delivery.tries.to_string(),
            next.unwrap_or_default(),
            delivery.what.clone(),
            delivery.error.clone().unwrap_or_default(),
        ]);
    }
    table.write(out)
}

fn status(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Away => "on its way",
        DeliveryStatus::GivenUp => "given up",
        _ => "waiting",
    }
}

/// A delivery for programs.
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

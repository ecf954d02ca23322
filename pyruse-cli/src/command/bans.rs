//! `pyruse bans`: lists, adds and removes bans.

use std::path::Path;
use std::time::Duration;

use pyruse_core::network::Network;
use pyruse_core::operation::{Answer, Ban, BanReason, Delivery, DeliveryStatus, Operation};
use pyruse_core::seconds::{LONGEST, Seconds, SecondsError};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::json;
use super::listing::Listing;
use super::operate;
use super::table::{Column, length, local};
use super::target::Target;
use super::text::{counted, print_line, printable};
use super::values;
use crate::ending::Ending;

/// How long a delivery to the firewall is attempted without a daemon; after that it stays queued.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Lists the bans in force, adds and removes bans
///
/// If the daemon runs, the command asks it, because only one process may write the state; otherwise the command changes
/// the state and the firewall itself. A ban by hand is like any other: it is put back after a restart or a reload of
/// the firewall, for its remaining time.
#[derive(clap::Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(crate) enum Command {
    /// Shows all bans in force, and which of them have not reached the firewall yet
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Bans an address or a network: the ban is stored like every ban, and put back after a reload or restart
    Add(AddArgs),
    /// Removes the ban of an address or a network, in all sets or in one; it is not put back
    Remove(RemoveArgs),
}

const EXAMPLES: &str = "\
Examples:
  pyruse bans list
  pyruse bans add 192.0.2.1 --for 1d
  pyruse bans add 2001:db8::1 --set 'ip6 filter ssh_ban'
  pyruse bans add 192.0.2.0/24 --set 'inet mine nets4' --for 12h
  pyruse bans remove 192.0.2.1
  pyruse bans remove --all --set 'inet pyruse ssh_ban4'";

#[derive(clap::Args)]
pub(crate) struct AddArgs {
    /// The address, or a network such as `192.0.2.0/24`, for a set that can hold networks
    #[arg(value_name = "ADDRESS", value_parser = parse_net)]
    net: Network,
    /// The set, as named in the configuration; optional if the configuration names only one set for such addresses
    #[arg(long, add = values::sets())]
    set: Option<String>,
    /// The duration in seconds; without this and --for, the ban never ends
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    seconds: Option<u64>,
    /// The duration: `90m`, `1d`, `2w`
    #[arg(long = "for", value_name = "TIME", value_parser = parse_length, add = values::lengths(), conflicts_with = "seconds")]
    length: Option<u64>,
    /// Ban the address even if it is the unspecified address, or a loopback, multicast or broadcast address
    #[arg(long)]
    allow_special: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct RemoveArgs {
    /// The address or network. Bans of networks that contain it, and of what it contains, stay
    #[arg(value_name = "ADDRESS", value_parser = parse_net, add = values::banned(), required_unless_present = "all")]
    net: Option<Network>,
    /// Remove all bans in the set
    #[arg(long, requires = "set", conflicts_with = "net")]
    all: bool,
    /// Only in this set
    #[arg(long, add = values::sets())]
    set: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_net(text: &str) -> Result<Network, String> {
    Network::parse(text).ok_or_else(|| "this is not an IP address or network".into())
}

fn parse_length(text: &str) -> Result<u64, SecondsError> {
    text.parse().map(|Seconds(seconds)| seconds)
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::List { json } => list(config, *json),
        Command::Add(AddArgs { net, set, seconds, length, allow_special, json }) => {
            let seconds = seconds.or(*length).unwrap_or(0);
            let (set, allow_special) = (set.clone(), *allow_special);
            let operation = Operation::AddBan { net: *net, set, seconds, allow_special };
            change(config, &operation, *json, |ban| match ban.until {
                Some(until) => format!("{} is banned in {} until {}", ban.net, ban.set, local(until)),
                None => format!("{} is banned in {} for ever", ban.net, ban.set),
            })
        }
        Command::Remove(RemoveArgs { net, set, json, .. }) => {
            let operation = match (net, set) {
                (Some(net), set) => Operation::RemoveBan { net: *net, set: set.clone() },
                (None, Some(set)) => Operation::RemoveBans { set: set.clone() },
                (None, None) => anyhow::bail!("name an address, or a set with --all --set"),
            };
            change(config, &operation, *json, |ban| {
                format!("the ban of {} in {} is lifted", ban.net, ban.set)
            })
        }
    }
}

fn list(config: Option<&Path>, json: bool) -> anyhow::Result<Ending> {
    let target = Target::open(config)?;
    let Answer::Bans(bans) = operate::query(target, &Operation::ListBans)? else {
        return Err(operate::other_answer());
    };
    let now = Timestamp::now();
    let listing = Listing {
        key: "bans",
        none: "no bans in force",
        names: ("ban", "bans"),
        columns: [
            Column::name("ADDRESS"),
            Column::name("SET"),
            Column::name("UNTIL"),
            Column::name("LEFT"),
            Column::name("AGE"),
            Column::text("WHY"),
            Column::text("WAITS"),
        ],
        row: &|ban: &Ban| {
            [
                ban.net.to_string(),
                ban.set.clone(),
                ban.until.map_or_else(|| "for ever".into(), local),
                match ban.until {
                    // It is listed because the firewall may still have it.
                    Some(until) if until <= now => "not lifted".into(),
                    Some(until) => length(left(now, until)),
                    None => String::new(),
                },
                ban.since.map(|since| length(since.until(now).as_secs())).unwrap_or_default(),
                why(ban),
                match (&ban.delivery, ban.within) {
                    (Some(delivery), _) => waits(delivery),
                    (None, Some(wider)) => format!("for the end of {wider}"),
                    (None, None) => String::new(),
                },
            ]
        },
        object: as_json,
    };
    listing.print(&bans, json)?;
    Ok(Ending::Good)
}

/// Returns the seconds, rounded up: a ban in force has at least one left.
fn left(now: Timestamp, until: Timestamp) -> u64 {
    let left = now.until(until);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// Returns a text as short as possible: it is a column of the table.
fn why(ban: &Ban) -> String {
    let reason = match &ban.reason {
        None => String::new(),
        Some(BanReason::Rule { chain, counter: Some(counter), count: Some(count) }) => {
            format!("{counter} {count}, {chain}")
        }
        Some(BanReason::Rule { chain, .. }) => chain.to_string(),
        Some(other) => other.to_string(),
    };
    match ban.nth {
        Some(nth) => format!("{reason} (ban {nth})"),
        None => reason,
    }
}

fn waits(delivery: &Delivery) -> String {
    let given_up = if delivery.status == DeliveryStatus::GivenUp { ", given up" } else { "" };
    match &delivery.error {
        Some(error) => {
            let tries = counted(delivery.tries.into(), "try", "tries");
            format!("{}, {tries}{given_up}: {error}", delivery.id)
        }
        None => delivery.id.clone(),
    }
}

/// Changes bans, and prints a line for the result of each.
fn change(
    config: Option<&Path>,
    operation: &Operation,
    json: bool,
    say: impl Fn(&Ban) -> String,
) -> anyhow::Result<Ending> {
    let target = Target::open_trusted(config)?;
    let changed = operate::change(target, operation, DELIVERY_TIMEOUT)?;
    let Answer::Bans(mut bans) = changed.answer.clone() else {
        return Err(operate::other_answer());
    };
    // Shows the current status, not the one at queueing.
    for ban in &mut bans {
        ban.delivery =
            ban.delivery.take().and_then(|was| changed.waiting.iter().find(|now| now.id == was.id).cloned());
    }
    if json {
        let bans: Vec<Value> = bans.iter().map(as_json).collect();
        json::print(&json!({ "bans": bans, "unwritten": changed.unwritten }))?;
    } else {
        for ban in &bans {
            print_line(&printable(&say(ban)))?;
        }
    }
    for delivery in bans.iter().filter_map(|ban| ban.delivery.as_ref()) {
        let who = if changed.by_daemon { "the daemon" } else { "the daemon, at its next start," };
        let (id, not_yet) = (&delivery.id, "the firewall does not have this change yet");
        match &delivery.error {
            Some(error) => eprintln!("pyruse: {not_yet} ({id}): {}; {who} will retry it", shortened(error)),
            None => eprintln!("pyruse: {not_yet} ({id}): other deliveries come first; {who} will do it"),
        }
    }
    let good = changed.is_written() && bans.iter().all(|ban| ban.delivery.is_none());
    Ok(if good { Ending::Good } else { Ending::Failed })
}

fn shortened(text: &str) -> String {
    super::text::cut(&printable(text), 400)
}

fn as_json(ban: &Ban) -> Value {
    json!({
        "set": ban.set,
        "ip": ban.net,
        "since": ban.since.map(|time| time.to_string()),
        "until": ban.until.map(|time| time.to_string()),
        "reason": ban.reason,
        "nth": ban.nth,
        "within": ban.within,
        "module": ban.module,
        "delivery": ban.delivery.as_ref().map(super::outbox::as_json),
    })
}

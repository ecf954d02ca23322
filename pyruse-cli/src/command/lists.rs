//! `pyruse lists`: shows named lists, tests an address, and adds and removes temporary entries.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use pyruse_core::address;
use pyruse_core::network::Network;
use pyruse_core::operation::{Answer, ListHit, ListPart, Operation, PartOrigin};
use pyruse_core::seconds::{Seconds, SecondsError};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::json;
use super::listing::Listing;
use super::operate;
use super::table::{Column, length, local};
use super::target::Target;
use super::text::{grouped, print_line, printable};
use super::values;
use crate::ending::Ending;

/// How many networks of a part are shown in a table.
const SHOWN: usize = 3;

/// Shows the named lists, tests an address, adds and removes temporary entries
///
/// A list is one of the top-level key `lists`: networks of the configuration, files, DNS names, and the addresses of
/// this machine. If the daemon runs, the command asks it; otherwise it reads the configuration, its files and the stored
/// state. Then names have the addresses that they had when the daemon ran.
#[derive(clap::Subcommand)]
#[command(after_long_help = EXAMPLES)]
pub(crate) enum Command {
    /// Shows the parts of all lists, or of one: how many networks, how old, and what is wrong with them
    Show {
        /// Only this list
        #[arg(add = values::lists())]
        list: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Says which lists contain an address, and why; the exit code is 1 if none does
    Test {
        /// The address
        #[arg(value_parser = parse_ip)]
        ip: IpAddr,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Adds an address or a network to a list for some time; it outlives a restart
    Allow(AllowArgs),
    /// Removes what was added by hand, from all lists or from one
    Remove {
        /// The address or network, as it was added
        #[arg(value_parser = parse_network, add = values::allowed())]
        network: Network,
        /// Only from this list
        #[arg(long, add = values::lists())]
        list: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  pyruse lists show
  pyruse lists test 192.0.2.1
  pyruse lists allow 192.0.2.1 --for 1d --list friends
  pyruse lists remove 192.0.2.1";

#[derive(clap::Args)]
pub(crate) struct AllowArgs {
    /// The address, or a network such as 192.0.2.0/24
    #[arg(value_parser = parse_network)]
    network: Network,
    /// For how long: `90m`, `1d`, `2w`
    #[arg(long = "for", value_name = "TIME", value_parser = parse_length, add = values::lengths())]
    length: u64,
    /// The list; optional if the configuration has only one
    #[arg(long, add = values::lists())]
    list: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn parse_ip(text: &str) -> Result<IpAddr, String> {
    address::parse(text).ok_or_else(|| "this is not an IP address".into())
}

fn parse_network(text: &str) -> Result<Network, String> {
    Network::parse(text).ok_or_else(|| "this is neither an IP address nor a network".into())
}

fn parse_length(text: &str) -> Result<u64, SecondsError> {
    text.parse().map(|Seconds(seconds)| seconds)
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::Show { list, json } => show(config, list.clone(), *json),
        Command::Test { ip, json } => test(config, *ip, *json),
        Command::Allow(AllowArgs { network, length, list, json }) => {
            let operation =
                Operation::AllowInList { network: *network, list: list.clone(), seconds: *length };
            change(config, &operation, *json, |part| {
                let until = part
                    .until
                    .map_or_else(|| "for ever".to_owned(), |until| format!("until {}", local(until)));
                format!("{} is in the list {} {until}", network, part.list)
            })
        }
        Command::Remove { network, list, json } => {
            let operation = Operation::RemoveFromLists { network: *network, list: list.clone() };
            change(config, &operation, *json, |part| {
                format!("{} is not in the list {} by hand any more", network, part.list)
            })
        }
    }
}

fn show(config: Option<&Path>, list: Option<String>, json: bool) -> anyhow::Result<Ending> {
    let Answer::ListParts(parts) = operate::query(Target::open(config)?, &Operation::ShowLists { list })?
    else {
        return Err(operate::other_answer());
    };
    let now = Timestamp::now();
    let listing = Listing {
        key: "parts",
        none: "there are no lists",
        names: ("part", "parts"),
        columns: [
            Column::name("LIST"),
            Column::text("PART"),
            Column::number("NETWORKS"),
            Column::text("FIRST"),
            Column::name("AGE"),
            Column::name("UNTIL"),
            Column::text("PROBLEM"),
        ],
        row: &|part: &ListPart| {
            [
                part.list.clone(),
                part.origin.to_string(),
                grouped(part.networks),
                first(part),
                part.since.map(|since| length(since.until(now).as_secs())).unwrap_or_default(),
                part.until.map(local).unwrap_or_default(),
                part.problem.clone().unwrap_or_default(),
            ]
        },
        object: as_json,
    };
    listing.print(&parts, json)?;
    Ok(Ending::Good)
}

/// Returns the first networks of a part.
fn first(part: &ListPart) -> String {
    if matches!(part.origin, PartOrigin::Operator(_)) {
        return String::new();
    }
    let shown: Vec<String> = part.first.iter().take(SHOWN).map(Network::to_string).collect();
    let more = if part.networks > shown.len() as u64 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn test(config: Option<&Path>, ip: IpAddr, json: bool) -> anyhow::Result<Ending> {
    let Answer::ListHits(hits) = operate::query(Target::open(config)?, &Operation::TestLists { ip })? else {
        return Err(operate::other_answer());
    };
    if json {
        let hits: Vec<Value> = hits.iter().map(hit_as_json).collect();
        json::print(&json!({ "ip": ip, "lists": hits }))?;
    } else if hits.is_empty() {
        print_line("there are no lists")?;
    } else {
        for hit in &hits {
            let line = match &hit.by {
                Some((network, origin)) => {
                    let until =
                        hit.until.map(|until| format!(", until {}", local(until))).unwrap_or_default();
                    let by = match origin {
                        PartOrigin::Operator(_) => format!("{network}, by hand"),
                        _ => format!("{network}, {origin}"),
                    };
                    format!("{ip} is in {}: {by}{until}", hit.list)
                }
                None => format!("{ip} is not in {}", hit.list),
            };
            print_line(&printable(&line))?;
        }
    }
    let is_found = hits.iter().any(|hit| hit.by.is_some());
    Ok(if is_found { Ending::Good } else { Ending::Failed })
}

/// Changes lists, and prints a line for each entry.
fn change(
    config: Option<&Path>,
    operation: &Operation,
    json: bool,
    say: impl Fn(&ListPart) -> String,
) -> anyhow::Result<Ending> {
    let target = Target::open_trusted(config)?;
    let changed = operate::change(target, operation, Duration::ZERO)?;
    let Answer::ListParts(parts) = &changed.answer else {
        return Err(operate::other_answer());
    };
    if json {
        let parts: Vec<Value> = parts.iter().map(as_json).collect();
        json::print(&json!({ "parts": parts, "unwritten": changed.unwritten }))?;
    } else {
        for part in parts {
            print_line(&printable(&say(part)))?;
        }
    }
    Ok(if changed.is_written() { Ending::Good } else { Ending::Failed })
}

pub(super) fn as_json(part: &ListPart) -> Value {
    json!({
        "list": part.list,
        "origin": part.origin,
        "networks": part.networks,
        "first": part.first,
        "since": part.since.map(|time| time.to_string()),
        "until": part.until.map(|time| time.to_string()),
        "problem": part.problem,
    })
}

fn hit_as_json(hit: &ListHit) -> Value {
    json!({
        "list": hit.list,
        "isIn": hit.by.is_some(),
        "network": hit.by.as_ref().map(|(network, _)| network),
        "origin": hit.by.as_ref().map(|(_, origin)| origin),
        "until": hit.until.map(|time| time.to_string()),
    })
}

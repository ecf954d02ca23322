//! `pyruse counters`: lists and resets counts.

use std::path::Path;
use std::time::Duration;

use pyruse_core::operation::{Answer, CounterValue, Operation};
use serde_json::{Value, json};

use super::json;
use super::listing::Listing;
use super::operate;
use super::table::{Column, local};
use super::target::Target;
use super::text::{grouped, print_line, printable};
use super::values;
use crate::ending::Ending;

/// Lists and resets counts
///
/// A category is the `counter` of `action_counterRaise`; a key is what is counted, such as an address or a user. Counts
/// expire by themselves; to forgive at once, reset the key.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows all counts, the highest first
    List {
        /// Only in this category
        #[arg(add = values::categories())]
        category: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Removes the count of a key; a grace period that has begun continues
    Reset {
        /// The category, as in the configuration (`counter`)
        #[arg(add = values::categories())]
        category: String,
        /// The key, such as an address
        #[arg(add = values::keys())]
        key: String,
        /// Print one JSON object: the count before the reset
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::List { category, json } => list(config, category.as_deref(), *json),
        Command::Reset { category, key, json } => {
            let operation = Operation::ResetCounter { category: category.clone(), key: key.clone() };
            reset(config, &operation, *json)
        }
    }
}

fn reset(config: Option<&Path>, operation: &Operation, json: bool) -> anyhow::Result<Ending> {
    let target = Target::open_trusted(config)?;
    let changed = operate::change(target, operation, Duration::ZERO)?;
    let Answer::Counters(counts) = &changed.answer else {
        return Err(operate::other_answer());
    };
    if json {
        let counts: Vec<Value> = counts.iter().map(as_json).collect();
        json::print(&json!({ "counters": counts, "unwritten": changed.unwritten }))?;
    } else {
        for count in counts {
            let what = match count.grace {
                Some(grace) if count.count == 0 => {
                    format!("already 0; its grace period lasts until {}", local(grace))
                }
                _ => format!("{}, now 0", shown(count)),
            };
            print_line(&printable(&format!("{} in {}: {what}", count.key, count.category)))?;
        }
    }
    Ok(if changed.is_written() { Ending::Good } else { Ending::Failed })
}

fn list(config: Option<&Path>, category: Option<&str>, json: bool) -> anyhow::Result<Ending> {
    let target = Target::open(config)?;
    let operation = Operation::ListCounters { category: category.map(str::to_owned) };
    let Answer::Counters(counts) = operate::query(target, &operation)? else {
        return Err(operate::other_answer());
    };
    let listing = Listing {
        key: "counters",
        none: "there are no counts",
        names: ("key", "keys"),
        columns: [
            Column::text("KEY"),
            Column::number("COUNT"),
            Column::text("CATEGORY"),
            Column::name("ENDS"),
            Column::name("GRACE UNTIL"),
        ],
        row: &|count: &CounterValue| {
            let never = || if count.count == 0 { String::new() } else { "never".into() };
            [
                count.key.clone(),
                shown(count),
                count.category.clone(),
                count.ends.map_or_else(never, local),
                count.grace.map(local).unwrap_or_default(),
            ]
        },
        object: as_json,
    };
    listing.print(&counts, json)?;
    Ok(Ending::Good)
}

/// Of distinct values, there may be more than are counted.
fn shown(count: &CounterValue) -> String {
    let least = if count.is_least { "at least " } else { "" };
    format!("{least}{}", grouped(count.count))
}

fn as_json(count: &CounterValue) -> Value {
    json!({
        "category": count.category,
        "key": count.key,
        "count": count.count,
        "atLeast": count.is_least,
        "graceUntil": count.grace.map(|time| time.to_string()),
        "ends": count.ends.map(|time| time.to_string()),
    })
}

//! `pyruse counters`: what is counted, and forgetting it.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use pyruse_core::operation::{Answer, Count, Operation};
use serde_json::{Value, json};

use super::json;
use super::loaded::Loaded;
use super::operate;
use super::table::{Align, Table, local};
use super::text::{counted, grouped, print_line, printable};
use crate::cli::Ending;

/// Counters: what is counted for whom
///
/// A category is what `action_counterRaise` calls `counter`, a key what it counts for: an address, a user. What is
/// counted expires by itself; to forgive somebody at once, reset the key.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Shows what is counted, the most first
    List {
        /// Only in this category
        category: Option<String>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Forgets what is counted for a key; a grace that was given goes on
    Reset {
        /// The category, as the configuration calls it (`counter`)
        category: String,
        /// The key: what is counted for, such as an address
        key: String,
    },
}

pub(crate) fn run(config: Option<&Path>, command: &Command) -> anyhow::Result<Ending> {
    match command {
        Command::List { category, json } => list(config, category.as_deref(), *json),
        Command::Reset { category, key } => reset(config, category, key),
    }
}

fn reset(config: Option<&Path>, category: &str, key: &str) -> anyhow::Result<Ending> {
    let loaded = Loaded::open_trusted(config)?;
    let operation = Operation::ResetCounter { category: category.to_owned(), key: key.to_owned() };
    let changed = operate::change(&loaded, &operation, Duration::ZERO)?;
    if let Answer::Counters(counts) = &changed.answer {
        for count in counts {
            let what = match count.grace {
                Some(grace) if count.count == 0 => {
                    format!("0 already; its grace lasts until {}", local(grace))
                }
                _ => format!("{}, now 0", grouped(count.count)),
            };
            let said = format!("{} in {}: {what}", count.key, count.category);
            print_line(&printable(&said))?;
        }
    }
    if let Some(why) = &changed.unwritten {
        eprintln!("pyruse: this is done, but would be lost if the daemon ended now: {}", printable(why));
        return Ok(Ending::Failed);
    }
    Ok(Ending::Good)
}

fn list(config: Option<&Path>, category: Option<&str>, json: bool) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    let operation = Operation::ListCounters { category: category.map(str::to_owned) };
    let Answer::Counters(counts) = operate::look(&loaded, &operation)? else {
        bail!("the daemon's answer is another one than was asked for");
    };
    let mut out = BufWriter::new(io::stdout().lock());
    if json {
        let counts: Vec<Value> = counts.iter().map(as_json).collect();
        json::write_line(&mut out, &json!({ "counters": counts }))?;
    } else if counts.is_empty() {
        writeln!(out, "nothing is counted")?;
    } else {
        write_table(&counts, &mut out)?;
        writeln!(out, "{}", counted(counts.len() as u64, "key", "keys"))?;
    }
    out.flush()?;
    Ok(Ending::Good)
}

fn write_table(counts: &[Count], out: &mut dyn Write) -> io::Result<()> {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new([
        ("CATEGORY", left),
        ("KEY", left),
        ("COUNT", right),
        ("GRACE UNTIL", left),
        ("ENDS", left),
    ]);
    for count in counts {
        let never = || if count.count == 0 { String::new() } else { "never".into() };
        table.row([
            count.category.clone(),
            count.key.clone(),
            grouped(count.count),
            count.grace.map(local).unwrap_or_default(),
            count.ends.map_or_else(never, local),
        ]);
    }
    table.write(out)
}

fn as_json(count: &Count) -> Value {
    json!({
        "category": count.category,
        "key": count.key,
        "count": count.count,
        "graceUntil": count.grace.map(|time| time.to_string()),
        "ends": count.ends.map(|time| time.to_string()),
    })
}

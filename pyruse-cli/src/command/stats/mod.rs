//! `pyruse stats`: counts entries by value, to show what to filter first.

mod tally;

use std::io;
use std::path::Path;

use clap::value_parser;
use jiff::tz::TimeZone;
use pyruse_core::entry::{Buffers, EightBit, Fields, Record, Slot, Value};
use pyruse_core::plugin::Registry;
use pyruse_core::sources::ConfiguredSource;
use pyruse_core::time::Timestamp;
use serde_json::json;

use self::tally::{Counts, Tally};
use super::json;
use super::loaded::Loaded;
use super::past::{Past, PastArgs};
use super::progress::Progress;
use super::table::{Column, Table, local};
use super::text::{counted, folded, grouped, printable, terminal_columns};
use super::values;
use crate::configuration;
use crate::ending::Ending;

/// Counts past entries by SYSLOG_IDENTIFIER or another field, and by priority: what to filter first
///
/// The most frequent values come first, each with its share of all entries and the cumulative share, and with the
/// number of its entries that are errors (PRIORITY 3 and below), warnings (4), and less or without a priority. A rule
/// at the top of the configuration that drops the first few of them with a cheap filter saves most of the work.
///
/// A field that occurs several times counts with its first value. The configuration is only needed to find the journal:
/// it may be missing, and with --directory, --file or --input it is not read.
///
/// Memory is bounded: beyond 20,000 different values the rarest are counted together, and the output says by how much
/// the count of a single value may then be too low.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The field to count by
    #[arg(long, value_name = "FIELD", default_value = "SYSLOG_IDENTIFIER", value_parser = field_name, add = values::fields())]
    by: String,
    /// How many values are shown; the others are counted together
    #[arg(long, value_name = "N", default_value = "25", value_parser = value_parser!(u32).range(1..))]
    top: u32,
    #[command(flatten)]
    past: PastArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  pyruse stats --since '1 week ago'
  pyruse stats --by _SYSTEMD_UNIT --top 10
  journalctl -o export -u ssh | pyruse stats --by _UID --input -";

fn field_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['=', '\n', '\0']) {
        return Err("this is not a field name, such as _SYSTEMD_UNIT".into());
    }
    Ok(text.to_owned())
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    args.past.check("stats")?;
    let registry = Registry::linked()?;
    let past = Past::open(&args.past, &registry, &configured(config, args, &registry)?)?;
    let mut fields = Fields::default();
    fields.set_tables(registry.field_tables());
    let (by, priority) = (fields.slot(&args.by), fields.slot("PRIORITY"));
    let mut buffers = Buffers::new(fields, EightBit::default(), TimeZone::system());
    let mut stats = Stats { tally: Tally::default(), range: None };
    // Entries before a failure were counted, and are shown.
    let read = past.read(Progress::new(true), |_, record| {
        stats.count(&mut buffers, by, priority, record);
        Ok(())
    });
    let mut out = io::stdout().lock();
    if args.json {
        json::write_line(&mut out, &stats.as_json(args))?;
    } else {
        stats.write(&mut out, args, terminal_columns())?;
    }
    read.map(|()| Ending::Good)
}

/// Returns the sources of the configuration, if they are needed and there is one; else the default source.
fn configured(
    config: Option<&Path>,
    args: &Args,
    registry: &Registry,
) -> anyhow::Result<Vec<ConfiguredSource>> {
    if args.past.names_a_source() {
        return Ok(Vec::new());
    }
    if config.is_none() && configuration::find(None).is_err() {
        let default = registry.default_source();
        let made =
            default.map(|(name, plugin)| ConfiguredSource::of(registry, name, plugin.name, &json!({})));
        return Ok(made.transpose()?.into_iter().collect());
    }
    Ok(Loaded::open(config)?.for_dry_run()?.0.sources)
}

struct Stats {
    tally: Tally,
    range: Option<(Timestamp, Timestamp)>,
}

impl Stats {
    fn count(&mut self, buffers: &mut Buffers, by: Slot, priority: Slot, record: &mut dyn Record) {
        let mut entry = buffers.entry(record);
        let time = entry.time();
        let mut level = None;
        // Whatever the value is, the entry need not be read to its end.
        let _ = entry.any(priority, |value| {
            if let Value::Integer(number) = value {
                level = usize::try_from(number).ok().filter(|level| *level < 8);
            }
            Ok(true)
        });
        self.tally.count(entry.first_text(by), level);
        if time != Timestamp::default() {
            let (first, last) = self.range.get_or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
    }

    fn as_json(&self, args: &Args) -> serde_json::Value {
        let counts = |counts: &Counts| {
            let levels = counts.levels.iter().enumerate().filter(|(_, count)| **count > 0);
            let mut priorities: serde_json::Map<String, serde_json::Value> =
                levels.map(|(level, count)| (level.to_string(), (*count).into())).collect();
            if counts.without > 0 {
                priorities.insert("none".into(), counts.without.into());
            }
            (counts.total(), priorities)
        };
        let ranking = self.tally.ranking(args.top as usize);
        let values: Vec<_> = ranking
            .top
            .iter()
            .map(|(value, count)| {
                let (entries, priorities) = counts(count);
                json!({"value": value, "entries": entries, "priorities": priorities})
            })
            .collect();
        let (others, priorities) = counts(&ranking.others);
        json!({
            "by": args.by,
            "entries": self.tally.entries(),
            "from": self.range.map(|(first, _)| first.to_string()),
            "to": self.range.map(|(_, last)| last.to_string()),
            "values": values,
            "others": {
                "values": (self.tally.max_error() == 0).then_some(ranking.other_values),
                "entries": others,
                "priorities": priorities,
            },
            "tooLowByAtMost": self.tally.max_error(),
        })
    }

    fn write(&self, out: &mut impl io::Write, args: &Args, width: usize) -> io::Result<()> {
        let whole = self.tally.entries();
        writeln!(out, "{} by {}", counted(whole, "entry", "entries"), printable(&args.by))?;
        if let Some((first, last)) = self.range {
            writeln!(out, "{} to {}", local(first), local(last))?;
        }
        if whole == 0 {
            return Ok(());
        }
        writeln!(out)?;
        let mut table = Table::new([
            Column::text("VALUE"),
            Column::number("ENTRIES"),
            Column::number("SHARE"),
            Column::number("SO FAR"),
            Column::number("ERRORS"),
            Column::number("WARNINGS"),
            Column::number("LESS"),
        ]);
        let mut so_far = 0;
        let mut row = |label: &str, counts: &Counts| {
            so_far += counts.total();
            let (errors, warnings) = (counts.levels[..4].iter().sum(), counts.levels[4]);
            table.row([
                label.to_owned(),
                grouped(counts.total()),
                percent(counts.total(), whole),
                percent(so_far, whole),
                or_dash(errors),
                or_dash(warnings),
                or_dash(counts.total() - errors - warnings),
            ]);
        };
        let ranking = self.tally.ranking(args.top as usize);
        for (value, counts) in &ranking.top {
            match value {
                Some("") => row("(empty)", counts),
                Some(value) => row(&printable(value), counts),
                None => row(&format!("(without {})", printable(&args.by)), counts),
            }
        }
        if ranking.others.total() > 0 {
            // The number of dropped values is unknown.
            let number =
                if self.tally.max_error() > 0 { String::new() } else { grouped(ranking.other_values) + " " };
            row(&format!("({number}others)"), &ranking.others);
        }
        table.write(out, width)?;
        if self.tally.max_error() > 0 {
            let note = format!(
                "There are too many different values to count each: a count may be too low by up to {}.",
                grouped(self.tally.max_error())
            );
            writeln!(out, "\n{}", folded(&note, width))?;
        }
        Ok(())
    }
}

fn or_dash(count: u64) -> String {
    if count == 0 { "-".into() } else { grouped(count) }
}

#[allow(clippy::cast_precision_loss, reason = "a share, for people")]
fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

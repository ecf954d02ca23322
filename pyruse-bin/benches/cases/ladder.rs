//! A ladder of chains that each test for another SYSLOG_IDENTIFIER; and an entry that is soon dropped.

use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Case, Rules, rides};
use crate::generator::{Mix, journal};

/// A ladder of this many identifiers; each occurs as often as the others, and every fifth entry has one that no rung
/// tests for.
pub fn ladder(rungs: u32, optimized: bool) -> Case {
    let mut chains = serde_json::Map::new();
    for n in 0..rungs {
        let args = json!({"field": "SYSLOG_IDENTIFIER", "value": format!("service{n}")});
        let steps = json!([{"filter": "filter_equals", "args": args}, {"action": "action_noop"}]);
        chains.insert(format!("{n:04}"), steps);
    }
    let record = |n: u32| {
        // Scattered, so that no entry is of the same rung as the one before.
        let rung = n.wrapping_mul(7919) % rungs;
        let identifier = if n % 5 == 4 { "nobody".to_owned() } else { format!("service{rung}") };
        MemoryRecord::at(Timestamp::from_seconds(i64::from(n)))
            .with("PRIORITY", "6")
            .with("SYSLOG_IDENTIFIER", identifier)
            .with("MESSAGE", "something happened")
    };
    rides(Rules::new(&Value::Object(chains), optimized), (0..2000).map(record).collect())
}

/// Dropped by its second filter, which asks for the same field as the first: one of twenty-two.
pub fn dropped(optimized: bool) -> Case {
    rides(Rules::new(&dropping_rules(), optimized), records(Mix::Server, 2000))
}

/// Rules that drop everything at the second filter, after one field.
pub fn dropping_rules() -> Value {
    json!({"chatter": [
        {"filter": "filter_greaterOrEquals", "args": {"field": "PRIORITY", "value": 0}},
        {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 7}},
        {"action": "action_noop"},
    ]})
}

/// Entries of the generated journal, as records in memory.
pub fn records(mix: Mix, count: u64) -> Vec<MemoryRecord> {
    journal(mix, count, 7)
        .map(|entry| {
            let mut record = MemoryRecord::default();
            for (name, value) in entry.fields {
                record.push(name, value);
            }
            record
        })
        .collect()
}

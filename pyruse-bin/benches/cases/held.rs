//! A large configuration while much is held: bans, lines of the report.

use std::fmt::Write as _;
use std::time::Instant;

use pyruse_core::entry::MemoryRecord;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::ladder::records;
use super::{BATCH, Case, Rules};
use crate::generator::Mix;

/// Entries run through `config`, with commits to the disk, after this many bans and lines of the report.
pub fn full(config: &str, bans: u32, lines: u32) -> Case {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("state.sqlite");
    let mut records = records(Mix::Server, 20_000);
    let (first, last) = (records[0].realtime, records[records.len() - 1].realtime);
    hold(&file, first, bans, lines);
    let mut rules = Rules::load(config, State::open_file(&file).unwrap(), true);
    let mut at = 0;
    Box::new(move |n| {
        let _ = &directory;
        let start = Instant::now();
        for n in 1..=n {
            let record = &mut records[at];
            rules.ride(record);
            // The next time it comes, time has gone on.
            record.realtime = record.realtime.plus_seconds(last.0.abs_diff(first.0) / 1_000_000 + 1);
            at = (at + 1) % records.len();
            if n % BATCH == 0 {
                let now = records[at].realtime;
                rules.commit(now);
            }
        }
        start.elapsed()
    })
}

/// Fills a state.
fn hold(file: &std::path::Path, now: Timestamp, bans: u32, lines: u32) {
    let rules = json!({
        "ban": [
            {"filter": "filter_in", "args": {"field": "thatIP", "values": [null]}, "else": "banned", "then": "line"}
        ],
        "banned": [{"action": "action_nftBan", "args": {"IP": "thatIP",
            "nftSetIPv4": "ip Inet4 mail_ban", "nftSetIPv6": "ip6 Inet6 mail_ban"}}],
        "line": [{"action": "action_dailyReport", "args": {"level": "WARN", "message": "{text}"}}],
    });
    let text = json!({"actions": rules}).to_string();
    let mut rules = Rules::load(&text, State::open_file(file).unwrap(), true);
    let mut value = String::new();
    for (field, count) in [("thatIP", bans), ("text", lines)] {
        for n in 0..count {
            value.clear();
            let _ = match field {
                "thatIP" => write!(value, "10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255),
                _ => write!(value, "something like number {} happened again", n % 500),
            };
            rules.ride(&mut MemoryRecord::at(now).with(field, value.as_str()));
            if u64::from(n) % BATCH == 0 {
                rules.commit(now);
            }
        }
        rules.commit(now);
    }
}

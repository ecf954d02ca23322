//! Counting, with few keys and with many.

use std::time::{Duration, Instant};

use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::{BATCH, Case, Rules};

const KEEP: u64 = 600;

/// The number of live ticks of each key at any time.
const ALIVE: i64 = 5;

/// Raises the counters of that many keys, each as often as the others, in no order. Commits are not counted.
pub fn raise(keys: u32) -> Case {
    let rules = json!({"count": [
        {"action": "action_counterRaise",
            "args": {"counter": "c", "for": "thatIP", "keepSeconds": KEEP, "save": "tries"}},
    ]});
    let mut rules = Rules::new(&rules, true);
    // Time passes so fast that the number of live ticks does not depend on the number of keys.
    let tick = i64::try_from(KEEP * 1_000_000).unwrap() / ALIVE / i64::from(keys);
    let mut number: u32 = 0;
    let mut record = MemoryRecord::default();
    let mut raise = move |n: u64| {
        let mut taken = Duration::ZERO;
        let mut left = n;
        while left > 0 {
            let batch = left.min(BATCH);
            left -= batch;
            let start = Instant::now();
            for _ in 0..batch {
                let key = number.wrapping_mul(2_654_435_761) % keys;
                number = number.wrapping_add(1);
                let time = Timestamp(record.realtime.0 + tick);
                record.clear();
                record.realtime = time;
                record.push("thatIP", format!("10.{}.{}.{}", key >> 16, (key >> 8) & 255, key & 255));
                rules.ride(&mut record);
            }
            taken += start.elapsed();
            rules.commit(record.realtime);
        }
        taken
    };
    // All keys are there, with their ticks, before anything is timed.
    raise(u64::from(keys) * 6);
    Box::new(raise)
}

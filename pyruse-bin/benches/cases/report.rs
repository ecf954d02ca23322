//! The report of a day.

use std::time::Instant;

use pyruse_core::entry::MemoryRecord;
use pyruse_core::plugin::ReportForm;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::{Case, Rules, rides};

/// A word for each number; digits would be masked.
fn letters(n: u32) -> String {
    n.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
}

/// Collects and renders a report of that many lines, with a tenth as many kinds.
pub fn render(lines: u32, html: bool) -> Case {
    let rules = json!({"report": [
        {"action": "action_dailyReport",
            "args": {"level": "WARN", "details": "FIRSTLAST", "message": "{user} has logged in"}},
    ]});
    let mut rules = Rules::new(&rules, true);
    for n in 0..lines {
        let user = letters(n % (lines / 10));
        rules.ride(&mut MemoryRecord::at(Timestamp::from_seconds(i64::from(n))).with("user", user));
    }
    let now = Timestamp::from_seconds(i64::from(lines));
    rules.commit(now);
    Box::new(move |n| {
        let form = if html { ReportForm::Html } else { ReportForm::Text };
        let start = Instant::now();
        for _ in 0..n {
            let report =
                rules.pump.engine.services.report(&mut rules.pump.state, now, form).unwrap().unwrap();
            assert!(report.contains(" has logged in"));
        }
        start.elapsed()
    })
}

/// What lines to record.
#[derive(Clone, Copy)]
pub enum Lines {
    /// Those of nginx, sshd and a name server: a few kinds, but nearly all are different.
    Busy,
    /// Each is of a kind of its own.
    New,
    /// Likewise, and each has as many words as count.
    NewOfManyWords,
}

/// Records lines.
pub fn record(lines: Lines) -> Case {
    let rules = json!({"report": [
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE}"}},
    ]});
    let message = |n: u32| match (lines, n % 3) {
        (Lines::New, _) => format!("{} is the first word, which is no variable", letters(n)),
        (Lines::NewOfManyWords, _) => (0..47).map(|word| letters(n * 47 + word) + " ").collect(),
        (_, 0) => format!(
            "{n}#{n}: *{n} open() \"/var/www/html/{n}.php\" failed (2: No such file or directory), client: 192.0.2.{}, \
             server: _, request: \"GET /{n}.php HTTP/1.1\"",
            n % 256
        ),
        (_, 1) => format!("Failed password for invalid user u{n} from 198.51.100.{} port {n} ssh2", n % 256),
        _ => format!("client @0x7f{n:08x} 203.0.113.{}#{n} (h{n}.example.com): query denied", n % 256),
    };
    let records = (0..100_000).map(|n| {
        MemoryRecord::at(Timestamp::from_seconds(i64::from(n)))
            .with("SYSLOG_IDENTIFIER", ["nginx", "sshd", "named"][n as usize % 3])
            .with("PRIORITY", "4")
            .with("MESSAGE", message(n))
    });
    rides(Rules::new(&rules, true), records.collect())
}

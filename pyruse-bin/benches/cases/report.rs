//! The report of a day.

use std::time::Instant;

use pyruse_core::entry::MemoryRecord;
use pyruse_core::plugin::ReportForm;
use pyruse_core::time::Timestamp;
use serde_json::json;

use super::{Case, Rules};

/// Collects and renders a report of that many lines, with a tenth as many different messages.
pub fn render(lines: u32, html: bool) -> Case {
    let rules = json!({"report": [
        {"action": "action_dailyReport",
            "args": {"level": "WARN", "details": "FIRSTLAST", "message": "failed logins as {user!r}"}},
    ]});
    let mut rules = Rules::new(&rules, true);
    for n in 0..lines {
        let user = format!("user{}", n % (lines / 10));
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
            assert!(report.contains("user7"));
        }
        start.elapsed()
    })
}

//! Messages with the values of an entry.

use std::time::Instant;

use jiff::tz::TimeZone;
use pyruse_python::format::{Template, Value};

use super::Case;

/// As in a report: two texts, one of them quoted.
pub const LINE: &str = "failed logins as {user!r} ({SYSLOG_IDENTIFIER})";

/// As in a mail: with a time, a number and widths.
pub const MAIL: &str = "At {__REALTIME_TIMESTAMP:%Y-%m-%d %H:%M:%S} {user:>12s} came in from {thatIP}\n\
                        (PID {_PID:,}, the {tries:^9d}th time): {MESSAGE:.500}\n";

/// Renders a template.
pub fn render(text: &str) -> Case {
    let template = Template::parse(text).unwrap();
    let zone = TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC);
    let values: Vec<Value<'static>> = template
        .names()
        .iter()
        .map(|name| match name.as_str() {
            "__REALTIME_TIMESTAMP" => Value::Time { micros: 1_795_000_000_450_000 },
            "_PID" => Value::Integer(14_711),
            "tries" => Value::Integer(3),
            "MESSAGE" => Value::Text("Accepted password for alice from 192.0.2.17 port 50022 ssh2"),
            "thatIP" => Value::Text("192.0.2.17"),
            _ => Value::Text("alice"),
        })
        .collect();
    let mut out = String::new();
    Box::new(move |n| {
        let start = Instant::now();
        for _ in 0..n {
            out.clear();
            template.render(&mut out, &zone, |name| Some(values[name])).unwrap();
            std::hint::black_box(&out);
        }
        start.elapsed()
    })
}

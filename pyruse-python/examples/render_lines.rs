//! Renders templates for `tests/templates/campaign.py`: a JSON object per line in, one per line out.
//!
//! In: `{"template": …, "zone": …, "values": {NAME: {"text"|"integer"|"time": …}}}`.
//! Out: `{"text": …}`, `{"load": OFFSET, "message": …}` or `{"run": MESSAGE}`.

use std::collections::HashMap;
use std::io::{BufRead, BufWriter, Write};

use jiff::tz::TimeZone;
use pyruse_python::format::{Template, Value};
use serde_json::{Value as Json, json};

fn main() {
    let mut zones = HashMap::new();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let case: Json = serde_json::from_str(&line.expect("stdin")).expect("JSON");
        let name = case["zone"].as_str().expect("zone");
        let zone = zones.entry(name.to_owned()).or_insert_with(|| TimeZone::get(name).expect("a known zone"));
        writeln!(out, "{}", answer(&case, zone)).expect("stdout");
    }
}

fn answer(case: &Json, zone: &TimeZone) -> Json {
    let template = match Template::parse(case["template"].as_str().expect("template")) {
        Ok(template) => template,
        Err(error) => return json!({"load": error.offset, "message": error.message}),
    };
    let mut text = String::from("before");
    let result = template.render(&mut text, zone, |at| value(&case["values"][&template.names()[at]]));
    match result {
        Ok(()) => json!({"text": text.strip_prefix("before")}),
        Err(error) => {
            assert_eq!(text, "before", "an error must leave the output alone");
            json!({"run": error.to_string()})
        }
    }
}

fn value(json: &Json) -> Option<Value<'_>> {
    json["text"]
        .as_str()
        .map(Value::Text)
        .or_else(|| json["integer"].as_i64().map(Value::Integer))
        .or_else(|| json["time"].as_i64().map(|micros| Value::Time { micros }))
}

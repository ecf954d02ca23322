//! The templates of `templates/cases.json` give what Python 3.11 gave (`templates/gen_templates.py`).

use jiff::tz::TimeZone;
use pyruse_python::format::{Template, Value};
use serde_json::Value as Json;

#[derive(Debug, PartialEq)]
enum Outcome {
    Text(String),
    /// Refused at load, at this byte.
    Load(u64),
    Run,
}

fn wanted(case: &Json) -> Outcome {
    if let Some(text) = case["text"].as_str() {
        Outcome::Text(text.to_owned())
    } else if let Some(offset) = case["load"].as_u64() {
        Outcome::Load(offset)
    } else {
        assert!(case["run"].is_string(), "{case}");
        Outcome::Run
    }
}

fn got(case: &Json) -> Outcome {
    let template = match Template::parse(case["template"].as_str().unwrap()) {
        Ok(template) => template,
        Err(error) => return Outcome::Load(error.offset as u64),
    };
    let zone = TimeZone::get(case["zone"].as_str().unwrap()).unwrap();
    let mut text = String::from("before|");
    let lookup = |at: usize| {
        let value = &case["values"][&template.names()[at]];
        let text = value["text"].as_str().map(Value::Text);
        let integer = value["integer"].as_i64().map(Value::Integer);
        let time = value["time"].as_i64().map(|micros| Value::Time { micros });
        text.or(integer).or(time)
    };
    if template.render(&mut text, &zone, lookup).is_ok() {
        return Outcome::Text(text.strip_prefix("before|").unwrap().to_owned());
    }
    assert_eq!(text, "before|", "an error leaves the output alone: {case}");
    Outcome::Run
}

#[test]
fn every_template_gives_what_python_gives() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("templates/cases.json")).unwrap();
    assert!(cases.len() >= 150);
    let wrong: Vec<String> = cases
        .iter()
        .filter(|case| got(case) != wanted(case))
        .map(|case| format!("{case}\n  got {:?}", got(case)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

//! A second interpreter of a configuration: slow, simple, and by the letter of the contract.
//!
//! A configuration's text and entries enter; the steps taken and the effects leave. It exists to be compared with the
//! program, so it shares nothing with its engine but expressions and templates, which are held against Python's
//! elsewhere. An entry is a map from names to lists of values; chains are looked up by label and read as JSON at each
//! step; the continuation after a dangling exit is passed along; state is lists that are searched from end to end.
//!
//! Not modelled: the bounds of memory (keys and ticks of a counter, the length of a line), which no test reaches.

#![allow(dead_code, reason = "each test file uses a part of this")]

mod actions;
mod entry;
mod filters;
mod jsonc;

use std::collections::HashMap;

use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::pattern::Pattern;
use pyruse_core::template::Template;
use serde_json::{Value, json};

use self::jsonc::plain;
#[allow(unused_imports, reason = "each test file uses a part of this")]
pub use self::jsonc::{Chains, chains, to_text};

/// A step could not do its work. The reason is not compared.
#[derive(Debug)]
pub struct Failed;

/// What one entry did.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// Chain and step, in the order in which they ran.
    pub path: Vec<(String, usize)>,
    /// As `replay --json` shows them; errors without their message.
    pub effects: Vec<Value>,
}

/// The interpreter: a configuration, and what its entries have left so far.
pub struct Reference {
    chains: Chains,
    top_level: Vec<String>,
    email_to: Value,
    world: actions::World,
    tools: Tools,
}

/// What is shared with the program.
pub struct Tools {
    zone: TimeZone,
    patterns: HashMap<String, Pattern>,
    templates: HashMap<String, Template>,
    /// The top-level key `lists`.
    lists: Value,
}

impl Tools {
    fn new(lists: Value) -> Tools {
        let (patterns, templates) = (HashMap::new(), HashMap::new());
        Tools { zone: TimeZone::system(), patterns, templates, lists }
    }

    fn pattern(&mut self, expression: &str) -> &Pattern {
        self.patterns
            .entry(expression.to_owned())
            .or_insert_with(|| Pattern::new(expression).unwrap_or_else(|e| panic!("{expression}: {e:?}")))
    }

    fn render(&mut self, text: &str, entry: &entry::Entry) -> Result<String, Failed> {
        let zone = self.zone.clone();
        let template = self
            .templates
            .entry(text.to_owned())
            .or_insert_with(|| Template::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}")))
            .clone();
        let shown: Vec<Option<entry::Value>> =
            template.names().iter().map(|name| entry.shown(name, self)).collect();
        let mut out = String::new();
        let value = |n: usize| shown[n].as_ref().map(entry::Value::for_template);
        template.render(&mut out, &zone, value).map_err(|_| Failed)?;
        Ok(out)
    }

    /// A time as it is shown.
    fn show_time(&mut self, micros: i64) -> String {
        let mut entry = entry::Entry::default();
        entry.set("t", Some(entry::Value::Time(micros)));
        self.render("{t}", &entry).expect("a time has a default form")
    }
}

impl Reference {
    /// Reads a configuration that the program accepts.
    pub fn new(text: &str) -> Reference {
        let config: Value = serde_json::from_str(&plain(text)).unwrap();
        let chains = chains(text);
        let to = &config["email"]["to"];
        let email_to = if to.is_null() { json!(["hostmaster"]) } else { to.clone() };
        let top_level = top_level(&chains);
        let tools = Tools::new(config["lists"].clone());
        Reference { chains, top_level, email_to, world: actions::World::default(), tools }
    }

    /// The labels of the top-level chains, in order.
    pub fn top_level(&self) -> &[String] {
        &self.top_level
    }

    /// Pushes one entry through.
    pub fn run(&mut self, fields: &[(String, Vec<u8>)]) -> Outcome {
        let mut entry = entry::Entry::new(fields);
        let mut outcome = Outcome::default();
        let mut place = self.top_level.first().map(|label| (label.clone(), 0));
        // The number of the top-level chain that a dangling exit leads to.
        let mut continuation = 1;
        while let Some((label, number)) = place {
            outcome.path.push((label.clone(), number));
            let steps = steps(&self.chains, &label);
            let step = &steps[number];
            let args = &step["args"];
            let jump = |exit: &str| step[exit].as_str().map(|label| (label.to_owned(), 0));
            let next = (number + 1 < steps.len()).then(|| (label.clone(), number + 1));
            let mut effects = Vec::new();
            let (went_on, dangles) = if let Some(name) = step["filter"].as_str() {
                match filters::passes(name, args, &mut entry, &mut self.tools) {
                    Ok(true) => (jump("then").or(next), true),
                    Ok(false) => (jump("else"), true),
                    Err(Failed) => {
                        effects.push(json!({"effect": "error"}));
                        (jump("else"), true)
                    }
                }
            } else {
                let name = step["action"].as_str().expect("a filter or an action");
                let mut act = actions::Act {
                    args,
                    entry: &mut entry,
                    tools: &mut self.tools,
                    email_to: &self.email_to,
                    effects: &mut effects,
                };
                let acted = self.world.act(name, &mut act);
                if acted.is_err() {
                    effects.push(json!({"effect": "error"}));
                }
                (acted.ok().and_then(|()| jump("then").or(next)), false)
            };
            for mut effect in effects {
                effect["at"] = entry.at().into();
                effect["cursor"] = entry.cursor().into();
                effect["chain"] = label.clone().into();
                effect["step"] = number.into();
                outcome.effects.push(effect);
            }
            place = went_on;
            if place.is_none() && dangles {
                place = self.top_level.get(continuation).map(|label| (label.clone(), 0));
                continuation += 1;
            }
        }
        outcome
    }
}

fn steps<'c>(chains: &'c Chains, label: &str) -> &'c [Value] {
    let (_, steps) = chains.iter().find(|(found, _)| found == label).expect("the label of a chain");
    steps.as_array().expect("a list of steps")
}

/// The labels in file order, minus those that were already reached by a `then` or an `else` when their turn comes.
fn top_level(chains: &Chains) -> Vec<String> {
    let mut reached = Vec::new();
    let mut top_level = Vec::new();
    for (label, _) in chains {
        if !reached.contains(label) {
            top_level.push(label.clone());
            reach(chains, label, &mut reached);
        }
    }
    top_level
}

fn reach(chains: &Chains, label: &str, reached: &mut Vec<String>) {
    for step in steps(chains, label) {
        for target in [&step["then"], &step["else"]].into_iter().filter_map(Value::as_str) {
            if !reached.iter().any(|label| label == target) {
                reached.push(target.to_owned());
                reach(chains, target, reached);
            }
        }
        if step["then"].is_string() {
            // Later steps can never run.
            return;
        }
    }
}

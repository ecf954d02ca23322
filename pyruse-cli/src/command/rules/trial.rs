//! Tries rules with the entries that were recorded for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use pyruse_core::access;
use serde_json::{Value, json};

use super::super::text::{cut, printable};
use super::library::Rule;

/// How much of a line is shown.
const SHOWN: usize = 300;

/// The result for one rule.
pub(super) struct Trial {
    pub(super) name: String,
    pub(super) entries: usize,
    pub(super) effects: usize,
    /// What differs first; `None` if nothing does.
    pub(super) difference: Option<String>,
}

impl Trial {
    /// Has the rules process their entries, and compares the effects with the expected ones.
    pub(super) fn of(rule: &Rule) -> anyhow::Result<Trial> {
        let read = |name: &str| {
            let path = rule.directory.join(name);
            fs::read_to_string(&path).map_err(|e| anyhow::Error::msg(access::failure(&path, &e)))
        };
        let (entries, expected) = (read("entries.jsonl")?, read("effects.jsonl")?);
        let found = replayed(&rule.directory);
        let (effects, difference) = match &found {
            Ok(found) => (found.lines().count(), difference(&expected, found)),
            Err(why) => (0, Some(why.clone())),
        };
        Ok(Trial { name: rule.name.clone(), entries: entries.lines().count(), effects, difference })
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "name": self.name,
            "entries": self.entries,
            "effects": self.effects,
            "good": self.difference.is_none(),
            "difference": self.difference,
        })
    }
}

/// The effects of the rules in a directory on the entries beside them; an error is what the program said. It is a process
/// of its own, because the effects were written with times in UTC.
fn replayed(directory: &Path) -> Result<String, String> {
    let run = || {
        let program = std::env::current_exe().context("the path of this program")?;
        Command::new(program)
            .env("TZ", "UTC")
            .arg("--config")
            .arg(directory.join("pyruse.json"))
            .args(["replay", "--json", "--feedback", "--input"])
            .arg(directory.join("entries.jsonl"))
            .output()
            .context("running this program")
    };
    let output = run().map_err(|e| format!("{e:#}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned())
    }
}

/// Describes the first line that differs.
fn difference(expected: &str, found: &str) -> Option<String> {
    let (mut expected, mut found) = (expected.lines(), found.lines());
    let mut number = 0;
    loop {
        number += 1;
        let pair = (expected.next(), found.next());
        let shown = |line: Option<&str>| {
            line.map_or_else(|| "nothing".to_owned(), |line| printable(&cut(line, SHOWN)))
        };
        match pair {
            (None, None) => return None,
            (one, other) if one == other => {}
            (one, other) => {
                return Some(format!("effect {number}: expected {}, found {}", shown(one), shown(other)));
            }
        }
    }
}

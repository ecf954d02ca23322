//! The rules of a jail are compiled and reviewed as `pyruse check` does it, before anything is written.
//!
//! An error means that the jail cannot come over. Some findings are about what the jail is in fail2ban, too, such as an
//! expression in which an attacker can choose the address: they are allowed by a comment at their step, and listed on the
//! page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pyruse_core::config::{ConfigText, Diagnostics};
use pyruse_core::plugin::Registry;
use pyruse_core::review;
use pyruse_core::state::Layout;
use serde_json::{Value, json};

use super::chain::{self, Chain};
use super::ignored::Lists;
use super::rules::Rules;
use crate::command::loaded::load;

/// Findings that fail2ban's rules have as well.
const AS_IN_FAIL2BAN: [&str; 7] = ["P007", "P008", "P009", "P010", "P011", "P012", "P020"];

/// An allowance may uncover further findings.
const ROUNDS: usize = 50;

/// Checks the rules; returns the titles of what was allowed, or the first error.
pub(super) fn check(rules: &mut Rules, lists: &Lists, registry: &Registry) -> Result<Vec<String>, String> {
    let mut allowed: BTreeMap<&'static str, String> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let source = ConfigText::new("rules", text(rules, lists));
        let mut diagnostics = Diagnostics::default();
        let plan =
            load(&source, registry, Layout::default(), &mut diagnostics).map_err(|e| format!("{e:#}"))?;
        let Some(plan) = plan else {
            let first = diagnostics.in_order().first().map(|found| found.message.clone());
            return Err(first.unwrap_or_else(|| "its rules cannot be used".into()));
        };
        review::review(&source, plan.engine(), &mut diagnostics);
        let mut is_changed = false;
        for found in diagnostics.in_order() {
            let (Some(lint), Some(place)) = (found.lint, &found.place) else { continue };
            let step = place.step.and_then(|step| step_of(&mut rules.chains, &place.chain, step));
            if let Some(step) = step
                && AS_IN_FAIL2BAN.contains(&lint.code)
            {
                is_changed |= step.allowed.insert(lint.code.into());
                allowed.entry(lint.code).or_insert_with(|| format!("{}: {}", lint.code, found.message));
            }
        }
        if !is_changed {
            let left = diagnostics.in_order();
            let left = left.iter().map(|found| match found.lint {
                Some(lint) => format!("{}: {}", lint.code, found.message),
                None => found.message.clone(),
            });
            rules.notes.extend(left.map(|finding| format!("`pyruse check` finds {finding}")));
            break;
        }
    }
    Ok(allowed.into_values().collect())
}

fn step_of<'c>(chains: &'c mut [Chain], label: &str, step: usize) -> Option<&'c mut chain::Step> {
    chains.iter_mut().find(|chain| chain.label == label)?.steps.get_mut(step)
}

/// A whole configuration with this jail alone.
fn text(rules: &Rules, lists: &Lists) -> String {
    let object = |members: &[(String, Value)]| Value::Object(members.iter().cloned().collect());
    let mut sources = serde_json::Map::new();
    sources.insert("journal".into(), json!({"source": "source_journal"}));
    if let Some(source) = &rules.source {
        sources.insert(source.name.clone(), source.settings());
    }
    let mut out = format!("{{\n    \"sources\": {},\n", Value::Object(sources));
    if let Some(name) = &rules.list {
        let _ = writeln!(out, "    \"lists\": {},", json!({name: lists.setting(name)}));
    }
    if !rules.programs.is_empty() {
        let _ = writeln!(out, "    \"runBan\": {{\"sets\": {}}},", object(&rules.programs));
    }
    out += "    \"actions\": {\n";
    chain::write(&rules.chains, &mut out);
    out + "    }\n}\n"
}

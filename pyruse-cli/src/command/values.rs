//! The possible values of arguments, for completion: modules, sets, bans, keys, deliveries, codes, fields.
//!
//! If the configuration or the state cannot be read, their values are left out: a shell shows no errors.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use pyruse_core::operation::{Answer, Operation, PartOrigin};
use pyruse_core::plugin::{Fact, Registry};
use pyruse_core::review;

use super::complete::words_of_the_line;
use super::loaded::Loaded;
use super::operate;
use super::rules::library;
use super::target::Target;

/// Creates candidates, each with its description.
fn of(values: impl IntoIterator<Item = (String, String)>) -> Vec<CompletionCandidate> {
    let candidate = |(value, help): (String, String)| {
        let help = help.split_once(". ").map_or(help.as_str(), |(first, _)| first).to_owned();
        CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
    };
    values.into_iter().map(candidate).collect()
}

fn words(words: &'static [&'static str]) -> ArgValueCandidates {
    ArgValueCandidates::new(move || of(words.iter().map(|word| ((*word).to_owned(), String::new()))))
}

/// Candidates for points in time.
pub(super) fn times() -> ArgValueCandidates {
    words(&["today", "yesterday", "1h ago", "1 day ago", "1 week ago"])
}

/// Candidates for the ways in which the time of a line is written.
pub(super) fn ways_of_time() -> ArgValueCandidates {
    words(&["auto", "iso", "syslog", "clf", "ctime", "rfc2822", "epoch", "tai64n", "arrival"])
}

/// Candidates for durations.
pub(super) fn lengths() -> ArgValueCandidates {
    words(&["1h", "1d", "1w", "4w"])
}

/// The names of filters, actions and sources.
pub(super) fn modules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(registry) = Registry::linked() else { return Vec::new() };
        of(registry.plugins().map(|plugin| (plugin.name.to_owned(), plugin.doc.replace('\n', " "))))
    })
}

/// The rules of the library.
pub(super) fn rules() -> ArgValueCandidates {
    ArgValueCandidates::new(|| of(library::names().into_iter().map(|name| (name, String::new()))))
}

/// The modules with a boot step.
pub(super) fn modules_that_boot() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(registry) = Registry::linked() else { return Vec::new() };
        let boots = registry.services().filter(|service| service.boots);
        of(boots.map(|service| (service.name.to_owned(), String::new())))
    })
}

/// The codes of findings.
pub(super) fn codes() -> ArgValueCandidates {
    ArgValueCandidates::new(|| of(review::lints().map(|lint| (lint.code.to_owned(), lint.name.to_owned()))))
}

/// The fields that the linked sources declare.
pub(super) fn fields() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(registry) = Registry::linked() else { return Vec::new() };
        of(registry.field_tables().names().map(|field| (field.to_owned(), String::new())))
    })
}

/// The sets that the configuration names.
pub(super) fn sets() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(loaded) = Loaded::open(config().as_deref()) else { return Vec::new() };
        let sites = loaded.plan.engine().workflow.sites().iter();
        let facts = sites.flat_map(|site| &site.facts);
        let sets: BTreeSet<String> = facts
            .filter_map(|stated| match &stated.fact {
                Fact::Bans(ban) => Some(ban.sets.clone()),
                _ => None,
            })
            .flatten()
            .filter(|set| !set.is_empty())
            .collect();
        of(sets.into_iter().map(|set| (set, String::new())))
    })
}

/// The banned addresses.
pub(super) fn banned() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(Answer::Bans(bans)) = query(&Operation::ListBans) else { return Vec::new() };
        of(bans.into_iter().map(|ban| (ban.net.to_string(), ban.set)))
    })
}

/// The categories of counters.
pub(super) fn categories() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(loaded) = Loaded::open(config().as_deref()) else { return Vec::new() };
        let steps = loaded.config().chains.iter().flat_map(|chain| &chain.steps);
        let counters = steps.filter_map(|step| step.args.as_ref()?.get("counter")?.as_text());
        let counters: BTreeSet<String> = counters.map(str::to_owned).collect();
        of(counters.into_iter().map(|counter| (counter, String::new())))
    })
}

/// The keys of the category before it on the line.
pub(super) fn keys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let line = words_of_the_line();
        let category = line.iter().skip_while(|word| *word != "reset").nth(1).cloned();
        let Some(Answer::Counters(counts)) = query(&Operation::ListCounters { category }) else {
            return Vec::new();
        };
        of(counts.into_iter().map(|count| (count.key, format!("{} in {}", count.count, count.category))))
    })
}

/// The lists that the configuration has.
pub(super) fn lists() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Ok(loaded) = Loaded::open(config().as_deref()) else { return Vec::new() };
        let lists = loaded.config().top("lists").and_then(|lists| lists.members()).unwrap_or_default();
        of(lists.iter().map(|list| (list.key.clone(), String::new())))
    })
}

/// What was added to lists by hand.
pub(super) fn allowed() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(Answer::ListParts(parts)) = query(&Operation::ShowLists { list: None }) else {
            return Vec::new();
        };
        of(parts.into_iter().filter_map(|part| match part.origin {
            PartOrigin::Operator(network) => Some((network.to_string(), part.list)),
            _ => None,
        }))
    })
}

/// The deliveries that wait or were given up.
pub(super) fn deliveries() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let Some(Answer::Deliveries(deliveries)) = query(&Operation::ListOutbox) else { return Vec::new() };
        of(deliveries.into_iter().map(|delivery| (delivery.id, delivery.what)))
    })
}

fn query(operation: &Operation) -> Option<Answer> {
    operate::query(Target::open(config().as_deref()).ok()?, operation).ok()
}

/// The configuration that the line names.
fn config() -> Option<PathBuf> {
    let line = words_of_the_line();
    let mut words = line.iter();
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().map(PathBuf::from);
        }
        if let Some(path) = word.strip_prefix("--config=") {
            return Some(path.into());
        }
    }
    None
}

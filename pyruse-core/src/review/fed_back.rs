//! P027: a step that sends what came from a source to where that source reads.

use std::collections::BTreeSet;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::entry::SOURCE_FIELD;
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, Test};

static LINT: Lint = Lint {
    code: "P027",
    name: "fed-back",
    severity: Severity::Warning,
    what: "What came from a source can reach a step that sends it to where that source reads.",
    why: "each entry makes another one, which makes another one: a loop that never ends, over all machines that read the \
          same stream",
    instead: "Begin the chain with a filter on `_SOURCE`, so that only entries of other sources reach the step. If a \
              source reads other subjects than the step publishes to, name them in `subjects`.",
    examples: Examples::Rules {
        rules: r#"{
    "nats": {"fleet": {"servers": ["tls://nats.example.org:4222"]}},
    "sources": {
        "journal": {"source": "source_journal"},
        "failures": {"source": "source_nats", "args": {"connection": "fleet", "stream": "FAIL", "subjects": ["fail.>"]}}
    },
    "actions": {"failures of this machine": [
        <HERE>,
        {"action": "action_publish", "args": {"to": "fleet", "subject": "fail.{_HOSTNAME}", "fields": ["MESSAGE"]}}
    ]}
}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Failed password"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "journal"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// Returns the exits of this filter by which no entry of the source leaves it.
fn exits_without(review: &Review<'_>, site: usize, source: &str) -> Vec<Exit> {
    let facts = || review.workflow.sites()[site].facts.iter().map(|stated| &stated.fact);
    let mut exits = Vec::new();
    for fact in facts() {
        let Fact::Tests(slot, Test::OneOf { values, .. }) = fact else { continue };
        if review.name(*slot) == SOURCE_FIELD {
            let is_named = values.iter().any(|(value, _)| *value == Literal::Text(source.to_owned()));
            exits.push(if is_named { Exit::Fail } else { Exit::Pass });
        }
    }
    let searches = facts().filter_map(|fact| match fact {
        Fact::Searches(search) if review.name(search.field) == SOURCE_FIELD => Some(&search.pattern),
        _ => None,
    });
    // Any of several expressions lets an entry pass.
    let found: Vec<bool> = searches.map(|pattern| pattern.is_match(source).unwrap_or(true)).collect();
    if !found.is_empty() && !found.contains(&true) {
        exits.push(Exit::Pass);
    }
    exits
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let feeds = || {
        review.facts().filter_map(|(site, fact, span)| match fact {
            Fact::Feeds { source } => Some((site, source.as_str(), span)),
            _ => None,
        })
    };
    let sources: Vec<&str> =
        feeds().map(|(_, source, _)| source).collect::<BTreeSet<_>>().into_iter().collect();
    let tracks: Vec<Track> = sources.iter().map(|source| of_source(review, source)).collect();
    review.flow.spread(&tracks, |n, from_source| {
        for (site, source, span) in feeds().filter(|(_, source, _)| *source == sources[n]) {
            let node = review.flow.nodes_of(site).iter().find(|node| from_source.holds(**node));
            let Some(node) = node else { continue };
            let path = findings.path(review, || from_source.path(*node));
            let message =
                format!("what came from the source `{source}` can be sent back to where it is read");
            findings
                .add(span, review.place(site), message)
                .label("each entry makes another one")
                .notes(path)
                .help(format!("on this path, first put a filter on `_SOURCE` that `{source}` does not pass"));
        }
    });
}

/// Returns where entries of a source may be.
fn of_source(review: &Review<'_>, source: &str) -> Track {
    let mut track = Track { at_start: true, changes: Vec::new() };
    for (site, _) in review.sites().filter(|(site, _)| review.is_filter(*site)) {
        for exit in exits_without(review, site, source) {
            track.changes.extend(review.flow.nodes_of(site).iter().map(|node| (*node, exit, false)));
        }
    }
    track
}

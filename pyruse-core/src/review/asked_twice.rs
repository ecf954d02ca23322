//! P018: a filter that repeats a question which every entry that comes there has been asked before.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, Test};

static LINT: Lint = Lint {
    code: "P018",
    name: "asked-twice",
    severity: Severity::Warning,
    what: "A filter tests something that was already tested for every entry that reaches it.",
    why: "it always passes, or never does: one of its exits is never used, and probably another test was meant",
    instead: "Remove it; or write the test that was meant.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}, "then": "logins"}
    ],
    "rest": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ],
    "logins": [
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "{MESSAGE}"}}
    ]
}}"#,
        bad: r#"{"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sudo"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// A question about a field: the values, and whether the field may be missing.
type Question<'a> = (Slot, Vec<String>, bool);

fn question<'a>(slot: Slot, values: &[(Literal, SourceSpan)], missing: bool) -> Question<'a> {
    let mut values: Vec<String> = values.iter().map(|(value, _)| format!("{value:?}")).collect();
    values.sort();
    values.dedup();
    (slot, values, missing)
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut asked: HashMap<Question<'_>, Vec<(usize, &SourceSpan)>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        if let Fact::Tests(slot, Test::OneOf { values, missing }) = fact {
            asked.entry(question(*slot, values, *missing)).or_default().push((site, span));
        }
    }
    let mut asked: Vec<_> = asked.into_iter().filter(|(_, sites)| sites.len() > 1).collect();
    asked.sort_by_key(|(_, sites)| sites[0].1.start);
    let mut saves: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (site, fact, _) in review.facts() {
        if let Fact::Saves(save) = fact {
            saves.entry(save.field).or_default().push(site);
        }
    }
    // Two tracks for each question: "no filter has answered yes so far", and "no filter has answered no so far".
    let mut tracks = Vec::new();
    for ((slot, ..), sites) in &asked {
        for exit in [Exit::Pass, Exit::Fail] {
            let mut changes = Vec::new();
            let nodes = |sites: &mut dyn Iterator<Item = usize>| {
                sites.flat_map(|site| review.flow.nodes_of(site)).copied().collect::<Vec<_>>()
            };
            let saving = nodes(&mut saves.get(slot).into_iter().flatten().copied());
            changes.extend(saving.into_iter().map(|node| (node, Exit::Pass, true)));
            let asking = nodes(&mut sites.iter().map(|(site, _)| *site));
            changes.extend(asking.into_iter().map(|node| (node, exit, false)));
            tracks.push(Track { at_start: true, changes });
        }
    }
    review.flow.spread(&tracks, |n, unknown| {
        let ((slot, ..), sites) = &asked[n / 2];
        for (site, span) in sites {
            if review.flow.nodes_of(*site).iter().any(|node| unknown.holds(*node)) {
                continue;
            }
            let (name, always) = (review.name(*slot), n % 2 == 0);
            let message = if always {
                format!("this always passes: the same test of `{name}` was made before, and passed")
            } else {
                format!("this never passes: the same test of `{name}` was made before, and did not pass")
            };
            findings
                .add(span, review.place(*site), message)
                .help("remove this filter, or write the test that was meant");
        }
    });
}

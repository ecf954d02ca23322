//! P021: a message that shows a field in a format although the entry may lack the field.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::Test;

static LINT: Lint = Lint {
    code: "P021",
    name: "format-of-missing",
    severity: Severity::Warning,
    what: "A message shows a field in a format (`{MESSAGE:.500}`), and on a path to it no step ensures that the \
           entry has the field.",
    why: "a missing field has no format: the step fails, and its message is lost",
    instead: "Write `!s` before the format: `{MESSAGE!s:.500}` shows the text `None` for a missing field, and the \
              same as before for a text. Formats of numbers and times need the value itself: put a filter on the \
              field before the step.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "unexpected": [
        {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 4}},
        <HERE>
    ]
}}"#,
        bad: r#"{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE:.500}"}}"#,
        good: r#"{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE!s:.500}"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// Returns the field that is certainly there once the step was left by this exit.
fn is_there(fact: &Fact, is_filter: bool) -> Option<(Slot, Exit)> {
    match fact {
        // A filter asked whether the field is missing, and it is not.
        Fact::Tests(slot, Test::OneOf { missing: true, .. }) => Some((*slot, Exit::Fail)),
        Fact::Tests(slot, _) => Some((*slot, Exit::Pass)),
        Fact::Searches(search) => Some((search.field, Exit::Pass)),
        Fact::Saves(save) if save.surely => Some((save.field, Exit::Pass)),
        Fact::Reads(slot) if is_filter => Some((*slot, Exit::Pass)),
        Fact::Bans(ban) => Some((ban.address, Exit::Pass)),
        _ => None,
    }
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut shown: HashMap<Slot, Vec<(usize, &SourceSpan)>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        match fact {
            // Fields of the entry itself, not of the journal, are always there.
            Fact::Formats(slot) if !review.name(*slot).starts_with("__") => {
                shown.entry(*slot).or_default().push((site, span));
            }
            _ => {}
        }
    }
    let mut shown: Vec<_> = shown.into_iter().collect();
    shown.sort_by_key(|(slot, _)| *slot);
    let mut tracks: HashMap<Slot, Track> =
        shown.iter().map(|(slot, _)| (*slot, Track { at_start: true, changes: Vec::new() })).collect();
    for (site, found) in review.sites() {
        let nodes = review.flow.nodes_of(site);
        // A filter that states its test of a field states by that when the field is there.
        let tests = found.facts.iter().any(|s| matches!(s.fact, Fact::Tests(..) | Fact::Searches(_)));
        let silent = review.is_filter(site) && !tests;
        // A counter's key must be there, or the step fails.
        let counts = found.facts.iter().any(|s| matches!(s.fact, Fact::Counts { .. }));
        for stated in &found.facts {
            let Some((slot, exit)) = is_there(&stated.fact, silent || counts) else { continue };
            if let Some(track) = tracks.get_mut(&slot) {
                track.changes.extend(nodes.iter().map(|node| (*node, exit, false)));
            }
        }
    }
    let tracks: Vec<Track> = shown.iter().map(|(slot, _)| tracks.remove(slot).unwrap_or_default()).collect();
    review.flow.spread(&tracks, |n, missing| {
        for (site, span) in &shown[n].1 {
            let open = review.flow.nodes_of(*site).iter().find(|node| missing.holds(**node));
            let Some(node) = open.filter(|_| !findings.is_full()) else { continue };
            let name = review.name(shown[n].0);
            let message = format!("this fails on an entry without `{name}`: a missing field has no format");
            findings
                .add(span, review.place(*site), message)
                .note(review.describe_path(&missing.path(*node)))
                .help(format!("write `{{{name}!s:…}}`, or test `{name}` with a filter before this step"));
        }
    });
}

//! P015: a counter that is raised, but whose count no step ever looks at.

use std::collections::{BTreeMap, HashSet};

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::CounterChange;

static LINT: Lint = Lint {
    code: "P015",
    name: "counter-not-compared",
    severity: Severity::Warning,
    what: "A counter is raised, and no step tests the count.",
    why: "the count has no effect: the threshold is missing",
    instead: "Add `save` to the step that raises it, and a `filter_greaterOrEquals` on that field after it.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "units": [
        {"filter": "filter_equals", "args": {"field": "_PID", "value": 1}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<unit>\\S+\\.service): Failed"}},
        <HERE>,
        {"action": "action_email", "args": {"message": "{unit} fails again and again"}}
    ]
}}"#,
        bad: r#"{"action": "action_counterRaise", "args": {"counter": "units", "for": "unit", "keepSeconds": 3600}}"#,
        good: r#"{"action": "action_counterRaise", "args": {"counter": "units", "for": "unit", "save": "times", "keepSeconds": 3600}},
        {"filter": "filter_greaterOrEquals", "args": {"field": "times", "value": 3}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let read: HashSet<Slot> = review.sites().flat_map(|(_, site)| site.reads()).collect();
    // For each category: where it is raised first, and whether a step looks at its count.
    let mut raised: BTreeMap<&str, (usize, &SourceSpan)> = BTreeMap::new();
    let mut looked_at: HashSet<&str> = HashSet::new();
    for (site, fact, span) in review.facts() {
        let Fact::Counts { category, change, .. } = fact else { continue };
        let (CounterChange::Raises { save, .. }
        | CounterChange::Lowers { save }
        | CounterChange::Reads { save }) = change;
        if save.is_some_and(|save| read.contains(&save)) {
            looked_at.insert(category);
        }
        if matches!(change, CounterChange::Raises { .. }) {
            raised.entry(category).or_insert((site, span));
        }
    }
    for (category, (site, span)) in raised {
        if !looked_at.contains(category) {
            let message = format!("`{category}` is counted, but no step tests the count");
            findings
                .add(span, review.place(site), message)
                .help("add `save`, and compare that field in a `filter_greaterOrEquals` after it");
        }
    }
}

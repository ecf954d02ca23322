//! P014: a counter that is raised for ever, without `keepSeconds` and with no step that resets or lowers it.

use std::collections::HashSet;

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;
use crate::plugin::fact::CounterChange;

static LINT: Lint = Lint {
    code: "P014",
    name: "endless-counter",
    severity: Severity::Warning,
    what: "A counter is raised without `keepSeconds`, and no step resets or lowers it.",
    why: "it counts for ever: in the end every key exceeds every threshold",
    instead: "Add `keepSeconds` to `action_counterRaise`: how long an attempt counts. Or reset the category somewhere.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "units": [
        {"filter": "filter_equals", "args": {"field": "_PID", "value": 1}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<unit>\\S+\\.service): Failed"}},
        <HERE>,
        {"filter": "filter_greaterOrEquals", "args": {"field": "times", "value": 3}},
        {"action": "action_email", "args": {"message": "{unit} fails again and again"}}
    ]
}}"#,
        bad: r#"{"action": "action_counterRaise", "args": {"counter": "units", "for": "unit", "save": "times"}}"#,
        good: r#"{"action": "action_counterRaise", "args": {"counter": "units", "for": "unit", "save": "times", "keepSeconds": 3600}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let counts = || {
        review.facts().filter_map(|(site, fact, span)| match fact {
            Fact::Counts { category, change, .. } => Some((site, category.as_str(), *change, span)),
            _ => None,
        })
    };
    let lowered: HashSet<&str> = counts()
        .filter(|(_, _, change, _)| matches!(change, CounterChange::Lowers { .. }))
        .map(|(_, category, ..)| category)
        .collect();
    for (site, category, change, span) in counts() {
        if matches!(change, CounterChange::Raises { expires: false, .. }) && !lowered.contains(category) {
            let message = format!("`{category}` is counted for ever: nothing expires, resets or lowers it");
            findings
                .add(span, review.place(site), message)
                .help("add `keepSeconds` to this step, e.g. 3600 for an hour");
        }
    }
}

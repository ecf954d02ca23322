//! P019: an expression that is searched before a cheap test that could have avoided the search.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;
use crate::plugin::fact::Test;

static LINT: Lint = Lint {
    code: "P019",
    name: "costly-first",
    severity: Severity::Warning,
    what: "An expression is searched before a cheap test that could have avoided the search.",
    why: "every entry pays for the search, though most would have failed the cheap test",
    instead: "Put the cheap test first: comparisons cost some nanoseconds, expressions some hundreds or more, and \
              the user database even more. This is reported only if the two can be exchanged: they are in the same \
              chain, have the same `else`, and the cheap one does not need what the other saves.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "{user} came in"}}
    ]
}}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Accepted \\S+ for (?P<user>\\S+) from"}},
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Accepted \\S+ for (?P<user>\\S+) from"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// The cost of a filter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Comparison,
    Search,
    Backtracking,
    Machine,
}

fn cost(review: &Review<'_>, site: usize) -> Option<Cost> {
    let facts = review.workflow.sites()[site].facts.iter();
    facts
        .filter_map(|stated| match &stated.fact {
            Fact::Tests(_, Test::Machine) => Some(Cost::Machine),
            Fact::Tests(..) => Some(Cost::Comparison),
            Fact::Searches(search) => {
                Some(if search.pattern.refers_back() { Cost::Backtracking } else { Cost::Search })
            }
            _ => None,
        })
        .max()
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut site = 0;
    for chain in &review.config.chains {
        let first = site;
        site += chain.steps.len();
        // The filters before this one that can change places with it.
        let mut before: Vec<usize> = Vec::new();
        for n in first..site {
            let step = review.steps[n];
            let Some(cost_here) = cost(review, n).filter(|_| review.is_filter(n)) else {
                before.clear();
                continue;
            };
            let otherwise = step.otherwise.as_ref().map(|to| &to.text);
            before.retain(|other| review.steps[*other].otherwise.as_ref().map(|to| &to.text) == otherwise);
            let found = &review.workflow.sites()[n];
            let can_go_before = |other: &usize| {
                // The filters in between move too, so none of them may save a field that is read here.
                before.iter().filter(|between| *between >= other).all(|between| {
                    let saved: Vec<_> = review.workflow.sites()[*between].saves().collect();
                    found.reads().all(|slot| !saved.contains(&slot))
                })
            };
            let costlier = before.iter().find(|other| {
                cost(review, **other) > Some(cost_here)
                    && cost_here == Cost::Comparison
                    && can_go_before(other)
            });
            if let (Some(costlier), Some(stated)) = (costlier, found.facts.first()) {
                let other = &review.workflow.sites()[*costlier];
                let message = format!("this cheap test comes after the expensive one of step {}", other.step);
                findings
                    .add(&stated.span, review.place(n), message)
                    .label("costs almost nothing")
                    .help(format!("put it before step {}", other.step));
            }
            // A `then` in the middle ends the chain.
            if step.then.is_some() {
                break;
            }
            if before.len() < 64 {
                before.push(n);
            }
        }
    }
}

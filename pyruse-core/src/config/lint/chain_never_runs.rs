//! P002: a chain that no entry can reach.

use super::{Examples, Lint, Severity};

/// Reported while the graph is linked.
pub(crate) static LINT: Lint = Lint {
    code: "P002",
    name: "chain-never-runs",
    severity: Severity::Warning,
    what: "A chain that no entry can ever reach.",
    why: "its rules look active, but have no effect",
    instead: "Jump to it with `then` or `else`, let an earlier chain dangle, or remove it. An entry passes beyond a \
              chain only if a filter that does not pass has no `else`, or if the last step is a filter: at an action \
              at the end of a chain, the entry stops.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "everything": [
        <HERE>
    ],
    "nothing": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}"#,
        good: r#"{"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 4}},
        {"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}"#,
    },
};

//! P002: a chain that no entry can reach.

use super::{Examples, Lint, Severity};

/// Reported while the graph is linked.
pub(crate) static LINT: Lint = Lint {
    code: "P002",
    name: "chain-never-runs",
    severity: Severity::Warning,
    what: "A chain that no entry can ever come to.",
    why: "its rules look as if they were in force, and are not",
    instead: "Jump to it with `then` or `else`, let an earlier chain end open, or remove it. An entry gets past a chain only \
              where a filter that does not pass has no `else`, or where the last step is a filter: an action at the end of \
              a chain ends the way.",
    examples: Examples::Rules {
        bad: r#"{"actions": {
    "everything": [
        {"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}
    ],
    "nothing": [{"action": "action_noop"}]
}}"#,
        good: r#"{"actions": {
    "everything": [
        {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 4}},
        {"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}
    ],
    "nothing": [{"action": "action_noop"}]
}}"#,
    },
};

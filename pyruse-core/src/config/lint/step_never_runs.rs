//! P003: a step after one with `then`.

use super::{Examples, Lint, Severity};

/// Reported while the graph is linked.
pub(crate) static LINT: Lint = Lint {
    code: "P003",
    name: "step-never-runs",
    severity: Severity::Warning,
    what: "A step after one with `then`.",
    why: "a `then` ends its chain: steps after it are never run",
    instead: "Put the step before the one with `then`, or move it to the chain that the `then` jumps to.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "all": [
        <HERE>
    ],
    "end": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}, "then": "end"},
        {"action": "action_email", "args": {"message": "{MESSAGE}"}}"#,
        good: r#"{"action": "action_email", "args": {"message": "{MESSAGE}"}},
        {"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}, "then": "end"}"#,
    },
};

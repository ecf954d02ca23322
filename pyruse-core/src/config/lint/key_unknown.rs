//! P001: a top-level key that nothing in this program reads.

use super::{Examples, Lint, Severity};

/// Reported while the configuration is read.
pub(crate) static LINT: Lint = Lint {
    code: "P001",
    name: "unknown-key",
    severity: Severity::Warning,
    what: "A top-level key that nothing in this program reads.",
    why: "its content has no effect, though probably it was meant to have one",
    instead: "Correct the name of the key, or remove it. There are the core's own keys, and one for each linked \
              module that has settings.",
    examples: Examples::Rules {
        rules: r#"{
    "actions": {"all": [{"action": "action_noop"}]},
    <HERE>
}"#,
        bad: r#""storrage": "/var/lib/pyruse""#,
        good: r#""storage": "/var/lib/pyruse""#,
    },
};

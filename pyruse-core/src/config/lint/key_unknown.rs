//! P001: a top-level key that nothing in this program reads.

use super::{Examples, Lint, Severity};

/// Reported while the configuration is read.
pub(crate) static LINT: Lint = Lint {
    code: "P001",
    name: "unknown-key",
    severity: Severity::Warning,
    what: "A top-level key that nothing in this program reads.",
    why: "what stands there has no effect, and probably was to have one",
    instead: "Write the key as it is called, or remove it. Keys are the core's own, and one for each linked module that has \
              settings.",
    examples: Examples::Rules {
        bad: r#"{
    "actions": {"all": [{"action": "action_noop"}]},
    "storrage": "/var/lib/pyruse"
}"#,
        good: r#"{
    "actions": {"all": [{"action": "action_noop"}]},
    "storage": "/var/lib/pyruse"
}"#,
    },
};

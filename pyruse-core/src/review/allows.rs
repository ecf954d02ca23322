//! P004: an `allow` comment that allows nothing, has an unknown code, or gives no reason.

use super::check::LintPlugin;
use crate::config::{Examples, Lint, Severity};

/// Reported when the comments are applied; see [`super::allow`].
pub(super) static LINT: Lint = Lint {
    code: "P004",
    name: "useless-allow",
    severity: Severity::Warning,
    what: "A comment that allows what is not found there, or a code that there is not; or that does not say why.",
    why: "it would hide a mistake that somebody makes here tomorrow",
    instead: "Write `// allow P007: the reason` on a line of the step, or right above it; several codes are separated by \
              commas. Remove it when the finding is gone.",
    examples: Examples::Rules {
        bad: r#"{"actions": {
    "all": [
        // allow P008: left over from an older version
        {"action": "action_noop"}
    ]
}}"#,
        good: r#"{"actions": {
    "all": [
        {"action": "action_noop"}
    ]
}}"#,
    },
};

inventory::submit!(LintPlugin::reported_elsewhere(&LINT));

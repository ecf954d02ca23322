//! P004: an `allow` comment that allows nothing, has an unknown code, or gives no reason.

use super::check::LintPlugin;
use crate::config::{Examples, Lint, Severity};

/// Reported when the comments are applied; see [`super::allow`].
pub(super) static LINT: Lint = Lint {
    code: "P004",
    name: "useless-allow",
    severity: Severity::Warning,
    what: "A comment allows a finding that does not exist, or an unknown code; or it gives no reason.",
    why: "it would hide a problem that is added here later",
    instead: "Write `// allow P007: the reason` on a line of the step, or directly above it; separate several codes \
              by commas. Remove it when the finding is gone.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "all": [
        <HERE>
    ]
}}"#,
        bad: r#"// allow P008: left over from an older version
        {"action": "action_noop"}"#,
        good: r#"{"action": "action_noop"}"#,
    },
};

inventory::submit!(LintPlugin::reported_elsewhere(&LINT));

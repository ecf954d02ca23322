//! P024: a list that no step uses.

use std::collections::BTreeSet;

use pyruse_core::config::{Examples, Lint, Severity};
use pyruse_core::plugin::Fact;
use pyruse_core::review::{Findings, LintPlugin, Review};

use super::settings::KEY;

static LINT: Lint = Lint {
    code: "P024",
    name: "unused-list",
    severity: Severity::Warning,
    what: "A list of `lists` that no step uses. Not reported if `include` has a wildcard: then a file of rules that uses the list may come later.",
    why: "a person who adds an address to it, by hand or in a file, believes that it has an effect",
    instead: "Use it in a `filter_inList` or in the `nets` of a `filter_inNetworks`, or remove it.",
    examples: Examples::Rules {
        rules: r#"{
    "lists": {"friends": {"nets": ["192.0.2.0/24"]}},
    "actions": {"strangers only": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "from (?P<thatIP>\\S+)$"}},
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": [<HERE>]}, "else": "strangers"},
        {"action": "action_noop"}
    ],
    "strangers": [
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "{MESSAGE}"}}
    ]}
}"#,
        bad: r#""192.0.2.0/24""#,
        good: r#""friends""#,
    },
};

pyruse_core::inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    if review.may_include_more() {
        return;
    }
    let used: BTreeSet<&str> = review
        .facts()
        .filter_map(|(_, fact, _)| match fact {
            Fact::Uses { key: KEY, name } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    for (name, span) in review.members(KEY) {
        if !used.contains(name) {
            findings
                .add_to_setting(span, format!("no step uses the list `{name}`"))
                .help("use it in a `filter_inList`, or remove it");
        }
    }
}

//! P022: a comparison of `_SOURCE` with a name that no source has.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::entry::SOURCE_FIELD;
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, Test};

static LINT: Lint = Lint {
    code: "P022",
    name: "unknown-source",
    severity: Severity::Warning,
    what: "A comparison of `_SOURCE` with a name that no source has.",
    why: "no entry comes from that source, so the comparison is never true",
    instead: "Write the name as in `sources`. Without `sources`, there is one source, named `journal`.",
    examples: Examples::Rules {
        rules: r#"{
    "sources": {"web": {"source": "source_journal", "args": {"namespace": "web"}}},
    "actions": {"web only": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "{MESSAGE}"}}
    ]}
}"#,
        bad: r#"{"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "Web"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "web"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let names: Vec<&str> = review.tables().sources().collect();
    // A program that embeds the engine may have sources that no configuration names.
    if names.is_empty() {
        return;
    }
    for (site, fact, _) in review.facts() {
        let Fact::Tests(slot, Test::OneOf { values, .. }) = fact else { continue };
        if review.name(*slot) != SOURCE_FIELD {
            continue;
        }
        for (value, span) in values {
            let Literal::Text(value) = value else { continue };
            if !names.contains(&value.as_str()) {
                let message = format!("there is no source `{value}`");
                let listed = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                findings
                    .add(span, review.place(site), message)
                    .label("no entry comes from there")
                    .help(format!("the sources are: {listed}"));
            }
        }
    }
}

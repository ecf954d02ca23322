//! P017: a step that saves into a field whose name begins with `_`.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P017",
    name: "trusted-field-overwritten",
    severity: Severity::Warning,
    what: "A step saves into a field whose name begins with `_`.",
    why: "journald vouches for such fields; after this step, the value comes from a message",
    instead: "Save under your own name, best in small letters, which no journal field has.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "su": [
        <HERE>
    ]
}}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^session opened for user \\w+ by \\w+\\(uid=(?P<_UID>\\d+)\\)"}},
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "su by {_UID}"}}"#,
        good: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^session opened for user \\w+ by \\w+\\(uid=(?P<uid>\\d+)\\)"}},
        {"action": "action_dailyReport", "args": {"level": "INFO", "message": "su by {uid}"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        let Fact::Saves(save) = fact else { continue };
        let name = review.name(save.field);
        if review.tables().is_trusted(name) {
            let message = format!("`{name}` is a trusted field of journald, and is overwritten here");
            let own = name.trim_start_matches('_').to_lowercase();
            let own = if own.is_empty() { "mine".to_owned() } else { own };
            findings
                .add(span, review.place(site), message)
                .help(format!("save under another name, e.g. `{own}`"));
        }
    }
}

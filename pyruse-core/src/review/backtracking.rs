//! P020: an expression that refers to what its own groups matched.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P020",
    name: "backtracking-expression",
    severity: Severity::Note,
    what: "An expression refers to the content of its own groups.",
    why: "the time of such a search has no fixed bound, so one with many ways to match is stopped after some \
          milliseconds; a line that an attacker made for this is then not matched",
    instead: "Instead of a back-reference or a condition, list the cases (`'[^']*'|\"[^\"]*\"`). If that is not \
              possible, begin the expression with `^`, and let the parts before the reference match as little as \
              possible; then allow the finding. All other expressions, even with look-around, are searched in time \
              that grows only with the text. Of these, only one that repeats something up to dozens of times, such as \
              `\\w{1,60}`, may be stopped in a line of many KiB: write `\\w+` instead.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "web": [
        <HERE>,
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ]
}}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^user (['\"]).*?\\1 failed"}}"#,
        good: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^user (?:'[^']*'|\"[^\"]*\") failed"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        let Fact::Searches(search) = fact else { continue };
        if !search.pattern.refers_back() {
            continue;
        }
        let at = search.pattern.last_condition();
        let what = if at.is_some() { "a condition on a group" } else { "it refers back to a group" };
        let span = at.map_or(span.clone(), |at| review.within(span, search.pattern.source(), at));
        findings
            .add(&span, review.place(site), "a search for this expression may be stopped before it ends")
            .label(what)
            .help("list the cases instead, or allow this finding");
    }
}

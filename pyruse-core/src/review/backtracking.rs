//! P020: an expression for which a search may be stopped: one that refers to what its own groups matched, or one that
//! repeats a choice or a sequence many times.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::entry::FIELD_LIMIT;
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P020",
    name: "backtracking-expression",
    severity: Severity::Note,
    what: "A search for an expression may be stopped before it ends.",
    why: "a search with too many ways to match is stopped after some milliseconds; a line that an attacker made for \
          this is then not matched",
    instead: "Instead of a back-reference or a condition, list the cases (`'[^']*'|\"[^\"]*\"`). If that is not \
              possible, begin the expression with `^`, and let the parts before the reference match as little as \
              possible; then allow the finding. All other expressions, even with look-around, are searched in time \
              that grows only with the text. Of these, only one that repeats a group up to dozens of times, such as \
              `(?:\\w+\\s?){1,60}`, may be stopped in a long line. `check` tries that, and reports the length. Write \
              `+` instead of `{1,60}`, or begin the expression with `^`.",
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
            let length = search.pattern.searched_length();
            if length < FIELD_LIMIT {
                let message = format!(
                    "a search for this expression may be stopped in a text of more than {}",
                    amount(length)
                );
                findings
                    .add(span, review.place(site), message)
                    .label("it repeats a group many times")
                    .help("write `+` instead of a number, or begin the expression with `^`");
            }
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

fn amount(bytes: usize) -> String {
    match bytes >> 10 {
        0 => format!("{bytes} bytes"),
        kib => format!("{kib} KiB"),
    }
}

//! `P020`

use super::{Examples, Findings, Lint, Review};
use crate::config::Severity;
use crate::pattern;
use crate::plugin::Fact;

pub(super) static LINT: Lint = Lint {
    code: "P020",
    name: "backtracking-expression",
    severity: Severity::Note,
    what: "An expression needs the engine that backtracks.",
    why: "it does not search texts over 8 KiB and gives up after a number of steps, so a long enough line gets past it",
    instead: "Possessive quantifiers and atomic groups can simply be left out: the other engine never takes longer than the text is \
              long. Instead of a look-ahead, ask in two filters, one of them with an `else`; instead of a back-reference, \
              list the cases (`'[^']*'|\"[^\"]*\"`). Where that is no way, allow it.",
    examples: Examples::Rules {
        bad: r#"{"actions": {
    "web": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^\\S++ - - \"GET [^\"]*+\" 500 "}},
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ]
}}"#,
        good: r#"{"actions": {
    "web": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^\\S+ - - \"GET [^\"]*\" 500 "}},
        {"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}
    ]
}}"#,
    },
    check: Some(check),
};

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        let Fact::Searches(search) = fact else { continue };
        if !search.backtracks {
            continue;
        }
        let (what, help, at) = pattern::backtracks_for(&search.expression);
        let span = at.map_or(span.clone(), |at| review.within(span, &search.expression, at));
        findings
            .add(&span, review.place(site), "this expression needs the engine that backtracks")
            .label(what)
            .help(help);
    }
}

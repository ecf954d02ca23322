//! P008: a mail, a request or a program that believes the name which an entry gives itself, without asking who really wrote the entry.

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::entry::Origin;
use crate::plugin::Fact;
use crate::plugin::fact::Test;

static LINT: Lint = Lint {
    code: "P008",
    name: "forgeable-mail",
    severity: Severity::Note,
    what: "A mail, a request or a program trusts the name that an entry gives itself: on a path to it, SYSLOG_IDENTIFIER (or a similar \
           field) is tested, but not who really wrote the entry.",
    why: "any user of this machine can write an entry with that name, and so trigger it",
    instead: "Also test a field that journald itself sets: `_SYSTEMD_UNIT`, `_UID` or `_EXE`. (Here, `_COMM` \
              is enough: it excludes simple forgeries.) A mail for which no name is tested, such as one about \
              everything with PRIORITY 2, is not reported.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "disks": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "smartd"}},
        <HERE>
    ]
}}"#,
        bad: r#"{"action": "action_email", "args": {"subject": "a disk is failing", "message": "{MESSAGE}"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "_UID", "value": 0}},
        {"action": "action_email", "args": {"subject": "a disk is failing", "message": "{MESSAGE}"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mails: Vec<_> =
        review.facts().filter(|(_, fact, _)| matches!(fact, Fact::Mails | Fact::Sends)).collect();
    if mails.is_empty() {
        return;
    }
    // A configuration that asks has considered forged lines, whatever the answer: a mail about them may be intended.
    let mut asked = Vec::new();
    let mut claims = Vec::new();
    for (site, found) in review.sites().filter(|(site, _)| review.is_filter(*site)) {
        let nodes = review.flow.nodes_of(site);
        if found.reads().any(|slot| review.tables().origin(review.name(slot)) >= Origin::Evidence) {
            asked.extend(
                nodes.iter().flat_map(|node| [(*node, Exit::Pass, false), (*node, Exit::Fail, false)]),
            );
        } else if found.facts.iter().any(|stated| believes(review, &stated.fact)) {
            claims.extend(nodes);
        }
    }
    let unasked = Track { at_start: true, changes: asked.clone() };
    // Only a name that is believed while nothing has asked is believed without reason.
    let mut believed = Track { at_start: false, changes: asked };
    review.flow.spread(&[unasked], |_, unasked| {
        let claims = claims.iter().filter(|node| unasked.holds(**node));
        believed.changes.extend(claims.map(|node| (*node, Exit::Pass, true)));
    });
    review.flow.spread(&[believed], |_, believed| {
        for (site, fact, _) in &mails {
            let open = review.flow.nodes_of(*site).iter().find(|node| believed.holds(**node));
            let Some(node) = open else { continue };
            let what = if matches!(fact, Fact::Mails) { "mail" } else { "step" };
            let path = findings.path(review, || believed.path(*node));
            let module = review.steps[*site].module.as_ref();
            let span = module.map_or(&review.steps[*site].node.span, |(_, name)| &name.span);
            findings
                .add(
                    span,
                    review.place(*site),
                    format!("this {what} trusts the name that an entry gives itself"),
                )
                .notes(path)
                .help("also test a field that only journald sets: `_SYSTEMD_UNIT`, `_UID` or `_EXE`");
        }
    });
}

/// Returns `true` if the filter passes on the word of the entry's writer alone.
fn believes(review: &Review<'_>, fact: &Fact) -> bool {
    let is_claim = |slot| review.tables().origin(review.name(slot)) == Origin::Claim;
    match fact {
        Fact::Tests(slot, Test::OneOf { values, .. }) => !values.is_empty() && is_claim(*slot),
        Fact::Searches(search) => is_claim(search.field),
        _ => false,
    }
}

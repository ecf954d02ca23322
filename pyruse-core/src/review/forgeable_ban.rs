//! P007: a ban that an entry can reach although no filter asked who wrote the entry.

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, Test};

static LINT: Lint = Lint {
    code: "P007",
    name: "forgeable-ban",
    severity: Severity::Warning,
    what: "A ban can be reached on a path on which no filter has tested who wrote the entry.",
    why: "any user of this machine can write such an entry (with `logger`), and so ban any address: yours, or the \
          gateway's",
    instead: "Test a field that journald itself sets, before anything else: `_SYSTEMD_UNIT` is `ssh.service`, or \
              `_UID` is 0, or `_EXE` is the program. Fields without a leading `_` (SYSLOG_IDENTIFIER, PRIORITY, \
              MESSAGE, …) are set by the writer. `_COMM` and `_CMDLINE` are no proof, because any user can name a \
              program `sshd`; nor is `_SYSTEMD_USER_UNIT`, because every user has units; nor is `_TRANSPORT`, unless \
              it is `kernel`, `audit` or `driver`. An expression for a path must begin with `^` and the first part \
              of the path. A filter that does not pass proves nothing, and neither does one that a missing field \
              passes.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        <HERE>,
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}}"#,
        good: r#"{"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// Returns the exits of this filter by which it is known who wrote the entry; none if the filter does not ask.
pub(super) fn proofs(review: &Review<'_>, site: usize) -> &'static [Exit] {
    let (facts, tables) = (&review.workflow.sites()[site].facts, review.tables());
    let (mut asks, mut found) = (false, false);
    for stated in facts {
        let (slot, exits): (_, &[Exit]) = match &stated.fact {
            // A program that exits before journald looks at it has neither unit nor executable.
            Fact::Tests(_, Test::OneOf { missing: true, .. }) => return &[],
            Fact::Tests(slot, Test::OneOf { values, .. }) => {
                let name = review.name(*slot);
                let proves = |(value, _): &(Literal, _)| match value {
                    Literal::Text(text) => tables.proves(name, text),
                    Literal::Number(number) => tables.proves(name, &number.to_string()),
                };
                if tables.is_identity(name) && !values.iter().all(proves) {
                    return &[];
                }
                (slot, &[Exit::Pass])
            }
            Fact::Searches(search) => {
                if !tables.is_identity(review.name(search.field)) {
                    continue;
                }
                // Any of several expressions lets an entry pass: each one must be a proof.
                if !tables.proves_match(review.name(search.field), &search.pattern) {
                    return &[];
                }
                found = true;
                continue;
            }
            Fact::Tests(slot, Test::Bound(..) | Test::Networks { .. } | Test::Machine) => {
                (slot, &[Exit::Pass, Exit::Fail])
            }
            Fact::Reads(slot) => {
                asks |= tables.is_identity(review.name(*slot));
                continue;
            }
            _ => continue,
        };
        if tables.is_identity(review.name(*slot)) {
            return if exits.len() == 1 { &[Exit::Pass] } else { &[Exit::Pass, Exit::Fail] };
        }
    }
    if found {
        return &[Exit::Pass];
    }
    // A filter that states only what it reads is trusted to know why.
    if asks { &[Exit::Pass, Exit::Fail] } else { &[] }
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let bans: Vec<_> = review.facts().filter(|(_, fact, _)| matches!(fact, Fact::Bans(_))).collect();
    if bans.is_empty() {
        return;
    }
    let mut unproven = Track { at_start: true, changes: Vec::new() };
    for (site, _) in review.sites().filter(|(site, _)| review.is_filter(*site)) {
        for exit in proofs(review, site) {
            unproven.changes.extend(review.flow.nodes_of(site).iter().map(|node| (*node, *exit, false)));
        }
    }
    review.flow.spread(&[unproven], |_, unproven| {
        for (site, _, span) in &bans {
            let open = review.flow.nodes_of(*site).iter().find(|node| unproven.holds(**node));
            let Some(node) = open else { continue };
            let path = findings.path(review, || unproven.path(*node));
            let message = "this ban can be forged: on a path to it, no step tests who wrote the entry";
            findings
                .add(span, review.place(*site), message)
                .label("the writer of the entry chooses the address")
                .notes(path)
                .help(
                    "on this path, first put a filter on a field that only journald sets, e.g. `_SYSTEMD_UNIT`, \
                     `_UID` or `_EXE`",
                );
        }
    });
}

//! P012: a ban that never ends.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P012",
    name: "ban-for-ever",
    severity: Severity::Note,
    what: "A ban that never ends.",
    why: "addresses change their owner: in a year the ban affects somebody else, and the set grows for ever",
    instead: "Add `banSeconds`: a day (86400), or some months (7776000) for repeat offenders. If you want a ban \
              without end, allow the finding.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        <HERE>,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"action": "action_nftBan", "args": {"IP": "thatIP""#,
        good: r#"{"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 86400"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        if matches!(fact, Fact::Bans(ban) if !ban.ends) {
            findings
                .add(span, review.place(site), "this ban never ends")
                .help("add `banSeconds`, e.g. 86400 for a day");
        }
    }
}

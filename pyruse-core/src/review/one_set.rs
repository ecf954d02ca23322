//! P013: a ban that names the same set for IPv4 and for IPv6.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P013",
    name: "one-set-for-both",
    severity: Severity::Warning,
    what: "A ban names the same set for IPv4 and for IPv6.",
    why: "a set contains addresses of one family: every ban of the other family fails",
    instead: "Create two sets, and name both.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        {"action": "action_ipsetBan", "args": {"IP": "thatIP", "banSeconds": 600,
            <HERE>
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#""ipSetIPv4": "ssh_ban", "ipSetIPv6": "ssh_ban"}}"#,
        good: r#""ipSetIPv4": "ssh_ban4", "ipSetIPv6": "ssh_ban6"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, _) in review.facts() {
        let Fact::Bans(ban) = fact else { continue };
        let [v4, v6] = &ban.sets;
        if v4 == v6 {
            let step = review.steps[site];
            let node = step.args.as_ref().unwrap_or(&step.node);
            let mut named =
                node.members().into_iter().flatten().filter(|member| member.value.as_text() == Some(v6));
            let (Some(last), Some(_)) = (named.next_back(), named.next()) else {
                // One argument is for both: such a set holds both.
                continue;
            };
            let span = &last.value.span;
            let message = format!("`{v4}` is named for both IPv4 and IPv6");
            findings
                .add(span, review.place(site), message)
                .label("the same as for IPv4")
                .help("name two sets, one for each family");
        }
    }
}

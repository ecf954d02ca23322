//! P025: a ban of networks with very many addresses.

use super::check::LintPlugin;
use super::findings::Findings;
use super::subject::Review;
use crate::config::{Examples, Lint, Severity};
use crate::plugin::Fact;

static LINT: Lint = Lint {
    code: "P025",
    name: "wide-networks",
    severity: Severity::Warning,
    what: "A ban of networks with a prefix of less than 16 bits for IPv4, or less than 32 bits for IPv6.",
    why: "one bad address then bans a whole provider or country, perhaps your own",
    instead: "Ban what one customer usually has: 24 to 32 bits for IPv4, 48 to 64 bits for IPv6.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600, <HERE>,
            "nftSetIPv4": "inet mine ssh_ban4", "nftSetIPv6": "inet mine ssh_nets6"}}
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#""prefix6": 24"#,
        good: r#""prefix6": 64"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// The shortest prefix that is no finding.
const LEAST: [(&str, u8); 2] = [("prefix4", 16), ("prefix6", 32)];

fn check(review: &Review<'_>, findings: &mut Findings) {
    for (site, fact, span) in review.facts() {
        let Fact::Bans(ban) = fact else { continue };
        for ((argument, least), bits) in LEAST.into_iter().zip([ban.prefixes.v4, ban.prefixes.v6]) {
            if bits >= least {
                continue;
            }
            let step = review.steps[site];
            let value = step.args.as_ref().and_then(|args| args.get(argument));
            let message = format!("each ban is of a network with a prefix of only {bits} bits");
            findings
                .add(value.map_or(span, |value| &value.span), review.place(site), message)
                .label("very many addresses")
                .help("ban what one customer has: 24 to 32 bits for IPv4, 48 to 64 for IPv6");
        }
    }
}

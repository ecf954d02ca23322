//! P010: an allow-list before a ban that holds the whole of IPv4, or of IPv6.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::Test;

static LINT: Lint = Lint {
    code: "P010",
    name: "allow-list-of-all",
    severity: Severity::Warning,
    what: "The allow-list before a ban contains all IPv4 addresses, or all IPv6 addresses.",
    why: "no such address is ever banned: `10.0.0.0/0` means every address, whatever is before the `/`",
    instead: "Write the prefix length of your networks: `10.0.0.0/8`, `192.168.0.0/16`, `2001:db8::/32`.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        <HERE>
    ],
    "ban": [
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/0"]}, "then": "ours", "else": "ban"}"#,
        good: r#"{"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

fn check(review: &Review<'_>, findings: &mut Findings) {
    let lists: Vec<(usize, Slot, &SourceSpan)> = review
        .facts()
        .filter_map(|(site, fact, _)| match fact {
            Fact::Tests(slot, Test::Networks { everything: Some(span) }) => Some((site, *slot, span)),
            _ => None,
        })
        .take(super::findings::MOST)
        .collect();
    if lists.is_empty() {
        return;
    }
    let mut bans: HashMap<Slot, Vec<usize>> = HashMap::new();
    let mut saves: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (site, fact, _) in review.facts() {
        match fact {
            Fact::Bans(ban) => bans.entry(ban.address).or_default().push(site),
            Fact::Saves(save) => saves.entry(save.field).or_default().push(site),
            _ => {}
        }
    }
    // The track: "the address is not in this list", until the field gets another address.
    let at = |sites: &[usize], exit, holds| {
        let nodes = sites.iter().flat_map(|site| review.flow.nodes_of(*site));
        nodes.map(|node| (*node, exit, holds)).collect::<Vec<_>>()
    };
    let tracks: Vec<Track> = lists
        .iter()
        .map(|(site, slot, _)| {
            let mut changes = saves.get(slot).map_or(Vec::new(), |sites| at(sites, Exit::Pass, false));
            changes.extend(at(&[*site], Exit::Fail, true));
            Track { at_start: false, changes }
        })
        .collect();
    review.flow.spread(&tracks, |n, outside| {
        let (site, slot, span) = lists[n];
        let bans = bans.get(&slot).into_iter().flatten();
        if bans.flat_map(|site| review.flow.nodes_of(*site)).any(|node| outside.holds(*node)) {
            findings
                .add(
                    span,
                    review.place(site),
                    "this allow-list contains every address: the ban after it never happens",
                )
                .label("no bits are compared")
                .help("write the prefix length of your network, e.g. `10.0.0.0/8`");
        }
    });
}

//! P009: a ban that an entry can reach although its address was not checked against an allow-list.

use std::collections::HashMap;

use super::check::LintPlugin;
use super::copied::Copies;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::Test;

static LINT: Lint = Lint {
    code: "P009",
    name: "no-allow-list",
    severity: Severity::Warning,
    what: "A ban can be reached on a path on which its address was not compared with an allow-list.",
    why: "after one mistyped password too many, you have banned yourself, your monitoring, or your gateway",
    instead: "Put a `filter_inNetworks` with your own networks (and `127.0.0.0/8`, `::1`) before the ban, and ban by \
              its `else`. It must test the field that is banned, after the last step that saves into it: if \
              `action_dnatReplace` later saves another address there, that address was not tested. For addresses that \
              a step takes from the state (`saveValues` of a counter, `action_recall`, `action_dnatReplace`), test \
              them before they are counted, remembered or captured.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Invalid user .* from (?P<thatIP>\\S+) port \\d+$"}},
        <HERE>
}}"#,
        bad: r#"{"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ]"#,
        good: r#"{"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ],
    "ours": [{"action": "action_noop"}]"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// Returns the exits of a filter on this field after which the address counts as checked, and may be banned.
fn listed(fact: &Fact, field: Slot) -> &'static [Exit] {
    match fact {
        Fact::Tests(slot, Test::Networks { everything: None }) if *slot == field => &[Exit::Pass, Exit::Fail],
        Fact::Tests(slot, Test::Networks { .. } | Test::OneOf { .. }) if *slot == field => &[Exit::Fail],
        Fact::Searches(search) if search.field == field => &[Exit::Fail],
        Fact::Tests(slot, _) if *slot == field => &[Exit::Pass, Exit::Fail],
        _ => &[],
    }
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut bans: HashMap<Slot, Vec<(usize, &SourceSpan)>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        if let Fact::Bans(ban) = fact {
            bans.entry(ban.address).or_default().push((site, span));
        }
    }
    let mut fields: Vec<Slot> = bans.keys().copied().collect();
    fields.sort_unstable();
    let copies = Copies::of(review);
    copies.add_originals(&mut fields);
    let tracks = tracks(review, &fields, &copies);
    copies.spread(review, &fields, tracks, |n, unlisted, known| {
        let field = fields[n];
        let name = review.name(field);
        for (site, span) in bans.get(&field).into_iter().flatten() {
            let open = review.flow.nodes_of(*site).iter().find(|node| unlisted.holds(**node));
            let Some(node) = open else { continue };
            let path = findings.path(review, || unlisted.path(*node));
            let message = format!("this may ban any address: on a path to it, `{name}` is not compared with an \
                                   allow-list");
            let found = findings.add(span, review.place(*site), message).notes(path);
            let Some((copy, origin, original)) = copies.cause(review, known, field) else {
                found.help(format!(
                    "put a `filter_inNetworks` on `{name}` with your own networks before it, and ban by its `else`"
                ));
                continue;
            };
            let (original, copy, origin) = (review.name(original), review.step(copy), review.step(origin));
            found.note(format!("{copy} sets `{name}` to values that `{original}` has in {origin}"));
            found.help(format!(
                "put a `filter_inNetworks` on `{original}` with your own networks before {origin}, and go there by \
                 its `else`"
            ));
        }
    });
}

/// For each field: that its address was not compared with an allow-list. What copies do is not in it.
fn tracks(review: &Review<'_>, fields: &[Slot], copies: &Copies<'_>) -> Vec<Track> {
    // A field that no source has is first set by a step.
    let at_start = |slot: &Slot| review.tables().may_hold(review.name(*slot));
    let mut tracks: HashMap<Slot, Track> =
        fields.iter().map(|slot| (*slot, Track { at_start: at_start(slot), changes: Vec::new() })).collect();
    for (site, found) in review.sites() {
        let nodes = review.flow.nodes_of(site);
        // A filter that states only what it reads is a filter of your own; it is trusted to be an allow-list.
        let silent = review.is_filter(site)
            && !found.facts.iter().any(|s| matches!(s.fact, Fact::Tests(..) | Fact::Searches(_)));
        for fact in found.facts.iter().map(|stated| &stated.fact) {
            let (slot, exits, holds): (_, &[Exit], _) = match fact {
                Fact::Saves(save) if !copies.has(site, save.field) => (save.field, &[Exit::Pass], true),
                Fact::Reads(slot) if silent => (*slot, &[Exit::Pass, Exit::Fail], false),
                Fact::Tests(slot, _) => (*slot, listed(fact, *slot), false),
                Fact::Searches(search) => (search.field, listed(fact, search.field), false),
                _ => continue,
            };
            let Some(track) = tracks.get_mut(&slot) else { continue };
            for exit in exits {
                track.changes.extend(nodes.iter().map(|node| (*node, *exit, holds)));
            }
        }
    }
    fields.iter().map(|slot| tracks.remove(slot).unwrap_or_default()).collect()
}

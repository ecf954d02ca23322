//! P011: an expression that takes the address to ban from a place that text within the message can move.

use std::collections::{HashMap, HashSet};

use super::check::LintPlugin;
use super::findings::Findings;
use super::flow::{Exit, Track};
use super::subject::Review;
use crate::config::{Examples, Lint, Severity, SourceSpan};
use crate::entry::Slot;
use crate::pattern::{Injection, Target};
use crate::plugin::Fact;
use crate::plugin::fact::{Literal, SavedAs, Search, Test};

static LINT: Lint = Lint {
    code: "P011",
    name: "address-chosen-by-text",
    severity: Severity::Warning,
    what: "An expression finds the address to ban at a place that text within the message can move.",
    why: "somebody who sends a name like `x from 192.0.2.1 port 1` has 192.0.2.1 banned instead of their own address",
    instead: "Fix the place in the expression from one side. From the left: begin with `^` and with text that the \
              program itself writes. No part before the address may match all the characters of the text between \
              that part and the address (`[^>]*` before `>, rip=` cannot, `.*` can). With this you state that the \
              program writes no such character there: if a user name may contain a space, `\\S+` does not help. From \
              the right: end with `$`, and let no part after the address match all the characters of the text \
              directly before the address. Messages of the kernel (`_TRANSPORT` is `kernel`) contain no text from \
              attackers, and are not reported. Nor are the prefixes of Apache httpd (`[client ADDRESS:PORT]`) and \
              BIND (`client … ADDRESS#PORT`), which come before all text from the client, if the expression takes \
              the first such place.",
    examples: Examples::Rules {
        rules: r#"{"actions": {
    "ssh": [
        {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "ssh.service"}},
        <HERE>,
        {"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["10.0.0.0/8"]}, "then": "ours", "else": "ban"}
    ],
    "ban": [
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 600,
            "nftSetIPv4": "ip filter ssh_ban", "nftSetIPv6": "ip6 filter ssh_ban"}}
    ],
    "ours": [{"action": "action_noop"}]
}}"#,
        bad: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "Failed .* from (?P<thatIP>\\S+)"}}"#,
        good: r#"{"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Failed .* from (?P<thatIP>\\S+) port \\d+ ssh2$"}}"#,
    },
};

inventory::submit!(LintPlugin::new(&LINT, check));

/// An address, and the programs that write one before any untrusted text.
const ADDRESS: Target<'_> = Target {
    alphabet: "0123456789abcdefABCDEF.:",
    own_words: &[
        // Apache httpd: `[time] [module:level] [pid 7] [client 192.0.2.1:50000] AH01617: user …`.
        ("[client ", ']'),
        // BIND: `client @0x7f0 192.0.2.1#50000 (name): query …`.
        ("client ", '#'),
    ],
};

struct Taken<'a> {
    site: usize,
    slot: Slot,
    span: &'a SourceSpan,
    search: &'a Search,
    why: Injection,
}

fn check(review: &Review<'_>, findings: &mut Findings) {
    let mut bans: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (site, fact, _) in review.facts() {
        if let Fact::Bans(ban) = fact {
            bans.entry(ban.address).or_default().push(site);
        }
    }
    let mut taken = Vec::new();
    let mut saves: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (site, fact, span) in review.facts() {
        match fact {
            Fact::Saves(save) if save.content == SavedAs::Text && bans.contains_key(&save.field) => {
                saves.entry(save.field).or_default().push(site);
            }
            Fact::Searches(search) => {
                let groups = search.groups.iter().filter(|(_, slot)| bans.contains_key(slot));
                taken.extend(groups.filter_map(|(group, slot)| {
                    let why = search.pattern.injection(*group, &ADDRESS)?;
                    Some(Taken { site, slot: *slot, span, search, why })
                }));
            }
            _ => {}
        }
    }
    if taken.is_empty() {
        return;
    }
    let untrusted = untrusted_nodes(review);
    taken.retain(|taken| review.flow.nodes_of(taken.site).iter().any(|node| untrusted.contains(node)));
    // The track: "the address is the one that this expression matched", until another step saves into its field.
    let tracks: Vec<Track> = taken
        .iter()
        .map(|taken| {
            let others = saves.get(&taken.slot).into_iter().flatten();
            let others = others.flat_map(|site| review.flow.nodes_of(*site));
            let mut changes: Vec<_> = others.map(|node| (*node, Exit::Pass, false)).collect();
            let ours = review.flow.nodes_of(taken.site).iter();
            changes.extend(ours.map(|node| (*node, Exit::Pass, true)));
            Track { at_start: false, changes }
        })
        .collect();
    review.flow.spread(&tracks, |n, here| {
        let found = &taken[n];
        let sites = bans.get(&found.slot).into_iter().flatten();
        let banned =
            sites.copied().find(|site| review.flow.nodes_of(*site).iter().any(|node| here.holds(*node)));
        if let Some(ban) = banned {
            report(review, findings, found, ban);
        }
    });
}

fn report(review: &Review<'_>, findings: &mut Findings, found: &Taken<'_>, ban: usize) {
    let name = review.name(found.slot);
    let message = format!("text within the message can choose the value of `{name}`, which is banned");
    let (span, label, help) = match found.why {
        Injection::Unanchored => (
            found.span.clone(),
            "may begin anywhere in the text".to_owned(),
            "begin it with `^` and the program's own words, or end it with `$` directly after them",
        ),
        Injection::RunsOn(at) => (
            review.within(found.span, found.search.pattern.source(), at),
            "can match the words that follow it".to_owned(),
            "write an expression that cannot match a character of the words between it and the address (`[^>]*` \
             before `>, rip=`), or end the expression with `$`",
        ),
        Injection::RunsBack(at) => (
            review.within(found.span, found.search.pattern.source(), at),
            "can match another address with the words before it".to_owned(),
            "write an expression that cannot match a character of the words directly before the address (`[^=]*` \
             after `rip=…`)",
        ),
    };
    let ban = review.place(ban);
    let step = ban.step.unwrap_or(0);
    findings
        .add(&span, review.place(found.site), message)
        .label(label)
        .note(format!("the ban is in chain `{}`, step {step}", ban.chain))
        .help(help);
}

/// Returns the nodes that an entry which is not the kernel's can reach.
fn untrusted_nodes(review: &Review<'_>) -> HashSet<u32> {
    let mut track = Track { at_start: true, changes: Vec::new() };
    for (site, fact, _) in review.facts() {
        let Fact::Tests(slot, Test::OneOf { values, missing: false }) = fact else { continue };
        let is_kernel = |(value, _): &(Literal, _)| *value == Literal::Text("kernel".to_owned());
        if review.name(*slot) == "_TRANSPORT" && values.iter().all(is_kernel) {
            track.changes.extend(review.flow.nodes_of(site).iter().map(|node| (*node, Exit::Pass, false)));
        }
    }
    let mut nodes = HashSet::new();
    review.flow.spread(&[track], |_, untrusted| {
        let all = review.sites().flat_map(|(site, _)| review.flow.nodes_of(site));
        nodes.extend(all.filter(|node| untrusted.holds(**node)));
    });
    nodes
}

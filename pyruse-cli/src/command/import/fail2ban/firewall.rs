//! The ruleset for nftables: two sets for each jail, and the rules that use them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::chain::one_line;

/// The table of the sets.
pub(super) const TABLE: &str = "inet pyruse_jails";

/// What happens to the packets of banned addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) jail: String,
    /// The name of the sets, without the 4 or 6.
    pub(super) set: String,
    /// `tcp`, `udp`, …; empty: all.
    pub(super) protocols: Vec<String>,
    /// Ports, and ranges of them; empty: all.
    pub(super) ports: Vec<String>,
    pub(super) rejects: bool,
    /// Whether packets to containers and other machines are meant, too.
    pub(super) forwards: bool,
}

impl Rule {
    /// The sets for IPv4 and IPv6, as `action_nftBan` names them.
    pub(super) fn sets(&self) -> [String; 2] {
        [format!("{TABLE} {}4", self.set), format!("{TABLE} {}6", self.set)]
    }

    /// Adds the ports and protocols of another action of the jail.
    pub(super) fn add(&mut self, ports: Vec<String>, protocols: Vec<String>, services: &Services) {
        if ports.is_empty() || self.ports.is_empty() {
            self.ports.clear();
        } else {
            self.ports.extend(ports);
            self.ports = services.ports(&self.ports.join(","), &mut Vec::new());
        }
        if protocols.is_empty() || self.protocols.is_empty() {
            self.protocols.clear();
        } else {
            let known = self.protocols.clone();
            self.protocols.extend(protocols.into_iter().filter(|protocol| !known.contains(protocol)));
        }
    }

    /// Writes the rule, for a family.
    fn write(&self, out: &mut String, family: char) {
        let list = |words: &[String]| match words {
            [word] => word.clone(),
            words => format!("{{ {} }}", words.join(", ")),
        };
        out.push_str("        ");
        let _ = match (self.protocols.as_slice(), self.ports.as_slice()) {
            ([], _) => Ok(()),
            (protocols, []) => write!(out, "meta l4proto {} ", list(protocols)),
            ([protocol], ports) => write!(out, "{protocol} dport {} ", list(ports)),
            (protocols, ports) => {
                write!(out, "meta l4proto {} th dport {} ", list(protocols), list(ports))
            }
        };
        let address = if family == '4' { "ip" } else { "ip6" };
        let verdict = if self.rejects { "reject" } else { "drop" };
        let _ = writeln!(out, "{address} saddr @{}{family} counter {verdict}", self.set);
    }
}

/// Returns the ruleset.
pub(super) fn ruleset(rules: &[Rule]) -> String {
    let mut out = String::from(
        "# The sets that the imported rules ban in, and what happens to the packets of the addresses in them.\n\
         # This file can be loaded at any time: the sets keep their addresses.\n",
    );
    let hooks: &[&str] =
        if rules.iter().any(|rule| rule.forwards) { &["input", "forward"] } else { &["input"] };
    let _ = writeln!(out, "add table {TABLE}");
    for hook in hooks {
        let _ = writeln!(out, "add chain {TABLE} {hook}\ndelete chain {TABLE} {hook}");
    }
    let _ = writeln!(out, "\ntable {TABLE} {{");
    for rule in rules {
        let _ = writeln!(out, "    # {}", one_line(&rule.jail));
        let _ = writeln!(out, "    set {}4 {{ type ipv4_addr; flags timeout; }}", rule.set);
        let _ = writeln!(out, "    set {}6 {{ type ipv6_addr; flags timeout; }}", rule.set);
    }
    for hook in hooks {
        let _ = writeln!(out, "\n    chain {hook} {{");
        let _ = writeln!(out, "        type filter hook {hook} priority filter - 1; policy accept;");
        for rule in rules.iter().filter(|rule| *hook == "input" || rule.forwards) {
            rule.write(&mut out, '4');
            rule.write(&mut out, '6');
        }
        out.push_str("    }\n");
    }
    out.push_str("}\n");
    out
}

/// Protocols that have ports, and others, as nftables names them.
const WITH_PORTS: [&str; 5] = ["tcp", "udp", "sctp", "dccp", "udplite"];
const WITHOUT_PORTS: [&str; 6] = ["icmp", "icmpv6", "esp", "ah", "gre", "comp"];

/// Whether a protocol has ports.
pub(super) fn has_ports(protocol: &str) -> bool {
    WITH_PORTS.contains(&protocol)
}

/// Returns the protocols that nftables knows; with ports, those that have some, unless none has. What is none is noted.
/// Empty: all protocols.
pub(super) fn protocols(named: Vec<String>, with_ports: bool, notes: &mut Vec<String>) -> Vec<String> {
    let (mut known, others): (Vec<String>, Vec<String>) =
        named.into_iter().partition(|p| has_ports(p) || WITHOUT_PORTS.contains(&p.as_str()));
    notes.extend(
        others.iter().map(|p| format!("the protocol `{}` is not known, and was left out", one_line(p))),
    );
    if with_ports && known.iter().any(|p| has_ports(p)) {
        known.retain(|p| has_ports(p));
    }
    if known.is_empty() && !others.is_empty() {
        notes.push("none of its protocols is known: all packets of banned addresses are stopped".into());
    }
    known
}

/// The ports of names, from `/etc/services`.
#[derive(Debug, Default)]
pub(super) struct Services(BTreeMap<String, u16>);

/// Names that fail2ban's jails have, and some systems lack.
const USUAL: [(&str, u16); 3] = [("imap3", 220), ("smtps", 465), ("ssmtp", 465)];

impl Services {
    /// Reads lines such as `ssh 22/tcp`.
    pub(super) fn parse(text: &str) -> Services {
        let mut ports = BTreeMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else { continue };
            let Some(Ok(port)) = port.split('/').next().map(str::parse) else { continue };
            for name in std::iter::once(name).chain(words) {
                ports.entry(name.to_owned()).or_insert(port);
            }
        }
        Services(ports)
    }

    /// Returns ports and ranges as nftables writes them, each once; what is none is noted. Empty: all ports.
    pub(super) fn ports(&self, text: &str, notes: &mut Vec<String>) -> Vec<String> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for word in text.split([',', ' ', '\n']).filter(|word| !word.is_empty()) {
            let (first, last) = word.split_once([':', '-']).map_or((word, None), |(a, b)| (a, Some(b)));
            let range = match (self.port(word), self.port(first), last.and_then(|last| self.port(last))) {
                (Some(port), ..) => Some((port, port)),
                (None, Some(first), Some(last)) if first <= last => Some((first, last)),
                _ => None,
            };
            match range {
                Some(range) => ranges.push(range),
                None => notes.push(format!(
                    "the port `{}` is not known on this machine, and was left out",
                    one_line(word)
                )),
            }
        }
        if ranges.contains(&(0, u16::MAX)) {
            return Vec::new();
        }
        // A set of nftables refuses ranges that overlap.
        ranges.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => joined.push((first, last)),
            }
        }
        let range =
            |(first, last)| if first == last { format!("{first}") } else { format!("{first}-{last}") };
        joined.into_iter().map(range).collect()
    }

    fn port(&self, word: &str) -> Option<u16> {
        let usual = || USUAL.iter().find(|(name, _)| *name == word).map(|(_, port)| *port);
        word.parse().ok().or_else(|| self.0.get(word).copied()).or_else(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Services, protocols, ruleset};

    #[test]
    fn ports_are_numbers_and_do_not_overlap() {
        let services = Services::parse("# x\nssh 22/tcp\nhttp 80/tcp www # web\n");
        let mut notes = Vec::new();
        assert_eq!(services.ports("ssh,www, 8000:8010,8005:8020,80", &mut notes), ["22", "80", "8000-8020"]);
        assert!(services.ports("0:65535", &mut notes).is_empty());
        assert!(notes.is_empty());
        assert!(services.ports("nosuch; flush", &mut notes).is_empty());
        assert_eq!(notes.len(), 2);
    }

    #[test]
    fn only_protocols_that_nftables_knows_are_in_a_rule() {
        let of = |named: &[&str], with_ports| {
            let mut notes = Vec::new();
            (protocols(named.iter().map(|&p| p.into()).collect(), with_ports, &mut notes), notes.len())
        };
        let words = |words: &[&str]| words.iter().map(|&p| p.to_owned()).collect::<Vec<_>>();
        assert_eq!(of(&["tcp", "udp"], true), (words(&["tcp", "udp"]), 0));
        assert_eq!(of(&["tcp", "icmp"], true), (words(&["tcp"]), 0));
        assert_eq!(of(&["icmp"], true), (words(&["icmp"]), 0));
        assert_eq!(of(&["flush", "ruleset"], false), (Vec::new(), 3));
        assert_eq!(of(&[], true), (Vec::new(), 0));
    }

    #[test]
    fn a_rule_has_its_protocols_its_ports_and_its_verdict() {
        let rule = |protocols: &[&str], ports: &[&str]| Rule {
            jail: "a\nflush ruleset".into(),
            set: "a".into(),
            protocols: protocols.iter().map(|&p| p.into()).collect(),
            ports: ports.iter().map(|&p| p.into()).collect(),
            rejects: true,
            forwards: false,
        };
        let line = |rule: Rule| {
            ruleset(&[rule]).lines().find(|line| line.contains("@a4")).unwrap().trim().to_owned()
        };
        assert_eq!(line(rule(&["tcp"], &["22"])), "tcp dport 22 ip saddr @a4 counter reject");
        assert_eq!(
            line(rule(&["tcp", "udp"], &["53", "80-90"])),
            "meta l4proto { tcp, udp } th dport { 53, 80-90 } ip saddr @a4 counter reject"
        );
        assert_eq!(line(rule(&["tcp"], &[])), "meta l4proto tcp ip saddr @a4 counter reject");
        assert_eq!(line(rule(&[], &[])), "ip saddr @a4 counter reject");
        assert!(!ruleset(&[rule(&[], &[])]).lines().any(|line| line.starts_with("flush")));
    }
}

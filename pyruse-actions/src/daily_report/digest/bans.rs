//! The bans of a digest: a row for each address, or for a network in which many were banned.

use std::collections::BTreeMap;
use std::net::IpAddr;

use pyruse_core::serde::Serialize;
use pyruse_core::text::{counted, grouped};
use pyruse_core::time::Timestamp;

use super::rows::{Clock, Limits};
use super::text;
use crate::daily_report::content::printable;
use crate::daily_report::day::{BanNote, Day};

/// How many addresses of one network become one row.
const MANY: usize = 5;

/// The maximum number of sets shown.
const SETS: usize = 3;

/// The bans.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Bans {
    count: String,
    rows: Vec<BanRow>,
    more: Option<String>,
}

/// An address or a network.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct BanRow {
    times: String,
    when: String,
    /// The address, or the network.
    net: String,
    sets: String,
    reason: String,
    /// The last line that led to it.
    line: String,
    text: Vec<String>,
}

/// The bans of one address or network.
#[derive(Default)]
struct Group<'d> {
    bans: Vec<&'d BanNote>,
    /// Its addresses.
    addresses: usize,
}

impl Bans {
    pub(super) fn is_cut(&self) -> bool {
        self.more.is_some()
    }

    pub(super) fn of(day: &Day, clock: &Clock<'_>, limits: Limits) -> Bans {
        let groups = grouped_bans(day.bans());
        let mut groups: Vec<(String, Group<'_>)> = groups.into_iter().collect();
        groups.sort_by(|a, b| b.1.bans.len().cmp(&a.1.bans.len()).then(a.0.cmp(&b.0)));
        let shown = limits.bans.min(groups.len());
        let left: usize = groups[shown..].iter().map(|(_, group)| group.bans.len()).sum();
        let listed = day.bans().len() as u64;
        let left = left as u64 + day.totals.bans.saturating_sub(listed);
        groups.truncate(shown);
        Bans {
            count: grouped(day.totals.bans),
            rows: groups.iter().map(|(net, group)| row(net, group, clock)).collect(),
            more: (left > 0).then(|| format!("… and {}", counted(left, "more ban", "more bans"))),
        }
    }
}

fn grouped_bans(bans: &[BanNote]) -> BTreeMap<String, Group<'_>> {
    let mut by_address: BTreeMap<&str, Vec<&BanNote>> = BTreeMap::new();
    for ban in bans {
        by_address.entry(&ban.ip).or_default().push(ban);
    }
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for network in by_address.keys().filter_map(|ip| network(ip)) {
        *sizes.entry(network).or_default() += 1;
    }
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for (ip, bans) in by_address {
        let wide = network(ip).filter(|network| sizes.get(network).is_some_and(|size| *size >= MANY));
        let group = groups.entry(wide.unwrap_or_else(|| ip.to_owned())).or_default();
        group.bans.extend(bans);
        group.addresses += 1;
    }
    groups
}

/// Returns the /24 or /64 of an address.
fn network(ip: &str) -> Option<String> {
    match ip.parse().ok()? {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some(format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(ip) => {
            let net = std::net::Ipv6Addr::from(u128::from(ip) >> 64 << 64);
            Some(format!("{net}/64"))
        }
    }
}

fn row(net: &str, group: &Group<'_>, clock: &Clock<'_>) -> BanRow {
    let mut sets: Vec<&str> = Vec::new();
    for ban in &group.bans {
        if !sets.contains(&ban.set.as_str()) && sets.len() < SETS {
            sets.push(&ban.set);
        }
    }
    let at = |pick: fn(Timestamp, Timestamp) -> Timestamp| {
        group.bans.iter().map(|ban| ban.at).reduce(pick).unwrap_or_default()
    };
    let when = clock.range(at(Timestamp::min), at(Timestamp::max));
    let last = group.bans.iter().max_by_key(|ban| ban.at);
    let reason = last.map_or_else(String::new, |ban| printable(&ban.why()));
    let line = last.and_then(|ban| ban.line.as_deref()).map_or_else(String::new, printable);
    let times = grouped(group.bans.len() as u64);
    let net =
        if group.addresses > 1 { format!("{net}, {} addresses", group.addresses) } else { printable(net) };
    let sets = printable(&sets.join(", "));
    let mut values = Vec::new();
    if !line.is_empty() {
        values.push(line.clone());
    }
    let text = text::row(&times, &when, clock.width(), None, &format!("{net} in {sets}: {reason}"), &values);
    BanRow { times, when, net, sets, reason, line, text }
}

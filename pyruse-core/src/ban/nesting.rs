//! Which bans of a set lie within others, for firewalls whose sets must not hold elements that overlap.
//!
//! Of two networks, one contains the other, or they have no address in common. So the bans of a set form trees, and the
//! firewall can hold only their roots: the widest bans. A ban within another one is ordered when that one ends, which
//! is what the *wakes* here are for.
//!
//! Nothing here is stored: it is built from the bans in the state, and only if one of them is a network.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::wakes::Wakes;
use crate::network::Network;
use crate::state::{Changes, Resource, Row};
use crate::time::{ClockStep, Timestamp};

/// The networks of all sets; they may contain bans that have ended.
#[derive(Default)]
pub(super) struct Nesting {
    sets: BTreeMap<Box<str>, Nets>,
    /// When a ban ends that has others within it.
    wakes: Wakes,
    len: usize,
    is_built: bool,
}

/// The networks of a set.
#[derive(Default)]
struct Nets {
    /// In order; a network comes before those within it.
    all: BTreeSet<Network>,
    /// The lengths of their prefixes.
    lengths: BTreeSet<u8>,
}

impl Nesting {
    /// Builds it from these bans, if one of them is a network.
    pub(super) fn build<'b>(bans: impl Iterator<Item = (&'b str, Network)> + Clone) -> Nesting {
        let mut nesting = Nesting { is_built: true, ..Nesting::default() };
        if bans.clone().any(|(_, net)| !net.is_single()) {
            bans.for_each(|(set, net)| nesting.add(set, net));
        }
        nesting
    }

    /// Returns `true` if it was built, and not only made.
    pub(super) fn is_built(&self) -> bool {
        self.is_built
    }

    /// Returns `true` if there is no network, so that no single address can be within one.
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Returns `true` if most of what it contains has ended; `bans` is the number of bans.
    pub(super) fn is_stale(&self, bans: usize) -> bool {
        self.len > 2 * bans + 64
    }

    pub(super) fn add(&mut self, set: &str, net: Network) {
        if !self.sets.contains_key(set) {
            self.sets.insert(set.into(), Nets::default());
        }
        let Some(nets) = self.sets.get_mut(set) else { return };
        if nets.all.insert(net) {
            self.len += 1;
            nets.lengths.insert(net.bits());
        }
    }

    /// Returns the widest network that contains this one and for which `is_live` holds.
    pub(super) fn cover(
        &self,
        set: &str,
        net: Network,
        is_live: impl Fn(Network) -> bool,
    ) -> Option<Network> {
        let nets = self.sets.get(set)?;
        let wider = nets.lengths.range(..net.bits()).filter_map(|bits| Network::new(net.first(), *bits));
        wider.into_iter().find(|wider| nets.all.contains(wider) && is_live(*wider))
    }

    /// Returns the networks within this one, in order.
    pub(super) fn within(&self, set: &str, net: Network) -> impl Iterator<Item = Network> {
        let last = Bound::Included(Network::as_written(net.last()));
        let nets = self.sets.get(set).filter(|_| !net.is_single());
        nets.into_iter().flat_map(move |nets| nets.all.range((Bound::Excluded(net), last)).copied())
    }

    /// Notes that there are bans within this one, which ends at `end`.
    pub(super) fn wake(&mut self, end: Timestamp, set: &str, net: Network) {
        self.wakes.set(end, set, net);
    }

    /// Returns when the first ban ends that has others within it.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.wakes.next()
    }

    #[cfg(test)]
    pub(super) fn wakes(&self) -> usize {
        self.wakes.len()
    }

    /// Takes a wake that is due.
    pub(super) fn take_wake(&mut self, now: Timestamp) -> Option<(Box<str>, Network)> {
        self.wakes.take(now)
    }
}

impl Resource for Nesting {
    fn load(_: Vec<Row>) -> Result<Self, String> {
        Ok(Nesting::default())
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}

    fn adjust(&mut self, _: ClockStep) {
        self.wakes.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn texts(nets: impl Iterator<Item = Network>) -> Vec<String> {
        nets.map(|net| net.to_string()).collect()
    }

    #[test]
    fn a_network_is_within_the_widest_that_contains_it() {
        let bans = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "10.1.2.3",
            "10.1.0.0",
            "11.0.0.0/8",
            "2001:db8::/32",
            "2001:db8::1",
        ];
        let nesting = Nesting::build(bans.iter().map(|text| ("s", net(text))));
        let cover = |text: &str| nesting.cover("s", net(text), |_| true).map(|net| net.to_string());
        assert_eq!(cover("10.1.2.3").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(cover("10.1.0.0/16").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(cover("10.0.0.0/8"), None);
        assert_eq!(cover("12.0.0.1"), None);
        assert_eq!(cover("2001:db8:1::/64").as_deref(), Some("2001:db8::/32"));
        assert_eq!(nesting.cover("other", net("10.1.2.3"), |_| true), None);
        let live = |live: Network| live.bits() == 16;
        assert_eq!(nesting.cover("s", net("10.1.2.3"), live), Some(net("10.1.0.0/16")));
        assert_eq!(texts(nesting.within("s", net("10.0.0.0/8"))), ["10.1.0.0/16", "10.1.0.0", "10.1.2.3"]);
        assert_eq!(texts(nesting.within("s", net("10.1.0.0/16"))), ["10.1.0.0", "10.1.2.3"]);
        assert_eq!(texts(nesting.within("s", net("2001:db8::/31"))), ["2001:db8::/32", "2001:db8::1"]);
        assert!(nesting.within("s", net("10.1.2.3")).next().is_none());
    }

    #[test]
    fn without_a_network_nothing_is_kept() {
        let bans = ["10.0.0.1", "2001:db8::1"];
        let nesting = Nesting::build(bans.iter().map(|text| ("s", net(text))));
        assert!(nesting.is_empty() && nesting.is_built());
    }
}

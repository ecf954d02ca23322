//! How a module lets an operator inspect and change what it keeps.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{BanReason, CounterValue, ListHit, ListPart};
use crate::network::Network;
use crate::state::State;
use crate::time::Timestamp;

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        if ip.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// Returns its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}

/// A set of a firewall that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BanSet {
    /// Its name.
    pub name: String,
    /// The family of addresses that it holds.
    pub family: Family,
}

/// A ban that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBan {
    /// The set.
    pub set: String,
    /// The address, or the network.
    pub net: Network,
    /// When it began, if that is known.
    pub since: Option<Timestamp>,
    /// When it ends; `None` means never.
    pub until: Option<Timestamp>,
    /// The reason, if it is known.
    pub reason: Option<BanReason>,
    /// Which ban of that address it is, if its bans become longer.
    pub nth: Option<u32>,
    /// The message in the module's queue that orders the firewall to do it, if it is still there.
    pub order: Option<u64>,
    /// The wider ban in the same set that the firewall has instead, until that one ends.
    pub within: Option<Network>,
}

/// A service that keeps bans.
pub trait BanKeeper {
    /// Returns the sets that the configuration names.
    fn sets(&self, state: &State) -> Vec<BanSet>;

    /// Returns the name of a set as this module writes it; `None` if it cannot be one of its sets.
    fn set_name(&self, text: &str) -> Option<String>;

    /// Returns the bans in force, in any order.
    fn bans(&self, state: &State, now: Timestamp) -> Vec<HeldBan>;

    /// Returns the number of bans in force in each set that has one.
    fn counts(&self, state: &State, now: Timestamp) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for ban in self.bans(state, now) {
            *counts.entry(ban.set).or_default() += 1;
        }
        counts
    }

    /// Bans an address or a network in one of its sets for this many seconds from now (0: for ever).
    fn add(&mut self, state: &mut State, set: &str, net: Network, seconds: u64, now: Timestamp) -> HeldBan;

    /// Forgets a ban that is in force, and queues a message to the firewall, if it has the ban; returns the message's number.
    fn remove(&mut self, state: &mut State, set: &str, net: Network, now: Timestamp) -> Option<u64>;
}

/// A service that keeps counters.
pub trait CounterKeeper {
    /// Returns the categories that the configuration names.
    fn categories(&self, state: &State) -> Vec<String>;

    /// Returns the counts of one category, in any order.
    fn counts(&self, state: &State, category: &str, now: Timestamp) -> Vec<CounterValue>;

    /// Returns the number of keys that have a count or a grace period.
    fn count(&self, state: &State, now: Timestamp) -> usize {
        self.categories(state).iter().map(|category| self.counts(state, category, now).len()).sum()
    }

    /// Forgets the count of a key and returns it. `None`: the key had no count.
    fn reset(&mut self, state: &mut State, category: &str, key: &str, now: Timestamp)
    -> Option<CounterValue>;
}

/// A service that keeps named lists of addresses and networks.
pub trait ListKeeper {
    /// Returns the names of the lists.
    fn names(&self) -> Vec<String>;

    /// Returns the parts of a list, in their order; parts that an operator has added come last.
    fn parts(&self, state: &State, list: &str, now: Timestamp) -> Vec<ListPart>;

    /// Returns whether a list contains an address, and why.
    fn test(&self, list: &str, ip: IpAddr, now: Timestamp) -> ListHit;

    /// Adds a network to a list for this many seconds from now; an error says why that is impossible.
    fn allow(
        &mut self,
        state: &mut State,
        list: &str,
        network: Network,
        seconds: u64,
        now: Timestamp,
    ) -> Result<ListPart, String>;

    /// Removes a network that an operator has added; `None`: the list has no such one.
    fn remove(&mut self, state: &mut State, list: &str, network: Network, now: Timestamp)
    -> Option<ListPart>;
}

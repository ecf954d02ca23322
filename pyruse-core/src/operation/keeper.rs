//! How a module lets an operator look at what it keeps, and change it.

use std::net::IpAddr;

use super::{Count, Reason};
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

    /// As people call it.
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
    /// What it is for.
    pub family: Family,
}

/// A ban that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBan {
    /// The set.
    pub set: String,
    /// The address.
    pub ip: IpAddr,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// Until when; none: for ever.
    pub until: Option<Timestamp>,
    /// Why, if that is known.
    pub reason: Option<Reason>,
    /// The message in the module's queue that tells the firewall, if it is still there.
    pub order: Option<u64>,
}

/// A service that keeps bans.
pub trait BanKeeper {
    /// The sets that the configuration names.
    fn sets(&self, state: &State) -> Vec<BanSet>;

    /// The name of a set as this module writes it; `None` if it cannot be one of its.
    fn set_name(&self, text: &str) -> Option<String>;

    /// The bans in force, in any order.
    fn bans(&self, state: &State, now: Timestamp) -> Vec<HeldBan>;

    /// How many are in force.
    fn count(&self, state: &State, now: Timestamp) -> usize {
        self.bans(state, now).len()
    }

    /// Bans an address for so many seconds from now (0: for ever) in one of its sets.
    fn add(&mut self, state: &mut State, set: &str, ip: IpAddr, seconds: u64, now: Timestamp) -> HeldBan;

    /// Forgets a ban that is in force, and queues what tells the firewall: the message's number.
    fn remove(&mut self, state: &mut State, set: &str, ip: IpAddr, now: Timestamp) -> Option<u64>;
}

/// A service that keeps counters.
pub trait CounterKeeper {
    /// The categories that the configuration names.
    fn categories(&self, state: &State) -> Vec<String>;

    /// What is counted in one of them, in any order.
    fn counts(&self, state: &State, category: &str, now: Timestamp) -> Vec<Count>;

    /// For how many keys something is counted, or not counted for a while.
    fn count(&self, state: &State, now: Timestamp) -> usize {
        self.categories(state).iter().map(|category| self.counts(state, category, now).len()).sum()
    }

    /// Forgets what is counted for a key; what it was. `None`: nothing was.
    fn reset(&mut self, state: &mut State, category: &str, key: &str, now: Timestamp) -> Option<Count>;
}

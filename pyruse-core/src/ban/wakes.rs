//! When bans end that something must be done about: in order, and by ban.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::Network;
use crate::time::Timestamp;

/// Ends of bans; each ban has at most one.
#[derive(Default)]
pub(super) struct Wakes {
    in_order: BTreeSet<(Timestamp, Box<str>, Network)>,
    /// The same by ban, also for ends that never come.
    ends: BTreeMap<(Box<str>, Network), Timestamp>,
}

impl Wakes {
    /// Sets the end of a ban.
    pub(super) fn set(&mut self, end: Timestamp, set: &str, net: Network) {
        let key = (Box::from(set), net);
        if let Some(earlier) = self.ends.insert(key.clone(), end) {
            self.in_order.remove(&(earlier, key.0.clone(), net));
        }
        if end != Timestamp::NEVER {
            self.in_order.insert((end, key.0, net));
        }
    }

    /// Forgets a ban.
    pub(super) fn remove(&mut self, set: &str, net: Network) {
        let key = (Box::from(set), net);
        if let Some(end) = self.ends.remove(&key) {
            self.in_order.remove(&(end, key.0, net));
        }
    }

    /// Returns when the first ban ends.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.in_order.first().map(|(end, ..)| *end)
    }

    /// Takes a ban whose end has come.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<(Box<str>, Network)> {
        let (end, ..) = self.in_order.first()?;
        if now < *end {
            return None;
        }
        let (_, set, net) = self.in_order.pop_first()?;
        self.ends.remove(&(set.clone(), net));
        Some((set, net))
    }

    /// Makes all due at once: a step of the clock has changed the ends of bans, and all of them are looked at again.
    pub(super) fn wake_all(&mut self) {
        let at_once = |(set, net): &(Box<str>, Network)| (Timestamp(i64::MIN), set.clone(), *net);
        self.in_order = self.ends.keys().map(at_once).collect();
        self.ends.values_mut().for_each(|end| *end = Timestamp(i64::MIN));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }
}

//! What of the lists is durable: the networks that operators have added, and the last addresses of names, so that a start
//! without DNS has them.

use std::net::IpAddr;
use std::sync::Arc;

use pyruse_core::network::Network;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Layout, Map, State, StateError};
use pyruse_core::time::{Expiry, Timestamp};

use super::list::List;
use super::part::Part;
use super::snapshot::Networks;

/// For how many seconds the addresses of a name are kept without being confirmed.
const KEEP_NAMES: u64 = 30 * 86_400;

/// How old the stored addresses of a name become before they are confirmed in the state.
const CONFIRM_NAMES: u64 = 86_400;

/// The most networks that operators can have added.
pub(super) const MAX_ADDED: usize = 1000;

/// A network that an operator has added. Its key is the list, a space and the network.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Added {
    pub(super) since: Timestamp,
}

/// The addresses of a name.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Resolved {
    pub(super) at: Timestamp,
    pub(super) addresses: Vec<IpAddr>,
}

/// The parts of the state.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) added: Handle<Map<Added>>,
    pub(super) resolved: Handle<Map<Resolved>>,
}

impl Stored {
    pub(super) fn open(layout: &mut Layout) -> Result<Stored, StateError> {
        Ok(Stored { added: layout.open("lists/added")?, resolved: layout.open("lists/resolved")? })
    }

    /// Returns the networks that were added to a list: since when, and until when.
    pub(super) fn added<'s>(
        self,
        state: &'s State,
        list: &'s str,
        now: Timestamp,
    ) -> impl Iterator<Item = (Network, Timestamp, Expiry)> + 's {
        state.get(self.added).live(now).filter_map(move |(key, added, ends)| {
            let (of, network) = key.split_once(' ')?;
            Some((Network::parse(network).filter(|_| of == list)?, added.since, ends))
        })
    }

    /// Returns how many networks are added now, and the sum of their ends: whether another look at them is worth it.
    pub(super) fn ends(self, state: &State, now: Timestamp) -> (usize, i64) {
        let ends = state.get(self.added).live(now).map(|(.., ends)| ends.at().0);
        ends.fold((0, 0), |(count, sum), end| (count + 1, sum.wrapping_add(end)))
    }

    /// Puts the added networks of the state in force.
    pub(super) fn publish_added(self, lists: &[Arc<List>], state: &State, now: Timestamp) {
        for list in lists {
            let added = self.added(state, &list.name, now);
            let mut all: Vec<_> = added.map(|(network, _, ends)| (network, ends.at())).collect();
            all.sort_unstable();
            list.set_temporary(all);
        }
    }

    /// Puts the stored addresses of names in force, where none are known.
    pub(super) fn publish_resolved(self, lists: &[Arc<List>], state: &State, now: Timestamp) {
        for list in lists {
            let mut parts = list.parts();
            let mut is_changed = false;
            for part in parts.iter_mut().filter(|part| part.is_unknown()) {
                let stored = part.origin.name().and_then(|name| state.get(self.resolved).get(name, now));
                if let Some(stored) = stored {
                    let networks = stored.addresses.iter().copied().map(Network::from).collect();
                    *part = Part::new(part.origin.clone(), networks, Some(stored.at));
                    is_changed = true;
                }
            }
            if is_changed {
                let networks = Arc::new(Networks::of(&parts));
                list.set_parts(parts, Some(networks));
            }
        }
    }

    /// Stores the addresses of a name, if they are others or were not confirmed for long.
    pub(super) fn store(self, state: &mut State, name: &str, addresses: Vec<IpAddr>, now: Timestamp) {
        let map = state.get(self.resolved);
        let is_fresh = |stored: &Resolved| {
            stored.addresses == addresses
                && stored.at.until(now).as_secs() < CONFIRM_NAMES
                && stored.at <= now
        };
        if !map.get(name, now).is_some_and(is_fresh) {
            let ends = Expiry::after_seconds(now, KEEP_NAMES);
            state.get_mut(self.resolved).insert(name, Resolved { at: now, addresses }, ends, now);
        }
    }
}

/// Returns the key of an added network.
pub(super) fn key(list: &str, network: Network) -> String {
    format!("{list} {network}")
}

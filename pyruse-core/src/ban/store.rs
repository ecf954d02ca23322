//! The bans of one firewall in the state, and the queue of its orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ends::Ends;
use super::held::StoredBan;
use super::nesting::Nesting;
use super::offences::{Offence, Offences};
use super::order::QueuedOrder;
use crate::network::Network;
use crate::state::{Handle, Layout, Map, Queue, State, StateError};
use crate::time::{Expiry, Timestamp};

/// How long after the end of a ban its element may still be there, in seconds: the kernel counts whole seconds, and
/// starts a little later than this process.
pub(super) const KERNEL_LAG: u64 = 5;

/// What the state must know about a firewall.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// The name of its action.
    pub(super) name: &'static str,
    /// The elements of a set must not overlap.
    pub(super) is_exclusive: bool,
    /// An element is removed by the firewall itself when its time is over.
    pub(super) expires: bool,
}

/// The bans of one firewall.
#[derive(Clone)]
pub(super) struct Bans {
    pub(super) held: Handle<Map<StoredBan>>,
    pub(super) orders: Handle<Queue>,
    /// For durations that are a list.
    offences: Handle<Offences>,
    /// For a firewall whose elements must not overlap.
    pub(super) nesting: Option<Handle<Nesting>>,
    /// For a firewall that does not end bans by itself.
    pub(super) ends: Option<Handle<Ends>>,
    pub(super) max: usize,
    /// Whether it was logged that there are too many.
    warned: Arc<AtomicBool>,
    /// Whether it was logged that an order was dropped.
    pub(super) dropped: Arc<AtomicBool>,
}

impl Bans {
    /// Opens the parts of the state of a firewall. All its bans share `warned`.
    pub(super) fn open(
        layout: &mut Layout,
        Kind { name, is_exclusive, expires }: Kind,
        max_bans: u32,
        warned: Arc<AtomicBool>,
    ) -> Result<Bans, StateError> {
        let nesting = if is_exclusive { Some(layout.open(&format!("{name}/nesting"))?) } else { None };
        let ends = if expires { None } else { Some(layout.open(&format!("{name}/ends"))?) };
        Ok(Bans {
            nesting,
            ends,
            held: layout.open(&format!("{name}/bans"))?,
            orders: layout.open(&format!("{name}/orders"))?,
            offences: layout.open(&format!("{name}/offences"))?,
            max: max_bans as usize,
            warned,
            dropped: Arc::default(),
        })
    }

    pub(super) fn key(set: &str, net: Network) -> String {
        format!("{set} {net}")
    }

    /// Returns `true` if a ban with this key is in force.
    pub(super) fn is_held(&self, state: &State, key: &str, now: Timestamp) -> bool {
        state.get(self.held).get(key, now).is_some()
    }

    /// Returns when the last ban with this key ends; `None` if it is over and forgotten.
    pub(super) fn end(&self, state: &State, key: &str) -> Option<Timestamp> {
        state.get(self.held).ends(key).map(Expiry::at)
    }

    /// Bans an address or a network. Returns whether it was banned already.
    pub(super) fn ban(&self, state: &mut State, ban: StoredBan, ends: Expiry, now: Timestamp) -> bool {
        self.ban_key(state, &Bans::key(&ban.set, ban.net), ban, ends, now)
    }

    /// Does so for a ban whose key is known.
    pub(super) fn ban_key(
        &self,
        state: &mut State,
        key: &str,
        mut ban: StoredBan,
        mut ends: Expiry,
        now: Timestamp,
    ) -> bool {
        let wall = state.now().wall;
        // An entry from the future must not end the bans of others.
        let mut expired = now;
        if self.ends.is_some() {
            expired = now.min(wall);
            self.lift_ended(state, expired);
        }
        // An undelivered order, a ban or a lift, may or may not have reached the set.
        let is_queued = state.get(self.orders).of_key(key).is_some();
        let held = state.get_mut(self.held);
        let renewed = held.get(key, now).is_some();
        let renew = is_queued || held.ends(key).is_some_and(|ends| now < ends.at().plus_seconds(KERNEL_LAG));
        // A late entry does not override a newer one: it never makes a ban shorter.
        if let (Some(known), Some(last)) = (held.ends(key), held.last(key))
            && last.at.is_some_and(|at| now < at)
            && ends.at() < known.at()
        {
            (ban.seconds, ban.at, ban.nth, ends) = (last.seconds, last.at, last.nth, known);
        }
        let order = QueuedOrder::ban(&ban.set, ban.net, ban.seconds, ends.at(), wall).renewing(renew);
        // It had ended before the entry was read: there is nothing to do, and nothing more to lift.
        let is_over = |ends: Expiry| self.ends.is_some() && ends.is_expired(wall);
        let is_over = is_over(ends) && held.ends(key).is_none_or(is_over);
        let (set, net) = (ban.set.clone(), ban.net);
        held.insert(key, ban, ends, expired);
        // An entry may be read late: the firewall acts now.
        let now = now.max(wall);
        if !is_over {
            self.note_end(state, (&set, net), ends);
            self.order(state, &order, renewed, now);
        }
        self.bound(state, now);
        renewed
    }

    /// If too many bans are held, forgets one that ends soon: an attacker who provokes bans must not fill the memory.
    /// The element stays in the firewall until its timeout expires.
    fn bound(&self, state: &mut State, now: Timestamp) {
        let max = self.max;
        let held = state.get_mut(self.held);
        if held.len() <= max {
            return;
        }
        let forgotten = held.forget_one(now);
        if let Some(ban) = &forgotten
            && self.ends.is_some()
        {
            self.order_lift(state, (&ban.set, ban.net), Timestamp::NEVER, now);
        }
        if let Some(ban) = forgotten.filter(|ban| !ban.net.is_single()) {
            // Otherwise it would stay in the way of those within it.
            self.uncover(state, (&ban.set, ban.net), true, now);
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            let what = if self.ends.is_some() {
                "lifted"
            } else {
                "forgotten. The firewall keeps them until they end, but they are not put back after a restart"
            };
            tracing::warn!("more than {max} bans are in force: those that end soonest are {what}");
        }
    }

    /// Forgets a ban, and queues an order to remove its element from the set, unless a wider ban is there instead.
    /// Returns the order's number. The order supersedes a pending ban order for the same key, and a later order
    /// supersedes it. It expires when the element's own timeout does.
    pub(super) fn lift(&self, state: &mut State, set: &str, net: Network, now: Timestamp) -> Option<u64> {
        let key = Bans::key(set, net);
        state.get(self.held).get(&key, now)?;
        let cover = self.cover(state, set, net, now);
        let held = state.get_mut(self.held);
        let end = held.ends(&key).unwrap_or(Expiry::NEVER).at();
        held.remove(&key);
        state.get_mut(self.offences).change(&key, Offence::lift);
        if cover.is_some() {
            return None;
        }
        let number = self.order_lift(state, (set, net), end.plus_seconds(KERNEL_LAG), now);
        self.uncover(state, (set, net), false, now);
        Some(number)
    }

    /// Imports bans that another program made, unless they have expired or a later end is known. Returns a summary for
    /// the operator.
    pub(super) fn import(
        &self,
        state: &mut State,
        bans: Vec<(StoredBan, Timestamp)>,
        now: Timestamp,
    ) -> String {
        let (mut taken, mut over) = (0, 0);
        for (ban, end) in bans {
            if end <= now {
                over += 1;
                continue;
            }
            taken += 1;
            let key = Bans::key(&ban.set, ban.net);
            let held = state.get_mut(self.held);
            // The original duration is unknown; but it cannot be longer than the time left.
            let ends = Expiry::without_span(end).with_span(now.until(end));
            match held.ends(&key) {
                Some(known) if end <= known.at() => {}
                // The firewall has another end.
                Some(_) => {
                    self.ban(state, ban, ends, now);
                }
                None => {
                    held.insert(&key, ban, ends, now);
                    self.bound(state, now);
                }
            }
        }
        let plural = if taken == 1 { "" } else { "s" };
        match over {
            0 => format!("{taken} ban{plural}"),
            _ => format!("{taken} ban{plural} ({over} more had expired)"),
        }
    }

    /// Queues all bans that are in force for more than `longer_than` seconds, for a firewall that may have forgotten
    /// them or will.
    pub(super) fn put_back(&self, state: &mut State, longer_than: u64, now: Timestamp) {
        let nesting = self.built_again(state, now);
        let is_covered = |ban: &StoredBan| {
            nesting.as_ref().is_some_and(|nesting| nesting.cover(&ban.set, ban.net, |_| true).is_some())
        };
        let live = state.get(self.held).live(now);
        let orders: Vec<(String, QueuedOrder)> = live
            .filter(|(_, ban, ends)| now.plus_seconds(longer_than) < ends.at() && !is_covered(ban))
            .map(|(key, ban, ends)| {
                (key.to_owned(), QueuedOrder::ban(&ban.set, ban.net, ban.seconds, ends.at(), now))
            })
            .collect();
        let queue = state.get_mut(self.orders);
        for (key, order) in orders {
            // A pending order says the same, and is durable.
            if queue.of_key(&key).is_none() {
                queue.push_volatile(Some(&key), order.payload());
            }
        }
        if let Some(nesting) = nesting {
            self.keep_nesting(state, nesting);
        }
    }
}

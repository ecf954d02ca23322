//! The bans of one firewall in the state, and the queue of its orders.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::held::StoredBan;
use super::order::QueuedOrder;
use crate::state::{Handle, Layout, Map, Queue, State, StateError};
use crate::time::{Expiry, Timestamp};

/// How long after the end of a ban its element may still be there, in seconds: the kernel counts whole seconds, and
/// starts a little later than this process.
const KERNEL_LAG: u64 = 5;

/// The bans of one firewall.
#[derive(Clone)]
pub(super) struct Bans {
    pub(super) held: Handle<Map<StoredBan>>,
    pub(super) orders: Handle<Queue>,
    max: usize,
    /// Whether it was logged that there are too many.
    warned: Arc<AtomicBool>,
}

impl Bans {
    /// Opens the parts of the state. All bans of an action share `warned`.
    pub(super) fn open(
        layout: &mut Layout,
        action: &str,
        max_bans: u32,
        warned: Arc<AtomicBool>,
    ) -> Result<Bans, StateError> {
        Ok(Bans {
            held: layout.open(&format!("{action}/bans"))?,
            orders: layout.open(&format!("{action}/orders"))?,
            max: max_bans as usize,
            warned,
        })
    }

    pub(super) fn key(set: &str, ip: IpAddr) -> String {
        format!("{set} {ip}")
    }

    /// Returns `true` if a ban with this key is in force.
    pub(super) fn is_held(&self, state: &State, key: &str, now: Timestamp) -> bool {
        state.get(self.held).get(key, now).is_some()
    }

    /// Bans an address. Returns whether it was banned already.
    pub(super) fn ban(
        &self,
        state: &mut State,
        mut ban: StoredBan,
        mut ends: Expiry,
        now: Timestamp,
    ) -> bool {
        let wall = state.now().wall;
        let key = Bans::key(&ban.set, ban.ip);
        // An undelivered order, a ban or a lift, may or may not have reached the set.
        let is_queued = state.get(self.orders).of_key(&key).is_some();
        let held = state.get_mut(self.held);
        let renewed = held.get(&key, now).is_some();
        let renew = is_queued || held.ends(&key).is_some_and(|ends| now < ends.at().plus_seconds(KERNEL_LAG));
        // A late entry does not override a newer one: it never makes a ban shorter.
        if let (Some(known), Some(last)) = (held.ends(&key), held.last(&key))
            && last.at.is_some_and(|at| now < at)
            && ends.at() < known.at()
        {
            (ban.seconds, ban.at, ban.nth, ends) = (last.seconds, last.at, last.nth, known);
        }
        let order = QueuedOrder::ban(&ban.set, ban.ip, ban.seconds, ends.at(), wall).renewing(renew);
        held.insert(&key, ban, ends, now);
        state.get_mut(self.orders).push(Some(&key), order.payload());
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
        held.forget_one(now);
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "more than {max} bans are in force: those that end soonest are forgotten. The firewall keeps them \
                 until they end, but they are not put back after a restart"
            );
        }
    }

    /// Forgets a ban, and queues an order to remove its element from the set. Returns the order's number. The order
    /// supersedes a pending ban order for the same key, and a later order supersedes it. It expires when the element's
    /// own timeout does.
    pub(super) fn lift(&self, state: &mut State, set: &str, ip: IpAddr, now: Timestamp) -> Option<u64> {
        let key = Bans::key(set, ip);
        let held = state.get_mut(self.held);
        held.get(&key, now)?;
        let end = held.ends(&key).unwrap_or(Expiry::NEVER).at();
        held.remove(&key);
        let order = QueuedOrder::lift(set, ip, end.plus_seconds(KERNEL_LAG), now);
        Some(state.get_mut(self.orders).push(Some(&key), order.payload()))
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
            let key = Bans::key(&ban.set, ban.ip);
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
        let live = state.get(self.held).live(now);
        let orders: Vec<(String, QueuedOrder)> = live
            .filter(|(_, _, ends)| now.plus_seconds(longer_than) < ends.at())
            .map(|(key, ban, ends)| {
                (key.to_owned(), QueuedOrder::ban(&ban.set, ban.ip, ban.seconds, ends.at(), now))
            })
            .collect();
        let queue = state.get_mut(self.orders);
        for (key, order) in orders {
            // A pending order says the same, and is durable.
            if queue.of_key(&key).is_none() {
                queue.push_volatile(Some(&key), order.payload());
            }
        }
    }
}

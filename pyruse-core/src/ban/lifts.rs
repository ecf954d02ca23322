//! Lifts bans at their end, for a firewall that does not do this by itself: a program that was run once to ban is run
//! again to lift.
//!
//! A ban that has ended stays in the state until the order to lift it is queued, in the same transaction. So a ban that
//! ends while nothing runs is lifted at the next start. An order to lift never expires; after [`LIFT_TRIED`] without
//! success it is given up, and kept for the operator.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::order::QueuedOrder;
use super::store::Bans;
use crate::network::Network;
use crate::operation::HeldBan;
use crate::state::{MessageStatus, QueuedMessage, State};
use crate::time::{Expiry, Timestamp};

#[cfg(test)]
mod tests;

/// How long a lift that fails is tried.
pub(super) const LIFT_TRIED: Duration = Duration::from_secs(86_400);

impl Bans {
    /// Notes the end of a ban that was just stored.
    pub(super) fn note_end(&self, state: &mut State, (set, net): (&str, Network), end: Expiry) {
        if let Some(ends) = self.ends {
            state.get_mut(ends).wakes.set(end.at(), set, net);
        }
    }

    /// Returns when [`Bans::lift_ended`] has something to do.
    pub(super) fn next_end(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let ends = state.get(self.ends?);
        if ends.is_built { ends.wakes.next() } else { Some(now) }
    }

    /// Queues orders to lift the bans that have ended by now, and forgets these bans.
    pub(super) fn lift_ended(&self, state: &mut State, now: Timestamp) {
        let Some(handle) = self.ends else { return };
        let mut ends = std::mem::take(state.get_mut(handle));
        if !ends.is_built {
            for (_, ban, end) in state.get(self.held).all() {
                ends.wakes.set(end.at(), &ban.set, ban.net);
            }
            ends.is_built = true;
        }
        while let Some((set, net)) = ends.wakes.take(now) {
            let key = Bans::key(&set, net);
            match state.get(self.held).ends(&key) {
                // It was renewed, or the clock was set.
                Some(end) if !end.is_expired(now) => ends.wakes.set(end.at(), &set, net),
                Some(_) => {
                    state.get_mut(self.held).remove(&key);
                    self.order_lift(state, (&set, net), Timestamp::NEVER, now);
                }
                None => {}
            }
        }
        *state.get_mut(handle) = ends;
    }

    /// Queues an order to lift a ban, which expires at `end`, when the element does. Returns its number.
    pub(super) fn order_lift(
        &self,
        state: &mut State,
        (set, net): (&str, Network),
        end: Timestamp,
        now: Timestamp,
    ) -> u64 {
        let mut order = QueuedOrder::lift(set, net, end, now);
        if let Some(ends) = self.ends {
            state.get_mut(ends).wakes.remove(set, net);
            order = QueuedOrder::lift(set, net, Timestamp::NEVER, now);
            self.bound_lifts(state);
        }
        state.get_mut(self.orders).push(Some(&Bans::key(set, net)), order.payload())
    }

    /// If too many orders wait, drops the oldest one that was given up, or else the oldest: a program that never works
    /// must not fill the memory.
    fn bound_lifts(&self, state: &mut State) {
        let queue = state.get_mut(self.orders);
        if queue.len() < self.max.saturating_mul(2) {
            return;
        }
        let given_up = queue.messages().find(|(_, message)| message.status == MessageStatus::GivenUp);
        let oldest = given_up.or_else(|| queue.messages().next());
        let Some(id) = oldest.map(|(id, _)| id) else { return };
        queue.remove(id);
        if !self.dropped.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "{} orders to ban or to lift wait or are given up: the oldest are dropped, and these addresses stay as \
                 they are; see `pyruse outbox list`",
                self.max.saturating_mul(2)
            );
        }
    }

    /// If no ban of this network is in force, but an order to lift it waits or was given up, makes this order due at
    /// once. Returns its number.
    pub(super) fn lift_again(&self, state: &mut State, set: &str, net: Network) -> Option<u64> {
        self.ends?;
        let queue = state.get_mut(self.orders);
        let id = queue.of_key(&Bans::key(set, net))?;
        queue.retry(id);
        Some(id)
    }

    /// Returns the bans that have ended or were lifted, but that the firewall still has, as far as is known.
    pub(super) fn not_lifted(&self, state: &State, now: Timestamp) -> Vec<HeldBan> {
        if self.ends.is_none() {
            return Vec::new();
        }
        let lift = |(id, message): (u64, &QueuedMessage)| {
            let order: QueuedOrder = serde_json::from_str(&message.payload).ok()?;
            order.lift.then(|| HeldBan {
                set: order.set,
                net: order.net,
                since: None,
                until: Some(message.created.min(now)),
                reason: None,
                nth: None,
                order: Some(id),
                within: None,
            })
        };
        state.get(self.orders).messages().filter_map(lift).collect()
    }
}

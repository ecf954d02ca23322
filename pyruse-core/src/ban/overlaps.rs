//! Orders for a firewall whose sets must not hold elements that overlap: see [`Nesting`].
//!
//! At any time, the firewall is to hold exactly the widest bans in force. So an order to ban is preceded by orders to
//! remove what lies within it; a ban within a wider one is not ordered; and when a ban ends or is lifted, the widest
//! bans within it are ordered. The orders of one change follow each other in the queue, and so are usually one
//! transaction.

use super::nesting::Nesting;
use super::order::QueuedOrder;
use super::store::{Bans, KERNEL_LAG};
use crate::network::Network;
use crate::state::{Handle, State};
use crate::time::Timestamp;

#[cfg(test)]
mod tests;

/// For how long an element that is in the way is to be removed, in seconds. Its own end does not matter: an order that
/// shortened it may not have been delivered.
const REMOVAL_TRIED: u64 = 86_400;

fn removal(set: &str, net: Network, now: Timestamp) -> QueuedOrder {
    QueuedOrder::lift(set, net, now.plus_seconds(REMOVAL_TRIED), now)
}

impl Bans {
    /// Queues the order of a ban that was just stored, unless a wider ban contains it. `was_held`: the ban was in force
    /// before.
    pub(super) fn order(&self, state: &mut State, order: &QueuedOrder, was_held: bool, now: Timestamp) {
        let (set, net) = (&*order.set, order.net);
        // An entry that is read late may ask for a ban that has ended.
        let is_live = self.end_of(state, set, net, now).is_some();
        let nesting = if is_live { self.take_nesting(state, now) } else { None };
        let Some(mut nesting) = nesting else {
            self.push(state, order);
            return;
        };
        if nesting.is_empty() && !net.is_single() {
            // The first network: from now on, all bans count.
            nesting = self.build(state, now);
        }
        if nesting.is_empty() {
            self.push(state, order);
        } else {
            nesting.add(set, net);
            let cover = nesting.cover(set, net, |wider| self.end_of(state, set, wider, now).is_some());
            if let Some(wider) = cover {
                self.wake_at_end(&mut nesting, state, (set, wider), now);
            } else {
                if !was_held {
                    self.remove_within(&nesting, state, (set, net), now);
                }
                self.push(state, order);
                if self.has_within(&nesting, state, (set, net), now) {
                    self.wake_at_end(&mut nesting, state, (set, net), now);
                }
            }
        }
        self.keep_nesting(state, nesting);
    }

    /// Queues the orders of the widest bans within one that is no longer in force. `is_in_firewall`: the firewall may
    /// still have it, and no order to remove it is queued.
    pub(super) fn uncover(
        &self,
        state: &mut State,
        (set, net): (&str, Network),
        is_in_firewall: bool,
        now: Timestamp,
    ) {
        let Some(mut nesting) = self.take_nesting(state, now) else { return };
        let is_live = |state: &State, net| self.end_of(state, set, net, now).is_some();
        let mut last: Option<Network> = None;
        let inner: Vec<Network> = nesting.within(set, net).collect();
        for inner in inner {
            if last.is_some_and(|last| last.contains(inner.first())) || !is_live(state, inner) {
                continue;
            }
            if let Some(wider) = nesting.cover(set, inner, |wider| is_live(state, wider)) {
                // It contains all others, too.
                self.wake_at_end(&mut nesting, state, (set, wider), now);
                break;
            }
            if last.is_none() && is_in_firewall {
                self.push(state, &removal(set, net, now));
            }
            if let Some(order) = self.order_of(state, set, inner, now) {
                self.push(state, &order.renewing(true));
            }
            if self.has_within(&nesting, state, (set, inner), now) {
                self.wake_at_end(&mut nesting, state, (set, inner), now);
            }
            last = Some(inner);
        }
        self.keep_nesting(state, nesting);
    }

    /// Queues the orders of bans within others that have ended by now.
    pub(super) fn uncover_ended(&self, state: &mut State, now: Timestamp) {
        while let Some(mut nesting) = self.take_nesting(state, now) {
            let ended = nesting.take_wake(now);
            let Some((set, net)) = ended else {
                self.keep_nesting(state, nesting);
                break;
            };
            let end = self.end_of(state, &set, net, now);
            if let Some(end) = end {
                // It was renewed.
                nesting.wake(end, &set, net);
            }
            self.keep_nesting(state, nesting);
            if end.is_none() {
                self.uncover(state, (&set, net), true, now);
            }
        }
    }

    /// Returns when [`Bans::uncover_ended`] has something to do.
    pub(super) fn next_uncovered(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let nesting = state.get(self.nesting?);
        if nesting.is_built() { nesting.next_wake() } else { Some(now) }
    }

    /// Returns the wider ban that the firewall has instead of this one.
    pub(super) fn cover(
        &self,
        state: &mut State,
        set: &str,
        net: Network,
        now: Timestamp,
    ) -> Option<Network> {
        let nesting = self.take_nesting(state, now)?;
        let cover = nesting.cover(set, net, |wider| self.end_of(state, set, wider, now).is_some());
        self.keep_nesting(state, nesting);
        cover
    }

    /// Returns which of the bans in force lie within others; `None` if that does not matter.
    pub(super) fn nesting_of(&self, state: &State, now: Timestamp) -> Option<Nesting> {
        self.nesting?;
        Some(self.of_live(state, now)).filter(|nesting| !nesting.is_empty())
    }

    fn of_live(&self, state: &State, now: Timestamp) -> Nesting {
        let live: Vec<(&str, Network)> =
            state.get(self.held).live(now).map(|(_, ban, _)| (&*ban.set, ban.net)).collect();
        Nesting::build(live.iter().copied())
    }

    /// Builds the nesting of the bans in force, with its wakes.
    fn build(&self, state: &State, now: Timestamp) -> Nesting {
        let mut nesting = self.of_live(state, now);
        if !nesting.is_empty() {
            for (_, ban, _) in state.get(self.held).live(now) {
                if let Some(wider) = nesting.cover(&ban.set, ban.net, |_| true) {
                    self.wake_at_end(&mut nesting, state, (&ban.set, wider), now);
                }
            }
        }
        nesting
    }

    /// Takes the nesting out of the state; `None` if it does not matter for this firewall.
    fn take_nesting(&self, state: &mut State, now: Timestamp) -> Option<Nesting> {
        let handle: Handle<Nesting> = self.nesting?;
        let nesting = std::mem::take(state.get_mut(handle));
        let is_good = nesting.is_built() && !nesting.is_stale(state.get(self.held).len());
        Some(if is_good { nesting } else { self.build(state, now) })
    }

    pub(super) fn keep_nesting(&self, state: &mut State, nesting: Nesting) {
        if let Some(handle) = self.nesting {
            *state.get_mut(handle) = nesting;
        }
    }

    /// Builds the nesting again, for [`Bans::keep_nesting`]; `None` if it does not matter for this firewall.
    pub(super) fn built_again(&self, state: &State, now: Timestamp) -> Option<Nesting> {
        self.nesting?;
        Some(self.build(state, now))
    }

    /// Queues orders to remove what the firewall may have within this network.
    fn remove_within(
        &self,
        nesting: &Nesting,
        state: &mut State,
        (set, net): (&str, Network),
        now: Timestamp,
    ) {
        let mut last: Option<Network> = None;
        for inner in nesting.within(set, net) {
            if last.is_some_and(|last| last.contains(inner.first())) {
                continue;
            }
            let Some(end) = state.get(self.held).ends(&Bans::key(set, inner)) else { continue };
            if end.at().plus_seconds(KERNEL_LAG) <= now {
                continue;
            }
            self.push(state, &removal(set, inner, now));
            if !end.is_expired(now) {
                last = Some(inner);
            }
        }
    }

    fn has_within(
        &self,
        nesting: &Nesting,
        state: &State,
        (set, net): (&str, Network),
        now: Timestamp,
    ) -> bool {
        nesting.within(set, net).any(|inner| self.end_of(state, set, inner, now).is_some())
    }

    fn wake_at_end(&self, nesting: &mut Nesting, state: &State, (set, net): (&str, Network), now: Timestamp) {
        if let Some(end) = self.end_of(state, set, net, now) {
            nesting.wake(end, set, net);
        }
    }

    /// Returns the end of a ban that is in force.
    fn end_of(&self, state: &State, set: &str, net: Network, now: Timestamp) -> Option<Timestamp> {
        let end = state.get(self.held).ends(&Bans::key(set, net))?;
        (!end.is_expired(now)).then_some(end.at())
    }

    /// Returns the order of a ban that is in force.
    fn order_of(&self, state: &State, set: &str, net: Network, now: Timestamp) -> Option<QueuedOrder> {
        let (key, held) = (Bans::key(set, net), state.get(self.held));
        let (ban, ends) = (held.get(&key, now)?, held.ends(&key)?);
        Some(QueuedOrder::ban(set, net, ban.seconds, ends.at(), now))
    }

    fn push(&self, state: &mut State, order: &QueuedOrder) {
        let key = Bans::key(&order.set, order.net);
        state.get_mut(self.orders).push(Some(&key), order.payload());
    }
}

//! Bans by hand: an operator lists, makes and lifts them. The operator's bans go through the state and the queue like
//! all bans, so they are as durable, and in order with the bans of actions.

use std::collections::BTreeMap;

use crate::network::Network;
use crate::operation::{BanKeeper, BanReason, BanSet, HeldBan};
use crate::state::State;
use crate::time::Timestamp;

use super::held::{StoredBan, ends};
use super::service::BanService;
use super::store::Bans;

fn unless_never(end: Timestamp) -> Option<Timestamp> {
    (end != Timestamp::NEVER).then_some(end)
}

impl BanKeeper for BanService {
    fn sets(&self, _: &State) -> Vec<BanSet> {
        self.sets.iter().cloned().collect()
    }

    fn set_name(&self, text: &str) -> Option<String> {
        (self.set_name)(text)
    }

    fn bans(&self, state: &State, now: Timestamp) -> Vec<HeldBan> {
        let orders = state.get(self.bans.orders);
        let nesting = self.bans.nesting_of(state, now);
        let held = state.get(self.bans.held).live(now);
        let held = held.map(|(key, ban, ends)| HeldBan {
            set: ban.set.clone(),
            net: ban.net,
            since: ban.since(ends.at()),
            until: unless_never(ends.at()),
            reason: ban.why.clone(),
            nth: ban.nth,
            order: orders.of_key(key),
            within: nesting.as_ref().and_then(|nesting| nesting.cover(&ban.set, ban.net, |_| true)),
        });
        held.chain(self.bans.not_lifted(state, now)).collect()
    }

    fn counts(&self, state: &State, now: Timestamp) -> BTreeMap<String, u64> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (_, ban, _) in state.get(self.bans.held).live(now) {
            *counts.entry(&ban.set).or_default() += 1;
        }
        counts.into_iter().map(|(set, count)| (set.to_owned(), count)).collect()
    }

    fn add(&mut self, state: &mut State, set: &str, net: Network, seconds: u64, now: Timestamp) -> HeldBan {
        let ends = ends(now, seconds);
        let why = Some(BanReason::Operator);
        let ban = StoredBan { set: set.to_owned(), net, seconds, at: Some(now), why: why.clone(), nth: None };
        self.bans.ban(state, ban, ends, now);
        let order = state.get(self.bans.orders).of_key(&Bans::key(set, net));
        let within = self.bans.cover(state, set, net, now);
        HeldBan {
            set: set.to_owned(),
            net,
            since: Some(now),
            until: unless_never(ends.at()),
            reason: why,
            nth: None,
            order,
            within,
        }
    }

    fn remove(&mut self, state: &mut State, set: &str, net: Network, now: Timestamp) -> Option<u64> {
        self.bans.lift(state, set, net, now).or_else(|| self.bans.lift_again(state, set, net))
    }
}

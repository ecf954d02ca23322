//! What operators do with lists: `pyruse lists`.

use std::net::IpAddr;

use pyruse_core::network::Network;
use pyruse_core::operation::{ListHit, ListKeeper, ListPart, PartOrigin};
use pyruse_core::state::State;
use pyruse_core::time::{Expiry, Timestamp};

use super::list::List;
use super::part::Part;
use super::service::ListService;
use super::snapshot;
use super::stored::{Added, MAX_ADDED, key};

/// How many networks of a part are shown.
const SHOWN: usize = 8;

impl ListService {
    fn list(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name).map(|list| &**list)
    }
}

/// Returns a part as operators see it.
pub(super) fn shown(list: &str, part: &Part) -> ListPart {
    ListPart {
        list: list.to_owned(),
        origin: part.origin.shown(),
        networks: part.networks.len() as u64,
        first: part.networks.iter().take(SHOWN).copied().collect(),
        since: part.since,
        until: None,
        problem: part.problem.clone(),
    }
}

fn added(list: &str, network: Network, since: Timestamp, ends: Expiry) -> ListPart {
    ListPart {
        list: list.to_owned(),
        origin: PartOrigin::Operator(network),
        networks: 1,
        first: vec![network],
        since: Some(since),
        until: Some(ends.at()).filter(|until| *until != Timestamp::NEVER),
        problem: None,
    }
}

impl ListKeeper for ListService {
    fn names(&self) -> Vec<String> {
        self.lists.iter().map(|list| list.name.clone()).collect()
    }

    fn parts(&self, state: &State, list: &str, now: Timestamp) -> Vec<ListPart> {
        let Some(found) = self.list(list) else { return Vec::new() };
        let mut parts: Vec<ListPart> = found.parts().iter().map(|part| shown(list, part)).collect();
        let mut by_hand: Vec<_> = self.stored.added(state, list, now).collect();
        by_hand.sort_unstable_by_key(|(network, ..)| *network);
        parts.extend(by_hand.into_iter().map(|(network, since, ends)| added(list, network, since, ends)));
        parts
    }

    fn test(&self, list: &str, ip: IpAddr, now: Timestamp) -> ListHit {
        let Some(found) = self.list(list) else {
            return ListHit { list: list.to_owned(), by: None, until: None };
        };
        let (current, parts) = (found.snapshot(), found.parts());
        let by = snapshot::find(&parts, ip).map(|(network, part)| (network, part.origin.shown()));
        let by_hand = if by.is_none() { current.temporary.find(ip, now) } else { None };
        ListHit {
            list: list.to_owned(),
            by: by.or_else(|| by_hand.map(|(network, _)| (network, PartOrigin::Operator(network)))),
            until: by_hand.map(|(_, until)| until),
        }
    }

    fn allow(
        &mut self,
        state: &mut State,
        list: &str,
        network: Network,
        seconds: u64,
        now: Timestamp,
    ) -> Result<ListPart, String> {
        if network.bits() == 0 {
            return Err(format!("{network} is every address"));
        }
        let key = key(list, network);
        let map = state.get_mut(self.stored.added);
        map.expire(now);
        if map.get(&key, now).is_none() && map.live(now).count() >= MAX_ADDED {
            return Err(format!(
                "{MAX_ADDED} networks have been added by hand, the most that is possible; a file of the list can have more"
            ));
        }
        let ends = Expiry::after_seconds(now, seconds);
        map.insert(&key, Added { since: now }, ends, now);
        self.stored.publish_added(&self.lists, state, now);
        Ok(added(list, network, now, ends))
    }

    fn remove(
        &mut self,
        state: &mut State,
        list: &str,
        network: Network,
        now: Timestamp,
    ) -> Option<ListPart> {
        let key = key(list, network);
        let map = state.get_mut(self.stored.added);
        let (since, ends) = (map.get(&key, now)?.since, map.ends(&key)?);
        map.remove(&key);
        self.stored.publish_added(&self.lists, state, now);
        Some(added(list, network, since, ends))
    }
}

//! Carries out the operations on named lists.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::operate::{hint, listed};
use super::{ListHit, ListKeeper, ListPart, Refusal};
use crate::network::Network;
use crate::plugin::excerpt;
use crate::services::Services;
use crate::state::State;
use crate::time::Timestamp;

impl Services {
    fn list_keepers(&mut self) -> impl Iterator<Item = &mut dyn ListKeeper> {
        self.all.iter_mut().filter_map(|(_, service)| service.lists())
    }

    fn list_names(&mut self) -> BTreeSet<String> {
        self.list_keepers().flat_map(|keeper| keeper.names()).collect()
    }

    fn keeper_of(&mut self, list: &str) -> Option<&mut dyn ListKeeper> {
        self.list_keepers().find(|keeper| keeper.names().iter().any(|name| name == list))
    }

    /// Returns the lists that are meant: this one, or all.
    fn meant(&mut self, list: Option<&str>) -> Result<Vec<String>, Refusal> {
        let names = self.list_names();
        match list {
            None => Ok(names.into_iter().collect()),
            Some(list) if names.contains(list) => Ok(vec![list.to_owned()]),
            Some(list) => {
                let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
                Err(Refusal::new(format!(
                    "there is no list `{}`; the configuration has {}{}",
                    excerpt(list),
                    listed(&names),
                    hint(list, &names)
                )))
            }
        }
    }

    pub(super) fn show_lists(
        &mut self,
        state: &State,
        list: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<ListPart>, Refusal> {
        let mut parts = Vec::new();
        for list in self.meant(list)? {
            parts.extend(
                self.keeper_of(&list).map(|keeper| keeper.parts(state, &list, now)).unwrap_or_default(),
            );
        }
        Ok(parts)
    }

    pub(super) fn test_lists(&mut self, ip: IpAddr, now: Timestamp) -> Vec<ListHit> {
        let names = self.list_names();
        names
            .iter()
            .filter_map(|list| Some(self.keeper_of(list)?.test(list, ip.to_canonical(), now)))
            .collect()
    }

    pub(super) fn allow_in_list(
        &mut self,
        state: &mut State,
        (list, network): (Option<&str>, Network),
        seconds: u64,
        now: Timestamp,
    ) -> Result<ListPart, Refusal> {
        let meant = self.meant(list)?;
        let [list] = meant.as_slice() else {
            let names: BTreeSet<&str> = meant.iter().map(String::as_str).collect();
            return Err(Refusal::new(if names.is_empty() {
                "the configuration has no lists: see the top-level key `lists`".to_owned()
            } else {
                format!("the configuration has several lists: choose one of {} with --list", listed(&names))
            }));
        };
        match self.keeper_of(list) {
            Some(keeper) => keeper.allow(state, list, network, seconds, now).map_err(Refusal::new),
            None => Err(Refusal::new(format!("there is no list `{list}`"))),
        }
    }

    pub(super) fn remove_from_lists(
        &mut self,
        state: &mut State,
        list: Option<&str>,
        network: Network,
        now: Timestamp,
    ) -> Result<Vec<ListPart>, Refusal> {
        let mut removed = Vec::new();
        for list in self.meant(list)? {
            removed
                .extend(self.keeper_of(&list).and_then(|keeper| keeper.remove(state, &list, network, now)));
        }
        if removed.is_empty() {
            let within = list.map_or("any list".to_owned(), |list| format!("`{list}`"));
            return Err(Refusal::new(format!("nobody has added {network} to {within} by hand")));
        }
        Ok(removed)
    }
}

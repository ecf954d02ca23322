//! Carries out operations: each goes to the services that keep what it is about.

use std::collections::BTreeSet;

use super::{Answer, Ban, BanKeeper, BanSet, CounterValue, Family, HeldBan, Operation, Refusal};
use crate::config::nearest;
use crate::network::Network;
use crate::plugin::excerpt;
use crate::services::Services;
use crate::state::State;
use crate::time::Timestamp;

/// At most this many names are listed in a message.
const NAMED: usize = 8;

impl Services {
    /// Carries out an operation in memory; the caller commits. A refusal says why, and has changed nothing.
    pub fn operate(
        &mut self,
        operation: &Operation,
        state: &mut State,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        match operation {
            Operation::ListBans => Ok(Answer::Bans(self.list_bans(state, now))),
            Operation::AddBan { net, set, seconds, allow_special } => {
                let net = net.canonical();
                if let Some(kind) = net.special().filter(|_| !allow_special) {
                    let has = if net.is_single() { "is" } else { "contains" };
                    return Err(Refusal::new(format!(
                        "{net} {has} {kind}: no remote host has it, so a ban would affect your own services; use \
                         --allow-special to ban it anyway"
                    )));
                }
                self.add_ban(state, net, set.as_deref(), *seconds, now).map(Answer::Bans)
            }
            Operation::RemoveBan { net, set } => {
                self.remove_ban(state, net.canonical(), set.as_deref(), now).map(Answer::Bans)
            }
            Operation::RemoveBans { set } => self.remove_bans(state, set, now).map(Answer::Bans),
            Operation::ListCounters { category } => {
                self.list_counters(state, category.as_deref(), now).map(Answer::Counters)
            }
            Operation::ResetCounter { category, key } => {
                self.reset_counter(state, category, key, now).map(|count| Answer::Counters(vec![count]))
            }
            Operation::ListOutbox => Ok(Answer::Deliveries(self.outbox(state))),
            Operation::ShowDeliveries { ids } => {
                let found = ids.iter().filter_map(|id| self.delivery(state, id).ok());
                Ok(Answer::Deliveries(found.map(|(_, _, delivery)| delivery).collect()))
            }
            Operation::RetryDelivery { id } => self.retry(state, id).map(Answer::Deliveries),
            Operation::DropDelivery { id } => self.drop_delivery(state, id).map(Answer::Deliveries),
            Operation::ShowLists { list } => {
                self.show_lists(state, list.as_deref(), now).map(Answer::ListParts)
            }
            Operation::TestLists { ip } => Ok(Answer::ListHits(self.test_lists(*ip, now))),
            Operation::AllowInList { network, list, seconds } => {
                let added = self.allow_in_list(state, (list.as_deref(), *network), *seconds, now);
                added.map(|part| Answer::ListParts(vec![part]))
            }
            Operation::RemoveFromLists { network, list } => {
                self.remove_from_lists(state, list.as_deref(), *network, now).map(Answer::ListParts)
            }
            Operation::SendReport => match self.send_report(state, now) {
                Some(Ok(anything)) => Ok(Answer::Report { anything }),
                Some(Err(e)) => Err(Refusal::new(format!("the report cannot be made: {e}"))),
                None => Err(Refusal::new("no linked module makes a report")),
            },
            Operation::Overview => Ok(Answer::Overview(self.overview(state, now))),
        }
    }

    fn list_bans(&mut self, state: &State, now: Timestamp) -> Vec<Ban> {
        let mut bans = Vec::new();
        for at in 0..self.all.len() {
            let Some(keeper) = self.all[at].1.bans() else { continue };
            let held = keeper.bans(state, now);
            bans.extend(held.into_iter().map(|held| self.shown(at, held, state)));
        }
        bans.sort_by(|a, b| (&a.set, a.net, &a.module).cmp(&(&b.set, b.net, &b.module)));
        bans
    }

    /// Turns a ban of the service at index `at` into the form that an operator sees.
    fn shown(&self, at: usize, held: HeldBan, state: &State) -> Ban {
        let delivery = held.order.and_then(|number| {
            let queue = self.all[at].1.queue()?;
            Some(self.described(at, number, state.get(queue).get(number)?))
        });
        Ban {
            module: self.all[at].0.to_owned(),
            set: held.set,
            net: held.net,
            since: held.since,
            until: held.until,
            reason: held.reason,
            nth: held.nth,
            within: held.within,
            delivery,
        }
    }

    /// Returns the sets of all services, with the index of each service.
    fn sets(&mut self, state: &State) -> Vec<(usize, BanSet)> {
        let mut sets = Vec::new();
        for (at, (_, service)) in self.all.iter_mut().enumerate() {
            if let Some(keeper) = service.bans() {
                sets.extend(keeper.sets(state).into_iter().map(|set| (at, set)));
            }
        }
        sets
    }

    fn add_ban(
        &mut self,
        state: &mut State,
        net: Network,
        set: Option<&str>,
        seconds: u64,
        now: Timestamp,
    ) -> Result<Vec<Ban>, Refusal> {
        let family = Family::of(net.first());
        let sets = self.sets(state);
        let of_family = |(_, set): &&(usize, BanSet)| set.family == family;
        let names: BTreeSet<&str> = sets.iter().filter(of_family).map(|(_, set)| set.name.as_str()).collect();
        let chosen: Vec<&(usize, BanSet)> = if let Some(text) = set {
            let meant: Vec<&(usize, BanSet)> =
                sets.iter().filter(|(at, set)| self.set_name(*at, text) == Some(set.name.clone())).collect();
            if meant.is_empty() {
                return Err(no_such_set(text, "the configuration names", &names));
            }
            meant.into_iter().filter(of_family).collect()
        } else if names.len() > 1 {
            return Err(Refusal::new(format!(
                "the configuration names several sets for {} addresses: choose one of {} with --set",
                family.name(),
                listed(&names)
            )));
        } else {
            sets.iter().filter(of_family).collect()
        };
        if chosen.is_empty() {
            return Err(Refusal::new(match set {
                Some(set) => format!(
                    "`{}` is not a set for {} addresses, but {net} is one; the configuration names {}",
                    excerpt(set),
                    family.name(),
                    if names.is_empty() {
                        "none".to_owned()
                    } else {
                        format!("for these: {}", listed(&names))
                    }
                ),
                None => {
                    format!(
                        "the configuration names no set for {} addresses, but {net} is one",
                        family.name()
                    )
                }
            }));
        }
        let mut bans = Vec::new();
        for (at, set) in chosen {
            let Some(keeper) = self.all[*at].1.bans() else { continue };
            let held = keeper.add(state, &set.name, net, seconds, now);
            bans.push(self.shown(*at, held, state));
        }
        Ok(bans)
    }

    fn set_name(&mut self, at: usize, text: &str) -> Option<String> {
        self.all[at].1.bans()?.set_name(text)
    }

    /// Lifts the ban in all sets, or in one. The spelling of an address does not matter: imported bans may have it as
    /// `::ffff:10.0.0.1`.
    fn remove_ban(
        &mut self,
        state: &mut State,
        net: Network,
        set: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Ban>, Refusal> {
        let mut lifted = Vec::new();
        let mut elsewhere = BTreeSet::new();
        let mut overlapping = BTreeSet::new();
        let mut known: BTreeSet<String> = self.sets(state).into_iter().map(|(_, set)| set.name).collect();
        let mut is_known = set.is_none();
        for at in 0..self.all.len() {
            let Some(keeper) = self.all[at].1.bans() else { continue };
            let wanted = set.map(|set| keeper.set_name(set));
            let mut found = Vec::new();
            for held in keeper.bans(state, now) {
                let in_set = wanted.as_ref().is_none_or(|wanted| *wanted == Some(held.set.clone()));
                is_known |= in_set;
                if held.net.canonical() == net {
                    if in_set {
                        found.push(held);
                    } else {
                        elsewhere.insert(held.set);
                    }
                    continue;
                }
                if in_set && held.net.overlaps(net) {
                    overlapping.insert(held.net);
                }
                if set.is_some() {
                    known.insert(held.set);
                }
            }
            is_known |= wanted.flatten().is_some_and(|set| known.contains(&set));
            for held in found {
                lifted.push(self.lift(at, held, state, now));
            }
        }
        if !lifted.is_empty() {
            return Ok(lifted);
        }
        let elsewhere: BTreeSet<&str> = elsewhere.iter().map(String::as_str).collect();
        let overlap = overlap(net, &overlapping);
        Err(match set {
            Some(text) if !is_known => {
                no_such_set(text, "there are", &known.iter().map(String::as_str).collect())
            }
            Some(text) if elsewhere.is_empty() && overlapping.is_empty() => {
                Refusal::new(format!("{net} is not banned in `{}`, nor in any other set", excerpt(text)))
            }
            Some(text) if elsewhere.is_empty() => {
                Refusal::new(format!("{net} is not banned in `{}`{overlap}", excerpt(text)))
            }
            Some(text) => Refusal::new(format!(
                "{net} is not banned in `{}`, but in {}{overlap}",
                excerpt(text),
                listed(&elsewhere)
            )),
            None => Refusal::new(format!("{net} is not banned{overlap}")),
        })
    }

    /// Lifts all bans in a set.
    fn remove_bans(&mut self, state: &mut State, set: &str, now: Timestamp) -> Result<Vec<Ban>, Refusal> {
        let mut known: BTreeSet<String> = self.sets(state).into_iter().map(|(_, set)| set.name).collect();
        let mut lifted = Vec::new();
        let mut is_known = false;
        for at in 0..self.all.len() {
            let Some(keeper) = self.all[at].1.bans() else { continue };
            let Some(wanted) = keeper.set_name(set) else { continue };
            let bans = keeper.bans(state, now);
            known.extend(bans.iter().map(|held| held.set.clone()));
            is_known |= known.contains(&wanted);
            let mut found: Vec<HeldBan> = bans.into_iter().filter(|held| held.set == wanted).collect();
            // Narrow ones first: if a wide one were lifted first, those within it would be ordered.
            found.sort_by_key(|held| (std::cmp::Reverse(held.net.bits()), held.net));
            for held in found {
                lifted.push(self.lift(at, held, state, now));
            }
        }
        if is_known {
            lifted.sort_by_key(|ban| ban.net);
            return Ok(lifted);
        }
        Err(no_such_set(set, "there are", &known.iter().map(String::as_str).collect()))
    }

    /// Lifts a ban of the service at index `at`.
    fn lift(&mut self, at: usize, mut held: HeldBan, state: &mut State, now: Timestamp) -> Ban {
        let keeper: Option<&mut dyn BanKeeper> = self.all[at].1.bans();
        held.order = keeper.and_then(|keeper| keeper.remove(state, &held.set, held.net, now));
        self.shown(at, held, state)
    }

    fn list_counters(
        &mut self,
        state: &State,
        category: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<CounterValue>, Refusal> {
        let known = self.categories(state);
        if let Some(category) = category {
            check_category(category, &known)?;
        }
        let mut counts = Vec::new();
        for keeper in self.all.iter_mut().filter_map(|(_, service)| service.counters()) {
            for name in keeper.categories(state) {
                if category.is_none_or(|category| *category == name) {
                    counts.extend(keeper.counts(state, &name, now));
                }
            }
        }
        counts.sort_by(|a, b| {
            (&a.category, b.count, order(&a.key)).cmp(&(&b.category, a.count, order(&b.key)))
        });
        Ok(counts)
    }

    fn categories(&mut self, state: &State) -> BTreeSet<String> {
        let keepers = self.all.iter_mut().filter_map(|(_, service)| service.counters());
        keepers.flat_map(|keeper| keeper.categories(state)).collect()
    }

    fn reset_counter(
        &mut self,
        state: &mut State,
        category: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<CounterValue, Refusal> {
        check_category(category, &self.categories(state))?;
        for keeper in self.all.iter_mut().filter_map(|(_, service)| service.counters()) {
            if let Some(count) = keeper.reset(state, category, key, now) {
                return Ok(count);
            }
        }
        Err(Refusal::new(format!("there is no count for `{}` in `{category}`", excerpt(key))))
    }
}

/// Says which bans overlap with this network, which is not banned itself.
fn overlap(net: Network, overlapping: &BTreeSet<Network>) -> String {
    // The order of networks: a wider one comes first.
    match overlapping.first() {
        None => String::new(),
        Some(wider) if wider.contains(net.first()) && wider.bits() < net.bits() => format!(
            " itself, but {wider}, which contains it, is: `pyruse bans remove {wider}` lifts that ban"
        ),
        Some(first) => {
            let more = overlapping.len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!(" as a whole, but {first}{more} within it")
        }
    }
}

/// The sort key: addresses and networks come first, in numeric order.
fn order(key: &str) -> (bool, Option<Network>, &str) {
    let net = Network::parse(key);
    (net.is_none(), net, key)
}

fn check_category(category: &str, known: &BTreeSet<String>) -> Result<(), Refusal> {
    if known.contains(category) {
        return Ok(());
    }
    let names: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    Err(Refusal::new(format!(
        "there is no category `{}`; the configuration names {}{}",
        excerpt(category),
        listed(&names),
        hint(category, &names)
    )))
}

fn no_such_set(text: &str, where_from: &str, known: &BTreeSet<&str>) -> Refusal {
    Refusal::new(format!(
        "there is no set `{}`; {where_from} {}{}",
        excerpt(text),
        listed(known),
        hint(text, known)
    ))
}

pub(super) fn hint(text: &str, known: &BTreeSet<&str>) -> String {
    let near = nearest(text, known.iter().copied());
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// Returns a list such as "`a`, `b` and 3 more".
pub(super) fn listed(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "none".into();
    }
    let quoted: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", quoted.join(", ")) } else { quoted.join(", ") }
}

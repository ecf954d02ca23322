//! What holds for values that steps copy: from field to field, or through the state to a later entry.
//!
//! A track is about the value of a field, such as "its address was not compared with an allow-list". At a step that
//! copies a value, the statement about the copy is true if it is true for the original. That may be in another chain:
//! a counter keeps the values of one entry for the next one. So the tracks are spread several times, each time with
//! what the last time found, until nothing changes. Usually that is twice.

use std::collections::{HashMap, HashSet};

use super::flow::{Exit, Spread, Track};
use super::subject::Review;
use crate::entry::Slot;
use crate::plugin::Fact;
use crate::plugin::fact::Origin;

/// How often the tracks are spread at most. If values are copied through more steps, all copies count as true.
const MOST_ROUNDS: usize = 16;

/// A step that copies into a field.
struct Copy<'r> {
    site: usize,
    to: Slot,
    from: &'r [Origin],
    /// Whether the previous value is gone.
    surely: bool,
}

/// The steps that copy values, and those that keep them in the state.
pub(super) struct Copies<'r> {
    copies: Vec<Copy<'r>>,
    /// For each part of the state: the steps that keep values there, and their fields.
    kept: HashMap<&'r str, Vec<(usize, Slot)>>,
}

/// What is known about the originals.
#[derive(Default)]
pub(super) struct Known<'r> {
    /// The nodes that copy from a field, where the statement is true for it.
    fields: HashSet<(u32, Slot)>,
    /// The parts of the state with a value for which it is true; and the step and the field it is from, if any.
    stores: HashMap<&'r str, Option<(usize, Slot)>>,
    /// Whether everything counts as true.
    gave_up: bool,
}

impl Known<'_> {
    fn is_true(&self, node: u32, origin: &Origin) -> bool {
        self.gave_up
            || match origin {
                Origin::Field(slot) => self.fields.contains(&(node, *slot)),
                Origin::Store(name) => self.stores.contains_key(name.as_str()),
            }
    }
}

impl<'r> Copies<'r> {
    pub(super) fn of(review: &Review<'r>) -> Copies<'r> {
        let mut found = Copies { copies: Vec::new(), kept: HashMap::new() };
        for (site, step) in review.sites() {
            for fact in step.facts.iter().map(|stated| &stated.fact) {
                match fact {
                    Fact::Copies { field, from } => {
                        let saves = |fact: &Fact| matches!(fact, Fact::Saves(save) if save.field == *field && save.surely);
                        let surely = step.facts.iter().any(|stated| saves(&stated.fact));
                        found.copies.push(Copy { site, to: *field, from, surely });
                    }
                    Fact::Keeps { field, store } => {
                        found.kept.entry(store).or_default().push((site, *field));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// Returns `true` if this step copies what it saves into the field.
    pub(super) fn has(&self, site: usize, field: Slot) -> bool {
        let first = self.copies.partition_point(|copy| copy.site < site);
        self.copies[first..].iter().take_while(|copy| copy.site == site).any(|copy| copy.to == field)
    }

    /// Adds the fields that these fields are copied from, directly or not.
    pub(super) fn add_originals(&self, fields: &mut Vec<Slot>) {
        let mut into: HashMap<Slot, Vec<&'r Origin>> = HashMap::new();
        for copy in &self.copies {
            into.entry(copy.to).or_default().extend(copy.from);
        }
        let mut known: HashSet<Slot> = fields.iter().copied().collect();
        let mut stores: HashSet<&str> = HashSet::new();
        let mut next = 0;
        while let Some(field) = fields.get(next) {
            next += 1;
            for origin in into.remove(field).unwrap_or_default() {
                let mut add = |slot: Slot| {
                    if known.insert(slot) {
                        fields.push(slot);
                    }
                };
                match origin {
                    Origin::Field(slot) => add(*slot),
                    Origin::Store(name) if stores.insert(name) => {
                        self.kept.get(name.as_str()).into_iter().flatten().for_each(|(_, slot)| add(*slot));
                    }
                    Origin::Store(_) => {}
                }
            }
        }
    }

    /// Calls `see` for each of these fields, which have one track each, with the values of its track at all nodes, and
    /// with what is known about the originals of copies.
    pub(super) fn spread(
        &self,
        review: &Review<'r>,
        fields: &[Slot],
        mut tracks: Vec<Track>,
        mut see: impl FnMut(usize, &Spread<'_>, &Known<'r>),
    ) {
        let numbers: HashMap<Slot, usize> = fields.iter().enumerate().map(|(n, slot)| (*slot, n)).collect();
        let mut readers: Vec<Vec<u32>> = vec![Vec::new(); fields.len()];
        let mut keepers: Vec<Vec<(&str, usize)>> = vec![Vec::new(); fields.len()];
        let mut known = Known::default();
        for copy in self.copies.iter().filter(|copy| numbers.contains_key(&copy.to)) {
            for origin in copy.from {
                match origin {
                    Origin::Field(slot) => readers[numbers[slot]].extend(review.flow.nodes_of(copy.site)),
                    Origin::Store(name) => match self.kept.get(name.as_str()) {
                        Some(kept) => {
                            for (site, slot) in kept {
                                keepers[numbers[slot]].push((name, *site));
                            }
                        }
                        // Nothing is known about what another configuration has left there.
                        None => drop(known.stores.insert(name, None)),
                    },
                }
            }
        }
        let own: Vec<usize> = tracks.iter().map(|track| track.changes.len()).collect();
        for round in 0.. {
            self.apply(review, &known, &numbers, &own, &mut tracks);
            let mut has_changed = false;
            review.flow.spread(&tracks, |n, spread| {
                for node in readers[n].iter().filter(|node| spread.holds(**node)) {
                    has_changed |= known.fields.insert((*node, fields[n]));
                }
                for (store, site) in &keepers[n] {
                    let holds = || review.flow.nodes_of(*site).iter().any(|node| spread.holds(*node));
                    if !known.stores.contains_key(store) && holds() {
                        known.stores.insert(store, Some((*site, fields[n])));
                        has_changed = true;
                    }
                }
            });
            if !has_changed || known.gave_up {
                break;
            }
            known.gave_up = round == MOST_ROUNDS;
        }
        review.flow.spread(&tracks, |n, spread| see(n, spread, &known));
    }

    /// Makes the changes of the tracks at copying steps those that follow from what is known; `own` says how many
    /// changes each track has of its own.
    fn apply(
        &self,
        review: &Review<'r>,
        known: &Known<'r>,
        numbers: &HashMap<Slot, usize>,
        own: &[usize],
        tracks: &mut [Track],
    ) {
        for (track, own) in tracks.iter_mut().zip(own) {
            track.changes.truncate(*own);
        }
        for copy in &self.copies {
            let Some(number) = numbers.get(&copy.to) else { continue };
            for node in review.flow.nodes_of(copy.site) {
                let holds = copy.from.iter().any(|origin| known.is_true(*node, origin));
                if holds || copy.surely {
                    tracks[*number].changes.push((*node, Exit::Pass, holds));
                }
            }
        }
    }

    /// Returns the first step that copies a value into the field for which the statement is true, and where that value
    /// is from: another step for a value in the state, and the field.
    pub(super) fn cause(
        &self,
        review: &Review<'r>,
        known: &Known<'r>,
        field: Slot,
    ) -> Option<(usize, usize, Slot)> {
        self.copies.iter().filter(|copy| copy.to == field).find_map(|copy| {
            copy.from.iter().find_map(|origin| match origin {
                Origin::Field(slot) => {
                    let is_true = |node: &u32| known.fields.contains(&(*node, *slot));
                    review
                        .flow
                        .nodes_of(copy.site)
                        .iter()
                        .any(is_true)
                        .then_some((copy.site, copy.site, *slot))
                }
                Origin::Store(name) => {
                    let (site, slot) = known.stores.get(name.as_str()).copied().flatten()?;
                    Some((copy.site, site, slot))
                }
            })
        })
    }
}

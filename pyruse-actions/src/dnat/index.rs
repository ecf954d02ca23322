//! An index: the mappings with the same values for a combination of properties.
//!
//! Of those, only the ones can ever be found that no later one outlives. Just these are candidates, so that their ends
//! fall from the oldest to the newest, and the newest that is alive is found by halving. Nearly always there is one.
//!
//! The values themselves are in the mappings only: the table knows places.

use std::collections::VecDeque;
use std::hash::RandomState;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use pyruse_core::state::Place;

use super::held::Held;
use super::mapping::Properties;
use super::property::Combination;

/// See the module.
pub(super) struct Index {
    pub(super) combination: Combination,
    table: HashTable<Candidates>,
}

struct Candidates {
    newest: Place,
    older: Option<Box<Older>>,
}

/// From the oldest to the newest; never empty.
struct Older(VecDeque<Place>);

impl Index {
    pub(super) fn new(combination: Combination) -> Index {
        Index { combination, table: HashTable::new() }
    }

    /// Enters the newest mapping, and tells those that it outlives.
    pub(super) fn enter(
        &mut self,
        place: Place,
        properties: &Properties,
        held: &Held,
        random: &RandomState,
        outlived: impl FnMut(Place),
    ) {
        let combination = self.combination;
        let same = |candidates: &Candidates| agrees(candidates, properties, combination, held);
        let hash = |candidates: &Candidates| combination.hash(&held[candidates.newest].properties(), random);
        match self.table.entry(combination.hash(properties, random), same, hash) {
            Entry::Occupied(mut entry) => entry.get_mut().push(place, held, outlived),
            Entry::Vacant(entry) => {
                entry.insert(Candidates { newest: place, older: None });
            }
        }
    }

    /// Removes a mapping that is the oldest of all, or of which none ends sooner; so among its candidates it is at one end,
    /// if it is still there.
    pub(super) fn leave(&mut self, place: Place, properties: &Properties, held: &Held, random: &RandomState) {
        let same = |candidates: &Candidates| {
            candidates.newest == place || agrees(candidates, properties, self.combination, held)
        };
        if let Ok(mut entry) = self.table.find_entry(self.combination.hash(properties, random), same)
            && !entry.get_mut().remove(place)
        {
            entry.remove();
        }
    }

    /// The newest mapping with these values that is alive at second `now`.
    pub(super) fn find(
        &self,
        asked: &Properties,
        held: &Held,
        random: &RandomState,
        now: i64,
    ) -> Option<Place> {
        let same = |candidates: &Candidates| agrees(candidates, asked, self.combination, held);
        self.table.find(self.combination.hash(asked, random), same)?.newest_alive(held, now)
    }

    /// How many different values there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many candidates there are.
    #[cfg(test)]
    pub(super) fn candidates(&self) -> usize {
        let older = |candidates: &Candidates| candidates.older.as_ref().map_or(0, |older| older.0.len());
        self.table.iter().map(|candidates| 1 + older(candidates)).sum()
    }
}

fn agrees(candidates: &Candidates, properties: &Properties, combination: Combination, held: &Held) -> bool {
    combination.agrees(properties, &held[candidates.newest].properties())
}

impl Candidates {
    fn push(&mut self, place: Place, held: &Held, mut outlived: impl FnMut(Place)) {
        let end = held[place].end;
        while held[self.newest].end <= end {
            outlived(self.newest);
            let Some(older) = self.pop_older() else {
                self.newest = place;
                return;
            };
            self.newest = older;
        }
        self.older.get_or_insert_with(|| Box::new(Older(VecDeque::new()))).0.push_back(self.newest);
        self.newest = place;
    }

    /// Takes the newest of the older ones.
    fn pop_older(&mut self) -> Option<Place> {
        let older = self.older.as_mut()?;
        let newest = older.0.pop_back();
        if older.0.is_empty() {
            self.older = None;
        }
        newest
    }

    /// Removes it from either end; is anything left?
    fn remove(&mut self, place: Place) -> bool {
        if self.newest == place {
            match self.pop_older() {
                Some(older) => self.newest = older,
                None => return false,
            }
        } else if let Some(older) = &mut self.older
            && older.0.front() == Some(&place)
        {
            older.0.pop_front();
            if older.0.is_empty() {
                self.older = None;
            }
        }
        true
    }

    fn newest_alive(&self, held: &Held, now: i64) -> Option<Place> {
        if now < held[self.newest].end {
            return Some(self.newest);
        }
        let older = &self.older.as_ref()?.0;
        let alive = older.partition_point(|place| now < held[*place].end);
        alive.checked_sub(1).map(|last| older[last])
    }
}

//! An index: the mappings with the same values for a combination of properties.
//!
//! A mapping can only be found if no later one outlives it. So only such mappings are candidates: their ends are in
//! descending order from the oldest to the newest, and a binary search finds the newest live one. Nearly always there
//! is only one.
//!
//! The values are stored in the mappings only: the table contains places.

use std::collections::VecDeque;
use std::hash::RandomState;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use pyruse_core::state::ItemIndex;

use super::mapping::Properties;
use super::ordered::Ordered;
use super::property::Combination;

/// An index; see the module documentation.
pub(super) struct Index {
    pub(super) combination: Combination,
    table: HashTable<Candidates>,
}

struct Candidates {
    newest: ItemIndex,
    older: Option<Box<Older>>,
}

/// The older candidates, from the oldest to the newest; never empty.
struct Older(VecDeque<ItemIndex>);

impl Index {
    pub(super) fn new(combination: Combination) -> Index {
        Index { combination, table: HashTable::new() }
    }

    /// Inserts the newest mapping, and calls `outlived` for those that it outlives.
    pub(super) fn insert(
        &mut self,
        place: ItemIndex,
        properties: &Properties,
        held: &Ordered,
        random: &RandomState,
        outlived: impl FnMut(ItemIndex),
    ) {
        let combination = self.combination;
        let same = |candidates: &Candidates| are_equal(candidates, properties, combination, held);
        let hash = |candidates: &Candidates| combination.hash(&held[candidates.newest].properties(), random);
        match self.table.entry(combination.hash(properties, random), same, hash) {
            Entry::Occupied(mut entry) => entry.get_mut().push(place, held, outlived),
            Entry::Vacant(entry) => {
                entry.insert(Candidates { newest: place, older: None });
            }
        }
    }

    /// Removes a mapping that is the oldest of all, or the first to end; so it is at one end of its candidates, if it
    /// is still there.
    pub(super) fn remove(
        &mut self,
        place: ItemIndex,
        properties: &Properties,
        held: &Ordered,
        random: &RandomState,
    ) {
        let same = |candidates: &Candidates| {
            candidates.newest == place || are_equal(candidates, properties, self.combination, held)
        };
        if let Ok(mut entry) = self.table.find_entry(self.combination.hash(properties, random), same)
            && !entry.get_mut().remove(place)
        {
            entry.remove();
        }
    }

    /// Returns the newest mapping with these values that is alive at second `now`.
    pub(super) fn find(
        &self,
        asked: &Properties,
        held: &Ordered,
        random: &RandomState,
        now: i64,
    ) -> Option<ItemIndex> {
        let same = |candidates: &Candidates| are_equal(candidates, asked, self.combination, held);
        self.table.find(self.combination.hash(asked, random), same)?.newest_alive(held, now)
    }

    /// Returns the number of different values.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the number of candidates.
    #[cfg(test)]
    pub(super) fn candidates(&self) -> usize {
        let older = |candidates: &Candidates| candidates.older.as_ref().map_or(0, |older| older.0.len());
        self.table.iter().map(|candidates| 1 + older(candidates)).sum()
    }
}

fn are_equal(
    candidates: &Candidates,
    properties: &Properties,
    combination: Combination,
    held: &Ordered,
) -> bool {
    combination.are_equal(properties, &held[candidates.newest].properties())
}

impl Candidates {
    fn push(&mut self, place: ItemIndex, held: &Ordered, mut outlived: impl FnMut(ItemIndex)) {
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

    /// Removes and returns the newest of the older ones.
    fn pop_older(&mut self) -> Option<ItemIndex> {
        let older = self.older.as_mut()?;
        let newest = older.0.pop_back();
        if older.0.is_empty() {
            self.older = None;
        }
        newest
    }

    /// Removes it from either end; returns `false` if nothing is left.
    fn remove(&mut self, place: ItemIndex) -> bool {
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

    fn newest_alive(&self, held: &Ordered, now: i64) -> Option<ItemIndex> {
        if now < held[self.newest].end {
            return Some(self.newest);
        }
        let older = &self.older.as_ref()?.0;
        let alive = older.partition_point(|place| now < held[*place].end);
        alive.checked_sub(1).map(|last| older[last])
    }
}

//! All mappings, in two orders at once: by age and by end.
//!
//! To insert, to remove, and to find the first takes the same time however many there are. Only the different ends are
//! searched, with a binary search, and there are few of them: an end is always a multiple of a power of two.

use std::collections::BTreeMap;
use std::ops::Index;

use pyruse_core::state::{Arena, ItemIndex, List};

use super::mapping::Mapping;

/// All mappings; see the module documentation.
#[derive(Default)]
pub(super) struct Ordered {
    all: Arena<Mapping, 2>,
    by_age: List<0>,
    /// Mappings with the same end are ordered by age.
    by_end: BTreeMap<i64, List<1>>,
}

impl Ordered {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Inserts a mapping that is newer than all others.
    pub(super) fn insert(&mut self, mapping: Mapping) -> ItemIndex {
        let end = mapping.end;
        let index = self.all.insert(mapping);
        self.all.push_back(&mut self.by_age, index);
        self.all.push_back(self.by_end.entry(end).or_default(), index);
        index
    }

    /// Removes and returns a mapping.
    pub(super) fn remove(&mut self, index: ItemIndex) -> Option<Mapping> {
        let end = self.all[index].end;
        self.all.unlink(&mut self.by_age, index);
        if let Some(list) = self.by_end.get_mut(&end) {
            self.all.unlink(list, index);
            if list.first().is_none() {
                self.by_end.remove(&end);
            }
        }
        self.all.remove(index)
    }

    pub(super) fn oldest(&self) -> Option<ItemIndex> {
        self.by_age.first()
    }

    /// Returns the one that ends first; if there are several, the oldest.
    pub(super) fn first_to_end(&self) -> Option<ItemIndex> {
        self.by_end.first_key_value().and_then(|(_, list)| list.first())
    }

    /// Returns all, the oldest first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = ItemIndex> {
        self.all.forwards(&self.by_age)
    }

    /// Returns those from a number on, the newest first. The time only depends on their number.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Mapping> {
        let back = self.all.backwards(&self.by_age).map(|index| &self.all[index]);
        back.take_while(move |mapping| mapping.number >= number)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> usize {
        self.by_end.len()
    }
}

impl Index<ItemIndex> for Ordered {
    type Output = Mapping;

    fn index(&self, index: ItemIndex) -> &Mapping {
        &self.all[index]
    }
}

//! All mappings, in two orders at once: by age and by end.
//!
//! To insert, to remove, and to find the first takes the same time however many there are. Only the different ends are
//! searched, with a binary search, and there are few of them: an end is always a multiple of a power of two.

use std::collections::BTreeMap;
use std::ops::Index;

use pyruse_core::state::{Order, Place, Places};

use super::mapping::Mapping;

/// All mappings; see the module documentation.
#[derive(Default)]
pub(super) struct Ordered {
    all: Places<Mapping, 2>,
    by_age: Order<0>,
    /// Mappings with the same end are ordered by age.
    by_end: BTreeMap<i64, Order<1>>,
}

impl Ordered {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Inserts a mapping that is newer than all others.
    pub(super) fn insert(&mut self, mapping: Mapping) -> Place {
        let end = mapping.end;
        let place = self.all.insert(mapping);
        self.all.append(&mut self.by_age, place);
        self.all.append(self.by_end.entry(end).or_default(), place);
        place
    }

    /// Removes and returns a mapping.
    pub(super) fn remove(&mut self, place: Place) -> Option<Mapping> {
        let end = self.all[place].end;
        self.all.leave(&mut self.by_age, place);
        if let Some(order) = self.by_end.get_mut(&end) {
            self.all.leave(order, place);
            if order.first().is_none() {
                self.by_end.remove(&end);
            }
        }
        self.all.remove(place)
    }

    pub(super) fn oldest(&self) -> Option<Place> {
        self.by_age.first()
    }

    /// Returns the one that ends first; if there are several, the oldest.
    pub(super) fn first_to_end(&self) -> Option<Place> {
        self.by_end.first_key_value().and_then(|(_, order)| order.first())
    }

    /// Returns all, the oldest first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = Place> {
        self.all.forwards(&self.by_age)
    }

    /// Returns those from a number on, the newest first. The time only depends on their number.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Mapping> {
        let back = self.all.backwards(&self.by_age).map(|place| &self.all[place]);
        back.take_while(move |mapping| mapping.number >= number)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> usize {
        self.by_end.len()
    }
}

impl Index<Place> for Ordered {
    type Output = Mapping;

    fn index(&self, place: Place) -> &Mapping {
        &self.all[place]
    }
}

//! The mappings that are held, in two orders at once: by age and by end.
//!
//! To enter, to leave, and to ask who is first costs the same however many there are; only the different ends are
//! searched, by halving, and of those there are few: an end is always a multiple of a power of two.

use std::collections::BTreeMap;
use std::ops::Index;

use pyruse_core::state::{Order, Place, Places};

use super::mapping::Mapping;

/// See the module.
#[derive(Default)]
pub(super) struct Held {
    all: Places<Mapping, 2>,
    by_age: Order<0>,
    /// Those of one end are ordered by age.
    by_end: BTreeMap<i64, Order<1>>,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Puts in a mapping that is newer than all others.
    pub(super) fn put(&mut self, mapping: Mapping) -> Place {
        let end = mapping.end;
        let place = self.all.insert(mapping);
        self.all.append(&mut self.by_age, place);
        self.all.append(self.by_end.entry(end).or_default(), place);
        place
    }

    /// Takes a mapping away.
    pub(super) fn take(&mut self, place: Place) -> Option<Mapping> {
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

    /// The one that ends first, of several the oldest.
    pub(super) fn first_to_end(&self) -> Option<Place> {
        self.by_end.first_key_value().and_then(|(_, order)| order.first())
    }

    /// All, the oldest first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = Place> {
        self.all.forwards(&self.by_age)
    }

    /// Those from a number on, the newest first. What it costs grows with them only.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &Mapping> {
        let back = self.all.backwards(&self.by_age).map(|place| &self.all[place]);
        back.take_while(move |mapping| mapping.number >= number)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> usize {
        self.by_end.len()
    }
}

impl Index<Place> for Held {
    type Output = Mapping;

    fn index(&self, place: Place) -> &Mapping {
        &self.all[place]
    }
}

//! The keys of a category, each at a place of its own, and found by its text.
//!
//! With many keys, what a raise costs is the places in memory that it goes to. So a text stands once, with its key; what
//! is looked up are places, which are small; and what stands side by side is soon looked through.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use pyruse_core::time::Timestamp;

use super::marks::Marks;
use super::ticks::Ticks;

/// Where a key is, until it is forgotten.
pub(super) type Place = u32;

/// No place.
pub(super) const NONE: Place = Place::MAX;

/// So many keys have places.
pub(super) const MOST: usize = NONE as usize;

/// A key, with what counts for it.
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) ticks: Ticks,
    /// Most keys have none.
    pub(super) marks: Option<Box<Marks>>,
    /// Neighbours in the order of raising.
    pub(super) older: Place,
    pub(super) newer: Place,
}

impl Key {
    /// Is anything of it alive?
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        self.grace(now).is_some() || self.ticks.count(now) > 0
    }

    /// The end of the grace in which `now` is.
    pub(super) fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        self.marks.as_ref()?.grace(now)
    }

    /// Is there nothing that any entry could ask for?
    pub(super) fn is_empty(&self) -> bool {
        self.ticks.len() == 0 && self.marks.is_none()
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Keys {
    held: Vec<Option<Key>>,
    free: Vec<Place>,
    index: HashTable<Place>,
    /// Texts come from entries: nobody may know which of them meet in the index.
    random: RandomState,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.held.iter().flatten()
    }

    /// As many places as there are, some without a key.
    pub(super) fn places(&self) -> Place {
        Place::try_from(self.held.len()).unwrap_or(NONE)
    }

    pub(super) fn get(&self, at: Place) -> Option<&Key> {
        self.held.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: Place) -> Option<&mut Key> {
        self.held.get_mut(at as usize)?.as_mut()
    }

    /// Where the key of that text is.
    pub(super) fn find(&self, text: &str) -> Option<Place> {
        let same = |at: &Place| self.get(*at).is_some_and(|key| *key.text == *text);
        self.index.find(self.random.hash_one(text), same).copied()
    }

    /// A new key; there is none of that text, and there are fewer than [`MOST`].
    pub(super) fn insert(&mut self, text: &str) -> Place {
        let at = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            Place::try_from(self.held.len() - 1).unwrap_or(NONE)
        });
        let key = Key { text: text.into(), ticks: Ticks::default(), marks: None, older: NONE, newer: NONE };
        let Keys { held, index, random, .. } = self;
        held[at as usize] = Some(key);
        let hash = |at: &Place| random.hash_one(held[*at as usize].as_ref().map_or("", |key| &key.text));
        index.insert_unique(random.hash_one(text), at, hash);
        at
    }

    pub(super) fn remove(&mut self, at: Place) -> Option<Key> {
        let key = self.held.get_mut(at as usize)?.take()?;
        if let Ok(entry) = self.index.find_entry(self.random.hash_one(&*key.text), |other| *other == at) {
            entry.remove();
        }
        self.free.push(at);
        Some(key)
    }

    /// The place beside that one, in a circle; a key need not be there.
    pub(super) fn beside(&self, at: Place) -> Place {
        if (at as usize) + 1 < self.held.len() { at + 1 } else { 0 }
    }
}

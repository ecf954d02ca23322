//! Items with a text as key: the bounded store that every module fills with data from entries.
//!
//! It knows the item that was added or touched longest ago, and has a hand that goes around over all items (see
//! [`super::Arena`]). Its owner decides which items are removed, and when: [`super::Map`] removes expired items; a
//! counter removes a key that has no tick left. An item holds its key, so that a key is in memory only once.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::arena::{Arena, ItemIndex, List};

/// An item that knows its key. The key never changes.
pub trait HasKey {
    /// The key.
    fn key(&self) -> &str;
}

/// The store; see the module documentation.
pub struct Keyed<T> {
    items: Arena<T, 1>,
    by_age: List<0>,
    index: HashTable<ItemIndex>,
    /// Keys come from entries: an attacker must not know which keys collide in the index.
    random: RandomState,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Keyed {
            items: Arena::default(),
            by_age: List::default(),
            index: HashTable::new(),
            random: RandomState::new(),
        }
    }
}

impl<T: HasKey> Keyed<T> {
    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns `true` if there are no items.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Returns the index of the item with this key.
    pub fn find(&self, key: &str) -> Option<ItemIndex> {
        self.index.find(self.random.hash_one(key), |at| self.items[*at].key() == key).copied()
    }

    /// Adds an item as the newest one. Its key must be new, and there must be fewer than [`ItemIndex::MAX_ITEMS`] items.
    pub fn insert(&mut self, item: T) -> ItemIndex {
        let hash = self.random.hash_one(item.key());
        let at = self.items.insert(item);
        self.items.push_back(&mut self.by_age, at);
        let (items, random) = (&self.items, &self.random);
        self.index.insert_unique(hash, at, |at| random.hash_one(items[*at].key()));
        at
    }

    /// Makes an item the newest one.
    pub fn touch(&mut self, at: ItemIndex) {
        if self.by_age.last() != Some(at) {
            self.items.unlink(&mut self.by_age, at);
            self.items.push_back(&mut self.by_age, at);
        }
    }

    /// Removes an item.
    pub fn remove(&mut self, at: ItemIndex) -> Option<T> {
        self.items.unlink(&mut self.by_age, at);
        let item = self.items.remove(at)?;
        if let Ok(entry) = self.index.find_entry(self.random.hash_one(item.key()), |other| *other == at) {
            entry.remove();
        }
        Some(item)
    }

    /// Returns the item that was added or touched longest ago.
    pub fn oldest(&self) -> Option<ItemIndex> {
        self.by_age.first()
    }

    /// Returns the item that was added or touched last.
    pub(crate) fn newest(&self) -> Option<ItemIndex> {
        self.by_age.last()
    }

    /// Returns all items, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// Returns all items, in no order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }

    /// Moves the hand to the next index; returns the item there, if there is one.
    pub fn turn(&mut self) -> Option<ItemIndex> {
        self.items.turn()
    }

    /// Returns how many times the hand must be moved to go around once.
    pub(crate) fn turns(&self) -> usize {
        self.items.turns()
    }
}

impl<T> Index<ItemIndex> for Keyed<T> {
    type Output = T;

    fn index(&self, at: ItemIndex) -> &T {
        &self.items[at]
    }
}

impl<T> IndexMut<ItemIndex> for Keyed<T> {
    fn index_mut(&mut self, at: ItemIndex) -> &mut T {
        &mut self.items[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl HasKey for String {
        fn key(&self) -> &str {
            self
        }
    }

    #[test]
    fn an_item_is_found_by_its_key_until_it_is_removed_and_what_is_touched_is_newest() {
        let mut keyed = Keyed::default();
        for n in 0..1000 {
            keyed.insert(n.to_string());
        }
        for n in 0..500 {
            let at = keyed.find(&n.to_string()).unwrap();
            if n % 2 == 0 {
                assert_eq!(keyed.remove(at), Some(n.to_string()));
            } else {
                keyed.touch(at);
            }
        }
        assert_eq!(keyed.len(), 750);
        assert_eq!(keyed.find("0"), None);
        assert_eq!(keyed.oldest().map(|at| &*keyed[at]), Some("500"));
        assert_eq!(keyed.newest().map(|at| &*keyed[at]), Some("499"));
    }
}

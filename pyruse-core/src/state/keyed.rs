//! Items by a key that is a text: the bounded store that every module fills with what entries bring.
//!
//! It knows the item that was added or touched longest ago, and goes around with a hand over all of them (see
//! [`super::Places`]). What is forgotten, and when, its owner says: [`super::Map`] removes what has expired, a counter a
//! key of which no tick is left. An item holds its key, so that a key is in memory once.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::places::{Order, Place, Places};

/// An item that knows its key. The key never changes.
pub trait HasKey {
    /// The key.
    fn key(&self) -> &str;
}

/// See the module.
pub struct Keyed<T> {
    items: Places<T, 1>,
    by_age: Order<0>,
    index: HashTable<Place>,
    /// Keys come from entries: nobody may know which of them meet in the index.
    random: RandomState,
}

impl<T> Default for Keyed<T> {
    fn default() -> Self {
        Keyed {
            items: Places::default(),
            by_age: Order::default(),
            index: HashTable::new(),
            random: RandomState::new(),
        }
    }
}

impl<T: HasKey> Keyed<T> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Where the item of that key is.
    pub fn find(&self, key: &str) -> Option<Place> {
        self.index.find(self.random.hash_one(key), |at| self.items[*at].key() == key).copied()
    }

    /// Adds an item as the newest one. There must be none of its key, and fewer than [`Place::MOST`].
    pub fn insert(&mut self, item: T) -> Place {
        let hash = self.random.hash_one(item.key());
        let at = self.items.insert(item);
        self.items.append(&mut self.by_age, at);
        let (items, random) = (&self.items, &self.random);
        self.index.insert_unique(hash, at, |at| random.hash_one(items[*at].key()));
        at
    }

    /// Makes an item the newest one.
    pub fn touch(&mut self, at: Place) {
        if self.by_age.last() != Some(at) {
            self.items.leave(&mut self.by_age, at);
            self.items.append(&mut self.by_age, at);
        }
    }

    /// Removes an item.
    pub fn remove(&mut self, at: Place) -> Option<T> {
        self.items.leave(&mut self.by_age, at);
        let item = self.items.remove(at)?;
        if let Ok(entry) = self.index.find_entry(self.random.hash_one(item.key()), |other| *other == at) {
            entry.remove();
        }
        Some(item)
    }

    /// The item that was added or touched longest ago.
    pub fn oldest(&self) -> Option<Place> {
        self.by_age.first()
    }

    /// The item that was added or touched last.
    pub fn newest(&self) -> Option<Place> {
        self.by_age.last()
    }

    /// All items, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// All items, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut()
    }

    /// Moves the hand to the next place; the item there, if there is one.
    pub fn turn(&mut self) -> Option<Place> {
        self.items.turn()
    }

    /// How often the hand must be moved to go around once.
    pub fn turns(&self) -> usize {
        self.items.turns()
    }
}

impl<T> Index<Place> for Keyed<T> {
    type Output = T;

    fn index(&self, at: Place) -> &T {
        &self.items[at]
    }
}

impl<T> IndexMut<Place> for Keyed<T> {
    fn index_mut(&mut self, at: Place) -> &mut T {
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

//! An arena: items whose index never changes, in as many linked lists as their owner needs.
//!
//! A bounded store must know at once which item to evict: the oldest, or the one that expires first. So the lists are
//! linked through the items themselves. The cost to enter a list, to leave it, and to find its first item does not
//! depend on the number of items. An index takes four bytes, so the item with its key is in memory only once.
//!
//! A clock hand finds items that use memory although nothing asks for them: it goes around, and the owner looks at a
//! few items whenever it adds one.

use std::iter::successors;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// The index of an item, valid from [`Arena::insert`] until [`Arena::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemIndex(
    /// The index plus one, so that "no index" takes no memory.
    NonZeroU32,
);

impl ItemIndex {
    /// The largest number of items in an arena.
    pub const MAX_ITEMS: usize = u32::MAX as usize - 1;

    fn new(index: usize) -> ItemIndex {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        ItemIndex(number.expect("the owner has at most `ItemIndex::MAX_ITEMS` items"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The first and the last item of a list. `NUMBER`, from 0 on, distinguishes the lists of one arena.
#[derive(Debug, Default)]
pub struct List<const NUMBER: usize> {
    first: Option<ItemIndex>,
    last: Option<ItemIndex>,
}

impl<const NUMBER: usize> List<NUMBER> {
    /// Returns the first item; `None` if the list is empty.
    pub fn first(&self) -> Option<ItemIndex> {
        self.first
    }

    /// Returns the last item; `None` if the list is empty.
    pub fn last(&self) -> Option<ItemIndex> {
        self.last
    }
}

struct Held<T, const LISTS: usize> {
    item: T,
    neighbours: [Neighbours; LISTS],
}

/// The items before and after it in a list.
#[derive(Clone, Copy, Default)]
struct Neighbours {
    before: Option<ItemIndex>,
    after: Option<ItemIndex>,
}

/// The arena; see the module documentation.
pub struct Arena<T, const LISTS: usize> {
    slots: Vec<Option<Held<T, LISTS>>>,
    free: Vec<ItemIndex>,
    hand: usize,
}

impl<T, const LISTS: usize> Default for Arena<T, LISTS> {
    fn default() -> Self {
        Arena { slots: Vec::new(), free: Vec::new(), hand: 0 }
    }
}

impl<T, const LISTS: usize> Arena<T, LISTS> {
    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns `true` if there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item, which is in no list yet.
    pub fn insert(&mut self, item: T) -> ItemIndex {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            ItemIndex::new(self.slots.len() - 1)
        });
        self.slots[index.index()] = Some(Held { item, neighbours: [Neighbours::default(); LISTS] });
        index
    }

    /// Removes an item, which is [unlinked](Arena::unlink) from all lists.
    pub fn remove(&mut self, index: ItemIndex) -> Option<T> {
        let held = self.slots[index.index()].take()?;
        self.free.push(index);
        Some(held.item)
    }

    /// Returns all items.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|held| &held.item)
    }

    /// Returns all items, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten().map(|held| &mut held.item)
    }

    /// Moves the hand to the next index; returns the item there, if there is one.
    pub(crate) fn turn(&mut self) -> Option<ItemIndex> {
        self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
        self.slots.get(self.hand)?.as_ref().map(|_| ItemIndex::new(self.hand))
    }

    /// Returns how many times the hand must be moved to go around once.
    pub(crate) fn turns(&self) -> usize {
        self.slots.len()
    }

    /// Puts an item at the end of a list.
    pub fn push_back<const NUMBER: usize>(&mut self, list: &mut List<NUMBER>, index: ItemIndex) {
        let before = list.last.replace(index);
        match before {
            Some(before) => self.neighbours::<NUMBER>(before).after = Some(index),
            None => list.first = Some(index),
        }
        *self.neighbours::<NUMBER>(index) = Neighbours { before, after: None };
    }

    /// Takes an item out of a list.
    pub fn unlink<const NUMBER: usize>(&mut self, list: &mut List<NUMBER>, index: ItemIndex) {
        let Neighbours { before, after } = std::mem::take(self.neighbours::<NUMBER>(index));
        match before {
            Some(before) => self.neighbours::<NUMBER>(before).after = after,
            None => list.first = after,
        }
        match after {
            Some(after) => self.neighbours::<NUMBER>(after).before = before,
            None => list.last = before,
        }
    }

    /// Returns the items of a list, from the first to the last.
    pub fn forwards<const NUMBER: usize>(&self, list: &List<NUMBER>) -> impl Iterator<Item = ItemIndex> {
        successors(list.first, |index| self.held(*index).neighbours[NUMBER].after)
    }

    /// Returns the items of a list, from the last to the first.
    pub fn backwards<const NUMBER: usize>(&self, list: &List<NUMBER>) -> impl Iterator<Item = ItemIndex> {
        successors(list.last, |index| self.held(*index).neighbours[NUMBER].before)
    }

    fn neighbours<const NUMBER: usize>(&mut self, index: ItemIndex) -> &mut Neighbours {
        &mut self.held_mut(index).neighbours[NUMBER]
    }

    fn held(&self, index: ItemIndex) -> &Held<T, LISTS> {
        self.slots[index.index()].as_ref().expect(IS_HELD)
    }

    fn held_mut(&mut self, index: ItemIndex) -> &mut Held<T, LISTS> {
        self.slots[index.index()].as_mut().expect(IS_HELD)
    }
}

const IS_HELD: &str = "no index is used after its item was removed";

impl<T, const LISTS: usize> Index<ItemIndex> for Arena<T, LISTS> {
    type Output = T;

    fn index(&self, index: ItemIndex) -> &T {
        &self.held(index).item
    }
}

impl<T, const LISTS: usize> IndexMut<ItemIndex> for Arena<T, LISTS> {
    fn index_mut(&mut self, index: ItemIndex) -> &mut T {
        &mut self.held_mut(index).item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Letters = Arena<char, 2>;

    fn put(arena: &mut Letters, all: &mut List<0>, letter: char) -> ItemIndex {
        let index = arena.insert(letter);
        arena.push_back(all, index);
        index
    }

    /// Returns both lists, each as a text.
    fn shown(arena: &Letters, all: &List<0>, some: &List<1>) -> [String; 2] {
        let text = |list: Vec<ItemIndex>| list.into_iter().map(|index| arena[index]).collect::<String>();
        let mut back: Vec<ItemIndex> = arena.backwards(all).collect();
        back.reverse();
        assert_eq!(back, arena.forwards(all).collect::<Vec<_>>());
        [text(back), text(arena.forwards(some).collect())]
    }

    #[test]
    fn lists_keep_their_order_when_any_item_leaves_and_a_free_index_is_used_again() {
        let mut arena = Letters::default();
        let (mut all, mut some) = (List::default(), List::default());
        let [first, second, third, fourth] =
            ['a', 'b', 'c', 'd'].map(|letter| put(&mut arena, &mut all, letter));
        for index in [fourth, second, first] {
            arena.push_back(&mut some, index);
        }
        assert_eq!(shown(&arena, &all, &some), ["abcd", "dba"]);
        arena.unlink(&mut some, second);
        arena.unlink(&mut all, second);
        assert_eq!(arena.remove(second), Some('b'));
        assert_eq!(shown(&arena, &all, &some), ["acd", "da"]);
        arena.unlink(&mut all, first);
        arena.push_back(&mut all, first);
        arena.unlink(&mut all, third);
        assert_eq!(shown(&arena, &all, &some), ["da", "da"]);
        assert_eq!(put(&mut arena, &mut all, 'e'), second);
        assert_eq!(arena.len(), 4);
        assert_eq!(shown(&arena, &all, &some), ["dae", "da"]);
        assert_eq!((all.first(), all.last()), (Some(fourth), Some(second)));
    }

    #[test]
    fn the_hand_goes_around_over_free_indices() {
        let mut arena: Arena<u8, 0> = Arena::default();
        assert_eq!(arena.turn(), None);
        let [first, second, third] = [1, 2, 3].map(|item| arena.insert(item));
        arena.remove(second);
        let turned: Vec<_> = (0..=arena.turns()).map(|_| arena.turn()).collect();
        assert_eq!(turned, [None, Some(third), Some(first), None]);
    }
}

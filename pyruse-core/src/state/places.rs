//! Items at places that do not move, in as many orders as their owner needs.
//!
//! A bounded store must know at once which item to forget: the oldest, or the one that expires first. So the orders are
//! linked lists through the places themselves. The cost to enter an order, to leave it, and to find its first item does
//! not depend on the number of items. An index of any kind holds places, which are four bytes each, so the item with
//! its key is in memory only once.
//!
//! A hand finds items that use memory although nothing asks for them: it goes around, and the owner looks at a few
//! items whenever it adds one.

use std::iter::successors;
use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// The place of an item, valid from [`Places::insert`] until [`Places::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(
    /// The index plus one, so that "no place" takes no memory.
    NonZeroU32,
);

impl Place {
    /// The largest number of places.
    pub const MOST: usize = u32::MAX as usize - 1;

    fn new(index: usize) -> Place {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Place(number.expect("the owner has at most `Place::MOST` items"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The first and the last item of an order. `NUMBER`, from 0 on, distinguishes the orders of one store.
#[derive(Debug, Default)]
pub struct Order<const NUMBER: usize> {
    first: Option<Place>,
    last: Option<Place>,
}

impl<const NUMBER: usize> Order<NUMBER> {
    /// Returns the first item; `None` if the order is empty.
    pub fn first(&self) -> Option<Place> {
        self.first
    }

    /// Returns the last item; `None` if the order is empty.
    pub fn last(&self) -> Option<Place> {
        self.last
    }
}

struct Held<T, const ORDERS: usize> {
    item: T,
    neighbours: [Neighbours; ORDERS],
}

/// The places of the items before and after it in an order.
#[derive(Clone, Copy, Default)]
struct Neighbours {
    before: Option<Place>,
    after: Option<Place>,
}

/// The store; see the module documentation.
pub struct Places<T, const ORDERS: usize> {
    held: Vec<Option<Held<T, ORDERS>>>,
    free: Vec<Place>,
    hand: usize,
}

impl<T, const ORDERS: usize> Default for Places<T, ORDERS> {
    fn default() -> Self {
        Places { held: Vec::new(), free: Vec::new(), hand: 0 }
    }
}

impl<T, const ORDERS: usize> Places<T, ORDERS> {
    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.held.len() - self.free.len()
    }

    /// Returns `true` if there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item, which is in no order yet.
    pub fn insert(&mut self, item: T) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.held.push(None);
            Place::new(self.held.len() - 1)
        });
        self.held[place.index()] = Some(Held { item, neighbours: [Neighbours::default(); ORDERS] });
        place
    }

    /// Removes an item, which has [left](Places::leave) all orders.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let held = self.held[place.index()].take()?;
        self.free.push(place);
        Some(held.item)
    }

    /// Returns all items.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.held.iter().flatten().map(|held| &held.item)
    }

    /// Returns all items, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.held.iter_mut().flatten().map(|held| &mut held.item)
    }

    /// Moves the hand to the next place; returns the item there, if there is one.
    pub(crate) fn turn(&mut self) -> Option<Place> {
        self.hand = if self.hand + 1 < self.held.len() { self.hand + 1 } else { 0 };
        self.held.get(self.hand)?.as_ref().map(|_| Place::new(self.hand))
    }

    /// Returns how many times the hand must be moved to go around once.
    pub(crate) fn turns(&self) -> usize {
        self.held.len()
    }

    /// Puts an item at the end of an order.
    pub fn append<const NUMBER: usize>(&mut self, order: &mut Order<NUMBER>, place: Place) {
        let before = order.last.replace(place);
        match before {
            Some(before) => self.neighbours::<NUMBER>(before).after = Some(place),
            None => order.first = Some(place),
        }
        *self.neighbours::<NUMBER>(place) = Neighbours { before, after: None };
    }

    /// Takes an item out of an order.
    pub fn leave<const NUMBER: usize>(&mut self, order: &mut Order<NUMBER>, place: Place) {
        let Neighbours { before, after } = std::mem::take(self.neighbours::<NUMBER>(place));
        match before {
            Some(before) => self.neighbours::<NUMBER>(before).after = after,
            None => order.first = after,
        }
        match after {
            Some(after) => self.neighbours::<NUMBER>(after).before = before,
            None => order.last = before,
        }
    }

    /// Returns the items of an order, from the first to the last.
    pub fn forwards<const NUMBER: usize>(&self, order: &Order<NUMBER>) -> impl Iterator<Item = Place> {
        successors(order.first, |place| self.held(*place).neighbours[NUMBER].after)
    }

    /// Returns the items of an order, from the last to the first.
    pub fn backwards<const NUMBER: usize>(&self, order: &Order<NUMBER>) -> impl Iterator<Item = Place> {
        successors(order.last, |place| self.held(*place).neighbours[NUMBER].before)
    }

    fn neighbours<const NUMBER: usize>(&mut self, place: Place) -> &mut Neighbours {
        &mut self.held_mut(place).neighbours[NUMBER]
    }

    fn held(&self, place: Place) -> &Held<T, ORDERS> {
        self.held[place.index()].as_ref().expect(IS_HELD)
    }

    fn held_mut(&mut self, place: Place) -> &mut Held<T, ORDERS> {
        self.held[place.index()].as_mut().expect(IS_HELD)
    }
}

const IS_HELD: &str = "whoever removes an item forgets its place";

impl<T, const ORDERS: usize> Index<Place> for Places<T, ORDERS> {
    type Output = T;

    fn index(&self, place: Place) -> &T {
        &self.held(place).item
    }
}

impl<T, const ORDERS: usize> IndexMut<Place> for Places<T, ORDERS> {
    fn index_mut(&mut self, place: Place) -> &mut T {
        &mut self.held_mut(place).item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Letters = Places<char, 2>;

    fn put(places: &mut Letters, all: &mut Order<0>, letter: char) -> Place {
        let place = places.insert(letter);
        places.append(all, place);
        place
    }

    /// Returns both orders, each as a text.
    fn shown(places: &Letters, all: &Order<0>, some: &Order<1>) -> [String; 2] {
        let text = |order: Vec<Place>| order.into_iter().map(|place| places[place]).collect::<String>();
        let mut back: Vec<Place> = places.backwards(all).collect();
        back.reverse();
        assert_eq!(back, places.forwards(all).collect::<Vec<_>>());
        [text(back), text(places.forwards(some).collect())]
    }

    #[test]
    fn orders_are_kept_whoever_leaves_and_places_are_used_again() {
        let mut places = Letters::default();
        let (mut all, mut some) = (Order::default(), Order::default());
        let [first, second, third, fourth] =
            ['a', 'b', 'c', 'd'].map(|letter| put(&mut places, &mut all, letter));
        for place in [fourth, second, first] {
            places.append(&mut some, place);
        }
        assert_eq!(shown(&places, &all, &some), ["abcd", "dba"]);
        places.leave(&mut some, second);
        places.leave(&mut all, second);
        assert_eq!(places.remove(second), Some('b'));
        assert_eq!(shown(&places, &all, &some), ["acd", "da"]);
        places.leave(&mut all, first);
        places.append(&mut all, first);
        places.leave(&mut all, third);
        assert_eq!(shown(&places, &all, &some), ["da", "da"]);
        assert_eq!(put(&mut places, &mut all, 'e'), second);
        assert_eq!(places.len(), 4);
        assert_eq!(shown(&places, &all, &some), ["dae", "da"]);
        assert_eq!((all.first(), all.last()), (Some(fourth), Some(second)));
    }

    #[test]
    fn the_hand_goes_around_over_places_that_are_free() {
        let mut places: Places<u8, 0> = Places::default();
        assert_eq!(places.turn(), None);
        let [first, second, third] = [1, 2, 3].map(|item| places.insert(item));
        places.remove(second);
        let turned: Vec<_> = (0..=places.turns()).map(|_| places.turn()).collect();
        assert_eq!(turned, [None, Some(third), Some(first), None]);
    }
}

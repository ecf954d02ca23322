//! Where mappings are held: in places that never move, in two orders at once, by age and by end.
//!
//! Both orders are chains through the places themselves. To enter, to leave, and to ask who is first costs the same
//! however many there are; only the different ends are searched, by halving, and of those there are few: an end is
//! always a multiple of a power of two.

use std::collections::BTreeMap;
use std::iter::successors;
use std::num::NonZeroU32;
use std::ops::Index;

use super::record::Record;

/// As many as there may be places.
pub(super) const MOST: usize = u32::MAX as usize - 1;

/// Where a mapping is held: one more than its index, so that "no place" takes no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(NonZeroU32);

impl Place {
    fn new(index: usize) -> Place {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Place(number.expect("no more than `MOST` are held"))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A mapping that is held.
pub(super) struct Held {
    /// Later ones have greater numbers.
    pub(super) number: u64,
    /// The second from which on it is dead.
    pub(super) end: i64,
    /// The bits of its retention.
    pub(super) bits: u32,
    record: Box<[u8]>,
    neighbours: [Neighbours; 2],
}

impl Held {
    pub(super) fn record(&self) -> Record<'_> {
        Record::new(&self.record)
    }
}

#[derive(Clone, Copy)]
enum Order {
    Age,
    End,
}

/// Those before and behind it in an order.
#[derive(Clone, Copy, Default)]
struct Neighbours {
    before: Option<Place>,
    behind: Option<Place>,
}

#[derive(Default)]
struct Chain {
    first: Option<Place>,
    last: Option<Place>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Places {
    all: Vec<Option<Held>>,
    free: Vec<Place>,
    by_age: Chain,
    /// Those of one end are ordered by age.
    by_end: BTreeMap<i64, Chain>,
}

impl Places {
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// Puts in a mapping that is newer than all others.
    pub(super) fn put(&mut self, number: u64, (end, bits): (i64, u32), record: Record<'_>) -> Place {
        let place = self.free.pop().unwrap_or_else(|| {
            self.all.push(None);
            Place::new(self.all.len() - 1)
        });
        let held =
            Held { number, end, bits, record: record.bytes().into(), neighbours: [Neighbours::default(); 2] };
        self.all[place.index()] = Some(held);
        append(&mut self.all, &mut self.by_age, Order::Age, place);
        append(&mut self.all, self.by_end.entry(end).or_default(), Order::End, place);
        place
    }

    /// Takes a mapping away.
    pub(super) fn take(&mut self, place: Place) -> Option<Held> {
        let held = self.all[place.index()].take()?;
        self.free.push(place);
        unlink(&mut self.all, &mut self.by_age, Order::Age, &held);
        let [_, by_end] = held.neighbours;
        if by_end.before.is_none() && by_end.behind.is_none() {
            self.by_end.remove(&held.end);
        } else if let Some(chain) = self.by_end.get_mut(&held.end) {
            unlink(&mut self.all, chain, Order::End, &held);
        }
        Some(held)
    }

    pub(super) fn oldest(&self) -> Option<Place> {
        self.by_age.first
    }

    /// The one that ends first, of several the oldest.
    pub(super) fn first_to_end(&self) -> Option<Place> {
        self.by_end.first_key_value().and_then(|(_, chain)| chain.first)
    }

    /// All, the oldest first.
    pub(super) fn by_age(&self) -> impl Iterator<Item = Place> {
        self.on_from(self.by_age.first)
    }

    /// Those from a number on, the oldest first. What it costs grows with them only.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = Place> {
        let back = successors(self.by_age.last, |place| self[*place].neighbours[Order::Age as usize].before);
        self.on_from(back.take_while(|place| self[*place].number >= number).last())
    }

    fn on_from(&self, first: Option<Place>) -> impl Iterator<Item = Place> {
        successors(first, |place| self[*place].neighbours[Order::Age as usize].behind)
    }

    #[cfg(test)]
    pub(super) fn ends(&self) -> usize {
        self.by_end.len()
    }
}

impl Index<Place> for Places {
    type Output = Held;

    fn index(&self, place: Place) -> &Held {
        self.all[place.index()].as_ref().expect("who takes a mapping away forgets its place")
    }
}

fn neighbours(places: &mut [Option<Held>], order: Order, place: Place) -> Option<&mut Neighbours> {
    places[place.index()].as_mut().map(|held| &mut held.neighbours[order as usize])
}

fn append(places: &mut [Option<Held>], chain: &mut Chain, order: Order, place: Place) {
    let before = chain.last.replace(place);
    match before.and_then(|before| neighbours(places, order, before)) {
        Some(neighbours) => neighbours.behind = Some(place),
        None => chain.first = Some(place),
    }
    if let Some(neighbours) = neighbours(places, order, place) {
        neighbours.before = before;
    }
}

fn unlink(places: &mut [Option<Held>], chain: &mut Chain, order: Order, held: &Held) {
    let Neighbours { before, behind } = held.neighbours[order as usize];
    match before.and_then(|before| neighbours(places, order, before)) {
        Some(neighbours) => neighbours.behind = behind,
        None => chain.first = behind,
    }
    match behind.and_then(|behind| neighbours(places, order, behind)) {
        Some(neighbours) => neighbours.before = before,
        None => chain.last = before,
    }
}

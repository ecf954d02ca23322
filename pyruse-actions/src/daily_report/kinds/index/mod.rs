//! The kinds of a day: found by the hash of their shape, bounded, and stored with the position.
//!
//! *Joining.* Masks leave lines apart that differ in a word of no known form: `session opened for alice`, `… bob`. Four
//! kinds that differ in one and the same word become one kind, with that word as a variable; so do later lines. The
//! idea is that of Drain (He et al., 2017), but stricter, because a rare important line must never vanish in noise: all
//! other words must be equal; the first two words, mostly the program and the verb, never become variables; nor do
//! words that report trouble (`failed`, `denied`).
//!
//! *Bounds.* A writer who makes every line a new shape must not push out the kinds of others. If there are too many
//! kinds, one is removed of the owner that has most, and of the origin that has most among the owner's: its lines are
//! then only counted. The owner is what a writer cannot choose (`_UID`); the origin also has an identifier, which a
//! local user can invent.

mod stored;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pyruse_core::text::floor_char_boundary;
use pyruse_core::time::Timestamp;

use super::kind::{Group, Kind, ShapeKey, candidates, key, reports_trouble, urgency};
use super::mask::Mask;
use super::shape::{SHAPE_LIMIT, Shape, is_in};
use super::shares::{OriginSlot, Shares, origin_key};
use super::values::Values;
use crate::daily_report::day::Overflow;
use crate::daily_report::line::Line;

/// The maximum number of kinds.
pub(super) const MAX_KINDS: usize = 8000;

/// The maximum number of origins whose removed kinds are counted separately.
const MAX_REMOVED: usize = 200;

/// How many variants make a word a variable.
const VARIANTS: usize = 4;

/// Lines with more words are not compared with shapes in which two are variables.
const MAX_PAIRED: usize = 16;

/// How many kinds are compared to find the one to remove.
const COMPARED: usize = 16;

type Slot = u32;

/// What an origin has.
#[derive(Debug, Default)]
struct OfOrigin {
    kinds: Vec<Slot>,
    /// For each number of words, the sets of variables that its kinds have.
    joined: Vec<(usize, u64)>,
    /// Where the search for a kind to remove continues.
    hand: usize,
}

/// The kinds of a day; see the module documentation.
#[derive(Default)]
pub(in super::super) struct Kinds {
    all: Vec<Option<Kind>>,
    free: Vec<Slot>,
    by_key: HashMap<ShapeKey, Slot>,
    /// Kinds that differ in one word, by the key that they would have if it were a variable.
    near: HashMap<ShapeKey, Near>,
    shares: Shares,
    /// What each origin has, by its number.
    origins: Vec<OfOrigin>,
    /// The lines whose kinds were removed, by owner and identifier.
    removed: BTreeMap<(String, String), Overflow>,
    shape: Shape,
    /// For the shapes of examples.
    other: Shape,
    dirty: Vec<Slot>,
    dirty_removed: BTreeSet<(String, String)>,
    deleted: Vec<Box<[u8]>>,
}

#[derive(Clone, Copy, Default)]
struct Near {
    slots: [Slot; VARIANTS],
    count: usize,
}

fn row_key(slot: Slot) -> Box<[u8]> {
    [b"k".as_slice(), &slot.to_be_bytes()].concat().into()
}

fn removed_key((owner, identifier): &(String, String)) -> Box<[u8]> {
    format!("m{owner}\0{identifier}").into_bytes().into()
}

impl Kinds {
    /// Counts a line.
    pub(in super::super) fn add(&mut self, line: &Line) {
        let mut shape = std::mem::take(&mut self.shape);
        shape.read(&line.message);
        let (owner, identifier) = (line.origin.owner.as_str(), line.origin.identifier.as_str());
        let group =
            Group { origin: origin_key(owner, identifier), level: line.level, priority: line.priority };
        let found = self.find(group, &shape).or_else(|| {
            let slot = self.insert_new(group, &shape, line)?;
            // It may have been joined with others.
            Some(self.join_near(group, &shape, 0, slot))
        });
        if let Some(slot) = found
            && let Some(kind) = &mut self.all[slot as usize]
        {
            kind.count += 1;
            kind.first = kind.first.min(line.time);
            kind.last = kind.last.max(line.time);
            for (mask, value) in shape.values(&line.message, kind.joined) {
                kind.values.count(mask, value);
            }
            if !line.origin.host.is_empty() {
                kind.values.count(Mask::Machine, &line.origin.host);
            }
            self.note_dirty(slot);
        }
        self.shape = shape;
    }

    fn find(&self, group: Group, shape: &Shape) -> Option<Slot> {
        if let Some(slot) = self.by_key.get(&key(group, shape, 0)) {
            return Some(*slot);
        }
        let origin = &self.origins[self.shares.find(group.origin)? as usize];
        let fits = |(words, joined): &&(usize, u64)| {
            *words == shape.words()
                && (0..*words).all(|n| !is_in(*joined, n) || !reports_trouble(shape.word(n)))
        };
        let keys = origin.joined.iter().filter(fits).map(|(_, joined)| key(group, shape, *joined));
        keys.filter_map(|key| self.by_key.get(&key)).copied().next()
    }

    /// Adds a kind without lines; `None` if its lines are only counted, because there are too many kinds.
    fn insert_new(&mut self, group: Group, shape: &Shape, line: &Line) -> Option<Slot> {
        if self.by_key.len() >= MAX_KINDS && !self.make_room(group, line) {
            return None;
        }
        let origin = self.give(&line.origin.owner, &line.origin.identifier);
        let example = &line.message[..floor_char_boundary(&line.message, SHAPE_LIMIT)];
        let kind = Kind {
            level: line.level,
            priority: line.priority,
            origin,
            key: key(group, shape, 0),
            joined: 0,
            count: 0,
            first: line.time,
            last: line.time,
            example: example.to_owned(),
            values: Values::default(),
            is_dirty: false,
        };
        Some(self.insert(kind))
    }

    /// Counts one more kind for an origin; returns its number.
    fn give(&mut self, owner: &str, identifier: &str) -> OriginSlot {
        let slot = self.shares.give(owner, identifier);
        if self.origins.len() <= slot as usize {
            self.origins.resize_with(slot as usize + 1, OfOrigin::default);
        }
        slot
    }

    fn insert(&mut self, kind: Kind) -> Slot {
        let (origin, key) = (kind.origin, kind.key);
        let slot = place(&mut self.all, &mut self.free, kind);
        self.register(slot, origin, key);
        self.note_dirty(slot);
        slot
    }

    fn register(&mut self, slot: Slot, origin: OriginSlot, key: ShapeKey) {
        self.by_key.insert(key, slot);
        self.origins[origin as usize].kinds.push(slot);
    }

    fn note_dirty(&mut self, slot: Slot) {
        if let Some(kind) = &mut self.all[slot as usize]
            && !std::mem::replace(&mut kind.is_dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// Joins a new kind with kinds that differ in one word; returns the slot that its lines have then.
    fn join_near(&mut self, group: Group, shape: &Shape, joined: u64, slot: Slot) -> Slot {
        for n in candidates(shape, joined) {
            let joined = joined | 1 << n;
            let key = key(group, shape, joined);
            let near = self.near.entry(key).or_default();
            near.slots[near.count] = slot;
            near.count += 1;
            if near.count == VARIANTS {
                let slots = near.slots;
                let slot = self.join(&slots, key, joined, shape.words());
                return self.join_near(group, shape, joined, slot);
            }
        }
        slot
    }

    /// Replaces kinds by one.
    fn join(&mut self, slots: &[Slot], key: ShapeKey, joined: u64, words: usize) -> Slot {
        let of_origin = self.all[slots[0] as usize].as_ref().map_or(0, |kind| kind.origin);
        // The origin stays the same while it has this one.
        self.shares.give_more(of_origin);
        let kinds: Vec<Kind> = slots.iter().filter_map(|slot| self.remove(*slot)).collect();
        let mut kinds = kinds.into_iter();
        // A bucket holds kinds that exist: their removal removes them from it.
        let mut whole = kinds.next().expect("four kinds are joined");
        let mut other = std::mem::take(&mut self.other);
        let variable = joined & !whole.joined;
        let count_words = |kind: &Kind, values: &mut Values, shape: &mut Shape| {
            shape.read(&kind.example);
            for n in (0..shape.words()).filter(|n| is_in(variable, *n)) {
                values.add(Mask::Word, shape.original(n, &kind.example), kind.count, 0);
            }
        };
        let mut values = Values::default();
        count_words(&whole, &mut values, &mut other);
        for kind in kinds {
            count_words(&kind, &mut values, &mut other);
            whole.count += kind.count;
            whole.last = whole.last.max(kind.last);
            if kind.first < whole.first {
                (whole.first, whole.example) = (kind.first, kind.example);
            }
            whole.values.merge(&kind.values);
        }
        whole.values.merge(&values);
        self.other = other;
        (whole.key, whole.joined, whole.is_dirty) = (key, joined, false);
        self.origins[whole.origin as usize].note_joined(words, joined);
        self.insert(whole)
    }

    fn remove(&mut self, slot: Slot) -> Option<Kind> {
        let kind = self.all[slot as usize].take()?;
        self.free.push(slot);
        self.by_key.remove(&kind.key);
        self.deleted.push(row_key(slot));
        let (owner, identifier) = self.shares.names(kind.origin);
        let group =
            Group { origin: origin_key(owner, identifier), level: kind.level, priority: kind.priority };
        let origin = &mut self.origins[kind.origin as usize];
        if let Some(at) = origin.kinds.iter().position(|known| *known == slot) {
            origin.kinds.swap_remove(at);
        }
        if self.shares.take(kind.origin) {
            *origin = OfOrigin::default();
        }
        let mut shape = std::mem::take(&mut self.other);
        shape.read(&kind.example);
        for n in candidates(&shape, kind.joined) {
            let key = key(group, &shape, kind.joined | 1 << n);
            let Some(near) = self.near.get_mut(&key) else { continue };
            if let Some(at) = near.slots[..near.count].iter().position(|known| *known == slot) {
                near.count -= 1;
                near.slots[at] = near.slots[near.count];
            }
            if near.count == 0 {
                self.near.remove(&key);
            }
        }
        self.other = shape;
        Some(kind)
    }

    /// Removes a kind of the origin that has most. Returns `false` if the new line's kind is the one to leave out.
    fn make_room(&mut self, group: Group, line: &Line) -> bool {
        let Some(of_origin) = self.shares.largest() else { return true };
        let origin = &mut self.origins[of_origin as usize];
        origin.hand = (origin.hand + 1) % origin.kinds.len().max(1);
        let around = origin.kinds.iter().cycle().skip(origin.hand).take(COMPARED.min(origin.kinds.len()));
        let known = |slot: &Slot| self.all[*slot as usize].as_ref();
        let weight = |kind: &Kind| (urgency(kind.priority), kind.count, kind.last);
        let lightest = around.filter(|slot| known(slot).is_some()).min_by_key(|slot| known(slot).map(weight));
        let Some(slot) = lightest.copied() else { return true };
        let removed = known(&slot).map_or(0, |kind| urgency(kind.priority));
        let (owner, identifier) = self.shares.names(of_origin);
        let name = (owner.to_owned(), identifier.to_owned());
        if self.shares.find(group.origin) == Some(of_origin) && urgency(line.priority) < removed {
            // It is less urgent than all kinds that could make room for it.
            self.note_removed(name, 1, line.time, line.time);
            return false;
        }
        if let Some(kind) = self.remove(slot) {
            self.note_removed(name, kind.count, kind.first, kind.last);
        }
        true
    }

    fn note_removed(&mut self, mut name: (String, String), count: u64, first: Timestamp, last: Timestamp) {
        if self.removed.len() >= MAX_REMOVED && !self.removed.contains_key(&name) {
            name = (String::new(), String::new());
        }
        let removed = self.removed.entry(name.clone()).or_default();
        removed.first = if removed.count == 0 { first } else { removed.first.min(first) };
        removed.last = removed.last.max(last);
        removed.count += count;
        self.dirty_removed.insert(name);
    }

    /// Returns the kinds, in no order.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.all.iter().flatten()
    }

    /// Returns the owner and the identifier of a kind's lines.
    pub(in super::super) fn origin_of(&self, kind: &Kind) -> (&str, &str) {
        self.shares.names(kind.origin)
    }

    /// Returns `true` if `knows` knows the shape of a kind, or one in which a word or two are variables: on another day,
    /// there may have been enough variants to join them.
    pub(in crate::daily_report) fn is_known(&self, kind: &Kind, knows: impl Fn(ShapeKey) -> bool) -> bool {
        if knows(kind.key) {
            return true;
        }
        let (owner, identifier) = self.origin_of(kind);
        let group =
            Group { origin: origin_key(owner, identifier), level: kind.level, priority: kind.priority };
        let mut shape = Shape::default();
        shape.read(&kind.example);
        let single: Vec<u64> = candidates(&shape, kind.joined).map(|n| kind.joined | 1 << n).collect();
        let knows = |joined: u64| knows(key(group, &shape, joined));
        single.iter().any(|joined| knows(*joined))
            || (single.len() <= MAX_PAIRED
                && single.iter().enumerate().any(|(n, a)| single[..n].iter().any(|b| knows(a | b))))
    }

    /// Returns the lines whose kinds were removed, by owner and identifier.
    pub(in super::super) fn removed(&self) -> &BTreeMap<(String, String), Overflow> {
        &self.removed
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Begins a new day.
    pub(in super::super) fn clear(&mut self) {
        let slots = (0u32..).zip(&self.all).filter(|(_, kind)| kind.is_some());
        let mut deleted: Vec<Box<[u8]>> = std::mem::take(&mut self.deleted);
        deleted.extend(slots.map(|(slot, _)| row_key(slot)));
        deleted.extend(self.removed.keys().map(removed_key));
        *self = Kinds { deleted, ..Kinds::default() };
    }
}

impl OfOrigin {
    fn note_joined(&mut self, words: usize, joined: u64) {
        if !self.joined.contains(&(words, joined)) {
            self.joined.push((words, joined));
        }
    }
}

/// Puts an item into a free place.
fn place<T>(items: &mut Vec<Option<T>>, free: &mut Vec<Slot>, item: T) -> Slot {
    if let Some(slot) = free.pop() {
        items[slot as usize] = Some(item);
        return slot;
    }
    items.push(Some(item));
    // There are never more than `MAX_KINDS`.
    Slot::try_from(items.len() - 1).unwrap_or(Slot::MAX)
}

//! The kinds of a day: found by the hash of their shape, bounded, and stored with the position.
//!
//! *Joining.* Masks leave lines apart that differ in a word of no known form: `session opened for alice`, `… bob`. Four
//! kinds that differ in one and the same word become one kind, with that word as a variable; so do later lines. The
//! idea is that of Drain (He et al., 2017), but stricter, because a rare important line must never vanish in noise: all
//! other words must be equal; the first two words, mostly the program and the verb, never become variables; nor do
//! words that report trouble (`failed`, `denied`).
//!
//! How often a word was a variable is bounded, too: a line that is not known is compared with each set of variables that
//! its origin has, so there are at most [`MAX_JOINED`] for lines with the same number of words.
//!
//! *Bounds.* A writer who makes every line a new shape must not push out the kinds of others. If there are too many
//! kinds, one is removed of the owner that has most, and of the origin that has most among the owner's: its lines are
//! then only counted. The owner is what a writer cannot choose (`_UID`); the origin also has an identifier, which a
//! local user can invent.

mod stored;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use pyruse_core::text::floor_char_boundary;
use pyruse_core::time::Timestamp;

use super::kind::{Group, Kind, ShapeKey, key, reports_trouble, urgency, wider_keys};
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

/// How many sets of variables the kinds of one origin can have whose lines have the same number of words: a line that
/// is not known is compared with each.
pub(super) const MAX_JOINED: usize = 32;

/// Lines with more words are not compared with shapes in which two are variables.
const MAX_PAIRED: usize = 16;

/// How many kinds are compared to find the one to remove.
const COMPARED: usize = 16;

type Slot = u32;

/// What an origin has.
#[derive(Debug, Default)]
struct OfOrigin {
    kinds: Vec<Slot>,
    /// For each number of words and set of variables, how many of its kinds have it.
    joined: BTreeMap<(usize, u64), usize>,
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
    slots: [Slot; VARIANTS - 1],
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
        let plain = key(group, &shape, 0);
        let found = self.find(group, &shape, plain).or_else(|| {
            let slot = self.insert_new(group, plain, line)?;
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

    /// Returns the kind of a shape, which has this key if none of its words is a variable.
    fn find(&self, group: Group, shape: &Shape, plain: ShapeKey) -> Option<Slot> {
        if let Some(slot) = self.by_key.get(&plain) {
            return Some(*slot);
        }
        let origin = &self.origins[self.shares.find(group.origin)? as usize];
        let words = shape.words();
        let fits = |joined: &u64| (0..words).all(|n| !is_in(*joined, n) || !reports_trouble(shape.word(n)));
        let keys = origin.joined_of(words).filter(fits).map(|joined| key(group, shape, joined));
        keys.filter_map(|key| self.by_key.get(&key)).copied().next()
    }

    /// Adds a kind without lines; `None` if its lines are only counted, because there are too many kinds.
    fn insert_new(&mut self, group: Group, plain: ShapeKey, line: &Line) -> Option<Slot> {
        if self.by_key.len() >= MAX_KINDS && !self.make_room(group, line) {
            return None;
        }
        let origin = self.give(&line.origin.owner, &line.origin.identifier);
        let example = &line.message[..floor_char_boundary(&line.message, SHAPE_LIMIT)];
        let kind = Kind {
            level: line.level,
            priority: line.priority,
            origin,
            key: plain,
            joined: 0,
            count: 0,
            first: line.time,
            last: line.time,
            example: example.to_owned(),
            values: Values::default(),
            at: 0,
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
        let slot = place(&mut self.all, &mut self.free, kind);
        self.register(slot);
        self.note_dirty(slot);
        slot
    }

    fn register(&mut self, slot: Slot) {
        let Some(kind) = &mut self.all[slot as usize] else { return };
        self.by_key.insert(kind.key, slot);
        let kinds = &mut self.origins[kind.origin as usize].kinds;
        kind.at = kinds.len();
        kinds.push(slot);
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
        for (joined, key) in wider_keys(group, shape, joined, 0) {
            let near = self.near.entry(key).or_default();
            if near.count + 1 < VARIANTS {
                near.slots[near.count] = slot;
                near.count += 1;
                continue;
            }
            let origin = self.all[slot as usize].as_ref().map(|kind| &self.origins[kind.origin as usize]);
            if origin.is_some_and(|origin| origin.can_join(shape.words(), joined)) {
                let [a, b, c] = near.slots;
                let slots = [a, b, c, slot];
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
        self.origins[whole.origin as usize].add_joined(words, joined);
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
        origin.kinds.swap_remove(kind.at);
        if let Some(moved) = origin.kinds.get(kind.at)
            && let Some(moved) = &mut self.all[*moved as usize]
        {
            moved.at = kind.at;
        }
        let mut shape = std::mem::take(&mut self.other);
        shape.read(&kind.example);
        origin.remove_joined(shape.words(), kind.joined);
        if self.shares.take(kind.origin) {
            *origin = OfOrigin::default();
        }
        for (_, key) in wider_keys(group, &shape, kind.joined, 0) {
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
        let (before, behind) = origin.kinds.split_at(origin.hand);
        let around = behind.iter().chain(before).take(COMPARED);
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
        let single: Vec<(u64, ShapeKey)> = wider_keys(group, &shape, kind.joined, 0).collect();
        let pairs = || {
            single.iter().flat_map(|(joined, _)| {
                let last = (joined & !kind.joined).trailing_zeros() as usize;
                wider_keys(group, &shape, *joined, last + 1)
            })
        };
        single.iter().any(|(_, key)| knows(*key))
            || (single.len() <= MAX_PAIRED && pairs().any(|(_, key)| knows(key)))
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
    /// Returns the sets of variables of its kinds with this number of words.
    fn joined_of(&self, words: usize) -> impl Iterator<Item = u64> {
        self.joined.range((words, 0)..=(words, u64::MAX)).map(|((_, joined), _)| *joined)
    }

    fn can_join(&self, words: usize, joined: u64) -> bool {
        self.joined.contains_key(&(words, joined)) || self.joined_of(words).count() < MAX_JOINED
    }

    fn add_joined(&mut self, words: usize, joined: u64) {
        *self.joined.entry((words, joined)).or_default() += 1;
    }

    fn remove_joined(&mut self, words: usize, joined: u64) {
        if let Entry::Occupied(mut kinds) = self.joined.entry((words, joined)) {
            *kinds.get_mut() -= 1;
            if *kinds.get() == 0 {
                kinds.remove();
            }
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

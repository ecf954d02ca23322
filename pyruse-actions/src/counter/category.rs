//! A category of counters: keys with their ticks and graces.
//!
//! The cost of an operation depends neither on the number of keys nor, on the disk, on the number of ticks: a raise
//! writes one row. Keys are chained in the order in which they were raised, so that the one to forget, when there are
//! too many, is at hand; and each operation looks at two further keys and removes what is over, so that memory
//! follows what is alive.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};

use pyruse_core::operation::Count;
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::Timestamp;

use super::keys::{self, Key, Keys, NONE, Place};
use super::ticks::Tick;

/// Bounds of a category.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) keys: usize,
    pub(super) ticks: usize,
}

/// A longer key is counted under its head and a hash of the whole: keys come from entries, and there may be many.
const LONG_KEY: usize = 200;

type Bytes = Box<[u8]>;

/// See the module.
pub(super) struct Category {
    name: String,
    caps: Caps,
    keys: Keys,
    oldest: Place,
    newest: Place,
    hand: Place,
    next_tick: u64,
    warned: bool,
    changes: Vec<(Bytes, Option<Bytes>)>,
}

// What a stored row is; the first byte of its key.
const TICK: u8 = b't';
const ENDLESS: u8 = b'n';
const GRACE: u8 = b'g';

impl Category {
    pub(super) fn configure(&mut self, name: &str, caps: Caps) {
        name.clone_into(&mut self.name);
        self.caps = Caps { keys: caps.keys.min(keys::MOST), ..caps };
    }

    /// One more tick until `end`, unless a grace holds; the count of ticks alive.
    pub(super) fn raise(&mut self, key: &str, now: Timestamp, end: Timestamp) -> usize {
        let key = bounded(key);
        self.sweep(now);
        let at = self.touch(&key);
        self.bury(at, now);
        let tick = Tick { end, number: self.next_tick };
        let cap = self.caps.ticks;
        let Some(held) = self.keys.get_mut(at) else { return 0 };
        if now < held.grace {
            return 0;
        }
        self.next_tick += 1;
        if held.ticks.count() >= cap {
            match held.ticks.take_first() {
                Some(first) => self.changes.push((tick_row(first.number, &key), None)),
                // All are endless: one for one.
                None => return cap,
            }
        }
        if end == Timestamp::NEVER {
            held.ticks.set_endless(held.ticks.endless() + 1);
            let count = held.ticks.count();
            self.store_endless(at, tick.number);
            return count;
        }
        held.ticks.add(tick);
        let count = held.ticks.count();
        self.changes.push((tick_row(tick.number, &key), Some(end.0.to_be_bytes().into())));
        count
    }

    /// Forgets the ticks; with `grace`, counts nothing until then.
    pub(super) fn reset(&mut self, key: &str, now: Timestamp, grace: Option<Timestamp>) {
        let key = bounded(key);
        self.sweep(now);
        if let Some(at) = self.keys.find(&key) {
            self.clear_ticks(at);
        } else if grace.is_none() {
            return;
        }
        if let Some(grace) = grace {
            let at = self.touch(&key);
            if let Some(held) = self.keys.get_mut(at) {
                held.grace = grace;
            }
            self.changes.push((row(GRACE, &key), Some(grace.0.to_be_bytes().into())));
        }
    }

    /// One tick less, the one that would live longest; the count of those left.
    pub(super) fn lower(&mut self, key: &str, now: Timestamp) -> usize {
        let key = bounded(key);
        self.sweep(now);
        let Some(at) = self.keys.find(&key) else { return 0 };
        self.bury(at, now);
        let number = self.next_tick;
        let Some(held) = self.keys.get_mut(at) else { return 0 };
        if held.ticks.endless() > 0 {
            held.ticks.set_endless(held.ticks.endless() - 1);
            let count = held.ticks.count();
            self.store_endless(at, number);
            return count;
        }
        if let Some(last) = held.ticks.take_last() {
            self.changes.push((tick_row(last.number, &key), None));
        }
        held.ticks.count()
    }

    /// Keys of which something is alive at `now`, in no order.
    pub(super) fn counts(&self, now: Timestamp) -> impl Iterator<Item = Count> {
        self.keys.iter().filter(move |key| key.is_alive(now)).map(move |key| self.shown(key, now))
    }

    /// How many there are.
    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.keys.iter().filter(|key| key.is_alive(now)).count()
    }

    /// What is alive of a key.
    pub(super) fn count_of(&self, key: &str, now: Timestamp) -> Option<Count> {
        let held = self.keys.get(self.keys.find(&bounded(key))?)?;
        held.is_alive(now).then(|| self.shown(held, now))
    }

    fn shown(&self, key: &Key, now: Timestamp) -> Count {
        let (count, ends) = key.ticks.alive(now);
        Count {
            category: self.name.clone(),
            key: key.text.to_string(),
            count: count as u64,
            grace: (now < key.grace).then_some(key.grace),
            ends,
        }
    }

    /// The place of a key, now the one raised last; made if it is not there.
    fn touch(&mut self, key: &str) -> Place {
        if let Some(at) = self.keys.find(key) {
            if at != self.newest {
                self.unchain(at);
                self.chain(at);
            }
            return at;
        }
        if self.keys.len() >= self.caps.keys {
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "counter `{}` has more than {} keys: those raised longest ago are forgotten",
                    self.name,
                    self.caps.keys
                );
            }
            self.forget(self.oldest);
        }
        self.insert(key)
    }

    fn insert(&mut self, key: &str) -> Place {
        let at = self.keys.insert(key);
        self.chain(at);
        at
    }

    fn chain(&mut self, at: Place) {
        let older = self.newest;
        if let Some(neighbour) = self.keys.get_mut(older) {
            neighbour.newer = at;
        } else {
            self.oldest = at;
        }
        if let Some(key) = self.keys.get_mut(at) {
            (key.older, key.newer) = (older, NONE);
        }
        self.newest = at;
    }

    fn unchain(&mut self, at: Place) {
        let Some((older, newer)) = self.keys.get(at).map(|key| (key.older, key.newer)) else { return };
        match self.keys.get_mut(older) {
            Some(neighbour) => neighbour.newer = newer,
            _ => self.oldest = newer,
        }
        match self.keys.get_mut(newer) {
            Some(neighbour) => neighbour.older = older,
            _ => self.newest = older,
        }
    }

    /// Removes the ticks of a key that are over.
    fn bury(&mut self, at: Place, now: Timestamp) {
        let Some(key) = self.keys.get_mut(at) else { return };
        while let Some(dead) = key.ticks.take_dead(now) {
            self.changes.push((tick_row(dead.number, &key.text), None));
        }
    }

    fn clear_ticks(&mut self, at: Place) {
        let Some(key) = self.keys.get_mut(at) else { return };
        if key.ticks.endless() > 0 {
            self.changes.push((row(ENDLESS, &key.text), None));
        }
        for tick in key.ticks.take_all() {
            self.changes.push((tick_row(tick.number, &key.text), None));
        }
    }

    fn store_endless(&mut self, at: Place, number: u64) {
        let Some(key) = self.keys.get(at) else { return };
        let count = key.ticks.endless();
        let value = [count.to_be_bytes().as_slice(), &number.to_be_bytes()].concat();
        self.changes.push((row(ENDLESS, &key.text), (count > 0).then(|| value.into())));
    }

    fn forget(&mut self, at: Place) {
        self.clear_ticks(at);
        self.unchain(at);
        if let Some(key) = self.keys.remove(at)
            && key.grace > Timestamp(i64::MIN)
        {
            self.changes.push((row(GRACE, &key.text), None));
        }
    }

    /// Looks at two keys and forgets those of which nothing is alive.
    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..2 {
            self.hand = self.keys.beside(self.hand);
            self.bury(self.hand, now);
            if self.keys.get(self.hand).is_some_and(|key| key.ticks.count() == 0 && key.grace <= now) {
                self.forget(self.hand);
            }
        }
    }
}

fn bounded(key: &str) -> Cow<'_, str> {
    if key.len() <= LONG_KEY {
        return key.into();
    }
    let mut head = LONG_KEY;
    while !key.is_char_boundary(head) {
        head -= 1;
    }
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(salt);
        hasher.write(key.as_bytes());
        hasher.finish()
    };
    format!("{}…{:016x}{:016x}", &key[..head], hash(0), hash(1)).into()
}

fn row(kind: u8, key: &str) -> Box<[u8]> {
    [&[kind], key.as_bytes()].concat().into()
}

fn tick_row(number: u64, key: &str) -> Box<[u8]> {
    [&[TICK], number.to_be_bytes().as_slice(), key.as_bytes()].concat().into()
}

impl Resource for Category {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut category = Category {
            name: String::new(),
            caps: Caps { keys: usize::MAX, ticks: usize::MAX },
            keys: Keys::default(),
            oldest: NONE,
            newest: NONE,
            hand: 0,
            next_tick: 0,
            warned: false,
            changes: Vec::new(),
        };
        // The number of the newest tick of each key gives back the order of raising.
        let mut raised: Vec<(u64, Place)> = Vec::new();
        for (key, value) in rows {
            category.load_row(&key, &value, &mut raised).ok_or("a row of a counter makes no sense")?;
        }
        raised.sort_unstable();
        for (_, at) in raised {
            category.unchain(at);
            category.chain(at);
        }
        Ok(category)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for (key, value) in self.changes.drain(..) {
            match value {
                Some(value) => changes.put(key, value),
                None => changes.delete(key),
            }
        }
    }
}

impl Category {
    fn load_row(&mut self, key: &[u8], value: &[u8], raised: &mut Vec<(u64, Place)>) -> Option<()> {
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let time = |bytes: &[u8]| bytes.try_into().map(|bytes| Timestamp(i64::from_be_bytes(bytes))).ok();
        let (kind, rest) = key.split_first()?;
        let (head, text) = if *kind == TICK { rest.split_at_checked(8)? } else { (&[][..], rest) };
        let text = std::str::from_utf8(text).ok()?;
        let at = self.keys.find(text).unwrap_or_else(|| self.insert(text));
        let entry = self.keys.get_mut(at)?;
        match *kind {
            TICK => {
                let tick = Tick { end: time(value)?, number: number(head)? };
                entry.ticks.add(tick);
                raised.push((tick.number, at));
            }
            ENDLESS => {
                let (count, newest) = value.split_at_checked(4)?;
                entry.ticks.set_endless(u32::from_be_bytes(count.try_into().ok()?));
                raised.push((number(newest)?, at));
            }
            GRACE => entry.grace = time(value)?,
            _ => return None,
        }
        if let Some((newest, _)) = raised.last() {
            self.next_tick = self.next_tick.max(newest + 1);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(keys: usize, ticks: usize) -> Category {
        let mut category = Category::load(Vec::new()).unwrap();
        category.configure("test", Caps { keys, ticks });
        category
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_tick_is_dead_at_exactly_its_end() {
        let mut c = category(10, 10);
        assert_eq!(c.raise("a", at(0), at(10)), 1);
        assert_eq!(c.raise("a", at(9), at(19)), 2);
        assert_eq!(c.raise("a", at(10), at(20)), 2);
        assert_eq!(c.raise("b", at(10), at(20)), 1);
    }

    #[test]
    fn during_a_grace_nothing_is_recorded() {
        let mut c = category(10, 10);
        c.raise("a", at(0), at(100));
        c.reset("a", at(1), Some(at(11)));
        assert_eq!(c.raise("a", at(10), at(110)), 0);
        assert_eq!(c.raise("a", at(11), at(111)), 1);
        c.reset("a", at(12), None);
        assert_eq!(c.raise("a", at(13), at(113)), 1);
    }

    #[test]
    fn lower_removes_the_tick_that_would_live_longest() {
        let mut c = category(10, 10);
        c.raise("a", at(0), at(10));
        c.raise("a", at(0), Timestamp::NEVER);
        c.raise("a", at(0), at(20));
        assert_eq!(c.lower("a", at(1)), 2);
        assert_eq!(c.lower("a", at(1)), 1);
        assert_eq!(c.raise("a", at(10), at(30)), 1, "the one that was left ended at 10");
        assert_eq!(c.lower("b", at(1)), 0);
    }

    #[test]
    fn the_key_raised_longest_ago_is_forgotten_and_the_oldest_tick_is() {
        let mut c = category(3, 4);
        for key in ["a", "b", "c", "a", "d"] {
            c.raise(key, at(0), at(100));
        }
        assert_eq!(c.raise("a", at(1), at(101)), 3);
        assert_eq!(c.raise("b", at(1), at(101)), 1, "b was forgotten for d");
        for _ in 0..10 {
            c.raise("a", at(2), at(102));
        }
        assert_eq!(c.raise("a", at(3), at(103)), 4);
        for _ in 0..10 {
            c.raise("n", at(2), Timestamp::NEVER);
        }
        assert_eq!(c.raise("n", at(3), Timestamp::NEVER), 4);
    }

    #[test]
    fn what_is_over_is_forgotten_as_others_come() {
        let mut c = category(100_000, 10);
        for n in 0..10_000 {
            c.raise(&n.to_string(), at(n), at(n + 10));
        }
        assert!(c.keys.len() < 100, "{}", c.keys.len());
        assert!(c.keys.len() < 200, "{}", c.keys.len());
    }

    #[test]
    fn a_category_is_the_same_after_it_was_stored_and_loaded() {
        let mut c = category(3, 10);
        c.raise("a", at(0), at(100));
        c.raise("b", at(1), Timestamp::NEVER);
        c.raise("b", at(2), Timestamp::NEVER);
        c.raise("a", at(3), at(50));
        c.lower("a", at(4));
        c.reset("c", at(4), Some(at(60)));
        let mut rows = std::collections::BTreeMap::new();
        for (key, value) in c.changes.drain(..) {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        let mut loaded = Category::load(rows.into_iter().collect()).unwrap();
        loaded.configure("test", Caps { keys: 3, ticks: 10 });
        for c in [&mut c, &mut loaded] {
            assert_eq!(c.raise("a", at(10), at(110)), 2);
            assert_eq!(c.raise("b", at(10), Timestamp::NEVER), 3);
            assert_eq!(c.raise("c", at(59), at(200)), 0);
            assert_eq!(c.raise("c", at(60), at(200)), 1);
        }
    }

    #[test]
    fn a_huge_key_does_not_cost_its_size() {
        let mut c = category(10, 10);
        let long = "ä".repeat(30_000);
        c.raise(&long, at(0), at(10));
        assert_eq!(c.raise(&long, at(0), at(10)), 2);
        assert_eq!(c.raise(&format!("{long}x"), at(0), at(10)), 1);
        assert!(c.keys.iter().all(|key| key.text.len() < 300));
    }
}

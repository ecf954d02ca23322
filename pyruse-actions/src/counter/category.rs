//! A category of counters: keys with their ticks and graces.
//!
//! The count at an entry is that of its own time, whatever was read before it. So a tick has a beginning and an end: an
//! entry that comes late does not see later ones, and a reset or a grace holds for what comes late, too. What is over
//! stays for [a day](LATE) for such entries, as long as there is little of it.
//!
//! The cost of an operation depends neither on the number of keys nor, on the disk, on the number of ticks: a raise
//! writes one row. Keys are chained in the order in which they were raised, so that the one to forget, when there are
//! too many, is at hand; and each operation looks at two further keys and removes what is over, so that memory
//! follows what is alive.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use pyruse_core::operation::Count;
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::{Ends, Now, Step, Timestamp};

use super::keys::{self, Key, Keys, NONE, Place};
use super::marks::{Grace, Marks};
use super::ticks::{Ended, Tick, UNKNOWN};

/// Bounds of a category.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) keys: usize,
    pub(super) ticks: usize,
}

/// A longer key is counted under its head and a hash of the whole: keys come from entries, and there may be many.
const LONG_KEY: usize = 200;

/// What is over is kept for entries that come this late …
const LATE: i64 = 24 * 3_600_000_000;

/// … as long as a key has no more ticks than these …
const FEW_TICKS: usize = 128;

/// … and its category no more keys than these, nor half of what it may have.
const FEW_KEYS: usize = 4096;

/// Of ticks that never end, the oldest are only counted: when there are so many, half of them.
const FOLDED_AT: usize = 128;

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
    /// Of all steps that name it.
    longest_keep: u64,
    longest_grace: u64,
    changes: Vec<(Bytes, Option<Bytes>)>,
}

// What a stored row is; the first byte of its key. Behind it come, of a tick, its number, of a reset and a grace, their
// time; then the text of the key.
const TICK: u8 = b't';
/// Ticks that are only counted.
const FOLDED: u8 = b'n';
const RESET: u8 = b'r';
const GRACE: u8 = b'G';
/// A grace as earlier versions stored it, without its beginning.
const OLD_GRACE: u8 = b'g';

impl Category {
    pub(super) fn configure(&mut self, name: &str, caps: Caps) {
        name.clone_into(&mut self.name);
        self.caps = Caps { keys: caps.keys.min(keys::MOST), ..caps };
    }

    /// A step raises it for so long, or gives so long a grace.
    pub(super) fn expect(&mut self, keep_seconds: u64, grace_seconds: u64) {
        self.longest_keep = self.longest_keep.max(keep_seconds);
        self.longest_grace = self.longest_grace.max(grace_seconds);
    }

    /// One more tick until `end`, unless a grace holds; the count of ticks alive.
    pub(super) fn raise(&mut self, key: &str, now: Timestamp, end: Timestamp) -> usize {
        let key = bounded(key);
        self.sweep(now);
        let at = self.touch(&key);
        self.bury(at, now);
        let number = self.next_tick;
        let cap = self.caps.ticks;
        let Some(held) = self.keys.get_mut(at) else { return 0 };
        if held.grace(now).is_some() {
            return 0;
        }
        self.next_tick += 1;
        if held.ticks.len() >= cap {
            self.make_room(at, now);
        }
        let Some(held) = self.keys.get_mut(at) else { return 0 };
        // A reset that came first, but is later, holds for this tick too.
        let reset = held.marks.as_ref().and_then(|marks| marks.next_reset(now));
        let tick = Tick { end: reset.map_or(end, |reset| end.min(reset)), start: now, number };
        held.ticks.add(tick);
        let count = held.ticks.count(now);
        self.changes.push((tick_row(number, &key), Some(tick_value(tick))));
        if tick.end == Timestamp::NEVER {
            self.fold(at, number);
        }
        count
    }

    /// Ends what counts for a key at that time; with `grace`, counts nothing from then until its end.
    pub(super) fn reset(&mut self, key: &str, now: Timestamp, grace: Option<Timestamp>) {
        let key = bounded(key);
        self.sweep(now);
        // A key that is not there has nothing to forget.
        let at = match self.keys.find(&key) {
            Some(at) if grace.is_none() => at,
            None if grace.is_none() => return,
            _ => self.touch(&key),
        };
        self.end_ticks(at, now);
        let Some(held) = self.keys.get_mut(at) else { return };
        let marks = held.marks.get_or_insert_default();
        let forgotten = marks.add_reset(now);
        self.changes.push((mark_row(RESET, now, &key), Some(Box::default())));
        self.changes.extend(forgotten.map(|forgotten| (mark_row(RESET, forgotten, &key), None)));
        let Some(end) = grace else { return };
        let forgotten = marks.add_grace(Grace { start: now, end });
        self.changes.push((mark_row(GRACE, now, &key), Some(end.0.to_be_bytes().into())));
        self.changes.extend(forgotten.map(|forgotten| (grace_row(forgotten, &key), None)));
        // What was counted in a grace that came late is not counted.
        let Key { ticks, marks: Some(marks), .. } = held else { return };
        if now < ticks.last_start() {
            let changes = &mut self.changes;
            ticks.change(|tick| {
                let is_kept = tick.start <= now || marks.grace(tick.start).is_none();
                if !is_kept {
                    changes.push((tick_row(tick.number, &key), None));
                }
                is_kept
            });
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
        let ended = held.ticks.end_longest(now);
        let count = held.ticks.count(now);
        match ended {
            Ended::None => {}
            Ended::Folded => self.store_folded(at, number),
            Ended::Held(tick) => self.changes.push((tick_row(tick.number, &key), Some(tick_value(tick)))),
        }
        count
    }

    /// Forgets the ticks of a key, whatever their time; what it was. `None`: nothing was alive.
    pub(super) fn forget_ticks(&mut self, key: &str, now: Timestamp) -> Option<Count> {
        let at = self.keys.find(&bounded(key))?;
        let held = self.keys.get(at).filter(|held| held.is_alive(now))?;
        let count = self.shown(held, now);
        self.clear_ticks(at);
        Some(count)
    }

    /// Gives what an earlier version stored without a beginning the longest span that the configuration knows.
    pub(super) fn complete(&mut self, now: Timestamp) {
        let [keep, grace] = [self.longest_keep, self.longest_grace].map(Duration::from_secs);
        let late = |end: Timestamp, span: Duration| {
            let mut ends = Ends::without_span(end).with_span(span);
            (!span.is_zero() && ends.adjust(Step::loaded(Now::at(now)))).then_some(ends.at())
        };
        for at in 0..self.keys.places() {
            let Some(key) = self.keys.get_mut(at) else { continue };
            let changes = &mut self.changes;
            if key.ticks.iter().any(|tick| tick.start == UNKNOWN && late(tick.end, keep).is_some()) {
                key.ticks.change(|tick| {
                    if let Some(end) = late(tick.end, keep).filter(|_| tick.start == UNKNOWN) {
                        *tick = Tick { end, start: now, ..*tick };
                        changes.push((tick_row(tick.number, &key.text), Some(tick_value(*tick))));
                    }
                    true
                });
            }
            let Some(marks) = &mut key.marks else { continue };
            let unknown = marks.graces().first().copied().filter(|first| first.start == UNKNOWN);
            if let Some(end) = unknown.and_then(|first| late(first.end, grace)) {
                marks.add_grace(Grace { start: UNKNOWN, end });
                changes.push((row(OLD_GRACE, &key.text), Some(end.0.to_be_bytes().into())));
            }
        }
    }

    /// Keys of which something is alive at `now`, in no order.
    pub(super) fn counts(&self, now: Timestamp) -> impl Iterator<Item = Count> {
        self.keys.iter().filter(move |key| key.is_alive(now)).map(move |key| self.shown(key, now))
    }

    /// How many there are.
    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.keys.iter().filter(|key| key.is_alive(now)).count()
    }

    fn shown(&self, key: &Key, now: Timestamp) -> Count {
        let (count, ends) = key.ticks.shown(now);
        Count {
            category: self.name.clone(),
            key: key.text.to_string(),
            count: count as u64,
            grace: key.grace(now),
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

    /// From when on what is over is kept.
    fn kept_since(&self, now: Timestamp) -> Timestamp {
        let is_crowded = self.keys.len() > FEW_KEYS.min(self.caps.keys / 2);
        if is_crowded { now } else { Timestamp(now.0.saturating_sub(LATE)) }
    }

    /// Removes the ticks of a key that are over, but those that an entry may still ask for.
    fn bury(&mut self, at: Place, now: Timestamp) {
        let kept = self.kept_since(now);
        let Some(key) = self.keys.get_mut(at) else { return };
        while let Some(dead) = key.ticks.take_dead(if key.ticks.len() > FEW_TICKS { now } else { kept }) {
            self.changes.push((tick_row(dead.number, &key.text), None));
        }
    }

    /// The same for resets and graces.
    fn bury_marks(&mut self, at: Place, now: Timestamp) {
        let kept = self.kept_since(now);
        let Some(key) = self.keys.get_mut(at) else { return };
        let Some(marks) = &mut key.marks else { return };
        let dead = marks.take_dead(kept);
        if marks.is_empty() {
            key.marks = None;
        }
        if !dead.is_empty() {
            let text = key.text.clone();
            self.delete_marks(&dead, &text);
        }
    }

    /// A key has as many ticks as it may have: makes room for one.
    fn make_room(&mut self, at: Place, now: Timestamp) {
        let number = self.next_tick;
        let cap = self.caps.ticks;
        let Some(key) = self.keys.get_mut(at) else { return };
        while let Some(dead) = key.ticks.take_dead(now) {
            self.changes.push((tick_row(dead.number, &key.text), None));
        }
        if key.ticks.len() < cap {
            return;
        }
        // All that are held are endless: those that are only counted are older.
        if key.ticks.folded() > 0 && key.ticks.iter().next().is_none_or(|tick| tick.end == Timestamp::NEVER) {
            key.ticks.set_folded(key.ticks.folded() - 1);
            self.store_folded(at, number);
        } else if let Some(first) = key.ticks.take_first() {
            self.changes.push((tick_row(first.number, &key.text), None));
        }
    }

    /// Of many ticks that never end, the oldest become a number.
    fn fold(&mut self, at: Place, number: u64) {
        let Some(key) = self.keys.get_mut(at) else { return };
        let folded = key.ticks.fold(FOLDED_AT, FOLDED_AT / 2);
        if folded.is_empty() {
            return;
        }
        self.changes.extend(folded.into_iter().map(|tick| (tick_row(tick.number, &key.text), None)));
        self.store_folded(at, number);
    }

    /// Ends the ticks that have begun by `now`.
    fn end_ticks(&mut self, at: Place, now: Timestamp) {
        let Some(key) = self.keys.get_mut(at) else { return };
        let Key { text, ticks, .. } = key;
        if ticks.folded() > 0 {
            self.changes.push((row(FOLDED, text), None));
        }
        // In order, all are over now: what would not be kept need not be ended.
        while now >= ticks.last_start() && ticks.len() > FEW_TICKS + ticks.folded() as usize {
            let Some(first) = ticks.take_first() else { break };
            self.changes.push((tick_row(first.number, text), None));
        }
        let ended = ticks.end_all(now);
        self.changes
            .extend(ended.into_iter().map(|tick| (tick_row(tick.number, text), Some(tick_value(tick)))));
    }

    fn clear_ticks(&mut self, at: Place) {
        let Some(key) = self.keys.get_mut(at) else { return };
        if key.ticks.folded() > 0 {
            self.changes.push((row(FOLDED, &key.text), None));
        }
        for tick in key.ticks.take_all() {
            self.changes.push((tick_row(tick.number, &key.text), None));
        }
    }

    fn store_folded(&mut self, at: Place, number: u64) {
        let Some(key) = self.keys.get(at) else { return };
        let count = key.ticks.folded();
        let value = [count.to_be_bytes().as_slice(), &number.to_be_bytes()].concat();
        self.changes.push((row(FOLDED, &key.text), (count > 0).then(|| value.into())));
    }

    fn delete_marks(&mut self, marks: &Marks, text: &str) {
        self.changes.extend(marks.resets().iter().map(|reset| (mark_row(RESET, *reset, text), None)));
        self.changes.extend(marks.graces().iter().map(|grace| (grace_row(*grace, text), None)));
    }

    fn forget(&mut self, at: Place) {
        self.clear_ticks(at);
        self.unchain(at);
        if let Some(Key { text, marks: Some(marks), .. }) = self.keys.remove(at) {
            self.delete_marks(&marks, &text);
        }
    }

    /// Looks at two keys and forgets those of which nothing is left.
    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..2 {
            self.hand = self.keys.beside(self.hand);
            self.bury(self.hand, now);
            self.bury_marks(self.hand, now);
            if self.keys.get(self.hand).is_some_and(Key::is_empty) {
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

fn tick_value(tick: Tick) -> Box<[u8]> {
    [tick.end.0.to_be_bytes(), tick.start.0.to_be_bytes()].concat().into()
}

fn mark_row(kind: u8, at: Timestamp, key: &str) -> Box<[u8]> {
    [&[kind], at.0.to_be_bytes().as_slice(), key.as_bytes()].concat().into()
}

fn grace_row(grace: Grace, key: &str) -> Box<[u8]> {
    if grace.start == UNKNOWN { row(OLD_GRACE, key) } else { mark_row(GRACE, grace.start, key) }
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
            longest_keep: 0,
            longest_grace: 0,
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

    fn adjust(&mut self, step: Step) {
        for at in 0..self.keys.places() {
            self.adjust_key(at, step);
        }
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
    /// What lies in the future lies there because the clock was wrong; it begins now, and lasts as long as it would have.
    fn adjust_key(&mut self, at: Place, step: Step) {
        let Some(key) = self.keys.get_mut(at) else { return };
        let Key { text, ticks, marks, .. } = key;
        let changes = &mut self.changes;
        // By the clock that was wrong, it was then.
        let newest = marks.as_ref().map_or(UNKNOWN, |marks| marks.newest()).max(ticks.last_start());
        let then = if step.is_load() { newest } else { step.before() };
        if ticks.iter().any(|tick| adjusted(tick.start, tick.end, step).is_some()) {
            ticks.change(|tick| {
                let Some((start, end)) = adjusted(tick.start, tick.end, step) else { return true };
                // It was over then, and must not count again.
                let is_kept = then < tick.end;
                *tick = Tick { end, start, ..*tick };
                changes.push((tick_row(tick.number, text), is_kept.then(|| tick_value(*tick))));
                is_kept
            });
        }
        let Some(marks) = marks else { return };
        if !marks.graces().iter().any(|grace| adjusted(grace.start, grace.end, step).is_some())
            && !marks.resets().iter().any(|reset| adjusted(*reset, *reset, step).is_some())
        {
            return;
        }
        let old = std::mem::take(marks);
        for reset in old.resets() {
            let now = adjusted(*reset, *reset, step).map_or(*reset, |(start, _)| start);
            changes.push((mark_row(RESET, *reset, text), None));
            marks.add_reset(now);
        }
        for grace in old.graces() {
            let (start, end) = adjusted(grace.start, grace.end, step).unwrap_or((grace.start, grace.end));
            changes.push((grace_row(*grace, text), None));
            // Of several in the future, the newest word counts.
            marks.add_grace(Grace { start, end });
        }
        changes
            .extend(marks.resets().iter().map(|reset| (mark_row(RESET, *reset, text), Some(Box::default()))));
        let value = |grace: &Grace| grace.end.0.to_be_bytes().into();
        changes.extend(marks.graces().iter().map(|grace| (grace_row(*grace, text), Some(value(grace)))));
    }

    fn load_row(&mut self, key: &[u8], value: &[u8], raised: &mut Vec<(u64, Place)>) -> Option<()> {
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let time = |bytes: &[u8]| bytes.try_into().map(|bytes| Timestamp(i64::from_be_bytes(bytes))).ok();
        let (kind, rest) = key.split_first()?;
        let has_head = [TICK, RESET, GRACE].contains(kind);
        let (head, text) = if has_head { rest.split_at_checked(8)? } else { (&[][..], rest) };
        let text = std::str::from_utf8(text).ok()?;
        let at = self.keys.find(text).unwrap_or_else(|| self.insert(text));
        let entry = self.keys.get_mut(at)?;
        match *kind {
            TICK => {
                let (end, start) = value.split_at_checked(8)?;
                let start = if start.is_empty() { UNKNOWN } else { time(start)? };
                let tick = Tick { end: time(end)?, start, number: number(head)? };
                entry.ticks.add(tick);
                raised.push((tick.number, at));
            }
            FOLDED => {
                let (count, newest) = value.split_at_checked(4)?;
                entry.ticks.set_folded(u32::from_be_bytes(count.try_into().ok()?));
                raised.push((number(newest)?, at));
            }
            RESET => {
                entry.marks.get_or_insert_default().add_reset(time(head)?);
            }
            GRACE | OLD_GRACE => {
                let start = if *kind == GRACE { time(head)? } else { UNKNOWN };
                entry.marks.get_or_insert_default().add_grace(Grace { start, end: time(value)? });
            }
            _ => return None,
        }
        if let Some((newest, _)) = raised.last() {
            self.next_tick = self.next_tick.max(newest + 1);
        }
        Some(())
    }
}

/// When it begins and ends, if it cannot have begun when it says: later than now, or by a clock that was not set.
fn adjusted(start: Timestamp, end: Timestamp, step: Step) -> Option<(Timestamp, Timestamp)> {
    if start == UNKNOWN {
        return None;
    }
    let mut begins = Ends::after(start, Duration::ZERO);
    let moved = begins.adjust(step).then_some(begins.at())?;
    let end = if end == Timestamp::NEVER { end } else { Timestamp(end.0 + (moved.0 - start.0)) };
    Some((moved, end))
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
        assert!(c.keys.len() < FEW_KEYS + 100, "{}", c.keys.len());
        assert_eq!(c.live(at(9_999)), 10);
        // A day later, nothing is left of them.
        for n in 0..10_000 {
            c.raise("a", at(100_000 + n), at(100_000 + n));
        }
        assert_eq!(c.keys.len(), 1);
    }

    #[test]
    fn a_late_entry_counts_for_its_own_time() {
        let mut c = category(10, 100);
        for n in 0..4 {
            assert_eq!(c.raise("a", at(7200 + n), at(7800 + n)), 1 + usize::try_from(n).unwrap());
        }
        assert_eq!(c.raise("a", at(0), at(600)), 1, "two hours late");
        assert_eq!(c.raise("a", at(500), at(1100)), 2);
        assert_eq!(c.raise("a", at(599), at(1199)), 3);
        assert_eq!(c.raise("a", at(600), at(1200)), 3, "the first ended at 600");
        assert_eq!(c.raise("a", at(7204), at(7804)), 5);
        assert_eq!(c.raise("a", at(7202), at(7802)), 4, "the third of those, and itself");
    }

    #[test]
    fn a_reset_ends_what_is_earlier_whenever_that_comes() {
        let mut c = category(10, 100);
        c.raise("a", at(10), at(100));
        c.raise("a", at(30), at(120));
        c.reset("a", at(20), None);
        assert_eq!(c.raise("a", at(31), at(121)), 2, "that of 30 is later than the reset");
        assert_eq!(c.raise("a", at(15), at(105)), 2, "the reset had not come yet");
        assert_eq!(c.raise("a", at(32), at(122)), 3, "that of 15 is over since 20");
        assert_eq!(c.lower("a", at(19)), 1);
        assert_eq!(c.lower("a", at(33)), 2);
    }

    #[test]
    fn a_grace_is_an_interval_and_holds_for_what_comes_late() {
        let mut c = category(10, 100);
        c.raise("a", at(50), at(200));
        c.raise("a", at(70), at(200));
        c.reset("a", at(40), Some(at(60)));
        assert_eq!(c.raise("a", at(39), at(200)), 1, "before the grace");
        assert_eq!(c.raise("a", at(59), at(200)), 0);
        assert_eq!(c.raise("a", at(71), at(200)), 2, "that of 50 was in the grace, that of 39 was reset");
        c.reset("a", at(45), Some(at(46)));
        assert_eq!(c.raise("a", at(50), at(200)), 1, "the newer grace took the place of the older");
        assert_eq!(c.raise("a", at(44), at(200)), 0);
    }

    #[test]
    fn of_ticks_that_never_end_most_are_only_a_number() {
        let mut c = category(10, 1000);
        for n in 0..600 {
            c.raise("a", at(n), Timestamp::NEVER);
        }
        let held = c.keys.iter().next().unwrap().ticks.iter().count();
        assert!(held < FOLDED_AT, "{held}");
        assert_eq!(c.raise("a", at(600), Timestamp::NEVER), 601);
        assert_eq!(c.raise("a", at(590), Timestamp::NEVER), 592);
        for left in (0..602).rev() {
            assert_eq!(c.lower("a", at(601)), left);
        }
        assert_eq!(c.lower("a", at(601)), 0);
        for n in 0..2000 {
            c.raise("b", at(n), Timestamp::NEVER);
        }
        assert_eq!(c.raise("b", at(2000), Timestamp::NEVER), 1000);
    }

    #[test]
    fn of_a_flood_that_is_over_little_is_kept() {
        let mut c = category(10, 65_536);
        for n in 0..5000 {
            c.raise("a", at(n / 100), at(n / 100 + 10));
        }
        assert!(c.keys.iter().next().unwrap().ticks.len() <= 1000 + FEW_TICKS);
        c.raise("a", at(1000), at(1010));
        assert!(c.keys.iter().next().unwrap().ticks.len() <= FEW_TICKS + 1);
        for n in 0..5000 {
            c.raise("a", at(1000), at(2000 + n));
        }
        c.reset("a", at(1001), None);
        assert!(c.keys.iter().next().unwrap().ticks.len() <= FEW_TICKS);
    }

    /// A clock that is set to this time, having shown `before`.
    fn set(now: Timestamp, before: Timestamp) -> Step {
        Step { now: Now::at(now), by: now.0 - before.0 }
    }

    #[test]
    fn what_a_clock_that_was_ahead_left_behind_lasts_no_longer_than_it_would_have() {
        let now = at(1_795_000_000);
        let ahead = now.plus_seconds(1_000_000_000);
        let later = |seconds| ahead.plus_seconds(seconds);
        for step in [set(now, later(30)), Step::loaded(Now::at(now))] {
            let mut c = category(10, 100);
            for n in 0..4 {
                c.raise("innocent", later(n), later(n + 600));
            }
            c.reset("attacker", later(10), Some(later(3610)));
            for n in 0..4 {
                c.raise("forgiven", later(n), later(n + 600));
            }
            c.reset("forgiven", later(20), None);
            c.adjust(step);
            let seconds = |seconds| now.plus_seconds(seconds);
            assert_eq!(c.raise("attacker", seconds(3599), seconds(4000)), 0);
            assert_eq!(c.raise("attacker", seconds(3600), seconds(4000)), 1);
            assert_eq!(c.raise("innocent", seconds(599), seconds(1199)), 5);
            assert_eq!(c.raise("innocent", seconds(600), seconds(1200)), 2);
            assert_eq!(c.raise("forgiven", seconds(1), seconds(600)), 1);
        }
    }

    #[test]
    fn what_an_earlier_version_stored_without_a_beginning_is_believed_for_the_longest_span() {
        let now = at(1_795_000_000);
        let ahead = now.plus_seconds(1_000_000_000);
        let text = |end: Timestamp| end.0.to_be_bytes().into();
        let rows = vec![
            (row(OLD_GRACE, "attacker"), text(ahead)),
            (row(OLD_GRACE, "in grace"), text(now.plus_seconds(60))),
            (tick_row(1, "innocent"), text(ahead)),
            (tick_row(2, "guessing"), text(now.plus_seconds(60))),
        ];
        let mut c = Category::load(rows).unwrap();
        c.configure("test", Caps { keys: 10, ticks: 10 });
        c.adjust(Step::loaded(Now::at(now)));
        c.expect(600, 0);
        c.expect(0, 3600);
        c.complete(now);
        let seconds = |seconds| now.plus_seconds(seconds);
        assert_eq!(c.raise("in grace", seconds(59), seconds(600)), 0);
        assert_eq!(c.raise("in grace", seconds(60), seconds(600)), 1);
        assert_eq!(c.raise("attacker", seconds(3599), seconds(9999)), 0);
        assert_eq!(c.raise("attacker", seconds(3600), seconds(9999)), 1);
        assert_eq!(c.raise("guessing", seconds(59), seconds(659)), 2);
        assert_eq!(c.raise("innocent", seconds(599), seconds(1199)), 2);
        assert_eq!(c.raise("innocent", seconds(600), seconds(1200)), 2);
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

//! A category of counters: keys with their ticks and grace periods.
//!
//! The count at an entry is that of the entry's own time, whatever was read before it. So a tick has a beginning and an
//! end: an entry that is read late does not count later ticks, and a reset or a grace period also applies to entries
//! that are read late. Expired items are kept for [a day](LATE) for such entries, if there are few of them.
//!
//! The keys are in a [`Keyed`] store: if there are too many, the one raised longest ago is forgotten, and each
//! operation checks two further keys and removes what has expired. Unlike other stores, a key does not expire as a
//! whole: each of its ticks does, and takes 32 bytes of memory and a row on disk. So a raise writes one row, however
//! many ticks its key has.

use pyruse_core::operation::CounterValue;
use pyruse_core::state::{ItemIndex, Keyed};
use pyruse_core::time::Timestamp;

use super::keys::{Key, stored_text};
use super::marks::Grace;
use super::rows::ChangedRows;
use super::ticks::{Ended, Tick};

/// The limits of a category.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) keys: usize,
    pub(super) ticks: usize,
}

/// Expired items are kept for entries that are this late …
const LATE: i64 = 24 * 3_600_000_000;

/// … if a key has at most this many ticks …
pub(super) const FEW_TICKS: usize = 128;

/// … and its category at most this many keys, and at most half of its limit.
pub(super) const FEW_KEYS: usize = 4096;

/// If a key has this many ticks that never end, half of them are replaced by a number.
pub(super) const FOLDED_AT: usize = 128;

/// A category; see the module documentation.
pub(super) struct Category {
    name: String,
    pub(super) caps: Caps,
    pub(super) keys: Keyed<Key>,
    pub(super) next_tick: u64,
    warned: bool,
    /// The longest durations of all steps that name this category.
    pub(super) longest_keep: u64,
    pub(super) longest_grace: u64,
    /// Whether a step saves the values that are counted: only then their texts are kept.
    pub(super) keeps_values: bool,
    pub(super) rows: ChangedRows,
}

impl Default for Category {
    fn default() -> Category {
        Category {
            name: String::new(),
            caps: Caps { keys: ItemIndex::MAX_ITEMS, ticks: usize::MAX },
            keys: Keyed::default(),
            next_tick: 0,
            warned: false,
            longest_keep: 0,
            longest_grace: 0,
            keeps_values: false,
            rows: ChangedRows::default(),
        }
    }
}

impl Category {
    pub(super) fn configure(&mut self, name: &str, caps: Caps) {
        name.clone_into(&mut self.name);
        self.caps = Caps { keys: caps.keys.min(ItemIndex::MAX_ITEMS), ..caps };
    }

    /// Notes the durations that a step uses.
    pub(super) fn note_durations(&mut self, keep_seconds: u64, grace_seconds: u64) {
        self.longest_keep = self.longest_keep.max(keep_seconds);
        self.longest_grace = self.longest_grace.max(grace_seconds);
    }

    /// Adds a tick that lives until `end`, unless there is a grace period; returns the number of live ticks.
    pub(super) fn raise(&mut self, key: &str, now: Timestamp, end: Timestamp) -> usize {
        let key = stored_text(key);
        self.sweep(now);
        let at = self.touch(&key);
        self.remove_expired(at, now);
        if self.keys[at].grace(now).is_some() {
            return 0;
        }
        let number = self.next_tick;
        self.next_tick += 1;
        if self.keys[at].ticks.len() >= self.caps.ticks {
            self.make_room(at, now, self.caps.ticks);
        }
        let held = &mut self.keys[at];
        // A reset that was read before, but is later, also ends this tick.
        let reset = held.marks.as_ref().and_then(|marks| marks.next_reset(now));
        let tick = Tick { end: reset.map_or(end, |reset| end.min(reset)), start: now, number, value: 0 };
        held.ticks.add(tick);
        let count = held.ticks.count(now);
        self.rows.put_tick(tick, &key);
        if tick.end == Timestamp::NEVER {
            self.fold(at, number);
        }
        count
    }

    /// Ends the live ticks of a key at `now`; with `grace`, nothing is counted from then until that time.
    pub(super) fn reset(&mut self, key: &str, now: Timestamp, grace: Option<Timestamp>) {
        let key = stored_text(key);
        self.sweep(now);
        // A key that does not exist needs no reset.
        let at = match self.keys.find(&key) {
            Some(at) if grace.is_none() => at,
            None if grace.is_none() => return,
            _ => self.touch(&key),
        };
        self.end_ticks(at, now);
        let Category { keys, rows, .. } = self;
        let Key { ticks, marks, .. } = &mut keys[at];
        let marks = marks.get_or_insert_default();
        let forgotten = marks.add_reset(now);
        rows.put_reset(now, &key);
        if let Some(forgotten) = forgotten {
            rows.delete_reset(forgotten, &key);
        }
        let Some(end) = grace else { return };
        let grace = Grace { start: now, end };
        let forgotten = marks.add_grace(grace);
        rows.put_grace(grace, &key);
        if let Some(forgotten) = forgotten {
            rows.delete_grace(forgotten, &key);
        }
        // Ticks within a grace period that is read late do not count.
        if now < ticks.last_start() {
            ticks.change(|tick| {
                let is_kept = tick.start <= now || marks.grace(tick.start).is_none();
                if !is_kept {
                    rows.delete_tick(*tick, &key);
                }
                is_kept
            });
        }
    }

    /// Ends one tick, the one that would live longest; returns the number of those left.
    pub(super) fn lower(&mut self, key: &str, now: Timestamp) -> usize {
        let key = stored_text(key);
        self.sweep(now);
        let Some(at) = self.keys.find(&key) else { return 0 };
        self.remove_expired(at, now);
        let held = &mut self.keys[at];
        let ended = held.ticks.end_longest(now);
        match ended {
            Ended::None => {}
            Ended::Folded => self.store_folded(at, self.next_tick),
            Ended::Held(tick) => {
                self.rows.put_tick(tick, &key);
                if tick.value != 0 && held.ticks.overlaps() {
                    held.ticks
                        .end_value(tick.value, now)
                        .into_iter()
                        .for_each(|tick| self.rows.put_tick(tick, &key));
                }
            }
        }
        self.keys[at].ticks.count(now)
    }

    /// Returns the number of live ticks.
    pub(super) fn count(&self, key: &str, now: Timestamp) -> usize {
        self.keys.find(&stored_text(key)).map_or(0, |at| self.keys[at].ticks.count(now))
    }

    /// Removes all ticks of a key, whatever their time; returns the former count, or `None` if nothing was alive.
    pub(super) fn forget_ticks(&mut self, key: &str, now: Timestamp) -> Option<CounterValue> {
        let at = self.keys.find(&stored_text(key)).filter(|at| self.keys[*at].is_alive(now))?;
        let count = self.shown(&self.keys[at], now);
        self.clear_ticks(at);
        Some(count)
    }

    /// Returns the counts of all keys with something alive at `now`, in no particular order.
    pub(super) fn counts(&self, now: Timestamp) -> impl Iterator<Item = CounterValue> {
        self.keys.iter().filter(move |key| key.is_alive(now)).map(move |key| self.shown(key, now))
    }

    /// Returns the number of such keys.
    pub(super) fn live(&self, now: Timestamp) -> usize {
        self.keys.iter().filter(|key| key.is_alive(now)).count()
    }

    fn shown(&self, key: &Key, now: Timestamp) -> CounterValue {
        let (count, ends) = key.ticks.shown(now);
        CounterValue {
            category: self.name.clone(),
            key: key.text.to_string(),
            count: count as u64,
            is_least: self.is_least(key, count),
            grace: key.grace(now),
            ends,
        }
    }

    /// Returns the place of a key, which becomes the one raised last; inserts the key if it does not exist.
    pub(super) fn touch(&mut self, key: &str) -> ItemIndex {
        if let Some(at) = self.keys.find(key) {
            self.keys.touch(at);
            return at;
        }
        if self.keys.len() >= self.caps.keys
            && let Some(oldest) = self.keys.oldest()
        {
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "counter `{}` has more than {} keys: those raised longest ago are forgotten",
                    self.name,
                    self.caps.keys
                );
            }
            self.forget(oldest);
        }
        self.keys.insert(Key::new(key))
    }

    /// Returns the time since which expired items are kept.
    fn kept_since(&self, now: Timestamp) -> Timestamp {
        let is_crowded = self.keys.len() > FEW_KEYS.min(self.caps.keys / 2);
        if is_crowded { now } else { Timestamp(now.0.saturating_sub(LATE)) }
    }

    /// Removes the expired ticks of a key, except those that a late entry may still need.
    pub(super) fn remove_expired(&mut self, at: ItemIndex, now: Timestamp) {
        let kept = self.kept_since(now);
        let Key { text, ticks, .. } = &mut self.keys[at];
        while let Some(expired) = ticks.take_expired(if ticks.len() > FEW_TICKS { now } else { kept }) {
            self.rows.delete_tick(expired, text);
        }
    }

    /// Does the same for resets and grace periods.
    fn remove_expired_marks(&mut self, at: ItemIndex, now: Timestamp) {
        let kept = self.kept_since(now);
        let key = &mut self.keys[at];
        let Some(marks) = &mut key.marks else { return };
        let expired = marks.take_expired(kept);
        if marks.is_empty() {
            key.marks = None;
        }
        self.rows.delete_marks(&expired, &key.text);
    }

    /// Makes room for one tick, if the key has the maximum number.
    pub(super) fn make_room(&mut self, at: ItemIndex, now: Timestamp, most: usize) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        while let Some(expired) = ticks.take_expired(now) {
            self.rows.delete_tick(expired, text);
        }
        if ticks.len() < most {
            return;
        }
        // If all ticks are endless, the ones that are only a number are the oldest.
        if ticks.folded() > 0 && ticks.iter().next().is_none_or(|tick| tick.end == Timestamp::NEVER) {
            ticks.set_folded(ticks.folded() - 1);
            self.store_folded(at, self.next_tick);
        } else if let Some(first) = ticks.take_first() {
            self.rows.delete_tick(first, text);
        }
    }

    /// Replaces the oldest of many endless ticks by a number.
    fn fold(&mut self, at: ItemIndex, number: u64) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        let folded = ticks.fold(FOLDED_AT, FOLDED_AT / 2);
        if folded.is_empty() {
            return;
        }
        for tick in folded {
            self.rows.delete_tick(tick, text);
        }
        self.store_folded(at, number);
    }

    /// Ends the ticks that have begun by `now`.
    fn end_ticks(&mut self, at: ItemIndex, now: Timestamp) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        if ticks.folded() > 0 {
            self.rows.delete_folded(text);
        }
        // If the ticks are in order, all of them expire now: those that would not be kept need not be ended first.
        while now >= ticks.last_start() && ticks.len() > FEW_TICKS + ticks.folded() as usize {
            let Some(first) = ticks.take_first() else { break };
            self.rows.delete_tick(first, text);
        }
        ticks.end_all(now).into_iter().for_each(|tick| self.rows.put_tick(tick, text));
    }

    fn clear_ticks(&mut self, at: ItemIndex) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        if ticks.folded() > 0 {
            self.rows.delete_folded(text);
        }
        ticks.take_all().for_each(|tick| self.rows.delete_tick(tick, text));
    }

    /// Stores the number of folded ticks; `number` is that of the key's newest tick.
    fn store_folded(&mut self, at: ItemIndex, number: u64) {
        let Key { text, ticks, .. } = &self.keys[at];
        match ticks.folded() {
            0 => self.rows.delete_folded(text),
            count => self.rows.put_folded(count, number, text),
        }
    }

    fn forget(&mut self, at: ItemIndex) {
        self.clear_ticks(at);
        let Some(Key { text, marks, values, .. }) = self.keys.remove(at) else { return };
        if let Some(marks) = marks {
            self.rows.delete_marks(&marks, &text);
        }
        for value in values.unwrap_or_default().into_keys() {
            self.rows.delete_value(value, &text);
        }
    }

    /// Checks two keys, and forgets those that are empty.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        for _ in 0..2 {
            let Some(at) = self.keys.turn() else { continue };
            self.remove_expired(at, now);
            self.remove_expired_marks(at, now);
            if self.keys[at].is_empty() {
                self.forget(at);
            }
        }
    }
}

//! A category of counters: keys with their ticks and graces.
//!
//! The count at an entry is that of its own time, whatever was read before it. So a tick has a beginning and an end: an
//! entry that comes late does not see later ones, and a reset or a grace holds for what comes late, too. What is over
//! stays for [a day](LATE) for such entries, as long as there is little of it.
//!
//! The keys are a [`Keyed`] store: where there are too many, the one that was raised longest ago is forgotten, and each
//! operation looks at two further keys and removes what is over. What is a counter's own is that a key does not end as
//! a whole. Each of its ticks does, in 24 bytes of memory and a row of the disk: so a raise writes one row, however many
//! ticks its key has.

use pyruse_core::operation::Count;
use pyruse_core::state::{Keyed, Place};
use pyruse_core::time::Timestamp;

use super::keys::{Key, stored_text};
use super::marks::Grace;
use super::rows::ChangedRows;
use super::ticks::{Ended, Tick};

/// Bounds of a category.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    pub(super) keys: usize,
    pub(super) ticks: usize,
}

/// What is over is kept for entries that come this late …
const LATE: i64 = 24 * 3_600_000_000;

/// … as long as a key has no more ticks than these …
pub(super) const FEW_TICKS: usize = 128;

/// … and its category no more keys than these, nor half of what it may have.
pub(super) const FEW_KEYS: usize = 4096;

/// Of ticks that never end, the oldest are only counted: when there are so many, half of them.
pub(super) const FOLDED_AT: usize = 128;

/// See the module.
pub(super) struct Category {
    name: String,
    caps: Caps,
    pub(super) keys: Keyed<Key>,
    pub(super) next_tick: u64,
    warned: bool,
    /// Of all steps that name it.
    pub(super) longest_keep: u64,
    pub(super) longest_grace: u64,
    pub(super) rows: ChangedRows,
}

impl Default for Category {
    fn default() -> Category {
        Category {
            name: String::new(),
            caps: Caps { keys: Place::MOST, ticks: usize::MAX },
            keys: Keyed::default(),
            next_tick: 0,
            warned: false,
            longest_keep: 0,
            longest_grace: 0,
            rows: ChangedRows::default(),
        }
    }
}

impl Category {
    pub(super) fn configure(&mut self, name: &str, caps: Caps) {
        name.clone_into(&mut self.name);
        self.caps = Caps { keys: caps.keys.min(Place::MOST), ..caps };
    }

    /// A step raises it for so long, or gives so long a grace.
    pub(super) fn expect(&mut self, keep_seconds: u64, grace_seconds: u64) {
        self.longest_keep = self.longest_keep.max(keep_seconds);
        self.longest_grace = self.longest_grace.max(grace_seconds);
    }

    /// One more tick until `end`, unless a grace holds; the count of ticks alive.
    pub(super) fn raise(&mut self, key: &str, now: Timestamp, end: Timestamp) -> usize {
        let key = stored_text(key);
        self.sweep(now);
        let at = self.touch(&key);
        self.bury(at, now);
        if self.keys[at].grace(now).is_some() {
            return 0;
        }
        let number = self.next_tick;
        self.next_tick += 1;
        if self.keys[at].ticks.len() >= self.caps.ticks {
            self.make_room(at, now);
        }
        let held = &mut self.keys[at];
        // A reset that came first, but is later, holds for this tick too.
        let reset = held.marks.as_ref().and_then(|marks| marks.next_reset(now));
        let tick = Tick { end: reset.map_or(end, |reset| end.min(reset)), start: now, number };
        held.ticks.add(tick);
        let count = held.ticks.count(now);
        self.rows.put_tick(tick, &key);
        if tick.end == Timestamp::NEVER {
            self.fold(at, number);
        }
        count
    }

    /// Ends what counts for a key at that time; with `grace`, counts nothing from then until its end.
    pub(super) fn reset(&mut self, key: &str, now: Timestamp, grace: Option<Timestamp>) {
        let key = stored_text(key);
        self.sweep(now);
        // A key that does not exist has nothing to forget.
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
        // What was counted in a grace that came late is not counted.
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

    /// One tick less, the one that would live longest; the count of those left.
    pub(super) fn lower(&mut self, key: &str, now: Timestamp) -> usize {
        let key = stored_text(key);
        self.sweep(now);
        let Some(at) = self.keys.find(&key) else { return 0 };
        self.bury(at, now);
        let held = &mut self.keys[at];
        let ended = held.ticks.end_longest(now);
        let count = held.ticks.count(now);
        match ended {
            Ended::None => {}
            Ended::Folded => self.store_folded(at, self.next_tick),
            Ended::Held(tick) => self.rows.put_tick(tick, &key),
        }
        count
    }

    /// Forgets the ticks of a key, whatever their time; what it was. `None`: nothing was alive.
    pub(super) fn forget_ticks(&mut self, key: &str, now: Timestamp) -> Option<Count> {
        let at = self.keys.find(&stored_text(key)).filter(|at| self.keys[*at].is_alive(now))?;
        let count = self.shown(&self.keys[at], now);
        self.clear_ticks(at);
        Some(count)
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

    /// The place of a key, now the one raised last; made if it does not exist.
    fn touch(&mut self, key: &str) -> Place {
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

    /// From when on what is over is kept.
    fn kept_since(&self, now: Timestamp) -> Timestamp {
        let is_crowded = self.keys.len() > FEW_KEYS.min(self.caps.keys / 2);
        if is_crowded { now } else { Timestamp(now.0.saturating_sub(LATE)) }
    }

    /// Removes the ticks of a key that are over, but those that an entry may still ask for.
    fn bury(&mut self, at: Place, now: Timestamp) {
        let kept = self.kept_since(now);
        let Key { text, ticks, .. } = &mut self.keys[at];
        while let Some(dead) = ticks.take_dead(if ticks.len() > FEW_TICKS { now } else { kept }) {
            self.rows.delete_tick(dead, text);
        }
    }

    /// The same for resets and graces.
    fn bury_marks(&mut self, at: Place, now: Timestamp) {
        let kept = self.kept_since(now);
        let key = &mut self.keys[at];
        let Some(marks) = &mut key.marks else { return };
        let dead = marks.take_dead(kept);
        if marks.is_empty() {
            key.marks = None;
        }
        self.rows.delete_marks(&dead, &key.text);
    }

    /// A key has as many ticks as it may have: makes room for one.
    fn make_room(&mut self, at: Place, now: Timestamp) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        while let Some(dead) = ticks.take_dead(now) {
            self.rows.delete_tick(dead, text);
        }
        if ticks.len() < self.caps.ticks {
            return;
        }
        // All that are held are endless: those that are only counted are older.
        if ticks.folded() > 0 && ticks.iter().next().is_none_or(|tick| tick.end == Timestamp::NEVER) {
            ticks.set_folded(ticks.folded() - 1);
            self.store_folded(at, self.next_tick);
        } else if let Some(first) = ticks.take_first() {
            self.rows.delete_tick(first, text);
        }
    }

    /// Of many ticks that never end, the oldest become a number.
    fn fold(&mut self, at: Place, number: u64) {
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
    fn end_ticks(&mut self, at: Place, now: Timestamp) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        if ticks.folded() > 0 {
            self.rows.delete_folded(text);
        }
        // In order, all are over now: what would not be kept need not be ended.
        while now >= ticks.last_start() && ticks.len() > FEW_TICKS + ticks.folded() as usize {
            let Some(first) = ticks.take_first() else { break };
            self.rows.delete_tick(first, text);
        }
        ticks.end_all(now).into_iter().for_each(|tick| self.rows.put_tick(tick, text));
    }

    fn clear_ticks(&mut self, at: Place) {
        let Key { text, ticks, .. } = &mut self.keys[at];
        if ticks.folded() > 0 {
            self.rows.delete_folded(text);
        }
        ticks.take_all().for_each(|tick| self.rows.delete_tick(tick, text));
    }

    /// `number`: that of the key's newest tick.
    fn store_folded(&mut self, at: Place, number: u64) {
        let Key { text, ticks, .. } = &self.keys[at];
        match ticks.folded() {
            0 => self.rows.delete_folded(text),
            count => self.rows.put_folded(count, number, text),
        }
    }

    fn forget(&mut self, at: Place) {
        self.clear_ticks(at);
        if let Some(Key { text, marks: Some(marks), .. }) = self.keys.remove(at) {
            self.rows.delete_marks(&marks, &text);
        }
    }

    /// Looks at two keys and forgets those of which nothing is left.
    fn sweep(&mut self, now: Timestamp) {
        for _ in 0..2 {
            let Some(at) = self.keys.turn() else { continue };
            self.bury(at, now);
            self.bury_marks(at, now);
            if self.keys[at].is_empty() {
                self.forget(at);
            }
        }
    }
}

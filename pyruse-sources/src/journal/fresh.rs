//! No fresh entry is given out before it is whole.
//!
//! An entry that was written within the last second, or within the last second of the whole journal, is checked
//! ([`super::whole`]). One that is not whole counts as not there yet, and is looked at again soon. There is a bound: what is
//! damaged for good, because journald was killed in the middle, is taken as it is. And all waiting together has a bound:
//! what never fits, for a reason that nobody knows yet, must not make the reader slow.
//!
//! Entries that are older pay one comparison. A clock that is set forward makes all entries look old; so what is read soon
//! after the journal's end was reached is checked whatever its time.

use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;
use systemd::Journal;

use super::whole::{Wholeness, look};

/// The age up to which an entry is checked. journald completes an entry within microseconds, if its processor is not
/// taken away …
const FRESH: i64 = 1_000_000;

/// … and the age up to which an incomplete one is waited for. Both in microseconds.
const UNFINISHED: i64 = 10_000_000;

/// How many entries are checked after the end of the journal was reached, whatever their time.
const BEHIND_THE_END: u32 = 1000;

/// How long to wait for an entry that is not whole …
const PATIENCE: Duration = Duration::from_secs(5);

/// … and for one that cannot be checked.
const SETTLING: Duration = Duration::from_millis(20);

/// Patience that was used up comes back at this fraction of the time.
const RECOVERY: u32 = 20;

/// How soon an entry is looked at again: at first, and at the latest.
const AGAIN: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));

/// What becomes of the entry that was looked at.
pub(super) enum Verdict {
    /// It can be given out; its cursor.
    Whole(String),
    /// It must be taken as it is; its cursor.
    Partial(String),
    /// It must be looked at again, after so long.
    Wait(Duration),
    /// Its file was deleted meanwhile.
    Gone,
}

/// See the module.
pub(super) struct Fresh {
    /// Entries of this time, and later ones, are checked.
    from: Timestamp,
    /// Earlier ones cannot be expected to become whole.
    unfinished_from: Timestamp,
    /// How many more entries are checked whatever their time.
    behind_the_end: u32,
    /// Is there hope that the entry that is checked becomes whole, if it is not?
    can_become_whole: bool,
    waiting: Option<Waiting>,
    /// How long may be waited now, and when that was so.
    patience: (Duration, Instant),
    hashes: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Waiting {
    since: Instant,
    looks: u32,
}

impl Fresh {
    pub(super) fn new() -> Fresh {
        Fresh {
            from: Timestamp::default(),
            unfinished_from: Timestamp::default(),
            behind_the_end: 0,
            can_become_whole: false,
            waiting: None,
            patience: (PATIENCE, Instant::now()),
            hashes: Vec::new(),
        }
    }

    /// To be called now and then, so that entries become old. `newest` is the time of the journal's last entry.
    pub(super) fn tell_time(&mut self, newest: Option<Timestamp>) {
        let now = Timestamp::now();
        let end = newest.map_or(now, |newest| newest.min(now));
        self.from = Timestamp(end.0.saturating_sub(FRESH));
        self.unfinished_from = Timestamp(now.0.saturating_sub(UNFINISHED));
    }

    /// There are no more entries for now.
    pub(super) fn reach_end(&mut self) {
        self.behind_the_end = BEHIND_THE_END;
    }

    /// Must the next entry, of that time, be checked?
    pub(super) fn must_check(&mut self, at: Timestamp) -> bool {
        let is_behind_the_end = self.behind_the_end > 0;
        self.behind_the_end = self.behind_the_end.saturating_sub(1);
        self.can_become_whole = is_behind_the_end || at >= self.unfinished_from;
        is_behind_the_end || at >= self.from
    }

    /// Is there an entry that must be looked at again?
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Reading goes on elsewhere.
    pub(super) fn forget(&mut self) {
        self.waiting = None;
    }

    /// Checks the current entry.
    pub(super) fn check(&mut self, journal: &mut Journal) -> Verdict {
        let Some((wholeness, cursor)) = look(journal, &mut self.hashes) else {
            self.waiting = None;
            return Verdict::Gone;
        };
        let bound = match wholeness {
            Wholeness::Whole => Duration::ZERO,
            _ if !self.can_become_whole => Duration::ZERO,
            Wholeness::Unknown => SETTLING,
            Wholeness::Partial => PATIENCE,
        };
        let verdict = if wholeness == Wholeness::Partial { Verdict::Partial } else { Verdict::Whole };
        if bound.is_zero() && self.waiting.is_none() {
            return verdict(cursor);
        }
        if self.waiting.is_none() {
            tracing::debug!("an entry is incomplete; waiting for the rest of it");
        }
        let now = Instant::now();
        let (patience, when) = self.patience;
        let waiting = self.waiting.get_or_insert(Waiting { since: now, looks: 0 });
        // Time that passes while waiting gives no patience back.
        let rest = waiting.since.saturating_duration_since(when) / RECOVERY;
        let patience = (patience + rest).min(PATIENCE);
        let waited = now - waiting.since;
        if waited < bound.min(patience) {
            waiting.looks += 1;
            let (first, longest) = AGAIN;
            return Verdict::Wait((first * 2_u32.saturating_pow(waiting.looks.min(16) - 1)).min(longest));
        }
        self.waiting = None;
        self.patience = (patience.saturating_sub(waited), now);
        tracing::debug!("the entry that was incomplete at first: {wholeness:?} after {waited:?}");
        verdict(cursor)
    }
}

//! Makes sure that a new entry is returned only when it is complete.
//!
//! An entry that was written within the last second, or within the last second of the journal, is checked
//! ([`super::whole`]). An incomplete entry counts as not written yet, and is checked again soon. The wait is bounded: an
//! entry that stays incomplete, because journald was killed, is returned as it is. The sum of all waits is bounded too,
//! so that entries which fail the check for an unknown reason do not make the reader slow.
//!
//! For older entries the cost is one comparison. If the clock is set forward, all entries look old; so entries that are
//! read soon after the journal's end was reached are checked whatever their time.

use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;
use systemd::Journal;

use super::whole::{Wholeness, check_fields};

/// The age up to which an entry is checked. journald completes an entry within microseconds, unless it is interrupted …
const CHECKED_AGE: i64 = 1_000_000;

/// … and the age up to which it may still be completed. Both in microseconds.
const UNFINISHED_AGE: i64 = 10_000_000;

/// How many entries are checked after the end of the journal was reached, whatever their time.
const BEHIND_THE_END: u32 = 1000;

/// How long to wait for an incomplete entry …
const MAX_WAIT: Duration = Duration::from_secs(5);

/// … and for one that cannot be checked.
const UNKNOWN_WAIT: Duration = Duration::from_millis(20);

/// The budget for waiting grows again by this fraction of the time that passes.
const REFILL: u32 = 20;

/// How soon an entry is checked again: the first wait, and the longest.
const CHECK_AGAIN: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(20));

/// The result of a check.
pub(super) enum Verdict {
    /// It can be returned; its cursor.
    Whole(String),
    /// It must be returned as it is; its cursor.
    Partial(String),
    /// It must be checked again after this time.
    Wait(Duration),
    /// Its file was deleted meanwhile.
    Gone,
}

/// The checks of new entries; see the module documentation.
pub(super) struct Fresh {
    /// Entries of this time, and later ones, are checked.
    from: Timestamp,
    /// Earlier entries are not expected to become complete.
    unfinished_from: Timestamp,
    /// How many more entries are checked whatever their time.
    behind_the_end: u32,
    /// Whether the current entry may become complete, if it is not.
    can_become_whole: bool,
    waiting: Option<Waiting>,
    /// The budget: how long may be waited in all, and when that was computed.
    budget: (Duration, Instant),
    hashes: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Waiting {
    since: Instant,
    checks: u32,
}

impl Fresh {
    pub(super) fn new() -> Fresh {
        Fresh {
            from: Timestamp::default(),
            unfinished_from: Timestamp::default(),
            behind_the_end: 0,
            can_become_whole: false,
            waiting: None,
            budget: (MAX_WAIT, Instant::now()),
            hashes: Vec::new(),
        }
    }

    /// Updates which entries are new; called now and then. `newest` is the time of the journal's last entry.
    pub(super) fn update_time(&mut self, newest: Option<Timestamp>) {
        let now = Timestamp::now();
        let end = newest.map_or(now, |newest| newest.min(now));
        self.from = Timestamp(end.0.saturating_sub(CHECKED_AGE));
        self.unfinished_from = Timestamp(now.0.saturating_sub(UNFINISHED_AGE));
    }

    /// Notes that the journal's end was reached.
    pub(super) fn reach_end(&mut self) {
        self.behind_the_end = BEHIND_THE_END;
    }

    /// Returns `true` if the next entry, of this time, must be checked.
    pub(super) fn must_check(&mut self, at: Timestamp) -> bool {
        let is_behind_the_end = self.behind_the_end > 0;
        self.behind_the_end = self.behind_the_end.saturating_sub(1);
        self.can_become_whole = is_behind_the_end || at >= self.unfinished_from;
        is_behind_the_end || at >= self.from
    }

    /// Returns `true` if an entry must be checked again.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Forgets the current entry: reading continues elsewhere.
    pub(super) fn forget(&mut self) {
        self.waiting = None;
    }

    /// Checks the current entry.
    pub(super) fn check(&mut self, journal: &mut Journal) -> Verdict {
        let Some((wholeness, cursor)) = check_fields(journal, &mut self.hashes) else {
            self.waiting = None;
            return Verdict::Gone;
        };
        let bound = match wholeness {
            Wholeness::Whole => Duration::ZERO,
            _ if !self.can_become_whole => Duration::ZERO,
            Wholeness::Unknown => UNKNOWN_WAIT,
            Wholeness::Partial => MAX_WAIT,
        };
        let verdict = if wholeness == Wholeness::Partial { Verdict::Partial } else { Verdict::Whole };
        if bound.is_zero() && self.waiting.is_none() {
            return verdict(cursor);
        }
        if self.waiting.is_none() {
            tracing::debug!("an entry is incomplete; waiting for the rest of it");
        }
        let now = Instant::now();
        let (budget, when) = self.budget;
        let waiting = self.waiting.get_or_insert(Waiting { since: now, checks: 0 });
        // The budget does not grow during a wait.
        let refill = waiting.since.saturating_duration_since(when) / REFILL;
        let budget = (budget + refill).min(MAX_WAIT);
        let waited = now - waiting.since;
        if waited < bound.min(budget) {
            waiting.checks += 1;
            let (first, longest) = CHECK_AGAIN;
            return Verdict::Wait((first * 2_u32.saturating_pow(waiting.checks.min(16) - 1)).min(longest));
        }
        self.waiting = None;
        self.budget = (budget.saturating_sub(waited), now);
        tracing::debug!("the entry that was incomplete at first: {wholeness:?} after {waited:?}");
        verdict(cursor)
    }
}

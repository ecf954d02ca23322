//! The resets and grace periods of a key, for entries that are read late: they count as if they had been read in time.

use pyruse_core::time::Timestamp;

use super::ticks::UNKNOWN;

/// The maximum number of resets, and of grace periods, of a key. Beyond that, the oldest is forgotten.
pub(super) const MOST: usize = 64;

/// A grace period: nothing is counted in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grace {
    /// The time of the entry that began it; or [`UNKNOWN`].
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// The resets and grace periods of a key, each list in order of time.
#[derive(Debug, Default)]
pub(super) struct Marks {
    graces: Vec<Grace>,
    resets: Vec<Timestamp>,
}

impl Marks {
    pub(super) fn is_empty(&self) -> bool {
        self.graces.is_empty() && self.resets.is_empty()
    }

    pub(super) fn graces(&self) -> &[Grace] {
        &self.graces
    }

    pub(super) fn resets(&self) -> &[Timestamp] {
        &self.resets
    }

    /// Returns the end of the grace period that contains `now`. It ends early if the next one begins: the newest one is
    /// used.
    pub(super) fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        let begun = self.graces.partition_point(|grace| grace.start <= now);
        let grace = &self.graces[begun.checked_sub(1)?];
        (now < grace.end).then_some(grace.end)
    }

    /// Returns the first reset after `now`.
    pub(super) fn next_reset(&self, now: Timestamp) -> Option<Timestamp> {
        self.resets.get(self.resets.partition_point(|reset| *reset <= now)).copied()
    }

    /// Adds a reset; returns the one that is forgotten for it.
    pub(super) fn add_reset(&mut self, at: Timestamp) -> Option<Timestamp> {
        let place = self.resets.partition_point(|reset| *reset < at);
        if self.resets.get(place) != Some(&at) {
            self.resets.insert(place, at);
        }
        (self.resets.len() > MOST).then(|| self.resets.remove(0))
    }

    /// Adds a grace period, or replaces one that began at the same time; returns the one that is forgotten for it.
    pub(super) fn add_grace(&mut self, grace: Grace) -> Option<Grace> {
        let place = self.graces.partition_point(|other| other.start < grace.start);
        match self.graces.get_mut(place) {
            Some(same) if same.start == grace.start => *same = grace,
            _ => self.graces.insert(place, grace),
        }
        (self.graces.len() > MOST).then(|| self.graces.remove(0))
    }

    /// Removes and returns what no entry from `kept` on can need.
    pub(super) fn take_expired(&mut self, kept: Timestamp) -> Marks {
        // A reset only affects entries before it, a grace period those within it.
        let over = self.resets.partition_point(|reset| *reset <= kept);
        Marks {
            resets: self.resets.drain(..over).collect(),
            graces: self.graces.extract_if(.., |grace| grace.end <= kept).collect(),
        }
    }

    /// Returns the newest of all times.
    pub(super) fn newest(&self) -> Timestamp {
        let grace = self.graces.last().map_or(UNKNOWN, |grace| grace.start);
        self.resets.last().copied().unwrap_or(UNKNOWN).max(grace)
    }
}

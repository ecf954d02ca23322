//! When a key was reset, and when its graces were: for entries that come late, which are counted, or not, as if they had
//! come in time.

use pyruse_core::time::Timestamp;

use super::ticks::UNKNOWN;

/// The most resets, and the most graces, that are kept of a key. Beyond that, the oldest is forgotten.
pub(super) const MOST: usize = 64;

/// In a grace, nothing is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grace {
    /// The time of the entry that began it; or [`UNKNOWN`].
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

/// See the module. Both lists are in order of time.
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

    /// The end of the grace in which `now` is. A grace ends where the next one begins: the newest word counts.
    pub(super) fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        let begun = self.graces.partition_point(|grace| grace.start <= now);
        let grace = &self.graces[begun.checked_sub(1)?];
        (now < grace.end).then_some(grace.end)
    }

    /// The first reset after `now`.
    pub(super) fn next_reset(&self, now: Timestamp) -> Option<Timestamp> {
        self.resets.get(self.resets.partition_point(|reset| *reset <= now)).copied()
    }

    /// Notes a reset; gives one that is forgotten for it.
    pub(super) fn add_reset(&mut self, at: Timestamp) -> Option<Timestamp> {
        let place = self.resets.partition_point(|reset| *reset < at);
        if self.resets.get(place) != Some(&at) {
            self.resets.insert(place, at);
        }
        (self.resets.len() > MOST).then(|| self.resets.remove(0))
    }

    /// Notes a grace, in the place of one that began at the same time; gives one that is forgotten for it.
    pub(super) fn add_grace(&mut self, grace: Grace) -> Option<Grace> {
        let place = self.graces.partition_point(|other| other.start < grace.start);
        match self.graces.get_mut(place) {
            Some(same) if same.start == grace.start => *same = grace,
            _ => self.graces.insert(place, grace),
        }
        (self.graces.len() > MOST).then(|| self.graces.remove(0))
    }

    /// Takes out what no entry from `kept` on can ask for.
    pub(super) fn take_dead(&mut self, kept: Timestamp) -> Marks {
        // A reset matters to entries before it only, a grace to those in it.
        let over = self.resets.partition_point(|reset| *reset <= kept);
        Marks {
            resets: self.resets.drain(..over).collect(),
            graces: self.graces.extract_if(.., |grace| grace.end <= kept).collect(),
        }
    }

    /// The newest of all their times.
    pub(super) fn newest(&self) -> Timestamp {
        let grace = self.graces.last().map_or(UNKNOWN, |grace| grace.start);
        self.resets.last().copied().unwrap_or(UNKNOWN).max(grace)
    }
}

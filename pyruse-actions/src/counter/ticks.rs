//! The ticks of one key.

use std::collections::VecDeque;

use pyruse_core::time::Timestamp;

/// A tick that ends; its number is unique in its category and names its stored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick {
    pub(super) end: Timestamp,
    pub(super) number: u64,
}

/// Ticks in order of their ends; those that never end are only counted.
#[derive(Debug)]
pub(super) struct Ticks {
    ending: VecDeque<Tick>,
    /// When the first of them ends: that none is over is seen without going to them.
    first_end: Timestamp,
    endless: u32,
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks { ending: VecDeque::new(), first_end: Timestamp::NEVER, endless: 0 }
    }
}

impl Ticks {
    pub(super) fn count(&self) -> usize {
        self.ending.len() + self.endless as usize
    }

    pub(super) fn endless(&self) -> u32 {
        self.endless
    }

    pub(super) fn set_endless(&mut self, count: u32) {
        self.endless = count;
    }

    pub(super) fn add(&mut self, tick: Tick) {
        // Nearly always at the end: entries come in order, and one rule has one keepSeconds.
        let at = self.ending.partition_point(|other| *other <= tick);
        self.ending.insert(at, tick);
        self.first_end = self.first_end.min(tick.end);
    }

    /// Takes out a tick that is over at `now`: dead at exactly its end.
    pub(super) fn take_dead(&mut self, now: Timestamp) -> Option<Tick> {
        if now < self.first_end { None } else { self.take_first() }
    }

    /// Takes out the tick that ends first.
    pub(super) fn take_first(&mut self) -> Option<Tick> {
        let first = self.ending.pop_front();
        self.first_end = self.ending.front().map_or(Timestamp::NEVER, |tick| tick.end);
        first
    }

    /// Takes out the tick that ends last, of those that end.
    pub(super) fn take_last(&mut self) -> Option<Tick> {
        let last = self.ending.pop_back();
        if self.ending.is_empty() {
            self.first_end = Timestamp::NEVER;
        }
        last
    }

    /// How many are alive at `now`, and when the last of them ends, if it does.
    pub(super) fn alive(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let dead = self.ending.partition_point(|tick| tick.end <= now);
        let count = self.ending.len() - dead + self.endless as usize;
        let last = self.ending.back().filter(|_| self.endless == 0 && dead < self.ending.len());
        (count, last.map(|tick| tick.end))
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Tick> {
        std::mem::take(self).ending.into_iter()
    }
}

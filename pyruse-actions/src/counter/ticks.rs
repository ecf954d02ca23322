//! The ticks of one key.
//!
//! A tick counts from its own time on until its end, so an entry that comes late is answered as if it had come in time.
//! For that, ticks that are over stay for a while; see [`super::category`].

use std::collections::VecDeque;

use pyruse_core::time::Timestamp;

/// A tick. Its number is unique in its category and names its stored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick {
    /// It does not count from here on.
    pub(super) end: Timestamp,
    /// The time of its entry: it does not count before. [`UNKNOWN`]: an earlier version did not store it.
    pub(super) start: Timestamp,
    pub(super) number: u64,
}

/// The start of a tick, or of a grace, of which only the end was stored.
pub(super) const UNKNOWN: Timestamp = Timestamp(i64::MIN);

/// Ticks in order of their ends.
#[derive(Debug)]
pub(super) struct Ticks {
    held: VecDeque<Tick>,
    /// When the first of them ends: that none is over is seen without going to them.
    first_end: Timestamp,
    /// No start is later.
    last_start: Timestamp,
    /// Their starts are in the same order.
    is_ordered: bool,
    /// Endless ticks that are older than all that are held: they are only counted.
    folded: u32,
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks {
            held: VecDeque::new(),
            first_end: Timestamp::NEVER,
            last_start: UNKNOWN,
            is_ordered: true,
            folded: 0,
        }
    }
}

impl Ticks {
    /// How many there are, those that are over included.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.folded as usize
    }

    pub(super) fn folded(&self) -> u32 {
        self.folded
    }

    pub(super) fn set_folded(&mut self, count: u32) {
        self.folded = count;
    }

    /// No start is later.
    pub(super) fn last_start(&self) -> Timestamp {
        self.last_start
    }

    /// How many count at `now`.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.alive(now).0 + self.folded as usize
    }

    /// How many of those that are held count at `now`, and the last of their ends.
    fn alive(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let over = if now < self.first_end { 0 } else { self.held.partition_point(|tick| tick.end <= now) };
        if now >= self.last_start {
            let last = self.held.back().filter(|_| over < self.held.len());
            return (self.held.len() - over, last.map(|tick| tick.end));
        }
        if self.is_ordered {
            let begun = self.held.partition_point(|tick| tick.start <= now);
            let last = begun.checked_sub(1).filter(|last| *last >= over);
            return (begun.saturating_sub(over), last.map(|last| self.held[last].end));
        }
        let alive = self.held.range(over..).filter(|tick| tick.start <= now);
        alive.fold((0, None), |(count, _), tick| (count + 1, Some(tick.end)))
    }

    /// How many count at `now`, and when the last of them ends, if it does.
    pub(super) fn shown(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let (count, last) = self.alive(now);
        let last = last.filter(|end| self.folded == 0 && *end != Timestamp::NEVER);
        (count + self.folded as usize, last)
    }

    pub(super) fn add(&mut self, tick: Tick) {
        // Nearly always at the end: entries come in order, and one rule has one keepSeconds.
        let at = self.held.partition_point(|other| *other <= tick);
        let follows = at.checked_sub(1).is_none_or(|before| self.held[before].start <= tick.start);
        let precedes = self.held.get(at).is_none_or(|behind| tick.start <= behind.start);
        self.is_ordered &= follows && precedes;
        self.held.insert(at, tick);
        self.first_end = self.first_end.min(tick.end);
        self.last_start = self.last_start.max(tick.start);
    }

    /// Takes out a tick that is over at `now`: dead at exactly its end.
    pub(super) fn take_dead(&mut self, now: Timestamp) -> Option<Tick> {
        if now < self.first_end { None } else { self.take_first() }
    }

    /// Takes out the tick that ends first.
    pub(super) fn take_first(&mut self) -> Option<Tick> {
        let first = self.held.pop_front();
        self.first_end = self.held.front().map_or(Timestamp::NEVER, |tick| tick.end);
        if self.held.is_empty() {
            (self.last_start, self.is_ordered) = (UNKNOWN, true);
        }
        first
    }

    /// The place of the tick that would live longest, of those that count at `now`.
    fn longest(&self, now: Timestamp) -> Option<usize> {
        self.held.iter().rposition(|tick| tick.start <= now).filter(|at| now < self.held[*at].end)
    }

    /// Ends the tick at `now` that would live longest, of those that count then; what it is from then on. Of ticks that
    /// are only counted, one goes.
    pub(super) fn end_longest(&mut self, now: Timestamp) -> Ended {
        match self.longest(now) {
            // Those that are only counted never end.
            Some(at) if self.folded == 0 || self.held[at].end == Timestamp::NEVER => {
                let Some(tick) = self.held.remove(at) else { return Ended::None };
                let tick = Tick { end: now, ..tick };
                self.add_again(tick);
                Ended::Held(tick)
            }
            _ if self.folded > 0 => {
                self.folded -= 1;
                Ended::Folded
            }
            _ => Ended::None,
        }
    }

    /// Ends at `now` all ticks that have begun by then; gives those that were changed.
    pub(super) fn end_all(&mut self, now: Timestamp) -> Vec<Tick> {
        self.folded = 0;
        let mut changed = Vec::new();
        self.change(|tick| {
            if tick.start <= now && now < tick.end {
                tick.end = now;
                changed.push(*tick);
            }
            true
        });
        changed
    }

    /// Changes ticks, and takes out those of which `keep` is false.
    pub(super) fn change(&mut self, keep: impl FnMut(&mut Tick) -> bool) {
        self.held.retain_mut(keep);
        self.sort();
    }

    /// Takes out the oldest of the endless ticks, if there are at least so many, and only counts them from now on.
    pub(super) fn fold(&mut self, many: usize, taken: usize) -> Vec<Tick> {
        let first = self.held.partition_point(|tick| tick.end < Timestamp::NEVER);
        if self.held.len() - first < many {
            return Vec::new();
        }
        let folded: Vec<Tick> = self.held.drain(first..first + taken).collect();
        self.folded += u32::try_from(folded.len()).unwrap_or(0);
        folded
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Tick> {
        std::mem::take(self).held.into_iter()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tick> {
        self.held.iter()
    }

    fn add_again(&mut self, tick: Tick) {
        let last_start = self.last_start;
        self.add(tick);
        self.last_start = last_start;
        self.first_end = self.held.front().map_or(Timestamp::NEVER, |tick| tick.end);
    }

    fn sort(&mut self) {
        self.held.make_contiguous().sort_unstable();
        self.first_end = self.held.front().map_or(Timestamp::NEVER, |tick| tick.end);
        self.last_start = self.held.iter().map(|tick| tick.start).max().unwrap_or(UNKNOWN);
        self.is_ordered = self.held.iter().is_sorted_by_key(|tick| tick.start);
    }
}

/// What [`Ticks::end_longest`] has ended.
pub(super) enum Ended {
    None,
    /// One that was only counted.
    Folded,
    Held(Tick),
}

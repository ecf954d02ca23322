//! The ticks of one key.
//!
//! A tick is alive from its own time until its end, so an entry that is read late gets the same count as if it had been
//! read in time. For that, expired ticks are kept for a while; see [`super::category`].

use std::collections::VecDeque;

use pyruse_core::time::Timestamp;

/// A tick. Its number is unique in its category and is the key of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick {
    /// The time from which it no longer counts.
    pub(super) end: Timestamp,
    /// The time of its entry: it does not count before. [`UNKNOWN`] if an earlier version did not store it.
    pub(super) start: Timestamp,
    pub(super) number: u64,
    /// The hash of the value that it stands for, if distinct values are counted; otherwise 0.
    pub(super) value: u64,
}

/// The beginning of a tick or grace period of which only the end was stored.
pub(super) const UNKNOWN: Timestamp = Timestamp(i64::MIN);

/// The ticks, in order of their ends.
#[derive(Debug)]
pub(super) struct Ticks {
    held: VecDeque<Tick>,
    /// The end of the first one: so that none need be read if none has expired.
    first_end: Timestamp,
    /// No beginning is later.
    last_start: Timestamp,
    /// Whether their beginnings are in the same order.
    is_ordered: bool,
    /// Whether ticks of one value may overlap: then each live value is looked for, and counts once.
    overlaps: bool,
    /// The number of folded ticks: endless ones that are older than all in `held`, and of which only the number is
    /// kept.
    folded: u32,
}

impl Default for Ticks {
    fn default() -> Ticks {
        Ticks {
            held: VecDeque::new(),
            first_end: Timestamp::NEVER,
            last_start: UNKNOWN,
            is_ordered: true,
            overlaps: false,
            folded: 0,
        }
    }
}

impl Ticks {
    /// Returns the number of ticks, including expired ones.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.folded as usize
    }

    pub(super) fn folded(&self) -> u32 {
        self.folded
    }

    pub(super) fn set_folded(&mut self, count: u32) {
        self.folded = count;
    }

    /// Returns the latest beginning.
    pub(super) fn last_start(&self) -> Timestamp {
        self.last_start
    }

    /// Returns the number of live ticks at `now`.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.alive(now).0 + self.folded as usize
    }

    /// Returns how many of those in `held` are alive at `now`, and the last of their ends.
    fn alive(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        if self.overlaps {
            return self.alive_values(now);
        }
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

    fn alive_values(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let alive: Vec<&Tick> = self.held.iter().filter(|tick| tick.start <= now && now < tick.end).collect();
        let mut values: Vec<u64> = alive.iter().map(|tick| tick.value).filter(|value| *value != 0).collect();
        let others = alive.len() - values.len();
        values.sort_unstable();
        values.dedup();
        (others + values.len(), alive.last().map(|tick| tick.end))
    }

    /// Returns `true` if ticks of one value may overlap.
    pub(super) fn overlaps(&self) -> bool {
        self.overlaps
    }

    /// States that ticks of one value may overlap.
    pub(super) fn set_overlaps(&mut self) {
        self.overlaps = true;
    }

    /// Looks whether ticks of one value overlap.
    pub(super) fn find_overlaps(&mut self) {
        let mut of_values: Vec<Tick> = self.held.iter().filter(|tick| tick.value != 0).copied().collect();
        of_values.sort_unstable_by_key(|tick| (tick.value, tick.start, tick.end));
        self.overlaps =
            of_values.windows(2).any(|pair| pair[0].value == pair[1].value && pair[0].end > pair[1].start);
    }

    /// Returns the number of live ticks at `now`, and when the last of them ends, if it does.
    pub(super) fn shown(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let (count, last) = self.alive(now);
        let last = last.filter(|end| self.folded == 0 && *end != Timestamp::NEVER);
        (count + self.folded as usize, last)
    }

    pub(super) fn add(&mut self, tick: Tick) {
        // Nearly always at the end: entries come in order, and a rule has one keepSeconds. A search would read ticks that
        // are no longer in the cache.
        let is_last = self.held.back().is_none_or(|last| *last <= tick);
        let at = if is_last { self.held.len() } else { self.held.partition_point(|other| *other <= tick) };
        let follows = at.checked_sub(1).is_none_or(|before| self.held[before].start <= tick.start);
        let precedes = self.held.get(at).is_none_or(|behind| tick.start <= behind.start);
        self.is_ordered &= follows && precedes;
        if self.held.len() == self.held.capacity() && self.held.len() < 4 {
            // Most keys have one tick: there are thousands of them, and by itself, a deque takes room for four.
            self.held.reserve_exact(self.held.len().max(1));
        }
        self.held.insert(at, tick);
        self.first_end = self.first_end.min(tick.end);
        self.last_start = self.last_start.max(tick.start);
    }

    /// Removes and returns a tick that has expired at `now`; a tick expires at its end.
    pub(super) fn take_expired(&mut self, now: Timestamp) -> Option<Tick> {
        if now < self.first_end { None } else { self.take_first() }
    }

    /// Removes and returns the tick that ends first.
    pub(super) fn take_first(&mut self) -> Option<Tick> {
        let first = self.held.pop_front();
        self.first_end = self.held.front().map_or(Timestamp::NEVER, |tick| tick.end);
        if self.held.is_empty() {
            (self.last_start, self.is_ordered, self.overlaps) = (UNKNOWN, true, false);
        }
        first
    }

    /// Returns the position of the live tick at `now` that would live longest.
    fn longest(&self, now: Timestamp) -> Option<usize> {
        if self.overlaps {
            let alive =
                (0..self.held.len()).filter(|at| self.held[*at].start <= now && now < self.held[*at].end);
            return alive.max_by_key(|at| {
                let tick = self.held[*at];
                (self.last_of_value(tick), tick.start, tick.number)
            });
        }
        self.held.iter().rposition(|tick| tick.start <= now).filter(|at| now < self.held[*at].end)
    }

    /// Returns when the tick ends, or the next tick of its value begins.
    fn last_of_value(&self, tick: Tick) -> Timestamp {
        let of_value = self.held.iter().filter(|other| tick.value != 0 && other.value == tick.value);
        of_value.map(|other| other.start).filter(|start| *start > tick.start).fold(tick.end, Timestamp::min)
    }

    /// Ends the live tick at `now` that would live longest, and returns it; for folded ticks, lowers their number by
    /// one.
    pub(super) fn end_longest(&mut self, now: Timestamp) -> Ended {
        match self.longest(now) {
            // Folded ticks never end.
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

    /// Ends at `now` all ticks that have begun by then; returns those that changed.
    pub(super) fn end_all(&mut self, now: Timestamp) -> Vec<Tick> {
        self.folded = 0;
        self.end_those(now, |_| true)
    }

    /// Ends at `now` the live ticks of a value; returns them.
    pub(super) fn end_value(&mut self, value: u64, now: Timestamp) -> Vec<Tick> {
        self.end_those(now, |tick| tick.value == value)
    }

    fn end_those(&mut self, now: Timestamp, of: impl Fn(&Tick) -> bool) -> Vec<Tick> {
        let mut changed = Vec::new();
        self.change(|tick| {
            if tick.start <= now && now < tick.end && of(tick) {
                tick.end = now;
                changed.push(*tick);
            }
            true
        });
        changed
    }

    /// Changes ticks, and removes those for which `keep` returns false.
    pub(super) fn change(&mut self, keep: impl FnMut(&mut Tick) -> bool) {
        self.held.retain_mut(keep);
        self.sort();
    }

    /// Folds the oldest `taken` endless ticks, if there are at least `many`; returns them.
    pub(super) fn fold(&mut self, many: usize, taken: usize) -> Vec<Tick> {
        let first = self.held.partition_point(|tick| tick.end < Timestamp::NEVER);
        if self.held.len() - first < many {
            return Vec::new();
        }
        let folded: Vec<Tick> = self.held.drain(first..first + taken).collect();
        self.folded += u32::try_from(folded.len()).unwrap_or(0);
        folded
    }

    /// Returns the ticks of a value.
    pub(super) fn of_value(&self, value: u64) -> Vec<Tick> {
        self.held.iter().filter(|tick| tick.value == value).copied().collect()
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

/// The result of [`Ticks::end_longest`].
pub(super) enum Ended {
    None,
    /// A folded one.
    Folded,
    Held(Tick),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_in_order_of_their_ends_and_a_few_take_no_more_room_than_they_need() {
        let tick = |end, number| Tick { end: Timestamp(end), start: Timestamp(end - 10), number, value: 0 };
        let mut ticks = Ticks::default();
        for (n, end) in (1..).zip([50, 60, 40, 60, 70, 55]) {
            ticks.add(tick(end, n));
            let few = usize::try_from(n).unwrap();
            assert!(few > 4 || ticks.held.capacity() <= few.next_power_of_two(), "{n}");
        }
        let ends: Vec<i64> = std::iter::from_fn(|| ticks.take_first()).map(|tick| tick.end.0).collect();
        assert_eq!(ends, [40, 50, 55, 60, 60, 70]);
    }
}

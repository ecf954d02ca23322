//! Limits log lines: at most a fixed number per window are logged. The rest are counted, and their number is logged
//! when the window ends.
//!
//! People who can write a line to the journal can cause errors and bans. What is logged about these must not fill the
//! log. A throttle only decides and counts; its owner writes the lines, because each owner words them differently.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How long a window lasts. It begins with the first event.
const WINDOW: Duration = Duration::from_secs(60);

/// Decides which events are logged, and counts the others.
///
/// `K` distinguishes events that share a limit; `G` distinguishes groups that are counted separately.
#[derive(Debug)]
pub struct Throttle<K, G> {
    per_key: u32,
    total: u32,
    /// When the window began.
    since: Option<Instant>,
    /// How many events were logged, by key: never more keys than `total`.
    logged: HashMap<K, u32>,
    total_logged: u32,
    unlogged: BTreeMap<G, u64>,
}

impl<K: Eq + Hash, G: Ord> Throttle<K, G> {
    /// Makes a throttle that admits, per window, at most `per_key` events with the same key, and `total` events in all.
    pub fn new(per_key: u32, total: u32) -> Throttle<K, G> {
        Throttle {
            per_key,
            total,
            since: None,
            logged: HashMap::new(),
            total_logged: 0,
            unlogged: BTreeMap::new(),
        }
    }

    /// Returns `true` if this event is to be logged. If not, `count` is added to the number of `group` at the window's
    /// end.
    ///
    /// Call [`flush_if_over`](Throttle::flush_if_over) first.
    pub fn admits(&mut self, key: K, group: G, count: u64) -> bool {
        self.since.get_or_insert_with(Instant::now);
        if self.total_logged < self.total {
            let logged = self.logged.entry(key).or_default();
            if *logged < self.per_key {
                *logged += 1;
                self.total_logged += 1;
                return true;
            }
        }
        *self.unlogged.entry(group).or_default() += count;
        false
    }

    /// Returns the time until the number of unlogged events is due; `None` if all are logged.
    pub fn left(&self) -> Option<Duration> {
        let since = self.since.filter(|_| !self.unlogged.is_empty())?;
        Some(WINDOW.saturating_sub(since.elapsed()))
    }

    /// Calls [`flush`](Throttle::flush) if the window has ended.
    pub fn flush_if_over(&mut self, report: impl FnMut(G, u64, Duration)) {
        if self.since.is_some_and(|since| since.elapsed() >= WINDOW) {
            self.flush(report);
        }
    }

    /// Ends the window: reports, for each group, the number of unlogged events and the window's length.
    pub fn flush(&mut self, mut report: impl FnMut(G, u64, Duration)) {
        let length = self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        for (group, count) in std::mem::take(&mut self.unlogged) {
            report(group, count, length);
        }
        self.logged.clear();
        self.total_logged = 0;
    }

    /// Returns how many events of a group are not logged yet.
    pub fn unlogged(&self, group: &G) -> u64 {
        self.unlogged.get(group).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flushed(throttle: &mut Throttle<&str, char>) -> Vec<(char, u64)> {
        let mut reported = Vec::new();
        throttle.flush(|group, count, _| reported.push((group, count)));
        reported
    }

    #[test]
    fn a_key_has_its_share_and_all_keys_have_a_limit() {
        let mut throttle = Throttle::new(2, 3);
        let mut admits = |key, group| throttle.admits(key, group, 1);
        assert_eq!([admits("a", 'x'), admits("a", 'x'), admits("a", 'x')], [true, true, false]);
        assert_eq!([admits("b", 'y'), admits("b", 'y'), admits("c", 'y')], [true, false, false]);
        assert_eq!(flushed(&mut throttle), [('x', 1), ('y', 2)]);
        // A new window.
        assert!(throttle.admits("a", 'x', 1));
        assert_eq!(flushed(&mut throttle), []);
    }

    #[test]
    fn the_number_of_unlogged_events_is_due_at_the_end_of_the_window() {
        let mut throttle = Throttle::new(1, 9);
        assert!(throttle.admits("a", 'x', 4));
        assert_eq!(throttle.left(), None);
        assert!(!throttle.admits("a", 'x', 5));
        assert!(throttle.left().is_some_and(|left| left <= WINDOW));
        throttle.flush_if_over(|_, _, _| panic!("the window is not over"));
        assert_eq!(throttle.unlogged(&'x'), 5);
    }

    #[test]
    fn many_keys_do_not_fill_the_memory() {
        let mut throttle = Throttle::new(1, 5);
        for key in 0..10_000 {
            throttle.admits(key, (), 1);
        }
        assert_eq!((throttle.logged.len(), throttle.unlogged(&())), (5, 9_995));
    }
}

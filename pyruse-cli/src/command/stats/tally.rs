//! Counts values that attackers may choose, in bounded memory.
//!
//! An attacker may write entries with a million different identifiers. So only a limited number of values is counted
//! individually; when the limit is reached, the rarer half is combined into one count. A value that is always frequent
//! stays. A value that was dropped and occurs again has lost at most the count of the largest dropped one, each time;
//! the sum of these is reported as the uncertainty.

use std::cmp::Reverse;
use std::collections::HashMap;

use pyruse_core::text::floor_char_boundary;

/// How many values are counted individually.
const VALUES: usize = 20_000;

/// A longer value is shown by its beginning.
const LENGTH: usize = 256;

/// The entries of one value, by priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) levels: [u64; 8],
    /// Those without a priority, or with an invalid one.
    pub(super) without: u64,
}

impl Counts {
    pub(super) fn total(&self) -> u64 {
        self.levels.iter().sum::<u64>() + self.without
    }

    fn count(&mut self, level: Option<usize>) {
        match level {
            Some(level) => self.levels[level] += 1,
            None => self.without += 1,
        }
    }

    fn add(&mut self, other: &Counts) {
        self.levels.iter_mut().zip(other.levels).for_each(|(sum, count)| *sum += count);
        self.without += other.without;
    }
}

/// The counts of all values.
#[derive(Default)]
pub(super) struct Tally {
    values: HashMap<String, Counts>,
    /// Entries that lack the field.
    missing: Counts,
    dropped: Counts,
    max_error: u64,
}

/// The most frequent values, and the rest.
pub(super) struct Ranking<'t> {
    /// `None` stands for the missing field.
    pub(super) top: Vec<(Option<&'t str>, Counts)>,
    pub(super) others: Counts,
    /// The number of other values that are still known.
    pub(super) other_values: u64,
}

impl Tally {
    pub(super) fn count(&mut self, value: Option<&str>, level: Option<usize>) {
        let Some(value) = value else { return self.missing.count(level) };
        let value = &value[..floor_char_boundary(value, LENGTH)];
        if let Some(counts) = self.values.get_mut(value) {
            return counts.count(level);
        }
        if self.values.len() >= VALUES {
            self.drop_the_rarer_half();
        }
        self.values.entry(value.to_owned()).or_default().count(level);
    }

    fn drop_the_rarer_half(&mut self) {
        let mut totals: Vec<u64> = self.values.values().map(Counts::total).collect();
        let (_, median, _) = totals.select_nth_unstable(VALUES / 2);
        let bound = *median;
        self.max_error += bound;
        self.values.retain(|_, counts| {
            // Those equal to the bound are dropped, too: otherwise, if all were equal, no memory would be freed.
            let stays = counts.total() > bound;
            if !stays {
                self.dropped.add(counts);
            }
            stays
        });
    }

    /// Returns the number of all entries.
    pub(super) fn entries(&self) -> u64 {
        self.values.values().map(Counts::total).sum::<u64>() + self.missing.total() + self.dropped.total()
    }

    /// Returns by how much the count of a value may be too low.
    pub(super) fn max_error(&self) -> u64 {
        self.max_error
    }

    /// Returns the most frequent values; equal ones are ordered by name.
    pub(super) fn ranking(&self, most: usize) -> Ranking<'_> {
        let values = self.values.iter().map(|(value, counts)| (Some(value.as_str()), *counts));
        let missing = (self.missing.total() > 0).then_some((None, self.missing));
        let mut all: Vec<_> = values.chain(missing).collect();
        all.sort_unstable_by_key(|(value, counts)| (Reverse(counts.total()), *value));
        let rest = all.split_off(all.len().min(most));
        let mut others = self.dropped;
        for (_, counts) in &rest {
            others.add(counts);
        }
        Ranking { top: all, others, other_values: rest.len() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_values_takes_bounded_memory_and_hides_no_frequent_one() {
        let mut tally = Tally::default();
        for n in 0..200_000_u32 {
            tally.count(Some(&format!("{n} is unique")), Some(6));
            if n % 10 == 0 {
                tally.count(Some("frequent"), Some(3));
            }
            if n % 1000 == 0 {
                tally.count(Some("less so"), None);
                tally.count(None, None);
            }
        }
        assert!(tally.values.len() <= VALUES);
        assert_eq!(tally.entries(), 200_000 + 20_000 + 200 + 200);
        let ranking = tally.ranking(3);
        let top: Vec<_> = ranking.top.iter().map(|(value, counts)| (*value, counts.total())).collect();
        assert_eq!(top, [(Some("frequent"), 20_000), (None, 200), (Some("less so"), 200)]);
        assert_eq!(ranking.others.total(), 200_000);
        assert!(tally.max_error() > 0 && tally.max_error() < 50, "{}", tally.max_error());
    }

    #[test]
    fn values_that_are_as_rare_as_all_others_are_still_counted_together() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            for n in 0..=VALUES {
                tally.count(Some(&n.to_string()), None);
            }
        }
        assert_eq!(tally.entries(), 3 * (VALUES as u64 + 1));
        let counted = tally.ranking(1).top[0].1.total();
        assert!(counted <= 3 && counted + tally.max_error() >= 3, "{counted} {}", tally.max_error());
    }

    #[test]
    fn a_long_value_is_shown_by_its_beginning() {
        let mut tally = Tally::default();
        tally.count(Some(&"ä".repeat(100_000)), None);
        tally.count(Some(&"ä".repeat(200)), None);
        let ranking = tally.ranking(2);
        assert_eq!(ranking.top.iter().map(|(value, _)| value.unwrap().len()).collect::<Vec<_>>(), [256]);
    }
}

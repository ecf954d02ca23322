//! Which numbers of a sequence were read: intervals, in order, a bounded number of them.

/// With more intervals, the smallest gap is closed: what it held counts as read.
pub(super) const MOST: usize = 64;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    /// First and last number of each.
    intervals: Vec<(u64, u64)>,
}

impl Numbers {
    /// All numbers up to that one.
    pub(super) fn upto(last: u64) -> Numbers {
        Numbers { intervals: vec![(0, last)] }
    }

    /// The last number of the interval that has this number.
    pub(super) fn end_of(&self, number: u64) -> Option<u64> {
        self.interval(number).map(|(_, last)| last)
    }

    /// Forgets that number, and larger ones.
    pub(super) fn forget_from(&mut self, number: u64) {
        let last = self.below(number);
        self.intervals.retain(|(first, _)| *first < number);
        if let (Some((_, end)), Some(last)) = (self.intervals.last_mut(), last) {
            *end = last;
        }
    }

    /// The largest number below that one.
    pub(super) fn below(&self, number: u64) -> Option<u64> {
        let behind = self.intervals.partition_point(|(first, _)| *first < number);
        let (_, last) = self.intervals[..behind].last()?;
        Some((*last).min(number.saturating_sub(1)))
    }

    pub(super) fn intervals(&self) -> &[(u64, u64)] {
        &self.intervals
    }

    /// Returns how many others count as read from now on.
    pub(super) fn insert(&mut self, number: u64) -> u64 {
        self.insert_all(number, number)
    }

    pub(super) fn insert_all(&mut self, first: u64, last: u64) -> u64 {
        if let Some((_, end)) = self.intervals.last_mut()
            && end.checked_add(1) == Some(first)
        {
            *end = last.max(*end);
            return 0;
        }
        // Those that the new one touches become part of it.
        let from = self.intervals.partition_point(|(_, end)| end.saturating_add(1) < first);
        let upto = self.intervals.partition_point(|(start, _)| *start <= last.saturating_add(1)).max(from);
        let touched = &self.intervals[from..upto];
        let first = touched.first().map_or(first, |(start, _)| first.min(*start));
        let last = touched.last().map_or(last, |(_, end)| last.max(*end));
        self.intervals.splice(from..upto, [(first, last)]);
        if self.intervals.len() > MOST { self.close_a_gap() } else { 0 }
    }

    fn close_a_gap(&mut self) -> u64 {
        let gaps = self.intervals.windows(2).map(|pair| pair[1].0 - pair[0].1 - 1).enumerate();
        let Some((at, gap)) = gaps.min_by_key(|(_, gap)| *gap) else { return 0 };
        let (_, last) = self.intervals.remove(at + 1);
        self.intervals[at].1 = last;
        gap
    }

    fn interval(&self, number: u64) -> Option<(u64, u64)> {
        let (_, last) = self.intervals.last()?;
        if number > *last {
            return None;
        }
        let behind = self.intervals.partition_point(|(first, _)| *first <= number);
        self.intervals[..behind].last().copied().filter(|(_, last)| number <= *last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    proptest::proptest! {
        #[test]
        fn it_holds_what_was_inserted_and_nothing_else(inserted in proptest::collection::vec((0_u64..100, 0_u64..4), 0..60)) {
            let (mut numbers, mut all) = (Numbers::default(), BTreeSet::new());
            for (first, more) in inserted {
                numbers.insert_all(first, first + more);
                all.extend(first..=first + more);
            }
            for number in 0..110 {
                assert_eq!(numbers.end_of(number).is_some(), all.contains(&number), "{number} in {numbers:?}");
                assert_eq!(numbers.below(number), all.range(..number).next_back().copied(), "{number} in {numbers:?}");
            }
            assert!(numbers.intervals.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }

    #[test]
    fn numbers_from_one_on_are_forgotten() {
        for (from, last) in
            [(0, None), (1, Some(0)), (4, Some(3)), (5, Some(3)), (8, Some(7)), (9, Some(8)), (20, Some(8))]
        {
            let mut numbers = Numbers::upto(3);
            numbers.insert_all(6, 8);
            numbers.forget_from(from);
            assert_eq!(numbers.below(u64::MAX), last, "{from}");
        }
    }

    #[test]
    fn the_number_of_intervals_is_bounded_and_the_smallest_gap_is_closed() {
        let mut numbers = Numbers::default();
        let closed: Vec<_> = (0..=MOST as u64).map(|n| numbers.insert(n * 100 + n)).collect();
        assert_eq!((closed[MOST - 1], closed[MOST]), (0, 100));
        assert_eq!(numbers.intervals().len(), MOST);
        assert_eq!(numbers.insert(u64::MAX), 100);
        assert_eq!(numbers.insert(u64::MAX - 2), 1);
        assert!(numbers.end_of(u64::MAX - 1).is_some());
        numbers.insert(0);
        assert_eq!(numbers.end_of(u64::MAX), Some(u64::MAX));
    }
}

//! A category against a model that is as simple as the rules: lists of all that was ever done, which are scanned.
//! Entries come in any order.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use pyruse_core::state::{Handle, State};
use pyruse_core::time::{Clock, Now, Timestamp};

use super::category::{Caps, Category};

#[derive(Clone, Debug)]
enum Operation {
    /// For this number of seconds; 0: for ever.
    Raise(i64),
    /// Of this value, for this number of seconds.
    RaiseValue(&'static str, i64),
    /// With this number of seconds of grace.
    Reset(i64),
    Lower,
    /// The program ends and starts again.
    Restart,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        60 => prop::sample::select(vec![5_i64, 20, 20, 20, 0]).prop_map(Operation::Raise),
        30 => (prop::sample::select(vec!["x", "y", "z"]), prop::sample::select(vec![20_i64, 20, 5]))
            .prop_map(|(value, keep)| Operation::RaiseValue(value, keep)),
        10 => prop::sample::select(vec![0_i64, 0, 3, 15]).prop_map(Operation::Reset),
        10 => Just(Operation::Lower),
        2 => Just(Operation::Restart),
    ]
}

/// A tick counts in these times: from the first, until the second. Those of one value count as one.
struct Tick(i64, i64, Option<&'static str>);

#[derive(Default)]
struct Model {
    ticks: Vec<Tick>,
    resets: Vec<i64>,
    /// Begin and end, in the order in which they came.
    graces: Vec<(i64, i64)>,
}

impl Model {
    fn is_in_grace(&self, now: i64) -> bool {
        let begun = self.graces.iter().filter(|(start, _)| *start <= now);
        begun.max_by_key(|(start, _)| *start).is_some_and(|(_, end)| now < *end)
    }

    fn count(&self, now: i64) -> usize {
        let alive = self.ticks.iter().filter(|Tick(start, end, _)| *start <= now && now < *end);
        let (of_values, others): (Vec<&Tick>, Vec<&Tick>) = alive.partition(|tick| tick.2.is_some());
        let values: BTreeSet<_> = of_values.iter().map(|tick| tick.2).collect();
        others.len() + values.len()
    }

    /// When a tick ends: at the latest where the next one of its value begins.
    fn last(&self, n: usize) -> i64 {
        let Tick(start, end, value) = self.ticks[n];
        let of_value = self.ticks.iter().filter(|tick| value.is_some() && tick.2 == value);
        of_value.map(|tick| tick.0).filter(|other| *other > start).chain([end]).min().unwrap_or(end)
    }

    fn act(&mut self, operation: &Operation, now: i64) -> usize {
        match operation {
            Operation::Raise(_) | Operation::RaiseValue(..) if self.is_in_grace(now) => 0,
            Operation::Raise(_) | Operation::RaiseValue(..) => {
                let (end, value) = match operation {
                    Operation::Raise(0) => (i64::MAX, None),
                    Operation::Raise(keep) => (now + keep, None),
                    Operation::RaiseValue(value, keep) => (now + keep, Some(*value)),
                    _ => unreachable!(),
                };
                let reset = self.resets.iter().copied().filter(|reset| *reset > now).min();
                self.ticks.push(Tick(now, end.min(reset.unwrap_or(i64::MAX)), value));
                self.count(now)
            }
            Operation::Reset(grace) => {
                if self.ticks.is_empty() && self.resets.is_empty() && self.graces.is_empty() && *grace == 0 {
                    return 0;
                }
                for Tick(start, end, _) in &mut self.ticks {
                    if *start <= now {
                        *end = (*end).min(now);
                    }
                }
                self.resets.push(now);
                if *grace > 0 {
                    self.graces.push((now, now + grace));
                    let graces = Model { graces: self.graces.clone(), ..Model::default() };
                    self.ticks.retain(|Tick(start, ..)| *start <= now || !graces.is_in_grace(*start));
                }
                0
            }
            Operation::Lower => {
                let alive = |n: &usize| self.ticks[*n].0 <= now && now < self.ticks[*n].1;
                let alive: Vec<usize> = (0..self.ticks.len()).filter(alive).collect();
                let Some(longest) = alive.iter().copied().max_by_key(|n| (self.last(*n), self.ticks[*n].0))
                else {
                    return 0;
                };
                let value = self.ticks[longest].2;
                for n in alive {
                    if n == longest || (value.is_some() && self.ticks[n].2 == value) {
                        self.ticks[n].1 = now;
                    }
                }
                self.count(now)
            }
            Operation::Restart => 0,
        }
    }
}

fn open(path: &std::path::Path) -> (State, Handle<Category>) {
    let later = Now::at(Timestamp::from_seconds(START + 1000));
    let mut state = State::open_file(path).unwrap().with_clock(Clock::of(move || later));
    let category = state.open::<Category>("counter/c").unwrap();
    state.get_mut(category).configure("c", Caps { keys: 100, ticks: 1000 });
    (state, category)
}

const START: i64 = 1_795_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn counts_are_what_a_scan_of_all_that_was_done_says(
        operations in vec((operation(), prop::sample::select(vec!["a", "b"]), 0..60_i64), 1..120),
        is_in_order in prop::bool::weighted(0.2),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut state, mut category) = open(&path);
        let mut models = [Model::default(), Model::default()];
        let mut operations = operations;
        if is_in_order {
            operations.sort_by_key(|(_, _, second)| *second);
        }
        for (operation, key, second) in operations {
            let now = Timestamp::from_seconds(START + second);
            let expected = models[usize::from(key == "b")].act(&operation, second);
            let counters = state.get_mut(category);
            let found = match operation {
                Operation::Raise(0) => counters.raise(key, now, Timestamp::NEVER),
                Operation::Raise(keep) => counters.raise(key, now, Timestamp::from_seconds(START + second + keep)),
                Operation::RaiseValue(value, keep) => {
                    counters.raise_value(key, value, now, Timestamp::from_seconds(START + second + keep))
                }
                Operation::Reset(grace) => {
                    let end = (grace > 0).then(|| Timestamp::from_seconds(START + second + grace));
                    counters.reset(key, now, end);
                    0
                }
                Operation::Lower => counters.lower(key, now),
                Operation::Restart => {
                    state.commit().unwrap();
                    (state, category) = open(&path);
                    0
                }
            };
            prop_assert_eq!(found, expected, "{:?} of {} at {}", operation, key, second);
        }
    }
}

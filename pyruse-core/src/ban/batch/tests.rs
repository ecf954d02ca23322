use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use crate::ban::OrderKind;

/// A program with bad addresses and a missing set; it records what it runs.
struct Fake<const MIN_BATCH: usize> {
    bad: BTreeSet<String>,
    runs: RefCell<Vec<usize>>,
    hangs: bool,
}

impl<const MIN_BATCH: usize> Dialect for Fake<MIN_BATCH> {
    const MIN_BATCH: usize = MIN_BATCH;
    const MAX_BATCH_BYTES: usize = usize::MAX;

    fn command(order: &Order) -> String {
        order.net.to_string()
    }

    fn run(&self, commands: &[&Command<'_>]) -> Result<(), Failure> {
        self.runs.borrow_mut().push(commands.len());
        let good = |c: &&Command<'_>| c.order.set != "missing" && !self.bad.contains(&c.text);
        let failure =
            Failure { message: "no".into(), timed_out: self.hangs, not_started: false, status: Some(1) };
        if commands.iter().all(good) { Ok(()) } else { Err(failure) }
    }
}

fn orders(sets: &[(&str, u8)]) -> Vec<Order> {
    let addresses = sets.iter().flat_map(|(set, count)| (0..*count).map(move |n| (*set, n)));
    addresses
        .map(|(set, n)| Order {
            set: set.to_owned(),
            net: std::net::IpAddr::from([10, 0, 0, n]).into(),
            kind: OrderKind::Ban { timeout: None },
        })
        .collect()
}

fn deliver<const N: usize>(orders: &[Order], bad: &[u8]) -> (Vec<bool>, Vec<usize>) {
    let bad = bad.iter().map(|n| format!("10.0.0.{n}")).collect();
    let mut runner = BatchRunner::new(Fake::<N> { bad, runs: RefCell::default(), hangs: false });
    let outcomes = runner.deliver(orders);
    (outcomes.iter().map(|o| *o == Outcome::Done).collect(), runner.dialect.runs.take())
}

#[test]
fn a_bad_element_fails_alone() {
    let (done, _) = deliver::<2>(&orders(&[("a", 200)]), &[3, 77, 199]);
    let failed: Vec<usize> = (0..200).filter(|n| !done[*n]).collect();
    assert_eq!(failed, [3, 77, 199]);
}

#[test]
fn a_missing_set_delays_no_other_and_is_not_tried_for_each_of_its_elements() {
    let (done, runs) = deliver::<2>(&orders(&[("missing", 200), ("b", 200)]), &[]);
    assert!(done[..200].iter().all(|done| !done) && done[200..].iter().all(|done| *done));
    assert!(runs.len() < 40, "{runs:?}");
}

#[test]
fn a_set_that_stays_missing_is_only_probed_until_it_is_there() {
    let fake = Fake::<2> { bad: BTreeSet::new(), runs: RefCell::default(), hangs: false };
    let mut runner = BatchRunner::new(fake);
    let orders = orders(&[("missing", 200), ("b", 10)]);
    runner.deliver(&orders);
    runner.dialect.runs.take();
    for _ in 0..3 {
        let outcomes = runner.deliver(&orders);
        assert!(outcomes[..200].iter().all(|outcome| *outcome == Outcome::Retry("set `missing`: no".into())));
        assert!(outcomes[200..].iter().all(|outcome| *outcome == Outcome::Done));
        assert_eq!(runner.dialect.runs.take(), [1, 1, 10]);
    }
    // A single bad element makes its set suspect, and harms no other element.
    runner.dialect.bad.insert("10.0.0.3".into());
    runner.deliver(&orders[203..204]);
    runner.dialect.runs.take();
    let outcomes = runner.deliver(&orders[203..]);
    let failed = outcomes.iter().filter(|outcome| **outcome != Outcome::Done).count();
    assert_eq!(failed, 1);
    runner.deliver(&orders[204..]);
    assert!(!runner.failing.contains("b"));
}

#[test]
fn few_are_run_one_by_one() {
    assert_eq!(deliver::<10>(&orders(&[("a", 3), ("b", 6)]), &[]).1, [1; 9]);
    assert_eq!(deliver::<10>(&orders(&[("a", 4), ("b", 6)]), &[]).1, [10]);
    let (done, runs) = deliver::<10>(&orders(&[("a", 16)]), &[5]);
    assert_eq!(done.iter().filter(|done| !**done).count(), 1);
    assert_eq!(runs, [16, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_program_that_hangs_is_not_run_for_each_part() {
    let bad = BTreeSet::from(["10.0.0.3".to_owned()]);
    let mut runner = BatchRunner::new(Fake::<2> { bad, runs: RefCell::default(), hangs: true });
    let outcomes = runner.deliver(&orders(&[("a", 200), ("b", 200)]));
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Retry("no".into())));
    assert_eq!(runner.dialect.runs.take(), [400]);
}

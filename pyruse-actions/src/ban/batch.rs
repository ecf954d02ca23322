//! Many bans at once: what the couriers of all firewalls share.
//!
//! A batch is one run of a program. If it fails, one bad element may have failed all: the batch is split by set, and
//! then halved until the bad ones are alone, so that they hold back nobody.

use std::collections::HashMap;

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::state::Letter;
use pyruse_core::time::Timestamp;

use super::Order;
use crate::program::Failure;

/// After so many single failures in a set without one success, the set itself is at fault.
const HOPELESS: usize = 8;

/// A ban as the firewall's program is told of it.
pub(super) struct Command {
    /// The letter's place in its batch.
    at: usize,
    /// The set.
    pub(super) set: String,
    /// The command.
    pub(super) text: String,
}

/// How one kind of firewall is spoken to.
pub(super) trait Tongue: Send {
    /// At least so many commands are worth running together; fewer are run one by one.
    const TOGETHER: usize;
    /// All commands of one run are at most so long, in bytes, with two more for each.
    const LONGEST: usize;

    /// The command for a ban; `None` when it is over.
    fn command(order: &Order, now: Timestamp) -> Option<String>;

    /// Runs these: all or, at an error, perhaps some of them; every command may be repeated.
    fn run(&self, commands: &[&Command]) -> Result<(), Failure>;
}

/// Delivers orders for bans.
pub(super) struct BanCourier<T>(pub(super) T);

impl<T: Tongue> Deliver for BanCourier<T> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Done; letters.len()];
        let mut commands = Vec::with_capacity(letters.len());
        let now = Timestamp::now();
        for (at, letter) in letters.iter().enumerate() {
            match serde_json::from_str::<Order>(&letter.payload) {
                Ok(order) => {
                    if let Some(text) = T::command(&order, now) {
                        commands.push(Command { at, set: order.set, text });
                    }
                }
                Err(e) => outcomes[at] = Outcome::GiveUp(format!("not an order for a ban: {e}")),
            }
        }
        let commands: Vec<&Command> = commands.iter().collect();
        let mut start = 0;
        while start < commands.len() {
            let mut length: usize = 0;
            let fits = |command: &&&Command| {
                length += command.text.len() + 2;
                length <= T::LONGEST
            };
            let end = start + commands[start..].iter().take_while(fits).count().max(1);
            self.apply(&commands[start..end], &mut outcomes);
            start = end;
        }
        outcomes
    }
}

impl<T: Tongue> BanCourier<T> {
    fn apply(&self, commands: &[&Command], outcomes: &mut [Outcome]) {
        if commands.len() >= T::TOGETHER {
            match self.0.run(commands) {
                Ok(()) => return,
                Err(failure) if failure.timed_out => {
                    // The program hangs, whatever it is told: trying each part would hang as often.
                    retry(commands, &failure.message, outcomes);
                    return;
                }
                Err(_) => {}
            }
        }
        // Set by set: one that is missing fails as a whole.
        let mut sets: Vec<Vec<&Command>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for command in commands {
            let place = *places.entry(&command.set).or_insert_with(|| {
                sets.push(Vec::new());
                sets.len() - 1
            });
            sets[place].push(command);
        }
        for commands in sets {
            self.bisect(&commands, &mut Vec::new(), outcomes);
        }
    }

    /// Halves until the bad ones are alone. `failed`: what was said of those that have failed since one went.
    fn bisect(&self, commands: &[&Command], failed: &mut Vec<String>, outcomes: &mut [Outcome]) {
        if let Some(error) = failed.last().filter(|_| failed.len() >= HOPELESS) {
            retry(commands, error, outcomes);
            return;
        }
        let alone = commands.len() == 1;
        let result = if alone || commands.len() >= T::TOGETHER { Some(self.0.run(commands)) } else { None };
        match result {
            // One that goes shows that the set is there.
            Some(Ok(())) => failed.clear(),
            Some(Err(failure)) if alone || failure.timed_out => {
                let error = format!("set `{}`: {}", commands[0].set, failure.message);
                retry(commands, &error, outcomes);
                let weight = if failure.timed_out { HOPELESS } else { 1 };
                failed.extend(std::iter::repeat_n(error, weight));
            }
            _ => {
                let (left, right) = commands.split_at(commands.len() / 2);
                self.bisect(left, failed, outcomes);
                self.bisect(right, failed, outcomes);
            }
        }
    }
}

fn retry(commands: &[&Command], error: &str, outcomes: &mut [Outcome]) {
    for command in commands {
        outcomes[command.at] = Outcome::Retry(error.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;

    /// Knows which addresses are bad, and which set is missing; takes down what it ran.
    struct Fake<const TOGETHER: usize> {
        bad: BTreeSet<String>,
        runs: RefCell<Vec<usize>>,
        hangs: bool,
    }

    impl<const TOGETHER: usize> Tongue for Fake<TOGETHER> {
        const TOGETHER: usize = TOGETHER;
        const LONGEST: usize = usize::MAX;

        fn command(order: &Order, _: Timestamp) -> Option<String> {
            Some(order.ip.to_string())
        }

        fn run(&self, commands: &[&Command]) -> Result<(), Failure> {
            self.runs.borrow_mut().push(commands.len());
            let good = |c: &&Command| c.set != "missing" && !self.bad.contains(&c.text);
            let failure = Failure { message: "no".into(), timed_out: self.hangs };
            if commands.iter().all(good) { Ok(()) } else { Err(failure) }
        }
    }

    fn letters(sets: &[(&str, u8)]) -> Vec<Letter> {
        let orders = sets.iter().flat_map(|(set, count)| (0..*count).map(move |n| (*set, n)));
        orders
            .zip(0..)
            .map(|((set, n), id)| {
                let order = Order {
                    set: set.to_owned(),
                    ip: [10, 0, 0, n].into(),
                    until: None,
                    seconds: 0,
                    renew: false,
                    lift: false,
                };
                let payload = serde_json::to_string(&order).unwrap();
                Letter { id, payload, tries: 0, created: Timestamp(0) }
            })
            .collect()
    }

    fn deliver<const N: usize>(letters: &[Letter], bad: &[u8]) -> (Vec<bool>, Vec<usize>) {
        let bad = bad.iter().map(|n| format!("10.0.0.{n}")).collect();
        let mut courier = BanCourier(Fake::<N> { bad, runs: RefCell::default(), hangs: false });
        let outcomes = courier.deliver(letters);
        (outcomes.iter().map(|o| *o == Outcome::Done).collect(), courier.0.runs.take())
    }

    #[test]
    fn a_bad_element_fails_alone() {
        let (done, _) = deliver::<2>(&letters(&[("a", 200)]), &[3, 77, 199]);
        let failed: Vec<usize> = (0..200).filter(|n| !done[*n]).collect();
        assert_eq!(failed, [3, 77, 199]);
    }

    #[test]
    fn a_set_that_is_missing_holds_back_no_other_and_is_not_tried_for_each_of_its_elements() {
        let (done, runs) = deliver::<2>(&letters(&[("missing", 200), ("b", 200)]), &[]);
        assert!(done[..200].iter().all(|done| !done) && done[200..].iter().all(|done| *done));
        assert!(runs.len() < 40, "{runs:?}");
    }

    #[test]
    fn few_are_run_one_by_one() {
        assert_eq!(deliver::<10>(&letters(&[("a", 3), ("b", 6)]), &[]).1, [1; 9]);
        assert_eq!(deliver::<10>(&letters(&[("a", 4), ("b", 6)]), &[]).1, [10]);
        let (done, runs) = deliver::<10>(&letters(&[("a", 16)]), &[5]);
        assert_eq!(done.iter().filter(|done| !**done).count(), 1);
        assert_eq!(runs, [16, 16, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn what_is_no_order_is_given_up() {
        let letter = Letter { id: 0, payload: "?".into(), tries: 0, created: Timestamp(0) };
        let mut courier =
            BanCourier(Fake::<2> { bad: BTreeSet::new(), runs: RefCell::default(), hangs: false });
        assert!(matches!(&courier.deliver(&[letter])[..], [Outcome::GiveUp(_)]));
    }

    #[test]
    fn a_program_that_hangs_is_not_asked_for_each_part() {
        let bad = BTreeSet::from(["10.0.0.3".to_owned()]);
        let mut courier = BanCourier(Fake::<2> { bad, runs: RefCell::default(), hangs: true });
        let outcomes = courier.deliver(&letters(&[("a", 200), ("b", 200)]));
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Retry("no".into())));
        assert_eq!(courier.0.runs.take(), [400]);
    }
}

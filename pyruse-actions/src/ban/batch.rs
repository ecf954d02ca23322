//! Delivers many bans at once. The couriers of all firewalls share this code.
//!
//! A batch is one run of a program. If it fails, one bad element may have failed all: the batch is split by set, and
//! then halved until the bad elements are alone, so that they delay no other. A set in which every command failed is
//! remembered: until a command succeeds again, it is only probed. So thousands of bans that wait for a missing set cost
//! little. A batch may contain bans and lifts, but never two of the same element, because letters have keys.
//! little. Bans and their ends may stand in one batch, but never two of one element: letters have keys.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::operation::Family;
use pyruse_core::plugin::excerpt;
use pyruse_core::state::Letter;
use pyruse_core::time::Timestamp;

use super::Order;
use crate::program::Failure;

/// After this many single failures in a set without a success, the set itself is the cause.
const HOPELESS: usize = 8;

/// A ban, or the lifting of one, as a command for the firewall's program.
pub(super) struct Command {
    /// The index of the letter in its batch.
    at: usize,
    /// The set.
    pub(super) set: String,
    /// The family of the address.
    pub(super) family: Family,
    /// The command lifts a ban.
    pub(super) lift: bool,
    /// The text of the command.
    pub(super) text: String,
}

/// How to talk to one kind of firewall.
pub(super) trait Dialect: Send {
    /// The minimum number of commands worth running together; fewer are run one by one.
    const TOGETHER: usize;
    /// The maximum length of all commands of one run, in bytes, with two more for each command.
    const LONGEST: usize;

    /// Returns the command for an order; `None` when the ban has expired.
    fn command(order: &Order, now: Timestamp) -> Option<String>;

    /// Returns why no set of this firewall can hold the address, if that is so.
    fn never_holds(_ip: IpAddr) -> Option<&'static str> {
        None
    }

    /// Whether this can be the name of a set, and nothing else. Anyone who can write the state may have written a
    /// queued order.
    fn names_a_set(set: &str) -> bool;

    /// Runs these commands. On an error, some of them may have run. Every command may be repeated.
    fn run(&self, commands: &[&Command]) -> Result<(), Failure>;

    /// Returns what the operator can do about a command that failed alone with these words, if that is known.
    fn cure(_command: &Command, _words: &str) -> Option<String> {
        None
    }
}

/// Delivers orders for bans.
pub(super) struct BanCourier<T> {
    dialect: T,
    /// Sets in which every command failed last time.
    hopeless: HashSet<String>,
}

impl<T: Dialect> Deliver for BanCourier<T> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Done; letters.len()];
        let mut commands = Vec::with_capacity(letters.len());
        let now = Timestamp::now();
        for (at, order) in orders::<T>(letters, now, &mut outcomes) {
            if let Some(text) = T::command(&order, now) {
                let family = Family::of(order.ip);
                commands.push(Command { at, set: order.set, family, lift: order.lift, text });
            }
        }
        let commands: Vec<&Command> = commands.iter().collect();
        let commands = self.probe(commands, &mut outcomes);
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

impl<T: Dialect> BanCourier<T> {
    pub(super) fn new(dialect: T) -> BanCourier<T> {
        BanCourier { dialect, hopeless: HashSet::new() }
    }

    /// Probes hopeless sets with their oldest and their newest command. If both fail, the other commands of the set are
    /// not tried. Returns the commands that are left to run.
    fn probe<'c>(&mut self, commands: Vec<&'c Command>, outcomes: &mut [Outcome]) -> Vec<&'c Command> {
        if self.hopeless.is_empty() {
            return commands;
        }
        let (hopeless, mut rest): (Vec<&Command>, Vec<&Command>) =
            commands.into_iter().partition(|command| self.hopeless.contains(&command.set));
        for commands in by_set(&hopeless) {
            let mut error = None;
            let mut probes = vec![commands[0]];
            probes.extend(commands[1..].last());
            let mut went = false;
            for probe in probes {
                match self.dialect.run(&[probe]) {
                    Ok(()) => {
                        went = true;
                        break;
                    }
                    Err(failure) => error = Some(explain::<T>(probe, &failure)),
                }
            }
            if went {
                // Both commands may be repeated.
                self.hopeless.remove(&commands[0].set);
                rest.extend(commands);
            } else if let Some(error) = error {
                retry(&commands, &error, outcomes);
            }
        }
        rest
    }

    fn apply(&mut self, commands: &[&Command], outcomes: &mut [Outcome]) {
        if commands.len() >= T::TOGETHER {
            match self.dialect.run(commands) {
                Ok(()) => return,
                Err(failure) if failure.timed_out => {
                    // The program hangs whatever the commands are: trying each part would hang as often.
                    retry(commands, &failure.message, outcomes);
                    return;
                }
                Err(_) => {}
            }
        }
        // Run one set at a time: if a set is missing, all of its commands fail.
        for commands in by_set(commands) {
            self.bisect(&commands, &mut Vec::new(), outcomes);
            if commands.iter().all(|command| outcomes[command.at] != Outcome::Done) {
                self.hopeless.insert(commands[0].set.clone());
            }
        }
    }

    /// Halves the batch until the bad commands are alone. `failed` holds the errors since the last success.
    fn bisect(&self, commands: &[&Command], failed: &mut Vec<String>, outcomes: &mut [Outcome]) {
        if let Some(error) = failed.last().filter(|_| failed.len() >= HOPELESS) {
            retry(commands, error, outcomes);
            return;
        }
        let alone = commands.len() == 1;
        let result =
            if alone || commands.len() >= T::TOGETHER { Some(self.dialect.run(commands)) } else { None };
        match result {
            // A success shows that the set exists.
            Some(Ok(())) => failed.clear(),
            Some(Err(failure)) if alone || failure.timed_out => {
                let error = explain::<T>(commands[0], &failure);
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

/// Returns the orders in a batch of letters, with their indexes. A letter that is not an order is given up.
pub(super) fn orders<T: Dialect>(
    letters: &[Letter],
    now: Timestamp,
    outcomes: &mut [Outcome],
) -> Vec<(usize, Order)> {
    let mut orders = Vec::with_capacity(letters.len());
    for (at, letter) in letters.iter().enumerate() {
        match Order::read(letter, now) {
            Ok(order) if T::names_a_set(&order.set) => match T::never_holds(order.ip) {
                None => orders.push((at, order)),
                // The element is not there, as wanted.
                Some(_) if order.lift => {}
                Some(why) => outcomes[at] = Outcome::GiveUp(format!("{} is not banned: {why}", order.ip)),
            },
            Ok(order) => {
                let set = excerpt(&order.set);
                outcomes[at] = Outcome::GiveUp(format!("`{set}` cannot be the name of a set"));
            }
            Err(e) => outcomes[at] = Outcome::GiveUp(format!("not an order for a ban: {e}")),
        }
    }
    orders
}

/// Returns the commands of each set, in the order of each set's first command.
fn by_set<'c>(commands: &[&'c Command]) -> Vec<Vec<&'c Command>> {
    let mut sets: Vec<Vec<&Command>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for command in commands {
        let place = *places.entry(&command.set).or_insert_with(|| {
            sets.push(Vec::new());
            sets.len() - 1
        });
        sets[place].push(command);
    }
    sets
}

/// Returns what failed, why, and what the operator can do.
fn explain<T: Dialect>(command: &Command, failure: &Failure) -> String {
    let cure = T::cure(command, &failure.message).map(|cure| format!("; {cure}")).unwrap_or_default();
    format!("set `{}`: {}{cure}", command.set, failure.message)
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

    /// A firewall with bad addresses and a missing set; it records what it runs.
    struct Fake<const TOGETHER: usize> {
        bad: BTreeSet<String>,
        runs: RefCell<Vec<usize>>,
        hangs: bool,
    }

    impl<const TOGETHER: usize> Dialect for Fake<TOGETHER> {
        const TOGETHER: usize = TOGETHER;
        const LONGEST: usize = usize::MAX;

        fn command(order: &Order, _: Timestamp) -> Option<String> {
            Some(order.ip.to_string())
        }

        fn names_a_set(set: &str) -> bool {
            set != "; flush ruleset"
        }

        fn run(&self, commands: &[&Command]) -> Result<(), Failure> {
            self.runs.borrow_mut().push(commands.len());
            let good = |c: &&Command| c.set != "missing" && !self.bad.contains(&c.text);
            let failure = Failure { message: "no".into(), timed_out: self.hangs, not_started: false };
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
                    left: None,
                    seconds: 0,
                    renew: false,
                    lift: false,
                };
                let payload = serde_json::to_string(&order).unwrap();
                Letter { id, payload, ..Letter::default() }
            })
            .collect()
    }

    fn deliver<const N: usize>(letters: &[Letter], bad: &[u8]) -> (Vec<bool>, Vec<usize>) {
        let bad = bad.iter().map(|n| format!("10.0.0.{n}")).collect();
        let mut courier = BanCourier::new(Fake::<N> { bad, runs: RefCell::default(), hangs: false });
        let outcomes = courier.deliver(letters);
        (outcomes.iter().map(|o| *o == Outcome::Done).collect(), courier.dialect.runs.take())
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
    fn a_set_that_stays_missing_is_only_probed_until_it_is_there() {
        let fake = Fake::<2> { bad: BTreeSet::new(), runs: RefCell::default(), hangs: false };
        let mut courier = BanCourier::new(fake);
        let letters = letters(&[("missing", 200), ("b", 10)]);
        courier.deliver(&letters);
        courier.dialect.runs.take();
        for _ in 0..3 {
            let outcomes = courier.deliver(&letters);
            assert!(
                outcomes[..200].iter().all(|outcome| *outcome == Outcome::Retry("set `missing`: no".into()))
            );
            assert!(outcomes[200..].iter().all(|outcome| *outcome == Outcome::Done));
            assert_eq!(courier.dialect.runs.take(), [1, 1, 10]);
        }
        // A single bad element makes its set suspect, and harms no other element.
        courier.dialect.bad.insert("10.0.0.3".into());
        courier.deliver(&letters[203..204]);
        courier.dialect.runs.take();
        let outcomes = courier.deliver(&letters[203..]);
        let failed = outcomes.iter().filter(|outcome| **outcome != Outcome::Done).count();
        assert_eq!(failed, 1);
        courier.deliver(&letters[204..]);
        assert!(!courier.hopeless.contains("b"));
    }

    #[test]
    fn an_address_that_no_set_can_hold_is_given_up_at_once_and_its_end_is_done() {
        struct Never;
        impl Dialect for Never {
            const TOGETHER: usize = 2;
            const LONGEST: usize = usize::MAX;

            fn command(_: &Order, _: Timestamp) -> Option<String> {
                panic!("nothing is to be run")
            }

            fn never_holds(_: IpAddr) -> Option<&'static str> {
                Some("no set can hold it")
            }

            fn names_a_set(_: &str) -> bool {
                true
            }

            fn run(&self, _: &[&Command]) -> Result<(), Failure> {
                panic!("nothing is to be run")
            }
        }
        let mut letters = letters(&[("a", 2)]);
        letters[1].payload = letters[1].payload.replace("\"lift\":false", "\"lift\":true");
        let outcomes = BanCourier::new(Never).deliver(&letters);
        let given_up = Outcome::GiveUp("10.0.0.0 is not banned: no set can hold it".into());
        assert_eq!(outcomes, [given_up, Outcome::Done]);
    }

    #[test]
    fn what_waits_under_a_name_that_is_none_never_reaches_the_program() {
        let fake = Fake::<2> { bad: BTreeSet::new(), runs: RefCell::default(), hangs: false };
        let mut courier = BanCourier::new(fake);
        let outcomes = courier.deliver(&letters(&[("; flush ruleset", 1)]));
        assert_eq!(outcomes, [Outcome::GiveUp("`; flush ruleset` cannot be the name of a set".into())]);
        assert!(courier.dialect.runs.take().is_empty());
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
        let letter = Letter { payload: "?".into(), ..Letter::default() };
        let mut courier =
            BanCourier::new(Fake::<2> { bad: BTreeSet::new(), runs: RefCell::default(), hangs: false });
        assert!(matches!(&courier.deliver(&[letter])[..], [Outcome::GiveUp(_)]));
    }

    #[test]
    fn a_program_that_hangs_is_not_asked_for_each_part() {
        let bad = BTreeSet::from(["10.0.0.3".to_owned()]);
        let mut courier = BanCourier::new(Fake::<2> { bad, runs: RefCell::default(), hangs: true });
        let outcomes = courier.deliver(&letters(&[("a", 200), ("b", 200)]));
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Retry("no".into())));
        assert_eq!(courier.dialect.runs.take(), [400]);
    }
}

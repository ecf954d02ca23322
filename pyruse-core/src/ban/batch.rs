//! Delivers many orders at once by runs of a program.
//!
//! A batch is one run of a program. If it fails, one bad element may have failed all: the batch is split by set, and
//! then halved until the bad elements are alone, so that they delay no other. A set in which every command failed is
//! remembered: until a command succeeds again, it is only probed. So thousands of bans that wait for a missing set cost
//! little. A batch may contain bans and lifts, but never two of the same element, because messages have keys.

use std::collections::{HashMap, HashSet};

use super::order::Order;
use crate::courier::Outcome;
use crate::program::Failure;

#[cfg(test)]
mod tests;

/// After this many single failures in a set without a success, the set itself is the cause.
const FAILING_AFTER: usize = 8;

/// An order as a command for the firewall's program.
pub struct Command<'o> {
    /// The order.
    pub order: &'o Order,
    /// The text of the command.
    pub text: String,
    /// The index of the order in its batch.
    at: usize,
}

/// How orders are written for a firewall's program.
pub trait Dialect: Send {
    /// The minimum number of commands worth running together; fewer are run one by one.
    const MIN_BATCH: usize;
    /// The maximum length of all commands of one run, in bytes, with two more for each command.
    const MAX_BATCH_BYTES: usize;

    /// Returns the command for an order.
    fn command(order: &Order) -> String;

    /// Runs these commands. On an error, some of them may have run. Every command may be repeated.
    fn run(&self, commands: &[&Command<'_>]) -> Result<(), Failure>;

    /// Returns what the operator can do about a command that failed alone with these words, if that is known.
    fn remedy(_command: &Command<'_>, _words: &str) -> Option<String> {
        None
    }
}

/// Delivers orders by a program.
pub struct BatchRunner<D> {
    /// How to talk to the program.
    pub dialect: D,
    /// Sets in which every command failed last time.
    failing: HashSet<String>,
}

impl<D: Dialect> BatchRunner<D> {
    /// Makes one that has not run anything yet.
    pub fn new(dialect: D) -> BatchRunner<D> {
        BatchRunner { dialect, failing: HashSet::new() }
    }

    /// Delivers orders; returns their outcomes in the same order.
    pub fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Done; orders.len()];
        let command = |(at, order)| Command { order, text: D::command(order), at };
        let commands: Vec<Command<'_>> = orders.iter().enumerate().map(command).collect();
        let commands = self.probe(commands.iter().collect(), &mut outcomes);
        let mut start = 0;
        while start < commands.len() {
            let mut length: usize = 0;
            let fits = |command: &&&Command<'_>| {
                length += command.text.len() + 2;
                length <= D::MAX_BATCH_BYTES
            };
            let end = start + commands[start..].iter().take_while(fits).count().max(1);
            self.apply(&commands[start..end], &mut outcomes);
            start = end;
        }
        outcomes
    }

    /// Probes failing sets with their oldest and their newest command. If both fail, the other commands of the set are
    /// not tried. Returns the commands that are left to run.
    fn probe<'c>(
        &mut self,
        commands: Vec<&'c Command<'c>>,
        outcomes: &mut [Outcome],
    ) -> Vec<&'c Command<'c>> {
        if self.failing.is_empty() {
            return commands;
        }
        let (failing, mut rest): (Vec<&Command<'_>>, Vec<&Command<'_>>) =
            commands.into_iter().partition(|command| self.failing.contains(&command.order.set));
        for commands in by_set(&failing) {
            let mut error = None;
            let mut probes = vec![commands[0]];
            probes.extend(commands[1..].last());
            let mut succeeded = false;
            for probe in probes {
                match self.dialect.run(&[probe]) {
                    Ok(()) => {
                        succeeded = true;
                        break;
                    }
                    Err(failure) => error = Some(explain::<D>(probe, &failure)),
                }
            }
            if succeeded {
                // Both commands may be repeated.
                self.failing.remove(&commands[0].order.set);
                rest.extend(commands);
            } else if let Some(error) = error {
                retry(&commands, &error, outcomes);
            }
        }
        rest
    }

    fn apply(&mut self, commands: &[&Command<'_>], outcomes: &mut [Outcome]) {
        if commands.len() >= D::MIN_BATCH {
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
                self.failing.insert(commands[0].order.set.clone());
            }
        }
    }

    /// Halves the batch until the bad commands are alone. `failed` holds the errors since the last success.
    fn bisect(&self, commands: &[&Command<'_>], failed: &mut Vec<String>, outcomes: &mut [Outcome]) {
        if let Some(error) = failed.last().filter(|_| failed.len() >= FAILING_AFTER) {
            retry(commands, error, outcomes);
            return;
        }
        let alone = commands.len() == 1;
        let result =
            if alone || commands.len() >= D::MIN_BATCH { Some(self.dialect.run(commands)) } else { None };
        match result {
            // A success shows that the set exists.
            Some(Ok(())) => failed.clear(),
            Some(Err(failure)) if alone || failure.timed_out => {
                let error = explain::<D>(commands[0], &failure);
                retry(commands, &error, outcomes);
                let weight = if failure.timed_out { FAILING_AFTER } else { 1 };
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

/// Returns the commands of each set, in the order of each set's first command.
fn by_set<'c>(commands: &[&'c Command<'c>]) -> Vec<Vec<&'c Command<'c>>> {
    let mut sets: Vec<Vec<&Command<'_>>> = Vec::new();
    let mut indices: HashMap<&str, usize> = HashMap::new();
    for command in commands {
        let index = *indices.entry(&command.order.set).or_insert_with(|| {
            sets.push(Vec::new());
            sets.len() - 1
        });
        sets[index].push(command);
    }
    sets
}

/// Returns what failed, why, and what the operator can do.
fn explain<D: Dialect>(command: &Command<'_>, failure: &Failure) -> String {
    let remedy = D::remedy(command, &failure.message).map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("set `{}`: {}{remedy}", command.order.set, failure.message)
}

fn retry(commands: &[&Command<'_>], error: &str, outcomes: &mut [Outcome]) {
    for command in commands {
        outcomes[command.at] = Outcome::Retry(error.to_owned());
    }
}

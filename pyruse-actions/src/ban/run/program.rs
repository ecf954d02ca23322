//! Runs the programs of a set: one at a time, each with a time limit.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use pyruse_core::ban::{Order, OrderKind, SetNeeds};
use pyruse_core::courier::Outcome;
use pyruse_core::network::Network;
use pyruse_core::operation::Family;
use pyruse_core::plugin::{Inspection, Severity, excerpt};
use pyruse_core::program::Failure;

use super::commands::{Commands, Program, Programs};
use crate::program;

/// The exit status of `check` for an address that is not banned.
const NOT_BANNED: i32 = 1;

/// Addresses of no host, for which `check` is run by `check --live`.
const OF_NO_HOST: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// All sets, with their programs.
pub(super) struct Sets {
    programs: BTreeMap<String, Programs>,
    /// Sets with a program that did not end in time, and until when they are left alone: others must not wait longer
    /// for them than for their own programs.
    resting: HashMap<String, Instant>,
}

impl Sets {
    /// A set with an error is left out: such settings are refused.
    pub(super) fn new(sets: &BTreeMap<String, Commands>) -> Sets {
        let compiled =
            sets.iter().filter_map(|(set, commands)| Some((set.clone(), commands.compile().ok()?)));
        Sets { programs: compiled.collect(), resting: HashMap::new() }
    }

    /// Carries out an order.
    pub(super) fn deliver(&mut self, order: &Order) -> Outcome {
        let Some(programs) = self.programs.get(&order.set) else {
            return Outcome::Blocked(format!(
                "`runBan.sets` has no member `{}` any more: put it back, or drop this order",
                excerpt(&order.set)
            ));
        };
        let resting = self.resting.get(&order.set).map(|end| end.saturating_duration_since(Instant::now()));
        if let Some(left) = resting.filter(|left| !left.is_zero()) {
            return Outcome::Postpone(left);
        }
        match carry_out(programs, order) {
            Ok(()) => {
                self.resting.remove(&order.set);
                Outcome::Done
            }
            Err(NotDone::Blocked(why)) => Outcome::Blocked(format!("set `{}`: {why}", order.set)),
            Err(NotDone::Failed(failure)) => {
                if failure.timed_out {
                    self.resting.insert(order.set.clone(), Instant::now() + programs.limit);
                }
                Outcome::Retry(format!("set `{}`: {}", order.set, failure.message))
            }
        }
    }

    /// Reports for `check --live` what is wrong with the programs of a set.
    pub(super) fn inspect(&self, set: &str, needs: SetNeeds, inspection: &mut Inspection) {
        let Some(programs) = self.programs.get(set) else { return };
        let at = |path: &str| format!("runBan.sets.{set}.{path}");
        let mut is_missing = false;
        programs.missing(&mut |path, what| {
            is_missing = true;
            inspection.setting(&at(path), Severity::Error, what, "install it, or correct the path");
        });
        let Some(check) = programs.check.as_ref().filter(|_| !is_missing) else { return };
        let ip = OF_NO_HOST[usize::from(needs.family == Family::V6)];
        let Some(net) = Network::parse(ip) else { return };
        let order = Order { set: set.to_owned(), net, kind: OrderKind::Lift };
        let asked = inspection.once(&format!("runBan {set} {ip}"), || {
            is_banned(check, &order, programs.limit).map_err(|failure| failure.message)
        });
        if let Err(why) = asked {
            let what = format!("it does not say whether {ip} is banned: {why}");
            let help = "its exit status must be 0 for an address that is banned, and 1 for one that is not";
            inspection.setting(&at("check"), Severity::Error, what, help);
        }
    }
}

/// Why an order was not carried out.
enum NotDone {
    /// A program must be changed first.
    Blocked(String),
    Failed(Failure),
}

impl From<Failure> for NotDone {
    fn from(failure: Failure) -> NotDone {
        if failure.not_started { NotDone::Blocked(failure.message) } else { NotDone::Failed(failure) }
    }
}

fn carry_out(programs: &Programs, order: &Order) -> Result<(), NotDone> {
    let lifts = order.kind == OrderKind::Lift;
    if let Some(check) = programs.check.as_ref().filter(|_| lifts || !programs.ban.gets_seconds()) {
        trusted(check)?;
        if is_banned(check, order, programs.limit)? != lifts {
            return Ok(());
        }
    }
    let program = if lifts { &programs.unban } else { &programs.ban };
    trusted(program)?;
    Ok(program::run(&program.compose(order), Vec::new(), programs.limit)?)
}

/// The file may have been changed since the start.
fn trusted(program: &Program) -> Result<(), NotDone> {
    program::check(&program.name).map_err(NotDone::Blocked)
}

fn is_banned(check: &Program, order: &Order, limit: Duration) -> Result<bool, Failure> {
    match program::run(&check.compose(order), Vec::new(), limit) {
        Ok(()) => Ok(true),
        Err(Failure { status: Some(NOT_BANNED), .. }) => Ok(false),
        Err(failure) => Err(failure),
    }
}

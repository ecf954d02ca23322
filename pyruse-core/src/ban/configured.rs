//! What the configuration says about bans: the sets that its steps name, for operators who ban by hand, and the maximum
//! number of bans held.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::firewall::Firewall;
use super::store::Kind;
use crate::operation::BanSet;

/// The default maximum number of bans held; they need about 60 MB.
pub const MAX_BANS: u32 = 200_000;

/// Checks the settings that most firewalls share: the command, if there is one, under its key, and `maxBans`.
pub fn check_settings(
    key: &str,
    command: Option<&[String]>,
    max_bans: u32,
    report: &mut dyn FnMut(&str, String),
) {
    if command.is_some_and(|command| command.first().is_none_or(String::is_empty)) {
        report(key, "the command is empty: its first item must be a program".into());
    }
    if max_bans == 0 {
        report("maxBans", "`maxBans` must be at least 1: otherwise no ban is kept".into());
    }
}

/// Returns what the state must know about a firewall.
pub(super) const fn kind<F: Firewall>() -> Kind {
    Kind { name: F::NAME, is_exclusive: F::EXCLUSIVE, expires: F::EXPIRES }
}

/// What the steps of a configuration say about one kind of ban.
#[derive(Clone, Debug, Default)]
pub(super) struct Configured {
    pub(super) sets: BTreeSet<BanSet>,
    /// Whether it was logged that there are too many bans.
    pub(super) warned: Arc<AtomicBool>,
}

/// What the steps say, by the name of their action.
#[derive(Default)]
pub(super) struct Notes(BTreeMap<&'static str, Configured>);

impl Notes {
    pub(super) fn of(&mut self, action: &'static str) -> &mut Configured {
        self.0.entry(action).or_default()
    }
}

//! What the configuration says of bans: the sets that its steps name, for operators who ban by hand, and how many bans are
//! held at most.

use std::collections::BTreeSet;

use pyruse_core::operation::BanSet;
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::{Ends, Step};

/// So many bans are held, if the configuration does not say: some 60 MB.
pub(super) const MAX_BANS: u32 = 200_000;

/// What can be wrong in the settings of any firewall: its command, if it has one, under its key, and the bound of bans.
pub(super) fn check_settings(
    key: &str,
    command: Option<&[String]>,
    max_bans: u32,
    complain: &mut dyn FnMut(&str, String),
) {
    if command.is_some_and(|command| command.first().is_none_or(String::is_empty)) {
        complain(key, "the command is empty: its first item must be a program".into());
    }
    if max_bans == 0 {
        complain("maxBans", "`maxBans` must be at least 1: no ban would last".into());
    }
}

/// See the module. In memory only: every load of a configuration begins anew.
pub(super) struct Configured {
    pub(super) sets: BTreeSet<BanSet>,
    pub(super) max_bans: usize,
    /// It was told that there are too many.
    pub(super) warned: bool,
    /// When bans that the firewall forgets too early are put back.
    pub(super) put_back: Option<Ends>,
}

impl Configured {
    /// A configuration is about to be compiled; its steps name their sets after this.
    pub(super) fn begin(&mut self, max_bans: u32) {
        let sets = BTreeSet::new();
        *self = Configured { sets, max_bans: max_bans as usize, ..*self };
    }
}

impl Resource for Configured {
    fn load(_: Vec<Row>) -> Result<Self, String> {
        let (sets, max_bans) = (BTreeSet::new(), MAX_BANS as usize);
        Ok(Configured { sets, max_bans, warned: false, put_back: None })
    }

    fn adjust(&mut self, step: Step) {
        if let Some(ends) = &mut self.put_back {
            ends.adjust(step);
        }
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}
}

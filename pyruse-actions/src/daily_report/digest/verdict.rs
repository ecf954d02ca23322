//! The verdict: the day in one line.

use std::collections::BTreeSet;
use std::fmt;

use pyruse_core::text::counted;

use super::rows::Weighed;
use crate::daily_report::kinds::{Kind, Kinds};

/// What systemd writes when a unit has failed.
const UNIT_FAILED: &str = ": Failed with result";

/// The numbers of the verdict.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Kinds of lines that no earlier report had; `None` in the first report.
    new: Option<u64>,
    /// Kinds of lines whose entries are critical, or worse.
    critical: u64,
    failing_units: u64,
    bans: u64,
}

impl Verdict {
    pub(super) fn of(weighed: &[Weighed<'_>], kinds: &Kinds, bans: u64, is_first: bool) -> Verdict {
        let count =
            |holds: &dyn Fn(&Weighed<'_>) -> bool| weighed.iter().filter(|kind| holds(kind)).count() as u64;
        let units: BTreeSet<&str> =
            weighed.iter().filter_map(|weighed| failing_unit(kinds, weighed.kind)).collect();
        Verdict {
            new: (!is_first).then(|| count(&|kind| kind.is_new)),
            critical: count(&|kind| kind.kind.priority.is_some_and(|priority| priority <= 2)),
            failing_units: units.len() as u64,
            bans,
        }
    }
}

/// Returns the unit that has failed, if the lines say so and systemd wrote them.
fn failing_unit<'k>(kinds: &Kinds, kind: &'k Kind) -> Option<&'k str> {
    let (_, identifier) = kinds.origin_of(kind);
    let (before, _) = kind.example.split_once(UNIT_FAILED)?;
    (identifier == "systemd").then(|| before.rsplit([' ', '\t']).next()).flatten()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.new {
            None => parts.push("first report".to_owned()),
            Some(0) => {}
            Some(new) => parts.push(format!("{new} new")),
        }
        if self.critical > 0 {
            parts.push(format!("{} critical", self.critical));
        }
        if self.failing_units > 0 {
            parts.push(counted(self.failing_units, "failing unit", "failing units"));
        }
        if self.bans > 0 {
            parts.push(counted(self.bans, "ban", "bans"));
        }
        f.write_str(if parts.is_empty() { "nothing new" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_says_what_there_is_and_nothing_else() {
        let verdict =
            |new, critical, failing_units, bans| Verdict { new, critical, failing_units, bans }.to_string();
        assert_eq!(verdict(Some(2), 1, 3, 65), "2 new, 1 critical, 3 failing units, 65 bans");
        assert_eq!(verdict(Some(0), 0, 1, 1), "1 failing unit, 1 ban");
        assert_eq!(verdict(Some(0), 0, 0, 0), "nothing new");
        assert_eq!(verdict(None, 0, 0, 0), "first report");
    }
}

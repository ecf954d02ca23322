//! What earlier days were like: for trends, and for habits that changed.
//!
//! Totals, the entries of each identifier, and how often each rule acted, for the last days. An identifier that wrote
//! every day for a week and is silent today is news (a backup, a cron job); so is a rule that acted regularly and no
//! longer does although its program still writes: the program may have changed its wording.
//!
//! A day ends when the daily report is due. A report that is sent by hand ends none: its numbers are added to the day.

use std::collections::{BTreeMap, BTreeSet};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};

use super::day::Day;

/// How many days make a habit, and the mean.
pub(super) const WEEK: usize = 7;

/// The largest number of days after which a rule may be called blind.
pub(super) const MAX_BLIND_DAYS: usize = 30;

/// How many days are kept.
const DAYS: usize = WEEK + MAX_BLIND_DAYS;

/// The maximum number of identifiers, and of rules.
const NAMES: usize = 2000;

/// On how many days of a week a rule must have acted to be one that acts regularly.
const REGULAR: usize = 5;

/// The total numbers of a day: entries, lines of the three sections, bans, mails, errors.
pub(super) type Numbers = [u64; 7];

/// The numbers of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Past {
    /// What has happened since the last day ended, and is not in the day's own numbers.
    #[serde(rename = "n", default)]
    today: u64,
    /// The days before, the last one first.
    #[serde(rename = "d", default)]
    days: Vec<u64>,
    /// For a rule: the identifier of the last entry on which it acted.
    #[serde(rename = "i", default, skip_serializing_if = "String::is_empty")]
    identifier: String,
    #[serde(skip)]
    is_dirty: bool,
}

/// Yesterday's number and the mean of the last seven days; `None` if no day has ended yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    pub(super) yesterday: Option<u64>,
    pub(super) mean: Option<f64>,
}

/// A rule that no longer acts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blind {
    pub(super) chain: String,
    pub(super) identifier: String,
    /// For how many days.
    pub(super) days: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Total,
    Identifier,
    Rule,
}

impl Kind {
    fn code(self) -> char {
        ['t', 'i', 'r'][self as usize]
    }
}

/// The last days; see the module documentation.
#[derive(Default)]
pub(super) struct History {
    past: [BTreeMap<String, Past>; 3],
    dirty: Vec<(Kind, String)>,
}

fn trend(days: &[u64]) -> Trend {
    let week = &days[..days.len().min(WEEK)];
    #[allow(clippy::cast_precision_loss, reason = "a mean is shown with one decimal")]
    let mean = || week.iter().sum::<u64>() as f64 / week.len() as f64;
    Trend { yesterday: days.first().copied(), mean: (!week.is_empty()).then(mean) }
}

impl History {
    fn names(&self, kind: Kind) -> &BTreeMap<String, Past> {
        &self.past[kind as usize]
    }

    fn change(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Past)) {
        let names = &mut self.past[kind as usize];
        if !names.contains_key(name) {
            if names.len() >= NAMES {
                return;
            }
            names.insert(name.to_owned(), Past::default());
        }
        let Some(past) = names.get_mut(name) else { return };
        change(past);
        if !std::mem::replace(&mut past.is_dirty, true) {
            self.dirty.push((kind, name.to_owned()));
        }
    }

    /// Counts an act of a rule on an entry of this identifier.
    pub(super) fn count_rule(&mut self, chain: &str, identifier: &str) {
        self.change(Kind::Rule, chain, |past| {
            past.today += 1;
            if past.identifier != identifier {
                identifier.clone_into(&mut past.identifier);
            }
        });
    }

    /// Adds the numbers of a report: the day's are cleared after it.
    pub(super) fn add(&mut self, day: &Day, numbers: Numbers) {
        for (n, number) in numbers.into_iter().enumerate() {
            self.change(Kind::Total, &n.to_string(), |past| past.today += number);
        }
        // Of those who wrote for the first time, not all: names can be invented.
        let is_full = self.names(Kind::Identifier).len() >= NAMES / 2;
        for (name, count) in day.busiest(usize::MAX) {
            if !is_full || self.names(Kind::Identifier).contains_key(name) {
                self.change(Kind::Identifier, name, |past| past.today += count);
            }
        }
    }

    /// Ends a day.
    pub(super) fn end_day(&mut self) {
        for kind in [Kind::Total, Kind::Identifier, Kind::Rule] {
            for (name, past) in &mut self.past[kind as usize] {
                past.days.insert(0, std::mem::take(&mut past.today));
                past.days.truncate(DAYS);
                if !std::mem::replace(&mut past.is_dirty, true) {
                    self.dirty.push((kind, name.clone()));
                }
            }
            if kind != Kind::Total {
                self.past[kind as usize].retain(|_, past| past.days.iter().any(|count| *count > 0));
            }
        }
    }

    /// Returns the trend of a total number.
    pub(super) fn total(&self, n: usize) -> Trend {
        self.names(Kind::Total).get(&n.to_string()).map_or(trend(&[]), |past| trend(&past.days))
    }

    /// Returns the trend of an identifier.
    pub(super) fn identifier(&self, name: &str) -> Trend {
        let days = self.names(Kind::Total).get("0").map_or(0, |past| past.days.len());
        let mut known = self.names(Kind::Identifier).get(name).map_or(Vec::new(), |past| past.days.clone());
        // On days before its first one, it wrote nothing.
        known.resize(days.max(known.len()), 0);
        trend(&known)
    }

    /// Returns the identifiers that wrote on each of the last seven days, and not today; each with its mean.
    pub(super) fn fallen_silent(&self, day: &Day) -> Vec<(&str, f64)> {
        let today: BTreeSet<&str> = day.busiest(usize::MAX).into_iter().map(|(name, _)| name).collect();
        let is_habit =
            |past: &Past| past.days.len() >= WEEK && past.days[..WEEK].iter().all(|count| *count > 0);
        let silent = self
            .names(Kind::Identifier)
            .iter()
            .filter(|(name, past)| is_habit(past) && past.today == 0 && !today.contains(name.as_str()));
        silent.map(|(name, past)| (name.as_str(), trend(&past.days).mean.unwrap_or_default())).collect()
    }

    /// Returns the rules that acted regularly, and not for this many days, today included, although their identifier
    /// wrote today.
    pub(super) fn blind(&self, blind_days: usize, day: &Day) -> Vec<Blind> {
        let today: BTreeSet<&str> = day.busiest(usize::MAX).into_iter().map(|(name, _)| name).collect();
        let before = blind_days.saturating_sub(1);
        let is_blind = |past: &Past| {
            let acted = |days: &[u64]| days.iter().filter(|count| **count > 0).count();
            past.today == 0
                && past.days.len() >= before + WEEK
                && acted(&past.days[..before]) == 0
                && acted(&past.days[before..before + WEEK]) >= REGULAR
                && today.contains(past.identifier.as_str())
        };
        let blind = self.names(Kind::Rule).iter().filter(|(_, past)| is_blind(past));
        blind
            .map(|(chain, past)| Blind {
                chain: chain.clone(),
                identifier: past.identifier.clone(),
                days: 1 + past.days.iter().take_while(|count| **count == 0).count(),
            })
            .collect()
    }
}

/// Keys: `t` and the index of a total, `i` and an identifier, `r` and a chain.
impl Resource for History {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut history = History::default();
        for (key, value) in rows {
            let key = String::from_utf8_lossy(&key).into_owned();
            let kinds = [Kind::Total, Kind::Identifier, Kind::Rule];
            let wrong = |e: &dyn std::fmt::Display| {
                format!("the stored numbers of earlier days cannot be parsed: {e}")
            };
            let kind = kinds
                .into_iter()
                .find(|kind| key.starts_with(kind.code()))
                .ok_or_else(|| wrong(&"an unknown row"))?;
            let past = serde_json::from_slice(&value).map_err(|e| wrong(&e))?;
            history.past[kind as usize].insert(key[1..].to_owned(), past);
        }
        Ok(history)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for (kind, name) in std::mem::take(&mut self.dirty) {
            let key = format!("{}{name}", kind.code()).into_bytes();
            match self.past[kind as usize].get_mut(&name) {
                Some(past) => {
                    past.is_dirty = false;
                    // Numbers and texts can always be serialized.
                    changes.put(key, serde_json::to_vec(past).unwrap_or_default());
                }
                None => changes.delete(key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::time::Timestamp;

    use super::*;

    /// A day with entries of these identifiers.
    fn day(identifiers: &[&str]) -> Day {
        let mut day = Day::default();
        for name in identifiers {
            day.count_entry(Some(name), Timestamp(1));
        }
        day
    }

    fn ended(days: usize, each: &[&str], rule: bool) -> History {
        let mut history = History::default();
        for n in 0..days {
            history.add(&day(each), [n as u64; 7]);
            if rule {
                history.count_rule("ssh", "sshd");
            }
            history.end_day();
        }
        history
    }

    #[test]
    fn yesterday_and_the_mean_of_a_week_are_known() {
        assert_eq!(ended(0, &[], false).total(0), Trend { yesterday: None, mean: None });
        assert_eq!(ended(2, &[], false).total(3), Trend { yesterday: Some(1), mean: Some(0.5) });
        let mut history = ended(10, &["cron"], false);
        assert_eq!(history.total(0), Trend { yesterday: Some(9), mean: Some(6.0) });
        assert_eq!(history.identifier("cron"), Trend { yesterday: Some(1), mean: Some(1.0) });
        assert_eq!(history.identifier("new"), Trend { yesterday: Some(0), mean: Some(0.0) });
        // A report by hand ends no day.
        history.add(&day(&[]), [5; 7]);
        history.add(&day(&[]), [6; 7]);
        assert_eq!(history.total(0).yesterday, Some(9));
        history.end_day();
        assert_eq!(history.total(0).yesterday, Some(11));
    }

    #[test]
    fn who_wrote_every_day_for_a_week_and_not_today_fell_silent() {
        let names = |history: &History, today: &[&str]| -> Vec<String> {
            history.fallen_silent(&day(today)).into_iter().map(|(name, _)| name.to_owned()).collect()
        };
        let mut history = ended(7, &["backup", "cron"], false);
        assert_eq!(names(&history, &["cron"]), ["backup"]);
        assert_eq!(names(&ended(6, &["backup"], false), &[]), [""; 0]);
        // It is news once, and what was written before a report by hand counts.
        history.add(&day(&["backup"]), [0; 7]);
        assert_eq!(names(&history, &["cron"]), [""; 0]);
        history.end_day();
        history.end_day();
        assert_eq!(names(&history, &[]), [""; 0]);
    }

    #[test]
    fn a_rule_that_no_longer_acts_although_its_program_writes_is_blind() {
        let mut history = ended(7, &["sshd"], true);
        let blind = |history: &History, today: &[&str]| history.blind(3, &day(today));
        history.end_day();
        assert_eq!(blind(&history, &["sshd"]), []);
        history.end_day();
        let expected = Blind { chain: "ssh".into(), identifier: "sshd".into(), days: 3 };
        assert_eq!(blind(&history, &["sshd"]), [expected]);
        assert_eq!(blind(&history, &["cron"]), []);
        history.count_rule("ssh", "sshd");
        assert_eq!(blind(&history, &["sshd"]), []);
    }

    #[test]
    fn invented_identifiers_do_not_push_out_known_ones() {
        let mut history = ended(7, &["backup"], false);
        for round in 0..9 {
            let names: Vec<String> = (0..1900).map(|n| format!("{round}x{n}")).collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.push("backup");
            history.add(&day(&names), [0; 7]);
            history.end_day();
        }
        assert!(history.names(Kind::Identifier).len() <= NAMES);
        assert_eq!(history.fallen_silent(&day(&[])), [("backup", 1.0)]);
    }
}

//! Makes a bounded batch of entries of an answer: those that were not read, in the order of their numbers.
//!
//! The API gives its decisions in any order. If there are more new ones than fit, those with the lowest numbers are kept;
//! the API is asked for all again when they are read. So a blocklist of any length needs the same memory.

use std::collections::{BTreeMap, HashSet};

use pyruse_core::seconds::LONGEST;
use pyruse_core::time::Timestamp;

use super::answer::List;
use super::fields::{Change, Entry};
use super::progress::{Progress, Testimony};
use crate::crowdsec::decision::Decision;
use crate::crowdsec::{SCENARIO, duration};

/// The largest number of decisions of each list in a batch.
pub(super) const BATCH: usize = 10_000;

/// How inexact the time of an end is: it is known as the time since then.
const INEXACT: u64 = 5;

/// What a batch holds, and what it leaves to be done.
pub(super) struct Batch {
    /// Each with the time before which all ends were read after it, if it is an end.
    pub(super) entries: Vec<(Entry, Option<Timestamp>)>,
    /// Whether there are more.
    pub(super) more: bool,
    /// The API has another database than the one that was read before.
    pub(super) is_other: bool,
    /// How many decisions were passed over because nobody could say how long they last.
    pub(super) unreadable: u64,
}

/// Whether an entry was dropped, for each list.
#[derive(Default)]
struct More {
    new: bool,
    any: bool,
    deleted: bool,
}

/// Takes the decisions of an answer.
pub(super) struct Intake<'a> {
    progress: &'a Progress,
    /// The answer has all decisions, and not only what has changed.
    is_whole: bool,
    own: bool,
    now: Timestamp,
    /// The numbers of the ends that were handed over.
    ended: &'a HashSet<u64>,
    new: BTreeMap<u64, Entry>,
    /// The same without regard to what was read, in case that the database is another one.
    any: BTreeMap<u64, Entry>,
    deleted: BTreeMap<(Timestamp, u64), Entry>,
    /// Whether an entry was dropped from the lists.
    more: More,
    unreadable: u64,
    /// How many decisions the answer has.
    seen: u64,
    /// What they say about the database.
    heard: Testimony,
    /// A decision of an answer with changes should have been read before.
    is_doubtful: bool,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        progress: &'a Progress,
        (is_whole, own): (bool, bool),
        ended: &'a HashSet<u64>,
        now: Timestamp,
    ) -> Intake<'a> {
        Intake {
            progress,
            is_whole,
            own,
            now,
            ended,
            new: BTreeMap::new(),
            any: BTreeMap::new(),
            deleted: BTreeMap::new(),
            more: More::default(),
            unreadable: 0,
            seen: 0,
            heard: Testimony::None,
            is_doubtful: false,
        }
    }

    pub(super) fn take(&mut self, list: List, decision: Decision) {
        if !self.own && decision.scenario.starts_with(SCENARIO) {
            return;
        }
        self.seen += 1;
        self.heard = self.heard.max(self.progress.testimony(&decision));
        let Some(seconds) = duration::parse(&decision.duration) else {
            self.unreadable += 1;
            return;
        };
        match list {
            List::New => self.take_new(seconds, decision),
            List::Deleted => self.take_deleted(seconds, decision),
        }
    }

    fn take_new(&mut self, seconds: f64, decision: Decision) {
        if seconds <= 0.0 {
            return;
        }
        let is_read = decision.id <= self.progress.last();
        self.is_doubtful |=
            is_read && !self.is_whole && self.progress.testimony(&decision) != Testimony::Same;
        // Rounded up: a ban must not end early.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is positive"
        )]
        let seconds = (seconds.ceil() as u64).min(LONGEST - 1);
        let id = decision.id;
        let entry = Entry { at: self.now, change: Change::Added(seconds), decision };
        if self.is_whole && self.progress.has_witnesses() {
            self.more.any |= keep(&mut self.any, id, entry.clone());
        }
        if !is_read {
            self.more.new |= keep(&mut self.new, id, entry);
        }
    }

    fn take_deleted(&mut self, seconds: f64, decision: Decision) {
        // Whoever never asked has never heard of it.
        let Some(ended) = self.progress.ended() else { return };
        #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
        let since = ((-seconds).max(0.0) * 1e6) as i64;
        let at = Timestamp(self.now.0.saturating_sub(since));
        let is_read = self.is_whole && at.plus_seconds(INEXACT) < ended;
        if is_read || self.ended.contains(&decision.id) || self.progress.has_ended(decision.id) {
            return;
        }
        let id = decision.id;
        let entry = Entry { at: self.now, change: Change::Deleted, decision };
        self.more.deleted |= keep(&mut self.deleted, (at, id), entry);
    }

    /// Returns the batch; `None`: what was read before must be compared with all decisions first.
    pub(super) fn finish(self) -> Option<Batch> {
        if self.is_doubtful {
            return None;
        }
        let is_other =
            self.is_whole && self.progress.has_witnesses() && self.seen > 0 && self.heard != Testimony::Same;
        let unreadable = self.unreadable;
        if is_other {
            let entries = self.any.into_values().map(|entry| (entry, None)).collect();
            return Some(Batch { entries, more: self.more.any, is_other, unreadable });
        }
        let deleted = self.deleted.into_iter().map(|((at, _), entry)| (entry, Some(at)));
        let new = self.new.into_values().map(|entry| (entry, None));
        // What has ended comes first: the address may have been banned again.
        let entries = deleted.chain(new).collect();
        Some(Batch { entries, more: self.more.new || self.more.deleted, is_other, unreadable })
    }
}

/// Adds an entry; if there are too many, drops the last one, and returns `true`.
fn keep<K: Ord>(entries: &mut BTreeMap<K, Entry>, key: K, entry: Entry) -> bool {
    entries.insert(key, entry);
    entries.len() > BATCH && entries.pop_last().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000_000);

    fn decision(id: u64, duration: &str) -> Decision {
        let value = format!("192.0.2.{}", id % 250);
        Decision { id, duration: duration.to_owned(), value, ..Decision::default() }
    }

    /// What an answer gives: `ID SECONDS` and `ID ended`; what is read by it is noted.
    fn batch(
        progress: &mut Progress,
        is_whole: bool,
        lists: [&[(u64, &str)]; 2],
    ) -> Option<(Vec<String>, bool, bool)> {
        let ended = HashSet::new();
        let mut intake = Intake::new(progress, (is_whole, false), &ended, NOW);
        for (list, decisions) in [List::Deleted, List::New].into_iter().zip(lists) {
            for (id, duration) in decisions {
                intake.take(list, decision(*id, duration));
            }
        }
        let batch = intake.finish()?;
        let words = batch.entries.iter().map(|(entry, _)| match entry.change {
            Change::Added(seconds) => format!("{} {seconds}", entry.decision.id),
            Change::Deleted => format!("{} ended", entry.decision.id),
        });
        let words = words.collect();
        if batch.is_other {
            *progress = Progress::at(NOW);
        }
        batch.entries.iter().for_each(|(entry, ended)| progress.pass(entry, *ended));
        progress.ended_at(NOW);
        Some((words, batch.more, batch.is_other))
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with what `batch` returns")]
    fn words<const N: usize>(words: [&str; N]) -> Option<(Vec<String>, bool, bool)> {
        Some((words.map(str::to_owned).to_vec(), false, false))
    }

    #[test]
    fn each_decision_is_read_once_in_the_order_of_the_numbers() {
        let mut progress = Progress::default();
        let first: &[_] = &[(4, "1h"), (2, "59.1s"), (3, "-1h"), (9, "soon"), (5, "876000h")];
        let old: &[_] = &[(1, "-1h")];
        assert_eq!(batch(&mut progress, true, [old, first]), words(["2 60", "4 3600", "5 3153600000"]));
        // After a restart: what was read is not read again; an end of the time before is known.
        let ends: &[_] = &[(1, "-1h"), (2, "-3s")];
        assert_eq!(batch(&mut progress, true, [ends, &[(4, "50m"), (6, "1m")]]), words(["2 ended", "6 60"]));
        assert_eq!(batch(&mut progress, true, [ends, &[]]), words([]));
        // A change that should be known: all must be asked for.
        assert_eq!(batch(&mut progress, false, [&[], &[(3, "1m")]]), None);
        assert_eq!(batch(&mut progress, false, [&[], &[(6, "1m"), (7, "1m")]]), words(["7 60"]));
    }

    #[test]
    fn another_database_is_read_again_and_an_empty_answer_says_nothing() {
        let mut progress = Progress::default();
        batch(&mut progress, true, [&[], &[(100, "1h"), (101, "1h")]]);
        assert_eq!(batch(&mut progress, true, [&[], &[]]), words([]));
        assert!(!batch(&mut progress, true, [&[(101, "-2h")], &[]]).unwrap().2);
        let other = batch(&mut progress, true, [&[(3, "-1s")], &[(1, "1h"), (2, "1h")]]);
        assert_eq!(other, Some((vec!["1 3600".to_owned(), "2 3600".to_owned()], false, true)));
        assert_eq!(batch(&mut progress, true, [&[], &[(1, "1h"), (2, "1h"), (3, "1h")]]), words(["3 3600"]));
    }

    #[test]
    fn a_long_list_is_read_in_parts() {
        let mut progress = Progress::default();
        let all: Vec<(u64, &str)> = (1..=25_000).rev().map(|id| (id, "1h")).collect();
        let mut found = Vec::new();
        for more in [true, true, false] {
            let (words, is_more, _) = batch(&mut progress, true, [&[], &all]).unwrap();
            assert_eq!(is_more, more);
            assert!(words.len() <= BATCH);
            found.extend(words);
        }
        let wanted: Vec<String> = (1..=25_000).map(|id| format!("{id} 3600")).collect();
        assert!(found == wanted);
    }

    #[test]
    fn decisions_of_our_own_are_left_out() {
        let ended = HashSet::new();
        for (own, count) in [(false, 1), (true, 2)] {
            let progress = Progress::default();
            let mut intake = Intake::new(&progress, (true, own), &ended, NOW);
            for (id, scenario) in [(1, "pyruse/ssh"), (2, "crowdsecurity/ssh-bf")] {
                let scenario = scenario.to_owned();
                intake.take(List::New, Decision { scenario, ..decision(id, "1h") });
            }
            assert_eq!(intake.finish().unwrap().entries.len(), count);
        }
    }
}

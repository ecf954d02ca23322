//! What was read: decisions have numbers that grow, so a decision was read if its number is not above the last one. An end
//! has no number of its own: of those, the time of the last is known, and which were the last, because their times are
//! inexact.
//!
//! If the API gets another database, the numbers begin again. So the last decisions are known with a hash of their content:
//! as *witnesses* that the API still has the database in which they were read.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use siphasher::sip::SipHasher13;

use super::fields::{Change, Entry};
use crate::crowdsec::decision::Decision;

/// The number of witnesses, and of ends.
const WITNESSES: usize = 16;
const ENDS: usize = 64;

/// How far to read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", default)]
pub(super) struct Progress {
    /// The highest number that was read.
    last: u64,
    /// Ends before this time were read; `None`: no end was asked for.
    ended: Option<Timestamp>,
    /// The numbers of the decisions whose ends were read last.
    ends: VecDeque<u64>,
    /// The numbers and hashes of the decisions that were read last.
    witnesses: VecDeque<(u64, u64)>,
    /// The time of the last entry.
    #[serde(skip)]
    time: Timestamp,
}

/// What a decision says about the database that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Testimony {
    /// Nothing.
    None,
    /// It is known: the database is the same.
    Same,
    /// Another decision had this number.
    Other,
}

impl Progress {
    /// Nothing was read before this time.
    pub(super) fn at(time: Timestamp) -> Progress {
        Progress { time, ..Progress::default() }
    }

    /// Reads a position. One that the core has made has a time only.
    pub(super) fn of(position: &Position) -> Progress {
        let progress = serde_json::from_slice(&position.place).unwrap_or_default();
        Progress { time: position.time, ..progress }
    }

    pub(super) fn to_position(&self) -> Position {
        // Numbers always serialize.
        let place = serde_json::to_vec(self).unwrap_or_default();
        Position { place, time: self.time }
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    pub(super) fn has_witnesses(&self) -> bool {
        !self.witnesses.is_empty()
    }

    /// The entry was read.
    pub(super) fn pass(&mut self, entry: &Entry, ended: Option<Timestamp>) {
        self.time = entry.at;
        self.ended = ended.or(self.ended);
        let id = entry.decision.id;
        match entry.change {
            Change::Added(_) => {
                self.last = self.last.max(id);
                push(&mut self.witnesses, (id, fingerprint(&entry.decision)), WITNESSES);
            }
            Change::Deleted => push(&mut self.ends, id, ENDS),
        }
    }

    /// Returns `true` if it is one of the decisions whose ends were read last.
    pub(super) fn has_ended(&self, id: u64) -> bool {
        self.ends.contains(&id)
    }

    /// All ends before this time were read.
    pub(super) fn ended_at(&mut self, time: Timestamp) {
        self.ended = Some(time);
    }

    /// Asks a decision.
    pub(super) fn testimony(&self, decision: &Decision) -> Testimony {
        match self.witnesses.iter().find(|(id, _)| *id == decision.id) {
            None => Testimony::None,
            Some((_, hash)) if *hash == fingerprint(decision) => Testimony::Same,
            Some(_) => Testimony::Other,
        }
    }
}

/// Adds an item to the last ones.
fn push<T>(items: &mut VecDeque<T>, item: T, most: usize) {
    items.push_back(item);
    if items.len() > most {
        items.pop_front();
    }
}

fn fingerprint(decision: &Decision) -> u64 {
    let Decision { id, duration: _, origin, scenario, scope, kind, value } = decision;
    let mut hasher = SipHasher13::new();
    (id, origin, scenario, scope, kind, value).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(id: u64, value: &str) -> Entry {
        let decision = Decision { id, value: value.to_owned(), ..Decision::default() };
        Entry { at: Timestamp::from_seconds(7), change: Change::Added(60), decision }
    }

    #[test]
    fn a_position_is_read_as_it_was_stored_and_others_read_all() {
        let mut progress = Progress::at(Timestamp::from_seconds(5));
        for id in 1..100 {
            progress.pass(&added(id, "192.0.2.1"), None);
        }
        progress.ended_at(Timestamp::from_seconds(6));
        assert_eq!(Progress::of(&progress.to_position()), progress);
        assert_eq!(progress.last(), 99);
        assert!(progress.to_position().place.len() < 1000);
        let time = Timestamp::from_seconds(9);
        for place in ["", "{", "null", "{\"last\": -1}"] {
            let position = Position { place: place.into(), time };
            assert_eq!(Progress::of(&position), Progress::at(time), "{place}");
        }
    }

    #[test]
    fn the_last_decisions_say_whether_the_database_is_the_same() {
        let mut progress = Progress::default();
        for id in 1..100 {
            progress.pass(&added(id, "192.0.2.1"), None);
        }
        let of = |id, value| progress.testimony(&added(id, value).decision);
        assert_eq!(of(99, "192.0.2.1"), Testimony::Same);
        assert_eq!(of(99, "192.0.2.2"), Testimony::Other);
        assert_eq!(of(1, "192.0.2.1"), Testimony::None);
    }
}

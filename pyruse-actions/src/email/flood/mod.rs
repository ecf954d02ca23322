//! Limits floods of alerts: at most a given number of mails per subject and hour are sent singly; the others become one
//! mail.
//!
//! An hour begins with the first mail of its subject, by the time of the entry that caused it. So catching up on a
//! journal gives the same mails as reading it live. The state holds the mails over the limit, each text once, with how
//! often and when it came. They become a mail (the *digest*) when the hour ends: with the first mail of the next hour,
//! or at the loop's deadline, whichever is first. For an hour of old entries the deadline moves on while the hour still
//! grows: the loop ignores deadlines until it has read all available entries, unless that takes very long. Nothing is
//! dropped: if more is held than one mail should carry, a digest is sent early.

mod held;
mod hour;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::{ClockStep, Timestamp};

use self::held::Text;
use self::hour::{Begun, Hour};
use super::outgoing::Outgoing;

/// The current hours, by subject.
#[derive(Default)]
pub(super) struct Flood {
    hours: BTreeMap<String, Hour>,
    next_digest: u64,
    dirty: BTreeSet<Stored>,
}

/// A row of the state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stored {
    Hour { subject: String },
    Held { subject: String, digest: u64, place: usize },
}

impl Flood {
    /// Accepts a mail of this subject. Returns the mails to send now. `at` is the time of its entry, `seen` the wall
    /// clock.
    pub(super) fn admit(
        &mut self,
        subject: &str,
        body: String,
        at: Timestamp,
        limit: u32,
        seen: Timestamp,
    ) -> Vec<Outgoing> {
        if limit == 0 {
            return vec![Outgoing::text(subject, body, at)];
        }
        let mut leaving = Vec::new();
        if self.hours.get(subject).is_some_and(|hour| !hour.begun.covers(at)) {
            leaving.extend(self.end_hour(subject));
        }
        self.dirty.insert(Stored::Hour { subject: subject.to_owned() });
        let next_digest = &mut self.next_digest;
        let hour = self.hours.entry(subject.to_owned()).or_insert_with(|| {
            *next_digest += 1;
            Hour::new(Begun { at, seen, sent: 0, digest: *next_digest - 1 }, seen)
        });
        hour.grew = seen;
        if hour.begun.sent < limit {
            hour.begun.sent += 1;
            leaving.push(Outgoing::text(subject, body, at));
        } else {
            let place = hour.hold(Text::of(&body), at);
            let digest = hour.begun.digest;
            self.dirty.insert(Stored::Held { subject: subject.to_owned(), digest, place });
            if hour.is_full() {
                leaving.extend(self.empty(subject));
            }
        }
        leaving
    }

    /// Returns when the first hour ends, by the wall clock.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.hours.values().map(Hour::end).min()
    }

    /// Ends the hours that have expired. Returns their digests.
    pub(super) fn end_hours(&mut self, wall: Timestamp) -> Vec<Outgoing> {
        let over =
            self.hours.iter().filter(|(_, hour)| hour.end() <= wall).map(|(subject, _)| subject.clone());
        let over: Vec<String> = over.collect();
        over.iter().filter_map(|subject| self.end_hour(subject)).collect()
    }

    fn end_hour(&mut self, subject: &str) -> Option<Outgoing> {
        let digest = self.empty(subject);
        self.hours.remove(subject);
        self.dirty.insert(Stored::Hour { subject: subject.to_owned() });
        digest
    }

    /// Returns the held texts of a subject, as a mail.
    fn empty(&mut self, subject: &str) -> Option<Outgoing> {
        let hour = self.hours.get_mut(subject).filter(|hour| !hour.texts.is_empty())?;
        let digest = hour.digest(subject, &TimeZone::system());
        let places = 0..hour.texts.len();
        self.dirty.extend(places.map(|place| Stored::Held {
            subject: subject.to_owned(),
            digest: hour.begun.digest,
            place,
        }));
        // The texts held from now on get a new number, so that no row is both deleted and written.
        let begun = Begun { digest: self.next_digest, ..hour.begun.clone() };
        self.next_digest += 1;
        *hour = Hour::new(begun, hour.grew);
        Some(digest)
    }
}

/// Keys: `h` and the subject for an hour; `t`, the digest's number and the index for a held text.
impl Resource for Flood {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut flood = Flood::default();
        let mut subjects = HashMap::new();
        // The hours come before the texts.
        for (key, value) in rows {
            match key.split_first() {
                Some((b'h', subject)) => {
                    let subject = String::from_utf8(subject.to_vec()).map_err(|e| e.to_string())?;
                    let begun: Begun = serde_json::from_slice(&value).map_err(|e| e.to_string())?;
                    flood.next_digest = flood.next_digest.max(begun.digest + 1);
                    subjects.insert(begun.digest, subject.clone());
                    flood.hours.insert(subject, Hour::new(begun, Timestamp(0)));
                }
                Some((b't', number)) => {
                    let digest = number.first_chunk().map(|digest| u64::from_be_bytes(*digest));
                    let subject = digest.and_then(|digest| subjects.get(&digest));
                    let hour = subject.and_then(|subject| flood.hours.get_mut(subject));
                    let hour = hour.ok_or("a stored text refers to a missing hour")?;
                    hour.push(serde_json::from_slice(&value).map_err(|e| e.to_string())?);
                }
                _ => return Err("a row of an unknown kind".into()),
            }
        }
        Ok(flood)
    }

    fn adjust(&mut self, step: ClockStep) {
        for (subject, hour) in &mut self.hours {
            if hour.adjust(step) {
                self.dirty.insert(Stored::Hour { subject: subject.clone() });
            }
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for row in std::mem::take(&mut self.dirty) {
            // Texts and numbers can always be serialized.
            match row {
                Stored::Hour { subject } => {
                    let key = [b"h", subject.as_bytes()].concat();
                    match self.hours.get(&subject).and_then(|hour| serde_json::to_vec(&hour.begun).ok()) {
                        Some(value) => changes.put(key, value),
                        None => changes.delete(key),
                    }
                }
                Stored::Held { subject, digest, place } => {
                    let number = (place as u64).to_be_bytes();
                    let key = [b"t".as_slice(), &digest.to_be_bytes(), &number].concat();
                    let hour = self.hours.get(&subject).filter(|hour| hour.begun.digest == digest);
                    let held = hour.and_then(|hour| hour.texts.get(place));
                    match held.and_then(|held| serde_json::to_vec(held).ok()) {
                        Some(value) => changes.put(key, value),
                        None => changes.delete(key),
                    }
                }
            }
        }
    }
}

//! Limits floods of alerts: at most a given number of mails per subject and hour are sent singly; the others become one
//! mail.
//!
//! An hour begins with the first mail of its subject, by the time of the entry that caused it. So catching up on a
//! journal gives the same mails as reading it live. The state holds the mails over the limit, each text once, with how
//! often and when it came. They become a mail (the *digest*) when the hour ends: with the first mail of the next hour,
//! or at the loop's deadline, whichever is first. For an hour of old entries the deadline moves on while the hour still
//! grows: the loop ignores deadlines until it has read all available entries, unless that takes very long. Nothing is
//! dropped: if more is held than one mail should carry, a digest is sent early.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::text::floor_char_boundary;
use pyruse_core::time::{Ends, Step, Timestamp};

use super::outgoing::Outgoing;

const HOUR: Duration = Duration::from_secs(3600);

/// The maximum number of different texts in a digest …
const TEXTS: usize = 5000;

/// … and the approximate maximum of their bytes: servers refuse mails that are too large.
const BYTES: usize = 1 << 20;

/// How many bytes of a text are in the digest.
const SHOWN: usize = 2000;

/// The current hours, by subject.
#[derive(Default)]
pub(super) struct Flood {
    hours: BTreeMap<String, Hour>,
    next_digest: u64,
    dirty: BTreeSet<Stored>,
}

struct Hour {
    begun: Begun,
    /// The wall clock when the hour last grew, or was loaded.
    grew: Timestamp,
    /// The held texts, in the order of their first mail.
    texts: Vec<Held>,
    /// The index of each text in `texts`.
    places: HashMap<Text, usize>,
    bytes: usize,
}

/// An hour as it is stored, without the held texts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Begun {
    /// The time of the entry that caused its first mail.
    at: Timestamp,
    /// The wall clock at that moment.
    seen: Timestamp,
    /// The number of mails that were sent singly.
    sent: u32,
    /// The number under which the held texts are stored.
    digest: u64,
}

/// A held text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Held {
    text: Text,
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// A text, or its beginning and what distinguishes it from other texts with this beginning.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Text {
    shown: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rest: Option<Rest>,
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Rest {
    bytes: usize,
    hash: u64,
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

impl Begun {
    /// Whether a mail of that time belongs to this hour. Entries may be slightly out of order, and a clock may have
    /// been wrong.
    fn covers(&self, at: Timestamp) -> bool {
        at < self.at.plus(HOUR) && self.at < at.plus(HOUR)
    }
}

impl Hour {
    fn new(begun: Begun, grew: Timestamp) -> Hour {
        Hour { begun, grew, texts: Vec::new(), places: HashMap::new(), bytes: 0 }
    }

    /// Returns the end: an hour after the first mail or, for an entry from the future, an hour after it was seen; but
    /// not before the hour last grew.
    fn end(&self) -> Timestamp {
        self.begun.at.min(self.begun.seen).plus(HOUR).max(self.grew)
    }

    /// Adjusts to a step of the clock: an hour in the future becomes a current one. Returns whether its stored part has
    /// changed.
    fn adjust(&mut self, step: Step) -> bool {
        if step.is_load() {
            // The last run may have ended before all of its entries were read.
            self.grew = step.now.wall;
        }
        let mut is_changed = false;
        for time in [&mut self.begun.at, &mut self.begun.seen, &mut self.grew] {
            let mut ends = Ends::after(*time, Duration::ZERO);
            is_changed |= ends.adjust(step);
            *time = ends.at();
        }
        is_changed
    }

    /// Counts a text. Returns its index.
    fn hold(&mut self, text: Text, at: Timestamp) -> usize {
        if let Some(place) = self.places.get(&text) {
            let held = &mut self.texts[*place];
            held.count += 1;
            (held.first, held.last) = (held.first.min(at), held.last.max(at));
            return *place;
        }
        self.push(Held { text, count: 1, first: at, last: at });
        self.texts.len() - 1
    }

    fn push(&mut self, held: Held) {
        self.bytes += held.text.shown.len();
        self.places.insert(held.text.clone(), self.texts.len());
        self.texts.push(held);
    }

    fn is_full(&self) -> bool {
        self.texts.len() >= TEXTS || self.bytes >= BYTES
    }

    fn digest(&self, subject: &str, zone: &TimeZone) -> Outgoing {
        let count: u64 = self.texts.iter().map(|held| held.count).sum();
        let first = self.texts.iter().map(|held| held.first).min().unwrap_or_default();
        let last = self.texts.iter().map(|held| held.last).max().unwrap_or_default();
        let shown = |time: Timestamp| time.shown_in(zone);
        let mut body = format!(
            "{count} more with the subject “{subject}”, the first at {}, the last at {}.\n\
             {} of this hour came singly before; these would have been too many.\n",
            shown(first),
            shown(last),
            self.begun.sent,
        );
        for held in &self.texts {
            // Writing to a String cannot fail.
            let _ = if held.count == 1 {
                write!(body, "\nonce, at {}:\n", shown(held.first))
            } else {
                write!(
                    body,
                    "\n{} times, first at {}, last at {}:\n",
                    held.count,
                    shown(held.first),
                    shown(held.last)
                )
            };
            // Indented, so that no text can look like one of our own lines.
            for line in held.text.shown.lines() {
                let _ = writeln!(body, "    {line}");
            }
            if let Some(rest) = &held.text.rest {
                let _ = writeln!(body, "    … and {} bytes more", rest.bytes);
            }
        }
        Outgoing::text(&format!("{subject} ({count} more)"), body, last)
    }
}

impl Text {
    fn of(body: &str) -> Text {
        if body.len() <= SHOWN {
            return Text { shown: body.to_owned(), rest: None };
        }
        let (shown, rest) = body.split_at(floor_char_boundary(body, SHOWN));
        Text { shown: shown.to_owned(), rest: Some(Rest { bytes: rest.len(), hash: fnv(rest.as_bytes()) }) }
    }
}

/// FNV-1a: the same in every version, because it is stored. Texts that collide are counted as one; here they also look
/// the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
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
                    let hour = hour.ok_or("a text of an hour that is not there")?;
                    hour.push(serde_json::from_slice(&value).map_err(|e| e.to_string())?);
                }
                _ => return Err("a row of an unknown kind".into()),
            }
        }
        Ok(flood)
    }

    fn adjust(&mut self, step: Step) {
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

#[cfg(test)]
mod tests {
    use pyruse_core::state::{Handle, State};
    use pyruse_core::time::Now;

    use super::*;

    const START: Timestamp = Timestamp(1_795_000_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus_seconds(seconds)
    }

    /// Admits a mail whose entry is read when it is written.
    fn live(flood: &mut Flood, body: &str, at: Timestamp) -> Vec<Outgoing> {
        flood.admit("ban", body.to_owned(), at, 2, at)
    }

    fn subjects(mails: &[Outgoing]) -> Vec<&str> {
        mails.iter().map(|mail| mail.subject.as_str()).collect()
    }

    #[test]
    fn what_is_over_becomes_one_mail_when_the_hour_ends() {
        let mut flood = Flood::default();
        assert_eq!(subjects(&live(&mut flood, "a", after(0))), ["ban"]);
        assert_eq!(subjects(&live(&mut flood, "b", after(1))), ["ban"]);
        for (body, seconds) in [("c\nd", 10), ("x", 20), ("c\nd", 30), ("c\nd", 3599)] {
            assert_eq!(subjects(&live(&mut flood, body, after(seconds))), [""; 0]);
        }
        assert_eq!(flood.deadline(), Some(after(3600)));
        assert_eq!(subjects(&flood.end_hours(after(3599))), [""; 0]);
        let digest = flood.end_hours(after(3600));
        assert_eq!(subjects(&digest), ["ban (4 more)"]);
        assert_eq!(digest[0].date, after(3599));
        assert_eq!(flood.deadline(), None);
        assert_eq!(flood.end_hours(after(3600)).len(), 0);
        assert_eq!(subjects(&live(&mut flood, "a", after(3601))), ["ban"], "a new hour");
    }

    #[test]
    fn a_digest_tells_each_text_once_with_how_often_and_when() {
        let mut hour = Hour::new(Begun { at: START, seen: START, sent: 60, digest: 0 }, START);
        for (body, seconds) in [("c\n\nonce, at noon:", 10), ("x", 20), ("c\n\nonce, at noon:", 30)] {
            hour.hold(Text::of(body), after(seconds));
        }
        hour.hold(Text::of(&format!("{}é", "y".repeat(SHOWN - 1))), after(40));
        let mail = hour.digest("ban", &TimeZone::UTC);
        assert_eq!(
            mail.body,
            format!(
                "4 more with the subject “ban”, the first at 2026-11-18 11:06:50+00:00, the last at \
                 2026-11-18 11:07:20+00:00.\n\
                 60 of this hour came singly before; these would have been too many.\n\
                 \n\
                 2 times, first at 2026-11-18 11:06:50+00:00, last at 2026-11-18 11:07:10+00:00:\n\
                 \x20   c\n\
                 \x20   \n\
                 \x20   once, at noon:\n\
                 \n\
                 once, at 2026-11-18 11:07:00+00:00:\n\
                 \x20   x\n\
                 \n\
                 once, at 2026-11-18 11:07:20+00:00:\n\
                 \x20   {}\n\
                 \x20   … and 2 bytes more\n",
                "y".repeat(SHOWN - 1)
            )
        );
    }

    #[test]
    fn subjects_are_counted_apart_and_without_a_limit_all_are_single() {
        let mut flood = Flood::default();
        for n in 0..100 {
            assert_eq!(subjects(&flood.admit("free", n.to_string(), START, 0, START)), ["free"]);
        }
        for subject in ["a", "b", "a", "b"] {
            assert_eq!(subjects(&flood.admit(subject, String::new(), START, 2, START)), [subject]);
        }
        assert_eq!(subjects(&flood.admit("a", String::new(), START, 2, START)), [""; 0]);
        let digests = flood.end_hours(after(3600));
        assert_eq!(subjects(&digests), ["a (1 more)"], "where nothing is over there is no digest");
    }

    #[test]
    fn old_entries_make_the_same_mails_as_those_that_are_read_at_once() {
        let times = [0, 1, 2, 3, 3599, 3600, 3601, 3602, 9000, 9001, 9002];
        let mails = |is_live: bool| {
            let mut flood = Flood::default();
            let mut mails = Vec::new();
            for (n, seconds) in (0..).zip(times) {
                let at = after(seconds);
                // The loop calls this when it has read all available entries.
                if is_live {
                    mails.extend(flood.end_hours(at));
                }
                let seen = if is_live { at } else { after(9_999_990 + n) };
                mails.extend(flood.admit("ban", seconds.to_string(), at, 2, seen));
                if !is_live {
                    assert_eq!(flood.deadline(), Some(seen), "it moves on");
                }
            }
            mails.extend(flood.end_hours(after(99_999_999)));
            mails.into_iter().map(|mail| (mail.subject, mail.body)).collect::<Vec<_>>()
        };
        let live = mails(true);
        assert_eq!(live, mails(false));
        let more = live.iter().filter(|(subject, _)| subject != "ban").map(|(subject, _)| subject.as_str());
        assert_eq!(more.collect::<Vec<_>>(), ["ban (3 more)", "ban (1 more)", "ban (1 more)"]);
    }

    #[test]
    fn a_clock_that_was_wrong_holds_nothing_back_for_long() {
        // The entry is from the future.
        let mut flood = Flood::default();
        for _ in 0..3 {
            flood.admit("ban", String::new(), after(1_000_000), 2, START);
        }
        assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
        // The clock was ahead, and is set back.
        for _ in 0..3 {
            flood.admit("ban", String::new(), after(1_000_000), 2, after(1_000_000));
        }
        assert_eq!(flood.deadline(), Some(after(1_003_600)));
        flood.adjust(Step { now: Now::at(START), by: -1_000_000_000_000 });
        assert_eq!(flood.deadline(), Some(after(3600)), "an hour from now at most");
        assert_eq!(
            subjects(&flood.admit("ban", String::new(), after(1), 2, after(1))),
            [""; 0],
            "it is the same hour"
        );
        assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (2 more)"]);
        // The same, of an hour that was stored.
        for _ in 0..3 {
            flood.admit("ban", String::new(), after(1_000_000), 2, after(1_000_000));
        }
        flood.adjust(Step::loaded(Now::at(START)));
        assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
        // The clock was not set before, and now is.
        for n in 0..3 {
            flood.admit("ban", String::new(), Timestamp(n), 2, Timestamp(n));
        }
        flood.adjust(Step { now: Now::at(START), by: START.0 - 2 });
        assert_eq!(subjects(&flood.end_hours(after(3598))), [""; 0]);
        assert_eq!(subjects(&flood.end_hours(after(3600))), ["ban (1 more)"]);
    }

    #[test]
    fn what_is_too_much_for_one_digest_makes_two_and_none_is_lost() {
        let count = |mails: &[Outgoing]| -> u64 {
            let more = mails.iter().filter_map(|mail| mail.subject.strip_prefix("ban ("));
            more.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
        };
        for (texts, length) in [(12_000, 10), (3000, 60_000)] {
            let mut flood = Flood::default();
            let mut mails = Vec::new();
            for n in 0..texts {
                let body = format!("{}{n:06}", "x".repeat(length));
                mails.extend(flood.admit("ban", body, after(1), 1, after(1)));
            }
            assert!(mails.len() > 2, "{}", mails.len());
            mails.extend(flood.end_hours(after(3601)));
            assert_eq!(count(&mails), texts - 1);
            assert!(mails.iter().all(|mail| mail.body.len() < 2 * BYTES));
            assert_eq!(mails.iter().filter(|mail| mail.subject == "ban").count(), 1);
        }
    }

    #[test]
    fn what_is_held_survives_and_leaves_once() {
        // A loaded hour uses the wall clock.
        let start = Timestamp::now();
        let after = |seconds| start.plus_seconds(seconds);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let open = || {
            let mut state = State::open_file(&path).unwrap();
            let flood: Handle<Flood> = state.open("flood").unwrap();
            (state, flood)
        };
        for round in 0..20 {
            let (mut state, flood) = open();
            for n in 0..5 {
                let mails = live(state.get_mut(flood), &n.to_string(), after(round));
                assert_eq!(mails.len(), usize::from(round == 0 && n < 2));
            }
            state.commit().unwrap();
            // Not committed, so it never happened.
            live(state.get_mut(flood), "lost", after(round));
        }
        let (mut state, flood) = open();
        let digest = state.get_mut(flood).end_hours(after(3600));
        assert_eq!(subjects(&digest), ["ban (98 more)"]);
        let again = open();
        assert_eq!(again.0.get(again.1).deadline(), Some(after(3600)), "not before it is committed");
        state.commit().unwrap();
        let (mut state, flood) = open();
        assert_eq!(state.get(flood).deadline(), None);
        let mut rows = 0;
        state.scan(flood, |_, _| rows += 1).unwrap();
        assert_eq!(rows, 0);
    }

    #[test]
    fn a_digest_that_leaves_early_leaves_no_rows() {
        let mut state = State::in_memory();
        let flood: Handle<Flood> = state.open("flood").unwrap();
        for n in 0..=TEXTS + 10 {
            state.get_mut(flood).admit("ban", n.to_string(), after(1), 1, after(1));
            if n % 1000 == 0 {
                state.commit().unwrap();
            }
        }
        let mut rows = 0;
        state.scan(flood, |_, _| rows += 1).unwrap();
        assert_eq!(rows, 1 + 10, "the hour, and what came after the digest");
    }
}

//! The hour of a subject: what was sent singly, and what is held.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::time::{ClockStep, Expiry, Timestamp};

use super::held::{Held, Text};
use crate::email::outgoing::Outgoing;

const HOUR: Duration = Duration::from_secs(3600);

/// The maximum number of different texts in a digest …
pub(super) const TEXTS: usize = 5000;

/// … and the approximate maximum of their bytes: servers refuse mails that are too large.
pub(super) const BYTES: usize = 1 << 20;

pub(super) struct Hour {
    pub(super) begun: Begun,
    /// The wall clock when the hour last grew, or was loaded.
    pub(super) grew: Timestamp,
    /// The held texts, in the order of their first mail.
    pub(super) texts: Vec<Held>,
    /// The index of each text in `texts`.
    places: HashMap<Text, usize>,
    bytes: usize,
}

/// An hour as it is stored, without the held texts.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Begun {
    /// The time of the entry that caused its first mail.
    pub(super) at: Timestamp,
    /// The wall clock at that moment.
    pub(super) seen: Timestamp,
    /// The number of mails that were sent singly.
    pub(super) sent: u32,
    /// The number under which the held texts are stored.
    pub(super) digest: u64,
}

impl Begun {
    /// Whether a mail of that time belongs to this hour. Entries may be slightly out of order, and a clock may have
    /// been wrong.
    pub(super) fn covers(&self, at: Timestamp) -> bool {
        at < self.at.plus(HOUR) && self.at < at.plus(HOUR)
    }
}

impl Hour {
    pub(super) fn new(begun: Begun, grew: Timestamp) -> Hour {
        Hour { begun, grew, texts: Vec::new(), places: HashMap::new(), bytes: 0 }
    }

    /// Returns the end: an hour after the first mail or, for an entry from the future, an hour after it was seen; but
    /// not before the hour last grew.
    pub(super) fn end(&self) -> Timestamp {
        self.begun.at.min(self.begun.seen).plus(HOUR).max(self.grew)
    }

    /// Adjusts to a step of the clock: an hour in the future becomes a current one. Returns whether its stored part has
    /// changed.
    pub(super) fn adjust(&mut self, step: ClockStep) -> bool {
        if step.is_load() {
            // The last run may have ended before all of its entries were read.
            self.grew = step.now.wall;
        }
        let mut is_changed = false;
        for time in [&mut self.begun.at, &mut self.begun.seen, &mut self.grew] {
            let mut ends = Expiry::after(*time, Duration::ZERO);
            is_changed |= ends.adjust(step);
            *time = ends.at();
        }
        is_changed
    }

    /// Counts a text. Returns its index.
    pub(super) fn hold(&mut self, text: Text, at: Timestamp) -> usize {
        if let Some(place) = self.places.get(&text) {
            let held = &mut self.texts[*place];
            held.count += 1;
            (held.first, held.last) = (held.first.min(at), held.last.max(at));
            return *place;
        }
        self.push(Held { text, count: 1, first: at, last: at });
        self.texts.len() - 1
    }

    pub(super) fn push(&mut self, held: Held) {
        self.bytes += held.text.shown.len();
        self.places.insert(held.text.clone(), self.texts.len());
        self.texts.push(held);
    }

    pub(super) fn is_full(&self) -> bool {
        self.texts.len() >= TEXTS || self.bytes >= BYTES
    }

    pub(super) fn digest(&self, subject: &str, zone: &TimeZone) -> Outgoing {
        let count: u64 = self.texts.iter().map(|held| held.count).sum();
        let first = self.texts.iter().map(|held| held.first).min().unwrap_or_default();
        let last = self.texts.iter().map(|held| held.last).max().unwrap_or_default();
        let shown = |time: Timestamp| time.shown_in(zone);
        let mut body = format!(
            "{count} more with the subject “{subject}”, the first at {}, the last at {}.\n{} of this hour were sent \
             individually before; these exceeded the limit.\n",
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

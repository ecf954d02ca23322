//! What the report says about the day besides its lines: totals, bans, and who wrote most to the journal.
//!
//! Everything is bounded: anyone who can write a log line can invent identifiers and provoke bans.

use std::collections::HashMap;
use std::time::Duration;

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::{ClockStep, Timestamp};

use crate::text;

/// The maximum number of bans kept; all are counted.
const BANS: usize = 5000;

/// The maximum length of the line that led to a ban, in bytes.
const BAN_LINE: usize = 300;

/// The maximum number of identifiers that are counted separately; the others are counted together.
const IDENTIFIERS: usize = 2000;

/// The maximum size of the lines kept for each section, in bytes.
const KEPT_BYTES: usize = 16 << 20;

/// Counts the entries without an identifier, and those whose identifier exceeds the limit.
const OTHERS: &str = "(others)";

/// How far ahead the last due time may be. A clock that is set back over midnight must not cause two reports. A clock
/// that was wrong by more must not suppress the report.
const AHEAD: Duration = Duration::from_secs(26 * 3600);

/// Lines that were not kept, because there were too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Overflow {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Overflow {
    pub(super) fn add(&mut self, time: Timestamp) {
        if self.count == 0 {
            self.first = time;
        }
        self.count += 1;
        self.last = time;
    }
}

/// The numbers of the day.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", default)]
pub(super) struct Totals {
    /// When the day began; `None` before the first entry.
    pub(super) since: Option<Timestamp>,
    pub(super) entries: u64,
    /// Lines recorded as WARN, INFO and OTHER.
    pub(super) lines: [u64; 3],
    pub(super) overflow: [Overflow; 3],
    /// The size of the kept lines, in bytes.
    kept: [usize; 3],
    pub(super) bans: u64,
    pub(super) mails: u64,
}

/// A ban, as the report lists it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct BanNote {
    pub(super) at: Timestamp,
    pub(super) ip: String,
    pub(super) set: String,
    pub(super) chain: String,
    /// `None`: for ever.
    pub(super) until: Option<Timestamp>,
    /// The counter that led to the ban, with its count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counter: Option<(String, u64)>,
    /// The line that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<String>,
}

impl BanNote {
    /// Returns the reason, in words.
    pub(super) fn why(&self) -> String {
        match &self.counter {
            Some((counter, count)) => {
                format!("counter `{counter}` reached {count}, in chain `{}`", self.chain)
            }
            None => format!("chain `{}`", self.chain),
        }
    }

    /// Returns a line as it is noted.
    pub(super) fn line(text: &str) -> String {
        let mut line = text.to_owned();
        if text::cut(&mut line, BAN_LINE) {
            line.push('…');
        }
        line
    }
}

#[derive(Default)]
struct Counted {
    name: String,
    count: u64,
    dirty: bool,
}

/// The day as the state stores it.
#[derive(Default)]
pub(super) struct Day {
    pub(super) totals: Totals,
    /// The last due time that was dealt with.
    last_due: Option<Timestamp>,
    bans: Vec<BanNote>,
    identifiers: Vec<Counted>,
    index: HashMap<String, usize>,
    dirty: Vec<usize>,
    totals_dirty: bool,
    due_dirty: bool,
    /// The number of bans that are stored.
    stored_bans: usize,
    deleted: Vec<Box<[u8]>>,
}

const TOTALS: &[u8] = b"t";
const DUE: &[u8] = b"d";

fn ban_key(n: usize) -> Box<[u8]> {
    [b"b".as_slice(), &(n as u64).to_be_bytes()].concat().into()
}

fn identifier_key(name: &str) -> Box<[u8]> {
    [b"i".as_slice(), name.as_bytes()].concat().into()
}

impl Day {
    /// Counts an entry.
    pub(super) fn count_entry(&mut self, identifier: Option<&str>, time: Timestamp) {
        self.totals_dirty = true;
        self.totals.entries += 1;
        self.totals.since.get_or_insert(time);
        let name = identifier.filter(|name| name.len() <= 100).unwrap_or(OTHERS);
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => self.insert(if self.identifiers.len() < IDENTIFIERS { name } else { OTHERS }),
        };
        let counted = &mut self.identifiers[at];
        counted.count += 1;
        if !std::mem::replace(&mut counted.dirty, true) {
            self.dirty.push(at);
        }
    }

    fn insert(&mut self, name: &str) -> usize {
        if let Some(at) = self.index.get(name) {
            return *at;
        }
        self.identifiers.push(Counted { name: name.to_owned(), ..Counted::default() });
        self.index.insert(name.to_owned(), self.identifiers.len() - 1);
        self.identifiers.len() - 1
    }

    pub(super) fn note_ban(&mut self, ban: impl FnOnce() -> BanNote) {
        self.totals_dirty = true;
        self.totals.bans += 1;
        if self.bans.len() < BANS {
            self.bans.push(ban());
        }
    }

    pub(super) fn note_mail(&mut self) {
        self.totals_dirty = true;
        self.totals.mails += 1;
    }

    /// Counts a line of this length. Returns whether it is to be recorded, or `false` if there are too many.
    pub(super) fn note_line(&mut self, level: usize, time: Timestamp, length: usize, limit: u64) -> bool {
        self.totals_dirty = true;
        self.totals.since.get_or_insert(time);
        self.totals.lines[level] += 1;
        let kept = self.totals.lines[level] <= limit && self.totals.kept[level] + length <= KEPT_BYTES;
        if kept {
            self.totals.kept[level] += length;
        } else {
            self.totals.overflow[level].add(time);
        }
        kept
    }

    pub(super) fn bans(&self) -> &[BanNote] {
        &self.bans
    }

    /// Returns the busiest identifiers, in descending order.
    pub(super) fn busiest(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.identifiers.iter().map(|c| (c.name.as_str(), c.count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(limit);
        all
    }

    pub(super) fn last_due(&self) -> Option<Timestamp> {
        self.last_due
    }

    pub(super) fn set_last_due(&mut self, due: Timestamp) {
        self.last_due = Some(due);
        self.due_dirty = true;
    }

    /// Begins a new day.
    pub(super) fn clear(&mut self) {
        self.deleted.extend(self.identifiers.drain(..).map(|counted| identifier_key(&counted.name)));
        self.deleted.extend((0..self.stored_bans).map(ban_key));
        self.index.clear();
        self.dirty.clear();
        self.bans.clear();
        self.stored_bans = 0;
        self.totals = Totals::default();
        self.totals_dirty = true;
    }
}

impl Resource for Day {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut day = Day::default();
        for (key, value) in rows {
            let wrong =
                |e: &dyn std::fmt::Display| format!("the stored day of the report cannot be parsed: {e}");
            match key.split_first() {
                Some((b't', _)) => day.totals = serde_json::from_slice(&value).map_err(|e| wrong(&e))?,
                Some((b'd', _)) => day.last_due = serde_json::from_slice(&value).map_err(|e| wrong(&e))?,
                Some((b'b', _)) => day.bans.push(serde_json::from_slice(&value).map_err(|e| wrong(&e))?),
                Some((b'i', name)) => {
                    let at = day.insert(&String::from_utf8_lossy(name));
                    day.identifiers[at].count = serde_json::from_slice(&value).map_err(|e| wrong(&e))?;
                }
                _ => return Err(wrong(&"an unknown row")),
            }
        }
        day.stored_bans = day.bans.len();
        Ok(day)
    }

    fn adjust(&mut self, step: ClockStep) {
        let now = step.now.wall;
        let Some(last) = self.last_due else { return };
        let is_ahead = now.can_judge(last) && last > now.plus(AHEAD);
        // The first day of a machine whose clock was not set yet begins now.
        let was_unset = now.is_plausible() && !last.is_plausible();
        if is_ahead || was_unset {
            self.set_last_due(now);
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        // Numbers and texts can always be serialized.
        for key in self.deleted.drain(..) {
            changes.delete(key);
        }
        for at in self.dirty.drain(..) {
            let counted = &mut self.identifiers[at];
            counted.dirty = false;
            changes.put(identifier_key(&counted.name), counted.count.to_string().into_bytes());
        }
        for (n, ban) in self.bans.iter().enumerate().skip(self.stored_bans) {
            changes.put(ban_key(n), serde_json::to_vec(ban).unwrap_or_default());
        }
        self.stored_bans = self.bans.len();
        if std::mem::take(&mut self.totals_dirty) {
            changes.put(TOTALS, serde_json::to_vec(&self.totals).unwrap_or_default());
        }
        if std::mem::take(&mut self.due_dirty) {
            changes.put(DUE, serde_json::to_vec(&self.last_due).unwrap_or_default());
        }
    }
}

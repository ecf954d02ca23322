//! The rows of a digest: one for each kind of lines, in order of weight, in sections.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::tz::TimeZone;
use pyruse_core::level::ReportLevel;
use pyruse_core::serde::Serialize;
use pyruse_core::text::{counted, grouped};
use pyruse_core::time::Timestamp;

use super::text;
use crate::daily_report::content::printable;
use crate::daily_report::kinds::{Frequent, Kind, Kinds, Mask};
use crate::daily_report::memory::Memory;

/// The maximum shown length of an example, in bytes.
const SHOWN: usize = 500;

/// How many values of a mask are shown.
const VALUES: usize = 3;

/// If not all values are known, those are shown that make up at least one in this many lines.
const STANDS_OUT: u64 = 50;

/// How many rows one origin has before those of others come first, and how many one owner.
const FAIR: (usize, usize) = (5, 20);

/// Priorities up to this one are critical, and have a section of their own.
const CRITICAL: u8 = 2;

/// How many rows of each kind a digest has at most. What does not fit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Limits {
    pub(super) new: usize,
    pub(super) known: usize,
    pub(super) bans: usize,
    pub(super) identifiers: usize,
    /// The maximum length of an example, in bytes.
    pub(super) example: usize,
}

impl Limits {
    /// The limits of a digest that is read.
    pub(in super::super) const NORMAL: Limits =
        Limits { new: 50, known: 25, bans: 10, identifiers: 10, example: SHOWN };

    /// The limits of the short form.
    pub(in super::super) const SHORT: Limits =
        Limits { new: 20, known: 3, bans: 3, identifiers: 3, example: 200 };

    /// The limits for programs.
    pub(in super::super) const NONE: Limits = Limits {
        new: usize::MAX,
        known: usize::MAX,
        bans: usize::MAX,
        identifiers: usize::MAX,
        example: SHOWN,
    };

    /// Returns the next smaller limits; `None` if there are none.
    pub(in super::super) fn halved(self) -> Option<Limits> {
        let Limits { new, known, bans, identifiers, example } = self;
        (new > 1).then_some(Limits {
            new: new / 2,
            known: known / 2,
            bans: bans / 2,
            identifiers: identifiers / 2,
            example: (example / 2).max(100),
        })
    }
}

/// A kind with its weight.
pub(super) struct Weighed<'k> {
    pub(super) kind: &'k Kind,
    pub(super) is_new: bool,
    /// Whether to say which hosts wrote the lines.
    names_hosts: bool,
    place: Place,
}

/// The sections, in the order of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    New,
    Critical,
    Level(ReportLevel),
}

impl Place {
    fn title(self) -> &'static str {
        match self {
            Place::New => "New",
            Place::Critical => "Critical",
            Place::Level(ReportLevel::Warn) => "Warnings",
            Place::Level(ReportLevel::Info) => "Information",
            Place::Level(ReportLevel::Other) => "Other",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Place::New => "new",
            Place::Critical => "critical",
            Place::Level(ReportLevel::Warn) => "warn",
            Place::Level(ReportLevel::Info | ReportLevel::Other) => "info",
        }
    }
}

/// A section.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Section {
    title: &'static str,
    class: &'static str,
    rows: Vec<Row>,
    /// What is not shown.
    more: Option<String>,
}

impl Section {
    pub(super) fn is_cut(&self) -> bool {
        self.more.is_some()
    }
}

/// A row: lines of one kind.
#[derive(Clone, Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Row {
    count: String,
    /// The first and the last time.
    when: String,
    /// The name of the priority, if it is an error or worse.
    priority: Option<&'static str>,
    message: String,
    /// The most frequent values, a text for each mask.
    values: Vec<String>,
    /// The same row as lines of a terminal.
    text: Vec<String>,
}

/// Shows times, shortly if the report is of one day.
pub(super) struct Clock<'z> {
    zone: &'z TimeZone,
    is_one_day: bool,
}

impl<'z> Clock<'z> {
    pub(super) fn new(zone: &'z TimeZone, since: Timestamp, until: Timestamp) -> Clock<'z> {
        Clock { zone, is_one_day: since.until(until).as_secs() <= 26 * 3600 }
    }

    pub(super) fn show(&self, time: Timestamp) -> String {
        let format = if self.is_one_day { "%H:%M" } else { "%m-%d %H:%M" };
        time.to_jiff().to_zoned_datetime(self.zone.clone()).strftime(format).to_string()
    }

    pub(super) fn range(&self, first: Timestamp, last: Timestamp) -> String {
        let (first, last) = (self.show(first), self.show(last));
        if first == last { first } else { format!("{first}–{last}") }
    }

    /// Returns how many columns a range takes.
    pub(super) fn width(&self) -> usize {
        if self.is_one_day { 11 } else { 23 }
    }
}

/// Returns the priority for the order: lines without one count as their section says.
fn priority(kind: &Kind) -> u8 {
    kind.priority.unwrap_or(if kind.level == ReportLevel::Warn { 4 } else { 6 })
}

/// Returns all kinds, in order of weight.
pub(super) fn weigh<'k>(kinds: &'k Kinds, memory: &Memory, names_hosts: bool) -> Vec<Weighed<'k>> {
    let is_first = memory.is_empty();
    let weighed = kinds.iter().map(|kind| {
        let is_new = !is_first && !kinds.is_known(kind, |key| memory.knows(key));
        let place = match kind.priority {
            _ if is_new => Place::New,
            Some(..=CRITICAL) => Place::Critical,
            _ => Place::Level(kind.level),
        };
        Weighed { kind, is_new, names_hosts, place }
    });
    let mut weighed: Vec<Weighed<'_>> = weighed.collect();
    weighed.sort_by(|a, b| {
        let weight = |of: &Weighed<'_>| (of.place, priority(of.kind), of.kind.count);
        weight(a)
            .cmp(&weight(b))
            .then(Reverse(a.kind.last).cmp(&Reverse(b.kind.last)))
            .then_with(|| a.kind.example.cmp(&b.kind.example))
    });
    be_fair(&mut weighed, kinds);
    weighed
}

/// Moves rows of those who have very many behind the rows of others: the priority is the writer's choice, so a writer of
/// many kinds could fill the rows that are shown.
fn be_fair(weighed: &mut [Weighed<'_>], kinds: &Kinds) {
    let mut had: HashMap<(Place, &str, Option<&str>), usize> = HashMap::new();
    let mut rounds = HashMap::new();
    for of in &*weighed {
        let (owner, identifier) = kinds.origin_of(of.kind);
        let mut round = |identifier, fair| {
            let had = had.entry((of.place, owner, identifier)).or_default();
            *had += 1;
            (*had - 1) / fair
        };
        let round = round(Some(identifier), FAIR.0).max(round(None, FAIR.1));
        rounds.insert(std::ptr::from_ref(of.kind), round);
    }
    weighed.sort_by_key(|of| (of.place, rounds.get(&std::ptr::from_ref(of.kind)).copied().unwrap_or(0)));
}

/// Returns the sections with their rows.
pub(super) fn sections(weighed: &[Weighed<'_>], clock: &Clock<'_>, limits: Limits) -> Vec<Section> {
    weighed
        .chunk_by(|a, b| a.place == b.place)
        .map(|kinds| {
            let place = kinds[0].place;
            let limit = if place == Place::New { limits.new } else { limits.known };
            let (shown, left) = kinds.split_at(limit.min(kinds.len()));
            let lines: u64 = left.iter().map(|of| of.kind.count).sum();
            Section {
                title: place.title(),
                class: place.class(),
                rows: shown.iter().map(|of| row(of, clock, limits)).collect(),
                more: (!left.is_empty()).then(|| {
                    let kinds = counted(left.len() as u64, "more kind", "more kinds");
                    format!("… and {kinds}, with {}", counted(lines, "line", "lines"))
                }),
            }
        })
        .collect()
}

fn row(of: &Weighed<'_>, clock: &Clock<'_>, limits: Limits) -> Row {
    let kind = of.kind;
    let mut message = kind.example.clone();
    if crate::text::cut(&mut message, limits.example) {
        message.push('…');
    }
    let message = printable(&message);
    let count = grouped(kind.count);
    let when = clock.range(kind.first, kind.last);
    let priority = kind
        .priority
        .and_then(|priority| ["emerg", "alert", "crit", "err"].get(usize::from(priority)).copied());
    let values: Vec<String> =
        kind.values.frequent().filter_map(|frequent| values(&frequent, kind.count, of.names_hosts)).collect();
    let text = text::row(&count, &when, clock.width(), priority, &message, &values);
    Row { count, when, priority, message, values, text }
}

/// Returns the most frequent values of a mask, e.g. `addresses: 192.0.2.1 (12), 192.0.2.2 (3), …`; `None` if the example
/// says enough.
fn values(frequent: &Frequent<'_>, lines: u64, names_hosts: bool) -> Option<String> {
    let name = match frequent.mask {
        Mask::Address => "addresses",
        Mask::User => "users",
        Mask::Path => "paths",
        Mask::Host => "names",
        Mask::Word => "words",
        Mask::Machine if names_hosts => "hosts",
        _ => return None,
    };
    // Of very many values, only those that stand out.
    let least = if frequent.are_all { 0 } else { lines / STANDS_OUT };
    let values: Vec<&(&str, u64)> = frequent.values.iter().filter(|(_, count)| *count >= least).collect();
    let is_needed = frequent.mask == Mask::Machine || (lines > 1 && frequent.values.len() > 1);
    if values.is_empty() || (!is_needed && frequent.are_all) {
        return None;
    }
    let one = |(value, count): &&(&str, u64)| format!("{} ({})", printable(value), grouped(*count));
    let mut shown: Vec<String> = values.iter().take(VALUES).map(one).collect();
    if !frequent.are_all || frequent.values.len() > VALUES {
        shown.push("…".to_owned());
    }
    Some(format!("{name}: {}", shown.join(", ")))
}

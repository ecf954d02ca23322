//! The content of a report, before it has a format: rows, bounded and ready to be shown.
//!
//! Texts come from entries. Control characters are made visible here, once for all formats. The HTML template escapes
//! HTML's own characters.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use pyruse_core::serde::Serialize;
use pyruse_core::state::{State, StateError};
use pyruse_core::text::grouped;
use pyruse_core::time::Timestamp;

use super::day::{Day, Overflow};
use super::settings::ReportSettings;
use super::{Details, Line, Recorded, ReportLevel};
use crate::email::host;
use crate::text;

/// The maximum size of all messages of one section, in bytes. Mail servers refuse what is too large; without a limit,
/// anyone who can write log lines could suppress the report.
const SECTION: usize = 512 * 1024;

/// The maximum shown length of a message, in bytes.
const SHOWN: usize = 500;

/// How many times of one message are shown for `ALL`.
const TIMES: usize = 100;

/// The maximum number of bans listed; all are counted.
const BANS: usize = 500;

/// The maximum number of identifiers shown.
const IDENTIFIERS: usize = 10;

/// A report.
#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Content {
    host: String,
    since: Option<String>,
    until: String,
    totals: Totals,
    bans: Vec<BanLine>,
    more_bans: u64,
    warn: Section,
    info: Section,
    other: Vec<OtherLine>,
    more_other: Option<More>,
    identifiers: Vec<Identifier>,
}

#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Totals {
    entries: String,
    warnings: String,
    infos: String,
    others: String,
    bans: String,
    mails: String,
}

#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct BanLine {
    at: String,
    ip: String,
    set: String,
    chain: String,
    until: String,
}

#[derive(Debug, Default, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Section {
    rows: Vec<Row>,
    more_messages: usize,
    more: Option<More>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Row {
    count: u64,
    message: String,
    /// One paragraph, as lines, for each kind of details under which the message was recorded.
    times: Vec<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct OtherLine {
    time: String,
    message: String,
}

#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct More {
    #[serde(skip)]
    lines: u64,
    count: String,
    first: String,
    last: String,
}

#[derive(Debug, Serialize)]
#[serde(crate = "pyruse_core::serde")]
struct Identifier {
    name: String,
    count: String,
    /// In percent of the busiest identifier's count, for a bar.
    width: u64,
}

/// The times of one message with one kind of details.
#[derive(Default)]
struct Times {
    count: u64,
    first: Timestamp,
    last: Timestamp,
    listed: Vec<Timestamp>,
}

type Messages = BTreeMap<String, BTreeMap<Details, Times>>;

impl Content {
    /// Collects what is recorded; `None` if there is nothing.
    pub(super) fn collect(
        state: &mut State,
        recorded: Recorded,
        settings: &ReportSettings,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Option<Content>, StateError> {
        let mut tables = [Messages::new(), Messages::new()];
        let mut other = Vec::new();
        let shown = |time: Timestamp| time.shown_in(zone);
        state.scan(recorded.lines, |_, value| {
            let Ok(line) = serde_json::from_slice::<Line>(value) else { return };
            let message = printable(&line.message);
            match line.level {
                ReportLevel::Other => other.push((line.time, message)),
                level => add(&mut tables[level as usize], message, &line),
            }
        })?;
        let day = state.get(recorded.day);
        if recorded.is_empty(state) {
            return Ok(None);
        }
        other.sort_by_key(|(time, _)| *time);
        let limit = settings.max_messages as usize;
        let [warn, info] = tables;
        Ok(Some(Content {
            host: host(),
            since: day.totals.since.map(shown),
            until: shown(now),
            totals: totals(day),
            more_bans: day.totals.bans - day.bans().len().min(BANS) as u64,
            bans: day
                .bans()
                .iter()
                .take(BANS)
                .map(|ban| BanLine {
                    at: shown(ban.at),
                    ip: printable(&ban.ip),
                    set: printable(&ban.set),
                    chain: printable(&ban.chain),
                    until: ban.until.map_or_else(|| "for ever".to_owned(), shown),
                })
                .collect(),
            warn: section(warn, limit, day.totals.overflow[0], zone),
            info: section(info, limit, day.totals.overflow[1], zone),
            more_other: {
                let fitting = fitting(other.iter().map(|(_, message)| message));
                let mut overflow = day.totals.overflow[2];
                // In order of time, the lines that do not fit precede the lines that were not kept.
                if let [(first, _), ..] = other[fitting..] {
                    overflow.count += (other.len() - fitting) as u64;
                    overflow.last = overflow.last.max(other[other.len() - 1].0);
                    overflow.first = first;
                }
                other.truncate(fitting);
                more(overflow, zone)
            },
            other: other
                .into_iter()
                .map(|(time, message)| OtherLine { time: shown(time), message: clipped(message) })
                .collect(),
            identifiers: identifiers(day),
        }))
    }
}

impl Content {
    /// Leaves out the second half of each list, and counts it. One row of each stays; returns `false` if there are no
    /// more.
    pub(super) fn halve(&mut self) -> bool {
        for section in [&mut self.warn, &mut self.info] {
            section.more_messages += second_half(&mut section.rows).len();
        }
        self.more_bans += second_half(&mut self.bans).len() as u64;
        let left = second_half(&mut self.other);
        if let (Some(first), Some(last)) = (left.first(), left.last()) {
            let before = self.more_other.take();
            let lines = left.len() as u64 + before.as_ref().map_or(0, |more| more.lines);
            let last = before.map_or_else(|| last.time.clone(), |more| more.last);
            self.more_other = Some(More { lines, count: grouped(lines), first: first.time.clone(), last });
        }
        [self.warn.rows.len(), self.info.rows.len(), self.bans.len(), self.other.len()]
            .iter()
            .any(|rows| *rows > 1)
    }
}

fn second_half<T>(rows: &mut Vec<T>) -> Vec<T> {
    rows.split_off(rows.len().div_ceil(2))
}

fn totals(day: &Day) -> Totals {
    let [warnings, infos, others] = day.totals.lines.map(grouped);
    Totals {
        entries: grouped(day.totals.entries),
        warnings,
        infos,
        others,
        bans: grouped(day.totals.bans),
        mails: grouped(day.totals.mails),
    }
}

fn identifiers(day: &Day) -> Vec<Identifier> {
    let busiest = day.busiest(IDENTIFIERS);
    let most = busiest.first().map_or(1, |(_, count)| (*count).max(1));
    let identifier = |(name, count): (&str, u64)| Identifier {
        name: printable(name),
        count: grouped(count),
        width: (count * 100 / most).max(1),
    };
    busiest.into_iter().map(identifier).collect()
}

fn add(table: &mut Messages, message: String, line: &Line) {
    let times = table.entry(message).or_default().entry(line.details).or_default();
    if times.count == 0 {
        (times.first, times.last) = (line.time, line.time);
    }
    times.count += 1;
    times.first = times.first.min(line.time);
    times.last = times.last.max(line.time);
    if line.details == Details::All && times.listed.len() < TIMES {
        times.listed.push(line.time);
    }
}

fn section(table: Messages, limit: usize, overflow: Overflow, zone: &TimeZone) -> Section {
    let limit = limit.min(fitting(table.keys()));
    let more_messages = table.len().saturating_sub(limit);
    let rows = table.into_iter().take(limit).map(|(message, details)| Row {
        count: details.values().map(|times| times.count).sum(),
        message: clipped(message),
        times: details
            .iter()
            .map(|(kind, times)| paragraph(*kind, times, zone))
            .filter(|p| !p.is_empty())
            .collect(),
    });
    Section { rows: rows.collect(), more_messages, more: more(overflow, zone) }
}

/// Returns how many of these messages fit into a section.
fn fitting<'m>(messages: impl Iterator<Item = &'m String>) -> usize {
    let mut length = 0;
    messages
        .take_while(|message| {
            length += message.len().min(SHOWN);
            length <= SECTION
        })
        .count()
}

fn clipped(mut message: String) -> String {
    if text::cut(&mut message, SHOWN) {
        message.push('…');
    }
    message
}

fn paragraph(details: Details, times: &Times, zone: &TimeZone) -> Vec<String> {
    let from = || format!("From : {}", times.first.shown_in(zone));
    let until = || format!("Until: {}", times.last.shown_in(zone));
    match details {
        Details::None => Vec::new(),
        Details::First => vec![from()],
        Details::Last => vec![until()],
        Details::FirstLast if times.count < 2 => vec![times.first.shown_in(zone)],
        Details::FirstLast => vec![from(), until()],
        Details::All => {
            let mut listed = times.listed.clone();
            listed.sort();
            let mut lines: Vec<String> = listed.into_iter().map(|time| time.shown_in(zone)).collect();
            let left = times.count - lines.len() as u64;
            if left > 0 {
                lines.push(format!("… and {} more, until {}", grouped(left), times.last.shown_in(zone)));
            }
            lines
        }
    }
}

fn more(overflow: Overflow, zone: &TimeZone) -> Option<More> {
    (overflow.count > 0).then(|| More {
        lines: overflow.count,
        count: grouped(overflow.count),
        first: overflow.first.shown_in(zone),
        last: overflow.last.shown_in(zone),
    })
}

/// Returns a text on one line. Each tab becomes a space: a tab is not a command, but has no width of its own.
pub(super) fn printable(text: &str) -> String {
    let text = if text.contains('\t') { Cow::Owned(text.replace('\t', " ")) } else { Cow::Borrowed(text) };
    pyruse_core::text::printable(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, seconds: i64, details: Details) -> Line {
        Line { details, ..Line::of(ReportLevel::Warn, Timestamp::from_seconds(seconds), message) }
    }

    #[test]
    fn one_message_under_several_details_is_one_row_with_a_paragraph_each() {
        let mut table = Messages::new();
        for (seconds, details) in [
            (3, Details::First),
            (1, Details::First),
            (5, Details::All),
            (4, Details::None),
            (7, Details::FirstLast),
        ] {
            add(&mut table, "m".into(), &line("m", seconds, details));
        }
        let section = section(table, 10, Overflow::default(), &TimeZone::UTC);
        assert_eq!(
            section.rows,
            [Row {
                count: 5,
                message: "m".into(),
                times: vec![
                    vec!["From : 1970-01-01 00:00:01+00:00".into()],
                    vec!["1970-01-01 00:00:07+00:00".into()],
                    vec!["1970-01-01 00:00:05+00:00".into()],
                ]
            }]
        );
    }

    #[test]
    fn rows_are_sorted_by_message_and_bounded() {
        let mut table = Messages::new();
        for message in ["b", "a", "c"] {
            add(&mut table, message.into(), &line(message, 0, Details::None));
        }
        let section = section(table, 2, Overflow::default(), &TimeZone::UTC);
        let messages: Vec<&str> = section.rows.iter().map(|row| row.message.as_str()).collect();
        assert_eq!((messages.as_slice(), section.more_messages), (["a", "b"].as_slice(), 1));
    }
}

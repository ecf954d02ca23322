//! Finds the date of a line, and makes a time of it.
//!
//! In: a line. Out: its time, and which bytes of it are the date. A writer may choose parts of a line, so the place of
//! the date is learned: once a date was found behind a number of words, later dates are looked for there, and elsewhere only
//! at the beginning of a line. Only the first words of a line are looked at.
//!
//! A date may lack its year, and its zone. The year is the latest one with which the date is not in the future. In the
//! hour that occurs twice when summer time ends, the time that is not before the previous line's is taken.

mod form;
mod place;
mod style;

use std::ops::Range;

use pyruse_core::jiff::civil;
use pyruse_core::jiff::fmt::strtime::BrokenDownTime;
use pyruse_core::jiff::tz::{AmbiguousOffset, TimeZone};
use pyruse_core::time::Timestamp;

use self::form::{ALL, Civil, Form, Written};
use self::place::{AUDIT, Places, cut, nth_place};
pub(super) use self::style::Style;
use self::style::{KnownForm, from_broken_down};

/// A date is behind fewer words than this.
const PLACES: usize = 6;

/// After this many lines without a date where it was learned to be, it is looked for everywhere again.
const FORGET_AFTER: u32 = 1000;

/// A date may be this far ahead of the clock: clocks differ.
const AHEAD: i64 = 60_000_000;

/// The first line of a file was written just now if it is that near.
const NEAR: i64 = 7_200_000_000;

/// How much earlier a line may be than the line before it.
const SLACK: i64 = 60_000_000;

/// Seconds.
const DAY: u64 = 86_400;

/// What a line says about its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dated {
    pub(super) time: Timestamp,
    /// The bytes that are the date, with what encloses it at the beginning of a line.
    pub(super) cut: Range<usize>,
    /// Whether it is in the future, so that another time was taken.
    pub(super) is_ahead: bool,
}

/// The difference to UTC in ten minutes of local time.
#[derive(Clone, Copy)]
struct Block {
    /// Year, month, day, hour, tens of minutes.
    key: (i16, i8, i8, i8, i8),
    /// Microseconds since 1970 at its beginning, by each possible difference.
    starts: (i64, Option<i64>),
}

/// Finds dates in the lines of one file.
pub(super) struct Dates {
    style: Style,
    zone: TimeZone,
    /// Where dates are, and how they are written.
    learned: Option<(usize, Form)>,
    missed: u32,
    block: Option<Block>,
    /// The year that was inferred for this month and day.
    year: Option<(i8, i8, i16)>,
    /// The time of the previous line.
    previous: Option<Timestamp>,
    /// No line is later than that; `None`: than now.
    latest: Option<Timestamp>,
    now: Timestamp,
    /// The text of the last date by strptime, and its time.
    text: Option<(Vec<u8>, Timestamp)>,
    /// Whether a date was ever found.
    pub(super) has_found: bool,
}

impl Dates {
    /// `zone` is that of dates that do not say theirs.
    pub(super) fn new(style: Style, zone: TimeZone) -> Dates {
        let now = Timestamp::now();
        Dates {
            style,
            zone,
            learned: None,
            missed: 0,
            block: None,
            year: None,
            previous: None,
            latest: None,
            now,
            text: None,
            has_found: false,
        }
    }

    /// Begins with another file; `changed` is when it was changed last, if nothing is written to it any more.
    pub(super) fn begin(&mut self, changed: Option<Timestamp>) {
        self.now = Timestamp::now();
        self.latest = changed;
        (self.previous, self.year) = (None, None);
    }

    /// The time of a line without a date: that of the line before it, or now.
    pub(super) fn undated(&mut self) -> Timestamp {
        match (&self.style, self.previous) {
            (Style::Arrival, _) | (_, None) => {
                self.now = Timestamp::now();
                self.now
            }
            (_, Some(previous)) => previous,
        }
    }

    /// Finds the date of a line.
    pub(super) fn find(&mut self, line: &[u8]) -> Option<Dated> {
        let found = match &self.style {
            Style::Arrival => None,
            Style::Auto => self.find_any(line, &ALL),
            Style::Known(KnownForm(form)) => self.find_any(line, &[*form]),
            Style::Strptime(_) => self.find_strptime(line),
        };
        if let Some((time, start, end)) = found {
            self.missed = 0;
            self.has_found = true;
            let (time, is_ahead) = self.settle(time);
            return Some(Dated { time, cut: cut(line, start, end), is_ahead });
        }
        self.missed += 1;
        if self.missed > FORGET_AFTER {
            self.learned = None;
        }
        None
    }

    /// Parses a text that is a date, in any form; returns also whether it is in the future.
    pub(super) fn parse(&mut self, text: &[u8]) -> Option<(Timestamp, bool)> {
        let (time, _) = if let Style::Strptime(format) = &self.style {
            let (tm, length) = BrokenDownTime::parse_prefix(format, text).ok()?;
            let written = from_broken_down(&tm)?;
            (self.time_of(written)?, length)
        } else {
            let first = self.learned.map(|(_, form)| form);
            let forms = first.into_iter().chain(ALL.into_iter().filter(|form| Some(*form) != first));
            let (form, (written, length)) =
                forms.into_iter().find_map(|form| Some((form, form.parse(text)?)))?;
            self.learned = Some((0, form));
            (self.time_of(written)?, length)
        };
        self.has_found = true;
        Some(self.settle(time))
    }

    /// Takes a number that is a time since 1970: in seconds, or in thousandths of them, and so on.
    pub(super) fn parse_number(&mut self, number: f64) -> Option<(Timestamp, bool)> {
        let magnitude = number.abs();
        let micros = if magnitude < 1e11 {
            number * 1e6
        } else if magnitude < 1e14 {
            number * 1e3
        } else if magnitude < 1e17 {
            number
        } else {
            number / 1e3
        };
        if !micros.is_finite() || micros.abs() > 4e18 {
            return None;
        }
        self.has_found = true;
        #[expect(clippy::cast_possible_truncation, reason = "its size was checked")]
        Some(self.settle(Timestamp(micros as i64)))
    }

    /// Nothing has happened in the future. Remembers the time for the next line.
    fn settle(&mut self, time: Timestamp) -> (Timestamp, bool) {
        let mut settled = (time, false);
        if time.0 > self.now.0 {
            self.now = Timestamp::now();
            if time.0 > self.now.0.saturating_add(AHEAD) {
                settled = (self.now, true);
            }
        }
        self.previous = Some(settled.0);
        settled
    }

    fn find_any(&mut self, line: &[u8], forms: &[Form]) -> Option<(Timestamp, usize, usize)> {
        if let Some((place, form)) = self.learned
            && let Some(start) = nth_place(line, place)
            && let Some((written, length)) = form.parse(&line[start..])
            && let Some(time) = self.time_of(written)
        {
            return Some((time, start, start + length));
        }
        let places = if self.learned.is_some() { 1 } else { PLACES };
        for (place, start) in Places::of(line).enumerate().take(places) {
            for form in forms {
                // Ten digits may be anything.
                if *form == Form::Epoch && forms.len() > 1 && place > 0 && !line[..start].ends_with(AUDIT) {
                    continue;
                }
                let Some((written, length)) = form.parse(&line[start..]) else { continue };
                let Some(time) = self.time_of(written) else { continue };
                if self.learned.is_none() {
                    self.learned = Some((place, *form));
                }
                return Some((time, start, start + length));
            }
        }
        None
    }

    fn find_strptime(&mut self, line: &[u8]) -> Option<(Timestamp, usize, usize)> {
        for start in Places::of(line).take(PLACES) {
            let rest = &line[start..];
            if let Some((text, time)) = &self.text
                && rest.starts_with(text)
                && !rest.get(text.len()).is_some_and(u8::is_ascii_digit)
            {
                return Some((*time, start, start + text.len()));
            }
            let Style::Strptime(format) = &self.style else { return None };
            let Ok((tm, length)) = BrokenDownTime::parse_prefix(format, rest) else { continue };
            let Some(time) = from_broken_down(&tm).and_then(|written| self.time_of(written)) else {
                continue;
            };
            self.text = Some((rest[..length].to_owned(), time));
            return Some((time, start, start + length));
        }
        None
    }

    /// `None`: there is no such day, or no such time of day.
    fn time_of(&mut self, written: Written) -> Option<Timestamp> {
        let mut civil = match written {
            Written::Instant(micros) => return Some(Timestamp(micros)),
            Written::Civil(civil) => civil,
        };
        let is_valid = (1..=12).contains(&civil.month)
            && (1..=31).contains(&civil.day)
            && (0..24).contains(&civil.hour)
            && (0..60).contains(&civil.minute)
            && (0..=60).contains(&civil.second);
        if !is_valid {
            return None;
        }
        if let Some(year) = civil.year {
            return self.time_in(&civil, year);
        }
        if let Some((month, day, year)) = self.year
            && (month, day) == (civil.month, civil.day)
        {
            civil.year = Some(year);
            return self.time_in(&civil, year);
        }
        self.now = Timestamp::now();
        // The clocks and zones of other machines differ.
        let latest = self.latest.map_or(self.now, |latest| latest.min(self.now)).plus_seconds(DAY);
        let this = latest.to_jiff().to_zoned_datetime(self.zone.clone()).year();
        // The 29th of February is at most eight years ago.
        for year in (this.saturating_sub(8)..=this).rev() {
            if let Some(time) = self.time_in(&civil, year).filter(|time| *time <= latest) {
                self.year = Some((civil.month, civil.day, year));
                return Some(time);
            }
        }
        None
    }

    fn time_in(&mut self, civil: &Civil, year: i16) -> Option<Timestamp> {
        // A second of 60 is a leap second: it is taken as the one before it.
        let within = i64::from(civil.minute % 10) * 60_000_000
            + i64::from(civil.second.min(59)) * 1_000_000
            + i64::from(civil.micros);
        let key = (year, civil.month, civil.day, civil.hour, civil.minute / 10);
        if let Some(offset) = civil.offset {
            let start = utc(key)?;
            return Some(Timestamp(start + within - i64::from(offset) * 1_000_000));
        }
        let block = match self.block {
            Some(block) if block.key == key => block,
            _ => *self.block.insert(self.block_of(key)?),
        };
        let (first, second) = block.starts;
        Some(match second {
            None => Timestamp(first + within),
            Some(second) => {
                let (first, second) = (first + within, second + within);
                let is_second = match self.previous {
                    // Lines of several writers are slightly out of order.
                    Some(previous) => first < previous.0 - SLACK,
                    None => (self.now.0 - NEAR..self.now.0 + AHEAD).contains(&second),
                };
                Timestamp(if is_second { second } else { first })
            }
        })
    }

    fn block_of(&self, key: (i16, i8, i8, i8, i8)) -> Option<Block> {
        let (year, month, day, hour, tens) = key;
        let start = utc(key)?;
        let civil = civil::DateTime::new(year, month, day, hour, tens * 10, 0, 0).ok()?;
        let by = |offset: pyruse_core::jiff::tz::Offset| start - i64::from(offset.seconds()) * 1_000_000;
        let starts = match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => (by(offset), None),
            // There was no such time. The clock that wrote it was not set forward.
            AmbiguousOffset::Gap { before, .. } => (by(before), None),
            AmbiguousOffset::Fold { before, after } => (by(before), Some(by(after))),
        };
        Some(Block { key, starts })
    }
}

/// Microseconds since 1970, as if it were UTC. `None`: there is no such day.
fn utc((year, month, day, hour, tens): (i16, i8, i8, i8, i8)) -> Option<i64> {
    const DAYS: [i8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = DAYS[usize::try_from(month - 1).ok()?] + i8::from(is_leap && month == 2);
    if day > days {
        return None;
    }
    // Days since 0000-03-01: years begin with March, so that the leap day is the last.
    let (month, year) = (i64::from(month), i64::from(year));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_years = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = of_years + (153 * month + 2) / 5 + i64::from(day) - 1 - 719_468;
    Some(((days * 24 + i64::from(hour)) * 60 + i64::from(tens) * 10) * 60_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(style: &str) -> Dates {
        let mut dates = Dates::new(Style::parse(style).unwrap(), TimeZone::get("Europe/Paris").unwrap());
        dates.begin(Some(Timestamp::from_seconds(1_795_000_000)));
        dates
    }

    fn message(line: &str, cut: &Range<usize>) -> String {
        [&line[..cut.start], &line[cut.end..]].concat()
    }

    #[test]
    fn the_date_is_found_and_cut() {
        // 2026-11-18 11:06:40 UTC.
        for (line, rest) in [
            ("2026-11-18 12:06:40 x", "x"),
            ("2026-11-18T11:06:40.000Z x", "x"),
            ("[2026-11-18 12:06:40]  x", "x"),
            ("Nov 18 12:06:40 server sshd[1]: x", "server sshd[1]: x"),
            ("<38>Nov 18 12:06:40 server sshd[1]: x", "<38> server sshd[1]: x"),
            ("192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] \"GET", "192.0.2.1 - - [] \"GET"),
            ("[Wed Nov 18 12:06:40.000001 2026] [error] x", "[error] x"),
            ("WARN  2026-11-18 12:06:40 x", "WARN   x"),
            ("<W>2026-11-18 12:06:40.000 1 => x", "<W> 1 => x"),
            ("18-11-2026 12:06:40 +0100 x", "x"),
            ("[CET Nov 18 12:06:40] error : x", "error : x"),
            ("[X Nov 18 12:06:40] x", "[X ] x"),
            ("type=X msg=audit(1795000000.000:4): x", "type=X msg=audit(:4): x"),
            ("1795000000 x", "x"),
        ] {
            let found = dates("auto").find(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(found.time.seconds(), 1_795_000_000, "{line}");
            assert_eq!(message(line, &found.cut), rest, "{line}");
        }
        for line in [
            "",
            "x",
            "  at java.lang.Thread",
            "1.2.3.4",
            "2026-02-30 12:00:00 x",
            "2026-11-18 25:00:00 x",
            "2026-18-11 12:06:40 x",
            "<WARNING>2026-11-18 12:06:40 x",
            "[",
            "<",
        ] {
            assert_eq!(dates("auto").find(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn a_writer_cannot_move_the_date() {
        let mut dates = dates("auto");
        assert!(dates.find(b"x 2026-11-18 12:06:40 y").is_some());
        // Elsewhere only at the beginning.
        assert_eq!(dates.find(b"x a b 2026-01-01 00:00:00 y"), None);
        assert_eq!(dates.undated().seconds(), 1_795_000_000);
        let found = dates.find(b"x 2026-11-18 12:06:41 2026-01-01 00:00:00").unwrap();
        assert_eq!(found.time.seconds(), 1_795_000_001);
    }

    #[test]
    fn a_missing_year_is_the_latest_that_is_not_in_the_future() {
        let mut dates = dates("syslog");
        let mut year = |line: &str| {
            let time = dates.find(line.as_bytes()).unwrap().time;
            time.to_jiff().to_zoned_datetime(TimeZone::UTC).year()
        };
        assert_eq!(year("Nov 18 12:06:40 x"), 2026);
        assert_eq!(year("Nov 30 12:06:40 x"), 2025);
        assert_eq!(year("Feb 29 12:06:40 x"), 2024);
    }

    #[test]
    fn the_hour_that_occurs_twice_goes_on_from_the_line_before() {
        let mut dates = dates("iso");
        let mut seconds = |line: &str| dates.find(line.as_bytes()).unwrap().time.seconds();
        let first = seconds("2025-10-26 02:59:00");
        assert_eq!(seconds("2025-10-26 02:00:00") - first, 60);
        assert_eq!(seconds("2025-10-26 02:30:00") - first, 31 * 60);
        assert_eq!(seconds("2025-10-26 03:00:00") - first, 61 * 60);
    }

    #[test]
    fn a_date_in_the_future_is_now() {
        let mut dates = dates("auto");
        for line in ["2099-01-01 00:00:00 x", "9999-12-31 23:59:59.999 x", "@4000000fffffffff00000000"] {
            let found = dates.find(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
            assert!(found.is_ahead && found.time <= Timestamp::now(), "{line}");
        }
        let found = dates.find(b"1970-01-01 00:00:00Z x").unwrap();
        assert!(!found.is_ahead && found.time.0 == 0);
    }

    #[test]
    fn a_format_of_strptime_is_read() {
        let mut dates = dates("%d.%m.%Y %H:%M:%S");
        for line in ["18.11.2026 12:06:40 x", "18.11.2026 12:06:40 y", "[18.11.2026 12:06:40] y"] {
            assert_eq!(dates.find(line.as_bytes()).unwrap().time.seconds(), 1_795_000_000, "{line}");
        }
        assert_eq!(dates.find(b"18.11.2026 12:06:41 x").unwrap().time.seconds(), 1_795_000_001);
        for wrong in ["%d.%m", "%H:%M:%S", "%Q", "%", "yesterday", ""] {
            assert!(Style::parse(wrong).is_err(), "{wrong}");
        }
        let mut without_year = self::dates("%d %b %H:%M:%S");
        assert_eq!(without_year.find(b"18 Nov 12:06:40 x").unwrap().time.seconds(), 1_795_000_000);
    }

    #[test]
    fn a_number_is_seconds_or_parts_of_them() {
        let mut dates = dates("auto");
        for number in
            [1_795_000_000.0, 1_795_000_000_000.0, 1_795_000_000_000_000.0, 1_795_000_000_000_000_000.0]
        {
            assert_eq!(dates.parse_number(number).unwrap().0.seconds(), 1_795_000_000);
        }
        assert_eq!(dates.parse_number(f64::NAN), None);
        assert_eq!(dates.parse_number(1e300), None);
    }

    #[test]
    fn days_are_counted_as_jiff_counts_them() {
        for (year, month, day) in
            [(1970, 1, 1), (1969, 12, 31), (2000, 2, 29), (2100, 3, 1), (1, 1, 1), (9998, 12, 31)]
        {
            let expected =
                civil::date(year, month, day).to_zoned_datetime(TimeZone::UTC).unwrap().timestamp();
            assert_eq!(utc((year, month, day, 0, 0)), Some(expected.as_microsecond()), "{year}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "[\\[<(\"]{0,2}[0-9A-Za-z:+@ .,/-]{0,60}", bytes: Vec<u8>) {
            for style in ["auto", "%d.%m.%Y %H:%M:%S", "syslog"] {
                let mut dates = dates(style);
                for line in [line.as_bytes(), &bytes, line.as_bytes()] {
                    if let Some(dated) = dates.find(line) {
                        assert!(dated.cut.end <= line.len());
                    }
                    dates.parse(line);
                }
            }
        }
    }
}

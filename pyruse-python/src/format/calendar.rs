//! The values of `strftime` conversions.
//!
//! In: the letter of a conversion and a moment. Out: the number or name in the C locale, with the usual padding. POSIX
//! defines the conversions, and glibc defines its extensions. glibc does not pad years.

use std::fmt::Write;

use super::moment::Moment;

/// How a number is padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pad {
    /// `_`
    Space,
    /// `0`
    Zero,
    /// `-`
    Nothing,
}

/// A number, its minimum number of digits, and how it is padded to them.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub value: u32,
    pub digits: usize,
    pub pad: Pad,
}

impl Number {
    pub fn new(value: impl TryInto<u32>, digits: usize) -> Number {
        Number {
            // No part of a date from year 1 on is negative.
            value: value.try_into().unwrap_or(0),
            digits,
            pad: Pad::Zero,
        }
    }

    fn spaced(value: impl TryInto<u32>) -> Number {
        Number { pad: Pad::Space, ..Number::new(value, 2) }
    }
}

/// Returns the value of a conversion that prints a number.
pub(super) fn number(conversion: char, moment: &Moment<'_>) -> Option<Number> {
    let civil = &moment.civil;
    let year = civil.year();
    let hour12 = (civil.hour() + 11) % 12 + 1;
    let day_of_year = civil.day_of_year();
    let sunday_based = i16::from(civil.weekday().to_sunday_zero_offset());
    let monday_based = i16::from(civil.weekday().to_monday_zero_offset());
    // The first Sunday (Monday) of the year starts week 1.
    let week = |weekday: i16| (day_of_year + 6 - weekday) / 7;
    Some(match conversion {
        'C' => Number::new(year / 100, 1),
        'd' => Number::new(civil.day(), 2),
        'e' => Number::spaced(civil.day()),
        'g' => Number::new(civil.date().iso_week_date().year().rem_euclid(100), 2),
        'G' => Number::new(civil.date().iso_week_date().year(), 1),
        'H' => Number::new(civil.hour(), 2),
        'I' => Number::new(hour12, 2),
        'j' => Number::new(day_of_year, 3),
        'k' => Number::spaced(civil.hour()),
        'l' => Number::spaced(hour12),
        'm' => Number::new(civil.month(), 2),
        'M' => Number::new(civil.minute(), 2),
        'S' => Number::new(civil.second(), 2),
        'u' => Number::new(monday_based + 1, 1),
        'U' => Number::new(week(sunday_based), 2),
        'V' => Number::new(civil.date().iso_week_date().week(), 2),
        'w' => Number::new(sunday_based, 1),
        'W' => Number::new(week(monday_based), 2),
        'y' => Number::new(year % 100, 2),
        'Y' => Number::new(year, 1),
        _ => return None,
    })
}

/// Appends the conversions that consist of several others, and `s`, the seconds since the epoch.
pub(super) fn write_parts(out: &mut String, moment: &Moment<'_>, conversion: char, upper: bool) {
    let civil = &moment.civil;
    let (year, month_number, day) = (civil.year(), civil.month(), civil.day());
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    // Writing to a String cannot fail.
    let _ = match conversion {
        'c' => {
            let start = out.len();
            let (weekday, month) = (&weekday(moment)[..3], &month(moment)[..3]);
            let written = write!(out, "{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}");
            if upper {
                out[start..].make_ascii_uppercase();
            }
            written
        }
        'D' | 'x' => write!(out, "{month_number:02}/{day:02}/{:02}", year % 100),
        'F' => write!(out, "{year}-{month_number:02}-{day:02}"),
        'r' => {
            let hour = (hour + 11) % 12 + 1;
            let half = half(moment);
            write!(out, "{hour:02}:{minute:02}:{second:02} {half}")
        }
        'R' => write!(out, "{hour:02}:{minute:02}"),
        's' => write!(out, "{}", moment.epoch),
        // Only `T` and `X` are left.
        _ => write!(out, "{hour:02}:{minute:02}:{second:02}"),
    };
}

/// `Monday`…
pub(super) fn weekday(moment: &Moment<'_>) -> &'static str {
    let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let at = usize::try_from(moment.civil.weekday().to_monday_zero_offset()).unwrap_or(0);
    names[at]
}

/// `January`…
pub(super) fn month(moment: &Moment<'_>) -> &'static str {
    let names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let at = usize::try_from(moment.civil.month() - 1).unwrap_or(0);
    names[at]
}

/// `AM` or `PM`.
pub(super) fn half(moment: &Moment<'_>) -> &'static str {
    if moment.civil.hour() < 12 { "AM" } else { "PM" }
}

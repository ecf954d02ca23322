//! A moment on the clock and the calendar of a time zone.
//!
//! In: microseconds since the epoch and a zone. Out: the civil date and time there, also printed like Python's `str` of
//! an aware `datetime`.

use std::fmt::Write;

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneOffsetInfo};

use super::refusal::Refusal;

/// A moment as a clock in its zone shows it.
pub(super) struct Moment<'z> {
    pub civil: DateTime,
    /// Whole seconds since the epoch, rounded down.
    pub epoch: i64,
    offset: TimeZoneOffsetInfo<'z>,
    /// Less than a million.
    micros: i64,
}

/// How to write the offset: `datetime.isoformat` and `%z` differ.
#[derive(Clone, Copy)]
pub(super) enum OffsetStyle {
    Colons,
    Bare,
}

/// The years that Python's `datetime` supports, in UTC, in microseconds since the epoch.
const YEARS_1_TO_9999: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

impl<'z> Moment<'z> {
    /// # Errors
    /// Fails outside of the years that Python supports, and of those that `jiff` supports, which end two days earlier.
    pub fn new(micros: i64, zone: &'z TimeZone) -> Result<Moment<'z>, Refusal> {
        let refusal = Refusal::OutOfRange(micros);
        if !YEARS_1_TO_9999.contains(&micros) {
            return Err(refusal);
        }
        let instant = jiff::Timestamp::from_microsecond(micros).map_err(|_| refusal)?;
        let offset = zone.to_offset_info(instant);
        let civil = offset.offset().to_datetime(instant);
        if civil.year() < 1 {
            return Err(refusal);
        }
        Ok(Moment {
            civil,
            epoch: micros.div_euclid(1_000_000),
            offset,
            micros: micros.rem_euclid(1_000_000),
        })
    }

    /// Appends the moment as `str(datetime)`: `2026-11-18 11:06:41.450000+01:00`. A fraction of zero is omitted.
    pub fn write(&self, out: &mut String) {
        let civil = &self.civil;
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            out,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second(),
        );
        if self.micros != 0 {
            out.push('.');
            self.write_micros(out);
        }
        self.write_offset(out, OffsetStyle::Colons);
    }

    /// Returns the zone's abbreviation, like `CET`.
    pub fn abbreviation(&self) -> &str {
        self.offset.abbreviation()
    }

    /// Appends the six digits after the second.
    pub fn write_micros(&self, out: &mut String) {
        let _ = write!(out, "{:06}", self.micros);
    }

    /// Appends the offset from UTC, like `+01:00`, with seconds if there are any.
    pub fn write_offset(&self, out: &mut String, style: OffsetStyle) {
        let colon = match style {
            OffsetStyle::Colons => ":",
            OffsetStyle::Bare => "",
        };
        let seconds = self.offset.offset().seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let seconds = seconds.unsigned_abs();
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let _ = write!(out, "{sign}{hours:02}{colon}{minutes:02}");
        if !seconds.is_multiple_of(60) {
            let _ = write!(out, "{colon}{:02}", seconds % 60);
        }
    }
}

/// Returns a time, in microseconds since the epoch, as `{FIELD}` prints it. A time outside of the calendar becomes that
/// number.
pub fn show_time(micros: i64, zone: &TimeZone) -> String {
    let mut shown = String::new();
    match Moment::new(micros, zone) {
        Ok(moment) => moment.write(&mut shown),
        Err(_) => shown.push_str(&micros.to_string()),
    }
    shown
}

//! Points in time, as the journal counts them.
//!
//! Everything that Pyruse computes (windows, graces, bans, mappings) is computed from the time of an *entry*, never
//! from the wall clock, so that catching up and replaying give the same results as live reading. The [clocks](Clock)
//! are read once in each round of the loop. What is stored ends at [`Expiry`], which no wrong clock can put years ahead.

mod clock;
mod expiry;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::clock::{Clock, ClockStep, Now, Steady};
pub use self::expiry::Expiry;

/// 2026-01-01: the program cannot have run before. A machine without its own clock starts years earlier, in 1970 or at
/// the release date of its system.
const PLAUSIBLE: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Microseconds since the Unix epoch, UTC: the journal's `__REALTIME_TIMESTAMP`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Later than everything: it stands for "for ever" in an ordered structure.
    pub const NEVER: Timestamp = Timestamp(i64::MAX);

    /// Reads the wall clock. Do not use it in filters and actions: their time is the entry's.
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Makes a timestamp from whole seconds since the epoch, saturating.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds.saturating_mul(1_000_000))
    }

    /// Returns whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Returns the time this many seconds later, saturating at [`Timestamp::NEVER`].
    #[must_use]
    pub const fn plus_seconds(self, seconds: u64) -> Timestamp {
        let micros = seconds.saturating_mul(1_000_000);
        if micros > i64::MAX as u64 {
            Timestamp::NEVER
        } else {
            Timestamp(self.0.saturating_add(micros.cast_signed()))
        }
    }

    /// Returns the time this much later, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns the time from `self` until `later`; zero if `later` is earlier.
    pub fn until(self, later: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Returns `true` if this program can run at this time. If not, the clock has not been set.
    pub fn is_plausible(self) -> bool {
        self >= PLAUSIBLE
    }

    /// Returns `true` if a clock that shows this time may decide that `other` is too far ahead. It may not if the clock
    /// has not been set, and `other` is from a clock that was set.
    pub fn can_judge(self, other: Timestamp) -> bool {
        self.is_plausible() || !other.is_plausible()
    }

    /// Converts to jiff, for calendar arithmetic; out-of-range values are clamped to jiff's limits.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// Formats it for people: to the second, in this time zone, with the zone's offset from UTC.
    pub fn shown_in(self, zone: &TimeZone) -> String {
        self.to_jiff().to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
    }

    /// Formats it for people in this machine's zone. Output for programs is in UTC; see `Display`.
    pub fn local(self) -> String {
        self.shown_in(&TimeZone::system())
    }
}

/// RFC 3339 in UTC with six decimal places, as the effects of `replay --json` show it.
impl fmt::Display for Timestamp {
    /// Many effects are printed; this is several times as fast as jiff's own `Display`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.to_jiff();
        let civil = TimeZone::UTC.to_datetime(time);
        let parts = [
            (0..4, i32::from(civil.year())),
            (5..7, i32::from(civil.month())),
            (8..10, i32::from(civil.day())),
            (11..13, i32::from(civil.hour())),
            (14..16, i32::from(civil.minute())),
            (17..19, i32::from(civil.second())),
            (20..26, civil.subsec_nanosecond() / 1000),
        ];
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (digits, number) in parts {
            let Ok(mut rest) = u32::try_from(number) else { return write!(f, "{time:.6}") };
            for digit in text[digits].iter_mut().rev() {
                *digit = b"0123456789"[(rest % 10) as usize];
                rest /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_shown_with_six_digits_in_utc() {
        assert_eq!(Timestamp(1_795_000_000_000_000).to_string(), "2026-11-18T11:06:40.000000Z");
        assert_eq!(Timestamp(1_795_000_000_450_001).to_string(), "2026-11-18T11:06:40.450001Z");
        // Out of the calendar's range, before the year 0, and in every year since.
        let far = [i64::MIN, i64::MAX, -1, 0, 1, -70_000_000_000_000_000];
        for micros in far.into_iter().chain((-9_000..35_000).map(|n| n * 7_000_000_123_457)) {
            let time = Timestamp(micros);
            assert_eq!(time.to_string(), format!("{:.6}", time.to_jiff()));
        }
    }

    #[test]
    fn it_is_shown_to_people_with_its_zone() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        for (seconds, shown) in
            [(1_795_000_000, "2026-11-18 12:06:40+01:00"), (1_780_000_000, "2026-05-28 22:26:40+02:00")]
        {
            assert_eq!(Timestamp::from_seconds(seconds).shown_in(&zone), shown);
        }
        // Out of the calendar's range, but this does not panic.
        assert!(
            !Timestamp::NEVER.shown_in(&zone).is_empty() && !Timestamp(i64::MIN).shown_in(&zone).is_empty()
        );
    }

    #[test]
    fn far_ends_saturate() {
        assert_eq!(Timestamp(5).plus_seconds(u64::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp::NEVER.plus_seconds(1), Timestamp::NEVER);
        assert_eq!(Timestamp(10).until(Timestamp(3)), Duration::ZERO);
        assert!(!Timestamp::NEVER.to_string().is_empty());
    }
}

//! Expiry: the type of every stored time at which something ends.

use std::time::Duration;

use serde::de::Deserializer;
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::{ClockStep, Timestamp};

/// A time at which something expires, and how long it lasts from its beginning to then.
///
/// A clock that is wrong for a moment leaves ends behind that are wrong for years. But nothing that lasts an hour ends
/// more than an hour from now: so code that holds ends [adjusts](Expiry::adjust) them after they are loaded, and when a
/// step of the clock was detected.
///
/// It is stored as `[end, span]`, in microseconds. A lone number is an end whose span is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    at: Timestamp,
    /// In microseconds; the greatest number means not known, or for ever.
    span: i64,
}

impl Expiry {
    /// It never expires.
    pub const NEVER: Expiry = Expiry { at: Timestamp::NEVER, span: i64::MAX };

    /// Makes the end this long after `start`.
    pub fn after(start: Timestamp, span: Duration) -> Expiry {
        Expiry { at: start.plus(span), span: i64::try_from(span.as_micros()).unwrap_or(i64::MAX) }
    }

    /// Makes the end this many seconds after `start`.
    pub fn after_seconds(start: Timestamp, seconds: u64) -> Expiry {
        Expiry::after(start, Duration::from_secs(seconds))
    }

    /// Makes an end that is always believed: it has no span.
    pub const fn without_span(at: Timestamp) -> Expiry {
        Expiry { at, span: i64::MAX }
    }

    /// Returns the end.
    pub const fn at(self) -> Timestamp {
        self.at
    }

    /// Returns how long it was to last, if that is known and not for ever.
    pub fn span(self) -> Option<Duration> {
        let span = u64::try_from(self.span).ok().filter(|_| self.span != i64::MAX);
        span.map(Duration::from_micros)
    }

    /// Returns the same end with a span, if it has none.
    #[must_use]
    pub fn with_span(self, span: Duration) -> Expiry {
        if self.span != i64::MAX || self.at == Timestamp::NEVER {
            return self;
        }
        Expiry { span: i64::try_from(span.as_micros()).unwrap_or(i64::MAX), ..self }
    }

    /// Returns the later of the two.
    #[must_use]
    pub fn max(self, other: Expiry) -> Expiry {
        if other.at > self.at { other } else { self }
    }

    /// Returns `true` if it has expired at `now`. At the end itself, it has.
    pub fn is_expired(self, now: Timestamp) -> bool {
        self.at <= now
    }

    /// Moves an end that cannot be right; returns `true` if it was moved.
    ///
    /// - An end is at most its span from now. (While the clock is not set, ends that were made when it was set are left
    ///   alone: the clock is wrong, not they.)
    /// - What began while the clock was not set moves along when the clock is set: it keeps its remaining time.
    pub fn adjust(&mut self, step: ClockStep) -> bool {
        let before = self.at;
        if self.at == Timestamp::NEVER {
            return false;
        }
        if step.sets_the_clock() && !self.at.is_plausible() {
            self.at = Timestamp(self.at.0.saturating_add(step.by));
        }
        let now = step.now.wall;
        if now.can_judge(self.at) {
            self.at = self.at.min(Timestamp(now.0.saturating_add(self.span)));
        }
        self.at != before
    }
}

impl Serialize for Expiry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.span == i64::MAX {
            self.at.serialize(serializer)
        } else {
            (self.at, self.span).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Expiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expiry, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Stored {
            Alone(Timestamp),
            WithSpan(Timestamp, i64),
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Alone(at) => Expiry::without_span(at),
            // A negative span means no span.
            Stored::WithSpan(at, span) => Expiry { at, span: span.max(0) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Now;
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    const YEARS: u64 = 72 * 365 * 86_400;

    fn adjusted(mut ends: Expiry, step: ClockStep) -> Timestamp {
        let before = ends;
        assert_eq!(ends.adjust(step), ends != before);
        assert!(!ends.adjust(ClockStep::loaded(step.now)), "once is enough");
        ends.at()
    }

    #[test]
    fn an_end_is_never_further_ahead_than_its_span() {
        let loaded = ClockStep::loaded(Now::at(NOW));
        for (start, end) in [
            // A clock that was ahead.
            (NOW.plus_seconds(YEARS), NOW.plus_seconds(3600)),
            (NOW.plus_seconds(1), NOW.plus_seconds(3600)),
            // Correct ends stay.
            (NOW, NOW.plus_seconds(3600)),
            (Timestamp::from_seconds(NOW.seconds() - 3000), NOW.plus_seconds(600)),
            // Expired ends stay expired.
            (Timestamp::from_seconds(NOW.seconds() - 9000), Timestamp::from_seconds(NOW.seconds() - 5400)),
        ] {
            assert_eq!(adjusted(Expiry::after_seconds(start, 3600), loaded), end);
        }
        assert_eq!(adjusted(Expiry::NEVER, loaded), Timestamp::NEVER);
        let unknown = NOW.plus_seconds(YEARS);
        assert_eq!(adjusted(Expiry::without_span(unknown), loaded), unknown);
        let known = Expiry::without_span(unknown).with_span(Duration::from_secs(60));
        assert_eq!(adjusted(known, loaded), NOW.plus_seconds(60));
        assert_eq!(adjusted(Expiry::after_seconds(NOW, u64::MAX), loaded), Timestamp::NEVER);
    }

    #[test]
    fn a_clock_that_is_not_set_shortens_nothing_and_remaining_times_are_kept_when_it_is_set() {
        let ends = Expiry::after_seconds(NOW, 3600);
        let unset = Now::at(Timestamp::from_seconds(100));
        assert_eq!(adjusted(ends, ClockStep::loaded(unset)), ends.at());
        // It began 40 s after a start without a clock.
        let early = Expiry::after_seconds(Timestamp::from_seconds(40), 3600);
        assert_eq!(adjusted(early, ClockStep::loaded(unset)), Timestamp::from_seconds(3640));
        assert_eq!(
            adjusted(Expiry::after_seconds(Timestamp::from_seconds(9000), 3600), ClockStep::loaded(unset)),
            Timestamp::from_seconds(3700),
            "of two times of a clock that is not set, the later cannot be the end of an hour"
        );
        let set = ClockStep { now: Now::at(NOW), by: NOW.0 - unset.wall.0 };
        assert_eq!(adjusted(early, set), NOW.plus_seconds(3540));
        assert_eq!(adjusted(ends, set), ends.at());
    }

    #[test]
    fn it_is_stored_with_its_span_and_read_without_one() {
        for (ends, text) in [
            (Expiry::after_seconds(Timestamp(5), 2), "[2000005,2000000]"),
            (Expiry::without_span(Timestamp(7)), "7"),
            (Expiry::NEVER, "9223372036854775807"),
        ] {
            assert_eq!(serde_json::to_string(&ends).unwrap(), text);
            assert_eq!(serde_json::from_str::<Expiry>(text).unwrap(), ends);
        }
        assert!(serde_json::from_str::<Expiry>("[1]").is_err());
    }
}

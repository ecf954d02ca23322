//! Lengths of time as people write them: a number of seconds, or a text such as `1h30m` or `7d`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::{Span, SpanRelativeTo, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A number of seconds. An argument of this type takes a number of seconds, as the first Pyruse did, or a text.
///
/// ```
/// # use pyruse_core::seconds::Seconds;
/// assert_eq!("1h30m".parse(), Ok(Seconds(5400)));
/// assert_eq!("7d".parse(), Ok(Seconds(604_800)));
/// assert!("soon".parse::<Seconds>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Seconds(pub u64);

// For the command line and the reference pages.
#[doc(hidden)]
/// The schema's `format` of such arguments.
pub const FORMAT: &str = "length-of-time";

// For the command line.
#[doc(hidden)]
/// A thousand years: a longer time is a mistake, or means for ever.
pub const LONGEST: u64 = 1000 * 366 * 86_400;

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecondsError {
    /// It is a bare number.
    #[error("this has no unit; write `{0}s` for seconds, or `90m`, `12h`, `1d`, `2w`")]
    NoUnit(String),
    /// It is something else.
    #[error("this is not a duration; write `90m`, `12h`, `1d` or `2w`")]
    NotADuration,
    /// It is zero or negative.
    #[error("the duration must not be zero")]
    Zero,
    /// It is more than [`LONGEST`].
    #[error("this is more than a thousand years; leave it out for \"for ever\"")]
    TooLong,
}

impl FromStr for Seconds {
    type Err = SecondsError;

    /// Accepts any unit up to weeks, in the friendly form or in ISO 8601. A day has 24 hours; months and years have no
    /// fixed length. Fractions of a second are rounded up.
    fn from_str(text: &str) -> Result<Seconds, SecondsError> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SecondsError::NoUnit(text.to_owned()));
        }
        let span: Span = text.parse().map_err(|_| SecondsError::NotADuration)?;
        let seconds = span
            .total((Unit::Second, SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| SecondsError::NotADuration)?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates"
        )]
        let seconds = seconds.ceil() as u64;
        match seconds {
            0 => Err(SecondsError::Zero),
            LONGEST.. => Err(SecondsError::TooLong),
            _ => Ok(Seconds(seconds)),
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seconds, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of seconds, 0 or more, or a duration such as `1h` or `7d`")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(seconds))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Seconds, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "string"], "minimum": 0, "format": FORMAT})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_length_of_time_and_a_number_is_seconds() {
        for (json, seconds) in [
            ("3600", 3600),
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            (r#""1h""#, 3600),
            (r#""7d""#, 604_800),
            (r#""1h30m""#, 5400),
            (r#""1h 30m""#, 5400),
            (r#""2 weeks""#, 1_209_600),
            (r#""90s""#, 90),
            (r#""0.5s""#, 1),
            (r#""PT1H""#, 3600),
        ] {
            assert_eq!(serde_json::from_str::<Seconds>(json).unwrap(), Seconds(seconds), "{json}");
        }
    }

    #[test]
    fn text_that_is_not_a_duration_is_an_error() {
        for (json, message) in [
            (r#""3600""#, "this has no unit; write `3600s` for seconds"),
            (r#""soon""#, "this is not a duration"),
            (r#""""#, "this is not a duration"),
            (r#""1y""#, "this is not a duration"),
            (r#""2mo""#, "this is not a duration"),
            (r#""-1h""#, "the duration must not be zero"),
            (r#""0s""#, "the duration must not be zero"),
            (r#""400000d""#, "this is more than a thousand years"),
            (r#""99999999999999999999d""#, "this is not a duration"),
            ("-1", "invalid type: integer `-1`, expected a whole number of seconds"),
            ("1.5", "invalid type: floating point `1.5`, expected a whole number of seconds"),
            ("true", "invalid type: boolean `true`, expected a whole number of seconds"),
        ] {
            let error = serde_json::from_str::<Seconds>(json).unwrap_err().to_string();
            assert!(error.starts_with(message), "{json}: {error}");
        }
    }
}

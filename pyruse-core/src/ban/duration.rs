//! The duration of a ban: fixed, longer for repeat offenders, or from a field of the entry.
//!
//! With a list of durations, the state holds when each address was banned last. A ban that only renews one that is in
//! force does not count: the lines of one attack still arrive when the first of them has banned the address.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::entry::{Slot, StepError};
use crate::plugin::{Act, Compile, Invalid, excerpt};
use crate::seconds::{LONGEST, Seconds};
use crate::state::{Handle, State};
use crate::time::{Expiry, Timestamp};

use super::offences::{Offence, Offences};
use super::store::Bans;

/// The default of `rememberSeconds`: 30 days.
const REMEMBERED: u64 = 30 * 86_400;

/// The largest number of durations in a list.
const MOST_DURATIONS: usize = 100;

/// The argument `banSeconds`: a duration, a list of durations, or `{"field": NAME}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BanSeconds {
    /// Each ban has this duration; 0: for ever.
    Fixed(Seconds),
    /// The n-th ban of an address has the n-th duration; further ones have the last.
    Repeated(Vec<Seconds>),
    /// The entry has the duration in this field.
    Field(String),
}

impl Default for BanSeconds {
    fn default() -> Self {
        BanSeconds::Fixed(Seconds(0))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldName {
    field: String,
}

impl<'de> Deserialize<'de> for BanSeconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BanSeconds, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = BanSeconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a whole number of seconds, 0 or more, a duration such as `1h` or `7d`, a list of them, or \
                     `{\"field\": NAME}`",
                )
            }

            /// As for other arguments, `null` means that it is absent.
            fn visit_unit<E: Error>(self) -> Result<BanSeconds, E> {
                Ok(BanSeconds::default())
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<BanSeconds, E> {
                Ok(BanSeconds::Fixed(Seconds(seconds)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BanSeconds, E> {
                Seconds::deserialize(StrDeserializer::new(text)).map(BanSeconds::Fixed)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<BanSeconds, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(BanSeconds::Repeated)
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<BanSeconds, A::Error> {
                let FieldName { field } = FieldName::deserialize(MapAccessDeserializer::new(object))?;
                Ok(BanSeconds::Field(field))
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}

impl JsonSchema for BanSeconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BanSeconds".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let seconds = Seconds::json_schema(generator);
        json_schema!({"anyOf": [
            seconds,
            {"type": "null"},
            {"type": "array", "items": seconds, "minItems": 1, "maxItems": MOST_DURATIONS},
            {
                "type": "object",
                "properties": {"field": {"type": "string"}},
                "required": ["field"],
                "additionalProperties": false,
            },
        ]})
    }
}

/// The compiled argument.
pub(super) enum Duration {
    Fixed(u64),
    Repeated(Repeated),
    Field(Slot),
}

/// A list of durations, and the bans that were counted.
pub(super) struct Repeated {
    durations: Vec<u64>,
    /// In seconds.
    remember: u64,
    offences: Handle<Offences>,
    /// The largest number of addresses to remember.
    most: usize,
}

impl Duration {
    /// Compiles `banSeconds` and `rememberSeconds` of this action. `most` is the largest number of addresses to
    /// remember.
    pub(super) fn new(
        argument: BanSeconds,
        remember: Option<Seconds>,
        (action, most): (&str, u32),
        cx: &mut Compile<'_>,
    ) -> Result<Duration, Invalid> {
        if remember.is_some() && !matches!(argument, BanSeconds::Repeated(_)) {
            let help = "write a list such as `\"banSeconds\": [\"10m\", \"1h\", \"1d\", \"7d\"]`";
            return Err(cx.error_with_help(
                "rememberSeconds",
                "`rememberSeconds` has no effect unless `banSeconds` is a list",
                help,
            ));
        }
        match argument {
            BanSeconds::Fixed(Seconds(seconds)) => Ok(Duration::Fixed(seconds)),
            BanSeconds::Field(name) => Ok(Duration::Field(cx.reads_at("banSeconds.field", &name))),
            BanSeconds::Repeated(durations) if (1..=MOST_DURATIONS).contains(&durations.len()) => {
                let remember = remember.map_or(REMEMBERED, |seconds| seconds.0);
                if remember == 0 {
                    return Err(cx.error("rememberSeconds", "the duration must not be zero"));
                }
                let durations = durations.into_iter().map(|seconds| seconds.0).collect();
                let offences = cx.state(&format!("{action}/offences"))?;
                Ok(Duration::Repeated(Repeated { durations, remember, offences, most: most as usize }))
            }
            BanSeconds::Repeated(_) => {
                Err(cx.error("banSeconds", format!("a list has 1 to {MOST_DURATIONS} durations")))
            }
        }
    }

    /// Returns the shortest duration, as far as it is known: 0 only if each ban is for ever.
    pub(super) fn shortest(&self) -> u64 {
        match self {
            Duration::Fixed(seconds) => *seconds,
            Duration::Repeated(Repeated { durations, .. }) => {
                durations.iter().copied().filter(|seconds| *seconds > 0).min().unwrap_or(0)
            }
            Duration::Field(_) => 1,
        }
    }

    /// Returns `true` if each ban ends.
    pub(super) fn ends(&self) -> bool {
        match self {
            Duration::Fixed(seconds) => *seconds > 0,
            Duration::Repeated(Repeated { durations, .. }) => !durations.contains(&0),
            Duration::Field(_) => true,
        }
    }

    /// Notes when the ban that was made of [`Duration::of`] ends.
    pub(super) fn made(&self, state: &mut State, key: &str, until: Timestamp) {
        if let Duration::Repeated(repeated) = self {
            state.get_mut(repeated.offences).change(key, |offence| offence.until = until);
        }
    }

    /// Returns the duration of the entry's ban with this key, and, of a list, which ban it is. Nothing changes if it
    /// fails.
    pub(super) fn of(
        &self,
        run: &mut Act<'_, '_>,
        bans: &Bans,
        key: &str,
        now: Timestamp,
    ) -> Result<(u64, Option<u32>), StepError> {
        match self {
            Duration::Fixed(seconds) => Ok((*seconds, None)),
            Duration::Field(field) => Ok((of_field(run, *field)?, None)),
            Duration::Repeated(repeated) => {
                let is_held = bans.is_held(run.state, key, now);
                let (seconds, nth) = repeated.next(run.state, key, is_held, now);
                Ok((seconds, Some(nth)))
            }
        }
    }
}

fn of_field(run: &mut Act<'_, '_>, field: Slot) -> Result<u64, StepError> {
    let text = run.entry.required_text(field)?;
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => Some(seconds),
        Err(_) => text.parse::<Seconds>().ok().map(|seconds| seconds.0),
    };
    match seconds {
        Some(seconds @ 1..LONGEST) => Ok(seconds),
        _ => Err(StepError::new(format!(
            "`banSeconds`: `{}` is not a duration: nothing is banned",
            excerpt(text)
        ))),
    }
}

impl Repeated {
    /// Returns the duration of a ban that begins `now`, and which one of that address it is. `is_held`: it is banned
    /// already.
    fn next(&self, state: &mut State, key: &str, is_held: bool, now: Timestamp) -> (u64, u32) {
        let offences = state.get_mut(self.offences);
        let Offence { at: mut times, until } = offences.get(key, now).cloned().unwrap_or_default();
        // The memory ends earlier than it was made to: the clock was ahead.
        let was_ahead = times
            .last()
            .zip(offences.ends(key))
            .is_some_and(|(last, ends)| ends.at() < last.plus_seconds(self.remember));
        let until = if was_ahead { Timestamp(0) } else { until };
        if was_ahead {
            times.retain(|time| *time <= now);
        }
        let is_held = is_held || now < until;
        let remember = i64::try_from(self.remember).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let since = now.0.saturating_sub(remember);
        times.retain(|time| time.0 > since);
        if !is_held || times.is_empty() {
            let at = times.partition_point(|time| *time <= now);
            times.insert(at, now);
            // More than there are durations make no difference.
            let surplus = times.len().saturating_sub(MOST_DURATIONS);
            times.drain(..surplus);
        }
        let nth = times.iter().filter(|time| **time <= now).count().max(1);
        let latest = times.last().copied().unwrap_or(now).max(now);
        offences.insert(key, Offence { at: times, until }, Expiry::after_seconds(latest, self.remember), now);
        while offences.len() > self.most {
            offences.forget_one(now);
        }
        (self.durations[nth.min(self.durations.len()) - 1], u32::try_from(nth).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Resource as _;
    use crate::time::{ClockStep, Now};

    #[test]
    fn the_argument_has_four_forms() {
        let parse = |json: &str| serde_json::from_str::<BanSeconds>(json).map_err(|e| e.to_string());
        assert_eq!(parse("null"), Ok(BanSeconds::Fixed(Seconds(0))));
        assert_eq!(parse("600"), Ok(BanSeconds::Fixed(Seconds(600))));
        assert_eq!(parse(r#""1h""#), Ok(BanSeconds::Fixed(Seconds(3600))));
        assert_eq!(parse(r#"[600, "1h"]"#), Ok(BanSeconds::Repeated(vec![Seconds(600), Seconds(3600)])));
        assert_eq!(parse(r#"{"field": "seconds"}"#), Ok(BanSeconds::Field("seconds".into())));
        for wrong in ["-1", "true", r#""soon""#, r#"[600, "soon"]"#, r#"{"fields": "x"}"#, "[[600]]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    fn repeated(state: &mut State) -> Repeated {
        let offences = state.open("offences").unwrap();
        Repeated { durations: vec![10, 100, 1000], remember: 5000, offences, most: 3 }
    }

    #[test]
    fn each_ban_within_the_remembered_time_is_longer() {
        let mut state = State::in_memory();
        let duration = repeated(&mut state);
        let mut next =
            |key, is_held, at| duration.next(&mut state, key, is_held, Timestamp::from_seconds(at));
        assert_eq!(next("a", false, 0), (10, 1));
        assert_eq!(next("a", true, 5), (10, 1), "a renewal does not count");
        assert_eq!(next("a", false, 20), (100, 2));
        assert_eq!(next("b", false, 20), (10, 1));
        assert_eq!(next("a", false, 200), (1000, 3));
        assert_eq!(next("a", false, 2000), (1000, 4), "the last duration is repeated");
        assert_eq!(next("a", false, 5010), (1000, 4), "the first is forgotten");
        assert_eq!(next("a", false, 20_000), (10, 1), "all are forgotten");
    }

    #[test]
    fn an_entry_that_is_read_late_does_not_count_later_bans() {
        let mut state = State::in_memory();
        let duration = repeated(&mut state);
        let mut next = |at| duration.next(&mut state, "a", false, Timestamp::from_seconds(at));
        assert_eq!(next(1000), (10, 1));
        assert_eq!(next(500), (10, 1));
        assert_eq!(next(1500), (1000, 3));
    }

    #[test]
    fn a_late_entry_of_the_time_of_a_ban_that_is_over_does_not_count() {
        let mut state = State::in_memory();
        let repeated = repeated(&mut state);
        let offences = repeated.offences;
        let duration = Duration::Repeated(repeated);
        let mut next = |at, until| {
            let Duration::Repeated(repeated) = &duration else { unreachable!() };
            let next = repeated.next(&mut state, "a", false, Timestamp::from_seconds(at));
            duration.made(&mut state, "a", Timestamp::from_seconds(until));
            next
        };
        assert_eq!(next(100, 110), (10, 1));
        assert_eq!(next(105, 115), (10, 1), "a renewal");
        assert_eq!(next(112, 115), (10, 1), "within the renewed ban");
        assert_eq!(next(90, 115), (10, 1), "before the ban");
        assert_eq!(next(115, 215), (100, 2), "it is over");
        state.get_mut(offences).change("a", Offence::lift);
        let Duration::Repeated(repeated) = &duration else { unreachable!() };
        let lifted = repeated.next(&mut state, "a", false, Timestamp::from_seconds(120));
        assert_eq!(lifted, (1000, 3), "it was lifted");
    }

    #[test]
    fn a_ban_of_a_time_when_the_clock_was_wrong_does_not_keep_later_ones_from_counting() {
        let mut state = State::in_memory();
        let repeated = repeated(&mut state);
        let (now, wrong) = (1_795_000_000, 4_000_000_000);
        let next = |state: &mut State, at| repeated.next(state, "a", false, Timestamp::from_seconds(at));
        next(&mut state, wrong);
        let until = Timestamp::from_seconds(wrong + 10);
        state.get_mut(repeated.offences).change("a", |offence| offence.until = until);
        state.get_mut(repeated.offences).adjust(ClockStep::loaded(Now::at(Timestamp::from_seconds(now))));
        assert_eq!(next(&mut state, now), (10, 1));
        assert_eq!(next(&mut state, now + 100), (100, 2));
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut state = State::in_memory();
        let duration = repeated(&mut state);
        for n in 0..100 {
            duration.next(&mut state, &n.to_string(), false, Timestamp::from_seconds(n));
        }
        assert!(state.get(duration.offences).len() <= 3);
    }
}

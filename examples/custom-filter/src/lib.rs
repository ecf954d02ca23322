//! `filter_workingHours`: did it happen while somebody was at work?
//!
//! A filter for Pyruse, made outside of it, on nothing but `pyruse-core`. One file is one module: its arguments, what
//! they are compiled to, what is done per entry, examples, registration, tests; in the order in which they come below.

use pyruse_core::entry::{Entry, Slot, Value};
use pyruse_core::jiff::civil::{Time, Weekday};
use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::plugin::{Compile, Example, Filter, Invalid, Module, Outcome, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;

// ─── The arguments, as the configuration has them ───
//
// serde reads them, schemars describes them: an unknown key, a missing one or a wrong type is told with its place
// before we are asked. The comments are the reference, in `pyruse modules` and in editors. The two attributes `crate`
// let the derives find serde and schemars within the core, so that this crate need not depend on them itself.

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The first minute, `HH:MM`.
    from: String,
    /// The minute after the last, `HH:MM`; before `from`, it is the next day's.
    to: String,
    /// The days on which it begins: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`. By default Monday to Friday.
    #[serde(default = "working_days")]
    days: Vec<String>,
    /// The time zone whose clock is meant, e.g. `Europe/Paris`. By default that of this machine.
    zone: Option<String>,
    /// The field that holds the time. By default that of the entry.
    #[serde(default = "entry_time")]
    field: String,
}

fn working_days() -> Vec<String> {
    ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec()
}

fn entry_time() -> String {
    "__REALTIME_TIMESTAMP".to_owned()
}

// ─── What they are compiled to: numbers, and no names ───

struct WorkingHours {
    /// The field, by its number.
    field: Slot,
    from: Time,
    to: Time,
    /// Is it a working day? Monday is the first.
    days: [bool; 7],
    zone: TimeZone,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `HH:MM`, strictly.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

impl Module for WorkingHours {
    // The name in the configuration; `filter_` in front is the rule.
    const NAME: &'static str = "filter_workingHours";
    // One sentence, for `pyruse modules`.
    const DOC: &'static str = "Passes when the time in the field is within working hours.";
    type Args = Args;

    // Once for each step that uses the filter. All that can be wrong is found here, and each mistake is reported at the
    // argument that it is in: not only the first, since a person wants to mend them all at once. Nothing outside is
    // touched: `pyruse check` comes here too.
    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        // Says that we read the field, and gives its number. At run time nobody looks up a name any more.
        let field = cx.reads(&args.field);

        let mut time = |path: &str, text: &str| {
            let help = "write `08:30`";
            clock(text)
                .ok_or_else(|| cx.error_with_help(path, format!("`{text}` is not a time of day"), help))
        };
        let (from, to) = (time("from", &args.from), time("to", &args.to));

        let mut days = Ok([false; 7]);
        for (n, name) in args.days.iter().enumerate() {
            match (DAYS.iter().position(|day| day == name), &mut days) {
                (Some(day), Ok(days)) => days[day] = true,
                (Some(_), Err(_)) => {}
                (None, _) => {
                    // The path of an element of a list is its key and its number.
                    let message = format!("`{name}` is not a day");
                    days = Err(cx.error_with_help(&format!("days.{n}"), message, DAYS.join(", ")));
                }
            }
        }

        let zone = match &args.zone {
            None => Ok(TimeZone::system()),
            Some(name) => TimeZone::get(name)
                .map_err(|_| cx.error("zone", format!("this machine knows no time zone `{name}`"))),
        };

        // `Invalid` can only be had by reporting something: so nobody fails in silence.
        let (from, to, days, zone) = (from?, to?, days?, zone?);
        if from == to {
            return Err(cx.error("to", "this is when it begins: no time would be within"));
        }
        Ok(WorkingHours { field, from, to, days, zone })
    }

    // Examples are data. They are shown by `pyruse modules filter_workingHours`, and a test runs them; they happen on
    // Wednesday, 2026-11-18, at 11:06:40 UTC.
    fn examples() -> Vec<Example> {
        let example = |title, args, outcome| Example { title, args, entry: &[], outcome };
        vec![
            example(
                "a Wednesday before noon",
                r#"{"from": "08:00", "to": "18:00", "zone": "UTC"}"#,
                Outcome::Passes,
            ),
            example(
                "the same moment, elsewhere",
                r#"{"from": "08:00", "to": "18:00", "zone": "Asia/Tokyo"}"#,
                Outcome::Fails,
            ),
            example(
                "not a working day",
                r#"{"from": "08:00", "to": "18:00", "days": ["sat", "sun"], "zone": "UTC"}"#,
                Outcome::Fails,
            ),
            example(
                "the night shift, which began yesterday",
                r#"{"from": "22:00", "to": "12:00", "days": ["tue"], "zone": "UTC"}"#,
                Outcome::Passes,
            ),
            Example {
                title: "no time",
                args: r#"{"from": "08:00", "to": "18:00", "field": "MESSAGE"}"#,
                entry: &[("MESSAGE", "at ten")],
                outcome: Outcome::Error("the field holds text, not a time"),
            },
        ]
    }
}

// ─── What is done per entry ───

impl WorkingHours {
    fn contain(&self, moment: Timestamp) -> bool {
        let local = self.zone.to_datetime(moment.to_jiff());
        let (day, time) = (local.weekday(), local.time());
        let began_on = |day: Weekday| self.days[usize::from(day.to_monday_zero_offset().unsigned_abs())];
        if self.from < self.to {
            self.from <= time && time < self.to && began_on(day)
        } else {
            (self.from <= time && began_on(day)) || (time < self.to && began_on(day.previous()))
        }
    }
}

impl Filter for WorkingHours {
    // For every entry that comes to this step, maybe 100,000 times a second: no allocation, no look-up by name, no file,
    // no lock, no clock (the only time that counts is the entry's). It keeps nothing between two entries; what must be
    // kept belongs into the durable state, and thus into an action.
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        // A field may occur several times: it is enough if one of its values holds. `None`: the entry lacks the field,
        // and what is missing never passes.
        let holds = entry.any(self.field, |value| match value {
            Value::Time(moment) => Ok(self.contain(moment)),
            // An error counts as "no", and is told with chain and step. An entry is written by anybody: what is quoted
            // from it goes through `pyruse_core::plugin::excerpt`; better still, nothing is quoted.
            other => Err(StepError::new(format!("the field holds {}, not a time", other.type_name()))),
        })?;
        Ok(holds.unwrap_or(false))
    }
}

// ─── Registration: the registry finds whatever is linked ───

pyruse_core::inventory::submit!(Plugin::filter::<WorkingHours>());

// ─── Tests of what needs no workflow; the others are in tests/ ───

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_strictly() {
        assert_eq!(clock("08:30"), Some(Time::constant(8, 30, 0, 0)));
        for wrong in ["8:30", "08:60", "24:00", "08:30:00", "+8:30", "", ":"] {
            assert_eq!(clock(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn it_ends_with_the_minute_before_the_end() {
        let hours = WorkingHours {
            field: pyruse_core::entry::Fields::default().slot("T"),
            from: Time::constant(8, 0, 0, 0),
            to: Time::constant(18, 0, 0, 0),
            days: [true; 7],
            zone: TimeZone::UTC,
        };
        let at = |hour: i64, minute: i64| Timestamp::from_seconds(1_794_960_000 + hour * 3600 + minute * 60);
        let within = [at(7, 59), at(8, 0), at(17, 59), at(18, 0)].map(|moment| hours.contain(moment));
        assert_eq!(within, [false, true, true, false]);
    }
}

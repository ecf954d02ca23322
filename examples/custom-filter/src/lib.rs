//! `filter_workingHours`: passes during working hours.
//!
//! A filter for Pyruse in a crate of its own, which depends only on `pyruse-core`. One file is one module, in this order:
//! its arguments, the compiled form, examples, the code that runs per entry, registration, tests.

use pyruse_core::entry::{Entry, Slot, Value};
use pyruse_core::jiff::civil::{Time, Weekday};
use pyruse_core::jiff::tz::TimeZone;
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;

// ─── The arguments, as in the configuration ───
//
// serde reads them, schemars describes them: an unknown key, a missing one or a wrong type is reported with its place
// before `compile` is called. The comments are the reference, in `pyruse modules` and in editors. The two attributes
// `crate` let the derives find serde and schemars within the core, so that this crate need not depend on them itself.

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The first minute, `HH:MM`.
    from: String,
    /// The minute after the last, `HH:MM`; a time before `from` belongs to the next day.
    to: String,
    /// The days on which the working hours begin: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`. The default is Monday to
    /// Friday.
    #[serde(default = "working_days")]
    days: Vec<String>,
    /// The time zone, e.g. `Europe/Paris`. The default is that of this machine.
    zone: Option<String>,
    /// The field with the time. The default is the time of the entry.
    #[serde(default = "entry_time")]
    field: String,
}

fn working_days() -> Vec<String> {
    ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec()
}

fn entry_time() -> String {
    "__REALTIME_TIMESTAMP".to_owned()
}

// ─── The compiled form: numbers, and no names ───

struct WorkingHours {
    /// The number of the field.
    field: Slot,
    from: Time,
    to: Time,
    /// Whether each day is a working day, from Monday.
    days: [bool; 7],
    zone: TimeZone,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Parses `HH:MM`, strictly.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten()
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

impl Module for WorkingHours {
    // The name in the configuration; a filter's name begins with `filter_`.
    const NAME: &'static str = "filter_workingHours";
    // One sentence, for `pyruse modules`.
    const DOC: &'static str = "Passes when the time in the field is within working hours.";
    type Args = Args;

    // Runs once for each step that uses the filter. All errors are found here, and each is reported at its argument: not
    // only the first, since people want to fix all of them at once. It changes nothing outside: `pyruse check` runs it,
    // too.
    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        // Declares that we read the field, and returns its number. At run time no name is looked up.
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
                    // The path of a list element is the list's key and the element's number.
                    let message = format!("`{name}` is not a day");
                    days = Err(cx.error_with_help(&format!("days.{n}"), message, DAYS.join(", ")));
                }
            }
        }

        let zone = match &args.zone {
            None => Ok(TimeZone::system()),
            Some(name) => TimeZone::get(name)
                .map_err(|_| cx.error("zone", format!("this machine has no time zone `{name}`"))),
        };

        // Only reporting an error returns `Invalid`: so no module fails silently.
        let (from, to, days, zone) = (from?, to?, days?, zone?);
        if from == to {
            return Err(cx.error("to", "this equals `from`: no time would be within"));
        }
        Ok(WorkingHours { field, from, to, days, zone })
    }

    // Examples are data. `pyruse modules filter_workingHours` shows them, and a test runs them. Their entries are of
    // Wednesday, 2026-11-18, 11:06:40 UTC.
    fn examples() -> Vec<Example> {
        let example = |title, args, expected| Example { title, args, entry: &[], expected };
        vec![
            example(
                "a Wednesday before noon",
                r#"{"from": "08:00", "to": "18:00", "zone": "UTC"}"#,
                Expected::Passes,
            ),
            example(
                "the same time, in another zone",
                r#"{"from": "08:00", "to": "18:00", "zone": "Asia/Tokyo"}"#,
                Expected::Fails,
            ),
            example(
                "not a working day",
                r#"{"from": "08:00", "to": "18:00", "days": ["sat", "sun"], "zone": "UTC"}"#,
                Expected::Fails,
            ),
            example(
                "a night shift that began the day before",
                r#"{"from": "22:00", "to": "12:00", "days": ["tue"], "zone": "UTC"}"#,
                Expected::Passes,
            ),
            Example {
                title: "not a time",
                args: r#"{"from": "08:00", "to": "18:00", "field": "MESSAGE"}"#,
                entry: &[("MESSAGE", "at ten")],
                expected: Expected::Error("the field contains text, not a time"),
            },
        ]
    }
}

// ─── The code that runs per entry ───

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
    // Runs for every entry that reaches this step, up to 100,000 times a second: no allocation, no look-up by name, no
    // file, no lock, no clock (only the entry's time counts). It keeps nothing between two entries; what must be kept
    // belongs in the durable state, and so in an action.
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        // A field may occur several times: one matching value is enough. `None` means that the entry lacks the field; a
        // missing field never passes.
        let holds = entry.any(self.field, |value| match value {
            Value::Time(moment) => Ok(self.contain(moment)),
            // An error counts as "no", and is logged with chain and step. Attackers can write entries: quote text from one
            // only through `pyruse_core::plugin::excerpt`, or better not at all.
            other => Err(StepError::new(format!("the field contains {}, not a time", other.type_name()))),
        })?;
        Ok(holds.unwrap_or(false))
    }
}

// ─── Registration: the registry finds everything that is linked ───

pyruse_core::inventory::submit!(Plugin::filter::<WorkingHours>());

// ─── Tests that need no workflow; the others are in tests/ ───

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
    fn the_last_minute_is_the_one_before_the_end() {
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

//! How dates are written, as the configuration says it.

use pyruse_core::jiff::civil;
use pyruse_core::jiff::fmt::strtime::BrokenDownTime;
use pyruse_core::jiff::tz::TimeZone;

use super::form::{Civil, Form, Written};

/// How the date of a line is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::file) enum Style {
    /// In one of the known forms.
    Auto,
    /// In this form.
    Known(KnownForm),
    /// In this form of strptime(3).
    Strptime(String),
    /// There is none: the time is when the line is read.
    Arrival,
}

/// A form of dates that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::file) struct KnownForm(pub(super) Form);

impl Style {
    /// Reads the argument `time`; an error says what is wrong with it.
    pub(in crate::file) fn parse(text: &str) -> Result<Style, String> {
        Ok(match text {
            "auto" => Style::Auto,
            "arrival" => Style::Arrival,
            _ if text.contains('%') => {
                // Whatever can be written can be parsed again.
                let sample = civil::date(2026, 11, 18).at(12, 6, 40, 0).to_zoned_datetime(TimeZone::UTC);
                let written = sample.map_err(|e| e.to_string()).and_then(|sample| {
                    let written = BrokenDownTime::from(&sample).to_string(text);
                    written.map_err(|e| e.to_string())
                });
                let parsed = written.and_then(|written| {
                    let parsed = BrokenDownTime::parse(text, &written).map_err(|e| e.to_string())?;
                    from_broken_down(&parsed)
                        .map(|_| ())
                        .ok_or_else(|| "it does not say the day and the time".into())
                });
                parsed.map_err(|e| format!("`{text}` is not a format of strptime that can be read: {e}"))?;
                Style::Strptime(text.to_owned())
            }
            _ => match Form::named(text) {
                Some(form) => Style::Known(KnownForm(form)),
                None => {
                    return Err(format!(
                        "`{text}` is not a form of dates: write `auto`, `arrival`, `iso`, `syslog`, `clf`, `ctime`, \
                         `rfc2822`, `epoch`, `tai64n`, or a format of strptime such as `%d.%m.%Y %H:%M:%S`"
                    ));
                }
            },
        })
    }
}

/// `None`: it does not say the day and the time.
pub(super) fn from_broken_down(tm: &BrokenDownTime) -> Option<Written> {
    if let Some(timestamp) = tm.timestamp() {
        return Some(Written::Instant(timestamp.as_microsecond()));
    }
    let (month, day) = match (tm.month(), tm.day()) {
        (Some(month), Some(day)) => (month, day),
        _ => tm.to_date().ok().map(|date| (date.month(), date.day()))?,
    };
    tm.hour()?;
    let time = tm.to_time().ok()?;
    let year = tm.year().or_else(|| tm.to_date().ok().map(civil::Date::year));
    Some(Written::Civil(Civil {
        year,
        month,
        day,
        hour: time.hour(),
        minute: time.minute(),
        second: time.second(),
        micros: time.subsec_nanosecond() / 1000,
        offset: tm.offset().map(pyruse_core::jiff::tz::Offset::seconds),
    }))
}

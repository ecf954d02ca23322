//! Python's format strings, with Python's results; see [`pyruse_python::format`].

use jiff::tz::TimeZone;
use pyruse_python::format::{self, Value};
pub use pyruse_python::format::{Part, RenderError, Template, TemplateError, placeholder};

use crate::entry;
use crate::time::Timestamp;

/// A template prints the values of an entry.
impl<'a> From<entry::Value<'a>> for Value<'a> {
    #[inline]
    fn from(value: entry::Value<'a>) -> Value<'a> {
        match value {
            entry::Value::Text(text) => Value::Text(text),
            entry::Value::Integer(integer) => Value::Integer(integer),
            entry::Value::Time(Timestamp(micros)) => Value::Time { micros },
        }
    }
}

/// Formats a time as `{FIELD}` shows it.
pub(crate) fn show_time(Timestamp(micros): Timestamp, zone: &TimeZone) -> String {
    format::show_time(micros, zone)
}

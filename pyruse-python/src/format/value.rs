//! The values that a template prints.

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Python's `str`.
    Text(&'a str),
    /// Python's `int`, limited to 64 bits.
    Integer(i64),
    /// Python's `datetime`, aware of the zone that the template is rendered for.
    Time {
        /// Microseconds since the Unix epoch, UTC.
        micros: i64,
    },
}

impl<'a> From<&'a str> for Value<'a> {
    #[inline]
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(text)
    }
}

impl From<i64> for Value<'_> {
    #[inline]
    fn from(integer: i64) -> Self {
        Value::Integer(integer)
    }
}

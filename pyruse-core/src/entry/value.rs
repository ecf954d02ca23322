//! One value of a field.

use crate::time::Timestamp;

/// A value, as filters, templates and actions see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// An integer.
    Integer(i64),
    /// A point in time.
    Time(Timestamp),
}

impl Value<'_> {
    /// Returns the name of the type, for error messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Integer(_) => "a number",
            Value::Time(_) => "a time",
        }
    }
}

/// A range of the arena: the text of a value.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A value whose text is in the entry's arena.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    Text(Span),
    Integer(i64),
    Time(Timestamp),
}

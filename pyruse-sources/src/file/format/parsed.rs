//! What parsers of all formats return, and use.

use pyruse_core::time::Timestamp;

use super::super::date::Dates;
use super::super::entry::LogEntry;

/// What was found out about the date of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::file) enum DateOf {
    #[default]
    Past,
    /// It is in the future; the time is another.
    Future,
    /// There is none.
    None,
}

/// What was found out about a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::file) struct Parsed {
    /// Whether it does not have the format.
    pub(in crate::file) is_odd: bool,
    pub(in crate::file) date: DateOf,
    /// Whether the next line continues it.
    pub(in crate::file) is_open: bool,
}

/// Sets the time of an entry; returns what was found out about it.
pub(super) fn dated(found: Option<(Timestamp, bool)>, entry: &mut LogEntry, dates: &mut Dates) -> Parsed {
    let (time, date) = match found {
        Some((time, is_ahead)) => (time, if is_ahead { DateOf::Future } else { DateOf::Past }),
        None => (dates.undated(), DateOf::None),
    };
    entry.set_time(time);
    Parsed { date, ..Parsed::default() }
}

/// The byte at the beginning of a text, and what follows it.
pub(super) fn after(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.strip_prefix(&[byte])
}

/// The text before this byte, and the text behind it.
pub(super) fn split(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}

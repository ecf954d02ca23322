//! The stored form of a category: a row for each tick, reset, grace period and kept value, and one for the number of
//! folded ticks.
//!
//! The first byte of a row's key is its kind. Then follows the number of a tick, the time of a reset or grace period, or
//! the hash of a value; then the text of the key.

use pyruse_core::state::Changes;
use pyruse_core::time::Timestamp;

use super::marks::{Grace, Marks};
use super::ticks::{Tick, UNKNOWN};

const TICK: u8 = b't';
/// The number of folded ticks.
const FOLDED: u8 = b'n';
const RESET: u8 = b'r';
const GRACE: u8 = b'G';
/// A grace period without its beginning, as stored by earlier versions.
const OLD_GRACE: u8 = b'g';
/// The text of a value that ticks stand for.
const VALUE: u8 = b'v';

type Bytes = Box<[u8]>;

/// The content of a row.
pub(super) enum Content {
    Tick(Tick),
    /// The number of folded ticks, and the number of the newest tick at that time.
    Folded(u32, u64),
    Reset(Timestamp),
    Grace(Grace),
    /// The hash of a value, and its text.
    Value(u64, Box<str>),
}

/// Parses a row; also returns the text of its key. `None` if it cannot be parsed.
pub(super) fn read<'a>(key: &'a [u8], value: &[u8]) -> Option<(&'a str, Content)> {
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    let time = |bytes: &[u8]| bytes.try_into().map(|bytes| Timestamp(i64::from_be_bytes(bytes))).ok();
    let (kind, rest) = key.split_first()?;
    let has_head = [TICK, RESET, GRACE, VALUE].contains(kind);
    let (head, text) = if has_head { rest.split_at_checked(8)? } else { (&[][..], rest) };
    let content = match *kind {
        TICK => {
            let (end, rest) = value.split_at_checked(8)?;
            let (start, value) = match rest.split_at_checked(8) {
                Some((start, value)) => (time(start)?, value),
                None if rest.is_empty() => (UNKNOWN, rest),
                None => return None,
            };
            let value = if value.is_empty() { 0 } else { number(value)? };
            Content::Tick(Tick { end: time(end)?, start, number: number(head)?, value })
        }
        FOLDED => {
            let (count, newest) = value.split_at_checked(4)?;
            Content::Folded(u32::from_be_bytes(count.try_into().ok()?), number(newest)?)
        }
        RESET => Content::Reset(time(head)?),
        GRACE => Content::Grace(Grace { start: time(head)?, end: time(value)? }),
        VALUE => Content::Value(number(head)?, std::str::from_utf8(value).ok()?.into()),
        OLD_GRACE => Content::Grace(Grace { start: UNKNOWN, end: time(value)? }),
        _ => return None,
    };
    Some((std::str::from_utf8(text).ok()?, content))
}

/// The rows that changed since the last commit, in the order of the changes.
#[derive(Default)]
pub(super) struct ChangedRows(Vec<(Bytes, Option<Bytes>)>);

impl ChangedRows {
    pub(super) fn put_tick(&mut self, tick: Tick, key: &str) {
        let mut value = [tick.end.0.to_be_bytes(), tick.start.0.to_be_bytes()].concat();
        if tick.value != 0 {
            value.extend(tick.value.to_be_bytes());
        }
        self.put(with_head(TICK, tick.number.to_be_bytes(), key), value.into());
    }

    pub(super) fn delete_tick(&mut self, tick: Tick, key: &str) {
        self.delete(with_head(TICK, tick.number.to_be_bytes(), key));
    }

    pub(super) fn put_folded(&mut self, count: u32, newest: u64, key: &str) {
        let value = [count.to_be_bytes().as_slice(), &newest.to_be_bytes()].concat();
        self.put(without_head(FOLDED, key), value.into());
    }

    pub(super) fn delete_folded(&mut self, key: &str) {
        self.delete(without_head(FOLDED, key));
    }

    pub(super) fn put_reset(&mut self, at: Timestamp, key: &str) {
        self.put(with_head(RESET, at.0.to_be_bytes(), key), Box::default());
    }

    pub(super) fn delete_reset(&mut self, at: Timestamp, key: &str) {
        self.delete(with_head(RESET, at.0.to_be_bytes(), key));
    }

    pub(super) fn put_grace(&mut self, grace: Grace, key: &str) {
        self.put(grace_row(grace, key), grace.end.0.to_be_bytes().into());
    }

    pub(super) fn delete_grace(&mut self, grace: Grace, key: &str) {
        self.delete(grace_row(grace, key));
    }

    pub(super) fn put_value(&mut self, value: u64, text: &str, key: &str) {
        self.put(with_head(VALUE, value.to_be_bytes(), key), text.as_bytes().into());
    }

    pub(super) fn delete_value(&mut self, value: u64, key: &str) {
        self.delete(with_head(VALUE, value.to_be_bytes(), key));
    }

    pub(super) fn delete_marks(&mut self, marks: &Marks, key: &str) {
        marks.resets().iter().for_each(|reset| self.delete_reset(*reset, key));
        marks.graces().iter().for_each(|grace| self.delete_grace(*grace, key));
    }

    /// Moves all of them to `changes`.
    pub(super) fn move_to(&mut self, changes: &mut Changes<'_>) {
        for (key, value) in self.0.drain(..) {
            match value {
                Some(value) => changes.put(key, value),
                None => changes.delete(key),
            }
        }
    }

    /// Returns the resulting rows, if there were none before, in order of their keys.
    #[cfg(test)]
    pub(super) fn take(&mut self) -> Vec<pyruse_core::state::Row> {
        let mut rows = std::collections::BTreeMap::new();
        for (key, value) in self.0.drain(..) {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        rows.into_iter().collect()
    }

    fn put(&mut self, key: Bytes, value: Bytes) {
        self.0.push((key, Some(value)));
    }

    fn delete(&mut self, key: Bytes) {
        self.0.push((key, None));
    }
}

fn with_head(kind: u8, head: [u8; 8], key: &str) -> Bytes {
    [&[kind], head.as_slice(), key.as_bytes()].concat().into()
}

fn without_head(kind: u8, key: &str) -> Bytes {
    [&[kind], key.as_bytes()].concat().into()
}

fn grace_row(grace: Grace, key: &str) -> Bytes {
    match grace.start {
        UNKNOWN => without_head(OLD_GRACE, key),
        start => with_head(GRACE, start.0.to_be_bytes(), key),
    }
}

//! A log: records are appended, wait for a report, and are then drained.
//!
//! The records are on the disk; only the unwritten ones, and two numbers, are in memory.

use super::resource::{Changes, Resource};
use super::rows::Row;

/// A durable log. Read it with [`super::State::scan`]; a key is [`Log::number`]'s eight bytes.
#[derive(Default)]
pub struct Log {
    first: u64,
    next: u64,
    fresh: Vec<Box<[u8]>>,
    drained: Option<(u64, u64)>,
}

impl Log {
    /// Adds a record; returns its number.
    pub fn append(&mut self, record: impl Into<Box<[u8]>>) -> u64 {
        self.fresh.push(record.into());
        self.next += 1;
        self.next - 1
    }

    /// Returns how many records it holds.
    pub fn len(&self) -> u64 {
        self.next - self.first
    }

    /// Returns `true` if it holds no records.
    pub fn is_empty(&self) -> bool {
        self.next == self.first
    }

    /// Returns the number that the next record will get.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Returns the number of the record that is stored under this key.
    pub fn number(key: &[u8]) -> u64 {
        key.try_into().map_or(0, u64::from_be_bytes)
    }

    /// Forgets all records before this number. Call it for records that have been committed.
    pub fn drain(&mut self, before: u64) {
        let before = before.min(self.next - self.fresh.len() as u64);
        if before > self.first {
            let from = self.drained.map_or(self.first, |(from, _)| from);
            self.drained = Some((from, before));
            self.first = before;
        }
    }
}

impl Resource for Log {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let number = |row: Option<&Row>| row.map(|(key, _)| Log::number(key));
        let first = number(rows.first()).unwrap_or(0);
        let next = number(rows.last()).map_or(0, |last| last + 1);
        Ok(Log { first, next, fresh: Vec::new(), drained: None })
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        if let Some((from, before)) = self.drained.take() {
            for number in from..before {
                changes.delete(number.to_be_bytes());
            }
        }
        let from = self.next - self.fresh.len() as u64;
        for (number, record) in (from..).zip(self.fresh.drain(..)) {
            changes.put(number.to_be_bytes(), record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn appended_records_are_scanned_in_order_until_they_are_drained() {
        let mut state = State::in_memory();
        let log = state.open::<Log>("lines").unwrap();
        for text in ["a", "b", "c"] {
            state.get_mut(log).append(text.as_bytes());
        }
        let lines = |state: &mut State| {
            let mut lines = Vec::new();
            state.scan(log, |key, value| lines.push((Log::number(key), value.to_vec()))).unwrap();
            lines
        };
        assert_eq!(lines(&mut state), [(0, b"a".to_vec()), (1, b"b".to_vec()), (2, b"c".to_vec())]);
        state.get_mut(log).drain(2);
        assert_eq!(lines(&mut state), [(2, b"c".to_vec())]);
        assert_eq!(state.get(log).len(), 1);
    }
}

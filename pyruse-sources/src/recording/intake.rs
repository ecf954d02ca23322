//! How the readers of recordings fill a record: bytes come from an [`Input`], and [`Intake`] limits the size of an entry.

use std::io::BufRead;

use pyruse_core::entry::{FIELD_LIMIT, MemoryRecord};

/// The longest value, in bytes. The core truncates values between two characters; so it needs a little more than its
/// limit.
pub(super) const VALUE_LIMIT: usize = FIELD_LIMIT + 4;

/// The maximum size of all fields of an entry, in bytes; further fields are left out.
pub(super) const ENTRY_LIMIT: usize = 1024 * FIELD_LIMIT;

/// What a field costs in addition to its bytes, roughly: a million empty fields must not be free.
pub(super) const FIELD_COST: usize = 64;

/// The source of the bytes.
pub(super) type Input = Box<dyn BufRead>;

/// Fills a record, up to the limits.
pub(super) struct Intake<'r> {
    record: &'r mut MemoryRecord,
    size: usize,
}

impl<'r> Intake<'r> {
    pub(super) fn new(record: &'r mut MemoryRecord) -> Intake<'r> {
        Intake { record, size: 0 }
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let value = &value[..value.len().min(VALUE_LIMIT)];
        self.size += name.len() + value.len() + FIELD_COST;
        if self.size <= ENTRY_LIMIT {
            self.record.push(name, value);
        }
    }
}

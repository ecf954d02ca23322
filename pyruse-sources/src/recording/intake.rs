//! How readers of recordings fill a record: bytes come from an [`Input`], and [`Intake`] takes no more of an entry than
//! anybody could want.

use std::io::BufRead;

use pyruse_core::entry::{FIELD_LIMIT, MemoryRecord};

/// A value is cut by the core, between two characters; so it must see a little more than the limit.
pub(super) const VALUE_LIMIT: usize = FIELD_LIMIT + 4;

/// All fields of one entry together; what comes after is left out.
pub(super) const ENTRY_LIMIT: usize = 1024 * FIELD_LIMIT;

/// What a field costs beside its bytes, about: a million empty ones are not nothing.
pub(super) const FIELD_COST: usize = 64;

/// Where the bytes come from.
pub(super) type Input = Box<dyn BufRead>;

/// Fills a record, as far as anybody could want.
pub(super) struct Intake<'r> {
    record: &'r mut MemoryRecord,
    taken: usize,
}

impl<'r> Intake<'r> {
    pub(super) fn new(record: &'r mut MemoryRecord) -> Intake<'r> {
        Intake { record, taken: 0 }
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let value = &value[..value.len().min(VALUE_LIMIT)];
        self.taken += name.len() + value.len() + FIELD_COST;
        if self.taken <= ENTRY_LIMIT {
            self.record.push(name, value);
        }
    }
}

//! What counters have come to by an entry.

use std::sync::Arc;

use super::field::Slot;

/// What a counter has come to by an entry: a later action may be done because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The counter's category.
    pub category: Arc<str>,
    /// The field whose value is counted.
    pub key: Slot,
    /// The count, this entry included.
    pub count: u64,
}

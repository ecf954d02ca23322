//! The counts that counters reach for an entry.

use std::sync::Arc;

use super::field::Slot;

/// A count that a counter reached for an entry. A later action may happen because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The counter's category.
    pub category: Arc<str>,
    /// The field whose value is counted.
    pub key: Slot,
    /// The count, including this entry.
    pub count: u64,
}

//! What is stored: rows, changes of rows, and the position of each source.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A row as it is stored: key and value.
pub type Row = (Box<[u8]>, Box<[u8]>);

/// The position in a source where reading stopped: right behind the last record whose changes are in the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The position as the source writes it; empty if only a time is known. Only the source can read it.
    pub place: Vec<u8>,
    /// The time of that record.
    pub time: Timestamp,
}

/// The position of one source, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceRow {
    /// The number of its row.
    pub(super) id: i64,
    /// The name of the source.
    pub(super) name: String,
    /// `None`: it is to be removed.
    pub(super) position: Option<Position>,
    /// Whether it differs from what is stored.
    pub(super) is_changed: bool,
}

pub(super) struct Change {
    pub(super) resource: u32,
    pub(super) key: Box<[u8]>,
    pub(super) value: Option<Box<[u8]>>,
}

//! What is stored: rows, changes of rows, and the position.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A row as it is stored: key and value.
pub type Row = (Box<[u8]>, Box<[u8]>);

/// The position where reading stopped: the last entry whose changes are in the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The entry's address; `None` if only a time is known.
    pub cursor: Option<String>,
    /// The entry's time.
    pub realtime: Timestamp,
}

pub(super) struct Change {
    pub(super) resource: u32,
    pub(super) key: Box<[u8]>,
    pub(super) value: Option<Box<[u8]>>,
}

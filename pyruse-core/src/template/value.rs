//! What a template sees of a field: the entry's own values.

pub use crate::entry::Value;
pub use crate::time::Timestamp;

//! Identifiers for what leaves this machine or comes back to it: unique, and unpredictable.

use std::hash::{BuildHasher, RandomState};

use pyruse_core::time::Timestamp;

/// Returns 128 bits in hexadecimal: the time, and the standard library's keyed hash of it under a random key.
pub(crate) fn id() -> String {
    let now = Timestamp::now().0;
    let random = RandomState::new().hash_one(now);
    format!("{now:016x}{random:016x}")
}

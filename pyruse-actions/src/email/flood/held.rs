//! The texts that are held for a digest.

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::text::floor_char_boundary;
use pyruse_core::time::Timestamp;

/// How many bytes of a text are in the digest.
pub(super) const SHOWN: usize = 2000;

/// A held text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Held {
    pub(super) text: Text,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// A text, or its beginning and what distinguishes it from other texts with this beginning.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Text {
    pub(super) shown: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rest: Option<Rest>,
}

#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Rest {
    pub(super) bytes: usize,
    hash: u64,
}

impl Text {
    pub(super) fn of(body: &str) -> Text {
        if body.len() <= SHOWN {
            return Text { shown: body.to_owned(), rest: None };
        }
        let (shown, rest) = body.split_at(floor_char_boundary(body, SHOWN));
        Text { shown: shown.to_owned(), rest: Some(Rest { bytes: rest.len(), hash: fnv(rest.as_bytes()) }) }
    }
}

/// FNV-1a: the same in every version, because it is stored. Texts that collide are counted as one; here they also look
/// the same.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

//! A key of a category: its ticks, and its text in stored form.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::Hasher;

use pyruse_core::state::HasKey;
use pyruse_core::time::Timestamp;
use siphasher::sip::SipHasher13;

use super::marks::Marks;
use super::ticks::Ticks;

/// A longer key is stored as its head and a hash of the whole: keys come from entries, and there may be many.
const LONG_KEY: usize = 200;

/// A key with its ticks and marks.
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) ticks: Ticks,
    /// Most keys have none.
    pub(super) marks: Option<Box<Marks>>,
    /// The texts of values by their hashes, if distinct values are counted and a step saves them.
    pub(super) values: Option<BTreeMap<u64, Box<str>>>,
}

impl HasKey for Key {
    fn key(&self) -> &str {
        &self.text
    }
}

impl Key {
    /// Creates a key without ticks.
    pub(super) fn new(text: &str) -> Key {
        Key { text: text.into(), ticks: Ticks::default(), marks: None, values: None }
    }

    /// Returns `true` if a tick is alive at `now`, or if there is a grace period.
    pub(super) fn is_alive(&self, now: Timestamp) -> bool {
        self.grace(now).is_some() || self.ticks.count(now) > 0
    }

    /// Returns the end of the grace period that contains `now`.
    pub(super) fn grace(&self, now: Timestamp) -> Option<Timestamp> {
        self.marks.as_ref()?.grace(now)
    }

    /// Returns `true` if the key has nothing that any entry could need.
    pub(super) fn is_empty(&self) -> bool {
        self.ticks.len() == 0 && self.marks.is_none()
    }
}

/// Returns the text under which a key is counted and stored.
///
/// The hash in it is SipHash-1-3 with a zero key, of a byte (0 for the first half, 1 for the second) and the key. It is
/// part of the stored format, so it must never change; the hasher of the standard library, which uses the same
/// algorithm today, may change.
pub(super) fn stored_text(key: &str) -> Cow<'_, str> {
    if key.len() <= LONG_KEY {
        return key.into();
    }
    let mut head = LONG_KEY;
    while !key.is_char_boundary(head) {
        head -= 1;
    }
    let hash = |half: u8| {
        let mut hasher = SipHasher13::new();
        hasher.write(&[half]);
        hasher.write(key.as_bytes());
        hasher.finish()
    };
    format!("{}…{:016x}{:016x}", &key[..head], hash(0), hash(1)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_stored_under_the_same_text_for_ever() {
        for (key, head, hash) in [
            ("x".repeat(201), "x".repeat(200), "34cab319d265ccf32d40da9cdad563f6"),
            ("/usr/".repeat(50), "/usr/".repeat(40), "ee092d39bd2b9a010dbfbe2ef2cb89bc"),
            ("ä".repeat(150), "ä".repeat(100), "37b993d71797fc87ca261ee849d201fd"),
            (
                format!("x{}", "ä".repeat(150)),
                format!("x{}", "ä".repeat(99)),
                "387604e8555882d730cc51d3abfcee3a",
            ),
            ("🦀".repeat(30_000), "🦀".repeat(50), "f93d683cce95fc1ac4d16e1bf3d36b45"),
        ] {
            assert_eq!(stored_text(&key), format!("{head}…{hash}"));
        }
        let longest = "x".repeat(200);
        assert_eq!(stored_text(&longest), longest);
    }
}

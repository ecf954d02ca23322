//! Checks whether an entry that was just written is complete.
//!
//! journald makes an entry visible first, and links fields that are new in the file afterwards. Until a field is linked,
//! libsystemd considers it damaged and skips it without an error: a reader in these microseconds (milliseconds, if
//! journald is interrupted) gets the entry without its message. There is an exact check: the `x=` of the entry's cursor
//! is the XOR of the hashes of all its fields.

use systemd::Journal;

use super::lookup3::hash64;
use super::raw;

/// Fields of this length or more may be truncated by libsystemd, and cannot be checked.
const CHECKED_LENGTH: usize = 16 << 20;

/// With more fields than this, some of them could explain a missing hash by chance.
const MAX_EXPLAINING: usize = 56;

/// The result of the check.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wholeness {
    /// All fields are there.
    Whole,
    /// At least one field is missing.
    Partial,
    /// Not known, because a field is too long, or libsystemd cannot read it.
    Unknown,
}

/// Checks the current entry of the journal; returns its cursor too. `None`: the entry no longer exists.
pub(super) fn check_fields(journal: &mut Journal, hashes: &mut Vec<u64>) -> Option<(Wholeness, String)> {
    let cursor = journal.cursor().ok()?;
    let Some(expected) = xor_of(&cursor) else { return Some((Wholeness::Unknown, cursor)) };
    hashes.clear();
    let threshold = journal.data_threshold().ok()?;
    journal.set_data_threshold(CHECKED_LENGTH).ok()?;
    journal.restart_data();
    let mut unavailable = 0;
    let mut is_cut = false;
    loop {
        match raw::next_field(journal, &mut unavailable) {
            Ok(Some(field)) => {
                is_cut |= field.len() >= CHECKED_LENGTH;
                hashes.push(hash64(field));
            }
            Ok(None) => break,
            Err(e) => {
                tracing::debug!("checking an entry: {e}");
                break;
            }
        }
    }
    journal.set_data_threshold(threshold).ok()?;
    let wholeness = if explains(hashes, expected) {
        Wholeness::Whole
    } else if is_cut || unavailable > 0 {
        Wholeness::Unknown
    } else {
        Wholeness::Partial
    };
    Some((wholeness, cursor))
}

/// Returns the `x=` of a cursor.
fn xor_of(cursor: &str) -> Option<u64> {
    let hex = cursor.split(';').find_map(|part| part.strip_prefix("x="))?;
    u64::from_str_radix(hex, 16).ok()
}

/// Returns `true` if these are the hashes of all fields of an entry with this XOR.
///
/// If a program sends a field several times, journald stores it once, but includes its hash each time: after an even
/// number of times it is not in the XOR. So if the XOR of all hashes differs from the expected one, the difference must
/// be the XOR of some of them. That is a system of linear equations over single bits. The probability that it has a
/// solution by chance, although a field is missing, is less than 1 : 2^(64 - number of fields). (If such a repeated field
/// itself is missing, this is not detected: it is not in the XOR.)
fn explains(hashes: &[u64], expected: u64) -> bool {
    let missing = hashes.iter().fold(expected, |missing, hash| missing ^ hash);
    if missing == 0 {
        return !hashes.is_empty();
    }
    if hashes.len() > MAX_EXPLAINING {
        return hashes.contains(&missing);
    }
    // For each bit, a combination of hashes in which it is the highest bit.
    let mut basis = [0_u64; 64];
    for hash in hashes {
        let rest = reduce(&basis, *hash);
        if rest != 0 {
            basis[highest(rest)] = rest;
        }
    }
    reduce(&basis, missing) == 0
}

/// Reduces a number by the basis.
fn reduce(basis: &[u64; 64], mut number: u64) -> u64 {
    while number != 0 {
        match basis[highest(number)] {
            0 => break,
            other => number ^= other,
        }
    }
    number
}

/// Returns the position of the highest bit that is set.
fn highest(number: u64) -> usize {
    number.ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: usize) -> Vec<u64> {
        (0..count).map(|n| hash64(format!("FIELD_{n}=value {n}").as_bytes())).collect()
    }

    fn xor(hashes: &[u64]) -> u64 {
        hashes.iter().fold(0, |xor, hash| xor ^ hash)
    }

    #[test]
    fn an_entry_with_all_its_fields_is_whole_and_one_without_some_is_not() {
        for count in [1, 2, 17, MAX_EXPLAINING, MAX_EXPLAINING + 1, 300] {
            let hashes = hashes(count);
            let expected = xor(&hashes);
            assert!(explains(&hashes, expected), "{count}");
            for missing in 0..count.min(20) {
                let mut read = hashes.clone();
                read.remove(missing);
                assert!(!explains(&read, expected), "{count} without {missing}");
            }
        }
        let hashes = hashes(17);
        assert!(!explains(&hashes[3..], xor(&hashes)), "several missing");
        assert!(!explains(&[], xor(&hashes)), "all missing");
    }

    #[test]
    fn a_field_that_was_sent_several_times_does_not_make_an_entry_look_partial() {
        for count in [3, 17, MAX_EXPLAINING] {
            let hashes = hashes(count);
            let mut sent = hashes.clone();
            sent.extend([hashes[0], hashes[1], hashes[1], hashes[count - 1]]);
            assert!(explains(&hashes, xor(&sent)), "{count}");
            let mut read = hashes.clone();
            read.remove(1);
            assert!(!explains(&read, xor(&sent)), "{count}");
        }
    }

    #[test]
    fn the_hash_is_found_in_a_cursor() {
        let cursor =
            "s=0123456789abcdef0123456789abcdef;i=1a;b=0123456789abcdef0123456789abcdef;m=5;t=6;x=9fabc";
        assert_eq!(xor_of(cursor), Some(0x9_fabc));
        assert_eq!(xor_of("s=1;i=2"), None);
    }
}

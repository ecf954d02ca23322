//! Is an entry that was just written there as a whole?
//!
//! journald makes an entry visible first, and links those of its fields that are new in the file afterwards. Between
//! two stores of a link, libsystemd takes such a field for damaged and passes over it without an error: a reader that
//! comes in these microseconds (milliseconds, where journald's processor is taken away) gets the entry without its
//! message. There is an exact check: the `x=` of the entry's cursor is the XOR of the hashes of all its fields.

use systemd::Journal;

use super::lookup3::hash64;
use super::raw;

/// Fields that are longer come back cut off where libsystemd heeds the threshold for this, and cannot be checked.
const CHECKED_LENGTH: usize = 16 << 20;

/// With more fields than this, it would not be so unlikely that some of them happen to explain a hash that is missing.
const EXPLAINING: usize = 56;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wholeness {
    /// All fields are there.
    Whole,
    /// At least one field is missing.
    Partial,
    /// It cannot be told, since a field is too long, or libsystemd cannot read it.
    Unknown,
}

/// Looks at the current entry of the journal; its cursor too. `None`: the entry is not there any more.
pub(super) fn look(journal: &mut Journal, hashes: &mut Vec<u64>) -> Option<(Wholeness, String)> {
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

/// The `x=` of a cursor.
fn xor_of(cursor: &str) -> Option<u64> {
    let hex = cursor.split(';').find_map(|part| part.strip_prefix("x="))?;
    u64::from_str_radix(hex, 16).ok()
}

/// Are these the hashes of all fields of an entry with that XOR?
///
/// journald stores a field once that a program has sent several times, but takes its hash as often: an even number of
/// times, and it is not in the XOR. So what is missing in the XOR must be the XOR of some of the fields that are there.
/// That is a system of linear equations over single bits; that it has a solution by chance, while a field is missing,
/// has a probability of less than 1 : 2^(64 - number of fields). (That such a repeated field itself is missing cannot be
/// seen: it is not in the XOR.)
fn explains(hashes: &[u64], expected: u64) -> bool {
    let missing = hashes.iter().fold(expected, |missing, hash| missing ^ hash);
    if missing == 0 {
        return !hashes.is_empty();
    }
    if hashes.len() > EXPLAINING {
        return hashes.contains(&missing);
    }
    // By its highest bit, a combination of hashes that has no higher one.
    let mut basis = [0_u64; 64];
    for hash in hashes {
        let rest = reduce(&basis, *hash);
        if rest != 0 {
            basis[highest(rest)] = rest;
        }
    }
    reduce(&basis, missing) == 0
}

/// What the basis leaves of a number.
fn reduce(basis: &[u64; 64], mut number: u64) -> u64 {
    while number != 0 {
        match basis[highest(number)] {
            0 => break,
            other => number ^= other,
        }
    }
    number
}

/// The place of the highest bit that is set.
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
        for count in [1, 2, 17, EXPLAINING, EXPLAINING + 1, 300] {
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
        for count in [3, 17, EXPLAINING] {
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

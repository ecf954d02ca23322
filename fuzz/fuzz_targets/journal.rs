//! Any bytes as a journal file: reading ends, never panics, gives the same twice, and continues at a position.
//!
//! An input begins with the number of zeros (u32) that are put into the file behind the header: the hash tables, which
//! are not read. Without them, a file of a few entries is a few kilobytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pyruse_core::plugin::Begin;
use pyruse_fuzz::{Place, open, read, write};
use serde_json::json;

/// Where the zeros are put.
const HOLE_AT: usize = 300;

/// Where the incompatible flags are; those that are known. A file with others is read by libsystemd.
const FLAGS: usize = 12;
const KNOWN: u8 = 0x1f;

thread_local! {
    static PLACE: Place = Place::new();
}

fuzz_target!(|input: &[u8]| {
    let Some((hole, rest)) = input.split_first_chunk::<4>() else { return };
    let hole = usize::try_from(u32::from_le_bytes(*hole) % (1 << 18)).unwrap_or(0);
    let (header, objects) = rest.split_at(rest.len().min(HOLE_AT));
    let mut bytes = header.to_vec();
    if bytes.len() == HOLE_AT {
        bytes.resize(HOLE_AT + hole, 0);
    }
    bytes.extend(objects);
    // Of arrays, only the used part is in the input.
    bytes.resize(bytes.len() + 4096, 0);
    if let Some(flags) = bytes.get_mut(FLAGS..FLAGS + 4) {
        flags[0] &= KNOWN;
        flags[1..].fill(0);
    }
    PLACE.with(|place| {
        let path = place.path("x.journal");
        write(&path, &bytes);
        let args = json!({"files": [path]});
        let Some(mut reader) = open("source_journal", &args) else { return };
        let all = read(&mut *reader, Begin::Head, |_| false);
        let again = read(&mut *reader, Begin::Head, |_| false);
        assert_eq!(all, again, "the second time");
        let half = read(&mut *reader, Begin::Head, |read| read > all / 2);
        let position = reader.position();
        let Some(mut reader) = open("source_journal", &args) else { return };
        // In a damaged file, numbers may come twice: each is given once.
        let rest = read(&mut *reader, Begin::Behind(&position), |_| false);
        assert!(half + rest <= 2 * all, "{half} and {rest} of {all}");
    });
});

//! libsystemd reads what is of a format that is not known here.

use pyruse_core::plugin::Begin;

use super::*;
use crate::journal::any::{AnyReader, left_out};

const START: u64 = 1_700_000_000_000_000;

/// A flag of an incompatible feature that nobody has.
fn make_unknown(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[12] |= 0x80;
    std::fs::write(file, bytes).unwrap();
}

fn lines(count: u64, text: &str) -> Vec<u8> {
    let line = |n| entry(START + n * 1000, 0, &[("MESSAGE", format!("{text} {n}").as_bytes())]);
    (0..count).flat_map(line).collect()
}

/// Reads the rest; returns its times.
fn times(reader: &mut dyn Reader) -> Vec<i64> {
    let mut times = Vec::new();
    loop {
        match reader.next().unwrap() {
            Next::Record(time) => {
                reader.record();
                times.push(time.0);
            }
            Next::End if !reader.tend(true) => return times,
            Next::End | Next::Later(_) => {}
        }
    }
}

fn lines_of(reader: &mut dyn Reader) -> Vec<String> {
    reader.losses().totals().into_iter().map(|total| total.kind).collect()
}

#[test]
fn a_file_of_an_unknown_format_that_comes_later_has_libsystemd_read_on() {
    let directory = tempfile::tempdir().unwrap();
    let settings = of_directory(directory.path());
    make(&[], &lines(10, "line"), &directory.path().join("a.journal"));
    let mut reader = AnyReader::open(&settings).unwrap();
    reader.resume(Begin::Head).unwrap();
    assert_eq!(times(&mut reader).len(), 10);
    assert!(!reader.is_by_libsystemd());
    // Both read what they know; libsystemd of this machine does not know it either, and says so.
    let unknown = directory.path().join("b.journal~new");
    make(&[], &lines(3, "unknown"), &directory.path().join("b.journal"));
    std::fs::rename(directory.path().join("b.journal"), &unknown).unwrap();
    make_unknown(&unknown);
    std::fs::rename(&unknown, directory.path().join("b.journal")).unwrap();
    assert_eq!(times(&mut reader).len(), 0);
    assert!(reader.is_by_libsystemd());
    make(&[], &lines(20, "line"), &directory.path().join("a.journal"));
    assert_eq!(times(&mut reader).len(), 20);
    assert_eq!(lines_of(&mut reader), Vec::<String>::new());
    // Likewise from the start, and for what is left out.
    assert!(AnyReader::open(&settings).unwrap().is_by_libsystemd());
    let why: Vec<_> = left_out(&settings).into_iter().map(|left_out| left_out.why).collect();
    assert_eq!(why, ["it uses a feature that this version of libsystemd does not support"]);
    // When it is gone, the files are read from the position of libsystemd.
    let position = reader.position();
    std::fs::remove_file(directory.path().join("b.journal")).unwrap();
    let mut reader = AnyReader::open(&settings).unwrap();
    reader.resume(Begin::Behind(&position)).unwrap();
    assert!(!reader.is_by_libsystemd());
    assert_eq!(times(&mut reader).len(), 0);
    assert_eq!(left_out(&settings), []);
}

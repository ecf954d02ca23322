//! libsystemd reads what is of a format that is not known here.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use pyruse_core::plugin::{Begin, Begun};

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
    lines_since(START, count, text)
}

fn lines_since(start: u64, count: u64, text: &str) -> Vec<u8> {
    let line = |n| entry(start + n * 1000, 0, &[("MESSAGE", format!("{text} {n}").as_bytes())]);
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

/// Reads entries as they come, until our own reader reads, or does not; returns their cursors.
fn follow(reader: &mut AnyReader, by_libsystemd: bool) -> Vec<String> {
    let (mut cursors, until) = (Vec::new(), Instant::now() + Duration::from_secs(60));
    loop {
        cursors.extend(rest_of(reader));
        if reader.is_by_libsystemd() == by_libsystemd {
            return cursors;
        }
        assert!(Instant::now() < until, "libsystemd reads: {}", !by_libsystemd);
        let readiness = reader.readiness();
        let descriptors: Vec<_> = readiness.descriptors.into_iter().flatten().collect();
        let timeout = readiness.timeout.map_or(60_000, |timeout| timeout.as_millis() as u16 + 1);
        let mut polled: Vec<_> =
            descriptors.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
        poll(&mut polled, timeout).unwrap();
        let ready: Vec<_> = polled.iter().map(|polled| polled.any().unwrap()).collect();
        for (n, _) in ready.into_iter().enumerate().filter(|(_, is_ready)| *is_ready) {
            reader.wake(n);
        }
    }
}

/// Reads the rest; returns its cursors.
fn rest_of(reader: &mut AnyReader) -> Vec<String> {
    let mut cursors = Vec::new();
    loop {
        match reader.next().unwrap() {
            Next::Record(_) => cursors.extend(reader.record().cursor()),
            Next::End if !reader.tend(true) => return cursors,
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

/// Puts a file of an unknown format there, with one step.
fn put_unknown(path: &Path) {
    let made = path.with_file_name("unknown");
    let journal = path.with_file_name("made.journal");
    make(&[], &lines(3, "unknown"), &journal);
    std::fs::rename(&journal, &made).unwrap();
    make_unknown(&made);
    std::fs::rename(&made, path).unwrap();
}

#[test]
fn when_no_file_of_an_unknown_format_is_left_the_files_are_read_again_and_each_entry_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let settings = of_directory(directory.path());
    let path = |name: &str| directory.path().join(name);
    let put = |name: &str, export: &[u8]| {
        make(&[], export, &path("elsewhere.journal"));
        std::fs::rename(path("elsewhere.journal"), path(name)).unwrap();
    };
    let base = START + 500_000_000;
    make(&[], &lines_since(base, 10, "line"), &path("a.journal"));
    let mut reader = AnyReader::open(&settings).unwrap();
    reader.resume(Begin::Head).unwrap();
    let mut all = rest_of(&mut reader);
    assert_eq!(all.len(), 10);
    for round in 0..3_u64 {
        let start = base + (round + 1) * 10_000_000;
        put_unknown(&path("unknown.journal"));
        all.extend(follow(&mut reader, true));
        make(&[], &lines_since(start, 20, "line"), &path("a.journal"));
        all.extend(rest_of(&mut reader));
        // This comes late: libsystemd does not give it.
        put(&format!("late{round}.journal"), &lines_since(base - (round + 1) * 10_000_000, 5, "late"));
        all.extend(rest_of(&mut reader));
        if round == 1 {
            // As after a kill.
            let position = reader.position();
            reader = AnyReader::open(&settings).unwrap();
            assert_eq!(reader.resume(Begin::Behind(&position)).unwrap(), Begun::Exactly);
            assert!(reader.is_by_libsystemd());
            all.extend(rest_of(&mut reader));
        }
        // Another one comes before the first one goes.
        put_unknown(&path("unknown2.journal"));
        std::fs::remove_file(path("unknown.journal")).unwrap();
        all.extend(rest_of(&mut reader));
        assert!(reader.is_by_libsystemd());
        // What comes at the same time is read by one of them.
        make(&[], &lines_since(start + 5_000_000, 7, "line"), &path("a.journal"));
        std::fs::remove_file(path("unknown2.journal")).unwrap();
        all.extend(follow(&mut reader, false));
        make(&[], &lines_since(start + 6_000_000, 4, "line"), &path("a.journal"));
        all.extend(rest_of(&mut reader));
        // What our reader has read last is older than what it has read before.
        put(&format!("later{round}.journal"), &lines_since(base - (round + 1) * 20_000_000, 5, "later"));
        all.extend(rest_of(&mut reader));
        assert!(!reader.is_by_libsystemd());
        all.sort_unstable();
        let mut expected: Vec<_> =
            by_libsystemd(&settings).into_iter().filter_map(|read| read.cursor).collect();
        expected.sort_unstable();
        assert_eq!(all, expected, "round {round}");
    }
    assert_eq!(lines_of(&mut reader), Vec::<String>::new());
}

#[test]
fn where_libsystemd_began_the_files_are_read_from_there() {
    let directory = tempfile::tempdir().unwrap();
    let settings = of_directory(directory.path());
    let path = |name: &str| directory.path().join(name);
    make(&[], &lines(10, "line"), &path("a.journal"));
    put_unknown(&path("unknown.journal"));
    let count = |begin: Begin<'_>| {
        put_unknown(&path("unknown.journal"));
        let mut reader = AnyReader::open(&settings).unwrap();
        reader.resume(begin).unwrap();
        let before = rest_of(&mut reader).len();
        assert!(reader.is_by_libsystemd());
        std::fs::remove_file(path("unknown.journal")).unwrap();
        (before, follow(&mut reader, false).len())
    };
    assert_eq!(count(Begin::Head), (10, 0));
    assert_eq!(count(Begin::Tail), (0, 0));
    assert_eq!(count(Begin::Since(pyruse_core::time::Timestamp(1_700_000_000_004_000))), (6, 0));
}

//! libsystemd reads what is of a format that is not known here.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use pyruse_core::plugin::{Begin, Begun};

use super::*;
use crate::journal::any::{AnyReader, left_out};
use crate::journal::file::NOT_KNOWN;

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
    // As a daemon does, before it waits: from then on, files that come are noticed.
    let _ = reader.readiness();
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
    follow_until(reader, |reader, _| reader.is_by_libsystemd() == by_libsystemd)
}

/// Reads entries as they come, until it is enough; returns their cursors.
fn follow_until(reader: &mut AnyReader, is_enough: impl Fn(&AnyReader, usize) -> bool) -> Vec<String> {
    let (mut cursors, until) = (Vec::new(), Instant::now() + Duration::from_secs(60));
    loop {
        cursors.extend(rest_of(reader));
        if is_enough(reader, cursors.len()) {
            return cursors;
        }
        let (by_libsystemd, count) = (reader.is_by_libsystemd(), cursors.len());
        assert!(Instant::now() < until, "{count} entries were read, by libsystemd: {by_libsystemd}");
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
    // As a daemon does, before it waits: from then on, files that come are noticed.
    let _ = reader.readiness();
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

/// The flag of compact files.
const COMPACT: u32 = 1 << 4;

/// One journald before and after upgrades: files of one sequence of numbers.
struct Upgraded {
    directory: tempfile::TempDir,
    numbered: u64,
}

impl Upgraded {
    fn new() -> Upgraded {
        NOT_KNOWN.set(COMPACT);
        Upgraded { directory: tempfile::tempdir().unwrap(), numbered: 0 }
    }

    /// Adds an archived file with the next entries; every second one has `TAG=even`.
    fn add(&mut self, name: &str, count: u64, is_compact: bool) {
        let made = self.directory.path().join("made.journal.part");
        let line = |n: u64| {
            let tag = if n.is_multiple_of(2) { "even" } else { "odd" };
            entry(
                START + n * 1000,
                0,
                &[("MESSAGE", format!("line {n}").as_bytes()), ("TAG", tag.as_bytes())],
            )
        };
        let export: Vec<_> = (1..=count).flat_map(|n| line(self.numbered + n)).collect();
        let compact = if is_compact { "1" } else { "0" };
        let journal = self.directory.path().join("elsewhere.journal");
        make(&[("SYSTEMD_JOURNAL_COMPACT", compact)], &export, &journal);
        std::fs::rename(&journal, &made).unwrap();
        let mut bytes = std::fs::read(&made).unwrap();
        bytes[16] = 2;
        bytes[72..88].copy_from_slice(&[7; 16]);
        let places = offsets(&bytes, &made).into_iter().map(|at| at + 16);
        for at in places.chain([160, 168]) {
            let number = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) + self.numbered;
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        std::fs::write(&made, bytes).unwrap();
        std::fs::rename(&made, self.path(name)).unwrap();
        self.numbered += count;
    }

    fn remove(&self, names: &[&str]) {
        for name in names {
            std::fs::remove_file(self.path(name)).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn settings(&self, matches: &[&str]) -> JournalSettings {
        let matches = matches.iter().map(|text| (*text).to_owned()).collect();
        JournalSettings { matches, ..of_directory(self.directory.path()) }
    }
}

/// The numbers of these entries.
fn numbers(cursors: &[String]) -> Vec<u64> {
    let number = |cursor: &String| {
        let part = cursor.split(';').find_map(|part| part.strip_prefix("i="));
        u64::from_str_radix(part.unwrap(), 16).unwrap()
    };
    cursors.iter().map(number).collect()
}

#[test]
fn what_libsystemd_read_of_a_file_that_only_it_can_read_is_not_missing_and_not_read_again() {
    for matches in [&[] as &[&str], &["TAG=even"]] {
        let mut journal = Upgraded::new();
        let settings = journal.settings(matches);
        let expected = |from: u64, upto: u64| -> Vec<u64> {
            (from..=upto).filter(|n| matches.is_empty() || n.is_multiple_of(2)).collect()
        };
        let read = |reader: &mut AnyReader, from, upto| {
            numbers(&follow_until(reader, |_, count| count >= expected(from, upto).len()))
        };
        journal.add("a.journal", 11, false);
        let mut reader = AnyReader::open(&settings).unwrap();
        reader.resume(Begin::Head).unwrap();
        assert_eq!(numbers(&rest_of(&mut reader)), expected(1, 11));
        // The last entries do not match; and there are more gaps than positions have room for.
        journal.add("b.journal", 401, true);
        assert_eq!(numbers(&follow(&mut reader, true)), expected(12, 412));
        journal.add("c.journal", 9, true);
        assert_eq!(read(&mut reader, 413, 421), expected(413, 421));
        // After a kill.
        let position = reader.position();
        reader = AnyReader::open(&settings).unwrap();
        assert_eq!(reader.resume(Begin::Behind(&position)).unwrap(), Begun::Exactly);
        assert!(reader.is_by_libsystemd());
        journal.add("d.journal", 6, true);
        assert_eq!(read(&mut reader, 422, 427), expected(422, 427));
        assert_eq!(lines_of(&mut reader), Vec::<String>::new(), "{matches:?}, by libsystemd");
        // A new version knows the format.
        let position = reader.position();
        NOT_KNOWN.set(0);
        let mut other = AnyReader::open(&settings).unwrap();
        assert_eq!(other.resume(Begin::Behind(&position)).unwrap(), Begun::Exactly);
        assert!(!other.is_by_libsystemd());
        assert_eq!(numbers(&rest_of(&mut other)), expected(428, 427));
        assert_eq!(lines_of(&mut other), Vec::<String>::new(), "{matches:?}, by a new version");
        NOT_KNOWN.set(COMPACT);
        journal.remove(&["b.journal", "c.journal", "d.journal"]);
        assert_eq!(numbers(&follow(&mut reader, false)), expected(428, 427));
        journal.add("e.journal", 9, false);
        assert_eq!(read(&mut reader, 428, 436), expected(428, 436));
        assert!(!reader.is_by_libsystemd());
        assert_eq!(lines_of(&mut reader), Vec::<String>::new(), "{matches:?}, by us");
    }
}

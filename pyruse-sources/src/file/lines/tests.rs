//! Lines of files that grow, are truncated, or are compressed.

use std::fs::{self, File};
use std::io::Write;

use super::*;
use crate::file::input::tests::gzip;
use crate::file::input::{Packing, unpack};

struct Log {
    directory: tempfile::TempDir,
}

impl Log {
    fn new(content: &[u8]) -> Log {
        let log = Log { directory: tempfile::tempdir().unwrap() };
        fs::write(log.path(), content).unwrap();
        log
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("log")
    }

    fn append(&self, content: &[u8]) {
        File::options().append(true).open(self.path()).unwrap().write_all(content).unwrap();
    }

    fn truncate(&self) {
        File::options().write(true).open(self.path()).unwrap().set_len(0).unwrap();
    }

    fn open(&self) -> Lines {
        Lines::new(Input::Plain(File::open(self.path()).unwrap())).unwrap()
    }
}

/// All lines there are, and why there are no more.
fn read(lines: &mut Lines) -> (Vec<Vec<u8>>, Found) {
    let mut all = Vec::new();
    loop {
        match lines.peek(&mut { usize::MAX }).unwrap() {
            Found::Line => {
                all.push(lines.line().to_vec());
                lines.consume();
                lines.commit(lines.offset());
            }
            other => return (all, other),
        }
    }
}

fn texts(lines: &mut Lines) -> (Vec<String>, Found) {
    let (all, found) = read(lines);
    (all.into_iter().map(|line| String::from_utf8(line).unwrap()).collect(), found)
}

#[test]
fn a_line_without_its_end_waits() {
    let log = Log::new(b"one\r\ntwo\n\nthr");
    let mut lines = log.open();
    assert_eq!(texts(&mut lines), (vec!["one".into(), "two".into(), String::new()], Found::Open));
    log.append(b"ee\nfour");
    assert_eq!(texts(&mut lines), (vec!["three".into()], Found::Open));
    assert!(lines.end_open_line());
    assert_eq!(texts(&mut lines), (vec!["four".into()], Found::End));
    assert!(!lines.end_open_line());
    assert_eq!(lines.offset(), fs::metadata(log.path()).unwrap().len());
}

#[test]
fn a_file_that_was_truncated_is_noticed_even_if_it_is_longer_now() {
    let first = b"line of the first file\n".repeat(100);
    let log = Log::new(&first);
    let mut lines = log.open();
    assert_eq!(read(&mut lines).0.len(), 100);
    log.truncate();
    assert_eq!(read(&mut lines), (vec![], Found::Truncated));
    log.append(&b"line of another file..\n".repeat(200));
    assert_eq!(read(&mut lines), (vec![], Found::Truncated));
    // The copy is read on where reading stopped.
    let copy = Log::new(&[&first, b"the last\n".as_slice()].concat());
    let mut copied = copy.open();
    assert!(copied.seek(lines.offset(), lines.head(), lines.tail()).unwrap());
    assert_eq!(texts(&mut copied), (vec!["the last".into()], Found::End));
    assert!(!log.open().seek(lines.offset(), lines.head(), lines.tail()).unwrap());
}

#[test]
fn reading_continues_exactly_behind_each_line() {
    let content: Vec<u8> =
        (0..3000).flat_map(|n| format!("{n} {}\n", "x".repeat(n % 90)).into_bytes()).collect();
    let log = Log::new(&content);
    let mut lines = log.open();
    let mut places = Vec::new();
    while lines.peek(&mut { usize::MAX }).unwrap() == Found::Line {
        lines.consume();
        lines.commit(lines.offset());
        places.push((lines.offset(), lines.head(), lines.tail()));
    }
    assert_eq!(places.len(), 3000);
    fs::write(log.directory.path().join("gz"), gzip(&content)).unwrap();
    for (n, (offset, head, tail)) in places.into_iter().enumerate().step_by(97) {
        let packed = File::open(log.directory.path().join("gz")).unwrap();
        let packed = Lines::new(unpack(packed, Packing::Gzip).unwrap()).unwrap();
        for mut again in [log.open(), packed] {
            assert!(again.seek(offset, head, tail).unwrap());
            let rest = read(&mut again).0;
            assert_eq!(rest.len(), 3000 - n - 1);
            assert!(rest.first().is_none_or(|line| line.starts_with(format!("{} ", n + 1).as_bytes())));
        }
    }
}

#[test]
fn a_long_line_is_cut_and_what_follows_is_whole() {
    let endless = vec![b'x'; 3_000_000];
    let log =
        Log::new(&[b"one\n".as_slice(), &endless, b"\ntwo\n", &endless[..LINE_LIMIT], b"\nthree\n"].concat());
    let mut lines = log.open();
    let mut found = Vec::new();
    while lines.peek(&mut { usize::MAX }).unwrap() == Found::Line {
        found.push((lines.line().len(), lines.is_cut()));
        // What is not committed may still be asked for.
        lines.tail();
        lines.consume();
        lines.tail();
        lines.commit(lines.offset());
        lines.tail();
        assert!(lines.data.len() < 4 * CHUNK);
    }
    assert_eq!(found, [(3, false), (LINE_LIMIT, true), (3, false), (LINE_LIMIT, false), (5, false)]);
    let (offset, head, tail) = (lines.offset(), lines.head(), lines.tail());
    assert_eq!(offset, fs::metadata(log.path()).unwrap().len());
    assert!(log.open().seek(offset, head, tail).unwrap());
}

#[test]
fn a_line_of_one_gibibyte_takes_bounded_memory() {
    let log = Log::new(b"one\n");
    // A hole: it needs no space on the disk.
    File::options().write(true).open(log.path()).unwrap().set_len(1 << 30).unwrap();
    log.append(b"\ntwo\n");
    let (mut lines, mut found) = (log.open(), Vec::new());
    loop {
        match lines.peek(&mut (1 << 20)).unwrap() {
            Found::Line => {
                found.push((lines.line().len(), lines.is_cut()));
                lines.consume();
            }
            Found::Busy => {}
            _ => break,
        }
        assert!(lines.data.capacity() < 8 * CHUNK, "{}", lines.data.capacity());
    }
    assert_eq!(found, [(3, false), (LINE_LIMIT, true), (3, false)]);
}

#[test]
fn so_much_is_read_at_once_and_no_more() {
    let log = Log::new(&vec![0; 10 << 20]);
    let mut lines = log.open();
    let mut turns = 0;
    while lines.peek(&mut (1 << 20)).unwrap() == Found::Busy {
        turns += 1;
    }
    assert!((9..12).contains(&turns), "{turns}");
    assert!(lines.end_open_line() && lines.is_cut() && lines.line().len() == LINE_LIMIT);
}

#[test]
fn a_short_file_that_grows_after_reading_continued_in_it_is_recognised_and_takes_bounded_memory() {
    let log = Log::new(b"one\ntwo\n");
    let mut lines = log.open();
    lines.seek_end(8).unwrap();
    for n in 0..200_u32 {
        log.append(&format!("{n} {}\n", "x".repeat(20_000)).into_bytes());
        assert_eq!(read(&mut lines).0.len(), 1);
        assert!(lines.data.len() < 4 * CHUNK, "{}", lines.data.len());
    }
    assert_eq!(lines.head(), log.open().head());
    assert!(lines.head().is_full());
}

#[test]
fn the_end_of_a_file_is_behind_its_last_complete_line() {
    for (content, next) in [("", "x"), ("one\n", "x"), ("one\ntw", "twx"), ("on", "onx")] {
        let log = Log::new(content.as_bytes());
        let mut lines = log.open();
        lines.seek_end(content.len() as u64).unwrap();
        log.append(b"x\n");
        assert_eq!(texts(&mut lines).0, [next], "{content:?}");
    }
    let log = Log::new(&vec![b'x'; 1 << 20]);
    let mut lines = log.open();
    lines.seek_end(1 << 20).unwrap();
    log.append(b"\nnext\n");
    assert_eq!(texts(&mut lines).0.last().map(String::as_str), Some("next"));
}

proptest::proptest! {
    #[test]
    fn lines_are_those_of_the_file_however_it_grows(
        pieces in proptest::collection::vec("[a\n]{0,2000}", 1..8),
    ) {
        let log = Log::new(b"");
        let mut lines = log.open();
        let mut found = Vec::new();
        for piece in &pieces {
            log.append(piece.as_bytes());
            found.extend(read(&mut lines).0);
            let (offset, head, tail) = (lines.offset(), lines.head(), lines.tail());
            lines = log.open();
            assert!(lines.seek(offset, head, tail).unwrap());
        }
        let whole = pieces.concat();
        let expected: Vec<_> = whole.split('\n').map(|line| line.as_bytes().to_vec()).collect();
        assert_eq!(found, expected[..expected.len() - 1]);
    }
}

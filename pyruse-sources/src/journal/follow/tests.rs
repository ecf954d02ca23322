//! Tests of positions: what was found and is not read is never skipped, and nothing is read twice.

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;

/// A directory with a journal file of this many entries, a second apart.
fn journal(entries: u64) -> (tempfile::TempDir, JournalSettings) {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new("/lib/systemd/systemd-journal-remote")
        .arg(format!("--output={}", directory.path().join("system.journal").display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-journal-remote is needed");
    let mut export = child.stdin.take().unwrap();
    let boot = "0123456789abcdef0123456789abcdef";
    for n in 0..entries {
        let time = (1_795_000_000 + n) * 1_000_000;
        writeln!(
            export,
            "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID={boot}\nMESSAGE={n}\n"
        )
        .unwrap();
    }
    drop(export);
    assert!(child.wait().unwrap().success());
    let settings = JournalSettings { directory: Some(directory.path().to_owned()), ..Default::default() };
    (directory, settings)
}

fn find(reader: &mut Follower) -> Option<Timestamp> {
    match reader.next().unwrap() {
        Next::Record(time) => Some(time),
        Next::End => None,
        Next::Later(_) => panic!("old entries are complete"),
    }
}

/// Reads to the end; returns the second of each entry.
fn read_all(reader: &mut Follower) -> Vec<i64> {
    let mut read = Vec::new();
    while let Some(time) = find(reader) {
        reader.record();
        read.push(time.0 / 1_000_000 - 1_795_000_000);
    }
    read
}

#[test]
fn a_record_that_was_found_but_not_read_is_found_again_after_reopening_and_after_a_restart() {
    let (_directory, settings) = journal(10);
    let mut reader = Follower::open(&settings).unwrap();
    reader.resume(Begin::Head).unwrap();
    for _ in 0..3 {
        find(&mut reader);
        reader.record();
    }
    let behind = reader.position();
    find(&mut reader);
    // Once with a record that was read before it in the same batch, once with none.
    for _ in 0..2 {
        let before = reader.position();
        assert_ne!(before, behind);
        let mut restarted = Follower::open(&settings).unwrap();
        assert_eq!(restarted.resume(Begin::Behind(&before)).unwrap(), Begun::Exactly);
        assert_eq!(restarted.position(), before);
        assert_eq!(read_all(&mut restarted), (3..10).collect::<Vec<_>>());
        reader.reopen().unwrap();
        assert_eq!(reader.position(), before);
        find(&mut reader);
    }
    reader.reopen().unwrap();
    assert_eq!(read_all(&mut reader), (3..10).collect::<Vec<_>>());
    assert!(!reader.position().place.starts_with(b"<"));
    // An entry that was found three times is counted once: else a loss would go unnoticed.
    assert_eq!(reader.journal.completeness.read, 10);
}

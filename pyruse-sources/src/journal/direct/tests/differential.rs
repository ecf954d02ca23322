//! What is read of whole files.

use std::collections::BTreeSet;

use pyruse_core::plugin::Begin;
use pyruse_core::time::Timestamp;

use super::*;
use crate::journal::direct::unpack::Packing;
use crate::journal::file::JournalFile;

const START: u64 = 1_700_000_000_000_000;

#[test]
fn every_format_is_read_as_libsystemd_reads_it() {
    let export = entries(300, START);
    let mut flags = BTreeSet::new();
    for format in FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.journal");
        make(format, &export, &file);
        let bytes = std::fs::read(&file).unwrap();
        let entries = offsets(&bytes, &file);
        for packing in [Some(Packing::Zstd), Some(Packing::Lz4), Some(Packing::Xz), None] {
            if packing != Some(Packing::Zstd) {
                let mut bytes = bytes.clone();
                repack::repack(&mut bytes, &entries, packing);
                std::fs::write(&file, &bytes).unwrap();
            }
            let settings = of_files(&[&file]);
            let theirs = by_libsystemd(&settings);
            assert_eq!(theirs.len(), 300);
            assert_same(&by_us(&settings), &theirs, &format!("{format:?} {packing:?}"));
            flags.insert(std::fs::read(&file).unwrap()[12]);
        }
    }
    // Every format was another one.
    assert_eq!(flags.len(), 16, "{flags:?}");
}

#[test]
fn reading_begins_at_a_time_at_a_cursor_or_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    make(&[], &entries(100, START), &file);
    let settings = of_files(&[&file]);
    let all = by_us(&settings);
    for (micros, first) in [(0, 0), (30_000, 30), (30_001, 31), (99_000, 99), (99_001, 100)] {
        let since = Timestamp(i64::try_from(START + micros).unwrap());
        assert_same(
            &rest(&mut opened(&settings, Begin::Since(since))),
            &all[first..],
            &format!("since {micros}"),
        );
    }
    let mut reader = opened(&settings, Begin::Tail);
    assert_eq!(rest(&mut reader), []);
    for n in [0, 42, 99] {
        assert!(reader.find(all[n].cursor.as_deref().unwrap()).unwrap());
        let time = all[n].time;
        assert!(matches!(reader.next().unwrap(), Next::Record(found) if found.0 == time));
        assert_eq!(read(&mut reader, time), all[n]);
    }
    let other = all[3].cursor.as_ref().unwrap().replace("s=", "s=f");
    assert!(!reader.find(&other).unwrap_or(false));
    assert!(reader.find("nonsense").is_err());
}

#[test]
fn the_same_entries_match() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    make(&[], &entries(200, START), &file);
    for texts in [
        &["SYSLOG_IDENTIFIER=sshd"][..],
        &["SYSLOG_IDENTIFIER=sshd", "TAG=two"],
        &["TAG=one", "TAG=none"],
        &["SYSLOG_IDENTIFIER=sshd", "+", "TAG=three", "PRIORITY=6"],
        &["TAG=none"],
        &["+"],
    ] {
        let matches = texts.iter().map(ToString::to_string).collect();
        let settings = JournalSettings { matches, ..of_files(&[&file]) };
        let ours = by_us(&settings);
        assert_same(&ours, &by_libsystemd(&settings), &format!("{texts:?}"));
    }
}

#[test]
fn what_is_written_while_it_is_read_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    let mut writer = Writer::start(&[], &file);
    writer.write(&entry(START, 0, &[("MESSAGE", b"0")]));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !JournalFile::open(&file).is_ok_and(|file| file.header.entries > 0) {
        assert!(std::time::Instant::now() < until);
        std::thread::yield_now();
    }
    let settings = of_directory(directory.path());
    let mut reader = opened(&settings, Begin::Head);
    let mut all = rest(&mut reader);
    for n in 1..500_u64 {
        let text = format!("{n} {}", "x".repeat(n as usize * 3));
        // Each pair is new in one entry, and known in the next.
        let pair = (n / 2).to_string();
        let fields = [("MESSAGE", text.as_bytes()), ("SAME", b"same"), ("PAIR", pair.as_bytes())];
        writer.write(&entry(START + n, 0, &fields));
        all.extend(rest(&mut reader));
    }
    writer.finish();
    all.extend(rest(&mut reader));
    assert_same(&all, &by_libsystemd(&settings), "live");
    assert_eq!(all.len(), 500);
    assert_eq!(losses(&mut reader), []);
}

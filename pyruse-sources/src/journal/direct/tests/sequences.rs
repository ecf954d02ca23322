//! Several files: their order, and that each entry is read once.

use pyruse_core::plugin::{Begin, Begun};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::*;

const START: u64 = 1_700_000_000_000_000;

fn lines(count: u64, start: u64, boot: u8, text: &str) -> Vec<u8> {
    let line = |n| entry(start + n * 1000, boot, &[("MESSAGE", format!("{text} {n}").as_bytes())]);
    (0..count).flat_map(line).collect()
}

/// Which of these were read, each how often.
fn cursors(read: &[Read]) -> Vec<String> {
    let mut cursors: Vec<_> = read.iter().filter_map(|read| read.cursor.clone()).collect();
    cursors.sort_unstable();
    cursors
}

#[test]
fn several_hosts_are_read_in_the_order_of_libsystemd() {
    let directory = tempfile::tempdir().unwrap();
    for (n, offset) in [0, 2_000_500, 40_250].into_iter().enumerate() {
        let file = directory.path().join(format!("remote-{n}.journal"));
        make(&[], &lines(100, START + offset, n as u8 * 7, "line"), &file);
    }
    let settings = of_directory(directory.path());
    let ours = by_us(&settings);
    assert_eq!(ours.len(), 300);
    assert_same(&ours, &by_libsystemd(&settings), "three hosts");
    // Once more, with the same reader.
    let mut reader = opened(&settings, Begin::Head);
    assert_same(&rest(&mut reader), &ours, "the first time");
    reader.resume(Begin::Head).unwrap();
    assert_same(&rest(&mut reader), &ours, "the second time");
}

#[test]
fn a_file_that_comes_late_with_old_times_is_read_once() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir_in(directory.path().parent().unwrap()).unwrap();
    let settings = of_directory(directory.path());
    make(&[], &lines(50, START, 1, "present"), &directory.path().join("remote-a.journal"));
    let mut reader = opened(&settings, Begin::Head);
    let mut all = rest(&mut reader);
    assert_eq!(all.len(), 50);
    let late = elsewhere.path().join("remote-b.journal");
    make(&[], &lines(50, START - 1_000_000_000, 2, "late"), &late);
    std::fs::rename(&late, directory.path().join("remote-b.journal")).unwrap();
    all.extend(rest(&mut reader));
    let position = reader.position();
    make(&[], &lines(50, START - 500_000_000, 3, "later"), &late);
    std::fs::rename(&late, directory.path().join("remote-c.journal")).unwrap();
    // Another reader, as after a restart.
    let mut reader = opened(&settings, Begin::Behind(&position));
    all.extend(rest(&mut reader));
    assert_eq!(all.len(), 150);
    assert_eq!(cursors(&all), cursors(&by_libsystemd(&settings)));
    assert_eq!(losses(&mut reader), []);
    // A file of another name is not another file.
    std::fs::rename(directory.path().join("remote-a.journal"), directory.path().join("remote-a@1.journal"))
        .unwrap();
    assert_eq!(rest(&mut reader), []);
    std::fs::copy(directory.path().join("remote-b.journal"), directory.path().join("copy.journal")).unwrap();
    assert_eq!(rest(&mut reader), []);
}

#[test]
fn after_a_restart_reading_goes_on_behind_every_entry() {
    let directory = tempfile::tempdir().unwrap();
    for n in 0..2 {
        let file = directory.path().join(format!("remote-{n}.journal"));
        make(&[], &lines(10, START + u64::from(n) * 500, n, "line"), &file);
    }
    let settings = of_directory(directory.path());
    let all = by_us(&settings);
    for split in 0..=all.len() {
        let mut reader = opened(&settings, Begin::Head);
        for expected in &all[..split] {
            assert!(matches!(reader.next().unwrap(), Next::Record(_)));
            assert_eq!(read(&mut reader, expected.time), *expected);
        }
        // What was found and not read does not count.
        let _ = reader.next().unwrap();
        let position = reader.position();
        let mut reader = FilesReader::open(&settings).unwrap();
        let _ = reader.readiness();
        assert_eq!(reader.resume(Begin::Behind(&position)).unwrap(), Begun::Exactly);
        assert_same(&rest(&mut reader), &all[split..], &format!("behind {split}"));
        // libsystemd continues behind the same entry.
        if let Some(last) = all[..split].last() {
            let known = crate::journal::position::JournalPosition::read(&position);
            assert_eq!(known.cursor, last.cursor);
        }
    }
}

#[test]
fn a_position_of_libsystemd_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    make(&[], &lines(20, START, 0, "line"), &file);
    let settings = of_files(&[&file]);
    let all = by_us(&settings);
    for (n, entry) in all.iter().enumerate() {
        let (cursor, time) = (entry.cursor.clone().unwrap(), Timestamp(entry.time));
        let position = |place: String| Position { place: place.into_bytes(), time };
        let mut reader = opened(&settings, Begin::Behind(&position(cursor.clone())));
        assert_same(&rest(&mut reader), &all[n + 1..], "behind a cursor");
        let mut reader = opened(&settings, Begin::Behind(&position(format!("<{cursor}"))));
        assert_same(&rest(&mut reader), &all[n..], "before a cursor");
        let mut reader = opened(&settings, Begin::Behind(&position(String::new())));
        assert_same(&rest(&mut reader), &all[n..], "at a time");
    }
}

#[test]
fn a_journal_that_is_another_one_now_is_read_from_its_beginning_and_that_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    make(&[], &lines(5, START, 0, "line"), &file);
    let settings = of_files(&[&file]);
    let mut reader = opened(&settings, Begin::Tail);
    let position = reader.position();
    assert_eq!(rest(&mut opened(&settings, Begin::Behind(&position))), []);
    let mut reader = opened(&settings, Begin::Head);
    rest(&mut reader);
    let position = reader.position();
    std::fs::remove_file(&file).unwrap();
    make(&[], &lines(5, START, 0, "another"), &file);
    let mut reader = FilesReader::open(&settings).unwrap();
    let _ = reader.readiness();
    assert!(matches!(reader.resume(Begin::Behind(&position)).unwrap(), Begun::Near(_)));
    assert_eq!(rest(&mut reader).len(), 5);
}

#[test]
fn numbers_that_are_given_out_again_after_a_power_cut_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    let settings = of_directory(directory.path());
    make(&[], &lines(10, START, 0, "synced"), &file);
    let synced = std::fs::read(&file).unwrap();
    make(&[], &lines(5, START + 1_000_000, 0, "lost by the power cut"), &file);
    let mut reader = opened(&settings, Begin::Head);
    assert_eq!(rest(&mut reader).len(), 15);
    let position = reader.position();
    for more in [3, 5, 8] {
        std::fs::write(&file, &synced).unwrap();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        // The clock is a day behind.
        let export = lines(more, START - 86_400_000_000, 7, "after it");
        let export = String::from_utf8(export).unwrap();
        let export = export.replace(&format!("{:032x}", 8), &boot.trim().replace('-', ""));
        make(&[], export.as_bytes(), &file);
        let mut reader = opened(&settings, Begin::Behind(&position));
        let read = rest(&mut reader);
        let expected = by_us(&settings);
        assert_eq!(expected.len() as u64, 10 + more);
        assert_same(&read, &expected[10..], "after the power cut");
        assert_eq!(losses(&mut reader), []);
    }
}

/// Lines of that boot.
fn lines_of(count: u64, start: u64, boot: &str, text: &str) -> Vec<u8> {
    let export = String::from_utf8(lines(count, start, 7, text)).unwrap();
    export.replace(&format!("{:032x}", 8), boot).into_bytes()
}

#[test]
fn numbers_that_were_given_out_again_two_boots_ago_are_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.journal");
    let settings = of_directory(directory.path());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().replace('-', "");
    make(&[], &lines_of(6, START, &format!("{:032x}", 5), "an older boot"), &file);
    make(&[], &lines(4, START + 500_000, 0, "synced"), &file);
    let synced = std::fs::read(&file).unwrap();
    make(&[], &lines(10, START + 1_000_000, 0, "lost by the power cut"), &file);
    let mut reader = opened(&settings, Begin::Head);
    assert_eq!(rest(&mut reader).len(), 20);
    let position = reader.position();
    for (first, second) in [(3, 0), (3, 2), (3, 12), (10, 2), (14, 2), (0, 4)] {
        std::fs::write(&file, &synced).unwrap();
        let start = START + 2_000_000;
        make(&[], &lines_of(first, start, &format!("{:032x}", 9), "first boot after it"), &file);
        make(&[], &lines_of(second, start + 1_000_000, &boot, "second boot after it"), &file);
        let mut reader = opened(&settings, Begin::Behind(&position));
        let expected = by_us(&settings);
        assert_eq!(expected.len() as u64, 10 + first + second);
        assert_same(
            &rest(&mut reader),
            &expected[10..],
            &format!("{first} and {second} after the power cut"),
        );
        assert_eq!(losses(&mut reader), []);
    }
}

#[test]
fn of_several_sequences_a_position_of_libsystemd_is_taken_over_without_loss_or_repetition() {
    let directory = tempfile::tempdir().unwrap();
    let settings = of_directory(directory.path());
    // Two of the same boot, whose clock was set back, and one of another.
    make(&[], &lines(30, START, 0, "one"), &directory.path().join("remote-1.journal"));
    make(&[], &lines(30, START + 5_500, 0, "two"), &directory.path().join("remote-2.journal"));
    make(&[], &lines(30, START + 9_250, 3, "three"), &directory.path().join("remote-3.journal"));
    let all = by_libsystemd(&settings);
    for split in 1..all.len() {
        let (read, unread) = all.split_at(split);
        let cursor = read.last().unwrap().cursor.as_ref().unwrap();
        let before = format!("<{}", unread[0].cursor.as_ref().unwrap());
        for place in [cursor, &before] {
            let time = read.last().unwrap().time;
            let position = Position { place: place.clone().into_bytes(), time: Timestamp(time) };
            let mut reader = opened(&settings, Begin::Behind(&position));
            assert_same(&rest(&mut reader), unread, &format!("behind {split}"));
            assert_eq!(losses(&mut reader), []);
        }
    }
}

#[test]
fn sequences_whose_files_are_gone_are_forgotten_but_for_the_last_ones() {
    let directory = tempfile::tempdir().unwrap();
    let settings = of_directory(directory.path());
    let file = |n: u64| directory.path().join(format!("remote-{n}.journal"));
    make(&[], &lines(3, START, 0, "line"), &file(0));
    let sample = std::fs::read(file(0)).unwrap();
    let mut reader = opened(&settings, Begin::Head);
    let known = |reader: &mut FilesReader| {
        super::super::Place::read(&reader.position().place).unwrap().sequences.len()
    };
    for n in 1..100_u64 {
        // The identifier of the sequence.
        let mut bytes = sample.clone();
        bytes[72..80].copy_from_slice(&n.to_le_bytes());
        std::fs::write(file(n), &bytes).unwrap();
        assert_eq!(rest(&mut reader).len(), if n == 1 { 6 } else { 3 }, "{n}");
        std::fs::remove_file(file(n - 1)).unwrap();
    }
    assert_eq!(rest(&mut reader), []);
    assert_eq!(known(&mut reader), 65);
    // The last ones are still known when they come again.
    let mut bytes = sample.clone();
    bytes[72..80].copy_from_slice(&90_u64.to_le_bytes());
    std::fs::write(file(90), &bytes).unwrap();
    assert_eq!(rest(&mut reader), []);
    assert_eq!(losses(&mut reader), []);
}

#[test]
fn of_a_named_file_what_was_archived_meanwhile_is_read_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("system.journal");
    make(&[], &lines(10, START, 0, "line"), &file);
    let settings = of_files(&[&file]);
    let mut reader = opened(&settings, Begin::Head);
    for _ in 0..4 {
        assert!(matches!(reader.next().unwrap(), Next::Record(_)));
        reader.record();
    }
    let position = reader.position();
    std::fs::rename(&file, directory.path().join("system@1.journal")).unwrap();
    make(&[], &lines(10, START + 1_000_000, 0, "new"), &file);
    // The reader continues in the file that it has open, and another one finds it.
    assert_eq!(rest(&mut reader).len(), 16);
    assert_eq!(rest(&mut opened(&settings, Begin::Behind(&position))).len(), 16);
    assert_eq!(by_us(&settings).len(), 10);
}

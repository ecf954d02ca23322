//! Tests of following files: every line is read once, whatever happens to its file, and wherever reading stops.

mod bad_input;
mod banner;
mod log;
mod logrotate;
mod seeds;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::plugin::{Begin, Next, Reader};
use pyruse_core::serde_json::json;
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use self::log::{Log, Rotation, lines, next, read, read_until, said};
use super::input::tests::{gzip, zstd};

#[test]
fn what_is_written_is_read_once_through_rotations_while_it_is_followed() {
    for rotation in [Rotation::Rename, Rotation::Copy] {
        let mut log = Log::new();
        log.write(3);
        let mut reader = log.resume(Begin::Tail);
        assert_eq!(read(&mut *reader), [""; 0]);
        for round in 0..6 {
            log.write(5);
            if round % 2 == 0 {
                assert_eq!(read(&mut *reader), lines(log.written - 4..=log.written), "{rotation:?}");
            }
            log.rotate(rotation, true);
            log.write(round % 3);
            let from = if round % 2 == 0 { log.written - round % 3 + 1 } else { log.written - 4 - round % 3 };
            assert_eq!(read(&mut *reader), lines(from..=log.written), "{rotation:?}, {round}");
        }
        assert_eq!(said(&mut *reader), []);
    }
}

#[test]
fn reading_goes_on_where_it_stopped_whatever_was_rotated_meanwhile() {
    for rotation in [Rotation::Rename, Rotation::Copy] {
        for stop in 0..8 {
            for rotations in 0..4 {
                let mut log = Log::new();
                log.write(2);
                let mut reader = log.resume(Begin::Tail);
                log.write(6);
                let first = log.written - 5;
                let mut found = Vec::new();
                for _ in 0..stop.min(6) {
                    found.extend(next(&mut *reader).map(|(message, _)| message));
                }
                let mut position = reader.position();
                if stop == 7 {
                    // Reading stops right behind a rotation.
                    log.rotate(rotation, true);
                    found.extend(read(&mut *reader));
                    position = reader.position();
                }
                drop(reader);
                for n in 0..rotations {
                    log.rotate(rotation, true);
                    log.write(n + 1);
                }
                let mut reader = log.resume(Begin::Behind(&position));
                found.extend(read(&mut *reader));
                assert_eq!(found, lines(first..=log.written), "{rotation:?}, {stop}, {rotations}");
                assert_eq!(said(&mut *reader), []);
                log.write(1);
                assert_eq!(read(&mut *reader), lines(log.written..=log.written));
            }
        }
    }
}

#[test]
fn every_entry_is_a_place_to_go_on_from_also_between_files() {
    for rotation in [Rotation::Rename, Rotation::Copy] {
        let mut log = Log::new();
        log.write(4);
        let mut reader = log.resume(Begin::Head);
        assert!(next(&mut *reader).is_some());
        let mut places = vec![(1, reader.position())];
        for _ in 0..3 {
            log.rotate(rotation, true);
            log.write(4);
        }
        while next(&mut *reader).is_some() {
            places.push((places.len() + 1, reader.position()));
        }
        assert_eq!(places.len(), 16, "{rotation:?}");
        log.rotate(rotation, true);
        log.write(1);
        for (n, position) in places {
            let mut reader = log.resume(Begin::Behind(&position));
            assert_eq!(read(&mut *reader), lines(n + 1..=17), "{rotation:?}, behind {n}");
            assert_eq!(said(&mut *reader), []);
        }
    }
}

#[test]
fn a_file_that_was_renamed_is_still_read_while_its_writer_does_not_know() {
    let mut log = Log::new();
    log.write(1);
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), lines(1..=1));
    let mut writer = File::options().append(true).open(log.path("log")).unwrap();
    log.rotate(Rotation::Rename, false);
    writer.write_all(b"old 1\n").unwrap();
    assert_eq!(read(&mut *reader), ["old 1"]);
    log.append("log", "new 1\n");
    assert_eq!(read(&mut *reader), ["new 1"]);
    writer.write_all(b"old 2\n").unwrap();
    assert_eq!(read(&mut *reader), ["old 2"]);
    let position = reader.position();
    writer.write_all(b"old 3\n").unwrap();
    log.append("log", "new 2\n");
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), ["old 3", "new 2"]);
}

#[test]
fn what_is_lost_is_counted() {
    // Truncated without a copy, with something unread.
    let mut log = Log::new();
    log.write(2);
    let mut reader = log.resume(Begin::Head);
    assert!(next(&mut *reader).is_some());
    let position = reader.position();
    fs::write(log.path("log"), "2026-11-18 12:07:00 another\n").unwrap();
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), ["another"]);
    assert_eq!(said(&mut *reader), [("gone".to_owned(), 27)]);
    // Deleted, and another one is there.
    let position = reader.position();
    fs::remove_file(log.path("log")).unwrap();
    log.append("other", "x");
    log.append("log", "2026-11-18 12:08:00 a third\n");
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), ["a third"]);
    assert_eq!(said(&mut *reader), [("goneFiles".to_owned(), 1)]);
    // Truncated while it is read.
    fs::write(log.path("log"), "").unwrap();
    assert_eq!(read(&mut *reader), [""; 0]);
    log.append("log", "2026-11-18 12:09:00 a fourth\n");
    assert_eq!(read(&mut *reader), ["a fourth"]);
    assert_eq!(said(&mut *reader), [("goneFiles".to_owned(), 1)]);
}

#[test]
fn zstd_is_read_as_gzip_is_and_a_damaged_file_is_counted() {
    let mut log = Log::new();
    log.write(3);
    let mut reader = log.resume(Begin::Head);
    assert!(next(&mut *reader).is_some());
    let position = reader.position();
    let content = fs::read(log.path("log")).unwrap();
    fs::remove_file(log.path("log")).unwrap();
    fs::write(log.path("log.1.zst"), zstd(&content)).unwrap();
    log.append("log", "2026-11-18 12:07:00 line 4\n");
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), lines(2..=4));
    assert_eq!(said(&mut *reader), []);

    let mut log = Log::new();
    log.write(3);
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader).len(), 3);
    let position = reader.position();
    log.rotate(Rotation::Rename, false);
    // Much that does not compress well.
    let mut text = String::new();
    for n in 0..40_000_u32 {
        writeln!(text, "2026-11-18 12:08:00 {:x}", n.wrapping_mul(2_654_435_761)).unwrap();
    }
    let packed = gzip(text.as_bytes());
    fs::write(log.path("log.0.gz"), &packed[..packed.len() / 2]).unwrap();
    log.write(1);
    let mut reader = log.resume(Begin::Behind(&position));
    let found = read(&mut *reader);
    assert!(found.len() > 1000 && found.len() < 40_000, "{}", found.len());
    assert_eq!(found.last().map(String::as_str), Some("line 4"));
    assert_eq!(said(&mut *reader), [("damaged".to_owned(), 1)]);
}

#[test]
fn files_that_come_are_read_from_their_beginning_and_newly_configured_ones_from_their_ends() {
    let mut log = Log::new();
    log.args = json!({"paths": [log.path("*.log"), log.path("d/*/x")]});
    log.append("a.log", "a 1\n");
    let mut reader = log.resume(Begin::Tail);
    assert_eq!(read(&mut *reader), [""; 0]);
    log.append("b.log", "b 1\n");
    log.append("b.text", "no 1\n");
    fs::create_dir_all(log.path("d/one")).unwrap();
    let wait = |reader: &mut dyn Reader, expected: &[&str]| {
        let (start, mut found) = (Instant::now(), Vec::new());
        while found.len() < expected.len() && start.elapsed() < Duration::from_secs(20) {
            found.extend(read(reader));
            std::thread::sleep(Duration::from_millis(5));
        }
        found.sort();
        assert_eq!(found, expected);
    };
    wait(&mut *reader, &["b 1"]);
    log.append("d/one/x", "x 1\n");
    log.append("a.log", "a 2\n");
    wait(&mut *reader, &["a 2", "x 1"]);
    let position = reader.position();
    log.append("c.log", "c 1\n");
    log.args = json!({"paths": [log.path("*.log"), log.path("d/*/x"), log.path("*.text")]});
    let mut reader = log.resume(Begin::Behind(&position));
    wait(&mut *reader, &["c 1"]);
    log.append("b.text", "no 2\n");
    wait(&mut *reader, &["no 2"]);
}

#[test]
fn rotated_files_are_read_too_where_reading_begins_in_the_past() {
    for rotation in [Rotation::Rename, Rotation::Copy] {
        let mut log = Log::new();
        for _ in 0..4 {
            log.write(3);
            log.rotate(rotation, true);
        }
        log.write(1);
        assert_eq!(read(&mut *log.resume(Begin::Head)), lines(1..=13));
        assert_eq!(
            read(&mut *log.resume(Begin::Since(Timestamp::from_seconds(1_795_000_000 - 86_400)))),
            lines(1..=13)
        );
        log.append("log", "2099-11-18 12:06:40 line 14\n");
        let mut reader = log.resume(Begin::Since(Timestamp::now()));
        assert_eq!(read(&mut *reader), ["line 14"]);
        assert_eq!(said(&mut *reader), [("future".to_owned(), 1)]);
        log.args = json!({"once": true});
        assert_eq!(read(&mut *log.resume(Begin::Head)), lines(13..=14));
    }
}

#[test]
fn several_files_are_read_in_the_order_of_time() {
    let mut log = Log::new();
    log.args = json!({"paths": [log.path("*.log")]});
    for (name, seconds) in [("a.log", [1, 4, 5]), ("b.log", [2, 3, 6])] {
        for second in seconds {
            log.append(name, &format!("2026-11-18 12:00:0{second} {second}\n"));
        }
    }
    assert_eq!(read(&mut *log.resume(Begin::Head)), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn an_entry_of_several_lines_is_whole_and_is_read_once() {
    let mut log = Log::new();
    log.args = json!({"first_line": "^\\d{4}-"});
    let first = "2026-11-18 12:06:40 one\n  at a\n  at b\n2026-11-18 12:06:41 two\n  at c\n";
    log.append("log", first);
    let mut reader = log.resume(Begin::Head);
    assert_eq!(next(&mut *reader).unwrap().0, "one\n  at a\n  at b");
    let position = reader.position();
    assert_eq!(read(&mut *reader), ["two\n  at c"]);
    let whole = reader.position();
    log.append("log", "2026-11-18 12:06:42 three\n");
    assert_eq!(read(&mut *log.resume(Begin::Behind(&position))), ["two\n  at c", "three"]);
    assert_eq!(read(&mut *log.resume(Begin::Behind(&whole))), ["three"]);
    log.append("log", &"x\n".repeat(100_000));
    let mut reader = log.resume(Begin::Behind(&whole));
    assert_eq!(read(&mut *reader).len(), 100);
    assert!(said(&mut *reader)[0].1 >= 99);
}

#[test]
fn pieces_of_docker_are_joined() {
    let mut log = Log::new();
    log.args = json!({"format": "docker", "paths": [log.path("log")]});
    let line = |text: &str, stream: &str| {
        format!("{}\n", json!({"log": text, "stream": stream, "time": "2026-11-18T11:06:40.5Z"}))
    };
    let all = [
        ("a ", "stdout"),
        ("b ", "stdout"),
        ("c\n", "stdout"),
        ("d\n", "stderr"),
        ("e", "stdout"),
        ("f\n", "stderr"),
    ];
    log.append("log", &all.map(|(text, stream)| line(text, stream)).concat());
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), ["a b c", "d", "e", "f"]);
}

#[test]
fn a_bomb_is_read_in_bounded_turns_and_memory() {
    let log = Log::new();
    fs::write(log.path("log.1.gz"), gzip(&vec![0; 64 << 20])).unwrap();
    log.append("log", "2026-11-18 12:06:40 x\n");
    let mut reader = log.resume(Begin::Head);
    let (mut turns, mut found) = (0, 0);
    loop {
        match reader.next().unwrap() {
            Next::Record(_) => {
                reader.record();
                found += 1;
            }
            Next::End => break,
            Next::Later(_) => turns += 1,
        }
    }
    assert_eq!(found, 2);
    assert!(turns >= 15, "{turns}");
    assert_eq!(said(&mut *reader), [("cut".to_owned(), 1)]);
}

#[test]
fn without_inotify_files_are_looked_at_from_time_to_time() {
    super::watch::tests::IS_EXHAUSTED.set(true);
    let mut log = Log::new();
    log.write(1);
    log.args = json!({"paths": [log.path("*")]});
    let mut reader = log.resume(Begin::Tail);
    assert!(reader.readiness().timeout.is_some() && reader.readiness().descriptors[0].is_none());
    log.write(1);
    log.append("other", "2026-11-18 12:06:40 other\n");
    log.rotate(Rotation::Rename, false);
    log.write(1);
    let (start, mut found) = (Instant::now(), Vec::new());
    while found.len() < 3 && start.elapsed() < Duration::from_secs(60) {
        found.extend(read(&mut *reader));
        std::thread::sleep(Duration::from_millis(20));
    }
    found.sort();
    assert_eq!(found, ["line 2", "line 3", "other"]);
}

#[test]
fn a_damaged_position_is_one_by_time() {
    let mut log = Log::new();
    log.write(1);
    let position: Position = log.resume(Begin::Tail).position();
    assert!(position.place.starts_with(b"1\n"));
    let damaged = Position { place: b"\xff\xfe".to_vec(), time: Timestamp(0) };
    assert_eq!(read(&mut *log.resume(Begin::Behind(&damaged))), lines(1..=1));
    let damaged = Position { place: b"1\n[]\n{\"pa".to_vec(), time: Timestamp(0) };
    assert_eq!(read(&mut *log.resume(Begin::Behind(&damaged))), [""; 0]);
}

#[test]
fn what_was_written_to_a_file_that_is_deleted_unread_is_counted_also_if_it_grew_while_it_was_read() {
    let mut log = Log::new();
    log.write(1);
    let mut reader = log.resume(Begin::Head);
    assert_eq!(read(&mut *reader), lines(1..=1));
    // It grows, is replaced, and is read in part.
    log.write(200);
    log.rotate(Rotation::Rename, false);
    for _ in 0..100 {
        assert!(next(&mut *reader).is_some());
    }
    let position = reader.position();
    fs::remove_file(log.path("log.1")).unwrap();
    log.append("log", "2026-11-18 12:08:00 new\n");
    let mut reader = log.resume(Begin::Behind(&position));
    assert_eq!(read(&mut *reader), ["new"]);
    let size: usize = (102..=201).map(|n| format!("2026-11-18 12:06:40 line {n}\n").len()).sum();
    assert_eq!(said(&mut *reader), [("gone".to_owned(), size as u64)]);
}

#[test]
fn a_file_that_grew_unread_is_found_whatever_became_of_it() {
    for compress in [false, true] {
        let mut log = Log::new();
        log.write(3);
        let mut reader = log.resume(Begin::Head);
        assert!(next(&mut *reader).is_some());
        // The new file is open, and its predecessor is not read to its end.
        log.rotate(Rotation::Rename, false);
        assert!(next(&mut *reader).is_some());
        log.write(4);
        let position = reader.position();
        drop(reader);
        for _ in 0..2 {
            log.rotate(Rotation::Rename, compress);
            log.write(1);
        }
        let mut reader = log.resume(Begin::Behind(&position));
        assert_eq!(read(&mut *reader), lines(3..=9));
        assert_eq!(said(&mut *reader), []);
    }
}

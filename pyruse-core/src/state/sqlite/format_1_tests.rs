//! Tests that a state file of format 1 is taken over: whole, damaged, or cut.

use std::fs;

use super::*;
use crate::state::rows::Position;
use crate::time::Timestamp;

/// A file that a program of format 1 wrote; see `pyruse-bin/tests/stored.rs`.
const STORED: &[u8] = include_bytes!("../../../../pyruse-bin/tests/stored/format-1.sqlite");

fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    fs::write(&path, content).unwrap();
    (directory, path)
}

/// The rows of all parts: part, key, value.
fn rows(path: &Path) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let file = Connection::open(path).unwrap();
    let mut rows = file.prepare("SELECT part, key, value FROM rows ORDER BY part, key").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn the_position_of_the_journal_becomes_that_of_the_source_and_all_rows_stay() {
    for cursor in [Some("s=1;i=2;b=3;m=4;t=5;x=6"), None] {
        let (_directory, path) = file(STORED);
        Connection::open(&path)
            .unwrap()
            .execute("INSERT OR REPLACE INTO position (id, cursor, realtime) VALUES (0, ?1, 77)", [cursor])
            .unwrap();
        let before = rows(&path);
        let expected = Position { place: cursor.unwrap_or_default().into(), time: Timestamp(77) };
        // A command that only looks converts nothing.
        let looked = Sqlite::open_read_only(&path).unwrap();
        assert_eq!(looked.sources().unwrap()[0].position, Some(expected.clone()));
        drop(looked);
        assert_eq!(rows(&path), before);
        for _ in 0..2 {
            let store = Sqlite::open(&path).unwrap();
            let sources = store.sources().unwrap();
            assert_eq!((sources.len(), sources[0].name.as_str()), (1, "journal"));
            assert_eq!(sources[0].position, Some(expected.clone()));
            drop(store);
            assert_eq!(rows(&path), before);
        }
        let file = Connection::open(&path).unwrap();
        assert_eq!(schema::pragma(&file, "user_version").unwrap(), 2);
        assert!(file.prepare("SELECT * FROM position").is_err(), "the former table is still there");
    }
}

#[test]
fn a_truncated_file_is_refused_and_not_changed() {
    let mut refused = 0;
    for length in (0..STORED.len()).step_by(97) {
        let (_directory, path) = file(&STORED[..length]);
        match Sqlite::open(&path) {
            Err(e) => {
                refused += 1;
                assert!(e.is_loss(), "{length}: {e}");
                assert_eq!(fs::read(&path).unwrap(), STORED[..length], "{length}");
            }
            Ok(store) => panic!("{length} of {} bytes were taken: {:?}", STORED.len(), store.sources()),
        }
    }
    assert!(refused > 10);
}

#[test]
fn a_damaged_file_is_refused_as_it_is_or_keeps_its_rows() {
    for at in (0..STORED.len()).step_by(997) {
        let mut bytes = STORED.to_vec();
        bytes[at] ^= 0x10;
        let (_directory, path) = file(&bytes);
        match Sqlite::open(&path) {
            Err(_) => assert_eq!(fs::read(&path).unwrap(), bytes, "byte {at}"),
            // SQLite cannot know a value that has changed, nor what nothing uses.
            Ok(store) => drop(store.sources().unwrap()),
        }
    }
}

#[test]
fn a_program_of_format_1_refuses_format_2() {
    // That program compares this number with its own, and says that a newer version wrote the file.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    drop(Sqlite::open(&path).unwrap());
    let file = Connection::open(&path).unwrap();
    assert_eq!(schema::pragma(&file, "user_version").unwrap(), 2);
    file.pragma_update(None, "user_version", 3).unwrap();
    drop(file);
    let refused = Sqlite::open(&path).err().unwrap().to_string();
    assert!(
        refused.contains("was written by a newer version (its format is 3, this program supports up to 2)")
    );
}

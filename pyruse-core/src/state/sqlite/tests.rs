//! Tests what happens to the state when something happens to its files.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::state::rows::Position;
use crate::time::Timestamp;

/// A long position of a source, to be written.
fn position(n: i64) -> Vec<SourceRow> {
    let position = Position { place: vec![b'c'; 3000], time: Timestamp(n) };
    vec![SourceRow { id: 1, name: "journal".into(), position: Some(position), is_changed: true }]
}

/// The time of the position that is stored.
fn stored(store: &Sqlite) -> i64 {
    let sources = store.sources().unwrap();
    assert!(sources.len() <= 1, "{sources:?}");
    sources.first().map_or(0, |row| row.position.as_ref().unwrap().time.0)
}

/// A state in use; tests take copies of it as crashes leave it.
struct Bench {
    directory: TempDir,
    store: Sqlite,
    written: i64,
}

impl Bench {
    fn new() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&directory.path().join("state")).unwrap();
        Bench { directory, store, written: 0 }
    }

    fn write(&mut self, commits: i64) {
        for _ in 0..commits {
            self.written += 1;
            self.store.write(&[], &position(self.written)).unwrap();
        }
    }

    fn wal(&self) -> Vec<u8> {
        fs::read(self.directory.path().join("state-wal")).unwrap()
    }

    /// Copies the files as they are now to another directory, with this as the journal.
    fn crashed_with(&self, wal: Option<&[u8]>) -> Crashed {
        let directory = tempfile::tempdir().unwrap();
        let to = |name: &str| directory.path().join(name);
        let from = |name: &str| self.directory.path().join(name);
        fs::copy(from("state"), to("state")).unwrap();
        if let Some(wal) = wal {
            fs::write(to("state-wal"), wal).unwrap();
        }
        let facts = mark::read(&from("state")).unwrap().unwrap();
        let crashed = Crashed { directory };
        // A copy is another file; here it stands for the same one.
        crashed.mark(Facts { file: mark::identity(&crashed.path().metadata().unwrap()), ..facts });
        crashed
    }

    fn crashed(&self) -> Crashed {
        self.crashed_with(Some(&self.wal()))
    }
}

struct Crashed {
    directory: TempDir,
}

impl Crashed {
    fn path(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn mark(&self, facts: Facts) {
        Mark::make(&self.path(), facts).unwrap();
    }

    fn facts(&self) -> Facts {
        mark::read(&self.path()).unwrap().unwrap()
    }

    /// Makes it look as if another boot found it after a power cut.
    fn of_another_boot(self) -> Crashed {
        self.mark(Facts { boot: "another".into(), ..self.facts() });
        self
    }

    fn files(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut files: Vec<_> = fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).ok()))
            // SQLite makes its index of the journal again whenever it opens the file.
            .filter(|(name, _)| name != "state-shm")
            .collect();
        files.sort();
        files
    }

    /// Opens it; returns the last position that was found.
    fn opened(&self) -> i64 {
        let looked = Sqlite::open_read_only(&self.path()).unwrap_or_else(|e| panic!("to look: {e}"));
        let found = stored(&looked);
        drop(looked);
        let store = Sqlite::open(&self.path()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(stored(&store), found);
        found
    }

    /// Checks that it does not open, twice, and that nothing changes; returns the reason.
    fn refused(&self) -> String {
        let before = self.files();
        for _ in 0..2 {
            let refused = Sqlite::open(&self.path()).map(drop).unwrap_err();
            assert!(refused.is_loss(), "{refused}");
            assert!(self.files() == before, "nothing is changed");
        }
        Sqlite::open(&self.path()).map(drop).unwrap_err().to_string()
    }
}

#[test]
fn a_crash_at_any_moment_is_no_loss() {
    let mut bench = Bench::new();
    assert_eq!(bench.crashed().opened(), 0);
    for n in 0..60 {
        bench.write(1 + n % 7);
        if n % 5 == 0 {
            bench.store.sync().unwrap();
        }
        let crashed = bench.crashed();
        assert_eq!(crashed.opened(), bench.written);
        // And once more, after a start that wrote nothing.
        assert_eq!(crashed.opened(), bench.written);
    }
    let Bench { directory, store, written } = bench;
    drop(store);
    assert!(!directory.path().join("state-wal").exists());
    assert_eq!(Crashed { directory }.opened(), written);
}

#[test]
fn a_power_cut_loses_only_what_was_not_synced() {
    let mut bench = Bench::new();
    bench.write(20);
    bench.store.sync().unwrap();
    let synced = bench.wal().len();
    bench.write(20);
    let all = bench.wal();
    for length in (synced..=all.len()).step_by(4999) {
        let found = bench.crashed_with(Some(&all[..length])).opened();
        assert!((20..=40).contains(&found), "{found}");
        // The disk may hold anything in place of the rest.
        let mut holes = all.clone();
        holes[synced..length].fill(0);
        let crashed = bench.crashed_with(Some(&holes)).of_another_boot();
        let found = crashed.opened();
        assert!((20..=40).contains(&found), "{found}");
    }
    for length in [0, 1, 31, 32, 5000, synced - 4200, synced - 1] {
        for crashed in [
            bench.crashed_with(Some(&all[..length])),
            bench.crashed_with(Some(&all[..length])).of_another_boot(),
        ] {
            let why = crashed.refused();
            assert!(why.contains("the state is lost: it contains "), "{length}: {why}");
        }
    }
}

#[test]
fn remains_of_a_power_cut_are_not_damage_after_the_next_crash() {
    let mut bench = Bench::new();
    bench.write(10);
    bench.store.sync().unwrap();
    let synced = bench.wal().len();
    bench.write(30);
    let mut holes = bench.wal();
    holes[synced..synced + 9000].fill(0);
    let crashed = bench.crashed_with(Some(&holes)).of_another_boot();
    assert_eq!(crashed.opened(), 10);
    // Now the same boot; it writes little, and crashes.
    let directory = crashed.directory;
    let store = Sqlite::open(&directory.path().join("state")).unwrap();
    let mut bench = Bench { directory, store, written: 10 };
    bench.write(1);
    assert_eq!(bench.crashed().opened(), 11);
}

#[test]
fn a_bit_that_flips_in_the_journal_is_found_unless_it_is_in_its_last_commits() {
    let mut bench = Bench::new();
    bench.write(5);
    bench.store.sync().unwrap();
    bench.write(30);
    let good = bench.wal();
    for at in (0..good.len() - 5 * 4120).step_by(9001) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let why = bench.crashed_with(Some(&bad)).refused();
        let expected =
            if at < 32 { "the state is lost: it contains " } else { "damaged (its write-ahead log " };
        assert!(why.contains(expected), "{at}: {why}");
    }
    // Damage at the very end looks like a crash.
    let mut bad = good.clone();
    let last = good.len() - 100;
    bad[last] ^= 0x10;
    assert!(bench.crashed_with(Some(&bad)).opened() >= 30);
    // The same after a power cut, where the journal was synced.
    let mut bad = good;
    bad[100] ^= 1;
    let why = bench.crashed_with(Some(&bad)).of_another_boot().refused();
    assert!(why.contains("the state is lost: it contains "), "{why}");
}

#[test]
fn a_missing_journal_is_a_loss_unless_all_of_it_is_in_the_database() {
    let mut bench = Bench::new();
    bench.write(5);
    let why = bench.crashed_with(None).refused();
    assert!(why.contains("it contains 0 commits, but 5 were written"), "{why}");
    assert!(bench.crashed_with(None).of_another_boot().refused().contains("is missing or damaged"));
    assert!(
        Sqlite::open_read_only(&bench.crashed_with(None).path()).is_err(),
        "to look at, it is no state either"
    );

    // Somebody opens it with another program, which moves the journal into the file.
    let crashed = bench.crashed();
    let other = Connection::open(crashed.path()).unwrap();
    other.execute_batch("SELECT count(*) FROM rows; VACUUM").unwrap();
    drop(other);
    assert!(!crashed.directory.path().join("state-wal").exists());
    assert_eq!(crashed.opened(), 5);
}

#[test]
fn a_lost_state_is_not_taken_for_a_first_start() {
    let mut bench = Bench::new();
    bench.write(5);
    let crashed = bench.crashed();
    fs::remove_file(crashed.path()).unwrap();
    assert!(crashed.refused().contains("the file is missing, but "));
    // Only its journal is left, as with a version without marks.
    fs::remove_file(crashed.directory.path().join("state-mark")).unwrap();
    assert!(crashed.refused().contains("the file is missing, but its write-ahead log "));
    fs::remove_file(crashed.directory.path().join("state-wal")).unwrap();
    assert_eq!(is_there(&crashed.path()).ok(), Some(false));
    // A dangling link, e.g. to a file system that is not mounted, stays a link.
    symlink("/no/such/place/state", crashed.path()).unwrap();
    assert!(crashed.refused().contains("it is a link to /no/such/place/state, which does not exist"));
    assert!(crashed.path().is_symlink());
}

#[test]
fn the_command_in_the_message_moves_everything_away_whatever_the_directory_is_called() {
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join("it's $HOME \"here\" *");
    fs::create_dir(&odd).unwrap();
    let path = odd.join("state");
    for round in 1..=2 {
        let mut store = Sqlite::open(&path).unwrap();
        store.write(&[], &position(1)).unwrap();
        drop(store);
        fs::write(&path, format!("round {round}")).unwrap();
        let why = Sqlite::open(&path).map(drop).unwrap_err().to_string();
        let (_, command) = why.split_once("on purpose: ").unwrap();
        let command = command.strip_suffix(", then start again").unwrap();
        let status = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(status.success(), "{command}");
        assert_eq!(is_there(&path).ok(), Some(false));
    }
    assert_eq!(fs::read(odd.join("lost/state")).unwrap(), b"round 2");
    assert_eq!(fs::read(odd.join("lost/state.~1~")).unwrap(), b"round 1");
}

#[test]
fn a_state_of_a_version_that_did_not_count_is_taken_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let old = Connection::open(&path).unwrap();
    let schema = "PRAGMA journal_mode = WAL; PRAGMA application_id = 0x70797275; PRAGMA user_version = 1;
         CREATE TABLE parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE rows (part INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (part, key)) WITHOUT ROWID;
         CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 0), cursor TEXT, realtime INTEGER NOT NULL);";
    old.execute_batch(schema).unwrap();
    let put = "INSERT OR REPLACE INTO position (id, cursor, realtime) VALUES (0, 'c', ?1)";
    old.execute(put, [7]).unwrap();
    // The journal, as a crash leaves it.
    let crashed = Crashed { directory: tempfile::tempdir().unwrap() };
    for end in ["", "-wal"] {
        fs::copy(beside(&path, end), beside(&crashed.path(), end)).unwrap();
    }
    assert_eq!(crashed.opened(), 7);
    let mut store = Sqlite::open(&crashed.path()).unwrap();
    store.write(&[], &position(8)).unwrap();
    drop(store);
    assert_eq!(schema::commits(&Connection::open(crashed.path()).unwrap()).unwrap(), Some(1));
}

#[test]
fn a_backup_that_is_put_in_its_place_is_taken() {
    let mut bench = Bench::new();
    bench.write(5);
    bench.store.empty_journal();
    let backup = fs::read(bench.directory.path().join("state")).unwrap();
    bench.write(5);
    let crashed = bench.crashed();
    // As documented: all files are removed, and the copy is put there.
    for end in ["", "-wal", "-mark"] {
        fs::rename(beside(&crashed.path(), end), crashed.directory.path().join(format!("aside{end}")))
            .unwrap();
    }
    fs::write(crashed.path(), &backup).unwrap();
    assert_eq!(crashed.opened(), 5);
    // The mark was forgotten: it is still another file.
    let crashed = bench.crashed();
    fs::rename(crashed.path(), crashed.directory.path().join("aside")).unwrap();
    fs::remove_file(beside(&crashed.path(), "-wal")).unwrap();
    fs::write(crashed.path(), &backup).unwrap();
    assert_eq!(crashed.opened(), 5);
    // The same file, overwritten, looks like a loss; the message says what to do.
    let crashed = bench.crashed();
    fs::remove_file(beside(&crashed.path(), "-wal")).unwrap();
    fs::write(crashed.path(), &backup).unwrap();
    let why = crashed.refused();
    assert!(why.contains("to continue with that copy, remove "), "{why}");
    fs::remove_file(beside(&crashed.path(), "-mark")).unwrap();
    assert_eq!(crashed.opened(), 5);
}

#[test]
fn a_state_with_an_unreadable_mark_is_opened() {
    let mut bench = Bench::new();
    bench.write(5);
    for content in ["", "pyruse state mark 2\n", "\u{0}\u{0}"] {
        let crashed = bench.crashed();
        fs::write(beside(&crashed.path(), "-mark"), content).unwrap();
        assert_eq!(crashed.opened(), 5);
        assert_eq!(crashed.facts().written, 5);
    }
}

#[test]
fn paths_that_are_not_files_are_refused_at_once() {
    let mut bench = Bench::new();
    bench.write(1);
    for end in ["", "-wal", "-shm", "-journal", "-mark"] {
        let crashed = bench.crashed();
        let path = beside(&crashed.path(), end);
        let _ = fs::remove_file(&path);
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        for error in [
            Sqlite::open(&crashed.path()).map(drop).unwrap_err().to_string(),
            is_there(&crashed.path())
                .and_then(|_| Sqlite::open_read_only(&crashed.path()).map(drop))
                .unwrap_err()
                .to_string(),
        ] {
            assert!(error.contains("is a FIFO, not a regular file; move it away"), "{end}: {error}");
        }
    }
}

#[test]
fn data_that_the_disk_refused_is_written_again_before_it_counts_as_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let mut store = Sqlite::open(&path).unwrap();
    for n in 0..100 {
        store.write(&[], &position(n)).unwrap();
    }
    store.sync().unwrap();
    // The journal can be written, but not synced.
    let wal = store.wal.replace(File::options().read(true).write(true).open("/dev/null").unwrap()).unwrap();
    for _ in 0..2 {
        let refused = store.sync().unwrap_err().to_string();
        assert!(refused.contains("writing to the disk failed"), "{refused}");
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    wal.set_modified(long_ago).unwrap();
    let (held, size) =
        (std::fs::read(directory.path().join("state-wal")).unwrap(), wal.metadata().unwrap().len());
    let is_written =
        |store: &Sqlite| store.wal.as_ref().unwrap().metadata().unwrap().modified().unwrap() > long_ago;
    store.wal = Some(wal);
    assert!(!is_written(&store) && size > 100_000);
    store.sync().unwrap();
    assert!(is_written(&store));
    assert_eq!(std::fs::read(directory.path().join("state-wal")).unwrap(), held);
    store.wal.as_ref().unwrap().set_modified(long_ago).unwrap();
    store.sync().unwrap();
    assert!(!is_written(&store), "only once");
    store.write(&[], &position(100)).unwrap();
    drop(store);
    assert_eq!(stored(&Sqlite::open(&path).unwrap()), 100);
}

#[test]
fn an_invalid_row_of_a_source_is_damage_and_the_file_is_not_changed() {
    for garbage in
        ["time = NULL", "time = 'x'", "place = NULL", "place = 'x'", "name = x'ff'", "commits = 'x'"]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        Sqlite::open(&path).unwrap().write(&[], &position(1)).unwrap();
        let file = Connection::open(&path).unwrap();
        file.execute(&format!("UPDATE sources SET {garbage}"), []).unwrap();
        drop(file);
        let before = fs::read(&path).unwrap();
        let error = Sqlite::open(&path).err().unwrap_or_else(|| panic!("{garbage} was taken"));
        assert!(error.is_loss(), "{garbage}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{garbage}");
    }
}

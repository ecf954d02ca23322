//! The state in one SQLite file.
//!
//! All parts share one table of rows. WAL, one writer. A commit that carries a delivery waits for the disk; any other
//! may lose its tail in a power cut, since its entries are then simply read again. SQLite itself waits for the disk when
//! it moves pages from its journal to the file (`synchronous=NORMAL`); in between, we do, when it is wanted.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::{Change, Position, Row, StateError};
use crate::time::Timestamp;

/// The format that this program writes; a change of the schema counts it up.
const FORMAT: i64 = 1;

/// `PRAGMA application_id`: "pyru".
const APPLICATION: i64 = 0x7079_7275;

/// KiB of its pages that are kept in memory; what is written stands close together, and the system has the file's pages
/// too.
const CACHE: i64 = 512;

/// Above this size the whole file is not checked at start: the rows that are read are checked as they are read.
const CHECKED_AT_START: u64 = 16 << 20;

pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// The stored number of each opened part.
    parts: Vec<i64>,
    /// SQLite's journal. Where the file system knows no WAL, there is none, and each commit waits for the disk.
    wal: Option<File>,
    /// The disk has refused some of the journal, which it must be given again.
    refused: bool,
    read_only: bool,
}

impl Sqlite {
    /// A new file is made under another name first. So a file of this name is never half made, and one that is empty
    /// is damaged: to take it for a new one would be to start from nothing, silently.
    pub(super) fn open(path: &Path) -> Result<Sqlite, StateError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        if !path.exists() {
            let named = |end: &str| {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                PathBuf::from(name)
            };
            let new = named(".new");
            for left_behind in [&new, &named(".new-wal"), &named(".new-shm"), &named(".new-journal")] {
                let _ = std::fs::remove_file(left_behind);
            }
            drop(Sqlite::open_with(&new, flags | OpenFlags::SQLITE_OPEN_CREATE, Sqlite::prepare)?);
            std::fs::rename(&new, path)
                .map_err(|e| StateError::File { path: path.to_owned(), reason: e.to_string() })?;
        }
        let mut store = Sqlite::open_with(path, flags, Sqlite::prepare)?;
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        store.wal = match File::options().read(true).write(true).open(&wal) {
            Ok(wal) => Some(wal),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(StateError::File { path: wal.into(), reason: e.to_string() }),
        };
        let synchronous = if store.wal.is_some() { "NORMAL" } else { "FULL" };
        let set = store.connection.pragma_update(None, "synchronous", synchronous);
        set.map_err(|e| store.fail(&e))?;
        // What entries said is for nobody else's eyes; SQLite gives its further files the mode of this one.
        for end in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            let _ = std::fs::set_permissions(name, std::fs::Permissions::from_mode(0o600));
        }
        Ok(store)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
             CREATE TABLE IF NOT EXISTS rows (part INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                                              PRIMARY KEY (part, key)) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 0), cursor TEXT,
                                                  realtime INTEGER NOT NULL);",
        )?;
        connection.pragma_update(None, "application_id", APPLICATION)?;
        // Writing the same version again makes a read-only file or a full disk show itself now, not at the first ban.
        connection.pragma_update(None, "user_version", FORMAT)?;
        connection.execute_batch("COMMIT")
    }

    pub(super) fn open_read_only(path: &Path) -> Result<Sqlite, StateError> {
        let mut store = Sqlite::open_with(path, OpenFlags::SQLITE_OPEN_READ_ONLY, |_| Ok(()))?;
        store.read_only = true;
        Ok(store)
    }

    fn open_with(
        path: &Path,
        flags: OpenFlags,
        prepare: impl FnOnce(&Sqlite) -> rusqlite::Result<()>,
    ) -> Result<Sqlite, StateError> {
        let fail = |e: &rusqlite::Error| StateError::File { path: path.to_owned(), reason: reason(e) };
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| fail(&e))?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| fail(&e))?;
        // SQLite means KiB by a negative number, pages by a positive one.
        connection.pragma_update(None, "cache_size", -CACHE).map_err(|e| fail(&e))?;
        // Until the file has proved sound, its journal is not written into it: a damaged one is left as it is.
        let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(no_checkpoint, true).map_err(|e| fail(&e))?;
        let empty = std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
        if empty && !flags.contains(OpenFlags::SQLITE_OPEN_CREATE) {
            return Err(StateError::File { path: path.to_owned(), reason: damaged("it is empty") });
        }
        let store = Sqlite {
            connection,
            path: path.to_owned(),
            parts: Vec::new(),
            wal: None,
            refused: false,
            read_only: false,
        };
        let pragma = |name: &str| store.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let found = pragma("user_version").map_err(|e| fail(&e))?;
        if found > FORMAT {
            return Err(StateError::Newer { path: path.to_owned(), found, known: FORMAT });
        }
        let application = pragma("application_id").map_err(|e| fail(&e))?;
        if application != APPLICATION && (application != 0 || found != 0) {
            let reason = "this is an SQLite file, but not one of Pyruse's".to_owned();
            return Err(StateError::File { path: path.to_owned(), reason });
        }
        if std::fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_AT_START) {
            let verdict: String = store
                .connection
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
                .map_err(|e| fail(&e))?;
            if verdict != "ok" {
                // Its first line only names the database, and there is but one.
                let detail = verdict.lines().last().unwrap_or_default();
                return Err(StateError::File { path: path.to_owned(), reason: damaged(detail) });
            }
        }
        store.connection.set_db_config(no_checkpoint, false).map_err(|e| fail(&e))?;
        prepare(&store).map_err(|e| fail(&e))?;
        Ok(store)
    }

    /// What is stored of a part makes no sense to it.
    pub(super) fn damaged_part(&self, part: &str, reason: &str) -> StateError {
        let reason = damaged(&format!("part `{part}`: {reason}"));
        StateError::File { path: self.path.clone(), reason }
    }

    fn fail(&self, error: &rusqlite::Error) -> StateError {
        StateError::File { path: self.path.clone(), reason: reason(error) }
    }

    pub(super) fn position(&self) -> Result<Option<Position>, StateError> {
        self.connection
            .query_row("SELECT cursor, realtime FROM position", [], |row| {
                Ok(Position { cursor: row.get(0)?, realtime: Timestamp(row.get(1)?) })
            })
            .optional()
            .map_err(|e| self.fail(&e))
    }

    /// The stored number of a part, and its rows; [`Sqlite::number`] it when it could be loaded from them.
    pub(super) fn find_part(&self, name: &str) -> Result<(i64, Vec<Row>), StateError> {
        let known = self
            .connection
            .query_row("SELECT id FROM parts WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(|e| self.fail(&e))?;
        let id: i64 = match known {
            Some(id) => id,
            None if self.read_only => -1,
            None => self
                .connection
                .query_row("INSERT INTO parts (name) VALUES (?1) RETURNING id", [name], |row| row.get(0))
                .map_err(|e| self.fail(&e))?,
        };
        let mut rows = Vec::new();
        self.scan_stored(id, |key, value| rows.push((key.into(), value.into())))?;
        Ok((id, rows))
    }

    /// The next part of this run is the one that is stored under that number.
    pub(super) fn number(&mut self, stored: i64) {
        self.parts.push(stored);
    }

    /// `index` is a part's number in this run; the file has its own.
    pub(super) fn scan(&self, index: u32, visit: impl FnMut(&[u8], &[u8])) -> Result<(), StateError> {
        self.scan_stored(self.parts[index as usize], visit)
    }

    fn scan_stored(&self, id: i64, mut visit: impl FnMut(&[u8], &[u8])) -> Result<(), StateError> {
        let mut scan = || -> rusqlite::Result<()> {
            let mut statement =
                self.connection.prepare_cached("SELECT key, value FROM rows WHERE part = ?1 ORDER BY key")?;
            let mut rows = statement.query([id])?;
            while let Some(row) = rows.next()? {
                visit(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
            }
            Ok(())
        };
        scan().map_err(|e| self.fail(&e))
    }

    pub(super) fn write(
        &mut self,
        changes: &[Change],
        position: Option<&Position>,
    ) -> Result<(), StateError> {
        if self.read_only {
            return Ok(());
        }
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            {
                let mut put = transaction.prepare_cached(
                    "INSERT INTO rows (part, key, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT (part, key) DO UPDATE SET value = excluded.value",
                )?;
                let mut delete =
                    transaction.prepare_cached("DELETE FROM rows WHERE part = ?1 AND key = ?2")?;
                for change in changes {
                    let part = self.parts[change.resource as usize];
                    match &change.value {
                        Some(value) => put.execute(params![part, change.key, value])?,
                        None => delete.execute(params![part, change.key])?,
                    };
                }
                if let Some(position) = position {
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO position (id, cursor, realtime) VALUES (0, ?1, ?2)",
                        )?
                        .execute(params![position.cursor, position.realtime.0])?;
                }
            }
            transaction.commit()
        };
        write().map_err(|e| self.fail(&e))
    }

    /// Waits until all that has been written is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), StateError> {
        let Some(wal) = &self.wal else { return Ok(()) };
        let again = if self.refused { write_again(wal) } else { Ok(()) };
        let synced = again.and_then(|()| wal.sync_data());
        self.refused = synced.is_err();
        synced.map_err(|e| StateError::File {
            path: self.path.clone(),
            reason: format!("writing to the disk failed: {e}"),
        })
    }
}

/// Linux tells only once that it could not bring something to the disk; from then on it holds it for written, and a
/// second sync would say that all is well. So a file is written over with what it holds. Nobody else writes to it.
fn write_again(file: &File) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Ok(());
        }
        file.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
}

/// What went wrong, and what a person can do.
fn reason(error: &rusqlite::Error) -> String {
    // No room for the index of its journal is no failure of the device either.
    let no_room =
        error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
    match error.sqlite_error_code() {
        code if code == Some(ErrorCode::DiskFull) || no_room => {
            "the disk is full; make room, and reading goes on where it stopped".into()
        }
        Some(ErrorCode::NotADatabase) => damaged("it is no SQLite file"),
        Some(ErrorCode::DatabaseCorrupt) => damaged(&error.to_string()),
        Some(ErrorCode::ReadOnly) => "it cannot be written: it is read-only, or its directory is".into(),
        Some(ErrorCode::CannotOpen) => {
            "it cannot be opened: look at the directory and its permissions".into()
        }
        Some(ErrorCode::PermissionDenied) => "permission denied".into(),
        Some(ErrorCode::DatabaseBusy) => "another program holds it".into(),
        Some(ErrorCode::SystemIoFailure) => {
            format!("reading or writing failed ({error}); is the disk full or damaged?")
        }
        _ => error.to_string(),
    }
}

fn damaged(detail: &str) -> String {
    format!(
        "the file is damaged ({detail}); it is left as it is. Put a backup in its place, or move it away \
         (with its -wal and -shm) to start from nothing"
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn what_the_disk_has_refused_is_written_again_before_it_counts_as_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let mut store = Sqlite::open(&path).unwrap();
        let position = |n| Position { cursor: Some("c".repeat(3000)), realtime: Timestamp(n) };
        for n in 0..100 {
            store.write(&[], Some(&position(n))).unwrap();
        }
        store.sync().unwrap();
        // It can be written, and cannot be synced.
        let wal =
            store.wal.replace(File::options().read(true).write(true).open("/dev/null").unwrap()).unwrap();
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
        store.write(&[], Some(&position(100))).unwrap();
        drop(store);
        assert_eq!(Sqlite::open(&path).unwrap().position().unwrap(), Some(position(100)));
    }
}

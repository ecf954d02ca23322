//! The state in one SQLite file.
//!
//! All parts share one table of rows. WAL, one writer. A commit that carries a delivery waits for the disk; a power cut
//! may lose the last of the others, since their entries are then simply read again. SQLite itself waits for the disk
//! when it moves pages from its journal to the file (`synchronous=NORMAL`); in between, we wait when that is requested.

mod failure;
mod mark;
mod presence;
mod schema;
mod wal;

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use self::failure::{failure, no_file};
use self::mark::{Facts, Mark};
use self::presence::check_companions;
pub(super) use self::presence::is_there;
use self::schema::{APPLICATION, FORMAT};
use self::wal::Looks;
use super::error::StateError;
use super::files::beside;
use super::rows::{Change, Row, SourceRow};

/// The size of SQLite's page cache in KiB. It is small because changes are close together in the file, and the system
/// caches the file's pages too.
const CACHE: i64 = 512;

/// Above this size, the whole file is not checked at start: rows are checked when they are read.
const CHECKED_AT_START: u64 = 16 << 20;

const WRITABLE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE;

pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    /// The stored number of each opened part.
    parts: Vec<i64>,
    /// SQLite's journal. If the file system does not support WAL, there is none, and each commit waits for the disk.
    wal: Option<File>,
    /// Whether the disk refused some of the journal; then the journal must be written again.
    refused: bool,
    read_only: bool,
    /// The number of commits that it holds.
    commits: u64,
    mark: Option<Mark>,
}

impl Sqlite {
    /// A new file is made under another name first. So a file with this name is never incomplete, and an empty one is
    /// damaged: to take it for a new one would be to start with nothing, silently.
    pub(super) fn open(path: &Path) -> Result<Sqlite, StateError> {
        let failed = |e: &std::io::Error| no_file(path, e);
        if !is_there(path)? {
            let new = beside(path, ".new");
            for end in ["", "-wal", "-shm", "-journal"] {
                let _ = std::fs::remove_file(beside(&new, end));
            }
            let mut store = Sqlite::connect(&new, WRITABLE | OpenFlags::SQLITE_OPEN_CREATE)?;
            store.prepare()?;
            drop(store);
            std::fs::rename(&new, path).map_err(|e| failed(&e))?;
            mark::sync_directory_of(path).map_err(|e| failed(&e))?;
        }
        // A link to the file is followed; SQLite's further files are where the file really is.
        let real = path.canonicalize().map_err(|e| failed(&e))?;
        check_companions(path, &real)?;
        let wal = beside(&real, "-wal");
        leaving_no_journal(&wal, || Sqlite::open_there(path, &real, &wal))
    }

    /// Opens the state at `path`, whose real path is `real`.
    fn open_there(path: &Path, real: &Path, wal: &Path) -> Result<Sqlite, StateError> {
        let failed = |e: &std::io::Error| no_file(path, e);
        let marked = mark::read(path).map_err(|e| failed(&e))?;
        let looks = wal::look(wal).map_err(|e| failed(&e))?;
        if let Looks::Broken { frame } = looks
            && marked.as_ref().is_some_and(Facts::is_of_this_boot)
        {
            let detail = format!("its write-ahead log {}, in frame {frame}", wal.display());
            return Err(StateError::Damaged { path: path.to_owned(), detail });
        }
        let mut store = Sqlite::connect(path, WRITABLE)?;
        let identity = mark::identity(&path.metadata().map_err(|e| failed(&e))?);
        store.commits = store.compare_with(marked.as_ref(), identity, looks != Looks::Absent)?;
        store.sources()?;
        // The file is proved to be sound: from here on it may be changed.
        store.may_checkpoint(true)?;
        store.prepare()?;
        store.wal = match File::options().read(true).write(true).open(wal) {
            Ok(wal) => Some(wal),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(StateError::File { path: wal.into(), reason: e.to_string() }),
        };
        let synchronous = if store.wal.is_some() { "NORMAL" } else { "FULL" };
        let set = store.connection.pragma_update(None, "synchronous", synchronous);
        set.map_err(|e| store.fail(&e))?;
        // Nobody else may read what entries say; SQLite gives its further files the mode of this one.
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::set_permissions(beside(real, end), std::fs::Permissions::from_mode(0o600));
        }
        store.sync()?;
        let mut boot = mark::this_boot();
        if matches!(looks, Looks::Broken { .. }) && !store.empty_journal() {
            // A power cut left frames after the journal's end that would look like damage next time.
            boot = String::new();
        }
        let facts = Facts { written: store.commits, synced: store.commits, boot, file: identity };
        store.mark = Some(Mark::make(path, facts).map_err(|e| failed(&e))?);
        Ok(store)
    }

    /// Checks that everything is there that the mark says was written. Returns the number of commits, from which the
    /// next commit continues.
    fn compare_with(
        &self,
        marked: Option<&Facts>,
        identity: (u64, u64),
        has_journal: bool,
    ) -> Result<u64, StateError> {
        if !has_journal {
            self.check_length()?;
        }
        let stored = schema::commits(&self.connection).map_err(|e| self.fail(&e))?;
        let Some(marked) = marked else { return Ok(stored.unwrap_or(0)) };
        // A version that does not count commits wrote last.
        let Some(stored) = stored else { return Ok(marked.written) };
        let least = if has_journal { marked.synced } else { marked.written };
        if stored >= least {
            return Ok(stored);
        }
        let lost = least - stored;
        if identity != marked.file {
            if !self.read_only {
                tracing::warn!(
                    "{}: the state was replaced by another file, which has {lost} commits less: reading resumes \
                     where that one stopped",
                    self.path.display()
                );
            }
            return Ok(stored);
        }
        let why = if has_journal { "is damaged" } else { "is missing or damaged" };
        let detail = format!(
            "it contains {stored} commits, but {least} were written: its write-ahead log ({}) {why}, or an older \
             copy was written over it (to continue with that copy, remove {})",
            beside(&self.path, "-wal").display(),
            beside(&self.path, "-mark").display()
        );
        Err(StateError::Lost { path: self.path.clone(), detail })
    }

    /// Checks that the last page of the file is complete: SQLite reads what is missing of it as zeros. While there is a
    /// journal, the page may be in there.
    fn check_length(&self) -> Result<(), StateError> {
        let page = schema::pragma(&self.connection, "page_size").map_err(|e| self.fail(&e))?;
        let length = std::fs::metadata(&self.path).map_err(|e| no_file(&self.path, &e))?.len();
        if length.is_multiple_of(page.cast_unsigned()) {
            return Ok(());
        }
        let detail = format!("it was cut within a page, to {length} bytes");
        Err(StateError::Damaged { path: self.path.clone(), detail })
    }

    /// Moves all of the journal into the file, and begins a new one; returns `true` if that is done.
    fn empty_journal(&self) -> bool {
        let done =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        done == Ok(0)
    }

    fn prepare(&mut self) -> Result<(), StateError> {
        let made = schema::make(&mut self.connection, self.commits);
        made.map_err(|e| self.fail(&e))
    }

    pub(super) fn open_read_only(path: &Path) -> Result<Sqlite, StateError> {
        let real = path.canonicalize().map_err(|e| no_file(path, &e))?;
        check_companions(path, &real)?;
        let wal = beside(&real, "-wal");
        // Read the mark before the state: a bound that was raised in between would be too high for the state.
        let marked = mark::read(path).ok().flatten();
        let has_journal = wal::begins(&wal).unwrap_or(true);
        leaving_no_journal(&wal, || {
            let mut store = Sqlite::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            store.read_only = true;
            let identity = mark::identity(&path.metadata().map_err(|e| no_file(path, &e))?);
            store.compare_with(marked.as_ref(), identity, has_journal)?;
            Ok(store)
        })
    }

    /// Opens the file, and checks that it is one of ours and sound; changes nothing.
    fn connect(path: &Path, flags: OpenFlags) -> Result<Sqlite, StateError> {
        let fail = |e: &rusqlite::Error| failure(path, e);
        let damaged = |detail: &str| StateError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
        let is_new = flags.contains(OpenFlags::SQLITE_OPEN_CREATE);
        if !is_new && std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return Err(damaged("it is empty"));
        }
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
            .map_err(|e| fail(&e))?;
        connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| fail(&e))?;
        // For SQLite, a negative number means KiB, a positive one pages.
        connection.pragma_update(None, "cache_size", -CACHE).map_err(|e| fail(&e))?;
        let store = Sqlite {
            connection,
            path: path.to_owned(),
            parts: Vec::new(),
            wal: None,
            refused: false,
            read_only: false,
            commits: 0,
            mark: None,
        };
        // Until the file is proved to be sound, its journal is not written into it: a damaged file is left as it is.
        store.may_checkpoint(is_new)?;
        let pragma = |name: &str| schema::pragma(&store.connection, name);
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
                // Its first line only names the database, and there is only one.
                return Err(damaged(verdict.lines().last().unwrap_or_default()));
            }
        }
        Ok(store)
    }

    fn may_checkpoint(&self, may: bool) -> Result<(), StateError> {
        let set = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !may);
        set.map(drop).map_err(|e| self.fail(&e))
    }

    /// Makes the error that the stored rows of a part make no sense to it.
    pub(super) fn damaged_part(&self, part: &str, reason: &str) -> StateError {
        StateError::Damaged { path: self.path.clone(), detail: format!("part `{part}`: {reason}") }
    }

    fn fail(&self, error: &rusqlite::Error) -> StateError {
        failure(&self.path, error)
    }

    /// Returns the position of each source.
    pub(super) fn sources(&self) -> Result<Vec<SourceRow>, StateError> {
        schema::sources(&self.connection).map_err(|e| self.fail(&e))
    }

    /// Returns the stored number of a part, and its rows. Call [`Sqlite::number`] with that number once the part is
    /// loaded from them.
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

    /// Assigns this stored number to the next part of this run.
    pub(super) fn number(&mut self, stored: i64) {
        self.parts.push(stored);
    }

    /// Visits the stored rows of a part. `index` is its number in this run; the file has its own number.
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

    /// Writes changes and positions.
    pub(super) fn write(&mut self, changes: &[Change], sources: &[SourceRow]) -> Result<(), StateError> {
        if self.read_only {
            return Ok(());
        }
        let commits = self.commits + 1;
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
            }
            schema::write_sources(&transaction, sources, commits)?;
            transaction.commit()
        };
        write().map_err(|e| self.fail(&e))?;
        self.commits = commits;
        if let Some(mark) = &mut self.mark {
            mark.written(commits);
        }
        Ok(())
    }

    /// Waits until everything written is on the disk.
    pub(super) fn sync(&mut self) -> Result<(), StateError> {
        if let Some(wal) = &self.wal {
            let again = if self.refused { write_again(wal) } else { Ok(()) };
            let synced = again.and_then(|()| wal.sync_data());
            self.refused = synced.is_err();
            synced.map_err(|e| StateError::File {
                path: self.path.clone(),
                reason: format!("writing to the disk failed: {e}"),
            })?;
        }
        if let Some(mark) = &mut self.mark {
            mark.synced(self.commits);
        }
        Ok(())
    }
}

/// Opens a state. SQLite makes a journal if there is none; after an error, that would be mistaken for the missing one,
/// so it is removed.
fn leaving_no_journal(
    wal: &Path,
    open: impl FnOnce() -> Result<Sqlite, StateError>,
) -> Result<Sqlite, StateError> {
    let was_there = wal.exists();
    open().inspect_err(|_| {
        if !was_there && wal.metadata().is_ok_and(|wal| wal.len() == 0) {
            let _ = std::fs::remove_file(wal);
        }
    })
}

/// Rewrites a file with its own content. Linux reports only once that it could not write something to the disk; from
/// then on it treats it as written, and a second sync would report success. So everything is written again. Nobody else
/// writes to the file.
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

#[cfg(test)]
mod format_1_tests;
#[cfg(test)]
mod tests;

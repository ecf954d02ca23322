//! The tables of the state, in the format that this program writes and in the former one.
//!
//! Format 2 keeps a position for each source. Format 1 had one, of the journal: it becomes the position of the source
//! `journal`, in the same transaction that raises the format. So the file is always of one format or of the other.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::state::rows::{Position, SourceRow};
use crate::time::Timestamp;

/// The format that this program writes; a change of the schema increments it.
pub(super) const FORMAT: i64 = 2;

/// `PRAGMA application_id`: "pyru".
pub(super) const APPLICATION: i64 = 0x7079_7275;

/// The source whose position format 1 stored.
const FORMER_SOURCE: &str = "journal";

/// The row of no source. It counts the commits that change no position.
const NO_SOURCE: i64 = 0;

pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    let known = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    connection.query_row(known, [name], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// Makes what is missing, and converts a file of the former format, which holds this number of commits.
pub(super) fn make(connection: &mut Connection, commits: u64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // The count of commits is in this table because nearly every commit writes the page that holds it anyway.
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS parts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
         CREATE TABLE IF NOT EXISTS rows (part INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                                          PRIMARY KEY (part, key)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS sources (id INTEGER PRIMARY KEY, name TEXT, place BLOB, time INTEGER,
                                             commits INTEGER NOT NULL);",
    )?;
    if has_table(&transaction, "position")? {
        transaction.execute(
            "INSERT INTO sources SELECT 1, ?1, CAST(coalesce(cursor, '') AS BLOB), realtime, ?2 FROM position",
            params![FORMER_SOURCE, commits.cast_signed()],
        )?;
        transaction.execute_batch("DROP TABLE position")?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    // To write the same version again makes a read-only file or a full disk show up now, not at the first ban.
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Returns the number of commits; `None` if a version that does not count them wrote the file last.
pub(super) fn commits(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    let query = if has_table(connection, "sources")? {
        "SELECT coalesce(max(commits), 0) FROM sources"
    } else {
        let column = "SELECT count(*) FROM pragma_table_info('position') WHERE name = 'commits'";
        if connection.query_row(column, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(None);
        }
        "SELECT commits FROM position"
    };
    let stored: Option<Option<i64>> = connection.query_row(query, [], |row| row.get(0)).optional()?;
    Ok(stored.map_or(Some(0), |commits| commits.map(i64::cast_unsigned)))
}

/// Returns the position of each source.
pub(super) fn sources(connection: &Connection) -> rusqlite::Result<Vec<SourceRow>> {
    let query = if has_table(connection, "sources")? {
        "SELECT id, name, place, time FROM sources WHERE name IS NOT NULL ORDER BY id"
    } else if has_table(connection, "position")? {
        "SELECT 1, 'journal', CAST(coalesce(cursor, '') AS BLOB), realtime FROM position"
    } else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| {
        let position = Position { place: row.get(2)?, time: Timestamp(row.get(3)?) };
        Ok(SourceRow { id: row.get(0)?, name: row.get(1)?, position: Some(position), is_changed: false })
    })?;
    rows.collect()
}

/// Writes the positions that have changed, and this number of commits.
pub(super) fn write_sources(
    transaction: &Transaction<'_>,
    sources: &[SourceRow],
    commits: u64,
) -> rusqlite::Result<()> {
    let commits = commits.cast_signed();
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO sources (id, name, place, time, commits) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut is_counted = false;
    for SourceRow { id, name, position, .. } in sources.iter().filter(|row| row.is_changed) {
        if let Some(Position { place, time }) = position {
            put.execute(params![id, name, place, time.0, commits])?;
            is_counted = true;
        } else {
            transaction.execute("DELETE FROM sources WHERE id = ?1", [id])?;
        }
    }
    if !is_counted {
        put.execute(params![NO_SOURCE, None::<&str>, None::<&[u8]>, None::<i64>, commits])?;
    }
    Ok(())
}

//! The bans in force, from the database of fail2ban (`fail2ban.sqlite3`).
//!
//! It is opened for reading only, and fail2ban may run meanwhile. A database of another version, a locked one, and one
//! that others could have written are errors: nothing is taken over then.

use std::path::Path;
use std::time::Duration;

use pyruse_core::network::Network;
use pyruse_core::trust;
use rusqlite::{Connection, OpenFlags};

/// The version that fail2ban 0.11 and later write.
const VERSION: i64 = 4;

/// How long to wait while fail2ban writes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The most bans that are read.
const MOST: usize = 200_000;

/// A ban in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ban {
    pub(super) jail: String,
    pub(super) address: Network,
    /// How many seconds are left; 0: it never ends.
    pub(super) left: u64,
}

/// The bans of a database.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bans {
    pub(super) in_force: Vec<Ban>,
    /// How many have ended.
    pub(super) ended: usize,
    /// How many are of something that is no address, or have other wrong values.
    pub(super) unusable: usize,
}

/// Reads the bans that are in force at that time, in seconds since 1970.
pub(super) fn read(path: &Path, now: i64) -> Result<Bans, String> {
    let shown = path.display();
    let found = path.metadata().map_err(|e| format!("{shown}: {e}"))?;
    trust::check(path, &found, "who could choose what is banned")?;
    let failed = |e: rusqlite::Error| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            format!("{shown} is locked by another program: stop fail2ban, and try again")
        }
        _ => format!("{shown} cannot be read: {e}"),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(LOCK_TIMEOUT).map_err(failed)?;
    let version: i64 =
        connection.query_row("SELECT max(version) FROM fail2banDb", (), |row| row.get(0)).map_err(failed)?;
    if version != VERSION {
        return Err(format!("{shown} has version {version}, and only {VERSION} is known"));
    }
    let mut statement = connection
        .prepare("SELECT jail, ip, timeofban, bantime FROM bips ORDER BY jail, ip")
        .map_err(failed)?;
    let mut rows = statement.query(()).map_err(failed)?;
    let mut bans = Bans::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let values = || -> rusqlite::Result<(String, String, i64, i64)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        };
        let Ok((jail, ip, since, length)) = values() else {
            bans.unusable += 1;
            continue;
        };
        let Some(address) = Network::parse(&ip) else {
            bans.unusable += 1;
            continue;
        };
        // Negative: for ever.
        let left = if length < 0 { 0 } else { since.saturating_add(length).saturating_sub(now) };
        match u64::try_from(left) {
            Ok(left) if length < 0 || left > 0 => bans.in_force.push(Ban { jail, address, left }),
            _ => bans.ended += 1,
        }
        if bans.in_force.len() > MOST {
            return Err(format!("{shown} has more than {MOST} bans in force"));
        }
    }
    Ok(bans)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{Ban, Network, read};

    #[test]
    fn bans_in_force_are_read_with_the_time_left_and_another_version_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE fail2banDb(version INTEGER); INSERT INTO fail2banDb VALUES (4);
                 CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER);
                 INSERT INTO bips VALUES ('192.0.2.1', 'a', 1000, 600), ('192.0.2.2', 'a', 100, 600),
                     ('2001:db8::1', 'b', 5, -1), ('user', 'b', 1000, 600), ('192.0.2.3', 'b', 'x', 600),
                     ('192.0.2.4', 'c', 9223372036854775807, 9223372036854775807);",
            )
            .unwrap();
        let bans = read(&path, 1100).unwrap();
        let ban = |jail: &str, ip: &str, left| Ban {
            jail: jail.into(),
            address: Network::parse(ip).unwrap(),
            left,
        };
        assert_eq!(bans.in_force[..2], [ban("a", "192.0.2.1", 500), ban("b", "2001:db8::1", 0)]);
        assert_eq!((bans.in_force.len(), bans.ended, bans.unusable), (3, 1, 2));
        connection.execute("UPDATE fail2banDb SET version = 5", ()).unwrap();
        assert_eq!(
            read(&path, 0).unwrap_err(),
            format!("{} has version 5, and only 4 is known", path.display())
        );
        std::fs::write(&path, "no database").unwrap();
        assert!(read(&path, 0).unwrap_err().contains("cannot be read"));
    }
}

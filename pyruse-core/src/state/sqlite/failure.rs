//! Explains failures: what went wrong, and what you can do about it.

use std::io::ErrorKind;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::state::error::StateError;

/// Makes the error that the file, or its directory, cannot be used.
pub(super) fn no_file(path: &Path, error: &std::io::Error) -> StateError {
    let reason = match error.kind() {
        ErrorKind::StorageFull => FULL.to_owned(),
        _ => error.to_string(),
    };
    StateError::File { path: path.to_owned(), reason }
}

const FULL: &str = "the disk is full; free some space, and reading resumes where it stopped";

/// Makes the error of a request that SQLite could not do.
pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> StateError {
    let damaged = |detail: String| StateError::Damaged { path: path.to_owned(), detail };
    // If there is no room for the index of SQLite's journal, the device has not failed either.
    let no_room =
        error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
    let reason = match error.sqlite_error_code() {
        code if code == Some(ErrorCode::DiskFull) || no_room => FULL.into(),
        Some(ErrorCode::NotADatabase) => return damaged("it is not an SQLite file".into()),
        Some(ErrorCode::DatabaseCorrupt) => return damaged(error.to_string()),
        Some(ErrorCode::ReadOnly) => "it cannot be written: it is read-only, or its directory is".into(),
        Some(ErrorCode::CannotOpen) => "it cannot be opened: check the directory and its permissions".into(),
        Some(ErrorCode::PermissionDenied) => "permission denied".into(),
        Some(ErrorCode::DatabaseBusy) => "another program has locked it".into(),
        Some(ErrorCode::SystemIoFailure) => {
            format!("reading or writing failed ({error}); is the disk full or damaged?")
        }
        None if is_of_another_type(error) => return damaged(error.to_string()),
        _ => error.to_string(),
    };
    StateError::File { path: path.to_owned(), reason }
}

/// Returns `true` if a stored value is not of the type that this program stores there.
fn is_of_another_type(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..)
    )
}

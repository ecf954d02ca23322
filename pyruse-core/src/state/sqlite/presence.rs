//! Checks whether there is a state, was one, or never was; and whether its files are regular files.

use std::io::ErrorKind;
use std::path::Path;

use super::failure::no_file;
use crate::state::error::StateError;
use crate::state::files::{beside, irregular};

/// Returns whether there is a state. One that was there and is gone is an error.
pub(in crate::state) fn is_there(path: &Path) -> Result<bool, StateError> {
    let lost = |detail: String| StateError::Lost { path: path.to_owned(), detail };
    let is_nothing = |e: &std::io::Error| e.kind() == ErrorKind::NotFound;
    let entry = match path.symlink_metadata() {
        Ok(entry) => entry,
        Err(e) if !is_nothing(&e) => return Err(no_file(path, &e)),
        Err(_) => {
            let (mark, wal) = (beside(path, "-mark"), beside(path, "-wal"));
            return if mark.symlink_metadata().is_ok() {
                Err(lost(format!("the file is missing, but {} says that there was one", mark.display())))
            } else if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
                Err(lost(format!("the file is missing, but its write-ahead log {} is not", wal.display())))
            } else {
                Ok(false)
            };
        }
    };
    if entry.is_symlink() && path.metadata().is_err_and(|e| is_nothing(&e)) {
        let target = std::fs::read_link(path).unwrap_or_default();
        return Err(lost(format!(
            "it is a link to {}, which does not exist: is that file system mounted?",
            target.display()
        )));
    }
    match irregular(path) {
        Some(reason) => Err(StateError::File { path: path.to_owned(), reason }),
        None => Ok(true),
    }
}

/// Checks the files that belong to the state at `path`, whose real path is `real`.
pub(super) fn check_companions(path: &Path, real: &Path) -> Result<(), StateError> {
    let companions = ["-wal", "-shm", "-journal"].map(|end| beside(real, end));
    let reason = companions.iter().chain([&beside(path, "-mark")]).find_map(|file| irregular(file));
    reason.map_or(Ok(()), |reason| Err(StateError::File { path: path.to_owned(), reason }))
}

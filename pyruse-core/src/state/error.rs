//! The error type of the state.

use std::path::{Path, PathBuf};

/// The reason why the state cannot be used. The file is never changed or replaced before such an error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file cannot be opened, read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The content of the file cannot be used.
    #[error(
        "{path}: the file is damaged ({detail}); it was not changed. Put a backup in its place; or start with empty \
         state on purpose: {}, then start again",
        put_aside(path)
    )]
    Damaged {
        /// The file of the state.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// There was a state, and it is gone, completely or in part.
    #[error(
        "{path}: the state is lost: {detail}; nothing was changed. Bring it back; or start with empty state on \
         purpose: {}, then start again",
        put_aside(path)
    )]
    Lost {
        /// The file of the state.
        path: PathBuf,
        /// What is missing.
        detail: String,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{path} was written by a newer version (its format is {found}, this program supports up to {known}); use \
         that version, or start with empty state in another `storage` directory"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this program knows.
        known: i64,
    },
    /// A stored part makes no sense to the module that reads it.
    #[error("the stored part `{part}` cannot be read: {reason}")]
    Part {
        /// The part.
        part: String,
        /// Why.
        reason: String,
    },
    /// Two modules use one name for different things.
    #[error("the part `{0}` of the state is opened with two different types")]
    Kind(String),
}

impl StateError {
    /// Returns `true` if the state itself is gone or damaged, so that another try does not help.
    pub fn is_loss(&self) -> bool {
        matches!(self, StateError::Damaged { .. } | StateError::Lost { .. })
    }
}

/// Returns the command that moves a state out of the way: all its files, without overwriting an earlier copy.
fn put_aside(path: &Path) -> String {
    let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let lost = quoted(&directory.join("lost"));
    format!("mkdir -p {lost} && mv --backup=numbered {}* {lost}", quoted(path))
}

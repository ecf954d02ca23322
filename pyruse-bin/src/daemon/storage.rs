//! The directory of the state: its place, its lock, and whether it can be trusted.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pyruse_core::state::State;

use crate::configuration;

const FILE: &str = "state.sqlite";

/// The state of a daemon, held by it alone.
pub(crate) struct Storage {
    pub(crate) state: State,
    _lock: File,
}

/// The file of the state.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// Opens the state to change it; another daemon's is refused.
pub(crate) fn open(directory: &Path) -> anyhow::Result<Storage> {
    if !directory.exists() {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("the storage directory {} cannot be made", directory.display()))?;
    }
    for path in [directory, &file(directory)] {
        configuration::check_ownership(path).map_err(anyhow::Error::msg)?;
    }
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options
        .open(&path)
        .with_context(|| format!("the storage directory {} cannot be written", directory.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another Pyruse is running with the state in {}", directory.display())
        }
        Err(TryLockError::Error(e)) => return Err(e).with_context(|| path.display().to_string()),
    }
    Ok(Storage { state: State::open_file(&file(directory))?, _lock: lock })
}

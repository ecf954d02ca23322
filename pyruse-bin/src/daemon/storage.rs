//! The directory of the state: its place, its lock, and whether it can be trusted.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use pyruse_core::state::State;
use signal_hook::consts::SIGUSR1;

use crate::configuration;

const FILE: &str = "state.sqlite";

/// The state of a daemon, held by it alone.
pub(crate) struct Storage {
    pub(crate) state: State,
    lock: File,
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Nobody is to be asked any more.
        let _ = self.lock.set_len(0);
    }
}

/// The file of the state.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// What became of opening the state to change it.
pub(crate) enum Opened {
    /// It is ours.
    Free(Box<Storage>),
    /// The daemon with this process id holds it.
    Held(i32),
}

/// Opens the state to change it; another daemon's is refused.
pub(crate) fn open(directory: &Path) -> anyhow::Result<Storage> {
    match try_open(directory)? {
        Opened::Free(storage) => Ok(*storage),
        Opened::Held(pid) => {
            bail!("another Pyruse is running with the state in {} (process {pid})", directory.display())
        }
    }
}

/// Opens the state to change it, if no daemon holds it.
pub(crate) fn try_open(directory: &Path) -> anyhow::Result<Opened> {
    if !directory.exists() {
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("the storage directory {} cannot be made", directory.display()))?;
    }
    for path in [directory, &file(directory)] {
        configuration::check_ownership(path).map_err(anyhow::Error::msg)?;
    }
    let path = directory.join("lock");
    let shown = || path.display().to_string();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options
        .open(&path)
        .with_context(|| format!("the storage directory {} cannot be written", directory.display()))?;
    match lock.try_lock() {
        Ok(()) => {
            // From here on `report send` may ask whoever holds the lock; who is no daemon, or not yet, must not die of it.
            signal_hook::flag::register(SIGUSR1, Arc::default()).with_context(shown)?;
            // A full disk is told by the state, with what to do.
            let _ = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            lock.read_to_string(&mut pid).with_context(shown)?;
            return Ok(Opened::Held(pid.trim().parse().unwrap_or(0)));
        }
        Err(TryLockError::Error(e)) => return Err(e).with_context(shown),
    }
    Ok(Opened::Free(Box::new(Storage { state: State::open_file(&file(directory))?, lock })))
}

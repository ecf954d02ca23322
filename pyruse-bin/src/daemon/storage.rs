//! The directory of the state: its place, its lock, and whether it can be trusted.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use pyruse_core::state::State;
use signal_hook::consts::SIGUSR1;

use crate::configuration;

const FILE: &str = "state.sqlite";

/// So long a lock is waited for whose owner is gone.
const ORPHANED: Duration = Duration::from_secs(5);

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
    if let Some(pid) = take(&mut lock).with_context(shown)? {
        return Ok(Opened::Held(pid));
    }
    // From here on `report send` may ask whoever holds the lock; who is no daemon, or not yet, must not die of it.
    signal_hook::flag::register(SIGUSR1, Arc::default()).with_context(shown)?;
    // A full disk is told by the state, with what to do.
    let _ =
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
    Ok(Opened::Free(Box::new(Storage { state: State::open_file(&file(directory))?, lock })))
}

/// Takes the lock, or gives the process that holds it.
///
/// Who is killed while it starts a program leaves the lock to that program for the moment until it has begun: a lock
/// whose owner is gone is waited for.
fn take(lock: &mut File) -> std::io::Result<Option<i32>> {
    let end = Instant::now() + ORPHANED;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) => {}
        }
        let mut pid = String::new();
        lock.rewind()?;
        lock.read_to_string(&mut pid)?;
        let pid = pid.trim().parse().unwrap_or(0);
        let is_gone = pid > 0 && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
        if !is_gone || Instant::now() >= end {
            return Ok(Some(pid));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

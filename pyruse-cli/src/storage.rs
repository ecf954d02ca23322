//! The directory of the state: its place, its lock, and whether it can be trusted.
//!
//! A process that changes the state holds the lock: a daemon, or a command if no daemon runs. The lock file says who
//! holds it, and how to ask: it contains the process number and, for a daemon, the path of its control socket.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use pyruse_core::state::{State, StateError, irregular};
use pyruse_core::time::Clock;

use crate::owner::Owner;

const FILE: &str = "state.sqlite";
const LOCK: &str = "lock";

/// How long to wait for a lock whose owner has died.
const ORPHANED: Duration = Duration::from_secs(5);

/// The maximum length of a path.
const LONGEST_PATH: u64 = 4096;

/// The directory of the state, locked by this process.
pub struct Storage {
    /// The owner of the directory.
    pub owner: Owner,
    /// Why the daemon runs without the state in this directory: it then has one in memory.
    pub lost: Option<String>,
    lock: File,
}

impl Storage {
    /// Writes the path of our control socket to the lock file.
    pub fn announce_socket(&mut self, socket: &Path) -> std::io::Result<()> {
        write_lock(&mut self.lock, Some(socket))
    }

    /// Continues without the state, which is not changed. A machine whose state is lost must still be protected,
    /// because an attack does not wait until somebody reads the log.
    pub fn go_without(&mut self, why: &anyhow::Error) -> State {
        self.lost = Some(format!("{why:#}"));
        State::in_memory().with_clock(Clock::system())
    }
}

/// Returns `true` if the state itself is lost or damaged.
pub fn is_loss(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StateError>().is_some_and(StateError::is_loss)
}

impl Drop for Storage {
    fn drop(&mut self) {
        // Nobody can be asked any more.
        let _ = self.lock.set_len(0);
    }
}

/// The holder of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// 0 if the lock file has no number.
    pub(crate) pid: i32,
    /// The path of its control socket, if it has one.
    pub(crate) socket: Option<PathBuf>,
}

/// Returns the path of the state file.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The result of opening the state to change it.
pub(crate) enum Opened {
    /// It was opened, and this process holds the lock.
    Free(Storage, Box<State>),
    /// Another process holds it.
    Held(Holder),
}

/// Opens the state for a daemon; fails if another process holds it. If it is lost or damaged, the daemon continues
/// without it.
pub fn open(directory: &Path) -> anyhow::Result<(Storage, State)> {
    match open_or(directory, StateError::is_loss)? {
        Opened::Free(storage, state) => Ok((storage, *state)),
        Opened::Held(Holder { pid, .. }) => {
            bail!("another Pyruse is running with the state in {} (process {pid})", directory.display())
        }
    }
}

/// Opens the state to change it, if no other process holds it.
pub(crate) fn try_open(directory: &Path) -> anyhow::Result<Opened> {
    open_or(directory, |_| false)
}

fn open_or(directory: &Path, goes_without: fn(&StateError) -> bool) -> anyhow::Result<Opened> {
    if !directory.exists() {
        if let Ok(target) = std::fs::read_link(directory) {
            bail!(
                "the storage directory {} is a link to {}, which does not exist: is that file system mounted?",
                directory.display(),
                target.display()
            );
        }
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        made.with_context(|| format!("the storage directory {} cannot be created", directory.display()))?;
    }
    let owner = Owner::of(directory).map_err(anyhow::Error::msg)?;
    let _as_owner = owner.enter();
    let path = directory.join(LOCK);
    check_regular(&path)?;
    let file = file(directory);
    if file.exists() {
        check_regular(&file)?;
    }
    for path in [&path, &file] {
        owner.check_file(path).map_err(anyhow::Error::msg)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut lock = options.open(&path).map_err(|e| {
        let what = format!("the storage directory {} cannot be written", directory.display());
        forbidden(owner, &e).unwrap_or_else(|| anyhow::Error::new(e)).context(what)
    })?;
    if let Some(holder) = take(&mut lock).with_context(|| path.display().to_string())? {
        return Ok(Opened::Held(holder));
    }
    // If the disk is full, the state reports that, with the remedy.
    let _ = write_lock(&mut lock, None);
    let mut storage = Storage { owner, lost: None, lock };
    let state = match State::open_file(&file) {
        Ok(state) => state,
        Err(e) if goes_without(&e) => storage.go_without(&e.into()),
        Err(e) => return Err(e.into()),
    };
    Ok(Opened::Free(storage, Box::new(state)))
}

/// Opening a FIFO for reading would block for ever.
fn check_regular(path: &Path) -> anyhow::Result<()> {
    irregular(path).map_or(Ok(()), |why| Err(anyhow::Error::msg(why)))
}

/// Reads the present state, without changing it; `None` if there is none yet.
pub(crate) fn read(directory: &Path) -> anyhow::Result<Option<State>> {
    let shown = || format!("the state in {} cannot be read", directory.display());
    let missing = |e: &std::io::Error| e.kind() == ErrorKind::NotFound;
    if directory.metadata().is_err_and(|e| missing(&e)) {
        return Ok(None);
    }
    let owner = Owner::of(directory).map_err(anyhow::Error::msg)?;
    let _as_owner = owner.enter();
    let file = file(directory);
    match file.metadata() {
        // It may also be lost.
        Err(e) if !missing(&e) => {
            return Err(forbidden(owner, &e).unwrap_or_else(|| e.into()).context(shown()));
        }
        _ => {}
    }
    if !State::is_in_file(&file)? {
        return Ok(None);
    }
    owner.check_file(&file).map_err(anyhow::Error::msg)?;
    if let Err(e) = File::open(&file) {
        return Err(forbidden(owner, &e).unwrap_or_else(|| e.into()).context(shown()));
    }
    Ok(Some(State::read_file(&file)?))
}

/// The table of locks is read in pieces, and locks that are taken or released meanwhile can hide a line of it.
const LOOKS: u32 = 5;

/// Returns the holder of the state, without taking the lock: otherwise a daemon that just starts would find it held.
pub(crate) fn holder(directory: &Path) -> anyhow::Result<Option<Holder>> {
    let path = directory.join(LOCK);
    if directory.metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let owner = Owner::of(directory).map_err(anyhow::Error::msg)?;
    let _as_owner = owner.enter();
    check_regular(&path)?;
    let mut lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => {
            let what = format!("the storage directory {} cannot be read", directory.display());
            return Err(forbidden(owner, &e).unwrap_or_else(|| e.into()).context(what));
        }
    };
    let holder = read_lock(&mut lock).with_context(|| path.display().to_string())?;
    let inode = lock.metadata()?.ino();
    let is_locked =
        (0..LOOKS).any(|_| std::fs::read_to_string("/proc/locks").map_or(true, |table| is_in(&table, inode)));
    let is_dead = holder.pid > 0 && is_gone(holder.pid);
    Ok((is_locked && !is_dead).then_some(holder))
}

/// Returns `true` if the whole file with that inode is locked, according to /proc/locks.
fn is_in(table: &str, inode: u64) -> bool {
    // A line looks like this: 1: FLOCK ADVISORY WRITE 4711 08:01:1234 0 EOF
    let end = format!(":{inode}");
    table.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&"FLOCK") && words.get(5).is_some_and(|file| file.ends_with(&end))
    })
}

/// Returns the error for a user without permission.
fn forbidden(owner: Owner, error: &std::io::Error) -> Option<anyhow::Error> {
    let denied = error.kind() == ErrorKind::PermissionDenied;
    denied.then(|| anyhow::anyhow!("permission denied{}", owner.why_denied()))
}

fn write_lock(lock: &mut File, socket: Option<&Path>) -> std::io::Result<()> {
    let mut text = format!("{}\n", std::process::id()).into_bytes();
    text.extend(socket.map_or(&b""[..], |socket| socket.as_os_str().as_bytes()));
    lock.rewind()?;
    // Writes in one piece, and only then truncates: a concurrent reader finds a number, perhaps with an old path after
    // it.
    lock.write_all(&text)?;
    lock.set_len(text.len() as u64)
}

fn read_lock(lock: &mut File) -> std::io::Result<Holder> {
    let mut text = Vec::new();
    lock.rewind()?;
    lock.take(LONGEST_PATH + 20).read_to_end(&mut text)?;
    let (pid, path) = text.split_at(text.iter().position(|b| *b == b'\n').unwrap_or(text.len()));
    let pid = std::str::from_utf8(pid).ok().and_then(|pid| pid.trim().parse().ok()).unwrap_or(0);
    let path = path.strip_prefix(b"\n").filter(|path| path.starts_with(b"/"));
    Ok(Holder { pid, socket: path.map(|path| std::ffi::OsStr::from_bytes(path).into()) })
}

fn is_gone(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

/// Takes the lock, or returns its holder.
///
/// If the owner dies between fork and exec, its child holds the lock until exec closes it: so wait for a lock whose
/// owner has died.
fn take(lock: &mut File) -> std::io::Result<Option<Holder>> {
    let end = Instant::now() + ORPHANED;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = read_lock(lock)?;
        if holder.pid <= 0 || !is_gone(holder.pid) || Instant::now() >= end {
            return Ok(Some(holder));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

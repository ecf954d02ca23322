//! Detects that /var/log/journal or /run/log/journal is created while the machine's own journal is being read.
//!
//! An administrator who wants a persistent journal creates /var/log/journal, and journald writes there from then on.
//! libsystemd does not watch for that. The parent directories change rarely, so watching them costs an idle daemon
//! nothing.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::places::ROOTS;

/// Watches the parents of both directories.
pub(super) struct Arrivals(Inotify);

impl Arrivals {
    /// Starts watching; `None` if a directory cannot be watched.
    pub(super) fn watch() -> Option<Arrivals> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
        let events = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        for parent in ROOTS.map(Path::new).into_iter().filter_map(Path::parent) {
            inotify.add_watch(parent, events).ok()?;
        }
        Some(Arrivals(inotify))
    }

    /// Returns the descriptor that becomes readable when something was created.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Discards the events.
    pub(super) fn clear(&self) {
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

//! Notices that /var/log/journal or /run/log/journal is made while the machine's own journal is being read.
//!
//! Somebody who wants a journal that outlives a reboot makes /var/log/journal, and journald writes there from then on.
//! libsystemd does not watch for that. The directories above change rarely, so watching them costs an idle daemon nothing.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::places::ROOTS;

/// Watches the directories that the two stand in.
pub(super) struct Arrivals(Inotify);

impl Arrivals {
    /// From now on; `None` where one of them cannot be watched.
    pub(super) fn watch() -> Option<Arrivals> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok()?;
        let events = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        for parent in ROOTS.map(Path::new).into_iter().filter_map(Path::parent) {
            inotify.add_watch(parent, events).ok()?;
        }
        Some(Arrivals(inotify))
    }

    /// Readable when something has come.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Takes note of it.
    pub(super) fn clear(&self) {
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

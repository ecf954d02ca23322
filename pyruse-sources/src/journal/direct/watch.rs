//! Notices what happens to the files of a journal.
//!
//! journald writes through a mapping, which inotify does not see; so after entries it sets the file's length to what it
//! is, which inotify reports as a change. New files, renamed and deleted ones are reported for their directory.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// In the directories of files.
const FILES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// In directories where such a directory may be made or removed.
const DIRECTORIES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE);

/// What inotify reports of a change in a file.
const CHANGE: AddWatchFlags = AddWatchFlags::IN_MODIFY;

/// See the module.
pub(super) struct Watch {
    inotify: Inotify,
    watched: HashSet<PathBuf>,
    /// Directories above those of files, and what may happen there: to these names.
    above: HashSet<WatchDescriptor>,
    names: HashSet<OsString>,
    /// Whether a directory could not be watched.
    is_partial: bool,
    /// Whether nothing is watched yet.
    is_new: bool,
}

impl Watch {
    pub(super) fn new() -> nix::Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Watch {
            inotify,
            watched: HashSet::new(),
            above: HashSet::new(),
            names: HashSet::new(),
            is_partial: false,
            is_new: true,
        })
    }

    /// Watches these directories from now on. If one does not exist, the directory above it is watched, too; and if it is a
    /// symbolic link, which can be replaced: in a directory such as `/var/log`, much else happens.
    pub(super) fn add(&mut self, directories: &[PathBuf]) {
        (self.is_partial, self.is_new) = (false, false);
        // Adding a watch again changes nothing; and where a directory was made again, it is a new one.
        self.watched.clear();
        for watch in self.above.drain() {
            // It is gone if its directory is.
            let _ = self.inotify.rm_watch(watch);
        }
        self.names =
            directories.iter().filter_map(|directory| directory.file_name()).map(OsStr::to_owned).collect();
        for directory in directories {
            let exists = self.watch(directory, FILES).is_some();
            if exists && !directory.is_symlink() {
                continue;
            }
            let above = directory.parent().filter(|above| !directories.iter().any(|other| other == above));
            let watch = above.and_then(|above| self.watch(above, DIRECTORIES));
            self.above.extend(watch);
            if !exists {
                // It may have been made between the two.
                self.watched.remove(directory);
                self.watch(directory, FILES);
            }
        }
    }

    fn watch(&mut self, directory: &Path, events: AddWatchFlags) -> Option<WatchDescriptor> {
        if !self.watched.insert(directory.to_owned()) {
            return None;
        }
        match self.inotify.add_watch(directory, events | AddWatchFlags::IN_ONLYDIR) {
            Ok(watch) => return Some(watch),
            Err(Errno::ENOENT) if directory.parent().is_some_and(Path::exists) => {}
            Err(e) => {
                tracing::debug!("watching {}: {e}", directory.display());
                self.is_partial = true;
            }
        }
        None
    }

    /// Is nothing watched yet? What has happened before is not known.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Must be looked from time to time, because something is not watched?
    pub(super) fn is_partial(&self) -> bool {
        self.is_partial
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Takes note of what has happened. Returns `true` if there may be other files than before; `is_known` says whether
    /// a file of that name is open.
    pub(super) fn clear(&self, is_known: impl Fn(&Path) -> bool) -> bool {
        let mut have_changed = false;
        loop {
            match self.inotify.read_events() {
                Ok(events) if events.is_empty() => return have_changed,
                Ok(events) => {
                    have_changed |= events.iter().any(|event| {
                        // A watch was removed; if its directory was, another event says so.
                        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                            return false;
                        }
                        let name = event.name.as_deref().map(Path::new);
                        let is_other = name.is_some_and(|name| !self.names.contains(name.as_os_str()));
                        if self.above.contains(&event.wd) && is_other {
                            return false;
                        }
                        !(event.mask.intersects(CHANGE) && name.is_some_and(&is_known))
                    });
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return have_changed,
                Err(_) => return true,
            }
        }
    }
}

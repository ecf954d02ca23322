//! Notices what happens to log files and in their directories: by inotify, or where that cannot be had, by looking from
//! time to time.
//!
//! A file is watched by itself, so that the other files of its directory wake up nobody. Directories are watched for
//! files that come, go, or get another name or mode.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::statfs::statfs;

/// How often to look where nothing is reported.
pub(super) const POLL: Duration = Duration::from_secs(2);

/// File systems where others change files without this machine's knowledge: NFS, SMB (three numbers), FUSE, 9p, Ceph,
/// AFS.
const REMOTE: [i64; 8] =
    [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];

const IN_DIRECTORY: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// What has happened.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The numbers of files that have changed.
    pub(super) changed: BTreeSet<usize>,
    /// Names in directories that now stand for something else.
    pub(super) names: BTreeSet<PathBuf>,
    /// Anything may have happened.
    pub(super) all: bool,
}

/// See the module.
pub(super) struct Watch {
    inotify: Option<Inotify>,
    files: HashMap<WatchDescriptor, usize>,
    directories: HashMap<WatchDescriptor, PathBuf>,
    watched: HashMap<PathBuf, WatchDescriptor>,
    /// Whether something is not watched, and the next time to look at it.
    poll: Option<Instant>,
    /// What is new about that, for the log.
    pub(super) notices: Vec<String>,
    noticed: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        #[cfg(test)]
        if tests::IS_EXHAUSTED.get() {
            return Watch::with(Err(Errno::EMFILE));
        }
        Watch::with(Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC))
    }

    /// Without inotify, for commands, which do not wait.
    pub(super) fn none() -> Watch {
        Watch::with(Err(Errno::ENOSYS))
    }

    fn with(inotify: nix::Result<Inotify>) -> Watch {
        let mut watch = Watch {
            inotify: None,
            files: HashMap::new(),
            directories: HashMap::new(),
            watched: HashMap::new(),
            poll: None,
            notices: Vec::new(),
            noticed: BTreeSet::new(),
        };
        match inotify {
            Ok(inotify) => watch.inotify = Some(inotify),
            Err(Errno::ENOSYS) => watch.poll = Some(Instant::now() + POLL),
            Err(e) => {
                let help =
                    if e == Errno::EMFILE { " (raise the sysctl fs.inotify.max_user_instances)" } else { "" };
                watch.poll_for(Path::new("/"), &format!("inotify cannot be used: {e}{help}"));
            }
        }
        watch
    }

    fn poll_for(&mut self, path: &Path, why: &str) {
        self.poll.get_or_insert_with(|| Instant::now() + POLL);
        if self.noticed.len() < 100 && self.noticed.insert(path.to_owned()) {
            self.notices.push(format!("{why}: log files are looked at every {} seconds", POLL.as_secs()));
        }
    }

    /// Watches these directories, and no others any more.
    pub(super) fn set_directories(&mut self, directories: &BTreeSet<PathBuf>) {
        let gone: Vec<_> = self.watched.keys().filter(|path| !directories.contains(*path)).cloned().collect();
        for path in gone {
            if let Some(descriptor) = self.watched.remove(&path) {
                self.directories.remove(&descriptor);
                self.remove(descriptor);
            }
        }
        for path in directories {
            self.watch_directory(path);
        }
    }

    fn watch_directory(&mut self, path: &Path) {
        if let Ok(found) = statfs(path)
            && is_remote(&found)
        {
            self.poll_for(path, &format!("{} is on a network file system", path.display()));
            return;
        }
        let Some(inotify) = &self.inotify else { return };
        // Watching again changes nothing; a directory that was made again is another one.
        match inotify.add_watch(path, IN_DIRECTORY) {
            Ok(descriptor) => {
                if let Some(former) = self.watched.insert(path.to_owned(), descriptor)
                    && former != descriptor
                {
                    self.directories.remove(&former);
                }
                self.directories.insert(descriptor, path.to_owned());
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(e) => self.poll_for(path, &format!("{} cannot be watched: {}", path.display(), words(e))),
        }
    }

    /// Watches the file of this number.
    pub(super) fn add_file(&mut self, number: usize, path: &Path, file: &File) -> Option<WatchDescriptor> {
        let inotify = self.inotify.as_ref()?;
        // Not by its name, which may be that of another file meanwhile.
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        match inotify.add_watch(name.as_str(), AddWatchFlags::IN_MODIFY) {
            Ok(descriptor) => {
                self.files.insert(descriptor, number);
                Some(descriptor)
            }
            Err(e) => {
                self.poll_for(path, &format!("{} cannot be watched: {}", path.display(), words(e)));
                None
            }
        }
    }

    /// Watches a file no longer.
    pub(super) fn remove_file(&mut self, descriptor: WatchDescriptor) {
        if self.files.remove(&descriptor).is_some() {
            self.remove(descriptor);
        }
    }

    fn remove(&self, descriptor: WatchDescriptor) {
        if let Some(inotify) = &self.inotify {
            // The kernel has removed it if the file is gone.
            let _ = inotify.rm_watch(descriptor);
        }
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Is something not watched?
    pub(super) fn polls(&self) -> bool {
        self.poll.is_some()
    }

    /// How long to wait at most.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.poll.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Returns `true` if it is time to look at everything.
    pub(super) fn is_poll_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.poll.is_some_and(|at| at <= now);
        if is_due {
            self.poll = Some(now + POLL);
        }
        is_due
    }

    /// Takes what has happened.
    pub(super) fn take(&mut self) -> Events {
        let mut events = Events::default();
        let Some(inotify) = &self.inotify else { return events };
        loop {
            match inotify.read_events() {
                Ok(found) if found.is_empty() => return events,
                Ok(found) => {
                    for event in found {
                        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                            events.all = true;
                        } else if let Some(number) = self.files.get(&event.wd) {
                            events.changed.insert(*number);
                        } else if let Some(directory) = self.directories.get(&event.wd) {
                            let name =
                                event.name.map_or_else(|| directory.clone(), |name| directory.join(name));
                            events.names.insert(name);
                        }
                        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                            self.files.remove(&event.wd);
                            if let Some(path) = self.directories.remove(&event.wd) {
                                self.watched.remove(&path);
                                events.names.insert(path);
                            }
                        }
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return events,
                Err(_) => {
                    events.all = true;
                    return events;
                }
            }
        }
    }
}

fn words(error: Errno) -> String {
    match error {
        Errno::ENOSPC => {
            "there are too many watches (raise the sysctl fs.inotify.max_user_watches)".to_owned()
        }
        error => error.to_string(),
    }
}

#[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "the type differs between machines")]
fn is_remote(found: &nix::sys::statfs::Statfs) -> bool {
    REMOTE.contains(&((found.filesystem_type().0 as i64) & 0xffff_ffff))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// As if there were no further instance of inotify.
        pub(in crate::file) static IS_EXHAUSTED: Cell<bool> = const { Cell::new(false) };
    }
}

//! Follows the files of lists, and the machine's own addresses. A file that cannot be used leaves the list as it was.
//!
//! A file is read when a writer closes it or when it gets its name, so a file that is being written is not read half.
//! Once a minute all files are looked at: a directory above may have been replaced, and other machines change files
//! without a notice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use pyruse_core::network::Network;
use pyruse_core::time::Timestamp;

use super::file::{self, Refused, Stamp};
use super::own::{self, Notices};
use super::part::Origin;
use super::updates::Updates;

/// How often to look at everything.
const POLL: Duration = Duration::from_secs(60);

/// A file that was changed more recently may still be written, if nobody has said that it is closed.
const SETTLED: Duration = Duration::from_secs(2);

/// What ends the reading of a file by a name.
const WATCHED: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_ONLYDIR);

/// A file.
struct Followed {
    is_optional: bool,
    /// The stamp of what was read, or refused, last; `None`: it was missing.
    stamp: Option<Stamp>,
    /// What is wrong with it, if anything is.
    problem: Option<String>,
}

/// Everything that is followed.
struct Watch<'u> {
    updates: &'u Updates,
    files: BTreeMap<PathBuf, Followed>,
    inotify: Option<Inotify>,
    directories: HashMap<WatchDescriptor, PathBuf>,
    notices: Option<Notices>,
    has_own: bool,
}

/// Follows files and addresses until `stop` is readable.
pub(super) fn run(updates: &Updates, stop: impl AsFd) {
    let mut watch = Watch::new(updates);
    if watch.files.is_empty() && !watch.has_own {
        return;
    }
    // What has changed since the configuration was read.
    watch.look_at_all();
    watch.read_addresses();
    let mut next = Instant::now() + POLL;
    while !updates.ends() {
        updates.publish();
        let timeout = next.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let [stops, files, addresses] = watch.wait(&stop, timeout);
        if stops {
            return;
        }
        if files {
            watch.read_events();
        }
        if addresses {
            watch.notices.iter().for_each(Notices::clear);
            watch.read_addresses();
        }
        if Instant::now() >= next {
            next = Instant::now() + POLL;
            watch.watch_directories();
            watch.look_at_all();
            watch.read_addresses();
        }
    }
}

impl<'u> Watch<'u> {
    fn new(updates: &'u Updates) -> Watch<'u> {
        let origins = updates.origins();
        let has_own = origins.contains(&Origin::Own);
        let files: BTreeMap<PathBuf, Followed> = origins
            .iter()
            .filter_map(Origin::path)
            .map(|(path, is_optional)| {
                (path.to_owned(), Followed { is_optional, stamp: None, problem: None })
            })
            .collect();
        let flags = InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC;
        let inotify = if files.is_empty() { None } else { Inotify::init(flags).ok() };
        if inotify.is_none() && !files.is_empty() {
            let seconds = POLL.as_secs();
            tracing::warn!(
                "inotify cannot be used: the files of lists are looked at every {seconds} seconds"
            );
        }
        let notices = has_own.then(Notices::open).and_then(|opened| {
            let seconds = POLL.as_secs();
            let failed = |e: &nix::errno::Errno| {
                tracing::warn!(
                    "netlink cannot be used ({e}): own addresses are read every {seconds} seconds"
                );
            };
            opened.inspect_err(failed).ok()
        });
        let mut watch = Watch { updates, files, inotify, directories: HashMap::new(), notices, has_own };
        watch.watch_directories();
        watch
    }

    /// Watches the directories that the files are in now, also behind links.
    fn watch_directories(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        for path in self.files.keys() {
            let real = path.canonicalize().ok();
            let parents = [Some(path.clone()), real].into_iter().flatten();
            for directory in parents.filter_map(|path| path.parent().map(Path::to_owned)) {
                if let Ok(descriptor) = inotify.add_watch(&directory, WATCHED) {
                    self.directories.insert(descriptor, directory);
                }
            }
        }
    }

    fn wait(&self, stop: &impl AsFd, timeout: PollTimeout) -> [bool; 3] {
        let mut fds = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
        let inotify = self.inotify.as_ref().map(|inotify| {
            fds.push(PollFd::new(inotify.as_fd(), PollFlags::POLLIN));
            fds.len() - 1
        });
        let notices = self.notices.as_ref().map(|notices| {
            fds.push(PollFd::new(notices.as_fd(), PollFlags::POLLIN));
            fds.len() - 1
        });
        // After an error, everything is looked at when the time is over.
        let _ = poll(&mut fds, timeout);
        let is_ready = |at: Option<usize>| at.is_some_and(|at| fds[at].any().unwrap_or(false));
        [is_ready(Some(0)), is_ready(inotify), is_ready(notices)]
    }

    /// Reads the files whose names have events.
    fn read_events(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut names: BTreeSet<PathBuf> = BTreeSet::new();
        let mut all = false;
        while let Ok(events) = inotify.read_events() {
            for event in events {
                match (self.directories.get(&event.wd), event.name) {
                    (Some(directory), Some(name)) => drop(names.insert(directory.join(name))),
                    // Events were lost, or the directory itself is gone.
                    _ => all = true,
                }
            }
        }
        if all {
            self.watch_directories();
            self.look_at_all();
        }
        let is_named = |path: &PathBuf| {
            names.contains(path) || path.canonicalize().is_ok_and(|real| names.contains(&real))
        };
        let paths: Vec<PathBuf> = self.files.keys().filter(|path| is_named(path)).cloned().collect();
        for path in paths {
            self.look_at(&path);
        }
    }

    fn look_at_all(&mut self) {
        let is_settled = |path: &Path| {
            let changed = path.metadata().and_then(|found| found.modified()).ok();
            changed.is_none_or(|time| SystemTime::now().duration_since(time).is_ok_and(|age| age >= SETTLED))
        };
        let settled: Vec<PathBuf> = self.files.keys().filter(|path| is_settled(path)).cloned().collect();
        for path in settled {
            self.look_at(&path);
        }
    }

    /// Reads a file if it has changed.
    fn look_at(&mut self, path: &Path) {
        let Some(followed) = self.files.get_mut(path) else { return };
        let stamp = Stamp::at(path);
        if stamp.is_some() && stamp == followed.stamp {
            return;
        }
        let origin = Origin::File { path: path.to_owned(), is_optional: followed.is_optional };
        let read = match file::read(path) {
            Err(Refused::Missing(_)) if followed.is_optional => Ok((Arc::default(), None)),
            Err(refused) => Err(refused.why().to_owned()),
            Ok(content) => Ok((content.networks, Some((content.changed, content.stamp)))),
        };
        match read {
            Ok((networks, found)) => {
                followed.stamp = found.map(|(_, stamp)| stamp);
                if followed.problem.take().is_some() {
                    tracing::info!(
                        "{}: {} can be used again",
                        self.updates.lists_with(&origin),
                        path.display()
                    );
                }
                take(self.updates, &origin, &networks, found.map(|(changed, _)| changed));
            }
            Err(why) => {
                followed.stamp = stamp;
                if followed.problem.as_ref() != Some(&why) {
                    let lists = self.updates.lists_with(&origin);
                    tracing::error!("{lists}: what was read before stays in force: {why}");
                    self.updates.change(&origin, |part| {
                        part.problem = Some(why.clone());
                        false
                    });
                    followed.problem = Some(why);
                }
            }
        }
    }

    fn read_addresses(&mut self) {
        if !self.has_own {
            return;
        }
        match own::addresses() {
            Ok(networks) => take(self.updates, &Origin::Own, &networks, Some(Timestamp::now())),
            // The next look tries again.
            Err(why) => self.updates.change(&Origin::Own, |part| {
                part.problem = Some(why.clone());
                false
            }),
        }
    }
}

/// Puts networks into the parts of this origin, if they are others.
fn take(updates: &Updates, origin: &Origin, networks: &Arc<[Network]>, since: Option<Timestamp>) {
    let is_same = |networks: &[Network], part: &super::part::Part| {
        *part.networks == *networks
            && part.problem.is_none()
            && (part.since == since || *origin == Origin::Own)
    };
    if updates.all(origin, |part| is_same(networks, part)) {
        return;
    }
    updates.change(origin, |part| {
        let is_changed = part.networks != *networks;
        *part = super::part::Part::new(part.origin.clone(), networks.clone(), since);
        is_changed
    });
}

//! The names in directories: listed once for all files that are followed there.
//!
//! A listing is kept as long as the directory was not changed: its time of modification says that, unless the change was
//! so recent that another one may have the same time.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The largest number of names in a directory that are looked at.
const NAMES_LIMIT: usize = 100_000;

/// Two changes within this time may have the same time of modification.
const FINE: Duration = Duration::from_millis(100);

/// The same on a file system that knows no fractions of a second.
const COARSE: Duration = Duration::from_secs(3);

/// A name in a directory.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) name: OsString,
    pub(super) inode: u64,
}

/// The names in a directory, sorted.
#[derive(Debug)]
pub(super) struct Listing {
    stamp: Stamp,
    names: Vec<Name>,
}

/// It differs after a change of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Directories {
    listings: HashMap<PathBuf, Listing>,
    /// Directories with more names than are looked at.
    cut: Vec<PathBuf>,
}

impl Directories {
    /// Returns the names in a directory as they are now.
    pub(super) fn list(&mut self, directory: &Path) -> io::Result<&Listing> {
        let stamp = Stamp::of(&fs::metadata(directory)?);
        let is_kept = self.listings.get(directory).is_some_and(|listing| listing.stamp == stamp);
        if !is_kept {
            let listed_at = SystemTime::now();
            let mut listing = Listing { stamp, names: Vec::new() };
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                if listing.names.len() == NAMES_LIMIT {
                    self.cut.push(directory.to_owned());
                    break;
                }
                listing.names.push(Name { name: entry.file_name(), inode: entry.ino() });
            }
            listing.names.sort_unstable();
            if !stamp.is_older_than(listed_at) {
                listing.stamp = Stamp::UNKNOWN;
            }
            self.listings.insert(directory.to_owned(), listing);
        }
        // It was there, or was put there.
        self.listings.get(directory).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Takes the directories in which not all names were looked at, and says so in words.
    pub(super) fn take_cut(&mut self) -> impl Iterator<Item = (PathBuf, String)> {
        std::mem::take(&mut self.cut).into_iter().map(|directory| {
            let text = format!(
                "{}: it has more than {NAMES_LIMIT} names; rotated files among the others are not found",
                directory.display()
            );
            (directory, text)
        })
    }

    /// Frees the memory.
    pub(super) fn forget(&mut self) {
        self.listings = HashMap::new();
    }
}

impl Listing {
    /// Those that begin with some bytes.
    pub(super) fn with_prefix(&self, prefix: &OsStr) -> impl Iterator<Item = &Name> {
        let start = self.names.partition_point(|name| name.name.as_os_str() < prefix);
        let prefix = prefix.as_bytes();
        self.names[start..].iter().take_while(move |name| name.name.as_bytes().starts_with(prefix))
    }

    /// Those of some inodes.
    pub(super) fn with_inodes(&self, inodes: &[u64]) -> impl Iterator<Item = &Name> {
        self.names.iter().filter(|name| inodes.contains(&name.inode))
    }
}

impl Stamp {
    /// No directory has this one.
    const UNKNOWN: Stamp = Stamp { device: u64::MAX, inode: u64::MAX, modified: (i64::MIN, 0) };

    fn of(metadata: &Metadata) -> Stamp {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Stamp { device: metadata.dev(), inode: metadata.ino(), modified }
    }

    /// Would a change at this time, or later, have another stamp?
    fn is_older_than(&self, time: SystemTime) -> bool {
        let (seconds, fraction) = self.modified;
        let (Ok(seconds), Ok(fraction)) = (u64::try_from(seconds), u32::try_from(fraction)) else {
            return false;
        };
        let Some(modified) = UNIX_EPOCH.checked_add(Duration::new(seconds, fraction)) else { return false };
        let least = if fraction == 0 { COARSE } else { FINE };
        time.duration_since(modified).is_ok_and(|age| age >= least)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn names(directories: &mut Directories, path: &Path, prefix: &str) -> Vec<String> {
        let listing = directories.list(path).unwrap();
        let text = |name: &Name| name.name.to_string_lossy().into_owned();
        listing.with_prefix(prefix.as_ref()).map(text).collect()
    }

    /// Sets the time of modification of a directory.
    fn modified(path: &Path, ago: Duration, fraction: u32) {
        let seconds = (SystemTime::now() - ago).duration_since(UNIX_EPOCH).unwrap().as_secs();
        File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::new(seconds, fraction)).unwrap();
    }

    #[test]
    fn names_are_found_by_how_they_begin_and_by_inode() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "a.log", "a.log.1", "b", "a\u{e9}"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let mut directories = Directories::default();
        assert_eq!(names(&mut directories, directory.path(), "a.log"), ["a.log", "a.log.1"]);
        assert_eq!(names(&mut directories, directory.path(), "c"), [""; 0]);
        assert_eq!(names(&mut directories, directory.path(), "").len(), 5);
        let inode = fs::metadata(directory.path().join("b")).unwrap().ino();
        let listing = directories.list(directory.path()).unwrap();
        let found: Vec<_> = listing.with_inodes(&[inode]).map(|name| name.name.clone()).collect();
        assert_eq!(found, ["b"]);
        assert!(directories.list(&directory.path().join("none")).is_err());
    }

    #[test]
    fn a_listing_is_kept_until_the_directory_changes() {
        for (ago, fraction) in [(Duration::from_secs(60), 7), (Duration::from_secs(60), 0)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            fs::write(path.join("one"), "").unwrap();
            modified(path, ago, fraction);
            let mut directories = Directories::default();
            assert_eq!(names(&mut directories, path, ""), ["one"]);
            assert_ne!(directories.listings[path].stamp, Stamp::UNKNOWN, "it is kept");
            fs::rename(path.join("one"), path.join("two")).unwrap();
            assert_eq!(names(&mut directories, path, ""), ["two"]);
        }
    }

    #[test]
    fn a_listing_is_not_kept_when_a_change_could_have_the_same_time() {
        for (ago, fraction) in [(Duration::from_secs(1), 0), (Duration::ZERO, 999_999_999)] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path();
            fs::write(path.join("one"), "").unwrap();
            modified(path, ago, fraction);
            let stamp = Stamp::of(&fs::metadata(path).unwrap());
            let mut directories = Directories::default();
            assert_eq!(names(&mut directories, path, ""), ["one"]);
            fs::rename(path.join("one"), path.join("two")).unwrap();
            // The change has left the same time.
            modified(path, ago, fraction);
            if Stamp::of(&fs::metadata(path).unwrap()) == stamp {
                assert_eq!(names(&mut directories, path, ""), ["two"]);
            }
        }
    }

    #[test]
    fn a_directory_that_was_replaced_is_listed_again() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("logs");
        let mut directories = Directories::default();
        for name in ["one", "two"] {
            fs::create_dir(&path).unwrap();
            fs::write(path.join(name), "").unwrap();
            modified(&path, Duration::from_secs(60), 7);
            assert_eq!(names(&mut directories, &path, ""), [name]);
            fs::rename(&path, above.path().join(name)).unwrap();
        }
    }
}

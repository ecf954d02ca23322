//! Finds what a log file has become: the files beside it, or in the directory of rotated files, by their names and by
//! their inodes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pyruse_core::access;

use super::directories::{Directories, Name};
use super::identity::{FileId, changed};
use super::input::Packing;

/// The largest number of rotated files of one log file that are looked at: the latest ones.
const SIBLINGS_LIMIT: usize = 1000;

/// The largest number of times that a listing is repeated.
const TRIES: usize = 10;

/// The longest mark of a rotation in a name, in bytes.
const MARK_LIMIT: usize = 40;

/// A file beside a log file.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) changed: i64,
    pub(super) size: u64,
    pub(super) packing: Option<Packing>,
    /// Whether the name is that of a rotated file.
    pub(super) is_rotated: bool,
}

/// Returns the rotated files of a log file, and the files that have one of these inodes, whatever their names: in the
/// order in which they were changed. A file that is being compressed is listed once, as the plain one.
///
/// `rotated` is the directory that rotated files are moved to, if it is another one; it may be relative to that of the
/// file. While files are renamed, a listing may miss some, so it is repeated until it stays the same.
pub(super) fn list(
    directories: &mut Directories,
    path: &Path,
    rotated: Option<&Path>,
    inodes: &[u64],
) -> io::Result<Vec<Sibling>> {
    let mut found = list_once(directories, path, rotated, inodes)?;
    for _ in 0..TRIES {
        let again = list_once(directories, path, rotated, inodes)?;
        let is_same = |(one, other): (&Sibling, &Sibling)| one.path == other.path && one.id == other.id;
        let are_same = found.len() == again.len() && found.iter().zip(&again).all(is_same);
        found = again;
        if are_same {
            break;
        }
    }
    Ok(found)
}

fn list_once(
    directories: &mut Directories,
    path: &Path,
    rotated: Option<&Path>,
    inodes: &[u64],
) -> io::Result<Vec<Sibling>> {
    let (Some(directory), Some(base)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut found = list_directory(directories, directory, base, false, inodes)?;
    if let Some(other) = rotated.map(|rotated| directory.join(rotated)).filter(|other| other != directory) {
        match list_directory(directories, &other, base, true, inodes) {
            Ok(there) => found.extend(there),
            // logrotate makes it when it needs it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io::Error::new(e.kind(), access::failure(&other, &e))),
        }
    }
    let plain: BTreeSet<PathBuf> = found
        .iter()
        .filter(|sibling| sibling.packing.is_none())
        .map(|sibling| sibling.path.clone())
        .collect();
    found.retain(|sibling| sibling.packing.is_none() || !plain.contains(&sibling.path.with_extension("")));
    // Of two that were changed at the same time, the one with the larger number is older.
    let number = |sibling: &Sibling| std::cmp::Reverse(number(sibling.path.file_name().unwrap_or_default()));
    found.sort_by_key(|sibling| (sibling.changed, number(sibling)));
    let over = found.len().saturating_sub(SIBLINGS_LIMIT);
    found.drain(..over);
    Ok(found)
}

/// `is_other`: it is the directory of rotated files, in which the name of the log file is that of a rotated one, too.
fn list_directory(
    directories: &mut Directories,
    directory: &Path,
    base: &OsStr,
    is_other: bool,
    inodes: &[u64],
) -> io::Result<Vec<Sibling>> {
    let listing = directories.list(directory)?;
    let is_named = |name: &OsStr| is_rotation_of(base, name) || (is_other && name == base);
    let rotated = listing.with_prefix(stem(base)).filter(|name| is_named(&name.name));
    let others =
        listing.with_inodes(inodes).filter(|name| !is_named(&name.name) && (is_other || name.name != base));
    let sibling = |name: &Name| {
        let path = directory.join(&name.name);
        // It may be gone meanwhile. What is a link was not made by a rotation.
        let metadata = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
        Some(Sibling {
            id: FileId::of(&metadata),
            changed: changed(&metadata),
            size: metadata.len(),
            packing: Packing::of(&path),
            is_rotated: is_named(&name.name),
            path,
        })
    };
    Ok(rotated.chain(others).filter_map(sibling).collect())
}

/// The last number in a name.
fn number(name: &OsStr) -> u64 {
    let name = name.as_bytes();
    let end = name.iter().rposition(u8::is_ascii_digit).map_or(0, |last| last + 1);
    let start = name[..end].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(0, |last| last + 1);
    std::str::from_utf8(&name[start..end]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// What the names of all rotated files begin with.
fn stem(base: &OsStr) -> &OsStr {
    let dot = base.as_bytes().iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    dot.map_or(base, |dot| OsStr::from_bytes(&base.as_bytes()[..dot]))
}

/// Is this the name that a rotation gives to a file with the name `base`: `access.log.1`, `access.log-20261118.gz`,
/// `access-20261118.log`, `access.log.old`?
pub(super) fn is_rotation_of(base: &OsStr, name: &OsStr) -> bool {
    let is_packed = Packing::of(Path::new(name)).is_some();
    let unpacked = if is_packed { Path::new(name).file_stem().unwrap_or(name) } else { name };
    let (stem, base, name) = (stem(base).as_bytes(), base.as_bytes(), unpacked.as_bytes());
    if let Some(mark) = name.strip_prefix(base) {
        return is_mark(mark) || (is_packed && mark.is_empty());
    }
    let extension = &base[stem.len()..];
    name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)).is_some_and(is_mark)
}

/// `.1`, `-20261118`, `.2026-11-18T12:00`, `.old`.
fn is_mark(mark: &[u8]) -> bool {
    let Some((b'.' | b'-' | b'_', rest)) = mark.split_first() else { return false };
    let plain =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'_' | b'T' | b':' | b'Z' | b'+');
    let is_number = rest.iter().all(plain) && rest.iter().any(u8::is_ascii_digit);
    mark.len() <= MARK_LIMIT && (is_number || matches!(rest, b"old" | b"bak" | b"prev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_are_known() {
        let is = |name: &str| is_rotation_of(OsStr::new("access.log"), OsStr::new(name));
        for name in [
            "access.log.1",
            "access.log.12.gz",
            "access.log-20261118",
            "access.log-20261118.zst",
            "access-20261118.log",
            "access-2026-11-18.log.xz",
            "access.log.old",
            "access.log.gz",
            "access.log.2026-11-18T12:00",
        ] {
            assert!(is(name), "{name}");
        }
        for name in [
            "access.log",
            "access.log.ssl",
            "error.log.1",
            "access.log1",
            "access.logs.1",
            "other_access.log",
            "access-ssl.log",
            "access.",
            "access.log.",
            "access.log.-",
        ] {
            assert!(!is(name), "{name}");
        }
    }

    #[test]
    fn they_are_in_the_order_in_which_they_were_changed() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("log");
        for (name, second) in
            [("log", 9), ("log.1", 5), ("log.2", 5), ("log.3.gz", 1), ("log.9", 7), ("else", 2)]
        {
            let file = fs::File::create(directory.path().join(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(second)).unwrap();
        }
        fs::create_dir(directory.path().join("log.4")).unwrap();
        let inode = |name: &str| {
            std::os::unix::fs::MetadataExt::ino(&fs::metadata(directory.path().join(name)).unwrap())
        };
        let names = |inodes: &[u64]| -> Vec<String> {
            let name = |sibling: Sibling| sibling.path.file_name().unwrap().to_string_lossy().into_owned();
            list(&mut Directories::default(), &base, None, inodes).unwrap().into_iter().map(name).collect()
        };
        assert_eq!(names(&[]), ["log.3.gz", "log.2", "log.1", "log.9"]);
        assert_eq!(names(&[inode("else")]), ["log.3.gz", "else", "log.2", "log.1", "log.9"]);
    }
}

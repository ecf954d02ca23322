//! The position in log files, as bytes: which files, and how far each was read.
//!
//! The first line is the number of this format. The second has the patterns that were configured: a file that they did
//! not match is not a new one, only newly configured. Each further line is a followed file, as JSON.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::serde_json;

use super::identity::{FileId, Print};

const VERSION: &str = "1";

/// The size of what a compressed file holds.
pub(super) const UNKNOWN_SIZE: u64 = u64::MAX;

/// One file on the disk, and how far it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Mark {
    pub(super) device: u64,
    pub(super) inode: u64,
    #[serde(default)]
    born: i64,
    /// Length and hash.
    head: (u16, u64),
    tail: (u16, u64),
    pub(super) offset: u64,
    /// When it was changed last, and how large it was then.
    pub(super) changed: i64,
    pub(super) size: u64,
    /// Whether it was replaced by another file before.
    pub(super) is_old: bool,
}

impl Mark {
    pub(super) fn id(&self) -> FileId {
        FileId { device: self.device, inode: self.inode, born: self.born }
    }

    pub(super) fn set_id(&mut self, id: FileId) {
        (self.device, self.inode, self.born) = (id.device, id.inode, id.born);
    }

    pub(super) fn head(&self) -> Print {
        Print { length: self.head.0, hash: self.head.1 }
    }

    pub(super) fn tail(&self) -> Print {
        Print { length: self.tail.0, hash: self.tail.1 }
    }

    pub(super) fn set_prints(&mut self, head: Print, tail: Print) {
        (self.head, self.tail) = ((head.length, head.hash), (tail.length, tail.hash));
    }
}

/// A followed path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct StoredFile {
    /// See [`escape`].
    path: String,
    /// The files that are still read, the oldest first.
    pub(super) marks: Vec<Mark>,
    /// Rotated files that were changed up to this time are known.
    pub(super) floor: i64,
    /// What the last files that were read to their ends begin with.
    seen: Vec<(u16, u64)>,
    /// Device, inode and birth of each of them.
    #[serde(default)]
    seen_ids: Vec<(u64, u64, i64)>,
}

impl StoredFile {
    pub(super) fn new(
        path: &Path,
        marks: Vec<Mark>,
        floor: i64,
        seen: impl Iterator<Item = (Print, FileId)>,
    ) -> StoredFile {
        let (seen, seen_ids) =
            seen.map(|(print, id)| ((print.length, print.hash), (id.device, id.inode, id.born))).unzip();
        StoredFile { path: escape(path), marks, floor, seen, seen_ids }
    }

    pub(super) fn path(&self) -> PathBuf {
        unescape(&self.path)
    }

    pub(super) fn seen(&self) -> impl Iterator<Item = (Print, FileId)> {
        let ids = self.seen_ids.iter().copied().chain(std::iter::repeat((0, 0, 0)));
        self.seen.iter().zip(ids).map(|((length, hash), (device, inode, born))| {
            (Print { length: *length, hash: *hash }, FileId { device, inode, born })
        })
    }

    pub(super) fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// All of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) patterns: Vec<String>,
    pub(super) files: Vec<StoredFile>,
}

/// Writes a position.
pub(super) fn write<'l>(patterns: &[String], lines: impl Iterator<Item = &'l str>) -> Vec<u8> {
    let mut text = format!("{VERSION}\n{}\n", serde_json::to_string(patterns).unwrap_or_default());
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.into_bytes()
}

/// Reads a position; `None` if it has none of this format.
pub(super) fn read(bytes: &[u8]) -> Option<Place> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    if lines.next() != Some(VERSION) {
        return None;
    }
    let patterns = serde_json::from_str(lines.next()?).ok()?;
    // A damaged line is a file that is not known.
    let files = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
    Some(Place { patterns, files })
}

/// A path may have bytes that are not UTF-8: these, and `%`, are written `%XX`.
fn escape(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_graphic() && *byte != b'%' || *byte == b' ' {
            text.push(char::from(*byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(text, "%{byte:02x}");
        }
    }
    text
}

fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &more[2..] } else { more };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let path = PathBuf::from(OsString::from_vec(b"/var/log/\xff% \n\xc3\xa9".to_vec()));
        let mut mark = Mark { offset: u64::MAX, changed: -1, size: 7, is_old: true, ..Mark::default() };
        mark.set_id(FileId { device: 1, inode: u64::MAX, born: -1 });
        mark.set_prints(Print::of(b"head"), Print::of(b"tail"));
        let file = StoredFile::new(
            &path,
            vec![mark.clone(), mark],
            i64::MIN,
            [(Print::of(b"x"), FileId { device: 2, inode: 3, born: 4 })].into_iter(),
        );
        assert_eq!(file.path(), path);
        let patterns = vec!["/var/log/*".to_owned()];
        let bytes = write(&patterns, [file.to_line().as_str()].into_iter());
        assert_eq!(read(&bytes), Some(Place { patterns, files: vec![file] }));
    }

    proptest::proptest! {
        #[test]
        fn damaged_bytes_are_no_error(start in "(1\n)?(\\[\\]\n)?", bytes: Vec<u8>) {
            read(&[start.as_bytes(), &bytes].concat());
            read(&bytes);
            unescape(&String::from_utf8_lossy(&bytes));
        }
    }
}

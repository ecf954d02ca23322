//! How a file is recognised when its name says nothing: after a rotation, a restart, a compression.
//!
//! A device and an inode identify a file only while it exists, because inodes are reused: the time at which the file was
//! made tells one from the next, where the file system knows it. So what a file begins with, and what was read last of it, are remembered too, as fingerprints. A copy, and a compressed file when it is
//! decompressed, have the same.

use std::fs::Metadata;
use std::hash::Hasher;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use siphasher::sip::SipHasher13;

/// A fingerprint of the beginning covers at most this many bytes: more than the banner that a program may write into each
/// new file.
pub(super) const HEAD: usize = 16 * 1024;

/// A fingerprint of what was read last covers at most this many bytes.
pub(super) const TAIL: usize = 256;

/// A file on this machine, while it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// When it was made, in nanoseconds; 0 if that is not known.
    pub(super) born: i64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> FileId {
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|born| i64::try_from(born.as_nanos()).ok()).unwrap_or(0);
        FileId { device: metadata.dev(), inode: metadata.ino(), born }
    }
}

/// The time of the last change of a file, in nanoseconds: rotated files are in this order.
pub(super) fn changed(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// A fingerprint of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Print {
    /// The number of bytes.
    pub(super) length: u16,
    pub(super) hash: u64,
}

impl Print {
    pub(super) fn of(bytes: &[u8]) -> Print {
        let mut hasher = SipHasher13::new();
        hasher.write(bytes);
        // No fingerprint covers more than HEAD bytes.
        Print { length: u16::try_from(bytes.len()).unwrap_or(u16::MAX), hash: hasher.finish() }
    }

    pub(super) fn of_head(bytes: &[u8]) -> Print {
        Print::of(&bytes[..bytes.len().min(HEAD)])
    }

    pub(super) fn len(self) -> usize {
        usize::from(self.length)
    }

    /// Does it cover as much as a fingerprint of a beginning can? Of a shorter file, it covers all that was there.
    pub(super) fn is_full(self) -> bool {
        self.len() >= HEAD
    }

    pub(super) fn is_empty(self) -> bool {
        self.length == 0
    }

    /// Do these bytes begin with the same? Nothing is known of an empty file: then the answer is no.
    pub(super) fn begins(self, bytes: &[u8]) -> bool {
        !self.is_empty() && bytes.get(..self.len()).is_some_and(|start| Print::of(start) == self)
    }

    /// Are these bytes the same?
    pub(super) fn is_of(self, bytes: &[u8]) -> bool {
        Print::of(bytes) == self
    }
}

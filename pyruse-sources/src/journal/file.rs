//! A journal file (systemd.io/JOURNAL_FILE_FORMAT): its header, and which entries it contains.
//!
//! libsystemd returns entries, but not the file that they are in, and skips entries without an error. So the content of
//! a file is looked up in the file itself, outside of the reading loop. Everything in a file is untrusted: offsets may
//! point anywhere, and loops have bounds.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_NONBLOCK;
use pyruse_core::time::Timestamp;

/// The first bytes of a journal file.
pub(super) const SIGNATURE: &[u8; 8] = b"LPKSHHRH";

/// The size of the smallest header of any version, in bytes.
const HEADER: usize = 208;

/// The flag of the compact format: offsets in entry arrays have 32 bits.
const COMPACT: u32 = 1 << 4;

/// The flags of all features that are supported: compression by xz and lz4, keyed hashes, compression by zstd, compact.
const KNOWN: u32 = 0b1_1111;

#[cfg(test)]
thread_local! {
    /// Flags that do not count as supported: so a test has a file that only libsystemd can read.
    pub(super) static NOT_KNOWN: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// The state of a file that is no longer written to.
const ARCHIVED: u8 = 2;

/// The maximum number of entry arrays. Each is about as large as all before it together.
const LONGEST_CHAIN: usize = 128;

/// The maximum number of damaged entries in a row that are skipped.
const DAMAGED: u64 = 64;

/// The offset of the first item in an entry array.
const ITEMS: u64 = 24;

/// The identity of a file, or of a sequence of numbers.
pub(super) type Id = u128;

/// An open journal file.
#[derive(Debug)]
pub(super) struct JournalFile {
    pub(super) file: File,
    pub(super) header: Header,
}

/// The parts of a header that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    incompatible: u32,
    pub(super) is_archived: bool,
    pub(super) file_id: Id,
    pub(super) seqnum_id: Id,
    pub(super) entries: u64,
    /// The last number that was assigned, possibly to an entry that could not be linked.
    pub(super) last_number: u64,
    pub(super) first_number: u64,
    entry_array: u64,
    pub(super) last_time: Timestamp,
}

/// The head of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) time: Timestamp,
}

/// The entries of a file.
pub(super) struct Entries<'f> {
    file: &'f JournalFile,
    pieces: Pieces,
    pub(super) count: u64,
}

/// The parts of an entry array: for each, the offset of its first item, and the number of its items.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<(u64, u64)>,
    pub(super) count: u64,
}

impl JournalFile {
    pub(super) fn open(path: &Path) -> io::Result<JournalFile> {
        // Opening a device has effects.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        // Opening a FIFO that has taken its place must not block.
        let file = File::options().read(true).custom_flags(O_NONBLOCK).open(path)?;
        let header = Header::read(&file)?;
        Ok(JournalFile { file, header })
    }

    /// Reads the header again.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        self.header = Header::read(&self.file)?;
        Ok(())
    }

    /// Returns the entries that the header counts, as far as they can be found.
    pub(super) fn entries(&self) -> Entries<'_> {
        let pieces = self.pieces();
        Entries { file: self, count: pieces.count, pieces }
    }

    /// Finds the parts of the entry array.
    pub(super) fn pieces(&self) -> Pieces {
        let (mut at, mut left) = (self.header.entry_array, self.header.entries);
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let mut pieces = Vec::new();
        while at != 0 && left > 0 && pieces.len() < LONGEST_CHAIN {
            let Ok([size, next]) = self.words(at.saturating_add(8)) else { break };
            let start = at.saturating_add(ITEMS);
            let bytes = size.saturating_sub(ITEMS).min(length.saturating_sub(start));
            let items = (bytes / self.item()).min(left);
            pieces.push((start, items));
            left -= items;
            if next <= at {
                break;
            }
            at = next;
        }
        let count = pieces.iter().map(|(_, items)| items).sum();
        Pieces { pieces, count }
    }

    /// Returns the length of an item of an entry array, in bytes.
    pub(super) fn item(&self) -> u64 {
        if self.is_compact() { 4 } else { 8 }
    }

    pub(super) fn is_compact(&self) -> bool {
        self.header.incompatible & COMPACT != 0
    }

    fn words<const N: usize>(&self, at: u64) -> io::Result<[u64; N]> {
        let mut bytes = [[0; 8]; N];
        self.file.read_exact_at(bytes.as_flattened_mut(), at)?;
        Ok(bytes.map(u64::from_le_bytes))
    }
}

impl Header {
    fn read(file: &File) -> io::Result<Header> {
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0)?;
        if !bytes.starts_with(SIGNATURE) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a journal file"));
        }
        let u32 = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let u64 = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let id = |at: usize| Id::from_be_bytes(std::array::from_fn(|n| bytes[at + n]));
        Ok(Header {
            incompatible: u32(12),
            is_archived: bytes[16] == ARCHIVED,
            file_id: id(24),
            seqnum_id: id(72),
            entries: u64(152),
            last_number: u64(160),
            first_number: u64(168),
            entry_array: u64(176),
            last_time: time(u64(192)),
        })
    }

    /// Returns `true` if the file uses only features that are supported.
    pub(super) fn is_known(&self) -> bool {
        let known = KNOWN;
        #[cfg(test)]
        let known = known & !NOT_KNOWN.get();
        self.incompatible & !known == 0
    }
}

impl Pieces {
    /// Returns where the item with this index is, if items have that length, and how many items of the same part come
    /// after it.
    pub(super) fn place(&self, mut index: u64, item: u64) -> Option<(u64, u64)> {
        for (start, items) in &self.pieces {
            if index < *items {
                return Some((start.checked_add(index.checked_mul(item)?)?, items - index - 1));
            }
            index -= items;
        }
        None
    }
}

impl Entries<'_> {
    /// Returns the head of the entry with this index; `None` if it cannot be read.
    pub(super) fn head(&self, index: u64) -> Option<Head> {
        let (at, _) = self.pieces.place(index, self.file.item())?;
        let mut bytes = [0; 8];
        let length = if self.file.item() == 4 { 4 } else { 8 };
        self.file.file.read_exact_at(&mut bytes[..length], at).ok()?;
        let entry = u64::from_le_bytes(bytes);
        if entry == 0 {
            return None;
        }
        let [number, realtime] = self.file.words(entry.checked_add(16)?).ok()?;
        (number > 0).then(|| Head { number, time: time(realtime) })
    }

    /// Returns the indices of the entries with numbers above `after`, up to `upto`.
    pub(super) fn between(&self, after: u64, upto: u64) -> Range<u64> {
        let start = self.first_above(after);
        start..self.first_above(upto).max(start)
    }

    /// Returns the index of the first entry with a higher number. Within a file, numbers rise.
    pub(super) fn first_above(&self, number: u64) -> u64 {
        self.first_that(|head| head.number > number)
    }

    /// Returns the index of the first entry of this time or later, if the times in the file rise.
    pub(super) fn first_since(&self, time: Timestamp) -> u64 {
        self.first_that(|head| head.time >= time)
    }

    /// Returns the index of the first entry for which `holds` is true, by binary search.
    fn first_that(&self, holds: impl Fn(&Head) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            // For a damaged entry, the next readable one decides; at the end of a file, entries may not be written yet.
            let nearby = middle..high.min(middle + DAMAGED);
            let found = nearby.into_iter().find_map(|index| Some((index, self.head(index)?)));
            match found {
                Some((index, head)) if !holds(&head) => low = index + 1,
                _ => high = middle,
            }
        }
        low
    }
}

fn time(micros: u64) -> Timestamp {
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// Where the objects of the file below begin.
    const FIRST_ARRAY: usize = 256;
    const SECOND_ARRAY: usize = 320;
    const ENTRIES: usize = 400;

    /// A file with five entries, numbered 10, 11, 13, 14 and 15, in two arrays, that has given out the number 16 too.
    fn sample() -> Vec<u8> {
        let mut bytes = vec![0; 1000];
        let mut put = |at: usize, words: &[u64]| {
            for (n, word) in words.iter().enumerate() {
                bytes[at + 8 * n..][..8].copy_from_slice(&word.to_le_bytes());
            }
        };
        put(0, &[u64::from_le_bytes(*SIGNATURE), 0]);
        put(152, &[5, 16, 10, FIRST_ARRAY as u64, 1000, 5000]);
        let entry = |n: usize| (ENTRIES + 64 * n) as u64;
        put(FIRST_ARRAY, &[6, 24 + 16, SECOND_ARRAY as u64, entry(0), entry(1)]);
        put(SECOND_ARRAY, &[6, 24 + 40, 0, entry(2), entry(3), entry(4)]);
        for (n, number) in [10, 11, 13, 14, 15].into_iter().enumerate() {
            put(ENTRIES + 64 * n, &[3, 64, number, 1000 * (n as u64 + 1)]);
        }
        bytes
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.journal");
        std::fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    #[test]
    fn entries_are_found_by_their_numbers() {
        let (_directory, path) = file(&sample());
        let file = JournalFile::open(&path).unwrap();
        assert_eq!((file.header.first_number, file.header.last_number), (10, 16));
        let entries = file.entries();
        assert_eq!(entries.count, 5);
        assert_eq!(entries.head(2), Some(Head { number: 13, time: Timestamp(3000) }));
        assert_eq!(entries.head(5), None);
        for (after, upto, expected) in [
            (0, 9, 0..0),
            (0, 10, 0..1),
            (10, 13, 1..3),
            (11, 12, 2..2),
            (13, 99, 3..5),
            (99, 100, 5..5),
            (14, 3, 4..4),
        ] {
            assert_eq!(entries.between(after, upto), expected, "{after}..={upto}");
        }
    }

    #[test]
    fn a_damaged_entry_does_not_hide_others() {
        let mut bytes = sample();
        bytes[ENTRIES + 64 * 2 + 16] = 0;
        let (_directory, path) = file(&bytes);
        let file = JournalFile::open(&path).unwrap();
        assert_eq!(file.entries().between(11, 15), 2..5);
        assert_eq!(file.entries().between(10, 14), 1..4);
    }

    #[test]
    fn any_file_is_searched_in_bounded_time() {
        let places =
            [12, 152, 160, 168, 176, FIRST_ARRAY + 8, FIRST_ARRAY + 16, FIRST_ARRAY + 24, ENTRIES + 16];
        for place in places {
            for value in [0, 1, 7, FIRST_ARRAY as u64, 990, 1 << 40, u64::MAX - 7, u64::MAX] {
                let mut bytes = sample();
                bytes[place..place + 8].copy_from_slice(&value.to_le_bytes());
                let (_directory, path) = file(&bytes);
                let file = JournalFile::open(&path).unwrap();
                let entries = file.entries();
                for (after, upto) in [(0, u64::MAX), (11, 14), (u64::MAX, 0)] {
                    let range = entries.between(after, upto);
                    assert!(range.start <= range.end && range.end <= entries.count);
                }
            }
        }
        for length in [0, 7, 8, 207] {
            let (_directory, path) = file(&sample()[..length]);
            assert!(JournalFile::open(&path).is_err(), "{length}");
        }
        let (_directory, path) = file(&sample()[..250]);
        assert_eq!(JournalFile::open(&path).unwrap().entries().between(0, 99), 0..0);
    }
}

//! A journal file as such (systemd.io/JOURNAL_FILE_FORMAT): its header, and how many entries it holds of certain numbers.
//!
//! libsystemd gives entries, but not the file that they are in, and it is silent about what it passes over. What a file
//! holds is therefore looked up in the file itself, never in the reading loop. Everything in a file is data: offsets may
//! lead anywhere, and loops have bounds.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_NONBLOCK;
use pyruse_core::time::Timestamp;

/// What a journal file begins with.
pub(super) const SIGNATURE: &[u8; 8] = b"LPKSHHRH";

/// The smallest header that was ever written.
const HEADER: usize = 208;

/// Offsets are 32 bits.
const COMPACT: u32 = 1 << 4;

/// Each entry array is about as large as all before it together.
const LONGEST_CHAIN: usize = 128;

/// So many damaged entries in a row are passed by.
const DAMAGED: u64 = 64;

/// Where the items of an entry array begin.
const ITEMS: u64 = 24;

/// What 128 bits identify: a file, or a sequence of numbers.
pub(super) type Id = u128;

/// An open journal file.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: File,
    pub(super) header: Header,
}

/// What matters here of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    incompatible: u32,
    pub(super) file_id: Id,
    pub(super) seqnum_id: Id,
    pub(super) entries: u64,
    /// The number that was given out last, perhaps to an entry that could not be linked.
    pub(super) last_number: u64,
    pub(super) first_number: u64,
    entry_array: u64,
    pub(super) last_time: Timestamp,
}

/// What an entry begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) time: Timestamp,
}

/// Where its entries are: pieces of the array, each with its place and its length.
pub(super) struct Entries<'f> {
    file: &'f JournalFile,
    pieces: Vec<(u64, u64)>,
    pub(super) count: u64,
}

impl JournalFile {
    pub(super) fn open(path: &Path) -> io::Result<JournalFile> {
        // A FIFO of that name must not stop us.
        let file = File::options().read(true).custom_flags(O_NONBLOCK).open(path)?;
        let mut bytes = [0; HEADER];
        file.read_exact_at(&mut bytes, 0)?;
        if !bytes.starts_with(SIGNATURE) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a journal file"));
        }
        let u32 = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let u64 = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[at + n]));
        let id = |at: usize| Id::from_be_bytes(std::array::from_fn(|n| bytes[at + n]));
        let header = Header {
            incompatible: u32(12),
            file_id: id(24),
            seqnum_id: id(72),
            entries: u64(152),
            last_number: u64(160),
            first_number: u64(168),
            entry_array: u64(176),
            last_time: time(u64(192)),
        };
        Ok(JournalFile { file, header })
    }

    /// All entries that the header speaks of, as far as they can be found.
    pub(super) fn entries(&self) -> Entries<'_> {
        let (mut at, mut left) = (self.header.entry_array, self.header.entries);
        let mut pieces = Vec::new();
        while at != 0 && left > 0 && pieces.len() < LONGEST_CHAIN {
            let Ok([size, next]) = self.words(at.saturating_add(8)) else { break };
            let items = (size.saturating_sub(ITEMS) / self.item()).min(left);
            pieces.push((at + ITEMS, items));
            left -= items;
            if next <= at {
                break;
            }
            at = next;
        }
        let count = pieces.iter().map(|(_, items)| items).sum();
        Entries { file: self, pieces, count }
    }

    fn item(&self) -> u64 {
        if self.header.incompatible & COMPACT != 0 { 4 } else { 8 }
    }

    fn words<const N: usize>(&self, at: u64) -> io::Result<[u64; N]> {
        let mut bytes = [[0; 8]; N];
        self.file.read_exact_at(bytes.as_flattened_mut(), at)?;
        Ok(bytes.map(u64::from_le_bytes))
    }
}

impl Entries<'_> {
    /// What the entry at that index begins with; `None` if it cannot be read.
    pub(super) fn head(&self, mut index: u64) -> Option<Head> {
        let piece = self.pieces.iter().find(|(_, items)| {
            let is_here = index < *items;
            if !is_here {
                index -= items;
            }
            is_here
        });
        let at = piece?.0 + index * self.file.item();
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

    /// The indices of the entries with numbers above `after`, up to `upto`.
    pub(super) fn between(&self, after: u64, upto: u64) -> Range<u64> {
        let start = self.first_above(after);
        start..self.first_above(upto).max(start)
    }

    /// The index of the first entry with a higher number. Within a file, numbers rise.
    fn first_above(&self, number: u64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            // A damaged entry is judged by those that follow; at the end of a file, entries are not there yet.
            let nearby = middle..high.min(middle + DAMAGED);
            let found = nearby.into_iter().find_map(|index| Some((index, self.head(index)?)));
            match found {
                Some((index, head)) if head.number <= number => low = index + 1,
                _ => high = middle,
            }
        }
        low
    }
}

fn time(micros: u64) -> Timestamp {
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}

//! One journal file, entry by entry (systemd.io/JOURNAL_FILE_FORMAT).
//!
//! Everything in a file is data that anybody may have written, and that a writer may be changing: offsets may lead
//! anywhere, sizes may be anything. Each object is checked for itself; what is damaged is skipped and counted, one entry
//! or one field at a time. Of a DATA object only type, flags, size and payload are taken: journald fills in the rest after
//! the entry can be seen.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use pyruse_core::entry::FIELD_LIMIT;

use crate::journal::file::{JournalFile, Pieces};

use super::entry::{HEAD, Head};
use super::memo::Memo;
use super::numbers::Numbers;
use super::unpack::{PACKED_LIMIT, Packing, Unpacker};
use super::window::Window;

/// The types of objects that are read here.
const DATA: u8 = 1;
const ENTRY: u8 = 3;

/// The most items of an entry that are read; journald takes 1,024 fields.
const ITEMS: u64 = 16 << 10;

/// A value of full length, and its name.
const PAYLOAD: usize = FIELD_LIMIT + 256;

/// The most damaged entries in sequence that are looked at one at a time; then the rest of their array is skipped.
const DAMAGED: u64 = 1024;

/// Numbers that were read are skipped by a search, if it is this many.
const SEARCHED: u64 = 64;

/// The largest distance between two entries that a window is to hold together.
const NEAR: u64 = 32 << 10;

/// What all files share.
#[derive(Default)]
pub(super) struct Shared {
    memo: Memo,
    unpacker: Unpacker,
}

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    head: Head,
    at: u64,
    size: u64,
}

/// A field of an entry.
pub(super) enum Field<'f> {
    /// `NAME=value`, perhaps cut behind [`FIELD_LIMIT`] bytes of its value.
    Payload(&'f [u8]),
    Damaged,
}

/// See the module.
pub(super) struct Walk {
    pub(super) file: JournalFile,
    /// Tells files apart in what they share.
    serial: u32,
    pub(super) identity: (u64, u64),
    pieces: Pieces,
    /// The number that was given out last, as far as the file says.
    last_number: u64,
    /// The index of the entry that comes next, or is the current one.
    next: u64,
    found: Option<Found>,
    /// Where the entry before it is.
    before: u64,
    damaged_in_sequence: u64,
    array: Window,
    objects: Window,
    old_objects: Window,
    /// The offsets of the fields of the current entry, and how many of them were given.
    items: Vec<u64>,
    given: usize,
    is_loaded: bool,
}

impl Walk {
    pub(super) fn new(file: JournalFile, serial: u32) -> io::Result<Walk> {
        let metadata = file.file.metadata()?;
        let mut walk = Walk {
            identity: (metadata.dev(), metadata.ino()),
            pieces: file.pieces(),
            last_number: 0,
            file,
            serial,
            next: 0,
            found: None,
            before: 0,
            damaged_in_sequence: 0,
            array: Window::default(),
            objects: Window::default(),
            old_objects: Window::default(),
            items: Vec::new(),
            given: 0,
            is_loaded: false,
        };
        walk.find_last_number();
        Ok(walk)
    }

    /// Goes to the entry with that index.
    pub(super) fn seek(&mut self, index: u64) {
        self.next = index;
        self.found = None;
        self.before = 0;
    }

    /// The number that was given out last: what the header says, or the last entry, if the header is damaged.
    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    fn find_last_number(&mut self) {
        let entries = self.file.entries();
        let last = entries.count.checked_sub(1).and_then(|last| entries.head(last));
        self.last_number = last.map_or(0, |head| head.number).max(self.file.header.last_number);
    }

    /// Is there no entry after the current one, as far as the header says?
    pub(super) fn is_at_end(&self) -> bool {
        self.next >= self.pieces.count
    }

    /// Was the file deleted?
    pub(super) fn is_deleted(&self) -> bool {
        self.file.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Looks at what was written meanwhile. An error: it is no journal file any more.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let before = self.file.header;
        self.file.refresh()?;
        if before.entries != self.file.header.entries {
            self.pieces = self.file.pieces();
            self.find_last_number();
            self.array.forget();
            self.objects.forget();
            // It may reach over the end of what was written.
            self.old_objects.forget();
        }
        Ok(())
    }

    /// The entry with that index, which then has to be sought again.
    pub(super) fn head_at(&mut self, index: u64) -> Option<Head> {
        let (at, _) = self.pieces.place(index, self.file.item())?;
        self.look(at).map(|found| found.head)
    }

    /// Goes to the next entry that was not read, up to that number; gives its number.
    pub(super) fn unread(&mut self, read: &Numbers, upto: u64, damaged: &mut u64) -> Option<u64> {
        loop {
            if let Some(found) = &self.found {
                let number = found.head.number;
                let Some(end) = read.end_of(number) else { return (number <= upto).then_some(number) };
                self.skip(number, end);
            }
            if self.next >= self.pieces.count {
                return None;
            }
            let (at, rest) = self.pieces.place(self.next, self.file.item())?;
            self.found = self.look(at);
            if self.found.is_some() {
                self.damaged_in_sequence = 0;
                (self.given, self.is_loaded) = (0, false);
                continue;
            }
            self.damaged_in_sequence += 1;
            let skipped = if self.damaged_in_sequence > DAMAGED { rest + 1 } else { 1 };
            self.next += skipped;
            *damaged = damaged.saturating_add(skipped);
        }
    }

    /// The current entry.
    pub(super) fn head(&self) -> Option<&Head> {
        self.found.as_ref().map(|found| &found.head)
    }

    /// The current entry is read again, from its first field.
    pub(super) fn rewind(&mut self) {
        self.given = 0;
    }

    /// The next field of the current entry.
    pub(super) fn field<'w>(&'w mut self, shared: &'w mut Shared) -> Option<Field<'w>> {
        if !self.is_loaded {
            self.is_loaded = true;
            if self.load().is_none() {
                self.items.clear();
                return Some(Field::Damaged);
            }
        }
        let at = *self.items.get(self.given)?;
        self.given += 1;
        Some(self.payload(at, shared).map_or(Field::Damaged, Field::Payload))
    }

    fn skip(&mut self, number: u64, end: u64) {
        if let Some(found) = self.found.take() {
            self.before = found.at;
        }
        let is_long = end - number > SEARCHED;
        self.next = if is_long { self.file.entries().first_above(end) } else { 0 }.max(self.next + 1);
    }

    /// The entry whose offset is at that place.
    fn look(&mut self, at: u64) -> Option<Found> {
        let file = &self.file.file;
        let at = offset(self.array.get(file, at, usize::try_from(self.file.item()).ok()?).ok()?);
        // Between two entries are the fields that are new in the second one.
        let from = if at > self.before && at - self.before <= NEAR { self.before } else { at };
        let between = usize::try_from(at - from).ok()?;
        let bytes = self.objects.get(file, from, between + HEAD).ok()?;
        let bytes: &[u8; HEAD] = bytes.get(between..)?.try_into().ok()?;
        let size = offset(&bytes[8..16]);
        let head =
            Head::read(bytes).filter(|_| bytes[0] == ENTRY && at.is_multiple_of(8) && size >= HEAD as u64)?;
        Some(Found { head, at, size })
    }

    /// Reads where the fields of the current entry are.
    fn load(&mut self) -> Option<()> {
        self.items.clear();
        let found = self.found?;
        let item = if self.file.is_compact() { 4 } else { 16 };
        let count = (found.size - HEAD as u64) / item as u64;
        let length = usize::try_from(count.min(ITEMS)).ok()? * item;
        let bytes = self.objects.get(&self.file.file, found.at + HEAD as u64, length).ok()?;
        self.items.extend(bytes.chunks_exact(item).map(|item| offset(&item[..item.len().min(8)])));
        (count <= ITEMS).then_some(())
    }

    fn payload<'w>(&'w mut self, at: u64, shared: &'w mut Shared) -> Option<&'w [u8]> {
        let Shared { memo, unpacker } = shared;
        let (file, is_compact) = (&self.file.file, self.file.is_compact());
        if at > self.before {
            return read_payload(file, is_compact, at, &mut self.objects, unpacker);
        }
        if let Some(known) = memo.find(self.serial, at) {
            return Some(memo.payload(known));
        }
        let payload = read_payload(file, is_compact, at, &mut self.old_objects, unpacker)?;
        memo.remember(self.serial, at, payload);
        Some(payload)
    }
}

/// The payload of the DATA object at that place; `None` if it is damaged.
fn read_payload<'w>(
    file: &File,
    is_compact: bool,
    at: u64,
    window: &'w mut Window,
    unpacker: &'w mut Unpacker,
) -> Option<&'w [u8]> {
    let start: u64 = if is_compact { 72 } else { 64 };
    let head = window.get(file, at, 16).ok()?;
    let (kind, flags, size) = (head[0], head[1], offset(&head[8..16]));
    let packing = match flags {
        0 => None,
        1 => Some(Packing::Xz),
        2 => Some(Packing::Lz4),
        4 => Some(Packing::Zstd),
        _ => return None,
    };
    let length = size.checked_sub(start).filter(|length| *length > 0)?;
    if kind != DATA || !at.is_multiple_of(8) {
        return None;
    }
    let from = at.checked_add(start)?;
    let Some(packing) = packing else {
        return window.get(file, from, usize::try_from(length.min(PAYLOAD as u64)).ok()?).ok();
    };
    let length = usize::try_from(length.min(PACKED_LIMIT)).ok()?;
    if length <= FIELD_LIMIT {
        let packed = window.get(file, from, length).ok()?;
        return unpacker.unpack(packing, packed, PAYLOAD);
    }
    // Rare: a window of that size would stay.
    if file.metadata().ok()?.len() < from.checked_add(length as u64)? {
        return None;
    }
    let mut packed = vec![0; length];
    file.read_exact_at(&mut packed, from).ok()?;
    unpacker.unpack(packing, &packed, PAYLOAD)
}

/// A number of up to 64 bits.
fn offset(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

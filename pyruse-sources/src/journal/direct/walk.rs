//! One journal file, entry by entry (systemd.io/JOURNAL_FILE_FORMAT).
//!
//! Everything in a file is data that anybody may have written, and that a writer may be changing: offsets may lead
//! anywhere, sizes may be anything. Each object is checked for itself; what is damaged is skipped and counted, one entry
//! or one field at a time.

use std::io;
use std::os::unix::fs::MetadataExt;

use pyruse_core::entry::{Known, Sink};

use crate::journal::file::{Id, JournalFile, Pieces};

use super::data::{offset, read_payload};
use super::entry::{HEAD, Head};
use super::memo::Memo;
use super::numbers::Numbers;
use super::shapes::Shapes;
use super::unpack::Unpacker;
use super::window::Window;

/// The type of the object of an entry.
const ENTRY: u8 = 3;

/// The most items of an entry that are read; journald takes 1,024 fields.
const ITEMS: usize = 16 << 10;

/// The most damaged entries in sequence that are looked at one at a time; then the rest of their array is skipped.
const DAMAGED: u64 = 1024;

/// The most boots that are looked back to.
const BOOTS: usize = 64;

/// Numbers that were read are skipped by a search, if it is this many.
const SEARCHED: u64 = 64;

/// The largest distance between two entries that a window is to hold together.
const NEAR: u64 = 32 << 10;

/// What all files share.
#[derive(Default)]
pub(super) struct Shared {
    /// What the numbers of values belong to.
    generation: u64,
    memo: Memo<Known>,
    shapes: Shapes,
    /// The values of the current entry that are older than it.
    values: Vec<Known>,
    pub(super) unpacker: Unpacker,
}

/// An entry that was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    head: Head,
    at: u64,
    size: u64,
}

impl Shared {
    /// Forgets numbers that mean nothing any more.
    fn begin(&mut self, generation: u64) {
        if self.generation != generation {
            self.generation = generation;
            self.memo.forget();
            self.shapes.forget();
        }
    }
}

/// See the module.
pub(super) struct Walk {
    pub(super) file: JournalFile,
    /// Tells files apart in what they share.
    pub(super) serial: u32,
    pub(super) identity: (u64, u64),
    /// Is it in memory? journald copies its entries to the disk, with other numbers, and then removes it.
    pub(super) is_runtime: bool,
    /// Was it archived before the files of its sequence were looked at last?
    pub(super) is_complete: bool,
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
    /// The offsets of the fields of the current entry, as they are in the file; and how many of them were given.
    items: Vec<u8>,
    given: usize,
    is_loaded: bool,
}

impl Walk {
    pub(super) fn new(file: JournalFile, serial: u32) -> io::Result<Walk> {
        let metadata = file.file.metadata()?;
        let mut walk = Walk {
            identity: (metadata.dev(), metadata.ino()),
            is_runtime: false,
            is_complete: false,
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
            old_objects: Window::of_scattered(),
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
            // They may reach over the end of what was written.
            self.forget_windows();
        }
        Ok(())
    }

    fn forget_windows(&mut self) {
        self.array.forget();
        self.objects.forget();
        self.old_objects.forget();
    }

    /// The last entry of that boot with a number up to that one, which then has to be sought again. The entries of a boot
    /// follow each other.
    pub(super) fn last_of_boot(&mut self, boot: Id, upto: u64) -> Option<Head> {
        let mut index = self.file.entries().first_above(upto);
        for _ in 0..BOOTS {
            index = index.checked_sub(1)?;
            let head = self.head_at(index)?;
            if head.boot == boot {
                return Some(head);
            }
            index = self.first_that(index, |other| other.boot == head.boot);
        }
        None
    }

    /// The index of the first entry up to that index for which that holds; the others are before them.
    pub(super) fn first_that(&mut self, upto: u64, holds: impl Fn(&Head) -> bool) -> u64 {
        let (mut low, mut high) = (0, upto);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.head_at(middle).is_some_and(|head| holds(&head)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
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
                // There may be hundreds of files that are read.
                self.forget_windows();
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

    /// Gives the next fields of the current entry to the sink: first those that are older than the entry before, all at
    /// once, because most of them were seen; then up to one that is wanted. Returns how many were damaged; `None` at the
    /// end.
    pub(super) fn give(&mut self, shared: &mut Shared, sink: &mut Sink<'_>) -> Option<u64> {
        if !self.load() {
            return Some(1);
        }
        if self.given == 0 {
            let old = self.count_old();
            if old > 0 {
                self.given = old;
                return Some(self.give_old(old, shared, sink));
            }
        }
        while let Some(at) = self.item(self.given) {
            self.given += 1;
            match self.payload(at, &mut shared.unpacker) {
                None => return Some(1),
                Some(payload) if sink.assignment(payload) => return Some(0),
                Some(_) => {}
            }
        }
        None
    }

    fn give_old(&mut self, old: usize, shared: &mut Shared, sink: &mut Sink<'_>) -> u64 {
        shared.begin(sink.generation());
        let item = self.item_length();
        let shape = shared.shapes.find(self.serial, &self.items[..old * item], item);
        let given = shape.map_or(0, |(given, combination, values)| {
            sink.combination(combination, values);
            given
        });
        let is_new = shape.is_none();
        shared.values.clear();
        let mut damaged = 0;
        for n in given..old {
            let Some(at) = self.item(n) else { break };
            let mut known = shared.memo.find(self.serial, at);
            if known.is_none() {
                let Some(payload) = self.payload(at, &mut shared.unpacker) else {
                    damaged += 1;
                    continue;
                };
                known = sink.learn(payload);
                match known {
                    Some(known) => shared.memo.remember(self.serial, at, known),
                    None => _ = sink.assignment(payload),
                }
            }
            if let Some(known) = known {
                sink.known(known);
                shared.values.push(known);
            }
        }
        if is_new && shared.values.len() == old {
            let items = &self.items[..old * item];
            shared.shapes.remember(self.serial, items, item, &shared.values, || sink.combine());
        }
        damaged
    }

    /// How many fields at the start of the current entry are older than the entry before: journald sorts them.
    fn count_old(&self) -> usize {
        let all = self.items.len() / self.item_length();
        (0..all).rev().find(|n| self.item(*n).is_some_and(|at| self.is_old(at))).map_or(0, |last| last + 1)
    }

    /// Was a field at that place there when the entry before was written?
    pub(super) fn is_old(&self, at: u64) -> bool {
        at < self.before
    }

    /// Where that field of the current entry is.
    pub(super) fn item(&self, n: usize) -> Option<u64> {
        let length = self.item_length();
        let item = self.items.get(n * length..(n + 1) * length)?;
        Some(offset(&item[..length.min(8)]))
    }

    /// An offset, in larger files with a hash.
    fn item_length(&self) -> usize {
        if self.file.is_compact() { 4 } else { 16 }
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

    /// Reads where the fields of the current entry are, unless that was done. Returns `false` if that is damaged.
    pub(super) fn load(&mut self) -> bool {
        if self.is_loaded {
            return true;
        }
        self.is_loaded = true;
        self.items.clear();
        self.read_items().is_some()
    }

    fn read_items(&mut self) -> Option<()> {
        let found = self.found?;
        let item = self.item_length();
        let count = usize::try_from((found.size - HEAD as u64) / item as u64).ok()?;
        if count > ITEMS {
            return None;
        }
        let bytes = self.objects.get(&self.file.file, found.at + HEAD as u64, count * item).ok()?;
        self.items.extend_from_slice(bytes);
        Some(())
    }

    /// The field at that place, `NAME=value`; `None` if it is damaged.
    pub(super) fn payload<'w>(&'w mut self, at: u64, unpacker: &'w mut Unpacker) -> Option<&'w [u8]> {
        let window = if self.is_old(at) { &mut self.old_objects } else { &mut self.objects };
        read_payload(&self.file.file, self.file.is_compact(), at, window, unpacker)
    }
}

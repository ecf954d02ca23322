//! A position in the files of a journal, and how the state stores it.
//!
//! A byte that says which form this is; the address of the entry that was read last, if there is one; how far a journal in
//! memory was read; then, for each sequence, which of its numbers were read. Numbers have as many bytes as they need
//! (LEB128). The first form does not say how far a journal in memory was read. A position that is the text of a cursor
//! (`super::super::position`) is understood too.

use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use crate::journal::file::Id;

use super::entry::{Address, Head};
use super::numbers::{MOST, Numbers};

/// The first byte. No text of a cursor begins so.
const FORM: u8 = 2;

/// The first byte of positions that do not have [`Memory`].
const FORMER: u8 = 1;

/// The last entry that was read of a journal in memory. journald copies it, and those before it, to the disk, with other
/// numbers, and then removes that journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) boot: Id,
    pub(super) monotonic: u64,
}

impl Copied {
    pub(super) fn upto(head: &Head) -> Copied {
        Copied { boot: head.boot, monotonic: head.monotonic }
    }

    /// If that entry is on the disk, is it a copy of one that was read?
    pub(super) fn has(&self, head: &Head) -> bool {
        self.boot == head.boot && self.monotonic >= head.monotonic
    }
}

/// What a position says of journals in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Memory {
    /// Nothing: it is of an older form, or a cursor.
    #[default]
    Unknown,
    /// Whether one was read, and how far.
    Read(Option<Copied>),
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct Place {
    /// The entry that was read last.
    pub(super) last: Option<Address>,
    pub(super) memory: Memory,
    pub(super) sequences: Vec<(Id, Numbers)>,
}

impl Place {
    /// `None` if the bytes are not such a position.
    pub(in crate::journal) fn read(bytes: &[u8]) -> Option<Place> {
        let (form, mut rest) = bytes.split_first().filter(|(form, _)| [FORM, FORMER].contains(form))?;
        let last = match number(&mut rest)? {
            0 => None,
            number_of => Some(Address {
                sequence: id(&mut rest)?,
                head: Head {
                    number: number_of,
                    realtime: number(&mut rest)?,
                    monotonic: number(&mut rest)?,
                    boot: id(&mut rest)?,
                    xor: number(&mut rest)?,
                },
            }),
        };
        let memory = match *form {
            FORMER => Memory::Unknown,
            _ => Memory::Read(match number(&mut rest)? {
                0 => None,
                after => Some(Copied { monotonic: after - 1, boot: id(&mut rest)? }),
            }),
        };
        let mut sequences = Vec::new();
        while !rest.is_empty() {
            let sequence = id(&mut rest)?;
            let (mut numbers, mut end) = (Numbers::default(), 0_u64);
            for _ in 0..number(&mut rest).filter(|count| *count <= MOST as u64)? {
                let first = end.checked_add(number(&mut rest)?)?;
                end = first.checked_add(number(&mut rest)?)?;
                numbers.insert_all(first, end);
            }
            sequences.push((sequence, numbers));
        }
        Some(Place { last, memory, sequences })
    }

    pub(super) fn stored<'n>(
        last: Option<&Address>,
        memory: Memory,
        sequences: impl Iterator<Item = (Id, &'n Numbers)>,
    ) -> Vec<u8> {
        let mut bytes = vec![if memory == Memory::Unknown { FORMER } else { FORM }];
        match last {
            None => put(&mut bytes, 0),
            Some(Address { sequence, head }) => {
                put(&mut bytes, head.number);
                bytes.extend(sequence.to_be_bytes());
                put(&mut bytes, head.realtime);
                put(&mut bytes, head.monotonic);
                bytes.extend(head.boot.to_be_bytes());
                put(&mut bytes, head.xor);
            }
        }
        match memory {
            Memory::Unknown => {}
            Memory::Read(None) => put(&mut bytes, 0),
            Memory::Read(Some(Copied { boot, monotonic })) => {
                // Entries have times below 2^55.
                put(&mut bytes, monotonic + 1);
                bytes.extend(boot.to_be_bytes());
            }
        }
        for (id, numbers) in sequences {
            bytes.extend(id.to_be_bytes());
            put(&mut bytes, numbers.intervals().len() as u64);
            let mut end = 0;
            for (first, last) in numbers.intervals() {
                put(&mut bytes, first - end);
                put(&mut bytes, last - first);
                end = *last;
            }
        }
        bytes
    }

    /// Was the entry with that cursor read?
    pub(in crate::journal) fn has(&self, cursor: &str) -> bool {
        let Some(address) = Address::read(cursor) else { return false };
        let numbers = self.sequences.iter().find(|(id, _)| *id == address.sequence);
        numbers.is_some_and(|(_, numbers)| numbers.end_of(address.head.number).is_some())
    }

    /// libsystemd has read the entry with that cursor; and if it does not give all entries, also those between this one
    /// and the one before. Returns how many others count as read from now on; `None` if this is no cursor.
    pub(in crate::journal) fn take(&mut self, cursor: &str, gives_all: bool) -> Option<u64> {
        let address = Address::read(cursor)?;
        (self.last, self.memory) = (Some(address), Memory::Unknown);
        let known = self.sequences.iter().position(|(id, _)| *id == address.sequence);
        let at = known.unwrap_or_else(|| {
            self.sequences.push((address.sequence, Numbers::default()));
            self.sequences.len() - 1
        });
        let (numbers, number) = (&mut self.sequences[at].1, address.head.number);
        let before = numbers.below(number).filter(|_| !gives_all);
        Some(numbers.insert_all(before.map_or(number, |before| before.saturating_add(1).min(number)), number))
    }

    /// libsystemd has read that sequence up to that number, though it did not give the last entries.
    pub(in crate::journal) fn pass(&mut self, sequence: Id, number: u64) {
        let Some((_, numbers)) = self.sequences.iter_mut().find(|(id, _)| *id == sequence) else { return };
        if let Some(last) = numbers.below(u64::MAX).filter(|last| *last < number) {
            numbers.insert_all(last + 1, number);
        }
    }

    /// As a position, if something was read.
    pub(in crate::journal) fn position(&self) -> Option<Position> {
        let last = self.last.as_ref()?;
        let sequences = self.sequences.iter().map(|(id, numbers)| (*id, numbers));
        let time = Timestamp(i64::try_from(last.head.realtime).unwrap_or(i64::MAX));
        Some(Position { place: Place::stored(Some(last), self.memory, sequences), time })
    }

    /// The cursor of the entry that was read last.
    pub(in crate::journal) fn cursor(&self) -> Option<String> {
        self.last.map(|last| last.cursor())
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let low = number.to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn id(rest: &mut &[u8]) -> Option<Id> {
    let (bytes, after) = rest.split_first_chunk::<16>()?;
    *rest = after;
    Some(Id::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(place: &Place) -> Vec<u8> {
        Place::stored(
            place.last.as_ref(),
            place.memory,
            place.sequences.iter().map(|(id, numbers)| (*id, numbers)),
        )
    }

    #[test]
    fn it_is_read_as_it_was_stored() {
        let head = Head { number: 300, realtime: 1 << 54, monotonic: 127, boot: 7, xor: u64::MAX };
        let mut numbers = Numbers::upto(128);
        numbers.insert_all(130, u64::MAX);
        let sequences = vec![(1, Numbers::default()), (u128::MAX, numbers), (3, Numbers::upto(0))];
        for last in [None, Some(Address { sequence: 9, head })] {
            let copied = [None, Some(Copied { boot: 7, monotonic: 0 }), Some(Copied::upto(&head))];
            for memory in copied.map(Memory::Read).into_iter().chain([Memory::Unknown]) {
                let place = Place { last, memory, sequences: sequences.clone() };
                let bytes = stored(&place);
                assert_eq!(Place::read(&bytes), Some(place));
                for cut in 1..bytes.len() {
                    let _ = Place::read(&bytes[..cut]);
                }
            }
        }
        assert_eq!(Place::read(b""), None);
        assert_eq!(Place::read(b"s=1;i=2"), None);
        assert_eq!(Place::read(&[FORM, 0xff, 0xff]), None);
    }

    #[test]
    fn a_position_of_the_first_form_is_read_and_says_nothing_of_memory() {
        let mut bytes = vec![1, 5];
        bytes.extend(9_u128.to_be_bytes());
        bytes.extend([6, 7]);
        bytes.extend(8_u128.to_be_bytes());
        bytes.push(10);
        bytes.extend(9_u128.to_be_bytes());
        bytes.extend([1, 0, 5]);
        let head = Head { number: 5, realtime: 6, monotonic: 7, boot: 8, xor: 10 };
        let last = Some(Address { sequence: 9, head });
        let sequences = vec![(9, Numbers::upto(5))];
        assert_eq!(Place::read(&bytes), Some(Place { last, memory: Memory::Unknown, sequences }));
        assert_eq!(Place::read(&[FORMER, 0]), Some(Place::default()));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            for form in [FORM, FORMER] {
                let _ = Place::read(&[&[form, 0], bytes.as_slice()].concat());
            }
        }
    }
}

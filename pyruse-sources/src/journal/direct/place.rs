//! A position in the files of a journal, and how the state stores it.
//!
//! A byte that says which form this is; the address of the entry that was read last, if there is one; then, for each
//! sequence, which of its numbers were read. Numbers have as many bytes as they need (LEB128). A position that is the
//! text of a cursor (`super::super::position`) is understood too.

use crate::journal::file::Id;

use super::entry::{Address, Head};
use super::numbers::{MOST, Numbers};

/// The first byte. No text of a cursor begins so.
const FORM: u8 = 1;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::journal) struct Place {
    /// The entry that was read last.
    pub(super) last: Option<Address>,
    pub(super) sequences: Vec<(Id, Numbers)>,
}

impl Place {
    /// `None` if the bytes are not such a position.
    pub(in crate::journal) fn read(bytes: &[u8]) -> Option<Place> {
        let mut rest = bytes.strip_prefix(&[FORM])?;
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
        Some(Place { last, sequences })
    }

    pub(super) fn stored<'n>(
        last: Option<&Address>,
        sequences: impl Iterator<Item = (Id, &'n Numbers)>,
    ) -> Vec<u8> {
        let mut bytes = vec![FORM];
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
        Place::stored(place.last.as_ref(), place.sequences.iter().map(|(id, numbers)| (*id, numbers)))
    }

    #[test]
    fn it_is_read_as_it_was_stored() {
        let head = Head { number: 300, realtime: 1 << 54, monotonic: 127, boot: 7, xor: u64::MAX };
        let mut numbers = Numbers::upto(128);
        numbers.insert_all(130, u64::MAX);
        let sequences = vec![(1, Numbers::default()), (u128::MAX, numbers), (3, Numbers::upto(0))];
        for last in [None, Some(Address { sequence: 9, head })] {
            let place = Place { last, sequences: sequences.clone() };
            let bytes = stored(&place);
            assert_eq!(Place::read(&bytes), Some(place));
            for cut in 1..bytes.len() {
                let _ = Place::read(&bytes[..cut]);
            }
        }
        assert_eq!(Place::read(b""), None);
        assert_eq!(Place::read(b"s=1;i=2"), None);
        assert_eq!(Place::read(&[FORM, 0xff, 0xff]), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Place::read(&[&[FORM, 0], bytes.as_slice()].concat());
        }
    }
}

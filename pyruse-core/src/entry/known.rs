//! Values that a source gives again and again: decoded once, then given by their numbers.
//!
//! Most fields of most entries have values that were seen before. A source that can see this without reading the value
//! (by its place in a file) lets the sink [`learn`](super::Sink::learn) it once, and gives its number from then on: no
//! name is looked up, and nothing is decoded or copied.

use std::hash::{BuildHasher, RandomState};

use super::field::Slot;
use super::value::{Span, Stored};

/// The most values. With more, all are forgotten: sources learn again what is still in use.
const VALUES: usize = 16 << 10;

/// The most bytes of all texts together.
const TEXTS: usize = 1 << 20;

/// Longer values are not learnt.
const LONGEST: usize = 4 << 10;

/// Added to the places of known texts, to distinguish them from places in the arena of the entry.
const PLACES: u32 = 1 << 31;

/// The number of a value that was learnt; 0: it is not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known(u32);

/// A combination of values that were learnt, which comes again and again: what an entry has in common with those before
/// it. No two combinations have the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Combination(pub(crate) u64);

/// See the module.
#[derive(Debug)]
pub(super) struct KnownValues {
    /// Other numbers mean other values.
    pub(super) generation: u64,
    values: Vec<(Slot, Stored)>,
    texts: String,
    is_full: bool,
    combinations: u64,
}

impl KnownValues {
    pub(super) fn new() -> KnownValues {
        KnownValues {
            generation: another(),
            values: Vec::new(),
            texts: String::new(),
            is_full: false,
            combinations: 0,
        }
    }

    /// Forgets all values, if there are too many. No entry may be in use.
    pub(super) fn begin(&mut self) {
        if std::mem::take(&mut self.is_full) {
            self.generation = another();
            self.values.clear();
            self.texts.clear();
        }
    }

    /// Can a value of that length be learnt? If it is only too much, there will be room for the next entry.
    pub(super) fn has_room(&mut self, length: usize) -> bool {
        // Decoding may make it three times as long.
        let is_full = self.values.len() >= VALUES || self.texts.len() + 3 * LONGEST > TEXTS;
        self.is_full |= is_full;
        length <= LONGEST && !is_full
    }

    pub(super) fn push_text(&mut self, text: &str) -> Span {
        let place = |length: usize| PLACES + u32::try_from(length).expect("TEXTS is below 2^31");
        let start = place(self.texts.len());
        self.texts.push_str(text);
        Span { start, end: place(self.texts.len()) }
    }

    pub(super) fn push(&mut self, slot: Slot, stored: Stored) -> Known {
        self.values.push((slot, stored));
        Known(u32::try_from(self.values.len()).expect("VALUES is below 2^32"))
    }

    pub(super) fn combine(&mut self) -> Combination {
        self.combinations += 1;
        Combination(self.combinations)
    }

    pub(super) fn get(&self, known: Known) -> Option<(Slot, Stored)> {
        self.values.get((known.0 as usize).wrapping_sub(1)).copied()
    }

    /// The text at that place, if it is one of the known texts.
    pub(super) fn text(&self, span: Span) -> Option<&str> {
        let start = span.start.checked_sub(PLACES)?;
        Some(&self.texts[start as usize..(span.end - PLACES) as usize])
    }
}

/// A number that was not used before.
fn another() -> u64 {
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Buffers, EightBit, Entry, Fields, MemoryRecord, Record, Sink, Value};
    use crate::time::Timestamp;

    /// Its fields are learnt before they are given, as often as they come.
    struct Learning {
        fields: Vec<Vec<u8>>,
        next: usize,
        known: Vec<Option<Known>>,
        generations: Vec<u64>,
    }

    impl Record for Learning {
        fn realtime(&mut self) -> Timestamp {
            self.next = 0;
            Timestamp(0)
        }

        fn monotonic(&mut self) -> Option<i64> {
            None
        }

        fn cursor(&mut self) -> Option<String> {
            None
        }

        fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
            let Some(field) = self.fields.get(self.next) else { return false };
            self.next += 1;
            let known = sink.learn(field);
            match known {
                Some(known) => sink.known(known),
                None => sink.assignment(field),
            };
            self.known.push(known);
            self.generations.push(sink.generation());
            true
        }
    }

    fn learning(fields: &[&[u8]]) -> Learning {
        let fields = fields.iter().map(|field| field.to_vec()).collect();
        Learning { fields, next: 0, known: Vec::new(), generations: Vec::new() }
    }

    fn all(entry: &mut Entry<'_>, slot: Slot) -> Vec<String> {
        let mut all = Vec::new();
        let mut push = |value: Value<'_>| {
            all.push(format!("{value:?}"));
            Ok(false)
        };
        entry.any(slot, &mut push).unwrap();
        all
    }

    fn buffers(names: &[&str]) -> (Buffers, Vec<Slot>) {
        let mut fields = Fields::default();
        let slots = names.iter().map(|name| fields.slot(name)).collect();
        (Buffers::new(fields, EightBit::default(), jiff::tz::TimeZone::UTC), slots)
    }

    #[test]
    fn a_value_that_is_known_is_the_same_as_one_that_is_given() {
        let long = [b"A=".as_slice(), &[b'x'; LONGEST + 1]].concat();
        let fields = [b"A=one".as_slice(), b"B=2", b"A=\xe4\xff", b"C=3", b"A=", &long, b"A"];
        let (mut buffers, slots) = buffers(&["A", "B", "_SOURCE"]);
        let mut learning = learning(&fields);
        let mut record = MemoryRecord::at(Timestamp(0));
        for field in fields {
            let (name, value) = field.split_at(1);
            record.push(name, value.get(1..).unwrap_or_default());
        }
        for slot in slots {
            let given = all(&mut buffers.entry(&mut record), slot);
            record.rewind();
            assert_eq!(all(&mut buffers.entry(&mut learning), slot), given);
        }
        let is_unwanted = |known: &Option<Known>| *known == Some(Known::default());
        assert_eq!(learning.known[..7].iter().filter(|known| is_unwanted(known)).count(), 1);
        assert_eq!(learning.known[5], None, "it is too long");
        let (mut buffers, slots) = self::buffers(&["A"]);
        let mut entry = buffers.entry(&mut learning);
        entry.set_text(slots[0], "set by a step");
        assert_eq!(all(&mut entry, slots[0]), [r#"Text("set by a step")"#]);
    }

    #[test]
    fn with_too_many_values_numbers_are_given_from_the_start_for_the_next_entry() {
        let (mut buffers, slots) = buffers(&["A"]);
        for (value, most) in [(b"A=x".as_slice(), VALUES), (&[b'A'; 1], VALUES)] {
            let mut learning = learning(&vec![value; most + 1]);
            let given = all(&mut buffers.entry(&mut learning), slots[0]);
            assert_eq!(given.len(), most + 1);
            let first = learning.generations[0];
            assert!(learning.generations.iter().all(|generation| *generation == first));
            assert_eq!(all(&mut buffers.entry(&mut learning), slots[0]).len(), most + 1);
            assert_ne!(learning.generations.last(), Some(&first));
        }
        let long = [b"A=".as_slice(), &[b'x'; LONGEST]].concat();
        let mut learning = learning(&vec![long.as_slice(); 2 * TEXTS / LONGEST]);
        assert_eq!(all(&mut buffers.entry(&mut learning), slots[0]).len(), 2 * TEXTS / LONGEST);
        assert!(buffers.known.texts.len() <= TEXTS && learning.known.last() == Some(&None));
    }
}

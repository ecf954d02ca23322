//! A mapping as it is held: all its values in one piece of memory, one after the other.
//!
//! There may be a hundred thousand mappings, each of six short values: the four properties by which it is found, in the
//! order of [`Property::ALL`], then the client's address and port. Held one by one, their allocations would take more
//! memory than the values. What is asked for is written in the same way, with its properties only, so that it can be
//! compared to what is held.
//!
//! Each value begins with its kind and length in one number, of seven bits a byte, the lowest first: one byte for texts
//! of up to 31 bytes.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use pyruse_core::serde::{Deserialize, Serialize};

use super::property::{Combination, Property};
use super::retention::UNKNOWN_BITS;

const NOTHING: usize = 0;
const TEXT: usize = 1;
const INTEGER: usize = 2;
const KIND_BITS: u32 = 2;

/// How it is written that there is nothing.
const NO_VALUE: &[u8] = &[0];

/// What is put in the place of the proxy's address or port: a text or a number, as it was captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", untagged)]
pub(super) enum Captured<'a> {
    Integer(i64),
    Text(Cow<'a, str>),
}

/// Who is behind a connection.
#[derive(Debug, PartialEq)]
pub(super) struct Client<'a> {
    pub(super) saddr: Captured<'a>,
    pub(super) sport: Option<Captured<'a>>,
}

/// A mapping as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Stored<'a> {
    #[serde(rename = "a")]
    saddr: Captured<'a>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    sport: Option<Captured<'a>>,
    /// The properties in their normal form, in the order of [`Property::ALL`].
    #[serde(rename = "k")]
    properties: [Option<Cow<'a, str>>; 4],
    /// The second from which on it is dead.
    #[serde(rename = "e")]
    end: i64,
    /// The bits of its retention.
    #[serde(rename = "b", default = "unknown_bits")]
    bits: u32,
}

fn unknown_bits() -> u32 {
    UNKNOWN_BITS
}

/// A record that is being written, value by value; its memory serves for one after the other.
#[derive(Debug, Default)]
pub(super) struct Draft(Vec<u8>);

impl Draft {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a property, whose text is still as it was found.
    pub(super) fn push_property(&mut self, property: Property, text: &str) {
        self.push_text(&property.normal(text));
    }

    pub(super) fn push_text(&mut self, text: &str) {
        self.push(TEXT, text.as_bytes());
    }

    pub(super) fn push_integer(&mut self, integer: i64) {
        self.push(INTEGER, &integer.to_le_bytes());
    }

    pub(super) fn push_nothing(&mut self) {
        self.push(NOTHING, &[]);
    }

    fn push(&mut self, kind: usize, bytes: &[u8]) {
        let mut head = bytes.len() << KIND_BITS | kind;
        loop {
            let [low, ..] = head.to_le_bytes();
            head >>= 7;
            if head == 0 {
                self.0.push(low);
                break;
            }
            self.0.push(low | 0x80);
        }
        self.0.extend_from_slice(bytes);
    }

    fn push_captured(&mut self, captured: Option<&Captured<'_>>) {
        match captured {
            Some(Captured::Text(text)) => self.push_text(text),
            Some(Captured::Integer(integer)) => self.push_integer(*integer),
            None => self.push_nothing(),
        }
    }

    /// What is written so far.
    pub(super) fn record(&self) -> Record<'_> {
        Record(&self.0)
    }

    /// Writes the mapping of a stored row; gives its end, and the bits of its retention.
    pub(super) fn read_row(&mut self, row: &[u8]) -> Result<(i64, u32), String> {
        let stored: Stored<'_> = serde_json::from_slice(row).map_err(|e| e.to_string())?;
        self.clear();
        for property in &stored.properties {
            match property {
                Some(text) => self.push_text(text),
                None => self.push_nothing(),
            }
        }
        self.push_captured(Some(&stored.saddr));
        self.push_captured(stored.sport.as_ref());
        if stored.bits > u64::BITS {
            return Err("a mapping's retention makes no sense".into());
        }
        Ok((stored.end, stored.bits))
    }
}

/// A mapping, or the properties that are asked for.
#[derive(Clone, Copy)]
pub(super) struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// What a [`Draft`] wrote.
    pub(super) fn new(bytes: &'a [u8]) -> Record<'a> {
        Record(bytes)
    }

    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Who is behind the connection.
    pub(super) fn client(self) -> Client<'a> {
        let mut values = Values(self.0).skip(Property::ALL.len()).map(captured);
        let saddr = values.next().flatten().expect("a mapping without the client's address is not recorded");
        Client { saddr, sport: values.next().flatten() }
    }

    /// What is stored of it.
    pub(super) fn to_row(self, end: i64, bits: u32) -> Result<Vec<u8>, serde_json::Error> {
        let Client { saddr, sport } = self.client();
        let mut properties = [const { None }; 4];
        for (property, (kind, bytes)) in properties.iter_mut().zip(Values(self.0)) {
            *property = (kind == TEXT).then(|| text(bytes));
        }
        serde_json::to_vec(&Stored { saddr, sport, properties, end, bits })
    }

    /// The record with the places of its properties.
    pub(super) fn key(self) -> Key<'a> {
        let mut bounds = [0; 5];
        let mut values = Values(self.0);
        for bound in &mut bounds[1..] {
            values.next();
            *bound = self.0.len() - values.0.len();
        }
        Key { bytes: self.0, bounds }
    }
}

/// What a mapping is found by. Each value tells where it ends, so what stands side by side is one piece, which no other
/// values have.
pub(super) struct Key<'a> {
    bytes: &'a [u8],
    /// Each property ends where the next one begins.
    bounds: [usize; 5],
}

impl<'a> Key<'a> {
    fn piece(&self, properties: Range<usize>) -> &'a [u8] {
        &self.bytes[self.bounds[properties.start]..self.bounds[properties.end]]
    }

    /// Is no property of the combination missing?
    pub(super) fn has(&self, combination: Combination) -> bool {
        combination.runs().flatten().all(|property| self.piece(property..property + 1) != NO_VALUE)
    }

    /// The values come from log lines: whoever writes them does not know the secret by which they are hashed.
    pub(super) fn hash(&self, combination: Combination, random: &RandomState) -> u64 {
        let mut hasher = random.build_hasher();
        for run in combination.runs() {
            hasher.write(self.piece(run));
        }
        hasher.finish()
    }

    /// Are the properties of this combination the same? What both lack is the same, too.
    pub(super) fn agrees(&self, other: Record<'_>, combination: Combination) -> bool {
        combination.runs().all(|run| match run.start {
            0 => other.0.starts_with(self.piece(run)),
            _ => other.key().piece(run.clone()) == self.piece(run),
        })
    }
}

/// The kinds and bytes of a record's values.
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let mut head = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            head |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if *byte < 0x80 {
                break;
            }
        }
        let (bytes, rest) = self.0.split_at_checked(head >> KIND_BITS)?;
        self.0 = rest;
        Some((head & ((1 << KIND_BITS) - 1), bytes))
    }
}

/// Nothing is lost: a text was written.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn captured((kind, bytes): (usize, &[u8])) -> Option<Captured<'_>> {
    match kind {
        TEXT => Some(Captured::Text(text(bytes))),
        INTEGER => bytes.try_into().ok().map(|bytes| Captured::Integer(i64::from_le_bytes(bytes))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value as it is written: nothing, a number, or a text.
    fn draft(values: [Option<&str>; 5]) -> Draft {
        let mut draft = Draft::default();
        for value in values {
            draft.push_captured(value.map(|text| Captured::Text(text.into())).as_ref());
        }
        draft.push_integer(-5);
        draft
    }

    #[test]
    fn values_of_all_lengths_come_back_from_the_record_and_from_its_row() {
        for length in [0, 1, 31, 32, 4095, 4096, 1 << 20] {
            let long = "é".repeat(length);
            let written = draft([Some(&long), None, Some(""), Some(&long), Some(&long)]);
            let record = written.record();
            let row = record.to_row(i64::MAX, 6).unwrap();
            let expected =
                format!(r#"{{"a":"{long}","p":-5,"k":["{long}",null,"","{long}"],"e":{},"b":6}}"#, i64::MAX);
            assert_eq!(String::from_utf8(row.clone()).unwrap(), expected);
            let mut read = Draft::default();
            assert_eq!(read.read_row(&row), Ok((i64::MAX, 6)));
            assert_eq!(read.record().bytes(), record.bytes());
            let client =
                Client { saddr: Captured::Text(long.as_str().into()), sport: Some(Captured::Integer(-5)) };
            assert_eq!(read.record().client(), client);
        }
    }

    #[test]
    fn a_row_that_is_no_mapping_is_an_error() {
        for row in ["", "{}", r#"{"a":1,"k":["x"],"e":1}"#, r#"{"a":[],"k":["x",null,null,null],"e":1}"#] {
            assert!(Draft::default().read_row(row.as_bytes()).is_err(), "{row}");
        }
    }

    #[test]
    fn only_the_properties_of_the_combination_count() {
        let random = RandomState::new();
        let ours = draft([Some("a"), Some("1"), None, Some("x"), Some("c")]);
        let same = |properties: &[Property], other: [Option<&str>; 4]| {
            let combination = Combination::of(properties.iter().copied());
            let [addr, port, daddr, dport] = other;
            let theirs = draft([addr, port, daddr, dport, Some("d")]);
            let (ours, theirs) = (ours.record().key(), theirs.record());
            let agrees = ours.agrees(theirs, combination);
            assert_eq!(agrees, ours.hash(combination, &random) == theirs.key().hash(combination, &random));
            agrees
        };
        let [addr, port, daddr, dport] = Property::ALL;
        assert!(same(&[addr, port], [Some("a"), Some("1"), Some("y"), None]));
        assert!(!same(&[addr, port], [Some("1"), Some("a"), None, Some("x")]));
        assert!(!same(&[addr, port], [Some("a1"), Some(""), None, Some("x")]));
        assert!(same(&[addr, dport], [Some("a"), None, Some("y"), Some("x")]));
        assert!(!same(&[addr, dport], [Some("a"), Some("1"), None, Some("y")]));
        assert!(same(&[port], [Some("b"), Some("1"), None, None]));
        assert!(!same(&[daddr], [Some("a"), Some("1"), Some(""), Some("x")]));
        assert!(same(&Property::ALL, [Some("a"), Some("1"), None, Some("x")]));
        assert!(ours.record().key().has(Combination::of([addr, dport])));
        assert!(!ours.record().key().has(Combination::of(Property::ALL)));
    }
}

//! The source of entries, as far as the core knows it.

use super::{Buffers, Combination, Known};
use crate::time::Timestamp;

/// Where a record puts a requested field.
pub struct Sink<'a> {
    buffers: &'a mut Buffers,
}

impl<'a> Sink<'a> {
    pub(super) fn new(buffers: &'a mut Buffers) -> Sink<'a> {
        Sink { buffers }
    }

    /// Takes a field: the name without the `=`, normally `[A-Z0-9_]+`, and a value of any bytes, which is cut at
    /// [`super::FIELD_LIMIT`]. A field that the workflow does not want is dropped. Returns `true` if the field was
    /// wanted; if it was not, the record may continue with its next field by itself.
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.buffers.push_field(name, value)
    }

    /// Like [`Sink::field`], for a field in journal form, `NAME=value`: an unwanted field is not even split.
    pub fn assignment(&mut self, field: &[u8]) -> bool {
        self.buffers.push_assignment(field)
    }

    /// Whether fields of this name are wanted; the same as long as [`Sink::generation`] is. For log files, whose lines have
    /// the same fields again and again.
    #[doc(hidden)]
    pub fn wants(&self, name: &[u8]) -> bool {
        self.buffers.wants(name)
    }

    /// Learns a value that will come again, in journal form, and returns its number for [`Sink::known`]. This does not
    /// give the field. `None`: it cannot be learnt now, and must be given as it is.
    pub fn learn(&mut self, field: &[u8]) -> Option<Known> {
        self.buffers.learn(field)
    }

    /// Like [`Sink::assignment`], for a value that was learnt in this generation.
    pub fn known(&mut self, known: Known) -> bool {
        self.buffers.push_known(known)
    }

    /// Returns a new number for values that come together again and again.
    pub fn combine(&mut self) -> Combination {
        self.buffers.combine()
    }

    /// Like [`Sink::known`] for each of these values, which are all that this number stands for. It must come before all
    /// other fields of the entry. The workflow remembers its answers about values that come together.
    pub fn combination(&mut self, combination: Combination, values: &[Known]) {
        self.buffers.push_combination(combination, values);
    }

    /// Returns which generation of numbers is valid for this entry. With another one, all numbers have to be forgotten.
    pub fn generation(&self) -> u64 {
        self.buffers.known.generation
    }
}

/// A source's view of one journal entry: it returns its fields one at a time, and only as many as the workflow turns
/// out to need.
pub trait Record {
    /// `__REALTIME_TIMESTAMP`.
    fn realtime(&mut self) -> Timestamp;

    /// `__MONOTONIC_TIMESTAMP`, in microseconds since boot.
    fn monotonic(&mut self) -> Option<i64>;

    /// `__CURSOR`: the address of the entry in its journal.
    fn cursor(&mut self) -> Option<String>;

    /// `_SOURCE`, as the record itself says, which anybody may have written. It counts only where a program runs records
    /// without naming their source.
    fn source(&self) -> Option<&str> {
        None
    }

    /// Puts the next wanted field, or just the next one, into the sink, in any order; a repeated field comes once per
    /// value. Returns `false` at the end.
    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool;
}

/// A record in memory: for tests, examples and embedders that have the whole entry.
#[derive(Clone, Debug, Default)]
pub struct MemoryRecord {
    /// The entry's time.
    pub realtime: Timestamp,
    /// Microseconds since boot.
    pub monotonic: Option<i64>,
    /// The entry's address.
    pub cursor: Option<String>,
    /// The name of the source that it was read from, if it says so itself.
    pub source: Option<String>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    next: usize,
}

impl MemoryRecord {
    /// Makes a record without fields.
    pub fn at(realtime: Timestamp) -> MemoryRecord {
        MemoryRecord { realtime, ..MemoryRecord::default() }
    }

    /// Returns the record with one more field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> MemoryRecord {
        self.push(name, value);
        self
    }

    /// Adds a field. The fields `__REALTIME_TIMESTAMP`, `__MONOTONIC_TIMESTAMP`, `__CURSOR` and `_SOURCE` set what the
    /// record says of itself instead.
    pub fn push(&mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        let (name, value) = (name.into(), value.into());
        match name.as_slice() {
            b"__REALTIME_TIMESTAMP" => {
                self.realtime = Timestamp(super::decode::integer(&value).unwrap_or(self.realtime.0));
            }
            b"__MONOTONIC_TIMESTAMP" => self.monotonic = super::decode::integer(&value),
            b"__CURSOR" => self.cursor = Some(String::from_utf8_lossy(&value).into_owned()),
            b"_SOURCE" => self.source = Some(String::from_utf8_lossy(&value).into_owned()),
            _ => self.fields.push((name, value)),
        }
    }

    /// Returns how many fields have been read: for tests.
    #[doc(hidden)]
    pub fn fields_read(&self) -> usize {
        self.next
    }

    /// Empties the record but keeps its memory; reading starts again at the first field.
    pub fn clear(&mut self) {
        self.fields.clear();
        self.next = 0;
        self.realtime = Timestamp(0);
        self.monotonic = None;
        self.cursor = None;
        self.source = None;
    }

    /// Starts reading again at the first field.
    pub fn rewind(&mut self) {
        self.next = 0;
    }

    /// Iterates over the fields, names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }
}

impl Record for MemoryRecord {
    fn realtime(&mut self) -> Timestamp {
        self.realtime
    }

    fn monotonic(&mut self) -> Option<i64> {
        self.monotonic
    }

    fn cursor(&mut self) -> Option<String> {
        self.cursor.clone()
    }

    fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        let Some((name, value)) = self.fields.get(self.next) else { return false };
        self.next += 1;
        sink.field(name, value);
        true
    }
}

//! The memory that the entries of one workflow share, one entry at a time.
//!
//! Texts are in one arena; a slot's cell points to a chain of elements. Between two entries, only lengths are reset: a
//! cell is stale unless it carries the number (`epoch`) of the current entry.

use jiff::tz::TimeZone;

use super::counted::Counted;
use super::decode::{self, EightBit};
use super::field::{Fields, Slot, SlotSet};
use super::known::{Combination, Known, KnownValues};
use super::limit::FIELD_LIMIT;
use super::names::Names;
use super::table::ValueType;
use super::value::{Span, Stored, Value};
use crate::text::floor_char_boundary;
use crate::time::Timestamp;

/// Marks the absence of an element.
pub(super) const NONE: u32 = u32::MAX;

/// The limit for all texts of one entry together, in bytes; what exceeds it is not kept. journald itself accepts at
/// most 1,024 fields.
const ARENA_LIMIT: usize = 1024 * FIELD_LIMIT;

#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    epoch: u32,
    pub(super) first: u32,
    pub(super) last: u32,
    /// The joined text of a repeated field, for display; it is not in the chain.
    pub(super) joined: u32,
    /// Whether a step has set or unset the field: then the rest of the record no longer counts for it.
    pub(super) assigned: bool,
}

const EMPTY: Cell = Cell { epoch: 0, first: NONE, last: NONE, joined: NONE, assigned: false };

#[derive(Clone, Copy, Debug)]
struct Element {
    stored: Stored,
    next: u32,
}

/// The memory of one workflow's entries, one entry at a time.
#[derive(Debug)]
pub struct Buffers {
    fields: Fields,
    wanted: Names,
    eight_bit: EightBit,
    zone: TimeZone,
    epoch: u32,
    cells: Vec<Cell>,
    elements: Vec<Element>,
    arena: String,
    pub(super) known: KnownValues,
    /// What the entry has in common with others, and the fields in which it may differ from them.
    pub(super) combination: Option<Combination>,
    pub(super) different: SlotSet,
    /// The counts that counters reached for the entry, in order.
    pub(super) counted: Vec<Counted>,
    /// The name of the source that entries come from; empty if it is not known.
    source: String,
}

impl Buffers {
    /// Makes buffers for entries with these fields; `zone` is the time zone in which times are shown.
    pub fn new(fields: Fields, eight_bit: EightBit, zone: TimeZone) -> Buffers {
        let cells = vec![EMPTY; fields.len()];
        let wanted = Names::new(&fields);
        Buffers {
            fields,
            wanted,
            eight_bit,
            zone,
            epoch: 0,
            cells,
            elements: Vec::new(),
            arena: String::new(),
            known: KnownValues::new(),
            combination: None,
            different: SlotSet::default(),
            counted: Vec::new(),
            source: String::new(),
        }
    }

    /// Sets the name of the source that the next entries come from.
    pub(crate) fn set_source(&mut self, name: &str) {
        if self.source != name {
            name.clone_into(&mut self.source);
        }
    }

    /// Returns the names of the slots.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the time zone in which times are shown.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Resets the buffers for the next entry.
    pub(super) fn begin(&mut self) {
        self.elements.clear();
        self.arena.clear();
        self.counted.clear();
        self.combination = None;
        self.different = SlotSet::default();
        self.known.begin();
        if self.arena.capacity() > 8 * FIELD_LIMIT {
            // One huge entry must not hold its memory for ever.
            self.arena.shrink_to(FIELD_LIMIT);
        }
        self.epoch = if let Some(epoch) = self.epoch.checked_add(1) {
            epoch
        } else {
            self.cells.fill(EMPTY);
            1
        };
    }

    pub(super) fn cell(&self, slot: Slot) -> Cell {
        let cell = self.cells[slot.index()];
        if cell.epoch == self.epoch { cell } else { EMPTY }
    }

    pub(super) fn stored(&self, element: u32) -> Stored {
        self.elements[element as usize].stored
    }

    pub(super) fn next(&self, element: u32) -> u32 {
        self.elements[element as usize].next
    }

    pub(super) fn text(&self, span: Span) -> &str {
        match self.known.text(span) {
            Some(text) => text,
            None => &self.arena[span.start as usize..span.end as usize],
        }
    }

    pub(super) fn value(&self, stored: Stored) -> Value<'_> {
        match stored {
            Stored::Text(span) => Value::Text(self.text(span)),
            Stored::Integer(integer) => Value::Integer(integer),
            Stored::Time(time) => Value::Time(time),
        }
    }

    /// Returns the displayed value of a field that has been read.
    pub(super) fn shown(&self, slot: Slot) -> Option<Stored> {
        let cell = self.cell(slot);
        let element = if cell.joined == NONE { cell.first } else { cell.joined };
        (element != NONE).then(|| self.stored(element))
    }

    pub(super) fn push_text(&mut self, text: &str) -> Span {
        let start = self.end();
        let room = ARENA_LIMIT.saturating_sub(self.arena.len());
        self.arena.push_str(&text[..floor_char_boundary(text, room)]);
        Span { start, end: self.end() }
    }

    /// Stores the name of the source, if it is known.
    pub(super) fn push_source(&mut self) -> Option<Span> {
        let source = std::mem::take(&mut self.source);
        let span = (!source.is_empty()).then(|| self.push_text(&source));
        self.source = source;
        span
    }

    fn end(&self) -> u32 {
        u32::try_from(self.arena.len()).expect("ARENA_LIMIT is below 2^32")
    }

    fn push_element(&mut self, stored: Stored) -> u32 {
        self.elements.push(Element { stored, next: NONE });
        // An element costs at least one field of the record; 2^32 of them do not fit into memory.
        u32::try_from(self.elements.len() - 1).expect("fewer than 2^32 elements")
    }

    pub(super) fn assign(&mut self, slot: Slot, stored: Option<Stored>) {
        let first = stored.map_or(NONE, |stored| self.push_element(stored));
        self.different.add(slot);
        self.cells[slot.index()] =
            Cell { epoch: self.epoch, first, last: first, joined: NONE, assigned: true };
    }

    /// Adds an element to a field that a step has set.
    pub(super) fn add(&mut self, slot: Slot, stored: Stored) {
        self.push_stored(slot, stored);
        self.cells[slot.index()].assigned = true;
    }

    pub(super) fn set_joined(&mut self, slot: Slot, text: &str) {
        let span = self.push_text(text);
        let joined = self.push_element(Stored::Text(span));
        self.cells[slot.index()].joined = joined;
    }

    /// Whether fields of this name have a slot.
    pub(super) fn wants(&self, name: &[u8]) -> bool {
        self.wanted.find(name).is_some_and(|(_, length)| length == name.len())
    }

    /// Stores a field of the record; see [`Buffers::push_value`].
    pub(super) fn push_field(&mut self, name: &[u8], value: &[u8]) -> bool {
        match self.wanted.find(name) {
            Some((slot, length)) if length == name.len() => self.push_value(slot, value),
            _ => false,
        }
    }

    /// Stores a field of the record, given as `NAME=value`.
    pub(super) fn push_assignment(&mut self, field: &[u8]) -> bool {
        let Some((slot, length)) = self.wanted.find(field) else { return false };
        self.push_value(slot, field.get(length + 1..).unwrap_or_default())
    }

    /// Stores a value of the record, unless a step has set the field.
    fn push_value(&mut self, slot: Slot, value: &[u8]) -> bool {
        if self.cell(slot).assigned || self.arena.len() >= ARENA_LIMIT {
            return false;
        }
        let stored = self.number(slot, value).unwrap_or_else(|| Stored::Text(self.push_bytes(value)));
        self.different.add(slot);
        self.push_stored(slot, stored);
        true
    }

    /// See [`super::Sink::learn`].
    pub(super) fn learn(&mut self, field: &[u8]) -> Option<Known> {
        let Some((slot, length)) = self.wanted.find(field) else { return Some(Known::default()) };
        let value = field.get(length + 1..).unwrap_or_default();
        if !self.known.has_room(value.len()) {
            return None;
        }
        let stored = self.number(slot, value).unwrap_or_else(|| {
            Stored::Text(match std::str::from_utf8(value) {
                Ok(text) => self.known.push_text(text),
                Err(_) => self.known.push_text(&self.eight_bit.decode(value)),
            })
        });
        Some(self.known.push(slot, stored))
    }

    /// Stores a value that was learnt, unless a step has set the field.
    pub(super) fn push_known(&mut self, known: Known) -> bool {
        let slot = self.push_unless_set(known);
        self.different.extend(slot);
        slot.is_some()
    }

    /// See [`super::Sink::combine`].
    pub(super) fn combine(&mut self) -> Combination {
        self.known.combine()
    }

    /// See [`super::Sink::combination`].
    pub(super) fn push_combination(&mut self, combination: Combination, values: &[Known]) {
        for known in values {
            self.push_unless_set(*known);
        }
        self.combination = Some(combination);
    }

    fn push_unless_set(&mut self, known: Known) -> Option<Slot> {
        let (slot, stored) = self.known.get(known)?;
        if self.cell(slot).assigned {
            return None;
        }
        self.push_stored(slot, stored);
        Some(slot)
    }

    /// The value as a number, if the field has numbers.
    fn number(&self, slot: Slot, value: &[u8]) -> Option<Stored> {
        match self.fields.value_type(slot) {
            ValueType::Integer => decode::integer(value).map(Stored::Integer),
            ValueType::Time => decode::integer(value).map(|micros| Stored::Time(Timestamp(micros))),
            ValueType::Text => None,
        }
    }

    /// Adds an element to those of the field.
    fn push_stored(&mut self, slot: Slot, stored: Stored) {
        let mut cell = self.cell(slot);
        let element = self.push_element(stored);
        if cell.last == NONE {
            cell = Cell { epoch: self.epoch, first: element, ..EMPTY };
        } else {
            self.elements[cell.last as usize].next = element;
        }
        cell.last = element;
        self.cells[slot.index()] = cell;
    }

    fn push_bytes(&mut self, bytes: &[u8]) -> Span {
        let bytes = decode::cut(bytes, FIELD_LIMIT);
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.push_text(text);
        }
        let text = self.eight_bit.decode(bytes);
        self.push_text(&text)
    }
}

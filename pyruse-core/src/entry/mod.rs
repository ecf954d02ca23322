//! An entry: the view that filters and actions have of one record.
//!
//! A record goes in; values by [`Slot`] come out. Fields are read from the record only until the requested one has been
//! seen, and are copied into one arena that all entries share, so that an entry costs no allocation. Values that steps
//! save hide those of the record.
//!
//! *Repeated fields.* The journal may hold a field several times, and libsystemd does not say so in advance. A
//! comparison holds if any element holds. So a comparison that holds stops reading; only one that does not hold must
//! read the record to its end, to know that no further element would.

mod buffers;
mod counted;
pub(crate) mod decode;
mod error;
mod field;
mod known;
mod limit;
mod names;
mod record;
mod table;
mod value;

use std::sync::Arc;

pub use self::buffers::Buffers;
pub use self::counted::Counted;
pub use self::decode::EightBit;
pub use self::error::StepError;
pub(crate) use self::field::SlotSet;
pub use self::field::{Fields, Slot};
pub use self::known::{Combination, Known};
pub use self::limit::FIELD_LIMIT;
pub use self::record::{MemoryRecord, Record, Sink};
pub(crate) use self::table::SOURCE_FIELD;
pub use self::table::{FieldTable, FieldTables, Origin, ValueType};
pub use self::value::{Span, Value};

use self::buffers::NONE;
use self::field::Address;
use self::value::Stored;
use crate::time::Timestamp;

/// One entry on its way through the workflow.
pub struct Entry<'r> {
    record: &'r mut dyn Record,
    buffers: &'r mut Buffers,
    begun: bool,
    exhausted: bool,
    time: Timestamp,
}

impl Buffers {
    /// Begins the next entry.
    pub fn entry<'r>(&'r mut self, record: &'r mut dyn Record) -> Entry<'r> {
        let time = record.realtime();
        self.entry_at(record, time)
    }

    /// Begins the next entry, with the time that it counts as.
    pub(crate) fn entry_at<'r>(&'r mut self, record: &'r mut dyn Record, time: Timestamp) -> Entry<'r> {
        self.begin();
        Entry::new(record, self, time)
    }
}

impl<'r> Entry<'r> {
    fn new(record: &'r mut dyn Record, buffers: &'r mut Buffers, time: Timestamp) -> Entry<'r> {
        Entry { record, buffers, begun: false, exhausted: false, time }
    }
}

impl Entry<'_> {
    /// Returns the entry's time: the only "now" that filters and actions know. If there is a clock, an entry from the
    /// future counts as one of now; its field `__REALTIME_TIMESTAMP` keeps the original time.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Returns the entry's address in its journal.
    pub fn cursor(&mut self) -> Option<String> {
        self.record.cursor()
    }

    /// Returns what the entry has in common with others, if its source says so. This reads the record's first field.
    pub(crate) fn combination(&mut self) -> Option<Combination> {
        if !self.begun && !self.exhausted {
            self.read_field();
        }
        self.buffers.combination
    }

    /// Returns the fields in which it may differ from others of its combination, as far as it was read.
    pub(crate) fn different(&self) -> SlotSet {
        self.buffers.different
    }

    /// Returns whether the record was read to its end.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Reads the record to its end.
    pub(crate) fn read_all(&mut self) {
        while !self.exhausted {
            self.read_field();
        }
    }

    /// Returns the names of the slots.
    pub fn fields(&self) -> &Fields {
        self.buffers.fields()
    }

    /// Returns whether `holds` is true for any element. `None`: the field is missing.
    ///
    /// An error is returned only if no element holds; but one that says [`StepError::exhausted`] is returned at once.
    pub fn any(
        &mut self,
        slot: Slot,
        mut holds: impl FnMut(Value<'_>) -> Result<bool, StepError>,
    ) -> Result<Option<bool>, StepError> {
        let mut error = None;
        let mut at = self.first(slot);
        let missing = at == NONE;
        while at != NONE {
            match holds(self.value_of(self.buffers.stored(at))) {
                Ok(true) => return Ok(Some(true)),
                Ok(false) => {}
                Err(e) if e.is_exhausted() => return Err(e),
                Err(e) => error = error.or(Some(e)),
            }
            at = self.next(slot, at);
        }
        match error {
            Some(error) => Err(error),
            None => Ok((!missing).then_some(false)),
        }
    }

    /// Like [`Entry::any`], but on the text of each element: numbers as decimal digits, times as they are shown.
    /// Returns the position of the text for which `holds` was true, for [`Entry::save_part`].
    pub fn find_text(
        &mut self,
        slot: Slot,
        mut holds: impl FnMut(&str) -> Result<bool, StepError>,
    ) -> Result<Option<Span>, StepError> {
        let mut error = None;
        let mut at = self.first(slot);
        while at != NONE {
            let span = self.text_of(self.buffers.stored(at));
            match holds(self.buffers.text(span)) {
                Ok(true) => return Ok(Some(span)),
                Ok(false) => {}
                Err(e) if e.is_exhausted() => return Err(e),
                Err(e) => error = error.or(Some(e)),
            }
            at = self.next(slot, at);
        }
        error.map_or(Ok(None), Err)
    }

    /// Returns the value to show: for a field that occurs several times, its texts joined by `, `. `None`: it is
    /// missing.
    pub fn value(&mut self, slot: Slot) -> Option<Value<'_>> {
        let stored = self.joined(slot)?;
        Some(self.value_of(stored))
    }

    /// Returns the text of the field's first element; unlike [`Entry::text`], it reads no further.
    pub fn first_text(&mut self, slot: Slot) -> Option<&str> {
        let first = self.first(slot);
        (first != NONE).then(|| self.element_text(first))
    }

    /// Returns the text to show; see [`Entry::value`].
    pub fn text(&mut self, slot: Slot) -> Option<&str> {
        let stored = self.joined(slot)?;
        let span = self.text_of(stored);
        Some(self.buffers.text(span))
    }

    /// Returns the text of the field, or the error that it is missing: for actions that cannot do without it.
    pub fn required_text(&mut self, slot: Slot) -> Result<&str, StepError> {
        // This reads the field twice: a returned borrow would still be in use where the error needs the names.
        if self.joined(slot).is_none() {
            return Err(StepError::missing(self.buffers.fields().name(slot)));
        }
        Ok(self.text(slot).unwrap_or_default())
    }

    /// Appends the rendered template; `slots` are the slots of `template.names()`.
    pub(crate) fn render(
        &mut self,
        template: &crate::template::Template,
        slots: &[Slot],
        out: &mut String,
    ) -> Result<(), StepError> {
        for slot in slots {
            self.joined(*slot);
        }
        let buffers = &*self.buffers;
        template
            .render(out, buffers.zone(), |n| buffers.shown(slots[n]).map(|stored| buffers.value(stored)))
            .map_err(|e| StepError::new(e.to_string()))
    }

    /// Gives the parts of the rendered template to `emit`; `slots` are the slots of `template.names()`.
    pub(crate) fn render_parts(
        &mut self,
        template: &crate::template::Template,
        slots: &[Slot],
        emit: &mut dyn FnMut(crate::template::Part<'_>),
    ) -> Result<(), StepError> {
        for slot in slots {
            self.joined(*slot);
        }
        let buffers = &*self.buffers;
        template
            .render_parts(
                buffers.zone(),
                |n| buffers.shown(slots[n]).map(|stored| buffers.value(stored)),
                emit,
            )
            .map_err(|e| StepError::new(e.to_string()))
    }

    /// Sets a field to a text.
    pub fn set_text(&mut self, slot: Slot, text: &str) {
        let span = self.buffers.push_text(text);
        self.assign(slot, Some(Stored::Text(span)));
    }

    /// Sets a field to several texts; without any, it is missing. Those beyond the memory for an entry are left out.
    pub fn set_texts<'t>(&mut self, slot: Slot, texts: impl Iterator<Item = &'t str>) {
        self.assign(slot, None);
        for text in texts {
            let span = self.buffers.push_text(text);
            // A part of a text could be another value.
            if self.buffers.text(span).len() < text.len() {
                break;
            }
            self.buffers.add(slot, Stored::Text(span));
        }
    }

    /// Sets a field to an integer.
    pub fn set_integer(&mut self, slot: Slot, integer: i64) {
        self.assign(slot, Some(Stored::Integer(integer)));
    }

    /// Sets a field to a part of a text that [`Entry::find_text`] returned; `None` unsets it.
    pub fn save_part(&mut self, slot: Slot, of: Span, part: Option<std::ops::Range<usize>>) {
        let stored = part.map(|part| {
            // The parts are within a text of at most FIELD_LIMIT bytes and do not move: no copy is needed.
            let at = |offset: usize| of.start + u32::try_from(offset).unwrap_or(0);
            Stored::Text(Span { start: at(part.start), end: at(part.end) })
        });
        self.assign(slot, stored);
    }

    /// Makes the field missing.
    pub fn unset(&mut self, slot: Slot) {
        self.assign(slot, None);
    }

    /// Records the count that a counter reached.
    pub fn note_count(&mut self, category: &Arc<str>, key: Slot, count: u64) {
        self.buffers.counted.push(Counted { category: category.clone(), key, count });
    }

    /// Returns the counts that counters reached for the entry so far, the last one last.
    pub fn counted(&self) -> &[Counted] {
        &self.buffers.counted
    }

    fn assign(&mut self, slot: Slot, stored: Option<Stored>) {
        self.buffers.assign(slot, stored);
    }

    /// Returns the first element; reads it from the record if necessary.
    fn first(&mut self, slot: Slot) -> u32 {
        let cell = self.buffers.cell(slot);
        if cell.first != NONE || cell.assigned {
            return cell.first;
        }
        if let Some(address) = self.buffers.fields().address(slot) {
            self.load_address(slot, address);
        } else {
            self.read_until(slot, NONE);
        }
        self.buffers.cell(slot).first
    }

    /// Returns the element after `at`; reads it from the record if necessary.
    fn next(&mut self, slot: Slot, at: u32) -> u32 {
        let next = self.buffers.next(at);
        if next != NONE || self.exhausted || self.buffers.cell(slot).assigned {
            return next;
        }
        self.read_until(slot, at);
        self.buffers.next(at)
    }

    /// Reads fields until the slot's last element is no longer `last`, or the record ends.
    fn read_until(&mut self, slot: Slot, last: u32) {
        while !self.exhausted && self.buffers.cell(slot).last == last {
            self.read_field();
        }
    }

    fn read_field(&mut self) {
        self.begun = true;
        self.exhausted = !self.record.next_field(&mut Sink::new(self.buffers));
    }

    fn load_address(&mut self, slot: Slot, address: Address) {
        let text = match address {
            Address::Realtime => {
                let written = self.record.realtime();
                return self.assign(slot, Some(Stored::Time(written)));
            }
            Address::Monotonic => self.record.monotonic().map(|micros| micros.to_string()),
            Address::Cursor => self.record.cursor(),
            Address::Source => {
                let named = self.buffers.push_source();
                let span = named.or_else(|| self.record.source().map(|name| self.buffers.push_text(name)));
                return self.assign(slot, span.map(Stored::Text));
            }
        };
        let stored = text.map(|text| Stored::Text(self.buffers.push_text(&text)));
        self.assign(slot, stored);
    }

    /// Returns what to show of the field (also for [`Buffers::shown`]): its only element, or the joined text of
    /// several.
    fn joined(&mut self, slot: Slot) -> Option<Stored> {
        let first = self.first(slot);
        if first == NONE {
            return None;
        }
        let mut at = self.next(slot, first);
        if at != NONE && self.buffers.cell(slot).joined == NONE {
            let mut joined = String::from(self.element_text(first));
            while at != NONE {
                joined.push_str(", ");
                joined.push_str(self.element_text(at));
                at = self.next(slot, at);
            }
            // The elements stay: later comparisons must still see each of them.
            self.buffers.set_joined(slot, &joined);
        }
        self.buffers.shown(slot)
    }

    fn element_text(&mut self, at: u32) -> &str {
        let span = self.text_of(self.buffers.stored(at));
        self.buffers.text(span)
    }

    fn value_of(&self, stored: Stored) -> Value<'_> {
        self.buffers.value(stored)
    }

    fn text_of(&mut self, stored: Stored) -> Span {
        match stored {
            Stored::Text(span) => span,
            Stored::Integer(integer) => self.buffers.push_text(&integer.to_string()),
            Stored::Time(time) => {
                let shown = crate::template::show_time(time, self.buffers.zone());
                self.buffers.push_text(&shown)
            }
        }
    }
}

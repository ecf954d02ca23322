//! Field names, numbered.
//!
//! While a configuration is compiled, every name that it reads or saves gets a [`Slot`]; at run time, only slots are
//! left. One look-up per field remains, from the name of a journal field to its slot; a
//! table (`names`) answers it.

use std::collections::HashMap;

use super::table::{FieldTables, SOURCE_FIELD, ValueType};

/// The number of a field in one compiled workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(crate) u32);

impl Slot {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of fields. From the 128th on, all fields count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotSet(u128);

impl SlotSet {
    fn bit(slot: Slot) -> u128 {
        1 << slot.0.min(u128::BITS - 1)
    }

    pub(crate) fn add(&mut self, slot: Slot) {
        self.0 |= SlotSet::bit(slot);
    }

    /// Has it any field of the other set?
    pub(crate) fn meets(self, other: SlotSet) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn has(self, slot: Slot) -> bool {
        self.0 & SlotSet::bit(slot) != 0
    }
}

impl Extend<Slot> for SlotSet {
    fn extend<I: IntoIterator<Item = Slot>>(&mut self, slots: I) {
        slots.into_iter().for_each(|slot| self.add(slot));
    }
}

/// Fields that are not data of the entry, but say where and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Realtime,
    Monotonic,
    Cursor,
    Source,
}

#[derive(Clone, Debug)]
struct Name {
    text: String,
    kind: ValueType,
    address: Option<Address>,
}

/// The field names of one workflow; grows while the workflow is compiled.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    names: Vec<Name>,
    by_text: HashMap<String, Slot>,
    tables: FieldTables,
}

impl Fields {
    /// Sets what the sources say about fields; until then, all fields are text.
    pub fn set_tables(&mut self, tables: FieldTables) {
        for name in &mut self.names {
            name.kind = tables.value_type(&name.text);
        }
        self.tables = tables;
    }

    /// Returns what the sources say about fields.
    pub fn tables(&self) -> &FieldTables {
        &self.tables
    }

    /// Returns the slot of a name; a new one if the name has none yet.
    pub fn slot(&mut self, name: &str) -> Slot {
        if let Some(slot) = self.by_text.get(name) {
            return *slot;
        }
        let slot = Slot(u32::try_from(self.names.len()).expect("a configuration has fewer than 2^32 names"));
        let address = match name {
            "__REALTIME_TIMESTAMP" => Some(Address::Realtime),
            "__MONOTONIC_TIMESTAMP" => Some(Address::Monotonic),
            "__CURSOR" => Some(Address::Cursor),
            SOURCE_FIELD => Some(Address::Source),
            _ => None,
        };
        self.names.push(Name { text: name.to_owned(), kind: self.tables.value_type(name), address });
        self.by_text.insert(name.to_owned(), slot);
        slot
    }

    /// Returns the slot of a name, if it has one.
    pub fn find(&self, name: &str) -> Option<Slot> {
        self.by_text.get(name).copied()
    }

    /// Returns the name of a slot.
    pub fn name(&self, slot: Slot) -> &str {
        &self.names[slot.index()].text
    }

    /// Returns the number of slots.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Iterates over all slots with their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &str)> {
        self.names
            .iter()
            .enumerate()
            .map(|(n, name)| (Slot(u32::try_from(n).unwrap_or(u32::MAX)), name.text.as_str()))
    }

    pub(crate) fn value_type(&self, slot: Slot) -> ValueType {
        self.names[slot.index()].kind
    }

    pub(crate) fn address(&self, slot: Slot) -> Option<Address> {
        self.names[slot.index()].address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_slot() {
        let mut fields = Fields::default();
        let slot = fields.slot("MESSAGE");
        assert_eq!(fields.slot("MESSAGE"), slot);
        assert_eq!(fields.name(slot), "MESSAGE");
        assert_eq!(fields.value_type(slot), ValueType::Text);
    }

    #[test]
    fn fields_beyond_the_room_of_a_set_count_as_one() {
        let set = |slot| {
            let mut set = SlotSet::default();
            set.add(Slot(slot));
            set
        };
        assert!(set(126).has(Slot(126)) && !set(126).has(Slot(127)) && !set(126).meets(set(125)));
        assert!(set(127).has(Slot(1000)) && set(1000).meets(set(128)) && !set(1000).has(Slot(0)));
    }
}

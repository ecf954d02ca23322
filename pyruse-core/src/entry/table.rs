//! What sources say about the fields of their entries: which hold integers or times, and who can set them.

use std::collections::BTreeSet;

use crate::pattern::Pattern;

/// The field with the name of the source that an entry comes from. The core sets it; no entry can.
pub(crate) const SOURCE_FIELD: &str = "_SOURCE";

/// The fields that every entry may have, whatever its source: where and when it was written.
const OF_EVERY_ENTRY: [&str; 4] = ["__CURSOR", "__MONOTONIC_TIMESTAMP", "__REALTIME_TIMESTAMP", SOURCE_FIELD];

/// What the bytes of a field mean; its name alone decides that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueType {
    /// A decimal integer, or text if the bytes are not an integer.
    Integer,
    /// Microseconds since the epoch, or text if the bytes are not an integer.
    Time,
    /// Text.
    Text,
}

/// Who sets a field, and what it therefore says about the writer of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The writer sets it, to anything.
    Writer,
    /// The writer sets it, to say who they are or what the entry is about.
    Claim,
    /// The source sets it; it says nothing about the writer.
    Source,
    /// The source sets it; it says something about the writer, but the writer can influence it.
    Evidence,
    /// The source sets it; it identifies the writer, who cannot choose it.
    Identity,
}

/// What one kind of source knows about the fields of its entries.
pub trait FieldTable: Sync {
    /// Returns the names of all fields that are known.
    fn names(&self) -> Vec<&'static str>;

    /// Returns what the bytes of this field mean.
    fn value_type(&self, name: &str) -> ValueType;

    /// Returns `true` if an entry may hold a field with this name.
    fn may_hold(&self, name: &str) -> bool;

    /// Returns who sets the field.
    fn origin(&self, name: &str) -> Origin;

    /// Returns `true` if a field whose [`Origin`] is `Identity` proves who wrote the entry when it has this value.
    fn proves(&self, _name: &str, _value: &str) -> bool {
        true
    }

    /// Returns `true` if a match of this expression in such a field proves it.
    fn proves_match(&self, _name: &str, _pattern: &Pattern) -> bool {
        true
    }

    /// Returns `true` if the source itself proves who wrote its entries: e.g. a file that only one program writes.
    fn has_one_writer(&self) -> bool {
        false
    }
}

/// The tables of all sources that entries may come from, by the name of the source.
#[derive(Clone, Default)]
pub struct FieldTables(Vec<(String, &'static dyn FieldTable)>);

impl std::fmt::Debug for FieldTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl FromIterator<(String, &'static dyn FieldTable)> for FieldTables {
    fn from_iter<I: IntoIterator<Item = (String, &'static dyn FieldTable)>>(tables: I) -> FieldTables {
        FieldTables(tables.into_iter().collect())
    }
}

impl FieldTables {
    fn tables(&self) -> impl Iterator<Item = &'static dyn FieldTable> {
        self.0.iter().map(|(_, table)| *table)
    }

    /// Returns the names of the sources.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the names of all fields that are known, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let of_sources = self.tables().flat_map(FieldTable::names);
        OF_EVERY_ENTRY.into_iter().chain(of_sources).collect::<BTreeSet<_>>().into_iter()
    }

    /// Returns what the bytes of a field mean: the first source that does not take it for text decides.
    pub fn value_type(&self, name: &str) -> ValueType {
        match name {
            "__REALTIME_TIMESTAMP" => ValueType::Time,
            _ => self
                .tables()
                .map(|table| table.value_type(name))
                .find(|kind| *kind != ValueType::Text)
                .unwrap_or(ValueType::Text),
        }
    }

    /// Returns `true` if an entry of any source may hold a field with this name.
    pub fn may_hold(&self, name: &str) -> bool {
        OF_EVERY_ENTRY.contains(&name) || self.tables().any(|table| table.may_hold(name))
    }

    /// Returns who sets the field. Where sources differ, the least trusted of those that have the field decides.
    pub fn origin(&self, name: &str) -> Origin {
        if name == SOURCE_FIELD {
            let is_proof = !self.0.is_empty() && self.tables().any(FieldTable::has_one_writer);
            return if is_proof { Origin::Identity } else { Origin::Source };
        }
        if OF_EVERY_ENTRY.contains(&name) {
            return Origin::Source;
        }
        let holding = self.tables().filter(|table| table.may_hold(name));
        let origin = holding.map(|table| table.origin(name)).min();
        origin.or_else(|| self.tables().map(|table| table.origin(name)).min()).unwrap_or(Origin::Writer)
    }

    /// Returns `true` if only a source sets the field.
    pub fn is_trusted(&self, name: &str) -> bool {
        self.origin(name) >= Origin::Source
    }

    /// Returns `true` if the field identifies the writer of the entry, and the writer cannot choose it.
    pub fn is_identity(&self, name: &str) -> bool {
        self.origin(name) == Origin::Identity
    }

    /// Returns `true` if an entry whose field [is an identity](Self::is_identity) and has this value is proved to be
    /// from its writer.
    pub fn proves(&self, name: &str, value: &str) -> bool {
        if name == SOURCE_FIELD {
            return self.0.iter().any(|(source, table)| source == value && table.has_one_writer());
        }
        self.tables().filter(|table| table.may_hold(name)).all(|table| table.proves(name, value))
    }

    /// Returns `true` if the same is proved by a match of this expression.
    pub fn proves_match(&self, name: &str, pattern: &Pattern) -> bool {
        if name == SOURCE_FIELD {
            let mut matching = self.0.iter().filter(|(source, _)| pattern.is_match(source).unwrap_or(true));
            return matching.all(|(_, table)| table.has_one_writer());
        }
        self.tables().filter(|table| table.may_hold(name)).all(|table| table.proves_match(name, pattern))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source whose entries have one field, which anybody may set.
    struct OneField;

    impl FieldTable for OneField {
        fn names(&self) -> Vec<&'static str> {
            vec!["TEXT"]
        }

        fn value_type(&self, _name: &str) -> ValueType {
            ValueType::Text
        }

        fn may_hold(&self, name: &str) -> bool {
            name == "TEXT"
        }

        fn origin(&self, _name: &str) -> Origin {
            Origin::Writer
        }
    }

    #[test]
    fn entries_of_any_source_say_where_and_when_they_were_written_and_no_writer_sets_that() {
        let tables: FieldTables = [("one".to_owned(), &OneField as &dyn FieldTable)].into_iter().collect();
        for name in OF_EVERY_ENTRY {
            assert!(tables.may_hold(name) && tables.is_trusted(name) && !tables.is_identity(name), "{name}");
        }
        assert!(tables.may_hold("TEXT") && !tables.is_trusted("TEXT"));
        assert!(!tables.may_hold("OTHER"));
    }
}

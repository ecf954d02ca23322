//! The mappings: which client is behind which connection of the proxy.
//!
//! A look-up uses some of the four properties. Each combination that is used has an [`Index`], so that no look-up
//! scans. It only contains mappings that no later one outlives, because others can never be found.
//!
//! If a later mapping outlives an earlier one *and* has the same values for all four properties, the earlier one can
//! never be found by any look-up: it is removed at once. So the memory grows with the number of different connections,
//! not of entries.

use std::hash::RandomState;

use pyruse_core::state::{Changes, ItemIndex, Resource, Row};
use pyruse_core::time::ClockStep;

use super::index::Index;
use super::mapping::{Mapping, Properties};
use super::ordered::Ordered;
use super::property::{Combination, Property};
use super::retention;

/// Entries of several sources come slightly out of order: expired mappings are kept for this many seconds, because an
/// entry from directly before their end may still follow.
const KEEP_EXPIRED: i64 = 60;

/// The maximum average size of a mapping's texts, in bytes.
const BYTES_EACH: usize = 1024;

/// The index of all four properties, where "missing" is a value, too.
const IDENTITY: usize = 0;

/// All mappings with their indexes; see the module documentation.
pub(super) struct Mappings {
    limit: usize,
    held: Ordered,
    /// The first one is that of [`IDENTITY`].
    indexes: Vec<Index>,
    /// The secret key of the hashes.
    random: RandomState,
    bytes: usize,
    /// The number of the next mapping.
    next: u64,
    /// Mappings from this number on have no rows yet.
    first_unsaved: u64,
    /// The rows to delete.
    deleted: Vec<u64>,
    /// Reused by each capture.
    outlived: Vec<ItemIndex>,
    warned: bool,
}

impl Default for Mappings {
    fn default() -> Self {
        Mappings {
            limit: ItemIndex::MAX_ITEMS - 1,
            held: Ordered::default(),
            indexes: vec![Index::new(Combination::of(Property::ALL))],
            random: RandomState::new(),
            bytes: 0,
            next: 0,
            first_unsaved: 0,
            deleted: Vec::new(),
            outlived: Vec::new(),
            warned: false,
        }
    }
}

/// The number of an index, see [`Mappings::index`].
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexNumber(usize);

impl Mappings {
    /// Sets the maximum number of mappings.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.clamp(1, ItemIndex::MAX_ITEMS - 1);
    }

    /// Creates the index for this combination, if there is none; returns its number.
    pub(super) fn index(&mut self, combination: Combination) -> IndexNumber {
        // A look-up with all four properties has none missing: it uses the same index.
        if let Some(known) = self.indexes.iter().position(|index| index.combination == combination) {
            return IndexNumber(known);
        }
        let mut index = Index::new(combination);
        for place in self.held.by_age() {
            let properties = self.held[place].properties();
            if combination.is_in(&properties) {
                index.insert(place, &properties, &self.held, &self.random, |_| ());
            }
        }
        self.indexes.push(index);
        IndexNumber(self.indexes.len() - 1)
    }

    /// Stores a mapping at second `now`, and gives it its number.
    pub(super) fn capture(&mut self, mapping: Mapping, now: i64) {
        self.expire(now);
        self.insert_numbered(mapping);
        self.enforce_limit();
    }

    /// Returns the newest mapping with these properties that has not expired at second `now`. `asked` has the
    /// properties of the index's combination.
    pub(super) fn find(&self, index: IndexNumber, asked: &Properties, now: i64) -> Option<&Mapping> {
        let found = self.indexes[index.0].find(asked, &self.held, &self.random, now)?;
        Some(&self.held[found])
    }

    /// Returns the number of mappings, including expired ones.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Inserts a mapping as the newest.
    fn insert_numbered(&mut self, mut mapping: Mapping) {
        mapping.number = self.next;
        self.next += 1;
        self.insert(mapping);
    }

    fn insert(&mut self, mapping: Mapping) {
        self.bytes += mapping.bytes();
        let place = self.held.insert(mapping);
        let properties = self.held[place].properties();
        for (at, index) in self.indexes.iter_mut().enumerate() {
            if at == IDENTITY {
                let outlived = |place| self.outlived.push(place);
                index.insert(place, &properties, &self.held, &self.random, outlived);
            } else if index.combination.is_in(&properties) {
                // A property that was not captured equals nothing.
                index.insert(place, &properties, &self.held, &self.random, |_| ());
            }
        }
        // No index contains these any more: they had the same values everywhere.
        while let Some(place) = self.outlived.pop() {
            self.forget(place);
        }
    }

    /// Removes at most two expired mappings: twice as fast as new ones come.
    fn expire(&mut self, now: i64) {
        for _ in 0..2 {
            match self.held.first_to_end() {
                Some(first) if self.held[first].end.saturating_add(KEEP_EXPIRED) <= now => self.remove(first),
                _ => return,
            }
        }
    }

    fn enforce_limit(&mut self) {
        while self.held.len() > 1
            && (self.held.len() > self.limit || self.bytes / BYTES_EACH > self.limit)
            && let Some(oldest) = self.held.oldest()
        {
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "dnat: there are more than `dnat.maxMappings` = {} mappings: the oldest are forgotten",
                    self.limit
                );
            }
            self.remove(oldest);
        }
    }

    /// Removes a mapping that is the oldest, or the first to end.
    fn remove(&mut self, place: ItemIndex) {
        let properties = self.held[place].properties();
        for (at, index) in self.indexes.iter_mut().enumerate() {
            if at == IDENTITY || index.combination.is_in(&properties) {
                index.remove(place, &properties, &self.held, &self.random);
            }
        }
        self.forget(place);
    }

    /// Removes a mapping that is in no index any more.
    fn forget(&mut self, place: ItemIndex) {
        let Some(mapping) = self.held.remove(place) else { return };
        self.bytes -= mapping.bytes();
        if mapping.number < self.first_unsaved {
            self.deleted.push(mapping.number);
        }
    }
}

impl Resource for Mappings {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut mappings = Mappings::default();
        for (key, value) in rows {
            let number = u64::from_be_bytes((*key).try_into().map_err(|_| "a mapping has no number")?);
            let mapping = Mapping::from_row(number, &value)?;
            mappings.next = number.checked_add(1).ok_or("a mapping has the last possible number")?;
            mappings.first_unsaved = mappings.next;
            mappings.insert(mapping);
        }
        Ok(mappings)
    }

    /// If an end cannot be right, all mappings are inserted again, because the indexes depend on their ends.
    fn adjust(&mut self, step: ClockStep) {
        let adjusted = |mapping: &Mapping| retention::adjusted(mapping.end, mapping.bits, step);
        if self.held.by_age().all(|place| adjusted(&self.held[place]) == self.held[place].end) {
            return;
        }
        let mut old = std::mem::take(&mut self.held);
        self.bytes = 0;
        for index in &mut self.indexes {
            *index = Index::new(index.combination);
        }
        while let Some(mut mapping) = old.oldest().and_then(|oldest| old.remove(oldest)) {
            if mapping.number < self.first_unsaved {
                self.deleted.push(mapping.number);
            }
            mapping.end = adjusted(&mapping);
            self.insert_numbered(mapping);
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for number in self.deleted.drain(..) {
            changes.delete(number.to_be_bytes());
        }
        for mapping in self.held.since(self.first_unsaved) {
            match mapping.to_row() {
                Ok(row) => changes.put(mapping.number.to_be_bytes(), row),
                // Serialising texts and numbers cannot fail.
                Err(e) => tracing::error!("a mapping cannot be stored: {e}"),
            }
        }
        self.first_unsaved = self.next;
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::state::State;
    use pyruse_core::time::{Now, Timestamp};

    use super::super::value::Value;
    use super::*;

    /// Texts that are empty are missing.
    fn mapping(properties: [&str; 4], saddr: &str, end: i64) -> Mapping {
        let properties = properties.map(|text| (!text.is_empty()).then(|| Value::of(text)));
        Mapping::new([Some(Value::of(saddr)), None], properties, end, 6)
    }

    fn capture(mappings: &mut Mappings, saddr: &str, properties: [&str; 4], end: i64, now: i64) {
        mappings.capture(mapping(properties, saddr, end), now);
    }

    fn find(mappings: &Mappings, index: IndexNumber, properties: [&str; 4], now: i64) -> Option<String> {
        let found = mappings.find(index, &mapping(properties, "", 0).properties(), now)?;
        found.client()[0].as_ref().map(Value::to_string)
    }

    fn by_addr_and_port() -> Combination {
        Combination::of([Property::Addr, Property::Port])
    }

    #[test]
    fn equal_mappings_replace_each_other_and_leave_one_row() {
        let mut state = State::in_memory();
        let handle = state.open::<Mappings>("m").unwrap();
        let index = state.get_mut(handle).index(by_addr_and_port());
        let rows = |state: &mut State| {
            let mut rows = 0;
            state.scan(handle, |_, _| rows += 1).unwrap();
            rows
        };
        for n in 0..1000 {
            capture(state.get_mut(handle), &format!("c{n}"), ["p", "1", "", ""], 1000 + n, n);
            if n % 100 == 50 {
                assert_eq!(rows(&mut state), 1);
            }
        }
        assert_eq!(state.get(handle).len(), 1);
        assert_eq!(rows(&mut state), 1);
        let found = find(state.get(handle), index, ["p", "1", "", ""], 1500);
        assert_eq!(found.as_deref(), Some("c999"));
    }

    #[test]
    fn an_older_mapping_that_lives_longer_is_found_again() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        capture(&mut mappings, "long", ["p", "1", "d", ""], 100, 0);
        capture(&mut mappings, "short", ["p", "1", "", ""], 10, 1);
        let found = |now| find(&mappings, index, ["p", "1", "", ""], now);
        assert_eq!(found(9).as_deref(), Some("short"));
        assert_eq!(found(10).as_deref(), Some("long"));
        assert_eq!(found(100), None);
    }

    #[test]
    fn expired_mappings_are_removed_as_others_are_added() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        for n in 0..20_000 {
            capture(&mut mappings, "c", ["p", &n.to_string(), "", ""], n + 64, n);
            assert!(mappings.len() <= 64 + 60 + 2);
        }
        assert_eq!(mappings.indexes[index.0].len(), mappings.len());
        assert_eq!(mappings.indexes[IDENTITY].len(), mappings.len());
        assert_eq!(mappings.held.ends(), mappings.len());
    }

    #[test]
    fn the_oldest_are_evicted_when_there_are_too_many_or_too_large_ones() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        mappings.set_limit(100);
        for n in 0..250 {
            capture(&mut mappings, "c", ["p", &n.to_string(), "", ""], i64::MAX, 0);
        }
        assert_eq!(mappings.len(), 100);
        let found = |n: i32| find(&mappings, index, ["p", &n.to_string(), "", ""], 0).is_some();
        assert!(!found(149) && found(150) && found(249));
        let large = "x".repeat(60_000);
        for n in 0..10 {
            capture(&mut mappings, &large, ["p", &format!("large {n}"), "", ""], i64::MAX, 0);
        }
        assert_eq!(mappings.len(), 1);
        assert_eq!(mappings.bytes, mapping(["p", "large 9", "", ""], &large, 0).bytes());
    }

    #[test]
    fn the_time_of_a_look_up_does_not_depend_on_the_number_of_mappings() {
        let mut mappings = Mappings::default();
        let index = mappings.index(Combination::of([Property::Addr]));
        // All with the same address, each with a port of its own: one index has one long list of candidates.
        for n in 0..100_000 {
            capture(&mut mappings, "c", ["p", &n.to_string(), "", ""], 1000 + i64::from(n), 0);
        }
        assert_eq!((mappings.indexes[index.0].len(), mappings.indexes[index.0].candidates()), (1, 1));
    }

    #[test]
    fn a_mapping_of_a_clock_that_was_ahead_ends_as_if_it_were_captured_now() {
        let (now, ahead) = (1_795_000_000, 2_795_000_000);
        let mut state = State::in_memory();
        let handle = state.open::<Mappings>("m").unwrap();
        let mappings = state.get_mut(handle);
        let index = mappings.index(by_addr_and_port());
        let end = |second| retention::end(Timestamp::from_seconds(second), 6);
        for n in ["1", "2", "3"] {
            capture(mappings, n, ["p", n, "", ""], if n == "2" { end(now) } else { end(ahead) }, now);
        }
        capture(mappings, "ever", ["p", "4", "", ""], i64::MAX, now);
        state.commit().unwrap();
        let mappings = state.get_mut(handle);
        capture(mappings, "new", ["p", "1", "", ""], end(now), now);
        mappings.adjust(ClockStep::loaded(Now::at(Timestamp::from_seconds(now))));
        for (n, client) in [("1", "new"), ("2", "2"), ("3", "3")] {
            let found = |second| find(mappings, index, ["p", n, "", ""], second);
            assert_eq!(found(end(now) - 1).as_deref(), Some(client));
            assert_eq!(found(end(now)), None);
        }
        assert!(find(mappings, index, ["p", "4", "", ""], ahead).is_some());
        let mut rows = Vec::new();
        state.scan(handle, |key, value| rows.push((key.into(), value.into()))).unwrap();
        assert_eq!(rows.len(), state.get(handle).len());
        let mut loaded = Mappings::load(rows).unwrap();
        let index = loaded.index(by_addr_and_port());
        assert_eq!(find(&loaded, index, ["p", "1", "", ""], now).as_deref(), Some("new"));
        assert_eq!(find(&loaded, index, ["p", "1", "", ""], end(now)), None);
    }
}

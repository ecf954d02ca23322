//! The mappings: who is behind which connection of the proxy.
//!
//! A look-up asks for some of the four properties. Each combination that is asked for has an index, so that no look-up
//! scans. Of the mappings with the same values in an index, only those can ever be found that no later one outlives;
//! each index holds just those, newest last, so that their ends fall from first to last and the newest that is alive
//! is found by halving (nearly always there is just one).
//!
//! A mapping that a later one outlives *and* that has the same values for all four properties can never be found by
//! anybody: it is removed at once. So what is held grows with the number of different connections, not of entries.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};

use super::property::{Combination, Key, Property};

/// Entries of several sources come a little out of order: dead mappings are kept for so many seconds, since an entry
/// from just before their end may still follow.
const LINGER: i64 = 60;

/// The memory that the values of a mapping may take on the average.
const BYTES_EACH: usize = 1024;

/// What is put in the place of the proxy's address or port: a text or a number, as it was captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", untagged)]
pub(super) enum Captured {
    Integer(i64),
    Text(String),
}

impl Captured {
    fn size(&self) -> usize {
        match self {
            Captured::Text(text) => text.len(),
            Captured::Integer(_) => 0,
        }
    }
}

/// A mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Mapping {
    /// The client's address.
    #[serde(rename = "a")]
    pub(super) saddr: Captured,
    /// The client's port.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) sport: Option<Captured>,
    /// The properties in their normal form, in the order of [`Property::ALL`].
    #[serde(rename = "k")]
    pub(super) properties: [Option<String>; 4],
    /// The second from which on it is dead.
    #[serde(rename = "e")]
    pub(super) end: i64,
}

impl Mapping {
    fn size(&self) -> usize {
        let properties = self.properties.iter().flatten().map(String::len);
        properties.sum::<usize>() + self.saddr.size() + self.sport.as_ref().map_or(0, Captured::size)
    }
}

struct Held {
    mapping: Mapping,
    /// It has a row.
    stored: bool,
}

/// The mappings of one combination of properties, by their values.
struct Index {
    combination: Combination,
    /// Numbers of mappings, rising, with their ends, falling.
    numbers: HashMap<Box<[u8]>, Vec<(u64, i64)>>,
}

/// The combination of all four, where "none" is a value too.
const IDENTITY: usize = 0;

/// See the module.
pub(super) struct Mappings {
    limit: usize,
    held: BTreeMap<u64, Held>,
    ends: BTreeSet<(i64, u64)>,
    /// The first is that of [`IDENTITY`].
    indexes: Vec<Index>,
    bytes: usize,
    next: u64,
    warned: bool,
    /// New ones, and rows of those that are no more.
    fresh: Vec<u64>,
    gone: Vec<u64>,
    key: Key,
}

impl Default for Mappings {
    fn default() -> Self {
        Mappings {
            limit: usize::MAX,
            held: BTreeMap::new(),
            ends: BTreeSet::new(),
            indexes: vec![Index { combination: Combination::of(Property::ALL), numbers: HashMap::new() }],
            bytes: 0,
            next: 0,
            warned: false,
            fresh: Vec::new(),
            gone: Vec::new(),
            key: Key::default(),
        }
    }
}

/// The number of the index for a combination, see [`Mappings::index`].
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexNumber(usize);

impl Mappings {
    /// Holds at most so many.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// Makes look-ups by this combination possible.
    pub(super) fn index(&mut self, combination: Combination) -> IndexNumber {
        let known = self.indexes.iter().skip(1).position(|index| index.combination == combination);
        if let Some(place) = known {
            return IndexNumber(place + 1);
        }
        let place = self.indexes.len();
        self.indexes.push(Index { combination, numbers: HashMap::new() });
        for (number, held) in &self.held {
            if write_key(&mut self.key, place, combination, &held.mapping) {
                enter(&mut self.indexes[place], self.key.bytes(), *number, held.mapping.end);
            }
        }
        IndexNumber(place)
    }

    /// Records a mapping, at second `now`.
    pub(super) fn capture(&mut self, mapping: Mapping, now: i64) {
        self.expire(now);
        let number = self.next;
        self.next += 1;
        self.bytes += mapping.size();
        for (place, index) in self.indexes.iter_mut().enumerate() {
            if write_key(&mut self.key, place, index.combination, &mapping) {
                let outlived = enter(index, self.key.bytes(), number, mapping.end);
                if place == IDENTITY {
                    // The other indexes find out by themselves.
                    for (number, end) in outlived {
                        self.ends.remove(&(end, number));
                        if let Some(held) = self.held.remove(&number) {
                            self.bytes -= held.mapping.size();
                            if held.stored {
                                self.gone.push(number);
                            }
                        }
                    }
                }
            }
        }
        self.ends.insert((mapping.end, number));
        self.held.insert(number, Held { mapping, stored: false });
        self.fresh.push(number);
        self.keep_bounds();
    }

    /// The newest mapping with these values that is alive at second `now`. The key holds the values of the index's
    /// combination.
    pub(super) fn find(&self, index: IndexNumber, key: &Key, now: i64) -> Option<&Mapping> {
        let numbers = self.indexes[index.0].numbers.get(key.bytes())?;
        let alive = numbers.partition_point(|(_, end)| now < *end);
        let (number, _) = numbers[..alive].last()?;
        self.held.get(number).map(|held| &held.mapping)
    }

    /// How many it holds, dead ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Removes at most two that are over: twice as fast as they come.
    fn expire(&mut self, now: i64) {
        for _ in 0..2 {
            match self.ends.first() {
                Some((end, number)) if end.saturating_add(LINGER) <= now => self.remove(*number),
                _ => return,
            }
        }
    }

    fn keep_bounds(&mut self) {
        while self.held.len() > 1
            && (self.held.len() > self.limit || self.bytes / BYTES_EACH > self.limit)
            && let Some(oldest) = self.held.keys().next().copied()
        {
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "dnat: there are more mappings than `dnat.maxMappings` = {} allows: the oldest are forgotten",
                    self.limit
                );
            }
            self.remove(oldest);
        }
    }

    fn remove(&mut self, number: u64) {
        let Some(Held { mapping, stored }) = self.held.remove(&number) else { return };
        self.bytes -= mapping.size();
        self.ends.remove(&(mapping.end, number));
        if stored {
            self.gone.push(number);
        }
        for (place, index) in self.indexes.iter_mut().enumerate() {
            if write_key(&mut self.key, place, index.combination, &mapping)
                && let Some(numbers) = index.numbers.get_mut(self.key.bytes())
            {
                if let Ok(at) = numbers.binary_search_by_key(&number, |(number, _)| *number) {
                    numbers.remove(at);
                }
                if numbers.is_empty() {
                    index.numbers.remove(self.key.bytes());
                }
            }
        }
    }
}

/// Writes the mapping's key for an index; does it belong there?
fn write_key(key: &mut Key, place: usize, combination: Combination, mapping: &Mapping) -> bool {
    key.clear();
    for (property, value) in Property::ALL.into_iter().zip(&mapping.properties) {
        match value {
            _ if !combination.has(property) => {}
            Some(value) => key.push(value),
            None if place == IDENTITY => key.push_none(),
            // What was not captured equals nothing.
            None => return false,
        }
    }
    true
}

/// Enters the newest mapping; gives those of the same values that it outlives.
fn enter(index: &mut Index, key: &[u8], number: u64, end: i64) -> Vec<(u64, i64)> {
    let Some(numbers) = index.numbers.get_mut(key) else {
        index.numbers.insert(key.into(), vec![(number, end)]);
        return Vec::new();
    };
    let longer = numbers.partition_point(|(_, other)| end < *other);
    let outlived = numbers.split_off(longer);
    numbers.push((number, end));
    outlived
}

impl Resource for Mappings {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut mappings = Mappings::default();
        for (key, value) in rows {
            let number = u64::from_be_bytes((*key).try_into().map_err(|_| "a mapping has no number")?);
            let mapping: Mapping = serde_json::from_slice(&value).map_err(|e| e.to_string())?;
            let index = &mut mappings.indexes[IDENTITY];
            write_key(&mut mappings.key, IDENTITY, index.combination, &mapping);
            enter(index, mappings.key.bytes(), number, mapping.end);
            mappings.bytes += mapping.size();
            mappings.ends.insert((mapping.end, number));
            mappings.held.insert(number, Held { mapping, stored: true });
            mappings.next = number + 1;
        }
        Ok(mappings)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for number in self.gone.drain(..) {
            changes.delete(number.to_be_bytes());
        }
        for number in self.fresh.drain(..) {
            // It may be gone already: then it leaves no row.
            let Some(held) = self.held.get_mut(&number) else { continue };
            match serde_json::to_vec(&held.mapping) {
                Ok(value) => {
                    changes.put(number.to_be_bytes(), value);
                    held.stored = true;
                }
                // Texts and numbers always become JSON.
                Err(e) => tracing::error!("a mapping cannot be stored: {e}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::state::State;

    use super::*;

    fn mapping(saddr: &str, properties: [&str; 4], end: i64) -> Mapping {
        let property = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Mapping {
            saddr: Captured::Text(saddr.into()),
            sport: None,
            properties: properties.map(property),
            end,
        }
    }

    fn key(values: &[&str]) -> Key {
        let mut key = Key::default();
        for value in values {
            key.push(value);
        }
        key
    }

    fn by_addr_and_port() -> Combination {
        Combination::of([Property::Addr, Property::Port])
    }

    #[test]
    fn equal_ones_take_each_other_s_place_and_leave_one_row() {
        let mut state = State::in_memory();
        let handle = state.open::<Mappings>("m").unwrap();
        let index = state.get_mut(handle).index(by_addr_and_port());
        let rows = |state: &mut State| {
            let mut rows = 0;
            state.scan(handle, |_, _| rows += 1).unwrap();
            rows
        };
        for n in 0..1000 {
            state.get_mut(handle).capture(mapping(&format!("c{n}"), ["p", "1", "", ""], 1000 + n), n);
            if n % 100 == 50 {
                assert_eq!(rows(&mut state), 1);
            }
        }
        assert_eq!(state.get(handle).len(), 1);
        assert_eq!(rows(&mut state), 1);
        let found = state.get(handle).find(index, &key(&["p", "1"]), 1500).map(|m| m.saddr.clone());
        assert_eq!(found, Some(Captured::Text("c999".into())));
    }

    #[test]
    fn an_older_one_that_lives_longer_comes_back() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        mappings.capture(mapping("long", ["p", "1", "d", ""], 100), 0);
        mappings.capture(mapping("short", ["p", "1", "", ""], 10), 1);
        let found = |now| {
            let found = mappings.find(index, &key(&["p", "1"]), now);
            found.map(|m| m.saddr.clone())
        };
        assert_eq!(found(9), Some(Captured::Text("short".into())));
        assert_eq!(found(10), Some(Captured::Text("long".into())));
        assert_eq!(found(100), None);
    }

    #[test]
    fn what_is_over_is_forgotten_as_others_come() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        for n in 0..20_000 {
            mappings.capture(mapping("c", ["p", &n.to_string(), "", ""], n + 64), n);
            assert!(mappings.len() <= 64 + 60 + 2);
        }
        assert_eq!(mappings.indexes[index.0].numbers.len(), mappings.len());
        assert_eq!(mappings.indexes[IDENTITY].numbers.len(), mappings.len());
        assert_eq!(mappings.ends.len(), mappings.len());
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many_or_too_large_ones() {
        let mut mappings = Mappings::default();
        let index = mappings.index(by_addr_and_port());
        mappings.set_limit(100);
        for n in 0..250 {
            mappings.capture(mapping("c", ["p", &n.to_string(), "", ""], i64::MAX), 0);
        }
        assert_eq!(mappings.len(), 100);
        let find =
            |mappings: &Mappings, n: i32| mappings.find(index, &key(&["p", &n.to_string()]), 0).is_some();
        assert!(!find(&mappings, 149) && find(&mappings, 150) && find(&mappings, 249));
        let large = "x".repeat(60_000);
        for n in 0..10 {
            mappings.capture(mapping(&large, ["p", &format!("large {n}"), "", ""], i64::MAX), 0);
        }
        assert_eq!(mappings.len(), 1);
        assert_eq!(mappings.bytes, mappings.held.values().map(|held| held.mapping.size()).sum::<usize>());
    }

    #[test]
    fn a_look_up_costs_the_same_whatever_is_held() {
        let mut mappings = Mappings::default();
        let index = mappings.index(Combination::of([Property::Addr]));
        // All with the same address, each with a port of its own: one index has one long list of candidates.
        for n in 0..100_000 {
            mappings.capture(mapping("c", ["p", &n.to_string(), "", ""], 1000 + i64::from(n)), 0);
        }
        assert_eq!(mappings.indexes[index.0].numbers[key(&["p"]).bytes()].len(), 1);
    }
}

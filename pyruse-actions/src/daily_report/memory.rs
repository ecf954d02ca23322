//! The shapes that earlier reports have contained: what is not among them is new.
//!
//! A shape is remembered by its hash until it has not occurred for `dailyReport.memoryDays`. The number of shapes is
//! bounded. If there are too many, the oldest shape is forgotten of the [origin that has most](super::kinds): so a writer
//! who makes every line a new shape makes nobody else's lines look new.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::{ClockStep, Timestamp};

use super::kinds::{OriginSlot, ShapeKey, Shares};

/// The maximum number of shapes.
pub(super) const MAX_SHAPES: usize = 50_000;

/// A shape as it is stored, under its hash.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Stored {
    #[serde(rename = "t")]
    seen: Timestamp,
    #[serde(rename = "o")]
    owner: String,
    #[serde(rename = "i")]
    identifier: String,
}

struct Shape {
    seen: Timestamp,
    origin: OriginSlot,
}

/// The remembered shapes.
#[derive(Default)]
pub(super) struct Memory {
    shapes: HashMap<ShapeKey, Shape>,
    shares: Shares,
    /// The shapes of each origin, the oldest first.
    by_age: BTreeMap<OriginSlot, BTreeSet<(Timestamp, ShapeKey)>>,
    /// How many were forgotten for want of room since the last report.
    evicted: u64,
    dirty: BTreeSet<ShapeKey>,
    is_evicted_dirty: bool,
}

const EVICTED: &[u8] = b"e";

impl Memory {
    /// Returns `true` if there has never been a report.
    pub(super) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    pub(super) fn knows(&self, key: ShapeKey) -> bool {
        self.shapes.contains_key(&key)
    }

    /// Returns how many shapes were forgotten because there were too many, since that was last reported.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Notes that the number of evicted shapes is reported.
    pub(super) fn begin_day(&mut self) {
        self.is_evicted_dirty |= self.evicted > 0;
        self.evicted = 0;
    }

    /// Remembers that a shape of this origin was seen.
    pub(super) fn remember(&mut self, key: ShapeKey, owner: &str, identifier: &str, seen: Timestamp) {
        if let Some(shape) = self.shapes.get_mut(&key) {
            let ages = self.by_age.entry(shape.origin).or_default();
            ages.remove(&(shape.seen, key));
            shape.seen = seen;
            ages.insert((seen, key));
        } else {
            if self.shapes.len() >= MAX_SHAPES {
                self.evict();
            }
            self.insert(key, owner, identifier, seen);
        }
        self.dirty.insert(key);
    }

    fn insert(&mut self, key: ShapeKey, owner: &str, identifier: &str, seen: Timestamp) {
        let origin = self.shares.give(owner, identifier);
        self.shapes.insert(key, Shape { seen, origin });
        self.by_age.entry(origin).or_default().insert((seen, key));
    }

    fn evict(&mut self) {
        let oldest = self.shares.largest().and_then(|origin| self.by_age.get(&origin)?.first().copied());
        if let Some((_, key)) = oldest {
            self.forget(key);
            self.evicted += 1;
            self.is_evicted_dirty = true;
        }
    }

    fn forget(&mut self, key: ShapeKey) {
        let Some(shape) = self.shapes.remove(&key) else { return };
        if let Some(ages) = self.by_age.get_mut(&shape.origin) {
            ages.remove(&(shape.seen, key));
        }
        if self.shares.take(shape.origin) {
            self.by_age.remove(&shape.origin);
        }
        self.dirty.insert(key);
    }

    /// Forgets what was not seen since this time.
    pub(super) fn forget_before(&mut self, time: Timestamp) {
        let is_old = |(_, shape): &(&ShapeKey, &Shape)| shape.seen < time;
        let old: Vec<ShapeKey> = self.shapes.iter().filter(is_old).map(|(key, _)| *key).collect();
        for key in old {
            self.forget(key);
        }
    }
}

/// Keys: `s` and the hash for a shape; `e` for the number of evicted ones.
impl Resource for Memory {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let wrong = |e: &dyn std::fmt::Display| {
            format!("the stored shapes of earlier report lines cannot be parsed: {e}")
        };
        let mut memory = Memory::default();
        for (key, value) in rows {
            match key.split_first() {
                Some((b'e', _)) => memory.evicted = serde_json::from_slice(&value).map_err(|e| wrong(&e))?,
                Some((b's', key)) => {
                    let key = key.try_into().map(ShapeKey::from_be_bytes).map_err(|e| wrong(&e))?;
                    let stored: Stored = serde_json::from_slice(&value).map_err(|e| wrong(&e))?;
                    memory.insert(key, &stored.owner, &stored.identifier, stored.seen);
                }
                _ => return Err(wrong(&"an unknown row")),
            }
        }
        Ok(memory)
    }

    /// A shape that was seen in the future, by a clock that was ahead, would be remembered for ever.
    fn adjust(&mut self, step: ClockStep) {
        let now = step.now.wall;
        let ahead: Vec<ShapeKey> = self
            .shapes
            .iter()
            .filter(|(_, shape)| now.can_judge(shape.seen) && shape.seen > now)
            .map(|(key, _)| *key)
            .collect();
        for key in ahead {
            self.remember(key, "", "", now);
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for key in std::mem::take(&mut self.dirty) {
            let row: Vec<u8> = [b"s".as_slice(), &key.to_be_bytes()].concat();
            let Some(shape) = self.shapes.get(&key) else {
                changes.delete(row);
                continue;
            };
            let (owner, identifier) = self.shares.names(shape.origin);
            let stored =
                Stored { seen: shape.seen, owner: owner.to_owned(), identifier: identifier.to_owned() };
            // A struct of texts and numbers can always be serialized.
            changes.put(row, serde_json::to_vec(&stored).unwrap_or_default());
        }
        if std::mem::take(&mut self.is_evicted_dirty) {
            changes.put(EVICTED, self.evicted.to_string().into_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::state::State;

    use super::*;

    fn day(n: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000 + n * 86_400)
    }

    #[test]
    fn a_shape_is_known_until_it_has_not_occurred_for_long() {
        let mut memory = Memory::default();
        memory.remember(1, "0", "sshd", day(0));
        memory.remember(2, "0", "sshd", day(0));
        memory.remember(1, "0", "sshd", day(20));
        memory.forget_before(day(10));
        assert_eq!([1, 2, 3].map(|key| memory.knows(key)), [true, false, false]);
    }

    #[test]
    fn ever_new_shapes_push_out_only_those_of_the_same_writer_and_that_is_counted() {
        let file = tempfile::tempdir().unwrap();
        let path = file.path().join("state.sqlite");
        let mut state = State::open_file(&path).unwrap();
        let handle = state.open::<Memory>("memory").unwrap();
        let memory = state.get_mut(handle);
        for key in 0..300 {
            memory.remember(key, "0", "sshd", day(0));
        }
        for key in 1000..1000 + 2 * MAX_SHAPES as u128 {
            // An identifier each: it is the user who is bounded.
            memory.remember(key, "1000", &key.to_string(), day(1));
        }
        let is_bounded = |memory: &Memory| {
            (0..300).all(|key| memory.knows(key))
                && memory.shapes.len() == MAX_SHAPES
                && memory.evicted() == MAX_SHAPES as u64 + 300
        };
        assert!(is_bounded(memory));
        state.commit().unwrap();
        drop(state);
        let mut state = State::open_file(&path).unwrap();
        let handle = state.open::<Memory>("memory").unwrap();
        assert!(is_bounded(state.get(handle)));
        state.get_mut(handle).begin_day();
        assert_eq!(state.get(handle).evicted(), 0);
    }
}

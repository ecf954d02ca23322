//! A map from keys to values that expire: bans, and whatever else a module must remember for a while. It is a [`Keyed`]
//! store whose items have an end and a row each.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::arena::ItemIndex;
use super::keyed::{HasKey, Keyed};
use super::resource::{Changes, Resource};
use super::rows::Row;
use crate::time::{ClockStep, Expiry, Timestamp};

#[derive(Serialize, Deserialize)]
struct Item<V> {
    /// The key of its row.
    #[serde(skip)]
    key: Box<str>,
    #[serde(rename = "e")]
    ends: Expiry,
    #[serde(rename = "v")]
    value: V,
}

impl<V> HasKey for Item<V> {
    fn key(&self) -> &str {
        &self.key
    }
}

/// How many seconds an expired item is kept at least: an entry that comes that much later than younger ones still finds
/// what was there at its time, and code that acts on the world a little later can still look up an end.
const LINGER_SECONDS: u64 = 120;

/// A durable map from text to `V`. An item expires at its end. Expired items are removed a few at a time as others are
/// inserted, so that neither the cost of an operation nor the memory grows with them.
pub struct Map<V> {
    items: Keyed<Item<V>>,
    dirty: Vec<Box<str>>,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map { items: Keyed::default(), dirty: Vec::new() }
    }
}

impl<V> Map<V> {
    /// Returns the value of a key, unless it has expired at `now`.
    pub fn get(&self, key: &str, now: Timestamp) -> Option<&V> {
        self.item(key).filter(|item| !item.ends.is_expired(now)).map(|item| &item.value)
    }

    /// Returns when the value of a key ends; known until at least two minutes after that end.
    pub fn ends(&self, key: &str) -> Option<Expiry> {
        self.item(key).map(|item| item.ends)
    }

    /// Returns the value of a key, as long as [`Map::ends`] knows its end.
    pub(crate) fn last(&self, key: &str) -> Option<&V> {
        self.item(key).map(|item| &item.value)
    }

    fn item(&self, key: &str) -> Option<&Item<V>> {
        self.items.find(key).map(|at| &self.items[at])
    }

    /// Sets a value that expires at `ends`; with [`Expiry::NEVER`], it never expires.
    pub fn insert(&mut self, key: &str, value: V, ends: Expiry, now: Timestamp) {
        self.expire(now);
        if let Some(at) = self.items.find(key) {
            let item = &mut self.items[at];
            (item.value, item.ends) = (value, ends);
            self.items.touch(at);
        } else {
            self.items.insert(Item { key: key.into(), ends, value });
        }
        self.dirty.push(key.into());
    }

    /// Changes the value of a key, if it is there, and not its end.
    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(&mut V)) {
        if let Some(at) = self.items.find(key) {
            change(&mut self.items[at].value);
            self.dirty.push(key.into());
        }
    }

    /// Removes a key; returns `true` if it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let found = self.items.find(key);
        found.map(|at| self.remove_at(at)).is_some()
    }

    fn remove_at(&mut self, at: ItemIndex) -> Option<V> {
        let Item { key, value, .. } = self.items.remove(at)?;
        self.dirty.push(key);
        Some(value)
    }

    /// Returns all items that have not expired at `now`, in no order: key, value, end.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = (&str, &V, Expiry)> {
        let items = self.items.iter().filter(move |item| !item.ends.is_expired(now));
        items.map(|item| (&*item.key, &item.value, item.ends))
    }

    /// Returns all items, also those that have expired and are still there, in no order: key, value, end.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &V, Expiry)> {
        self.items.iter().map(|item| (&*item.key, &item.value, item.ends))
    }

    /// Gives a span to each end that was stored without one, as `span` returns it; `None` means that it is not known.
    pub(crate) fn complete(&mut self, span: impl Fn(&V) -> Option<Duration>, step: ClockStep) {
        for item in self.items.iter_mut() {
            if item.ends.span().is_none()
                && let Some(span) = span(&item.value)
            {
                item.ends = item.ends.with_span(span);
                if item.ends.adjust(step) {
                    self.dirty.push(item.key.clone());
                }
            }
        }
    }

    /// Returns how many keys it holds, including expired ones.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns `true` if it holds no keys.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Removes one item to make room: among a few neighbours, the one that ends first, and never the one that was
    /// inserted last. Returns its value. The cost does not grow with the map.
    pub fn forget_one(&mut self, now: Timestamp) -> Option<V> {
        const LOOKED_AT: usize = 16;
        let newest = self.items.newest();
        let mut soonest: Option<ItemIndex> = None;
        let mut seen = 0;
        for _ in 0..self.items.turns() {
            let Some(at) = self.items.turn().filter(|at| Some(*at) != newest) else { continue };
            let ends = self.items[at].ends;
            if soonest.is_none_or(|soonest| ends.at() < self.items[soonest].ends.at()) {
                soonest = Some(at);
            }
            seen += 1;
            if seen == LOOKED_AT || ends.is_expired(now) {
                break;
            }
        }
        self.remove_at(soonest?)
    }

    /// Looks at two items and removes those that have expired: this is twice as fast as items can be added. For maps
    /// that are read more often than they are changed.
    pub fn expire(&mut self, now: Timestamp) {
        for _ in 0..2 {
            let over = |ends: Expiry| ends.at().plus_seconds(LINGER_SECONDS) <= now;
            if let Some(at) = self.items.turn().filter(|at| over(self.items[*at].ends)) {
                self.remove_at(at);
            }
        }
    }
}

impl<V: Serialize + DeserializeOwned + Send + 'static> Resource for Map<V> {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut map = Map::default();
        for (key, value) in rows {
            let key = String::from_utf8(key.into_vec()).map_err(|e| e.to_string())?;
            let item: Item<V> = serde_json::from_slice(&value).map_err(|e| e.to_string())?;
            map.items.insert(Item { key: key.into(), ..item });
        }
        Ok(map)
    }

    fn adjust(&mut self, step: ClockStep) {
        for item in self.items.iter_mut() {
            if item.ends.adjust(step) {
                self.dirty.push(item.key.clone());
            }
        }
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for key in dirty.drain(..) {
            match self.item(&key).and_then(|item| serde_json::to_vec(item).ok()) {
                Some(value) => changes.put(key.as_bytes(), value),
                None => changes.delete(key.as_bytes()),
            }
        }
        self.dirty = dirty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Now;

    #[test]
    fn an_item_expires_exactly_at_its_end() {
        let mut map = Map::default();
        map.insert("a", 1, Expiry::without_span(Timestamp(10)), Timestamp(0));
        assert_eq!(map.get("a", Timestamp(9)), Some(&1));
        assert_eq!(map.get("a", Timestamp(10)), None);
    }

    #[test]
    fn an_entry_that_comes_late_finds_what_was_there_at_its_time() {
        let mut map = Map::default();
        let at = Timestamp::from_seconds;
        map.insert("a", 1, Expiry::after_seconds(at(0), 5), at(0));
        for n in 0..100 {
            map.insert(&n.to_string(), 2, Expiry::after_seconds(at(100), 1), at(100));
        }
        assert_eq!((map.get("a", at(4)), map.get("a", at(100))), (Some(&1), None));
    }

    #[test]
    fn expired_items_are_removed_as_others_are_added() {
        let mut map = Map::default();
        for n in 0..10_000 {
            let now = Timestamp::from_seconds(n);
            map.insert(&n.to_string(), n, Expiry::after_seconds(now, 100), now);
        }
        assert!(map.len() < 500, "{}", map.len());
    }

    #[test]
    fn an_end_from_a_clock_that_was_ahead_is_cut_to_its_span_once() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let [ahead, wall] = [now.plus_seconds(1_000_000_000), now];
        let mut map = Map::default();
        map.insert("hour", 1, Expiry::after_seconds(ahead, 3600), ahead);
        map.insert("ever", 2, Expiry::NEVER, ahead);
        let row = |text: &str| {
            let key: Box<[u8]> = b"old".as_slice().into();
            (key, text.as_bytes().to_vec().into_boxed_slice())
        };
        let old = format!(r#"{{"e":{},"v":60}}"#, ahead.0);
        let mut loaded = Map::load(vec![row(&old)]).unwrap();
        for map in [&mut map, &mut loaded] {
            map.adjust(ClockStep::loaded(Now::at(wall)));
            map.complete(
                |seconds| u64::try_from(*seconds).ok().map(Duration::from_secs),
                ClockStep::loaded(Now::at(wall)),
            );
        }
        assert_eq!(map.ends("hour").unwrap().at(), wall.plus_seconds(3600));
        assert_eq!(map.ends("ever"), Some(Expiry::NEVER));
        assert_eq!(loaded.ends("old").unwrap().at(), wall.plus_seconds(60));
        map.adjust(ClockStep::loaded(Now::at(wall.plus_seconds(1800))));
        assert_eq!(map.ends("hour").unwrap().at(), wall.plus_seconds(3600), "not from then on");
    }
}

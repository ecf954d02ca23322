//! The argument `distinct`: a counter that counts the different values of a field instead of entries.
//!
//! A raise ends the live tick of its value, if the new tick lives at least as long; and a raise that is read late ends
//! where a later one that lives at least as long begins. So the ticks of one value usually do not overlap, and the number
//! of live ticks is that of distinct values, at any time. Where a tick lies within another one (of a raise with another
//! `keepSeconds`, or lowered), both are kept, because a reset that is read late may end only one of them; then the values
//! of the live ticks are compared.

use std::hash::Hasher;

use pyruse_core::state::ItemIndex;
use pyruse_core::time::Timestamp;
use siphasher::sip::SipHasher13;

use super::category::Category;
use super::keys::{Key, stored_text};
use super::ticks::Tick;

/// How many distinct values are counted at a time for a key; beyond that, the count is at least this.
pub(super) const MOST_VALUES: usize = 1024;

impl Category {
    /// Counts a value from `now` until `end`, unless there is a grace period; returns the number of distinct live values.
    pub(super) fn raise_value(&mut self, key: &str, value: &str, now: Timestamp, end: Timestamp) -> usize {
        let (key, text) = (stored_text(key), stored_text(value));
        let hash = hash(&text);
        self.sweep(now);
        let at = self.touch(&key);
        self.remove_expired(at, now);
        if self.keys[at].grace(now).is_some() {
            return 0;
        }
        let most = self.most_values();
        // Ticks of other times than `now` also take room.
        if self.keys[at].ticks.len() >= 2 * most {
            self.make_room(at, now, 2 * most);
        }
        let Key { ticks, marks, .. } = &mut self.keys[at];
        let known = ticks.of_value(hash);
        let is_alive = |tick: &Tick| tick.start <= now && now < tick.end;
        let count = ticks.count(now);
        if count >= most && !known.iter().any(is_alive) {
            return count;
        }
        let reset = marks.as_ref().and_then(|marks| marks.next_reset(now));
        let end = reset.map_or(end, |reset| end.min(reset));
        let mut new = Tick { end, start: now, number: self.next_tick, value: hash };
        self.next_tick += 1;
        let mut ended = Vec::new();
        for other in known {
            if is_alive(&other) {
                if other.end <= end {
                    ended.push(other.number);
                } else {
                    ticks.set_overlaps();
                }
            } else if now < other.start && other.start < end {
                if other.end >= end {
                    new.end = new.end.min(other.start);
                } else {
                    ticks.set_overlaps();
                }
            }
        }
        if !ended.is_empty() {
            ticks.change(|tick| {
                if !ended.contains(&tick.number) {
                    return true;
                }
                tick.end = now;
                if tick.start == now {
                    self.rows.delete_tick(*tick, &key);
                } else {
                    self.rows.put_tick(*tick, &key);
                }
                tick.start < now
            });
        }
        ticks.add(new);
        self.rows.put_tick(new, &key);
        let count = ticks.count(now);
        if self.keeps_values {
            self.keep(at, hash, &text);
        }
        count
    }

    /// Returns the kept values that are alive at `now`, in order of their last raise.
    pub(super) fn values(&self, key: &str, now: Timestamp) -> Vec<&str> {
        let Some(at) = self.keys.find(&stored_text(key)) else { return Vec::new() };
        let Key { ticks, values: Some(values), .. } = &self.keys[at] else { return Vec::new() };
        let mut alive: Vec<&Tick> = ticks.iter().filter(|tick| tick.start <= now && now < tick.end).collect();
        alive.sort_unstable_by_key(|tick| (tick.start, tick.number));
        // The last tick of each value.
        let is_last = |n: &usize| alive[n + 1..].iter().all(|later| later.value != alive[*n].value);
        let last = (0..alive.len()).filter(|n| !ticks.overlaps() || is_last(n));
        last.filter_map(|n| Some(&**values.get(&alive[n].value)?)).collect()
    }

    /// Returns whether there may be more values than the count says.
    pub(super) fn is_least(&self, key: &Key, count: usize) -> bool {
        count >= self.most_values() && key.ticks.iter().any(|tick| tick.value != 0)
    }

    fn most_values(&self) -> usize {
        MOST_VALUES.min(self.caps.ticks)
    }

    /// Keeps the text of a value, and now and then removes those without a tick.
    fn keep(&mut self, at: ItemIndex, hash: u64, value: &str) {
        let Key { text, ticks, values, .. } = &mut self.keys[at];
        let values = values.get_or_insert_default();
        values.entry(hash).or_insert_with(|| {
            self.rows.put_value(hash, value, text);
            value.into()
        });
        if values.len() > 2 * ticks.len() + 16 {
            let mut known: Vec<u64> = ticks.iter().map(|tick| tick.value).collect();
            known.sort_unstable();
            values.retain(|hash, _| {
                let is_known = known.binary_search(hash).is_ok();
                if !is_known {
                    self.rows.delete_value(*hash, text);
                }
                is_known
            });
        }
    }
}

/// Returns the hash under which a value is stored: SipHash-1-3 with a zero key, and never 0. It is part of the stored
/// format, so it must never change.
fn hash(value: &str) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(value.as_bytes());
    hasher.finish().max(1)
}

#[cfg(test)]
mod tests {
    use pyruse_core::state::Resource;

    use super::super::category::Caps;
    use super::*;

    fn category() -> Category {
        let mut category = Category::default();
        category.configure("test", Caps { keys: 10, ticks: 65_536 });
        category.keeps_values = true;
        category
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_value_counts_once_and_lives_from_its_last_raise() {
        let mut c = category();
        assert_eq!(c.raise_value("u", "a", at(0), at(10)), 1);
        assert_eq!(c.raise_value("u", "b", at(1), at(11)), 2);
        assert_eq!(c.raise_value("u", "a", at(5), at(15)), 2);
        assert_eq!(c.raise_value("u", "a", at(5), at(15)), 2);
        assert_eq!(c.values("u", at(5)), ["b", "a"]);
        assert_eq!(c.raise_value("u", "c", at(11), at(21)), 2, "b is over, a is not");
        assert_eq!(c.values("u", at(11)), ["a", "c"]);
        assert_eq!(c.raise_value("u", "c", at(4), at(14)), 3, "late");
        assert_eq!(c.count("u", at(12)), 2);
    }

    #[test]
    fn a_late_reset_ends_only_what_was_raised_before_it() {
        for (long, short) in [((0, 100), (10, 20)), ((10, 100), (0, 15))] {
            let mut c = category();
            for (start, end) in [long, short] {
                c.raise_value("u", "a", at(start), at(end));
            }
            c = Category::load(c.rows.take()).unwrap();
            assert_eq!(c.count("u", at(12)), 1, "{long:?} and {short:?}");
            c.reset("u", at(5), None);
            let later = if long.0 == 0 { short } else { long };
            for (seconds, count) in [(4, 1), (6, 0), (12, 1), (later.1 - 1, 1), (later.1, 0)] {
                assert_eq!(c.count("u", at(seconds)), count, "{long:?} and {short:?} at {seconds}");
            }
        }
    }

    #[test]
    fn a_lowered_value_is_not_alive_again_after_a_late_raise_that_is_reset() {
        let mut c = category();
        c.raise_value("u", "y", at(15), at(35));
        assert_eq!(c.lower("u", at(15)), 0);
        assert_eq!(c.raise_value("u", "y", at(1), at(21)), 1);
        c.reset("u", at(1), None);
        assert_eq!(c.count("u", at(15)), 0);
    }

    #[test]
    fn there_is_a_bound_for_values_and_for_what_is_kept_of_them() {
        let mut c = category();
        for n in 0..5000 {
            let expected = MOST_VALUES.min(n + 1);
            assert_eq!(c.raise_value("u", &n.to_string(), at(0), at(10)), expected);
        }
        assert!(c.counts(at(0)).all(|shown| shown.is_least));
        assert_eq!(c.raise_value("u", "3", at(1), at(11)), MOST_VALUES, "one of those that count");
        for n in 0..20_000 {
            c.raise_value("u", &n.to_string(), at(20 + n), at(30 + n));
        }
        let key = c.keys.iter().next().unwrap();
        assert!(key.ticks.len() < 200, "{}", key.ticks.len());
        assert!(key.values.as_ref().unwrap().len() < 500);
        assert!(c.counts(at(20_000)).all(|shown| !shown.is_least));
        assert!(c.rows.take().len() < 1000);
    }

    #[test]
    fn the_stored_form_stays() {
        let mut c = category();
        c.raise_value("u", "192.0.2.1", at(1), at(11));
        let shown = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let rows: Vec<String> =
            c.rows.take().iter().map(|(key, value)| format!("{} = {}", shown(key), shown(value))).collect();
        let expected = [
            r"t\x00\x00\x00\x00\x00\x00\x00\x00u = \x00\x00\x00\x00\x00\xa7\xd8\xc0\x00\x00\x00\x00\x00\x0fB@\x07\xcf\xad\xfb?E_\xde",
            r"v\x07\xcf\xad\xfb?E_\xdeu = 192.0.2.1",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn values_are_the_same_after_they_were_stored_and_loaded() {
        let mut c = category();
        for (n, value) in ["a", "b", "a", &"ä".repeat(200)].into_iter().enumerate() {
            c.raise_value("u", value, at(i64::try_from(n).unwrap()), at(100));
        }
        let mut loaded = Category::load(c.rows.take()).unwrap();
        loaded.keeps_values = true;
        loaded.configure("test", Caps { keys: 10, ticks: 10 });
        assert_eq!(loaded.values("u", at(50)), c.values("u", at(50)));
        assert_eq!(loaded.values("u", at(50)).len(), 3);
        assert_eq!(loaded.raise_value("u", "b", at(50), at(150)), 3);
        assert_eq!(loaded.raise_value("u", "c", at(50), at(150)), 4);
    }
}

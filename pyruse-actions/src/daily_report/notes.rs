//! What happened besides lines, counted by text: errors by step, mails by subject.
//!
//! Both are bounded: the subjects are the configuration's, but there may be many steps.

use std::collections::{BTreeMap, BTreeSet};

use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::time::Timestamp;

use super::day::Overflow;

/// The maximum number of different texts of each sort; what exceeds it is counted together.
const TEXTS: usize = 100;

/// The maximum length of a text, in bytes.
const TEXT_LIMIT: usize = 300;

/// The text of what exceeds the limit.
const OTHERS: &str = "(others)";

/// What is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Error,
    Mail,
}

/// The notes of a day.
#[derive(Default)]
pub(super) struct Notes {
    counted: BTreeMap<(Sort, String), Overflow>,
    dirty: BTreeSet<(Sort, String)>,
}

fn row_key((sort, text): &(Sort, String)) -> Vec<u8> {
    let sort = match sort {
        Sort::Error => 'e',
        Sort::Mail => 'm',
    };
    format!("{sort}{text}").into_bytes()
}

impl Notes {
    pub(super) fn note(&mut self, sort: Sort, text: &str, time: Timestamp) {
        let text = &text[..pyruse_core::text::floor_char_boundary(text, TEXT_LIMIT)];
        let mut key = (sort, text.to_owned());
        let of_sort = |(known, _): &&(Sort, String)| *known == sort;
        if !self.counted.contains_key(&key) && self.counted.keys().filter(of_sort).count() >= TEXTS {
            OTHERS.clone_into(&mut key.1);
        }
        self.counted.entry(key.clone()).or_default().add(time);
        self.dirty.insert(key);
    }

    /// Returns the notes of a sort, the most frequent first.
    pub(super) fn of(&self, sort: Sort) -> Vec<(&str, Overflow)> {
        let of_sort = self.counted.iter().filter(|((known, _), _)| *known == sort);
        let mut notes: Vec<(&str, Overflow)> =
            of_sort.map(|((_, text), count)| (text.as_str(), *count)).collect();
        notes.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
        notes
    }

    /// Begins a new day.
    pub(super) fn clear(&mut self) {
        self.dirty.extend(std::mem::take(&mut self.counted).into_keys());
    }
}

/// Keys: the sort, `e` or `m`, and the text.
impl Resource for Notes {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut notes = Notes::default();
        for (key, value) in rows {
            let key = String::from_utf8_lossy(&key).into_owned();
            let sort = if key.starts_with('e') { Sort::Error } else { Sort::Mail };
            let count = serde_json::from_slice(&value)
                .map_err(|e| format!("the stored notes of the report cannot be parsed: {e}"))?;
            notes.counted.insert((sort, key.get(1..).unwrap_or_default().to_owned()), count);
        }
        Ok(notes)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for key in std::mem::take(&mut self.dirty) {
            match self.counted.get(&key) {
                // Numbers can always be serialized.
                Some(count) => changes.put(row_key(&key), serde_json::to_vec(count).unwrap_or_default()),
                None => changes.delete(row_key(&key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_counted_by_text_and_bounded() {
        let mut notes = Notes::default();
        for n in 0..300 {
            notes.note(Sort::Error, &format!("step {n}"), Timestamp(n));
            notes.note(Sort::Mail, "alert", Timestamp(n));
        }
        let errors = notes.of(Sort::Error);
        assert_eq!((errors.len(), errors[0].0, errors[0].1.count), (TEXTS + 1, OTHERS, 200));
        let mails = notes.of(Sort::Mail);
        assert_eq!(mails[0].1, Overflow { count: 300, first: Timestamp(0), last: Timestamp(299) });
        notes.clear();
        assert!(notes.of(Sort::Mail).is_empty());
    }
}

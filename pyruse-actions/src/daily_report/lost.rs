//! What sources could not give: entries that are lost or unreadable, files that are left out. A row for each kind of loss.
//!
//! Rows are bounded, because the name of a file may be anything.

use std::collections::{BTreeMap, BTreeSet};

use pyruse_core::plugin::Remark;
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Changes, Resource, Row};
use pyruse_core::text::floor_char_boundary;
use pyruse_core::time::Timestamp;

/// The maximum number of rows; what exceeds it is counted together.
const ROWS: usize = 50;

/// The maximum length of a text, in bytes.
const TEXT_LIMIT: usize = 300;

/// The name of the source of what exceeds the limit.
const OTHERS: &str = "(others)";

/// Losses of one kind in a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Loss {
    /// The name of the source.
    #[serde(rename = "s")]
    pub(super) source: String,
    /// The name of the kind; `None`: something that is not read, and has no count.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(rename = "n")]
    pub(super) count: u64,
    #[serde(rename = "f")]
    pub(super) from: Timestamp,
    #[serde(rename = "t")]
    pub(super) until: Timestamp,
    /// How many episodes there were.
    #[serde(rename = "e")]
    pub(super) episodes: u64,
    /// The last episode, in words.
    #[serde(rename = "w")]
    pub(super) text: String,
}

/// The losses of a day.
#[derive(Default)]
pub(super) struct Lost {
    /// By source, and kind or text.
    rows: BTreeMap<(String, String), Loss>,
    dirty: BTreeSet<(String, String)>,
}

fn row_key((source, what): &(String, String)) -> Vec<u8> {
    format!("{source}\0{what}").into_bytes()
}

fn cut(text: &str) -> &str {
    &text[..floor_char_boundary(text, TEXT_LIMIT)]
}

impl Lost {
    /// Notes a loss; `now` is the time of one that has none.
    pub(super) fn note(&mut self, remark: &Remark, now: Timestamp) {
        let kind = remark.lost.as_ref().map(|lost| lost.kind);
        let mut key = (cut(&remark.source).to_owned(), cut(kind.unwrap_or(&remark.text)).to_owned());
        if !self.rows.contains_key(&key) && self.rows.len() >= ROWS {
            key = (OTHERS.to_owned(), String::new());
        }
        let (count, from, until, is_first) = match &remark.lost {
            Some(lost) => (lost.count, lost.from, lost.until, lost.is_first),
            None => (1, now, now, true),
        };
        let loss = self.rows.entry(key.clone()).or_insert_with(|| Loss {
            source: key.0.clone(),
            kind: kind.map(str::to_owned).filter(|_| !key.1.is_empty()),
            count: 0,
            from,
            until,
            episodes: 0,
            text: String::new(),
        });
        loss.count += count;
        (loss.from, loss.until) = (loss.from.min(from), loss.until.max(until));
        loss.episodes += u64::from(is_first || loss.episodes == 0);
        cut(&remark.text).clone_into(&mut loss.text);
        self.dirty.insert(key);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.rows.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Begins a new day.
    pub(super) fn clear(&mut self) {
        self.dirty.extend(std::mem::take(&mut self.rows).into_keys());
    }
}

/// Keys: the source, a null byte, and the kind or the text.
impl Resource for Lost {
    fn load(rows: Vec<Row>) -> Result<Self, String> {
        let mut all = Lost::default();
        for (key, value) in rows {
            let key = String::from_utf8_lossy(&key).into_owned();
            let (source, what) = key.split_once('\0').unwrap_or((&key, ""));
            let loss = serde_json::from_slice(&value)
                .map_err(|e| format!("the stored losses of the report cannot be parsed: {e}"))?;
            all.rows.insert((source.to_owned(), what.to_owned()), loss);
        }
        Ok(all)
    }

    fn changes(&mut self, changes: &mut Changes<'_>) {
        for key in std::mem::take(&mut self.dirty) {
            match self.rows.get(&key) {
                // Numbers and texts can always be serialized.
                Some(loss) => changes.put(row_key(&key), serde_json::to_vec(loss).unwrap_or_default()),
                None => changes.delete(row_key(&key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::losses::LostPart;
    use pyruse_core::state::State;

    use super::*;

    fn remark(source: &str, kind: Option<&'static str>, text: &str, at: i64, is_first: bool) -> Remark {
        let (from, until) = (Timestamp(at), Timestamp(at + 5));
        let lost = kind.map(|kind| LostPart { kind, count: 3, from, until, is_first });
        Remark { source: source.to_owned(), text: text.to_owned(), lost }
    }

    #[test]
    fn losses_are_counted_by_source_and_kind_bounded_and_stored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.sqlite");
        let mut state = State::open_file(&path).unwrap();
        let handle = state.open::<Lost>("lost").unwrap();
        for (at, is_first) in [(100, true), (50, false), (200, true)] {
            let text = format!("{at} é{}", "é".repeat(300));
            state
                .get_mut(handle)
                .note(&remark("journal", Some("missing"), &text, at, is_first), Timestamp(0));
            state.get_mut(handle).note(&remark("logs", Some("missing"), "x", at, is_first), Timestamp(0));
        }
        for n in 0..200 {
            state
                .get_mut(handle)
                .note(&remark("logs", None, &format!("file {n} is not read"), n, true), Timestamp(n));
        }
        state.commit().unwrap();
        let before: Vec<Loss> = state.get(handle).iter().cloned().collect();
        drop(state);
        let mut state = State::open_file(&path).unwrap();
        let handle = state.open::<Lost>("lost").unwrap();
        let after: Vec<Loss> = state.get(handle).iter().cloned().collect();
        assert_eq!(after, before);
        let of = |source: &str| after.iter().find(|loss| loss.source == source).unwrap();
        let journal = of("journal");
        assert_eq!((journal.count, journal.episodes), (9, 2));
        assert_eq!((journal.from, journal.until), (Timestamp(50), Timestamp(205)));
        assert!(journal.text.starts_with("200 é") && journal.text.len() <= TEXT_LIMIT);
        assert_eq!((after.len(), of(OTHERS).count), (ROWS + 1, 200 - (ROWS as u64 - 2)));
        state.get_mut(handle).clear();
        state.commit().unwrap();
        drop(state);
        let mut state = State::open_file(&path).unwrap();
        let handle = state.open::<Lost>("lost").unwrap();
        assert!(state.get(handle).is_empty());
    }
}

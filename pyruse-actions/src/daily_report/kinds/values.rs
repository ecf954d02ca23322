//! The most frequent values of what is masked in the lines of one kind.
//!
//! Memory is bounded whatever the lines contain: of each mask, [`CAPACITY`] values are counted. Up to that many
//! different values, the counts are exact. After that they are those of the *space-saving* algorithm: a new value takes
//! the place of the rarest one, and its count plus one. So a value that makes up more than one in [`CAPACITY`] lines is
//! always among them, and no count is too low; by how much it may be too high is known.

use pyruse_core::serde::{Deserialize, Serialize};

use super::mask::Mask;
use crate::text;

/// How many values of each mask are counted.
const CAPACITY: usize = 8;

/// The maximum length of a value, in bytes.
const VALUE_LIMIT: usize = 64;

/// The most frequent values of one mask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Top {
    #[serde(rename = "m")]
    mask: u8,
    /// Whether values were displaced.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    is_full: bool,
    #[serde(rename = "v")]
    values: Vec<Counted>,
}

/// A value, its count, and by how much that may be too high.
type Counted = (String, u64, u64);

/// The most frequent values of all masks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", transparent)]
pub(in super::super) struct Values(Vec<Top>);

/// The values of one mask, the most frequent first.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Frequent<'v> {
    pub(in super::super) mask: Mask,
    pub(in super::super) values: Vec<(&'v str, u64)>,
    /// Whether there are no other values.
    pub(in super::super) are_all: bool,
}

impl Values {
    /// Counts a value.
    pub(super) fn count(&mut self, mask: Mask, value: &str) {
        self.add(mask, value, 1, 0);
    }

    /// Counts a value that many times, of which `over` may be too many.
    pub(super) fn add(&mut self, mask: Mask, value: &str, count: u64, over: u64) {
        let code = mask as u8;
        let at = self.0.iter().position(|top| top.mask == code).unwrap_or_else(|| {
            self.0.push(Top { mask: code, is_full: false, values: Vec::new() });
            self.0.len() - 1
        });
        let top = &mut self.0[at];
        let value = &value[..pyruse_core::text::floor_char_boundary(value, VALUE_LIMIT)];
        if let Some((_, known, known_over)) = top.values.iter_mut().find(|(known, _, _)| known == value) {
            *known += count;
            *known_over += over;
        } else if top.values.len() < CAPACITY {
            top.values.push((value.to_owned(), count, over));
        } else if let Some((rarest, known, known_over)) =
            top.values.iter_mut().min_by_key(|(_, count, _)| *count)
        {
            top.is_full = true;
            *known_over = *known + over;
            *known += count;
            rarest.clear();
            rarest.push_str(value);
            text::cut(rarest, VALUE_LIMIT);
        }
    }

    /// Adds the values of another kind.
    pub(super) fn merge(&mut self, other: &Values) {
        for top in &other.0 {
            let Some(mask) = Mask::of_code(top.mask) else { continue };
            for (value, count, over) in &top.values {
                self.add(mask, value, *count, *over);
            }
            if let Some(merged) = self.0.iter_mut().find(|merged| merged.mask == top.mask) {
                merged.is_full |= top.is_full;
            }
        }
    }

    /// Returns the values of each mask, most frequent first; in a fixed order of masks. The counts are those that are
    /// certain; a value that may have occurred only once is left out if there are others.
    pub(in super::super) fn frequent(&self) -> impl Iterator<Item = Frequent<'_>> {
        Mask::ALL.into_iter().filter_map(|mask| {
            let top = self.0.iter().find(|top| top.mask == mask as u8)?;
            let certain = top.values.iter().map(|(value, count, over)| (value.as_str(), count - over));
            let mut values: Vec<(&str, u64)> =
                certain.filter(|(_, count)| !top.is_full || *count > 1).collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
            Some(Frequent { mask, values, are_all: !top.is_full })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frequent_value_is_kept_whatever_else_comes_and_its_count_is_never_too_low() {
        let mut values = Values::default();
        for n in 0..10_000 {
            values.count(Mask::Address, &format!("192.0.2.{n}"));
            if n % 4 == 0 {
                values.count(Mask::Address, "198.51.100.7");
            }
        }
        let frequent: Vec<Frequent<'_>> = values.frequent().collect();
        assert_eq!(frequent[0].values[0].0, "198.51.100.7");
        assert!((2400..=2500).contains(&frequent[0].values[0].1) && !frequent[0].are_all, "{frequent:?}");
        assert!(frequent[0].values.len() <= CAPACITY);
    }

    #[test]
    fn few_values_are_counted_exactly_and_long_ones_are_cut_between_characters() {
        let mut values = Values::default();
        for value in ["b", "a", "b", &"é".repeat(100)] {
            values.count(Mask::User, value);
        }
        let mut merged = Values::default();
        merged.merge(&values);
        merged.merge(&values);
        let frequent: Vec<Frequent<'_>> = merged.frequent().collect();
        let long = "é".repeat(32);
        assert_eq!(frequent[0].values, [("b", 4), ("a", 2), (&long, 2)]);
        assert!(frequent[0].are_all);
    }
}

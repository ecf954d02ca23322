//! A mapping: who is behind one connection of the proxy, as it is held and as it is stored.
//!
//! There may be a hundred thousand of them, each of six texts that are nearly always short. A [`SmolStr`] of up to 23
//! bytes needs no memory but its own: so a mapping is one plain value.

use pyruse_core::serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::property::Texts;
use super::retention::UNKNOWN_BITS;

/// What is put in the place of the proxy's address or port: a text or a number, as it was captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", untagged)]
pub(super) enum Captured {
    Integer(i64),
    Text(SmolStr),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Mapping {
    /// Later ones have greater numbers; the key of its row.
    #[serde(skip)]
    pub(super) number: u64,
    #[serde(rename = "a")]
    pub(super) saddr: Captured,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(super) sport: Option<Captured>,
    /// In their normal form, in the order of [`Property::ALL`](super::property::Property::ALL).
    #[serde(rename = "k")]
    pub(super) properties: [Option<SmolStr>; 4],
    /// The second from which on it has expired.
    #[serde(rename = "e")]
    pub(super) end: i64,
    /// The bits of its retention.
    #[serde(rename = "b", default = "unknown_bits")]
    pub(super) bits: u32,
}

fn unknown_bits() -> u32 {
    UNKNOWN_BITS
}

impl Mapping {
    /// Reads a stored row.
    pub(super) fn from_row(number: u64, row: &[u8]) -> Result<Mapping, String> {
        let stored: Mapping = serde_json::from_slice(row).map_err(|e| e.to_string())?;
        if stored.bits > u64::BITS {
            return Err("the stored retention of a mapping cannot be parsed".into());
        }
        Ok(Mapping { number, ..stored })
    }

    /// The texts by which it is found.
    pub(super) fn texts(&self) -> Texts<'_> {
        self.properties.each_ref().map(Option::as_deref)
    }

    /// How many bytes its texts have.
    pub(super) fn bytes(&self) -> usize {
        let captured =
            [Some(&self.saddr), self.sport.as_ref()].into_iter().flatten().map(|value| match value {
                Captured::Text(text) => text.len(),
                Captured::Integer(_) => size_of::<i64>(),
            });
        captured.chain(self.properties.iter().flatten().map(SmolStr::len)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_lengths_come_back_from_the_row() {
        for length in [0, 1, 31, 32, 4095, 4096, 1 << 20] {
            let long = SmolStr::from("é".repeat(length));
            let mapping = Mapping {
                number: 7,
                saddr: Captured::Text(long.clone()),
                sport: Some(Captured::Integer(-5)),
                properties: [Some(long.clone()), None, Some("".into()), Some(long.clone())],
                end: i64::MAX,
                bits: 6,
            };
            let row = serde_json::to_vec(&mapping).unwrap();
            let expected =
                format!(r#"{{"a":"{long}","p":-5,"k":["{long}",null,"","{long}"],"e":{},"b":6}}"#, i64::MAX);
            assert_eq!(String::from_utf8(row.clone()).unwrap(), expected);
            assert_eq!(Mapping::from_row(7, &row), Ok(mapping));
        }
    }

    #[test]
    fn a_row_that_is_no_mapping_is_an_error() {
        for row in [
            "",
            "{}",
            r#"{"a":1,"k":["x"],"e":1}"#,
            r#"{"a":[],"k":["x",null,null,null],"e":1}"#,
            r#"{"a":1,"k":["x",null,null,null],"e":1,"b":65}"#,
        ] {
            assert!(Mapping::from_row(0, row.as_bytes()).is_err(), "{row}");
        }
    }

    #[test]
    fn a_mapping_of_short_texts_is_one_small_value() {
        assert_eq!(size_of::<Mapping>(), 168);
        assert!(!SmolStr::from("255.255.255.255").is_heap_allocated());
    }
}

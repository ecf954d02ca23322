//! Finds the slot of a field in journal form (`NAME=value`), for the hot path, where most fields are not wanted.
//!
//! A table keyed by the first eight bytes of the name: a name that is not wanted nearly always meets an empty place at
//! once, before its end is searched for. Names that begin alike are compared one after the other.

use super::field::{Fields, Slot};
use crate::frozen::Frozen;

/// The wanted names, by their heads.
#[derive(Debug)]
pub(super) struct Names(Frozen<u64, Alike>);

/// Names that begin alike.
type Alike = Box<[(Box<[u8]>, Slot)]>;

impl Names {
    pub(super) fn new(fields: &Fields) -> Names {
        // The name of a field never contains a `=`. What a record says of itself is none of its fields.
        let possible =
            fields.iter().filter(|(slot, name)| !name.contains('=') && fields.address(*slot).is_none());
        let mut names: Vec<(Box<[u8]>, Slot)> =
            possible.map(|(slot, name)| (name.as_bytes().into(), slot)).collect();
        names.sort_by_key(|(name, _)| head(name));
        let alike = names.chunk_by(|(one, _), (other, _)| head(one) == head(other));
        Names(Frozen::new(alike.map(|alike| (head(&alike[0].0), alike.into()))))
    }

    /// Returns the slot of a field, and the length of its name. The text after the name, if there is any, begins with a
    /// `=`.
    pub(super) fn find(&self, field: &[u8]) -> Option<(Slot, usize)> {
        // The position of the end already distinguishes most names that only begin alike.
        let is_of =
            |name: &[u8]| matches!(field.get(name.len()), None | Some(b'=')) && field.starts_with(name);
        let (name, slot) = self.0.get(&head(field))?.iter().find(|(name, _)| is_of(name))?;
        Some((*slot, name.len()))
    }
}

/// Returns the first eight bytes of a field's name, padded with zeros.
fn head(field: &[u8]) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    const EQUALS: u64 = u64::from_le_bytes([b'='; 8]);
    let bytes = if let Some(bytes) = field.first_chunk::<8>() {
        *bytes
    } else {
        let mut bytes = [0; 8];
        bytes[..field.len()].copy_from_slice(field);
        bytes
    };
    let head = u64::from_le_bytes(bytes);
    // The lowest high bit that is set is in the byte of the first `=`; the bits above it may be wrong.
    let different = head ^ EQUALS;
    let equals = different.wrapping_sub(ONES) & !different & HIGHS;
    let lowest = equals & equals.wrapping_neg();
    if lowest == 0 { head } else { head & ((lowest >> 7) - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_with_and_without_a_value_and_no_other() {
        let mut fields = Fields::default();
        let known: Vec<String> = (0..300)
            .map(|n| format!("FIELD_{n}"))
            .chain((1..40).map(|n| "x".repeat(n)))
            .chain(["MESSAGE", "_PID", "A", "é=", ""].map(str::to_owned))
            .collect();
        let slots: Vec<Slot> = known.iter().map(|name| fields.slot(name)).collect();
        let names = Names::new(&fields);
        for (name, slot) in known.iter().zip(slots).filter(|(name, _)| !name.contains('=')) {
            for value in ["", "=", "=x", "==", "=MESSAGE=x", "=12345678"] {
                let found = names.find(format!("{name}{value}").as_bytes());
                assert_eq!(found, Some((slot, name.len())), "{name}{value}");
            }
        }
        assert_eq!(names.find("é==x".as_bytes()), None);
        for none in ["FIELD_300", "FIELD_300=1", "MESSAG=E", "MESSAGES=", "_PIDS=1", "_PI", "B=x", "\0=", "a"]
        {
            assert_eq!(names.find(none.as_bytes()), None, "{none}");
        }
        assert_eq!(names.find(b"\xff\xfe\xff\xff\xff\xff\xff\xff=1"), None);
        assert_eq!(names.find(b"MESSAGE\0=x"), None);
    }
}

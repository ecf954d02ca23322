//! Which entries are wanted, as `journalctl` takes it: `FIELD=value`; of one field any, of several fields all; `+` stands
//! between alternatives.

use super::walk::{Field, Shared, Walk};

/// See the module. Without alternatives, every entry is wanted.
#[derive(Default)]
pub(super) struct Matches {
    /// All texts of all alternatives.
    texts: Vec<Vec<u8>>,
    /// In each alternative, for each field, the numbers of its texts.
    alternatives: Vec<Vec<(String, Vec<usize>)>>,
    /// Which texts the current entry has.
    found: Vec<bool>,
}

impl Matches {
    pub(super) fn new(texts: &[String]) -> Matches {
        let mut matches = Matches::default();
        for alternative in texts.split(|text| text == "+").filter(|alternative| !alternative.is_empty()) {
            let mut fields: Vec<(String, Vec<usize>)> = Vec::new();
            for text in alternative {
                let name = text.split('=').next().unwrap_or_default();
                let number = matches.texts.len();
                matches.texts.push(text.clone().into_bytes());
                match fields.iter_mut().find(|(field, _)| field == name) {
                    Some((_, numbers)) => numbers.push(number),
                    None => fields.push((name.to_owned(), vec![number])),
                }
            }
            matches.alternatives.push(fields);
        }
        matches
    }

    /// Is the current entry of that file wanted?
    pub(super) fn want(&mut self, walk: &mut Walk, shared: &mut Shared) -> bool {
        if self.alternatives.is_empty() {
            return true;
        }
        self.found.clear();
        self.found.resize(self.texts.len(), false);
        while let Some(field) = walk.field(shared) {
            let Field::Payload(payload) = field else { continue };
            for (text, found) in self.texts.iter().zip(&mut self.found) {
                *found |= text.as_slice() == payload;
            }
        }
        walk.rewind();
        self.alternatives
            .iter()
            .any(|fields| fields.iter().all(|(_, numbers)| numbers.iter().any(|number| self.found[*number])))
    }
}

//! Which entries are wanted, as `journalctl` takes it: `FIELD=value`; of one field any, of several fields all; `+` stands
//! between alternatives.

use super::memo::Memo;
use super::unpack::Unpacker;
use super::walk::Walk;

/// See the module. Without alternatives, every entry is wanted.
#[derive(Default)]
pub(super) struct Matches {
    /// The different texts of all alternatives.
    texts: Vec<Vec<u8>>,
    /// The number of the text that a field has, plus one; 0: it has none of them.
    memo: Memo<usize>,
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
                let number = matches.number(text.as_bytes());
                match fields.iter_mut().find(|(field, _)| field == name) {
                    Some((_, numbers)) => numbers.push(number),
                    None => fields.push((name.to_owned(), vec![number])),
                }
            }
            matches.alternatives.push(fields);
        }
        matches
    }

    fn number(&mut self, text: &[u8]) -> usize {
        self.texts.iter().position(|known| known == text).unwrap_or_else(|| {
            self.texts.push(text.to_owned());
            self.texts.len() - 1
        })
    }

    /// Is the current entry of that file wanted?
    pub(super) fn want(&mut self, walk: &mut Walk, unpacker: &mut Unpacker) -> bool {
        if self.alternatives.is_empty() {
            return true;
        }
        self.found.clear();
        self.found.resize(self.texts.len(), false);
        // If that is damaged, the entry has no fields.
        let _ = walk.load();
        let mut n = 0;
        while let Some(at) = walk.item(n) {
            n += 1;
            let number = self.memo.find(walk.serial, at).unwrap_or_else(|| self.look(walk, at, unpacker));
            if let Some(text) = number.checked_sub(1) {
                self.found[text] = true;
            }
        }
        self.alternatives
            .iter()
            .any(|fields| fields.iter().all(|(_, numbers)| numbers.iter().any(|number| self.found[*number])))
    }

    fn look(&mut self, walk: &mut Walk, at: u64, unpacker: &mut Unpacker) -> usize {
        let Some(payload) = walk.payload(at, unpacker) else { return 0 };
        let number = self.texts.iter().position(|text| text == payload).map_or(0, |number| number + 1);
        if walk.is_old(at) {
            self.memo.remember(walk.serial, at, number);
        }
        number
    }
}

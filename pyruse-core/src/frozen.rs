//! A map from texts that are all known at the start, for the hot path.
//!
//! An open-addressed table of at most a quarter load, with a hash over length, head and tail of the text. A text that
//! is not in it nearly always meets an empty place at once; one that is in it costs one comparison. People who write
//! log lines choose which texts are looked up, never which are in the table: the hash needs no secret.

/// The map.
#[derive(Clone, Debug)]
pub struct Frozen<T> {
    places: Vec<Option<(Box<[u8]>, T)>>,
    shift: u32,
}

impl<T> Frozen<T> {
    /// Makes a map of these texts; of equal ones, the first counts.
    pub fn new<K: AsRef<[u8]>>(items: impl IntoIterator<Item = (K, T)>) -> Frozen<T> {
        let items: Vec<(K, T)> = items.into_iter().collect();
        let size = (items.len() * 4).next_power_of_two().max(16);
        let mut places = Vec::new();
        places.resize_with(size, || None);
        let mut frozen = Frozen { places, shift: 64 - size.trailing_zeros() };
        for (text, item) in items {
            let text = text.as_ref();
            let place = frozen.find(text);
            if frozen.places[place].is_none() {
                frozen.places[place] = Some((text.into(), item));
            }
        }
        frozen
    }

    /// Returns the value of a text.
    pub fn get(&self, text: &[u8]) -> Option<&T> {
        self.places[self.find(text)].as_ref().map(|(_, item)| item)
    }

    /// Returns the place of a text, or the empty place where it would be.
    fn find(&self, text: &[u8]) -> usize {
        let mut place = self.start(text);
        while self.places[place].as_ref().is_some_and(|(other, _)| **other != *text) {
            place = (place + 1) & (self.places.len() - 1);
        }
        place
    }

    fn start(&self, text: &[u8]) -> usize {
        let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (text.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
        };
        let mixed = head ^ tail.rotate_left(29) ^ (text.len() as u64) << 40;
        // Fibonacci hashing: the high bits of the product are the well-mixed ones.
        usize::try_from(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_and_no_other() {
        let texts: Vec<String> = (0..500).map(|n| format!("FIELD_{n}")).chain([String::new()]).collect();
        let frozen = Frozen::new(texts.iter().enumerate().map(|(n, text)| (text, n)));
        for (n, text) in texts.iter().enumerate() {
            assert_eq!(frozen.get(text.as_bytes()), Some(&n));
        }
        assert_eq!(frozen.get(b"FIELD_500"), None);
        assert_eq!(frozen.get(b"\xff\xfe"), None);
        assert_eq!(Frozen::new([("a", 1), ("a", 2)]).get(b"a"), Some(&1));
        assert_eq!(Frozen::<u8>::new::<&str>([]).get(b""), None);
    }
}

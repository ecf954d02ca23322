//! A map whose keys are all known at the start, for the hot path.
//!
//! An open-addressed table of at most a quarter load. A key that is not in it nearly always meets an empty place at
//! once; one that is in it costs one comparison. People who write log lines choose which keys are looked up, never
//! which are in the table: the hash needs no secret.

use std::borrow::Borrow;

/// The map.
#[derive(Clone, Debug)]
pub(crate) struct Frozen<K, T> {
    places: Vec<Option<(K, T)>>,
    shift: u32,
}

/// A key.
pub(crate) trait Key: Eq {
    /// Returns a number that other keys are unlikely to have; its bits need not be mixed well.
    fn number(&self) -> u64;
}

impl<K: Key, T> Frozen<K, T> {
    /// Makes a map of these items; of equal keys, the first counts.
    pub(crate) fn new(items: impl IntoIterator<Item = (K, T)>) -> Frozen<K, T> {
        let items: Vec<(K, T)> = items.into_iter().collect();
        let size = (items.len() * 4).next_power_of_two().max(16);
        let mut places = Vec::new();
        places.resize_with(size, || None);
        let mut frozen = Frozen { places, shift: 64 - size.trailing_zeros() };
        for (key, item) in items {
            let place = frozen.find(&key);
            frozen.places[place].get_or_insert((key, item));
        }
        frozen
    }

    /// Returns the value of a key.
    pub(crate) fn get<Q: Key + ?Sized>(&self, key: &Q) -> Option<&T>
    where
        K: Borrow<Q>,
    {
        self.places[self.find(key)].as_ref().map(|(_, item)| item)
    }

    /// Returns the place of a key, or the empty place where it would be.
    fn find<Q: Key + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        // Fibonacci hashing: the high bits of the product are the well-mixed ones.
        let start = key.number().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift;
        let mut place = usize::try_from(start).unwrap_or(0);
        while self.places[place].as_ref().is_some_and(|(other, _)| other.borrow() != key) {
            place = (place + 1) & (self.places.len() - 1);
        }
        place
    }
}

impl Key for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

impl Key for i64 {
    fn number(&self) -> u64 {
        self.cast_unsigned()
    }
}

impl Key for [u8] {
    /// Returns a mix of length, head and tail.
    fn number(&self) -> u64 {
        let (head, tail) = match (self.first_chunk::<8>(), self.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (self.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
        };
        head ^ tail.rotate_left(29) ^ (self.len() as u64) << 40
    }
}

impl Key for Box<[u8]> {
    fn number(&self) -> u64 {
        (**self).number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found_and_no_other() {
        let texts: Vec<String> = (0..500).map(|n| format!("FIELD_{n}")).chain([String::new()]).collect();
        let key = |text: &str| Box::from(text.as_bytes());
        let frozen = Frozen::new(texts.iter().enumerate().map(|(n, text)| (key(text), n)));
        for (n, text) in texts.iter().enumerate() {
            assert_eq!(frozen.get(text.as_bytes()), Some(&n));
        }
        assert_eq!(frozen.get(b"FIELD_500".as_slice()), None);
        assert_eq!(frozen.get(b"\xff\xfe".as_slice()), None);
        assert_eq!(Frozen::new([(key("a"), 1), (key("a"), 2)]).get(b"a".as_slice()), Some(&1));
        assert_eq!(Frozen::<Box<[u8]>, u8>::new([]).get(b"".as_slice()), None);
    }
}

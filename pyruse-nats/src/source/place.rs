//! The position in a stream: what was read, and which messages of each publisher it contained.
//!
//! A publisher that does not learn whether its message was stored sends it again. The server refuses a repeat for some
//! minutes only. So the reader knows which of the latest numbers of each publisher it has read, and this knowledge is a
//! part of its position: it is committed with all that the messages have caused.

use std::collections::HashMap;
use std::hash::Hasher;

use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use siphasher::sip::SipHasher13;

/// How many numbers of a publisher are known: it never sends a message before the one with a number less by this much is
/// stored.
pub(crate) const WINDOW: u64 = 128;

/// How many publishers are known at most; beyond that, those that were read longest ago are forgotten.
const PUBLISHERS: usize = 10_000;

const VERSION: u8 = 1;

/// The size of a publisher in a stored position.
const STORED_PUBLISHER: usize = 40;

/// Where reading continues.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// At the first message of this time or later.
    Since(Timestamp),
    /// At the first message of all.
    Head,
    /// At the message with this number.
    At(u64),
    /// Behind a message.
    Behind {
        /// When the stream was created, in microseconds since 1970: a stream that was deleted and made anew has other
        /// messages with the same numbers.
        created: i64,
        /// The number of the message in the stream.
        sequence: u64,
    },
}

/// Which messages of the publishers were read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen(HashMap<u64, Publisher>);

#[derive(Clone, Debug, PartialEq)]
struct Publisher {
    /// The highest number of its messages.
    highest: u64,
    /// Which of the numbers up to it were read: bit `n` for `highest - n`.
    read: u128,
    /// The number, in the stream, of its latest message.
    sequence: u64,
}

impl Seen {
    /// Returns whether this message was read before. `sender` is who sent it, as far as that is known.
    pub(super) fn has(&self, sender: &str, identity: &str) -> bool {
        let Some((publisher, number)) = split(sender, identity) else { return false };
        self.0.get(&publisher).is_some_and(|known| {
            let back = known.highest.checked_sub(number);
            back.is_some_and(|back| back < WINDOW && known.read >> back & 1 == 1)
        })
    }

    /// Notes that the message with this number in the stream was read.
    pub(super) fn note(&mut self, sender: &str, identity: &str, sequence: u64) {
        let Some((publisher, number)) = split(sender, identity) else { return };
        let known = self.0.entry(publisher).or_insert(Publisher { highest: number, read: 0, sequence });
        known.sequence = sequence;
        if number > known.highest {
            let forward = number - known.highest;
            known.read = if forward < WINDOW { known.read << forward } else { 0 };
            known.highest = number;
        }
        let back = known.highest - number;
        // One further back was given up by its publisher, and is sent again because an operator said so.
        if back < WINDOW {
            known.read |= 1 << back;
        }
        if self.0.len() > PUBLISHERS + PUBLISHERS / 10 {
            self.forget();
        }
    }

    /// Forgets the publishers that were read longest ago.
    fn forget(&mut self) {
        let mut sequences: Vec<u64> = self.0.values().map(|known| known.sequence).collect();
        let surplus = sequences.len().saturating_sub(PUBLISHERS);
        let (_, first_kept, _) = sequences.select_nth_unstable(surplus);
        let first_kept = *first_kept;
        self.0.retain(|_, known| known.sequence >= first_kept);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Splits the identity of a message, `PUBLISHER/NUMBER`; the publisher is known by a hash.
fn split(sender: &str, identity: &str) -> Option<(u64, u64)> {
    let (publisher, number) = identity.rsplit_once('/')?;
    let number = number.parse().ok()?;
    let mut hasher = SipHasher13::new();
    hasher.write(sender.as_bytes());
    hasher.write_u8(0xff);
    hasher.write(publisher.as_bytes());
    Some((hasher.finish(), number))
}

/// Reads a position.
pub(super) fn read(position: &Position) -> (Place, Seen) {
    let since = || (Place::Since(position.time), Seen::default());
    let Some((head, publishers)) = position.place.split_at_checked(17) else { return since() };
    if head[0] != VERSION || !publishers.len().is_multiple_of(STORED_PUBLISHER) {
        return since();
    }
    let mut seen = Seen::default();
    for stored in publishers.chunks_exact(STORED_PUBLISHER) {
        let publisher = Publisher {
            highest: number(&stored[8..16]),
            read: u128::from(number(&stored[16..24])) << 64 | u128::from(number(&stored[24..32])),
            sequence: number(&stored[32..40]),
        };
        seen.0.insert(number(&stored[..8]), publisher);
    }
    let created = number(&head[1..9]).cast_signed();
    (Place::Behind { created, sequence: number(&head[9..17]) }, seen)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Writes a position.
pub(super) fn write(place: &Place, seen: &Seen, time: Timestamp) -> Position {
    let Place::Behind { created, sequence } = place else {
        let time = if let Place::Since(since) = place { *since } else { time };
        return Position { place: Vec::new(), time };
    };
    let mut bytes = Vec::with_capacity(17 + STORED_PUBLISHER * seen.0.len());
    bytes.push(VERSION);
    bytes.extend(created.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    for (publisher, known) in &seen.0 {
        bytes.extend(publisher.to_be_bytes());
        bytes.extend(known.highest.to_be_bytes());
        bytes.extend(known.read.to_be_bytes());
        bytes.extend(known.sequence.to_be_bytes());
    }
    Position { place: bytes, time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_known_over_a_restart_and_a_message_of_another_publisher_is_none() {
        let mut seen = Seen::default();
        for number in [1, 2, 5, 130] {
            seen.note("web-1", &format!("m/q/{number}"), number);
        }
        let place = Place::Behind { created: -7, sequence: 130 };
        let (again, seen) = read(&write(&place, &seen, Timestamp(9)));
        assert_eq!(again, place);
        for number in [5, 130] {
            assert!(seen.has("web-1", &format!("m/q/{number}")), "{number}");
        }
        for (sender, identity) in [
            ("web-1", "m/q/4"),
            ("web-1", "m/q/131"),
            ("web-2", "m/q/5"),
            ("web-1", "m/r/5"),
            ("web-1", "5"),
            ("web-1", "m/q/x"),
            ("web-1", ""),
        ] {
            assert!(!seen.has(sender, identity), "{sender} {identity}");
        }
        assert!(
            !seen.has("web-1", "m/q/2"),
            "128 back: it cannot be a repeat of a message that was not acknowledged"
        );
    }

    #[test]
    fn numbers_may_come_in_any_order_and_jump() {
        let mut seen = Seen::default();
        for number in [10, 7, 9, u64::MAX, 3] {
            assert!(!seen.has("", &format!("a/{number}")), "{number}");
            seen.note("", &format!("a/{number}"), 1);
        }
        assert!(seen.has("", &format!("a/{}", u64::MAX)));
    }

    #[test]
    fn the_number_of_publishers_is_bounded_and_the_latest_are_kept() {
        let mut seen = Seen::default();
        for n in 0..50_000_u64 {
            seen.note(&n.to_string(), "a/1", n);
        }
        assert!(seen.0.len() <= PUBLISHERS + PUBLISHERS / 10 && seen.0.len() >= PUBLISHERS);
        assert!(seen.has("49999", "a/1") && !seen.has("0", "a/1"));
    }

    #[test]
    fn a_position_that_is_not_ours_is_a_time() {
        let place = Place::Behind { created: 1, sequence: 2 };
        let good = write(&place, &Seen::default(), Timestamp(9)).place;
        for bad in [vec![], vec![VERSION], vec![2; 17], [good.as_slice(), b"x"].concat()] {
            assert_eq!(read(&Position { place: bad, time: Timestamp(9) }).0, Place::Since(Timestamp(9)));
        }
        assert_eq!(write(&Place::Since(Timestamp(5)), &Seen::default(), Timestamp(9)).time, Timestamp(5));
    }
}

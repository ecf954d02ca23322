//! One kind of lines, and the key by which it is found.

use std::hash::Hasher;
use std::ops::Range;

use pyruse_core::level::ReportLevel;
use pyruse_core::time::Timestamp;
use siphasher::sip128::{Hasher128, SipHasher13};

use super::mask::Mask;
use super::shape::{Shape, is_in};
use super::shares::{OriginKey, OriginSlot};
use super::values::Values;

/// The hash of a shape, with its origin, section and priority.
pub(in super::super) type ShapeKey = u128;

/// Words before this one never become variables.
const FIRST_VARIABLE: usize = 2;

/// How many words of a line can become variables.
const MAX_VARIABLES: u32 = 3;

/// What the shape contains in the place of a variable.
const VARIABLE: [u8; 2] = [Mask::Word as u8, 0];

/// Returns the stems with this first letter that report trouble: a word that contains one never becomes a variable.
fn stems_of_trouble(first: u8) -> &'static [&'static [u8]] {
    match first.to_ascii_lowercase() {
        b'a' => &[b"alert", b"abort", b"attack"],
        b'b' => &[b"broken", b"bad"],
        b'c' => &[b"crit", b"corrupt", b"crash", b"cannot"],
        b'd' => &[b"degrad", b"dead", b"denied"],
        b'e' => &[b"err", b"emerg", b"expire", b"exhaust"],
        b'f' => &[b"fail", b"fatal", b"full"],
        b'i' => &[b"invalid", b"illegal"],
        b'k' => &[b"kill"],
        b'l' => &[b"lost"],
        b'm' => &[b"missing"],
        b'o' => &[b"offline", b"overheat"],
        b'p' => &[b"panic"],
        b'r' => &[b"refus", b"reject"],
        b'u' => &[b"unable", b"unreadable"],
        b'v' => &[b"violat"],
        _ => &[],
    }
}

/// Lines of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Kind {
    pub(in super::super) level: ReportLevel,
    /// The priority of the entries; `None` if they have none.
    pub(in super::super) priority: Option<u8>,
    pub(super) origin: OriginSlot,
    pub(super) key: ShapeKey,
    /// The words that are variables, one bit for each.
    pub(super) joined: u64,
    pub(in super::super) count: u64,
    pub(in super::super) first: Timestamp,
    pub(in super::super) last: Timestamp,
    /// One of the lines, up to the length that decides its shape.
    pub(in super::super) example: String,
    pub(in super::super) values: Values,
    /// Its place among the kinds of its origin.
    pub(super) at: usize,
    pub(super) is_dirty: bool,
}

/// What all kinds of one origin, section and priority have in common.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) origin: OriginKey,
    pub(super) level: ReportLevel,
    pub(super) priority: Option<u8>,
}

impl Group {
    fn hasher(self) -> SipHasher13 {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.origin.to_le_bytes());
        hasher.write(&[self.level as u8, self.priority.unwrap_or(u8::MAX)]);
        hasher
    }
}

/// Hashes words of a shape, of which some are variables. The words between variables are hashed as one.
fn hash(hasher: &mut SipHasher13, shape: &Shape, words: Range<usize>, joined: u64) {
    let mut from = words.start;
    for n in words.clone().filter(|n| is_in(joined, *n)) {
        hasher.write(shape.bytes(from..n));
        hasher.write(&VARIABLE);
        from = n + 1;
    }
    hasher.write(shape.bytes(from..words.end));
}

/// Returns the key of a shape, with these words as variables.
pub(super) fn key(group: Group, shape: &Shape, joined: u64) -> ShapeKey {
    let mut hasher = group.hasher();
    hash(&mut hasher, shape, 0..shape.words(), joined);
    hasher.finish128().as_u128()
}

/// Returns the key for each word from this one on that can still become a variable, if it were one; with the variables.
pub(super) fn wider_keys(
    group: Group,
    shape: &Shape,
    joined: u64,
    from: usize,
) -> impl Iterator<Item = (u64, ShapeKey)> {
    // What comes before the word is hashed only once.
    let (mut before, mut end) = (group.hasher(), 0);
    candidates(shape, joined, from).map(move |n| {
        hash(&mut before, shape, end..n, joined);
        end = n;
        let mut hasher = before;
        hasher.write(&VARIABLE);
        hash(&mut hasher, shape, n + 1..shape.words(), joined);
        (joined | 1 << n, hasher.finish128().as_u128())
    })
}

pub(super) fn reports_trouble(word: &[u8]) -> bool {
    (0..word.len()).any(|at| {
        let rest = &word[at..];
        let begins =
            |stem: &&[u8]| rest.get(..stem.len()).is_some_and(|part| part.eq_ignore_ascii_case(stem));
        stems_of_trouble(word[at]).iter().any(begins)
    })
}

/// Returns the words from this one on that can still become variables.
fn candidates(shape: &Shape, joined: u64, from: usize) -> impl Iterator<Item = usize> {
    let end = if joined.count_ones() < MAX_VARIABLES { shape.words() } else { 0 };
    (from.max(FIRST_VARIABLE)..end).filter(move |n| !is_in(joined, *n) && !reports_trouble(shape.word(*n)))
}

impl Kind {
    /// Returns its hash, which is the same on every day.
    pub(in super::super) fn key(&self) -> ShapeKey {
        self.key
    }

    /// Returns the hosts that wrote its lines, with their counts.
    pub(in super::super) fn hosts(&self) -> Vec<(&str, u64)> {
        let hosts = self.values.frequent().find(|frequent| frequent.mask == Mask::Machine);
        hosts.map_or_else(Vec::new, |hosts| hosts.values)
    }

    /// Returns the shape for programs: each masked place as the name of its mask.
    pub(in super::super) fn shape(&self) -> String {
        let mut shape = Shape::default();
        shape.read(&self.example);
        let mut bytes = Vec::new();
        for n in 0..shape.words() {
            if n > 0 {
                bytes.push(b' ');
            }
            let word = if is_in(self.joined, n) { &[Mask::Word as u8] } else { shape.word(n) };
            for byte in word {
                match Mask::of_code(*byte) {
                    Some(mask) => bytes.extend(format!("<{}>", mask.name()).into_bytes()),
                    None => bytes.push(*byte),
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Returns a number that is higher for more urgent lines.
pub(super) fn urgency(priority: Option<u8>) -> u8 {
    8 - priority.map_or(8, |priority| priority.min(7))
}

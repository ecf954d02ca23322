//! One kind of lines, and the key by which it is found.

use std::hash::Hasher;

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

/// A word that contains one of these reports trouble, and never becomes a variable.
const TROUBLE: [&[u8]; 32] = [
    b"fail",
    b"err",
    b"crit",
    b"alert",
    b"emerg",
    b"panic",
    b"fatal",
    b"corrupt",
    b"degrad",
    b"dead",
    b"lost",
    b"denied",
    b"refus",
    b"reject",
    b"offline",
    b"kill",
    b"abort",
    b"crash",
    b"invalid",
    b"illegal",
    b"expire",
    b"overheat",
    b"full",
    b"exhaust",
    b"missing",
    b"unable",
    b"cannot",
    b"broken",
    b"bad",
    b"attack",
    b"violat",
    b"unreadable",
];

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
    pub(super) is_dirty: bool,
}

/// What all kinds of one origin, section and priority have in common.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) origin: OriginKey,
    pub(super) level: ReportLevel,
    pub(super) priority: Option<u8>,
}

/// Returns the key of a shape, with these words as variables.
pub(super) fn key(group: Group, shape: &Shape, joined: u64) -> ShapeKey {
    let mut hasher = SipHasher13::new();
    hasher.write(&group.origin.to_le_bytes());
    hasher.write(&[group.level as u8, group.priority.unwrap_or(u8::MAX)]);
    for n in 0..shape.words() {
        hasher.write(if is_in(joined, n) { &[Mask::Word as u8] } else { shape.word(n) });
        hasher.write_u8(0);
    }
    hasher.finish128().as_u128()
}

pub(super) fn reports_trouble(word: &[u8]) -> bool {
    TROUBLE.iter().any(|stem| word.windows(stem.len()).any(|part| part.eq_ignore_ascii_case(stem)))
}

/// Returns the words that can still become variables.
pub(super) fn candidates(shape: &Shape, joined: u64) -> impl Iterator<Item = usize> {
    let end = if joined.count_ones() < MAX_VARIABLES { shape.words() } else { 0 };
    (FIRST_VARIABLE..end).filter(move |n| !is_in(joined, *n) && !reports_trouble(shape.word(*n)))
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

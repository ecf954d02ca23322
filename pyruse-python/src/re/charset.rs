//! Sets of characters, as Python sees them.
//!
//! What enters are the members of a set and the flags that hold there; what leaves is a set without
//! flags, with Python's case rules already applied. `\d` and `\w` stay symbolic, because they are
//! large and the engines know the Unicode categories they are made of. (Their tables may be newer
//! than those of Python 3.11, Unicode 14: characters assigned since then may differ.)

use super::casefold;
use super::flags::Flags;
use super::ranges::normalized;

/// The last code point.
const LAST: u32 = 0x0010_FFFF;

/// What Python's `str.isspace` accepts.
const SPACE: &[(u32, u32)] = &[
    (0x09, 0x0D),
    (0x1C, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
];
const ASCII_SPACE: &[(u32, u32)] = &[(0x09, 0x0D), (0x20, 0x20)];
const ASCII_DIGIT: &[(u32, u32)] = &[(0x30, 0x39)];
const ASCII_WORD: &[(u32, u32)] = &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)];

/// A class that has a letter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `\d`
    Digit,
    /// `\s`
    Space,
    /// `\w`
    Word,
}

/// One member of a set, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// A character.
    One(char),
    /// From, to; both included.
    Range(char, char),
    /// A class, and whether it is meant the other way round.
    Class(Class, bool),
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharSet {
    /// Sorted, apart from each other.
    pub(super) ranges: Vec<(u32, u32)>,
    /// Unicode `\d` and `\w`; true: the other way round.
    pub(super) classes: Vec<(Class, bool)>,
    /// All but those.
    pub(super) negated: bool,
}

impl CharSet {
    /// One character.
    pub(super) fn literal(char: char, flags: Flags) -> Self {
        Self::new(&[Member::One(char)], false, flags)
    }

    /// Any character, perhaps but the newline.
    pub(super) fn dot(flags: Flags) -> Self {
        let ranges = if flags.has(Flags::DOT_ALL) { vec![(0, LAST)] } else { vec![(0, 9), (11, LAST)] };
        Self { ranges, classes: Vec::new(), negated: false }
    }

    /// The set of these members.
    pub(super) fn new(members: &[Member], negated: bool, flags: Flags) -> Self {
        let mut ranges = Vec::new();
        let mut classes = Vec::new();
        let ignore_case = flags.has(Flags::IGNORE_CASE);
        for member in members {
            match *member {
                Member::One(char) => ranges.push((char.into(), char.into())),
                Member::Range(from, to) => ranges.push((from.into(), to.into())),
                Member::Class(class, inverse) => match class_ranges(class, flags.has(Flags::ASCII)) {
                    Some(known) if inverse => ranges.extend(complement(known)),
                    Some(known) => ranges.extend_from_slice(known),
                    None => classes.push((class, inverse)),
                },
            }
        }
        ranges = normalized(ranges);
        if ignore_case {
            ranges =
                if flags.has(Flags::ASCII) { casefold::ascii(&ranges) } else { casefold::unicode(&ranges) };
            ranges = normalized(ranges);
        }
        classes.dedup();
        Self { ranges, classes, negated }
    }

    /// Its members below 128, apart from each other.
    pub(super) fn within_ascii(&self) -> Vec<(u32, u32)> {
        let mut members = ascii_bits(&self.ranges);
        for (class, inverse) in &self.classes {
            let known = class_ranges(*class, true).map_or(0, ascii_bits);
            members |= if *inverse { !known } else { known };
        }
        if self.negated {
            members = !members;
        }
        let mut ranges = Vec::new();
        while members != 0 {
            let first = members.trailing_zeros();
            let end = first + (members >> first).trailing_ones();
            ranges.push((first, end - 1));
            members &= u128::MAX.checked_shl(end).unwrap_or(0);
        }
        ranges
    }

    /// Has it members beyond ASCII?
    pub(super) fn is_wide(&self) -> bool {
        self.negated || !self.classes.is_empty() || self.ranges.last().is_some_and(|(_, last)| *last > 127)
    }

    /// At most so many states of a program that reads UTF-8 it takes.
    pub(super) fn unicode_states(&self) -> u64 {
        // The engine's program for `\w` has about 800, that for `\d` 200, that for any character 10.
        let of_class = |(class, _): &(Class, bool)| if *class == Class::Digit { 200 } else { 800 };
        self.classes.iter().map(of_class).sum::<u64>() + 4 * self.ranges.len() as u64 + 8
    }
}

/// A bit for each code below 128 that is in one of these ranges.
fn ascii_bits(ranges: &[(u32, u32)]) -> u128 {
    let within = ranges.iter().filter(|(first, _)| *first < 128);
    within.fold(0, |bits, (first, last)| bits | u128::MAX << first & u128::MAX >> (127 - last.min(&127)))
}

/// The ranges of a class, unless it is better left to the engine.
fn class_ranges(class: Class, ascii: bool) -> Option<&'static [(u32, u32)]> {
    match (class, ascii) {
        (Class::Space, false) => Some(SPACE),
        (Class::Space, true) => Some(ASCII_SPACE),
        (Class::Digit, true) => Some(ASCII_DIGIT),
        (Class::Word, true) => Some(ASCII_WORD),
        (Class::Digit | Class::Word, false) => None,
    }
}

/// All that is not in these (sorted) ranges.
fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut rest = Vec::with_capacity(ranges.len() + 1);
    let mut from = 0;
    for &(first, last) in ranges {
        if first > from {
            rest.push((from, first - 1));
        }
        from = last + 1;
    }
    if from <= LAST {
        rest.push((from, LAST));
    }
    rest
}

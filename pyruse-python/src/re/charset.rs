//! Sets of characters, as Python sees them.
//!
//! In: the members of a set and the flags that apply there. Out: a set without flags, with Python's case rules applied.
//! `\d` and `\w` stay symbolic, because they are large and the engines know the Unicode categories that they consist
//! of. (The tables of the engines may be newer than those of Python 3.11, Unicode 14: characters assigned since then
//! may differ.)

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

/// A class that has its own letter.
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
    /// From and to, both included.
    Range(char, char),
    /// A class, and whether it is negated.
    Class(Class, bool),
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharSet {
    /// Sorted, without overlaps.
    pub(super) ranges: Vec<(u32, u32)>,
    /// Unicode `\d` and `\w`, each with whether it is negated.
    pub(super) classes: Vec<(Class, bool)>,
    /// The set holds all characters but these.
    pub(super) negated: bool,
}

impl CharSet {
    /// Returns the set of one character.
    pub(super) fn literal(char: char, flags: Flags) -> Self {
        Self::new(&[Member::One(char)], false, flags)
    }

    /// Returns the set of any character, with or without the newline.
    pub(super) fn dot(flags: Flags) -> Self {
        let ranges = if flags.has(Flags::DOT_ALL) { vec![(0, LAST)] } else { vec![(0, 9), (11, LAST)] };
        Self { ranges, classes: Vec::new(), negated: false }
    }

    /// Returns the set of these members.
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

    /// Returns a bit for each member below 128.
    pub(super) fn ascii(&self) -> u128 {
        let mut members = ascii_bits(&self.ranges);
        for (class, inverse) in &self.classes {
            let known = class_ranges(*class, true).map_or(0, ascii_bits);
            members |= if *inverse { !known } else { known };
        }
        if self.negated { !members } else { members }
    }

    /// Returns the members below 128 as ranges without overlaps.
    pub(super) fn within_ascii(&self) -> Vec<(u32, u32)> {
        let mut members = self.ascii();
        let mut ranges = Vec::new();
        while members != 0 {
            let first = members.trailing_zeros();
            let end = first + (members >> first).trailing_ones();
            ranges.push((first, end - 1));
            members &= u128::MAX.checked_shl(end).unwrap_or(0);
        }
        ranges
    }

    /// Whether all members are members of the other set. False also where that takes long to find out.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        let has_classes_too =
            |inner: &Self, outer: &Self| inner.classes.iter().all(|class| outer.classes.contains(class));
        match (self.negated, other.negated) {
            (false, false) => has_classes_too(self, other) && is_within(&self.ranges, &other.ranges),
            (true, true) => has_classes_too(other, self) && is_within(&other.ranges, &self.ranges),
            _ if !self.classes.is_empty() || !other.classes.is_empty() => false,
            (false, true) => is_within(&self.ranges, &complement(&other.ranges)),
            (true, false) => is_within(&complement(&self.ranges), &other.ranges),
        }
    }

    /// Returns the only member; `None` if there are others.
    pub(super) fn only(&self) -> Option<char> {
        match (&self.ranges[..], &self.classes[..], self.negated) {
            ([(first, last)], [], false) if first == last => char::from_u32(*first),
            _ => None,
        }
    }

    /// Whether the set has members beyond ASCII.
    pub(super) fn is_wide(&self) -> bool {
        self.negated || !self.classes.is_empty() || self.ranges.last().is_some_and(|(_, last)| *last > 127)
    }

    /// Returns the maximum number of states that the set needs in a program that reads UTF-8.
    pub(super) fn unicode_states(&self) -> u64 {
        // The engine's program has about 800 states for `\w`, 200 for `\d`, and 10 for any character.
        let of_class = |(class, _): &(Class, bool)| if *class == Class::Digit { 200 } else { 800 };
        self.classes.iter().map(of_class).sum::<u64>() + 4 * self.ranges.len() as u64 + 8
    }
}

/// Returns a bit for each code below 128 in these ranges.
fn ascii_bits(ranges: &[(u32, u32)]) -> u128 {
    let within = ranges.iter().filter(|(first, _)| *first < 128);
    within.fold(0, |bits, (first, last)| bits | u128::MAX << first & u128::MAX >> (127 - last.min(&127)))
}

/// Returns the ranges of a class, or `None` if the class is left to the engine.
fn class_ranges(class: Class, ascii: bool) -> Option<&'static [(u32, u32)]> {
    match (class, ascii) {
        (Class::Space, false) => Some(SPACE),
        (Class::Space, true) => Some(ASCII_SPACE),
        (Class::Digit, true) => Some(ASCII_DIGIT),
        (Class::Word, true) => Some(ASCII_WORD),
        (Class::Digit | Class::Word, false) => None,
    }
}

/// Whether all these ranges are within the others; both are sorted, without overlaps, and do not adjoin.
fn is_within(ranges: &[(u32, u32)], others: &[(u32, u32)]) -> bool {
    ranges.iter().all(|(first, last)| {
        let at = others.partition_point(|(_, other_last)| other_last < first);
        others.get(at).is_some_and(|(other_first, other_last)| other_first <= first && last <= other_last)
    })
}

/// Returns everything outside of these sorted ranges.
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

//! The characters that a set holds, in the form that is fastest to query.

use std::sync::OnceLock;

use crate::re::charset::{CharSet, Class};
use crate::re::ranges::contains;

/// Up to this many members are compared one by one.
const FEW: u32 = 1000;

/// The members of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members {
    /// A bit for each code below 128.
    pub(super) ascii: u128,
    /// All other members.
    pub(super) wide: Wide,
}

/// Members beyond ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wide {
    None,
    All,
    Set(CharSet),
}

impl Members {
    pub(super) fn of(set: &CharSet) -> Members {
        let ascii = set.within_ascii();
        let ascii = ascii.iter().fold(0, |bits, (first, last)| bits | span(*first, *last));
        let beyond = |(_, last): &&(u32, u32)| *last > 127;
        let wide = match set.ranges.iter().find(beyond) {
            None if set.classes.is_empty() => {
                if set.negated {
                    Wide::All
                } else {
                    Wide::None
                }
            }
            Some((first, 0x0010_FFFF)) if *first <= 128 => {
                if set.negated {
                    Wide::None
                } else {
                    Wide::All
                }
            }
            _ => Wide::Set(set.clone()),
        };
        Members { ascii, wide }
    }

    /// Returns the set of this one character.
    pub(super) fn one(char: char) -> Members {
        Members::of(&CharSet {
            ranges: vec![(char.into(), char.into())],
            classes: Vec::new(),
            negated: false,
        })
    }

    /// Whether the set holds this character.
    #[inline]
    pub(super) fn has(&self, code: u32) -> bool {
        if code < 128 { self.ascii >> code & 1 == 1 } else { self.has_wide(code) }
    }

    fn has_wide(&self, code: u32) -> bool {
        match &self.wide {
            Wide::None => false,
            Wide::All => true,
            Wide::Set(set) => {
                let in_class = |(class, inverse): &(Class, bool)| is_in(*class, code) != *inverse;
                (contains(&set.ranges, code) || set.classes.iter().any(in_class)) != set.negated
            }
        }
    }
}

/// The characters with which a part can begin; it begins with exactly one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct First {
    pub(super) ascii: u128,
    /// Sets of characters beyond ASCII.
    pub(super) wide: Vec<Members>,
}

impl First {
    #[inline]
    pub(super) fn has(&self, code: u32) -> bool {
        if code < 128 {
            self.ascii >> code & 1 == 1
        } else {
            self.wide.iter().any(|members| members.has(code))
        }
    }

    pub(super) fn add(&mut self, members: Members) {
        self.ascii |= members.ascii;
        if members.wide != Wide::None && !self.wide.contains(&members) {
            self.wide.push(members);
        }
    }
}

/// Whether the two sets have no member in common. False also where that takes long to find out.
pub(super) fn are_apart(a: &Members, b: &Members) -> bool {
    a.ascii & b.ascii == 0 && wide_are_apart(&a.wide, &b.wide)
}

fn wide_are_apart(a: &Wide, b: &Wide) -> bool {
    match (a, b) {
        (Wide::None, _) | (_, Wide::None) => true,
        (Wide::All, _) | (_, Wide::All) => false,
        (Wide::Set(one), Wide::Set(other)) => {
            let are_opposite =
                one.negated != other.negated && one.classes == other.classes && one.ranges == other.ranges;
            let has_none_of = |wide: &Wide, set: &CharSet| {
                let members = Members { ascii: 0, wide: wide.clone() };
                few(set).is_some_and(|mut few| !few.any(|code| members.has_wide(code)))
            };
            are_opposite || has_none_of(a, other) || has_none_of(b, one)
        }
    }
}

/// Returns all members beyond ASCII, if they are few.
fn few(set: &CharSet) -> Option<impl Iterator<Item = u32>> {
    let wide = set.ranges.iter().map(|(first, last)| (*first).max(128)..last.saturating_add(1));
    let count: u32 = wide.clone().map(|range| range.len()).sum::<usize>().try_into().ok()?;
    (!set.negated && set.classes.is_empty() && count < FEW).then(|| wide.flatten())
}

/// Returns the bits from one code to another, both below 128.
fn span(first: u32, last: u32) -> u128 {
    u128::MAX << first & u128::MAX >> (127 - last)
}

/// Whether the character is in the class, as Python defines it.
fn is_in(class: Class, code: u32) -> bool {
    match class {
        Class::Word => is_word(code),
        Class::Digit => {
            static DIGITS: OnceLock<Vec<u64>> = OnceLock::new();
            bit(DIGITS.get_or_init(|| bits(r"\p{Nd}")), code)
        }
        // Spaces are always ranges; see the type of the set.
        Class::Space => false,
    }
}

/// Whether the character is a letter, a number or `_`, as Python's `\w` and `\b` see it.
pub(super) fn is_word(code: u32) -> bool {
    static WORDS: OnceLock<Vec<u64>> = OnceLock::new();
    bit(WORDS.get_or_init(|| bits(r"[\p{L}\p{N}_]")), code)
}

fn bit(bits: &[u64], code: u32) -> bool {
    bits.get(code as usize / 64).is_some_and(|word| word >> (code % 64) & 1 == 1)
}

/// Returns a bit for each code in a class.
fn bits(class: &str) -> Vec<u64> {
    let mut bits = vec![0; 0x11_0000 / 64];
    if let Ok(hir) = regex_syntax::parse(class)
        && let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = hir.kind()
    {
        for range in class.iter() {
            for code in u32::from(range.start())..=u32::from(range.end()) {
                bits[code as usize / 64] |= 1 << (code % 64);
            }
        }
    }
    bits
}

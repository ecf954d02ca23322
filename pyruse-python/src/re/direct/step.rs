//! The steps of an expression, and what is in them.

use std::ops::Range;

use super::super::ast::Anchor;

/// A step through the text.
#[derive(Debug)]
pub(super) enum Op {
    Literal(Vec<u8>),
    Set(Set),
    Run(Run),
    /// This slot is here.
    Mark(usize),
    At(Anchor),
    /// What follows; or else what is there. Both set these slots only.
    Choice {
        other: usize,
        marks: Range<usize>,
    },
    Jump(usize),
    Found,
}

/// A set of ASCII characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set([u64; 2]);

/// A repetition of a set.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) extent: Extent,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) is_lazy: bool,
    /// What may follow it; `None`: it has one length only, because none of its characters may follow.
    pub(super) next: Option<Next>,
}

/// How far a repetition reaches.
#[derive(Debug)]
pub(super) enum Extent {
    All,
    Until(u8),
    Within(Set),
}

/// What can follow at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub(super) set: u128,
    /// The end of the text.
    pub(super) end: bool,
    /// Anything.
    pub(super) any: bool,
}

impl Set {
    pub(super) fn new(members: u128) -> Set {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        Set([half(members), half(members >> 64)])
    }

    pub(super) fn members(self) -> u128 {
        u128::from(self.0[1]) << 64 | u128::from(self.0[0])
    }

    pub(super) fn has(self, byte: u8) -> bool {
        byte < 128 && self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

impl Extent {
    pub(super) fn of(members: u128) -> Extent {
        match !members {
            0 => Extent::All,
            others if others.is_power_of_two() => Extent::Until(byte_of(others)),
            _ => Extent::Within(Set::new(members)),
        }
    }

    pub(super) fn members(&self) -> u128 {
        match self {
            Extent::All => u128::MAX,
            Extent::Until(byte) => !(1 << byte),
            Extent::Within(set) => set.members(),
        }
    }
}

pub(super) fn byte_of(bit: u128) -> u8 {
    u8::try_from(bit.trailing_zeros()).unwrap_or_default()
}

impl Run {
    /// How many characters there are of it.
    pub(super) fn longest(&self, rest: &[u8]) -> usize {
        let rest = &rest[..rest.len().min(self.max)];
        let end = match &self.extent {
            Extent::All => None,
            Extent::Until(byte) => memchr::memchr(*byte, rest),
            Extent::Within(set) => rest.iter().position(|byte| !set.has(*byte)),
        };
        end.unwrap_or(rest.len())
    }
}

impl Next {
    pub(super) const ANY: Next = Next { set: u128::MAX, end: true, any: true };

    /// The only byte that can follow.
    pub(super) fn only(self) -> Option<u8> {
        (!self.any && !self.end && self.set.is_power_of_two()).then(|| byte_of(self.set))
    }

    pub(super) fn may_be(self, byte: Option<u8>) -> bool {
        self.any || byte.map_or(self.end, |byte| byte < 128 && self.set >> byte & 1 == 1)
    }

    pub(super) fn or(self, other: Next) -> Next {
        Next { set: self.set | other.set, end: self.end | other.end, any: self.any | other.any }
    }
}

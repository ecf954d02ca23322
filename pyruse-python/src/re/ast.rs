//! The tree between the parser and the emitter.
//!
//! It has no syntax and no flags: a node says what is matched. So no flag of Python must mean the same to a Rust
//! engine.

use super::charset::CharSet;

/// One part of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Matches everywhere, and consumes nothing.
    Empty,
    /// Matches nowhere: `(?!)`.
    Never,
    /// Matches everywhere; only the backtracking engine can pass it.
    Barrier,
    /// One character.
    Char(CharSet),
    /// A position, not a character.
    Anchor(Anchor),
    /// The parts, one after the other.
    Sequence(Vec<Node>),
    /// The first alternative that leads to a match.
    Alternatives(Vec<Node>),
    /// A capturing group.
    Group(usize, Box<Node>),
    /// The body several times; without `max` there is no upper limit.
    Repeat {
        /// The minimum number of rounds.
        min: u32,
        /// The maximum number of rounds.
        max: Option<u32>,
        /// What is tried first, and whether it is given back.
        greed: Greed,
        /// Offset of the quantifier.
        offset: usize,
        /// What is repeated.
        body: Box<Node>,
    },
    /// `(?>…)`: once matched, no other path through it is tried.
    Atomic(Box<Node>),
    /// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`.
    Look {
        /// Looks at the text before the position.
        behind: bool,
        /// The body must not match.
        negated: bool,
        /// Offset of the opening parenthesis, for errors about the width.
        offset: usize,
        /// What must match, or must not.
        body: Box<Node>,
    },
    /// The text that a group took.
    BackReference(usize, Folding),
    /// `(?(1)yes|no)`.
    Condition {
        /// The group that must have taken part.
        group: usize,
        /// Offset of its name.
        offset: usize,
        /// The part used if the group took part.
        yes: Box<Node>,
        /// The part used if it did not.
        no: Box<Node>,
    },
}

/// A position in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// `\A`, and `^` without `m`.
    TextStart,
    /// `^` with `m`.
    LineStart,
    /// `\Z`.
    TextEnd,
    /// `$` without `m`: the end, or before a newline that is the end.
    LastLineEnd,
    /// `$` with `m`.
    LineEnd,
    /// `\b` and `\B`.
    Boundary {
        /// `\B`.
        negated: bool,
        /// Only ASCII letters form words.
        ascii: bool,
    },
}

/// The order in which the numbers of rounds are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    /// As many rounds as possible first.
    Greedy,
    /// As few rounds as possible first.
    Lazy,
    /// As many rounds as possible; none is given back.
    Possessive,
}

/// How a back-reference compares characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// The same characters.
    Exact,
    /// ASCII letters are equal ignoring case.
    Ascii,
    /// All letters are equal ignoring case.
    Unicode,
}

//! The tree between the parser and the emitter. It is free of syntax and of flags: a node says what
//! is matched, so that no flag of Python's ever has to mean the same to a Rust engine.

use super::charset::CharSet;

/// One part of an expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Matches everywhere, and takes nothing.
    Empty,
    /// Matches nowhere: `(?!)`.
    Never,
    /// Matches everywhere; only the backtracking engine may come past it.
    Barrier,
    /// One character.
    Char(CharSet),
    /// A place, not a character.
    Anchor(Anchor),
    /// One after the other.
    Sequence(Vec<Node>),
    /// The first that leads to a match.
    Alternatives(Vec<Node>),
    /// A capturing group.
    Group(usize, Box<Node>),
    /// The body several times; no `max` is "without end".
    Repeat {
        /// At least so often.
        min: u32,
        /// At most so often.
        max: Option<u32>,
        /// What is tried first, and whether it is given back.
        greed: Greed,
        /// Offset of the quantifier.
        offset: usize,
        /// What is repeated.
        body: Box<Node>,
    },
    /// `(?>…)`: once matched, never tried another way.
    Atomic(Box<Node>),
    /// `(?=…)`, `(?!…)`, `(?<=…)`, `(?<!…)`.
    Look {
        /// Looks at what was before.
        behind: bool,
        /// Must not be there.
        negated: bool,
        /// Offset of the opening parenthesis, for complaints about the width.
        offset: usize,
        /// What is looked for.
        body: Box<Node>,
    },
    /// The same text as a group took.
    BackReference(usize, Folding),
    /// `(?(1)yes|no)`.
    Condition {
        /// The group that must have taken part.
        group: usize,
        /// Offset of its name.
        offset: usize,
        /// If it has.
        yes: Box<Node>,
        /// If it has not.
        no: Box<Node>,
    },
}

/// A place in the text.
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
        /// Only ASCII letters make words.
        ascii: bool,
    },
}

/// How a repetition is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Greed {
    /// As often as possible first.
    Greedy,
    /// As seldom as possible first.
    Lazy,
    /// As often as possible, for good.
    Possessive,
}

/// How a back-reference compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folding {
    /// The same characters.
    Exact,
    /// ASCII letters of any case are equal.
    Ascii,
    /// Letters of any case are equal.
    Unicode,
}

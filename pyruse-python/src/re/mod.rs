//! Expressions in the syntax of Python's `re` (version 3.11, on `str`), run by Rust engines.
//!
//! What enters is an expression as users wrote it for Python; what leaves is a [`Pattern`] that
//! finds exactly what Python's `re.search` finds, or a [`PatternError`]. An expression is never run
//! with another meaning: the text is read by a parser that follows Python's grammar, and what is
//! written for the engines is a small language of explicit sets that mean the same to them.
//!
//! Regular expressions proper run in linear time. Those with back-references, look-around, conditions, atomic groups or
//! possessive quantifiers, and the few texts on which no linear program is exact, are run by a machine that backtracks, but
//! remembers: its time grows with the length of the text, too, unless the expression refers to what groups took. No search
//! takes longer than some milliseconds; one that would is given up.
//!
//! Known to differ: characters that were assigned after Unicode 14 (the one of Python 3.11) may be
//! letters or digits or have case here.
//!
//! Refused though Python takes them, always with a message that says so: `\N{…}`; surrogates; the flag
//! `t`; conditions on a group that is still open, or inside of look-around, atomic groups or
//! possessive repetitions; repeated look-around with groups; bounded repetitions of what prefers to be
//! empty (`(|a){0,3}`), and a few more loops over groups that may be empty; possessive repetitions of a choice between groups, capitals beyond U+FFFF with
//! `i`, and classes in `(?a:…)` where Python itself goes wrong; group numbers written as only Python's
//! `int` reads them; groups nested deeper than 200; and what is too large.

mod advice;
mod analysis;
mod ast;
mod candidates;
mod casefold;
mod charset;
mod emit;
mod emit_leaf;
mod engine;
mod error;
mod flags;
mod injection;
mod linear;
mod loops;
mod machine;
mod parse;
mod pattern;
mod ranges;
mod refusals;
mod requirement;
mod screen;
mod tree;
mod width;

pub use self::advice::advice;
pub use self::candidates::Candidates;
pub use self::error::{MatchError, PatternError};
pub use self::injection::{Injection, Target};
pub use self::pattern::{Groups, Pattern};

#[cfg(test)]
mod tests;

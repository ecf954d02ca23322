//! Expressions in the syntax of Python's `re` (version 3.11, on `str`), run by Rust engines.
//!
//! In: an expression as users wrote it for Python. Out: a [`Pattern`] that finds exactly what Python's `re.search`
//! finds, or a [`PatternError`].
//!
//! Each step has its own file. `parse` reads the text by Python's grammar and makes a tree without flags (`ast`), whose
//! sets already contain Python's case rules. `tree` runs the checks over it, one by one: the widths of look-behinds,
//! what no engine runs with Python's meaning (`refusals`), loops that may be empty (`loops`), the size. Then `emit`
//! writes what is regular in a small language of explicit sets that means the same to `regex-automata` (`linear`). The
//! `machine` runs everything else, and the few texts on which no linear program is exact. `engine` chooses between them
//! for each text.
//!
//! Known difference: characters that were assigned after Unicode 14 (the version of Python 3.11) may be letters or
//! digits or have case here.
//!
//! Refused though Python accepts them, always with a message that says so:
//! - `\N{…}`, surrogates, and the flag `t`;
//! - conditions on a group that is still open, or inside of look-around, atomic groups or possessive repetitions;
//! - repeated look-around with groups;
//! - bounded repetitions of what prefers to be empty (`(|a){0,3}`), and a few other loops over groups that may be
//!   empty;
//! - possessive repetitions of a choice between groups, capitals beyond U+FFFF with `i`, and classes in `(?a:…)`, where
//!   Python itself is wrong;
//! - group numbers in a form that only Python's `int` reads;
//! - groups nested deeper than 200, and what is too large.

mod advice;
mod analysis;
mod ast;
mod candidates;
mod casefold;
mod charset;
mod direct;
mod emit;
mod emit_leaf;
mod empty_rounds;
mod engine;
mod error;
mod flags;
mod form;
mod injection;
mod linear;
mod look_behinds;
mod loops;
mod machine;
mod parse;
mod pattern;
mod places;
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
pub use self::pattern::{Groups, Pattern, Wanted};

#[cfg(test)]
mod tests;

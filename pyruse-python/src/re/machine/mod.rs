//! The engine for what is not regular: look-around, atomic groups, possessive repetitions, back-references and
//! conditions; and for the few texts on which no linear program has Python's meaning.
//!
//! What enters is the tree of an expression and a text; what leaves is where Python's `re.search` finds it. The machine
//! tries one way after the other, in Python's order, as Python does. Two things keep it from running away:
//!
//! - *It remembers.* What follows from a place in the expression and a place in the text is always the same, unless it
//!   asks what a group took. So no way is tried twice that failed once, whichever start it came from; and within
//!   look-around and atomic groups, whose first way is final, no way that succeeded either. The time then grows with the
//!   length of the text times the length of the expression (see [`memo`]).
//! - *It counts.* Every instruction, every way back, every start and every few characters that are passed over are a step.
//!   A search ends without an answer after [`STEPS`]. Only what refers to groups, or is far larger than people write, ever
//!   comes near.
//!
//! Nothing here uses recursion at search time: the ways that are left are frames in a list.

mod annotate;
mod compile;
mod first;
mod memo;
mod program;
mod run;
mod scratch;
mod sets;

use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::NonMaxUsize;

use super::ast::Node;
use super::error::MatchError;
use super::linear::Slots;
use super::width::Width;
use program::Program;
use run::Run;
pub(super) use run::{SOON, STEPS};
use scratch::Scratch;

/// One compiled expression.
#[derive(Debug)]
pub(super) struct Machine {
    program: Program,
    /// What searches need room for, kept for the next one.
    scratch: Pool<Scratch, fn() -> Scratch>,
}

impl Machine {
    /// `widths` are those of its groups, group 0 unused.
    pub(super) fn new(root: &Node, widths: &[Option<Width>]) -> Machine {
        Machine { program: Program::new(root, widths), scratch: Pool::new(Scratch::default) }
    }

    /// Is it found in the text, at the byte `from` or behind it? Gives up after so many steps.
    pub(super) fn is_match(&self, text: &str, from: usize, steps: u32) -> Result<bool, MatchError> {
        self.run(text, from, steps, false, |_, _| ())
    }

    /// The same; on success, `slots` holds where each group began and ended.
    pub(super) fn search(
        &self,
        text: &str,
        from: usize,
        steps: u32,
        slots: &mut Slots,
    ) -> Result<bool, MatchError> {
        self.run(text, from, steps, true, |scratch, is_ascii| {
            let place = |at: u32| (at != scratch::UNSET).then(|| scratch.byte(at as usize, is_ascii));
            slots.extend(scratch.slots.iter().map(|at| place(*at).and_then(NonMaxUsize::new)));
        })
    }

    fn run(
        &self,
        text: &str,
        from: usize,
        steps: u32,
        groups: bool,
        found: impl FnOnce(&Scratch, bool),
    ) -> Result<bool, MatchError> {
        let mut scratch = self.scratch.get();
        let scratch = &mut *scratch;
        let is_ascii = text.is_ascii();
        let answer = if is_ascii {
            Run::new(&self.program, text.as_bytes(), scratch, steps).search(from, groups)
        } else {
            // Places are counted in characters, as Python counts them.
            let chars = scratch.decode(text);
            let from = scratch.char_at(from);
            let answer = Run::new(&self.program, chars.as_slice(), scratch, steps).search(from, groups);
            scratch.keep(chars);
            answer
        };
        if answer == Ok(true) {
            found(scratch, is_ascii);
        }
        scratch.shrink();
        answer
    }
}

#[cfg(test)]
mod tests;

//! The engine for what is not regular.
//!
//! That is look-around, atomic groups, possessive repetitions, back-references and conditions, and the few texts on
//! which no linear program has Python's meaning.
//!
//! In: the tree of an expression and a text. Out: where Python's `re.search` finds it. The machine tries one path after
//! the other, in Python's order, as Python does. Two things limit its time:
//!
//! - *It remembers.* The outcome from a point in the expression and a position in the text is always the same, unless
//!   it depends on what a group took. So no path that failed is tried again, whichever start it came from. Within
//!   look-around and atomic groups, whose first match is final, no path that succeeded is tried again either. So the
//!   time grows with the length of the text times the length of the expression (see [`memo`]).
//! - *It counts.* Every instruction, every backtrack, every start, and every few skipped characters are a step. A
//!   search ends without an answer after [`STEPS`]. If the expression does not refer to groups, the work grows with the
//!   text, and so does the limit, up to [`MOST_STEPS`]: a long request must not evade a rule. Only expressions that
//!   refer to groups, that are far larger than people write, or that repeat a choice or a sequence dozens of times
//!   (`(?:a|ab){1,90}`) come near these limits. [`trial`] finds out which.
//!
//! A search uses no recursion: the paths that are left are frames in a list.

mod annotate;
mod compile;
mod first;
mod memo;
mod program;
mod run;
mod scratch;
mod sets;
mod trial;

use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::NonMaxUsize;

use super::ast::Node;
use super::error::MatchError;
use super::linear::Slots;
use super::width::Width;
use program::Program;
use run::{MOST_STEPS, Run, STEPS_A_BYTE};
pub(super) use run::{SOON, STEPS};
use scratch::Scratch;

/// One compiled expression.
#[derive(Debug)]
pub(super) struct Machine {
    program: Program,
    /// The buffers of searches, kept for the next search.
    scratch: Pool<Scratch, fn() -> Scratch>,
}

impl Machine {
    /// Compiles a tree. `widths` are those of its groups; index 0 is unused.
    pub(super) fn new(root: &Node, widths: &[Option<Width>]) -> Machine {
        Machine { program: Program::new(root, widths), scratch: Pool::new(Scratch::default) }
    }

    /// Whether the expression is found in the text, at the byte `from` or after it. Gives up after `steps` steps.
    pub(super) fn is_match(&self, text: &str, from: usize, steps: u32) -> Result<bool, MatchError> {
        self.run(text, from, steps, false, |_, _| ())
    }

    /// Does the same as [`Machine::is_match`]. On success, `slots` holds where each group begins and ends.
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

    /// Returns the length, in bytes, of texts that are searched to the end, as far as a trial shows.
    pub(super) fn searched_length(&self) -> usize {
        let steps = trial::steps_a_character(&self.program);
        let limit = if steps > STEPS_A_BYTE { STEPS } else { MOST_STEPS };
        (limit / steps.max(1)) as usize
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
        let steps = limit(&self.program, text.len(), steps);
        let answer = if is_ascii {
            Run::new(&self.program, text.as_bytes(), scratch, steps).search(from, groups)
        } else {
            // Positions are counted in characters, as Python counts them.
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

/// Returns the number of steps after which a search in a text of this length is given up. A first attempt keeps its own
/// limit.
fn limit(program: &Program, length: usize, steps: u32) -> u32 {
    if program.refers || steps < STEPS {
        return steps;
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    length.saturating_mul(STEPS_A_BYTE).clamp(steps, MOST_STEPS)
}

#[cfg(test)]
mod tests;

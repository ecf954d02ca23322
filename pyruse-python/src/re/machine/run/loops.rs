//! Loops over characters: `\w+`, `.{3,20}?`.
//!
//! In: a loop and the position where it begins. Out: the positions where it may continue, one after the other. Such a
//! loop has many of them, and the loops that begin one after the other share most. So a loop passes over those where
//! what follows cannot begin, and over those behind which everything has failed.

use super::{EXPENSIVE, Flow, Run};
use crate::re::ast::Greed;
use crate::re::machine::memo;
use crate::re::machine::program::{Instruction, Loop};
use crate::re::machine::scratch::{Frame, NO_ROW, Text};

/// Runs of at most this many characters are scanned directly.
const SHORT_RUN: u32 = 32;

impl<T: Text> Run<'_, T> {
    /// Enters a loop over characters.
    pub(super) fn enter(&mut self, number: u32, pc: u32, place: u32) -> Flow {
        let program = self.program;
        let repeated = &program.loops[number as usize];
        let end = self.run_end(number, repeated, place);
        if end - place < repeated.min {
            return Flow::Fail;
        }
        if repeated.greed == Greed::Possessive {
            return Flow::Go(pc + 1, end);
        }
        let from = place + repeated.min;
        if repeated.ends_with_run || T::IS_ASCII && repeated.ends_with_run_in_ascii {
            // The loop continues at the end only.
            let set = &program.sets[repeated.set as usize];
            let is_cut = repeated.max.is_some() && end < self.len && set.has(self.text.at(end));
            return if is_cut { Flow::Fail } else { self.meet(repeated.row.as_ref(), pc, end) };
        }
        let (mut to, mut then, mut memo_row) = (end, memo::UNKNOWN, NO_ROW);
        if self.steps > self.forgetful
            && let Some(row) = &repeated.row
        {
            let known = self.known(row, place);
            if known == memo::FAILED {
                return Flow::Fail;
            }
            if let Some(end) = memo::end_of(known) {
                return Flow::Close(end);
            }
            memo_row = self.memo_row(row, place);
            // The outcome for a later character of the same run is part of the outcome for this one.
            if repeated.is_open() && to > from {
                let usable = self.are_ends_usable(row);
                let counts = |known| known == memo::FAILED || usable;
                // A lazy loop also looks before it continues (see `rest`). With a longer look, each of the loops in a
                // run would look at all positions behind it.
                let last = to - repeated.min;
                let last = if repeated.greed == Greed::Lazy { last.min(place + SHORT_RUN) } else { last };
                let later = self.scratch.memo.first_known(row.first, place + 1, last, counts);
                if let Some((later, known)) = later {
                    self.steps += (later - place) / T::CHARS;
                    to = later - 1 + repeated.min;
                    if let Some(end) = memo::end_of(known) {
                        if repeated.greed == Greed::Greedy {
                            self.set_run(repeated, memo_row, place, later - 1, known);
                            return Flow::Close(end);
                        }
                        then = known;
                    }
                } else {
                    self.steps += (last - place) / T::CHARS;
                }
            }
        }
        let flow = self.choose(number, pc, memo_row, (from, to), (from, to), then);
        self.settle(number, flow, memo_row, from, to, then)
    }

    /// Continues a loop at its next position, after what follows has failed at `at`.
    #[expect(clippy::inline_always, reason = "otherwise, some searches are 6 % slower")]
    #[inline(always)]
    pub(super) fn next_place(
        &mut self,
        pc: u32,
        row: u32,
        (from, to): (u32, u32),
        at: u32,
        then: memo::Known,
    ) -> Flow {
        let Instruction::Loop(number) = self.program.code[pc as usize] else { return Flow::Fail };
        let repeated = &self.program.loops[number as usize];
        let (low, high) = match repeated.greed {
            Greed::Lazy => (at + 1, to),
            _ => (from, at.wrapping_sub(1)),
        };
        let is_over = at == from && repeated.greed != Greed::Lazy;
        let rest = if then == memo::UNKNOWN { self.rest(repeated, low, high) } else { memo::UNKNOWN };
        let (flow, to, then) = if rest != memo::UNKNOWN {
            (Flow::Fail, at, if rest == memo::FAILED { then } else { rest })
        } else if is_over {
            (Flow::Fail, to, then)
        } else {
            (self.choose(number, pc, row, (from, to), (low, high), then), to, then)
        };
        self.settle(number, flow, row, from, to, then)
    }

    /// Chooses the next position at which a loop may continue, from `low` to `high`.
    fn choose(
        &mut self,
        number: u32,
        pc: u32,
        row: u32,
        (from, to): (u32, u32),
        (low, high): (u32, u32),
        then: memo::Known,
    ) -> Flow {
        let repeated = &self.program.loops[number as usize];
        let text = self.text;
        let mut looked_at = 0;
        let leads_on = |place: &u32| {
            looked_at += 1;
            repeated.next.as_ref().is_none_or(|next| *place < self.len && next.has(text.at(*place)))
        };
        let (begin, end) = if row == NO_ROW { (0, 0) } else { self.scratch.failed[number as usize] };
        let begin = begin.max(repeated.taking(from));
        let (before, after) = (low..begin.min(high + 1), low.max(end).max(begin)..high + 1);
        let found = match repeated.greed {
            Greed::Lazy => before.chain(after).find(leads_on),
            _ => after.rev().chain(before.rev()).find(leads_on),
        };
        self.steps += looked_at / T::CHARS;
        let Some(at) = found else { return Flow::Fail };
        let is_last = match repeated.greed {
            Greed::Lazy => at == to && then == memo::UNKNOWN,
            _ => at == from,
        };
        if !is_last || row != NO_ROW {
            self.steps += EXPENSIVE;
            self.scratch.frames.push(Frame::Loop { pc, row, from, to, at, then });
        }
        Flow::Go(pc + 1, at)
    }

    /// Records that everything behind a loop has failed from one position to before another, where it took something.
    /// The next loops that begin near this one pass over these positions.
    fn fail_behind(&mut self, number: u32, begin: u32, end: u32) {
        if begin >= end {
            return;
        }
        let failed = &mut self.scratch.failed[number as usize];
        let meets = begin <= failed.1 && failed.0 <= end;
        *failed = if meets { (begin.min(failed.0), end.max(failed.1)) } else { (begin, end) };
    }

    /// Returns what has become known of a lazy loop that is to continue at a position from `low` to `high`: the outcome
    /// of a loop that begins where only these are left. Otherwise each of the loops in a run would try all positions
    /// behind it, also those that were entered before anything was remembered.
    fn rest(&mut self, repeated: &Loop, low: u32, high: u32) -> memo::Known {
        match &repeated.row {
            Some(row) if repeated.greed == Greed::Lazy && repeated.is_open() && low <= high => {
                self.steps += 1;
                // The rounds around it have taken something.
                let known = self.scratch.memo.get(row.first, low - repeated.min);
                if known > memo::FAILED && !self.are_ends_usable(row) { memo::UNKNOWN } else { known }
            }
            _ => memo::UNKNOWN,
        }
    }

    /// Remembers the outcome of a loop, if `flow` is a failure.
    fn settle(&mut self, number: u32, flow: Flow, row: u32, from: u32, to: u32, then: memo::Known) -> Flow {
        if !matches!(flow, Flow::Fail) {
            return flow;
        }
        if row != NO_ROW {
            let repeated = &self.program.loops[number as usize];
            self.fail_behind(number, repeated.taking(from), to + 1);
            // A lazy loop ends where it is known to end from a later character on.
            let known = if then == memo::UNKNOWN { memo::FAILED } else { then };
            self.remember(repeated, row, from, to, known);
        }
        memo::end_of(then).map_or(Flow::Fail, Flow::Close)
    }

    /// Stores the same outcome for all loops that begin where this one may continue, from `from` to `to`.
    pub(super) fn remember(&mut self, repeated: &Loop, row: u32, from: u32, to: u32, known: memo::Known) {
        let begin = from - repeated.min;
        let last = if repeated.is_open() { to - repeated.min } else { begin };
        self.steps += (last - begin) / T::CHARS;
        self.set_run(repeated, row, begin, last, known);
    }

    /// Sets what is known of a loop that begins at `begin`, and of those that begin behind it, up to `last`. Behind it,
    /// the rounds around it have taken something.
    fn set_run(&mut self, repeated: &Loop, row: u32, begin: u32, last: u32, known: memo::Known) {
        self.scratch.memo.set(row, begin, known);
        if last > begin
            && let Some(behind) = &repeated.row
        {
            self.scratch.memo.set_all(behind.first, begin + 1, last, known);
        }
    }

    /// Returns where the characters of a loop end that begin at a position.
    fn run_end(&mut self, number: u32, repeated: &Loop, place: u32) -> u32 {
        let set = &self.program.sets[repeated.set as usize];
        let most = repeated.max.map_or(self.len, |max| place.saturating_add(max).min(self.len));
        let mut end = place;
        if most - place <= SHORT_RUN {
            while end < most && set.has(self.text.at(end)) {
                end += 1;
            }
            return end;
        }
        let (begin, known_end) = self.scratch.runs[number as usize];
        if begin <= place && place <= known_end {
            return known_end.min(most);
        }
        while end < self.len && end != begin && set.has(self.text.at(end)) {
            end += 1;
        }
        self.steps += (end - place) / T::CHARS;
        if end == begin {
            end = known_end;
        }
        self.scratch.runs[number as usize] = (place, end);
        end.min(most)
    }
}

//! Runs a program on a text: the instructions, the paths that are left, and what is remembered. Loops over characters,
//! which pass over many characters and paths at once, are in [`loops`].

mod loops;
mod positions;

use super::memo;
use super::program::{Instruction, Kind, Program, Row};
use super::scratch::{Frame, NO_ROW, Scratch, Text, UNSET};
use super::sets::First;
use crate::re::error::MatchError;
use positions::{holds, repeats};

/// The step limit of one search, for any text.
pub(in crate::re) const STEPS: u32 = 750_000;
/// The number of steps for each byte of a text, where the work is bounded by its length.
pub(super) const STEPS_A_BYTE: u32 = 1024;
/// The maximum number of steps of a search, however long the text is: 256 for each byte of 64 KiB.
pub(super) const MOST_STEPS: u32 = STEPS_A_BYTE * (16 << 10);
/// The number of steps that a usual text takes. Before that, nothing is remembered.
pub(in crate::re) const SOON: u32 = 2_000;

/// The cost, in steps, of what takes longer than an instruction: a backtrack, or remembering one.
const EXPENSIVE: u32 = 3;

/// No run of characters: no position is in it.
const NO_RUN: (u32, u32) = (u32::MAX, 0);

/// Converts a count to steps.
pub(super) fn steps(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX / 2)
}

/// What to do next.
enum Flow {
    /// Continue at an instruction and a position.
    Go(u32, u32),
    /// Backtrack.
    Fail,
    /// Close the innermost level, which ends at this position.
    Close(u32),
}

/// One search.
pub(super) struct Run<'r, T> {
    program: &'r Program,
    text: T,
    /// The number of characters; it is also the last position.
    len: u32,
    scratch: &'r mut Scratch,
    pub(super) steps: u32,
    /// The step limit.
    limit: u32,
    /// The number of steps before anything is remembered.
    pub(super) forgetful: u32,
    /// Whether to record what groups take.
    records: bool,
}

impl<'r, T: Text> Run<'r, T> {
    pub(super) fn new(program: &'r Program, text: T, scratch: &'r mut Scratch, limit: u32) -> Self {
        let len = text.len();
        scratch.memo.begin(program.memo_rows as usize, len as usize + 1);
        scratch.rounds.clear();
        scratch.rounds.resize(program.rounds as usize, UNSET);
        scratch.runs.clear();
        scratch.runs.resize(program.loops.len(), NO_RUN);
        scratch.failed.clear();
        scratch.failed.resize(program.loops.len(), (0, 0));
        scratch.slots.clear();
        scratch.slots.resize(program.slots, UNSET);
        Run {
            program,
            text,
            len,
            scratch,
            steps: 0,
            limit: limit / 100 * T::SHARE,
            forgetful: SOON,
            records: false,
        }
    }

    /// Searches from a position on. On success the slots are set, if `groups` is true.
    pub(super) fn search(&mut self, from: usize, groups: bool) -> Result<bool, MatchError> {
        let program = self.program;
        self.records = program.refers || groups && !program.in_two_runs;
        let Some(last) = (self.len as usize).checked_sub(program.least) else {
            return Ok(false);
        };
        let Ok(mut start) = u32::try_from(from) else { return Ok(false) };
        loop {
            if let Some(first) = &program.first
                && !program.begins_with_text
            {
                let before = start;
                while start < self.len && !first.has(self.text.at(start)) {
                    start += 1;
                }
                self.count((start - before) / T::CHARS)?;
            }
            if start as usize > last || (start > 0 && program.begins_with_text) {
                return Ok(false);
            }
            let mut end = self.search_at(start)?;
            if end.is_some() && groups && !self.records {
                // Nothing that failed is tried again.
                self.records = true;
                end = self.search_at(start)?;
                debug_assert!(end.is_some(), "found without groups only");
            }
            if let Some(end) = end {
                self.scratch.slots[0] = start;
                self.scratch.slots[1] = end;
                return Ok(true);
            }
            start += 1;
        }
    }

    fn count(&mut self, steps: u32) -> Result<(), MatchError> {
        self.steps += steps;
        if self.steps > self.limit { Err(MatchError) } else { Ok(()) }
    }

    /// Returns where the match ends, if there is one at exactly this start.
    fn search_at(&mut self, start: u32) -> Result<Option<u32>, MatchError> {
        if self.records {
            self.scratch.slots.fill(UNSET);
        }
        self.scratch.frames.clear();
        self.scratch.levels.clear();
        let mut flow = Flow::Go(0, start);
        loop {
            flow = match flow {
                Flow::Go(pc, place) => {
                    if matches!(self.program.code[pc as usize], Instruction::Match) {
                        return Ok(Some(place));
                    }
                    self.go(pc, place)?
                }
                Flow::Close(place) => self.close(place),
                Flow::Fail => match self.back()? {
                    Some(flow) => flow,
                    None => return Ok(None),
                },
            };
        }
    }

    /// Runs until there is a match, a failure, or the end of a level.
    fn go(&mut self, mut pc: u32, mut place: u32) -> Result<Flow, MatchError> {
        loop {
            self.count(1)?;
            match &self.program.code[pc as usize] {
                Instruction::Text(text) => {
                    for char in text {
                        if place >= self.len || self.text.at(place) != u32::from(*char) {
                            return Ok(Flow::Fail);
                        }
                        place += 1;
                    }
                    self.steps += steps(text.len() / 8);
                    pc += 1;
                }
                Instruction::Set(set) => {
                    if place >= self.len || !self.program.sets[*set as usize].has(self.text.at(place)) {
                        return Ok(Flow::Fail);
                    }
                    place += 1;
                    pc += 1;
                }
                Instruction::Loop(number) => match self.enter(*number, pc, place) {
                    Flow::Go(next, at) => (pc, place) = (next, at),
                    other => return Ok(other),
                },
                Instruction::Assert(anchor) => {
                    if !holds(self.text, *anchor, place) {
                        return Ok(Flow::Fail);
                    }
                    pc += 1;
                }
                Instruction::Split { prefer, other, peek } => {
                    let (preferred, others) = &self.program.peeks[*peek as usize];
                    let leads_on = |first: &First| place < self.len && first.has(self.text.at(place));
                    if preferred.as_ref().is_some_and(|first| !leads_on(first)) {
                        pc = *other;
                        continue;
                    }
                    if others.as_ref().is_none_or(leads_on) {
                        self.scratch.frames.push(Frame::Way { pc: *other, place });
                    }
                    pc = *prefer;
                }
                Instruction::Jump(to) => pc = *to,
                Instruction::Save(slot) => {
                    if self.records {
                        let slot = *slot;
                        let was = std::mem::replace(&mut self.scratch.slots[slot as usize], place);
                        if !self.scratch.frames.is_empty() {
                            self.scratch.frames.push(Frame::Slot { slot, was });
                        }
                    }
                    pc += 1;
                }
                Instruction::Meet(number) => {
                    match self.meet(self.program.rows[*number as usize].as_ref(), pc, place) {
                        Flow::Go(next, at) => (pc, place) = (next, at),
                        other => return Ok(other),
                    }
                }
                Instruction::Round(round) => {
                    let round = *round;
                    let was = std::mem::replace(&mut self.scratch.rounds[round as usize], place);
                    self.scratch.frames.push(Frame::Round { round, was });
                    pc += 1;
                }
                Instruction::RoundEnd { round, more, leave } => {
                    let is_empty = self.scratch.rounds[*round as usize] == place;
                    pc = if is_empty { *leave } else { *more };
                }
                Instruction::Open { kind, end } => match self.open(*kind, *end, pc, place) {
                    Flow::Go(next, at) => (pc, place) = (next, at),
                    other => return Ok(other),
                },
                Instruction::Close => return Ok(Flow::Close(place)),
                Instruction::BackReference(group, folding) => {
                    let slot = 2 * *group as usize;
                    let (begin, end) = (self.scratch.slots[slot], self.scratch.slots[slot + 1]);
                    if begin == UNSET || end == UNSET || !repeats(self.text, (begin, end), place, *folding) {
                        return Ok(Flow::Fail);
                    }
                    self.steps += end.saturating_sub(begin) / T::CHARS;
                    place += end.saturating_sub(begin);
                    pc += 1;
                }
                Instruction::IfGroup { group, no } => {
                    let is_set = self.scratch.slots[2 * *group as usize + 1] != UNSET;
                    pc = if is_set { pc + 1 } else { *no };
                }
                Instruction::Fail => return Ok(Flow::Fail),
                Instruction::Match => return Ok(Flow::Go(pc, place)),
            }
        }
    }

    /// Enters look-around or an atomic group.
    fn open(&mut self, kind: Kind, end: u32, pc: u32, place: u32) -> Flow {
        let (back, negated) = match kind {
            Kind::Look { back, negated } => (back, negated),
            Kind::Atomic | Kind::Round => (0, false),
        };
        let Some(from) = place.checked_sub(back) else {
            return if negated { Flow::Go(end + 1, place) } else { Flow::Fail };
        };
        self.steps += EXPENSIVE;
        self.scratch.levels.push(self.scratch.frames.len());
        self.scratch.frames.push(Frame::Level { pc, place });
        Flow::Go(pc + 1, from)
    }

    /// Backtracks to the next path that is left; `None` if there is none.
    fn back(&mut self) -> Result<Option<Flow>, MatchError> {
        while let Some(frame) = self.scratch.frames.pop() {
            self.count(EXPENSIVE)?;
            match frame {
                Frame::Way { pc, place } => return Ok(Some(Flow::Go(pc, place))),
                Frame::Slot { slot, was } => self.scratch.slots[slot as usize] = was,
                Frame::Round { round, was } => self.scratch.rounds[round as usize] = was,
                Frame::Begun { row, place } => self.scratch.memo.set(row, place, memo::FAILED),
                Frame::Level { pc, place } => {
                    self.scratch.levels.pop();
                    match self.program.code[pc as usize] {
                        Instruction::Open { kind: Kind::Look { negated: true, .. }, end } => {
                            return Ok(Some(Flow::Go(end + 1, place)));
                        }
                        Instruction::Open { kind: Kind::Round, end } => {
                            return Ok(Some(Flow::Go(end + 2, place)));
                        }
                        _ => {}
                    }
                }
                Frame::Loop { pc, row, from, to, at, then } => {
                    match self.next_place(pc, row, (from, to), at, then) {
                        Flow::Fail => {}
                        other => return Ok(Some(other)),
                    }
                }
            }
        }
        Ok(None)
    }

    /// Continues after an instruction where several paths meet, unless the outcome is known.
    fn meet(&mut self, row: Option<&Row>, pc: u32, place: u32) -> Flow {
        if self.steps > self.forgetful
            && let Some(row) = row
        {
            let known = self.known(row, place);
            if known == memo::FAILED {
                return Flow::Fail;
            }
            if let Some(end) = memo::end_of(known) {
                return Flow::Close(end);
            }
            let row = self.memo_row(row, place);
            self.scratch.frames.push(Frame::Begun { row, place });
            self.steps += EXPENSIVE;
        }
        Flow::Go(pc + 1, place)
    }

    /// Ends the innermost level at a position.
    fn close(&mut self, place: u32) -> Flow {
        let Some(base) = self.scratch.levels.pop() else { return Flow::Fail };
        let Frame::Level { pc, place: began } = self.scratch.frames[base] else { return Flow::Fail };
        let Instruction::Open { kind, end } = self.program.code[pc as usize] else { return Flow::Fail };
        self.steps += steps((self.scratch.frames.len() - base) / 4);
        let ends = memo::ends_at(place);
        let negated = matches!(kind, Kind::Look { negated: true, .. });
        let mut kept = base;
        for at in base + 1..self.scratch.frames.len() {
            match self.scratch.frames[at] {
                Frame::Begun { row, place } => self.scratch.memo.set(row, place, ends),
                Frame::Loop { pc, row, from, at, .. } if row != NO_ROW => {
                    if let Instruction::Loop(number) = self.program.code[pc as usize] {
                        let repeated = &self.program.loops[number as usize];
                        self.remember(repeated, row, from, at, ends);
                    }
                }
                frame @ Frame::Slot { .. } => {
                    self.scratch.frames[kept] = frame;
                    kept += 1;
                }
                _ => {}
            }
        }
        self.scratch.frames.truncate(kept);
        if negated {
            while self.scratch.frames.len() > base
                && let Some(Frame::Slot { slot, was }) = self.scratch.frames.pop()
            {
                self.scratch.slots[slot as usize] = was;
            }
            return Flow::Fail;
        }
        let place = if matches!(kind, Kind::Look { .. }) { began } else { place };
        Flow::Go(end + 1, place)
    }

    /// Returns what is known of a position, as far as it is usable.
    fn known(&self, row: &Row, place: u32) -> memo::Known {
        let known = self.scratch.memo.get(self.memo_row(row, place), place);
        if known > memo::FAILED && !self.are_ends_usable(row) { memo::UNKNOWN } else { known }
    }

    fn are_ends_usable(&self, row: &Row) -> bool {
        !(self.records && row.has_groups)
    }

    fn memo_row(&self, row: &Row, place: u32) -> u32 {
        let empty = |round: &u32| self.scratch.rounds[*round as usize] == place;
        let rounds = row.rounds.iter().enumerate();
        rounds.fold(row.first, |at, (bit, round)| at + (u32::from(empty(round)) << bit))
    }
}

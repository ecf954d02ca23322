//! The program of the machine: a list of instructions in sequence, with their tables.

use super::sets::{First, Members};
use crate::re::ast::{Anchor, Folding, Greed};

/// An instruction of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Takes these characters.
    Text(Box<[char]>),
    /// Takes one character of this set.
    Set(u32),
    /// Takes several characters of one set: one of [`Program::loops`].
    Loop(u32),
    /// Checks a position.
    Assert(Anchor),
    /// Branches into two paths, each with the characters with which it continues: one of [`Program::peeks`].
    Split { prefer: u32, other: u32, peek: u32 },
    /// Continues at this instruction.
    Jump(u32),
    /// Records that a group begins or ends, in this index of [`super::scratch::Scratch::slots`].
    Save(u32),
    /// Several paths lead here: one of [`Program::rows`].
    Meet(u32),
    /// Begins a round of a loop that may be empty.
    Round(u32),
    /// Ends such a round: there are more, unless it was empty.
    RoundEnd { round: u32, more: u32, leave: u32 },
    /// Begins look-around or an atomic group, which ends at the `Close` at `end`.
    Open { kind: Kind, end: u32 },
    /// Ends look-around or an atomic group. The first match is final.
    Close,
    /// Takes the text that a group took.
    BackReference(u32, Folding),
    /// Continues, or jumps to `no` if the group took no part.
    IfGroup { group: u32, no: u32 },
    /// Fails: the path ends.
    Fail,
    /// Ends: the expression is found.
    Match,
}

/// What an `Open` opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An atomic group: what it takes stays taken.
    Atomic,
    /// The same; if it does not match, the program continues after the jump that follows the end.
    Round,
    /// Looks from here, or from `back` characters before.
    Look { back: u32, negated: bool },
}

/// Several characters of one set.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) set: u32,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greed: Greed,
    /// The characters with which the following part continues.
    pub(super) next: Option<First>,
    /// The loop can only continue at the end of a run of its characters: what follows begins with none of them. The second
    /// field says the same of the ASCII characters among them.
    pub(super) ends_with_run: bool,
    pub(super) ends_with_run_in_ascii: bool,
    /// Where its outcome is remembered, by where it begins.
    pub(super) row: Option<Row>,
}

impl Loop {
    /// Whether what is known for its beginning is also true for the positions of its later characters.
    pub(super) fn is_open(&self) -> bool {
        self.max.is_none() && self.row.is_some()
    }

    /// Returns the first position where the loop has taken something, if it may continue at `from` at the earliest. What
    /// follows there does not depend on where the loop began.
    pub(super) fn taking(&self, from: u32) -> u32 {
        from + u32::from(self.min == 0)
    }
}

/// Where outcomes are remembered.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The first of its rows in the memo: one for each combination of `rounds` that are empty so far.
    pub(super) first: u32,
    /// The outcome depends on whether these rounds have taken anything yet.
    pub(super) rounds: Vec<u32>,
    /// The look-around or atomic group around it has groups. They are lost where only its end is remembered.
    pub(super) has_groups: bool,
}

/// A compiled expression.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Instruction>,
    pub(super) sets: Vec<Members>,
    pub(super) loops: Vec<Loop>,
    pub(super) peeks: Vec<(Option<First>, Option<First>)>,
    /// The row of each `Meet`; `None` where the outcome depends on more than the position.
    pub(super) rows: Vec<Option<Row>>,
    /// The number of rows in the memo.
    pub(super) memo_rows: u32,
    /// The number of loops whose rounds may be empty.
    pub(super) rounds: u32,
    /// The number of slots: two for each group and for the whole match.
    pub(super) slots: usize,
    /// The program has back-references or conditions.
    pub(super) refers: bool,
    /// There are groups in look-around or atomic groups. A second run finds what they take, once it is known where the
    /// expression is found.
    pub(super) in_two_runs: bool,
    /// The minimum number of characters of a match.
    pub(super) least: usize,
    /// The characters with which a match begins.
    pub(super) first: Option<First>,
    /// A match can only start at the start of the text.
    pub(super) begins_with_text: bool,
}

/// Converts a count. It fits, because the size of an expression is limited far below.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

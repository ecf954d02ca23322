//! What the machine runs: a list of instructions, one behind the other, with their tables.

use super::sets::{First, Members};
use crate::re::ast::{Anchor, Folding, Greed};

/// What the machine does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// These characters follow.
    Text(Box<[char]>),
    /// One character of this set.
    Set(u32),
    /// Several characters of one set: one of [`Program::loops`].
    Loop(u32),
    /// A place.
    Assert(Anchor),
    /// Two ways, and with which characters they go on: one of [`Program::peeks`].
    Split { prefer: u32, other: u32, peek: u32 },
    /// Goes on there.
    Jump(u32),
    /// A group begins or ends: this place of [`super::scratch::Scratch::slots`].
    Save(u32),
    /// Several ways lead here: one of [`Program::rows`].
    Meet(u32),
    /// A round of a loop begins that may be empty.
    Round(u32),
    /// Such a round ends: there are more, unless it was empty.
    RoundEnd { round: u32, more: u32, leave: u32 },
    /// Look-around or an atomic group begins, which ends at the `Close` at `end`.
    Open { kind: Kind, end: u32 },
    /// It ends. Its first way is final.
    Close,
    /// The same text as a group took.
    BackReference(u32, Folding),
    /// Goes on, or at `no` if the group took no part.
    IfGroup { group: u32, no: u32 },
    /// No way.
    Fail,
    /// It is found.
    Match,
}

/// What an `Open` opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What it takes is taken.
    Atomic,
    /// The same; and where it does not match, it goes on behind the jump that follows the end.
    Round,
    /// Looks from here, or so many characters back.
    Look { back: u32, negated: bool },
}

/// Several characters of one set.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) set: u32,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greed: Greed,
    /// With which characters goes on what follows.
    pub(super) next: Option<First>,
    /// It can go on at the end of a run of its characters only: what follows begins with none of them; with no ASCII
    /// character of them.
    pub(super) ends_with_run: bool,
    pub(super) ends_with_run_in_ascii: bool,
    /// What becomes of it, by where it begins.
    pub(super) row: Option<Row>,
}

impl Loop {
    /// Does what is known of it where it begins hold for where its later characters are, too?
    pub(super) fn is_open(&self) -> bool {
        self.max.is_none() && self.row.as_ref().is_some_and(|row| row.rounds.is_empty())
    }
}

/// Where something is remembered.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The first of its rows in the memo: one for each combination of `rounds` that are empty so far.
    pub(super) first: u32,
    /// What follows hangs on whether these rounds have taken anything yet.
    pub(super) rounds: Vec<u32>,
    /// The look-around or atomic group that it is in has groups: they are lost where its end is only remembered.
    pub(super) has_groups: bool,
}

/// A compiled expression.
#[derive(Debug, Default)]
pub(super) struct Program {
    pub(super) code: Vec<Instruction>,
    pub(super) sets: Vec<Members>,
    pub(super) loops: Vec<Loop>,
    pub(super) peeks: Vec<(Option<First>, Option<First>)>,
    /// Of each `Meet`; none where what follows hangs on more than the place.
    pub(super) rows: Vec<Option<Row>>,
    /// Rows of the memo.
    pub(super) memo_rows: u32,
    /// Loops whose rounds may be empty.
    pub(super) rounds: u32,
    /// Two for each group, and for the whole.
    pub(super) slots: usize,
    /// There are back-references or conditions.
    pub(super) refers: bool,
    /// There are groups in look-around or atomic groups: what they take is found in a second run, when it is known
    /// where the expression is found.
    pub(super) in_two_runs: bool,
    /// It has at least so many characters.
    pub(super) least: usize,
    /// With which characters it begins.
    pub(super) first: Option<First>,
    /// Only the start of the text is one.
    pub(super) begins_with_text: bool,
}

/// An expression's size is limited long before.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

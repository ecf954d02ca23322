//! From the tree to a program: a list of instructions, one behind the other.

use super::super::analysis::has_group;
use super::super::ast::{Anchor, Folding, Greed, Node};
use super::super::width::{Width, width};
use super::first::{self, First};
use super::sets::{Members, Wide, are_apart};

/// In a longer program, splits do not look ahead: it would take long to compile.
const SHORT: usize = 2_000;
/// Within more loops whose rounds may be empty, nothing is remembered.
const ROUNDS: usize = 3;

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
    /// A group begins or ends: this place of [`super::Scratch::slots`].
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

impl Program {
    /// `widths` are those of the groups, group 0 unused.
    pub(super) fn new(root: &Node, widths: &[Option<Width>]) -> Program {
        let mut compiler =
            Compiler { program: Program::default(), widths, open: Vec::new(), rounds: Vec::new() };
        compiler.node(root);
        compiler.push(Instruction::Match);
        let mut program = compiler.program;
        program.slots = 2 * widths.len().max(1);
        program.least = usize::try_from(width(root, widths).least).unwrap_or(usize::MAX);
        program.in_two_runs &= !program.refers;
        program.forget_what_refers();
        program.first = first::first(&program, 0);
        program.begins_with_text = first::begins_with_text(&program);
        program.look_ahead();
        program
    }

    /// Notes with which characters things go on.
    fn look_ahead(&mut self) {
        self.peeks.push((None, None));
        for at in 0..self.code.len() {
            match self.code[at] {
                Instruction::Loop(number) => {
                    let next = first::first(self, at + 1);
                    let repeated = &mut self.loops[number as usize];
                    let set = &self.sets[repeated.set as usize];
                    if let Some(next) = &next {
                        repeated.ends_with_run_in_ascii = next.ascii & set.ascii == 0;
                        repeated.ends_with_run = repeated.ends_with_run_in_ascii
                            && next.wide.iter().all(|next| are_apart(next, set));
                    }
                    repeated.next = next;
                }
                Instruction::Split { prefer, other, .. } if self.code.len() < SHORT => {
                    let ways = [prefer, other].map(|way| first::first(self, way as usize));
                    if let [Some(_), _] | [_, Some(_)] = ways {
                        let peek = number(self.peeks.len());
                        let [preferred, others] = ways;
                        self.peeks.push((preferred, others));
                        self.code[at] = Instruction::Split { prefer, other, peek };
                    }
                }
                _ => {}
            }
        }
    }

    /// Nothing is remembered of places from which a reference to a group is reached: what follows there hangs on what
    /// the group took.
    fn forget_what_refers(&mut self) {
        if !self.refers {
            return;
        }
        let mut reaches = vec![false; self.code.len()];
        loop {
            let mut changed = false;
            for at in (0..self.code.len()).rev() {
                let to = |to: u32| reaches[to as usize];
                let found = match &self.code[at] {
                    Instruction::BackReference(..) | Instruction::IfGroup { .. } => true,
                    Instruction::Split { prefer, other, .. } => to(*prefer) || to(*other),
                    Instruction::RoundEnd { more, leave, .. } => to(*more) || to(*leave),
                    Instruction::Jump(there) => to(*there),
                    Instruction::Open { kind: Kind::Round, end } => {
                        reaches[at + 1] || to(end + 1) || to(end + 2)
                    }
                    Instruction::Open { end, .. } => reaches[at + 1] || to(end + 1),
                    Instruction::Close | Instruction::Fail | Instruction::Match => false,
                    _ => reaches[at + 1],
                };
                changed |= found && !reaches[at];
                reaches[at] |= found;
            }
            if !changed {
                break;
            }
        }
        for (instruction, _) in self.code.iter().zip(&reaches).filter(|(_, reaches)| **reaches) {
            match instruction {
                Instruction::Meet(number) => self.rows[*number as usize] = None,
                Instruction::Loop(number) => self.loops[*number as usize].row = None,
                _ => {}
            }
        }
    }
}

/// An expression's size is limited long before.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Do these choices begin with different characters, and is each of them one way only?
fn are_clear(choices: &[Node]) -> bool {
    let mut taken = (0, false);
    choices.iter().all(|choice| {
        let parts = match choice {
            Node::Sequence(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let Some(Node::Char(set)) = parts.first() else { return false };
        let members = Members::of(set);
        let wide = members.wide != Wide::None;
        let is_apart = taken.0 & members.ascii == 0 && !(taken.1 && wide);
        taken = (taken.0 | members.ascii, taken.1 || wide);
        is_apart && parts.iter().all(|part| matches!(part, Node::Char(_) | Node::Anchor(_)))
    })
}

struct Compiler<'w> {
    program: Program,
    widths: &'w [Option<Width>],
    /// The look-around and atomic groups that are open, and whether they have groups.
    open: Vec<bool>,
    /// The loops around with rounds that may be empty, within the innermost of `open`.
    rounds: Vec<u32>,
}

impl Compiler<'_> {
    fn here(&self) -> u32 {
        number(self.program.code.len())
    }

    fn push(&mut self, instruction: Instruction) -> usize {
        self.program.code.push(instruction);
        self.program.code.len() - 1
    }

    /// A split whose second way is not known yet.
    fn split(&mut self) -> usize {
        let prefer = self.here() + 1;
        self.push(Instruction::Split { prefer, other: 0, peek: 0 })
    }

    /// The split's second way is here; or its first, for the lazy.
    fn split_leads_here(&mut self, at: usize, greed: Greed) {
        let here = self.here();
        let next = number(at) + 1;
        self.program.code[at] = match greed {
            Greed::Lazy => Instruction::Split { prefer: here, other: next, peek: 0 },
            _ => Instruction::Split { prefer: next, other: here, peek: 0 },
        };
    }

    fn row(&mut self) -> Option<Row> {
        if self.rounds.len() > ROUNDS {
            return None;
        }
        let first = self.program.memo_rows;
        self.program.memo_rows += 1 << self.rounds.len();
        let has_groups = self.open.last().copied().unwrap_or(false);
        Some(Row { first, rounds: self.rounds.clone(), has_groups })
    }

    fn meet(&mut self) {
        let row = self.row();
        self.program.rows.push(row);
        let meeting = number(self.program.rows.len() - 1);
        self.push(Instruction::Meet(meeting));
    }

    fn set(&mut self, members: Members) -> u32 {
        let known = self.program.sets.iter().position(|known| *known == members);
        let at = known.unwrap_or_else(|| {
            self.program.sets.push(members);
            self.program.sets.len() - 1
        });
        number(at)
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty | Node::Barrier => {}
            Node::Never => {
                self.push(Instruction::Fail);
            }
            Node::Char(_) => self.sequence(std::slice::from_ref(node)),
            Node::Anchor(anchor) => {
                self.push(Instruction::Assert(*anchor));
            }
            Node::Sequence(parts) => self.sequence(parts),
            Node::Alternatives(choices) => self.alternatives(choices),
            Node::Group(group, body) => {
                self.push(Instruction::Save(number(2 * group)));
                self.node(body);
                self.push(Instruction::Save(number(2 * group + 1)));
            }
            Node::Repeat { min, max, greed, body, .. } => match &**body {
                Node::Char(set) => {
                    let set = self.set(Members::of(set));
                    let row = if *greed == Greed::Possessive { None } else { self.row() };
                    self.program.loops.push(Loop {
                        set,
                        min: *min,
                        max: *max,
                        greed: *greed,
                        next: None,
                        ends_with_run: false,
                        ends_with_run_in_ascii: false,
                        row,
                    });
                    let of = number(self.program.loops.len() - 1);
                    self.push(Instruction::Loop(of));
                    // Loops of different starts meet behind a loop with an end.
                    if max.is_some_and(|max| max > min + 1) {
                        self.meet();
                    }
                }
                _ if *greed == Greed::Possessive => self.possessive(*min, *max, body),
                _ => self.repeat(*min, *max, *greed, body),
            },
            Node::Atomic(body) => {
                self.enclosed(Kind::Atomic, has_group(body), |this| this.node(body));
            }
            Node::Look { behind, negated, body, .. } => {
                let back = if *behind { width(body, self.widths).least } else { 0 };
                let kind = Kind::Look { back: u32::try_from(back).unwrap_or(u32::MAX), negated: *negated };
                self.enclosed(kind, !negated && has_group(body), |this| this.node(body));
            }
            Node::BackReference(group, folding) => {
                self.program.refers = true;
                self.push(Instruction::BackReference(number(*group), *folding));
            }
            Node::Condition { group, yes, no, .. } => {
                self.program.refers = true;
                let asked = self.push(Instruction::IfGroup { group: number(*group), no: 0 });
                self.node(yes);
                let over = self.push(Instruction::Jump(0));
                self.program.code[asked] = Instruction::IfGroup { group: number(*group), no: self.here() };
                self.node(no);
                self.program.code[over] = Instruction::Jump(self.here());
                self.meet();
            }
        }
    }

    fn sequence(&mut self, parts: &[Node]) {
        let mut text = Vec::new();
        for part in parts {
            if let Node::Char(set) = part {
                if let ([(first, last)], [], false) = (&set.ranges[..], &set.classes[..], set.negated)
                    && first == last
                    && let Some(char) = char::from_u32(*first)
                {
                    text.push(char);
                    continue;
                }
                self.text(&mut text);
                let set = self.set(Members::of(set));
                self.push(Instruction::Set(set));
                continue;
            }
            self.text(&mut text);
            self.node(part);
        }
        self.text(&mut text);
    }

    fn text(&mut self, text: &mut Vec<char>) {
        if !text.is_empty() {
            self.push(Instruction::Text(std::mem::take(text).into_boxed_slice()));
        }
    }

    fn alternatives(&mut self, choices: &[Node]) {
        let mut overs = Vec::with_capacity(choices.len());
        let Some((last, others)) = choices.split_last() else { return };
        for choice in others {
            let split = self.split();
            self.node(choice);
            overs.push(self.push(Instruction::Jump(0)));
            self.split_leads_here(split, Greed::Greedy);
        }
        self.node(last);
        for over in overs {
            self.program.code[over] = Instruction::Jump(self.here());
        }
        // At most one of them leads here: there is nothing to remember.
        if !are_clear(choices) {
            self.meet();
        }
    }

    /// All rounds are written out, but for the last of a loop without end: what is left to do is then known by the place
    /// in the program alone.
    fn repeat(&mut self, min: u32, max: Option<u32>, greed: Greed, body: &Node) {
        for _ in 0..min {
            self.node(body);
        }
        let may_be_empty = width(body, self.widths).least == 0;
        let Some(max) = max else {
            let head = self.here();
            self.meet();
            let split = self.split();
            let counted = self.begin_round(may_be_empty);
            self.node(body);
            let end = self.end_round(counted);
            if end.is_none() {
                self.push(Instruction::Jump(head));
            }
            self.split_leads_here(split, greed);
            let leave = self.here();
            if let (Some(end), Some(round)) = (end, counted) {
                self.program.code[end] = Instruction::RoundEnd { round, more: head, leave };
            }
            return;
        };
        if max == min {
            return;
        }
        let (mut splits, mut ends) = (Vec::new(), Vec::new());
        for _ in min..max {
            splits.push(self.split());
            let counted = self.begin_round(may_be_empty);
            self.node(body);
            if let (Some(end), Some(round)) = (self.end_round(counted), counted) {
                ends.push((end, round, self.here()));
            }
        }
        for split in splits {
            self.split_leads_here(split, greed);
        }
        let leave = self.here();
        for (end, round, more) in ends {
            self.program.code[end] = Instruction::RoundEnd { round, more, leave };
        }
        self.meet();
    }

    /// Each round is final of its own: `(?:ab|a|b){2}+` does not find `ab`. So there is never a way back, and a loop ends
    /// where a round does not match, or takes nothing.
    fn possessive(&mut self, min: u32, max: Option<u32>, body: &Node) {
        let has_groups = has_group(body);
        for _ in 0..min {
            self.enclosed(Kind::Atomic, has_groups, |this| this.node(body));
        }
        let may_be_empty = width(body, self.widths).least == 0;
        let mut leaves = Vec::new();
        let head = self.here();
        if max.is_none() {
            self.meet();
        }
        for _ in min..max.unwrap_or(min + 1) {
            let counted = self.begin_round(may_be_empty);
            self.enclosed(Kind::Round, has_groups, |this| this.node(body));
            // Over the jump, to where it goes on if the round does not match.
            let over = self.here() + 2;
            self.push(Instruction::Jump(over));
            leaves.push(self.push(Instruction::Jump(0)));
            if let (Some(end), Some(round)) = (self.end_round(counted), counted) {
                let more = if max.is_none() { head } else { self.here() };
                self.program.code[end] = Instruction::RoundEnd { round, more, leave: 0 };
                leaves.push(end);
            } else if max.is_none() {
                self.push(Instruction::Jump(head));
            }
        }
        let here = self.here();
        for at in leaves {
            self.program.code[at] = match self.program.code[at] {
                Instruction::RoundEnd { round, more, .. } => {
                    Instruction::RoundEnd { round, more, leave: here }
                }
                _ => Instruction::Jump(here),
            };
        }
    }

    fn begin_round(&mut self, may_be_empty: bool) -> Option<u32> {
        if !may_be_empty {
            return None;
        }
        let round = self.program.rounds;
        self.program.rounds += 1;
        self.push(Instruction::Round(round));
        self.rounds.push(round);
        Some(round)
    }

    fn end_round(&mut self, round: Option<u32>) -> Option<usize> {
        round?;
        self.rounds.pop();
        Some(self.push(Instruction::RoundEnd { round: 0, more: 0, leave: 0 }))
    }

    fn enclosed(&mut self, kind: Kind, has_groups: bool, body: impl FnOnce(&mut Self)) {
        let open = self.push(Instruction::Open { kind, end: 0 });
        self.open.push(has_groups);
        let rounds = std::mem::take(&mut self.rounds);
        self.program.in_two_runs |= has_groups;
        body(self);
        self.rounds = rounds;
        self.open.pop();
        self.program.code[open] = Instruction::Open { kind, end: self.here() };
        self.push(Instruction::Close);
    }
}

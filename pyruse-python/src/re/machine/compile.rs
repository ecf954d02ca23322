//! From the tree to a program: a list of instructions in sequence.

use super::first::{begins_with_text, first};
use super::program::{Instruction, Kind, Loop, Program, Row, number};
use super::sets::{Members, Wide};
use crate::re::analysis::has_group;
use crate::re::ast::{Greed, Node};
use crate::re::width::{Width, width};

/// The maximum number of loops with possibly empty rounds around a position; inside of more, nothing is remembered.
const ROUNDS: usize = 3;

impl Program {
    /// Compiles a tree. `widths` are those of the groups; index 0 is unused.
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
        program.first = first(&program, 0);
        program.begins_with_text = begins_with_text(&program);
        program.look_ahead();
        program
    }
}

/// Whether these choices begin with different characters, and each of them has one path only.
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
    /// For each open look-around and atomic group, whether it has groups.
    open: Vec<bool>,
    /// The enclosing loops with possibly empty rounds, within the innermost of `open`.
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

    /// Adds a split whose second path is not known yet.
    fn split(&mut self) -> usize {
        let prefer = self.here() + 1;
        self.push(Instruction::Split { prefer, other: 0, peek: 0 })
    }

    /// Sets the split's second path to here; for a lazy one, its first.
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
                    // Behind a loop with an upper limit, paths from different starts meet.
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
        // At most one of the choices leads here: there is nothing to remember.
        if !are_clear(choices) {
            self.meet();
        }
    }

    /// Writes out all rounds, except the last one of an unlimited loop. So the position in the program alone says what
    /// is left to do.
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

    /// Compiles a possessive loop. Each round is final on its own: `(?:ab|a|b){2}+` does not find `ab`. So there is no
    /// backtracking, and the loop ends where a round does not match or takes nothing.
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
            // Jumps over the next jump, which is where the program continues if the round does not match.
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

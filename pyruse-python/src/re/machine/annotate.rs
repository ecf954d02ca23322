//! Annotations of a complete program: the characters with which its parts continue, and where nothing may be remembered.

use super::first::first;
use super::program::{Instruction, Kind, Program, number};
use super::sets::are_apart;

/// In a longer program, splits do not look ahead, because compiling would take long.
const SHORT: usize = 2_000;
impl Program {
    /// Records with which characters loops and splits continue.
    pub(super) fn look_ahead(&mut self) {
        self.peeks.push((None, None));
        for at in 0..self.code.len() {
            match self.code[at] {
                Instruction::Loop(number) => {
                    let next = first(self, at + 1);
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
                    let ways = [prefer, other].map(|way| first(self, way as usize));
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

    /// Disables the memory wherever a reference to a group can be reached: there, the outcome depends on what the group
    /// took.
    pub(super) fn forget_what_refers(&mut self) {
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

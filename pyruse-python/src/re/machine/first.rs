//! The characters with which a part of a program can begin.

use super::program::{Instruction, Kind, Program};
use super::sets::{First, Members};
use crate::re::ast::Anchor;

/// The maximum number of instructions to look at for one answer.
const FARTHEST: usize = 40;

/// Returns which characters lead on from the instruction `from`; `None` if it may be any, or no character at all.
pub(super) fn first(program: &Program, from: usize) -> Option<First> {
    let mut first = First::default();
    let mut seen = vec![(from, 0_u32)];
    let mut next = 0;
    while let Some(&(at, depth)) = seen.get(next) {
        next += 1;
        if next > FARTHEST {
            return None;
        }
        let mut follow = |at: usize, depth: u32| {
            if !seen.contains(&(at, depth)) {
                seen.push((at, depth));
            }
        };
        match program.code.get(at)? {
            Instruction::Text(text) => {
                first.add(Members::one(*text.first()?));
            }
            Instruction::Set(set) => first.add(program.sets[*set as usize].clone()),
            Instruction::Loop(number) => {
                let repeated = &program.loops[*number as usize];
                first.add(program.sets[repeated.set as usize].clone());
                if repeated.min == 0 {
                    follow(at + 1, depth);
                }
            }
            Instruction::Assert(_) | Instruction::Save(_) | Instruction::Meet(_) | Instruction::Round(_) => {
                follow(at + 1, depth);
            }
            Instruction::Split { prefer, other, .. } => {
                follow(*prefer as usize, depth);
                follow(*other as usize, depth);
            }
            Instruction::RoundEnd { more, leave, .. } => {
                follow(*more as usize, depth);
                follow(*leave as usize, depth);
            }
            Instruction::Jump(to) => follow(*to as usize, depth),
            Instruction::IfGroup { no, .. } => {
                follow(at + 1, depth);
                follow(*no as usize, depth);
            }
            Instruction::Open { kind: Kind::Atomic, .. } => follow(at + 1, depth + 1),
            Instruction::Open { kind: Kind::Round, end } => {
                follow(at + 1, depth + 1);
                follow(*end as usize + 2, depth);
            }
            Instruction::Open { end, .. } => follow(*end as usize + 1, depth),
            // Continue behind an atomic group that was entered on the path. For an instruction inside, the group's first
            // match is final.
            Instruction::Close if depth > 0 => follow(at + 1, depth - 1),
            Instruction::Fail => {}
            Instruction::Close | Instruction::BackReference(..) | Instruction::Match => return None,
        }
    }
    Some(first)
}

/// Whether the expression can only be found at the start of the text.
pub(super) fn begins_with_text(program: &Program) -> bool {
    let mut seen = vec![0];
    let mut next = 0;
    while let Some(&at) = seen.get(next) {
        next += 1;
        if next > FARTHEST {
            return false;
        }
        let mut follow = |at: usize| {
            if !seen.contains(&at) {
                seen.push(at);
            }
        };
        match program.code.get(at) {
            Some(Instruction::Assert(Anchor::TextStart) | Instruction::Fail) => {}
            Some(
                Instruction::Assert(_) | Instruction::Save(_) | Instruction::Meet(_) | Instruction::Round(_),
            ) => {
                follow(at + 1);
            }
            Some(Instruction::Split { prefer, other, .. }) => {
                follow(*prefer as usize);
                follow(*other as usize);
            }
            Some(Instruction::Jump(to)) => follow(*to as usize),
            Some(Instruction::Open { kind: Kind::Atomic, .. }) => follow(at + 1),
            Some(Instruction::Open { kind: Kind::Round, .. }) => return false,
            Some(Instruction::Open { end, .. }) => follow(*end as usize + 1),
            _ => return false,
        }
    }
    true
}

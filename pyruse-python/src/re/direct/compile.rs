//! Writes an expression in steps.

use super::super::analysis::flat;
use super::super::ast::{Anchor, Greed, Node};
use super::step::{Extent, Next, Op, Run, Set, byte_of};

/// The maximum number of parts.
const MOST: usize = 200;

/// Returns the steps; `None` if the expression cannot be written in steps.
pub(super) fn steps(root: &Node) -> Option<Vec<Op>> {
    let mut ops = Vec::new();
    push(root, &mut ops)?;
    ops.push(Op::Found);
    if ops.len() > MOST {
        return None;
    }
    settle_runs(&mut ops);
    Some(ops)
}

/// Finds out what can follow each run. All jumps lead forwards, so this goes backwards.
fn settle_runs(ops: &mut [Op]) {
    let only = |set| Next { set, end: false, any: false };
    let mut nexts = vec![Next::ANY; ops.len() + 1];
    for (at, op) in ops.iter_mut().enumerate().rev() {
        let behind = nexts[at + 1];
        nexts[at] = match op {
            Op::Literal(literal) => only(1 << literal[0]),
            Op::Set(set) => only(set.members()),
            Op::Run(run) => {
                let set = run.extent.members();
                run.next = (behind.any || behind.set & set != 0).then_some(behind);
                if run.min > 0 { only(set) } else { only(set).or(behind) }
            }
            Op::At(Anchor::TextEnd | Anchor::LastLineEnd) => Next { end: true, ..only(0) },
            Op::At(Anchor::LineEnd) => Next { end: true, ..only(1 << b'\n') },
            Op::Mark(_) | Op::At(_) => behind,
            Op::Choice { other, .. } => behind.or(nexts[*other]),
            Op::Jump(to) => nexts[*to],
            Op::Found => Next::ANY,
        };
    }
}

/// Appends the steps of a part; `None` if it cannot be written in steps.
fn push(node: &Node, ops: &mut Vec<Op>) -> Option<()> {
    if ops.len() > MOST {
        return None;
    }
    match node {
        Node::Empty => {}
        Node::Char(set) => match (set.ascii(), ops.last_mut()) {
            (0, _) => return None,
            (members, Some(Op::Literal(literal))) if members.is_power_of_two() => {
                literal.push(byte_of(members));
            }
            (members, _) if members.is_power_of_two() => ops.push(Op::Literal(vec![byte_of(members)])),
            (members, _) => ops.push(Op::Set(Set::new(members))),
        },
        Node::Anchor(anchor) => ops.push(Op::At(*anchor)),
        Node::Sequence(parts) => parts.iter().try_for_each(|part| push(part, ops))?,
        Node::Group(group, body) => {
            ops.push(Op::Mark(2 * group));
            push(body, ops)?;
            ops.push(Op::Mark(2 * group + 1));
        }
        Node::Repeat { min: 1, max: Some(1), greed: Greed::Greedy | Greed::Lazy, body, .. } => {
            push(body, ops)?;
        }
        Node::Repeat { min, max, greed: greed @ (Greed::Greedy | Greed::Lazy), body, .. } => {
            if let Node::Char(set) = &**body {
                let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
                ops.push(Op::Run(Run {
                    extent: Extent::of(set.ascii()),
                    min: number(*min),
                    max: max.map_or(usize::MAX, number),
                    is_lazy: *greed == Greed::Lazy,
                    next: Some(Next::ANY),
                }));
            } else if (*min, *max) == (0, Some(1)) && takes_something(body) {
                let mut choices = [&**body, &Node::Empty];
                if *greed == Greed::Lazy {
                    choices.reverse();
                }
                choose(&choices, ops)?;
            } else {
                return None;
            }
        }
        Node::Alternatives(choices) => choose(&choices.iter().collect::<Vec<_>>(), ops)?,
        _ => return None,
    }
    Some(())
}

/// Appends the steps of a choice.
fn choose(choices: &[&Node], ops: &mut Vec<Op>) -> Option<()> {
    let (last, others) = choices.split_last()?;
    let (mut heads, mut jumps) = (Vec::new(), Vec::new());
    for choice in others {
        heads.push(ops.len());
        ops.push(Op::Choice { other: 0, marks: 0..0 });
        push(choice, ops)?;
        jumps.push(ops.len());
        ops.push(Op::Jump(0));
        if let Op::Choice { other, .. } = &mut ops[*heads.last()?] {
            *other = jumps.last()? + 1;
        }
    }
    push(last, ops)?;
    // What is behind the choice must not grow into the last one.
    ops.push(Op::Jump(ops.len() + 1));
    let end = ops.len();
    for jump in jumps {
        ops[jump] = Op::Jump(end);
    }
    for head in heads {
        let slots = |ops: &[Op]| {
            let slots = ops.iter().filter_map(|op| if let Op::Mark(slot) = op { Some(*slot) } else { None });
            slots.clone().min().zip(slots.max()).map_or(0..0, |(first, last)| first..last + 1)
        };
        let within = slots(&ops[head..end]);
        if let Op::Choice { marks, .. } = &mut ops[head] {
            *marks = within;
        }
    }
    Some(())
}

/// Whether every match of a part has at least one character.
fn takes_something(node: &Node) -> bool {
    match node {
        Node::Char(_) => true,
        Node::Sequence(parts) => parts.iter().any(takes_something),
        Node::Alternatives(choices) => choices.iter().all(takes_something),
        Node::Group(_, body) => takes_something(body),
        Node::Repeat { min, body, .. } => *min > 0 && takes_something(body),
        _ => false,
    }
}

/// Returns what every text begins with in which the expression is found.
pub(in crate::re) fn prefix(root: &Node) -> String {
    let mut parts = flat(&[root]).into_iter();
    let mut prefix = String::new();
    if !matches!(parts.next(), Some(Node::Anchor(Anchor::TextStart))) {
        return prefix;
    }
    for part in parts {
        match part {
            Node::Char(set) if set.only().is_some() => prefix.extend(set.only()),
            _ => break,
        }
    }
    prefix
}

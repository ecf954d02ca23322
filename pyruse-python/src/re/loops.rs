//! Loops whose body may take nothing, such as `(a|b*)*`.
//!
//! Python ends such a loop after a round that took nothing, but keeps what the groups took in that round. A linear
//! engine drops the round, and so reports other groups. With a body that *prefers* to take nothing, such as `(?:|a)*`,
//! it even finds another match. Most of these loops are harmless nevertheless, and most of the others can be written
//! without empty rounds, if they have no groups (see [`super::empty_rounds`]). The rest goes to the backtracking engine,
//! whose unbounded loops work as Python's. A [`Node::Barrier`] keeps it from passing the loop to a linear
//! engine after all. No engine is right about bounded loops that prefer to take nothing (`(?:|a){0,3}`), so they are
//! refused.

use super::analysis::{has_group, size, visit};
use super::ast::{Greed, Node};
use super::empty_rounds::without_empty_rounds;
use super::error::PatternError;
use super::width::{Width, width};

/// The maximum number of parts that may be written twice.
const MAX_COPIED: u64 = 500;

/// Returns the tree with all such loops settled.
pub(super) fn settle_loops(root: Node, groups: &[Option<Width>]) -> Result<Node, PatternError> {
    let referring = refers(&root);
    let settled = settle(root, groups, referring)?;
    check_inner_loops(&settled)?;
    Ok(settled)
}

/// Refuses a loop with a barrier and mandatory rounds inside of another loop. The backtracking engine still remembers
/// where the inner loop was last empty, and leaves it before those rounds are done.
fn check_inner_loops(root: &Node) -> Result<(), PatternError> {
    let mut refusal = Ok(());
    visit(root, &mut |outer| {
        let Node::Repeat { body, .. } = outer else {
            return;
        };
        visit(body, &mut |inner| {
            if let Node::Repeat { min: 1.., offset, body, .. } = inner
                && let Node::Sequence(parts) = &**body
                && matches!(parts.first(), Some(Node::Barrier))
            {
                let message = "within another repetition, a repetition of groups that may be empty is not supported, \
                               unless it is optional";
                refusal = Err(PatternError::new(*offset, message));
            }
        });
    });
    refusal
}

/// Returns a loop that the backtracking engine must run and must know to be possibly empty.
fn barred(min: u32, greed: Greed, offset: usize, body: Node) -> Node {
    let repeat = |min, max, body| Node::Repeat { min, max, greed, offset, body: Box::new(body) };
    // Nested loops would double in size at every level.
    if min == 0 || has_group(&body) || size(&body) > MAX_COPIED {
        return repeat(min, None, Node::Sequence(vec![Node::Barrier, body]));
    }
    let more = repeat(0, None, Node::Sequence(vec![Node::Barrier, body.clone()]));
    Node::Sequence(vec![repeat(min, Some(min), body), more])
}

fn settle(node: Node, groups: &[Option<Width>], referring: bool) -> Result<Node, PatternError> {
    let settle_all = |nodes: Vec<Node>| -> Result<Vec<Node>, PatternError> {
        nodes.into_iter().map(|node| settle(node, groups, referring)).collect()
    };
    let settle_box = |node: Box<Node>| settle(*node, groups, referring).map(Box::new);
    Ok(match node {
        Node::Sequence(nodes) => {
            let mut parts = Vec::with_capacity(nodes.len());
            for node in settle_all(nodes)? {
                match node {
                    Node::Empty => {}
                    Node::Sequence(inner) => parts.extend(inner),
                    part => parts.push(part),
                }
            }
            match parts.len() {
                0 => Node::Empty,
                1 => parts.remove(0),
                _ => Node::Sequence(parts),
            }
        }
        Node::Alternatives(choices) => Node::Alternatives(settle_all(choices)?),
        Node::Group(number, body) => Node::Group(number, settle_box(body)?),
        Node::Atomic(body) => Node::Atomic(settle_box(body)?),
        Node::Look { behind, negated, offset, body } => {
            let body = settle_box(body)?;
            Node::Look { behind, negated, offset, body }
        }
        Node::Condition { group, offset, yes, no } => {
            let (yes, no) = (settle_box(yes)?, settle_box(no)?);
            if matches!((&*yes, &*no), (Node::Empty, Node::Empty)) {
                // The backtracking engine would read it as "the group must have taken part".
                return Ok(Node::Empty);
            }
            Node::Condition { group, offset, yes, no }
        }
        Node::Repeat { min, max, greed, offset, body } => {
            let body = settle(*body, groups, referring)?;
            if max == Some(0) {
                return Ok(never(&body));
            }
            if width(&body, groups).most == 0 {
                if max != Some(1) && has_group(&body) && referring {
                    let message =
                        "a repetition of an empty group is not supported together with references to groups";
                    return Err(PatternError::new(offset, message));
                }
                return Ok(once(min, greed, body));
            }
            let needs_barrier = needs_barrier(min, max, greed, &body, groups);
            if needs_barrier && max.is_some() {
                let message = "a bounded repetition of something that may be empty is not supported";
                return Err(PatternError::new(offset, message));
            }
            if needs_barrier {
                if greed == Greed::Greedy
                    && let Some(regular) = without_empty_rounds(min, offset, &body, groups)
                {
                    return Ok(regular);
                }
                return Ok(barred(min, greed, offset, body));
            }
            Node::Repeat { min, max, greed, offset, body: Box::new(body) }
        }
        leaf => leaf,
    })
}

/// Whether the match depends on what groups took.
fn refers(node: &Node) -> bool {
    let mut found = false;
    visit(node, &mut |node| {
        found |= matches!(node, Node::BackReference(..) | Node::Condition { .. });
    });
    found
}

/// Returns the part for `{0}`: nothing is tried, but the groups inside keep their numbers.
fn never(body: &Node) -> Node {
    let mut parts = vec![Node::Never];
    visit(body, &mut |node| {
        if let Node::Group(number, _) = node {
            parts.push(Node::Group(*number, Box::new(Node::Empty)));
        }
    });
    if parts.len() == 1 {
        return Node::Empty;
    }
    Node::Alternatives(vec![Node::Sequence(parts), Node::Empty])
}

/// Returns a loop over a position: a second round finds what the first one found.
fn once(min: u32, greed: Greed, body: Node) -> Node {
    let tried = match (min, greed) {
        (0, Greed::Lazy) => Node::Alternatives(vec![Node::Empty, body]),
        (0, _) => Node::Alternatives(vec![body, Node::Empty]),
        _ => body,
    };
    if greed == Greed::Possessive { Node::Atomic(Box::new(tried)) } else { tried }
}

fn needs_barrier(min: u32, max: Option<u32>, greed: Greed, body: &Node, groups: &[Option<Width>]) -> bool {
    if max == Some(1) || max == Some(min) || width(body, groups).least > 0 {
        return false;
    }
    // The rounds of a bounded loop are separate states: no engine drops an empty one.
    let drops_round = max.is_none() && has_group(body);
    let leaves_first = max.is_none() && greed == Greed::Lazy;
    drops_round || !leaves_first && !takes_nothing_last(body, groups)
}

/// Whether all paths that take something are tried before the path that takes nothing. Then an empty round at the end
/// of a loop leads to nothing that has not been tried already.
fn takes_nothing_last(node: &Node, groups: &[Option<Width>]) -> bool {
    let may_be_empty = |node: &Node| width(node, groups).least == 0;
    if !may_be_empty(node) {
        return true;
    }
    match node {
        Node::Sequence(parts) => parts.iter().all(|part| takes_nothing_last(part, groups)),
        Node::Alternatives(choices) => choices.split_last().is_none_or(|(last, others)| {
            !others.iter().any(may_be_empty) && takes_nothing_last(last, groups)
        }),
        Node::Group(_, body) => takes_nothing_last(body, groups),
        Node::Repeat { greed, body, .. } => match greed {
            Greed::Greedy => takes_nothing_last(body, groups),
            Greed::Lazy => false,
            Greed::Possessive => true,
        },
        Node::Condition { yes, no, .. } => takes_nothing_last(yes, groups) && takes_nothing_last(no, groups),
        // All other nodes have one path only.
        _ => true,
    }
}

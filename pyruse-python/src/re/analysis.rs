//! Facts about a tree that decide which engine can run it.

use super::ast::{Anchor, Greed, Node};
use super::error::PatternError;

/// The maximum number of parts, with all repetitions written out.
const MAX_SIZE: u64 = 100_000;

/// What a tree contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
pub(super) struct Facts {
    /// Something that only the backtracking engine supports.
    pub(super) backtracking: bool,
    /// A `$` whose meaning depends on a final newline.
    pub(super) dollar: bool,
    /// A `\b` or `\B`.
    pub(super) boundary: bool,
    /// A `\B`.
    pub(super) inner: bool,
    /// A back-reference or a condition.
    pub(super) references: bool,
}

/// Collects the facts of a tree.
pub(super) fn facts(root: &Node) -> Facts {
    let mut facts = Facts::default();
    visit(root, &mut |node| match node {
        Node::Barrier | Node::Atomic(_) | Node::Look { .. } => facts.backtracking = true,
        Node::Condition { .. } | Node::BackReference(..) => {
            facts.backtracking = true;
            facts.references = true;
        }
        Node::Repeat { greed, .. } => facts.backtracking |= *greed == Greed::Possessive,
        Node::Anchor(Anchor::LastLineEnd) => facts.dollar = true,
        Node::Anchor(Anchor::Boundary { negated, .. }) => {
            facts.boundary = true;
            facts.inner |= *negated;
        }
        _ => {}
    });
    facts
}

/// Calls `see` for every part.
pub(super) fn visit(node: &Node, see: &mut impl FnMut(&Node)) {
    see(node);
    match node {
        Node::Sequence(parts) | Node::Alternatives(parts) => {
            for part in parts {
                visit(part, see);
            }
        }
        Node::Group(_, body) | Node::Atomic(body) | Node::Repeat { body, .. } | Node::Look { body, .. } => {
            visit(body, see);
        }
        Node::Condition { yes, no, .. } => {
            visit(yes, see);
            visit(no, see);
        }
        _ => {}
    }
}

/// Whether the tree has a group.
pub(super) fn has_group(node: &Node) -> bool {
    let mut found = false;
    visit(node, &mut |node| found |= matches!(node, Node::Group(..)));
    found
}

/// Returns the offset of the group's name in the last condition.
pub(super) fn last_condition(root: &Node) -> Option<usize> {
    let mut found = None;
    visit(root, &mut |node| {
        if let Node::Condition { offset, .. } = node {
            found = Some(*offset);
        }
    });
    found
}

/// Whether the part never consumes a character.
pub(super) fn takes_nothing(node: &Node) -> bool {
    matches!(node, Node::Empty | Node::Barrier | Node::Look { .. })
}

/// Returns the parts, without the groups and sequences around them.
pub(super) fn flat<'n>(parts: &[&'n Node]) -> Vec<&'n Node> {
    fn flatten<'n>(node: &'n Node, flat: &mut Vec<&'n Node>) {
        match node {
            Node::Sequence(parts) => parts.iter().for_each(|part| flatten(part, flat)),
            Node::Group(_, body) | Node::Atomic(body) => flatten(body, flat),
            _ => flat.push(node),
        }
    }
    let mut flat = Vec::new();
    for part in parts {
        flatten(part, &mut flat);
    }
    flat
}

/// Whether the expression begins at the start of the text, with something of its own choice, in every alternative.
pub(super) fn begins_with_text(node: &Node) -> bool {
    let parts = flat(&[node]);
    let mut parts = parts.into_iter().filter(|node| !takes_nothing(node));
    match parts.next() {
        Some(Node::Anchor(Anchor::TextStart)) => {
            parts.next().is_some_and(|next| !matches!(next, Node::Repeat { max: None, .. }))
        }
        Some(Node::Alternatives(choices)) => choices.iter().all(begins_with_text),
        _ => false,
    }
}

/// Refuses an expression that is too large, before an engine spends time on it.
pub(super) fn check_size(root: &Node) -> Result<(), PatternError> {
    if size(root) > MAX_SIZE {
        return Err(PatternError::new(0, "the expression is too large: it has too many repetitions"));
    }
    Ok(())
}

/// Returns the number of parts, with all repetitions written out.
pub(super) fn size(node: &Node) -> u64 {
    weight(node, &|_| 1)
}

/// Returns the maximum number of states of the program for texts beyond ASCII, with all repetitions written out.
pub(super) fn unicode_states(node: &Node) -> u64 {
    weight(node, &|node| match node {
        Node::Char(set) => set.unicode_states(),
        _ => 2,
    })
}

/// Returns the total weight of all parts, with all repetitions written out.
fn weight(node: &Node, of: &impl Fn(&Node) -> u64) -> u64 {
    let within = match node {
        Node::Sequence(parts) | Node::Alternatives(parts) => {
            parts.iter().fold(0, |sum: u64, part| sum.saturating_add(weight(part, of)))
        }
        Node::Group(_, body) | Node::Atomic(body) | Node::Look { body, .. } => weight(body, of),
        Node::Repeat { min, max, body, .. } => {
            weight(body, of).saturating_mul(u64::from(max.unwrap_or(*min).max(1)))
        }
        Node::Condition { yes, no, .. } => weight(yes, of).saturating_add(weight(no, of)),
        _ => 0,
    };
    within.saturating_add(of(node))
}

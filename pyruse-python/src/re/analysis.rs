//! What must be known of a tree before an engine can be chosen for it.

use super::ast::{Anchor, Greed, Node};
use super::error::PatternError;
use super::parse::parse;

/// So many parts may there be once all repetitions are written out.
const MAX_SIZE: u64 = 100_000;

/// What is in a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not a state")]
pub(super) struct Facts {
    /// Something that only the backtracking engine knows.
    pub(super) backtracking: bool,
    /// A `$` whose meaning hangs on a final newline.
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

/// For people: where an expression refers to what its own groups took, so that a search may be given up; with the byte at
/// which that stands, where it is known.
pub fn refers_back_by(expression: &str) -> (&'static str, Option<usize>) {
    let mut found = ("it refers back to a group", None);
    let root = parse(expression).map_or(Node::Empty, |parsed| parsed.root);
    visit(&root, &mut |node| {
        if let Node::Condition { offset, .. } = node {
            found = ("a condition on a group", Some(*offset));
        }
    });
    found
}

/// Calls `see` with every part.
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

/// Does it have a group?
pub(super) fn has_group(node: &Node) -> bool {
    let mut found = false;
    visit(node, &mut |node| found |= matches!(node, Node::Group(..)));
    found
}

/// Refuses what would be too large, before an engine spends its time on it.
pub(super) fn check_size(root: &Node) -> Result<(), PatternError> {
    if size(root) > MAX_SIZE {
        return Err(PatternError::new(0, "the expression is too large: it repeats too much"));
    }
    Ok(())
}

/// Number of parts, once all repetitions are written out.
pub(super) fn size(node: &Node) -> u64 {
    weight(node, &|_| 1)
}

/// At most so many states the program for texts beyond ASCII has, likewise.
pub(super) fn unicode_states(node: &Node) -> u64 {
    weight(node, &|node| match node {
        Node::Char(set) => set.unicode_states(),
        _ => 2,
    })
}

/// The weight of all parts together, once all repetitions are written out.
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

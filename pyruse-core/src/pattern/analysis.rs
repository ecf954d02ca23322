//! What must be known of a tree before an engine can be chosen for it.

use super::ast::{Anchor, Folding, Greed, Node};
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
    /// A back-reference that ignores case.
    pub(super) folded_reference: bool,
    /// So many loops lie within each other, but for those that the linear engine runs in one go.
    pub(super) nesting: u32,
}

/// Collects the facts of a tree.
pub(super) fn facts(root: &Node) -> Facts {
    let mut facts = Facts { nesting: nesting(root).0, ..Facts::default() };
    visit(root, &mut |node| match node {
        Node::Barrier | Node::Atomic(_) | Node::Look { .. } => facts.backtracking = true,
        Node::Condition { .. } => {
            facts.backtracking = true;
            facts.references = true;
        }
        Node::BackReference(_, folding) => {
            facts.backtracking = true;
            facts.references = true;
            facts.folded_reference |= *folding != Folding::Exact;
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

/// For people: what in an expression needs the engine that backtracks, what to do about it, and at which byte it stands,
/// where that is known.
pub fn backtracks_for(expression: &str) -> (&'static str, &'static str, Option<usize>) {
    let mut found = None;
    let root = parse(expression).map_or(Node::Empty, |parsed| parsed.root);
    visit(&root, &mut |node| {
        let told = match node {
            Node::Repeat { greed: Greed::Possessive, offset, .. } => (
                "possessive: what it has taken is not given back",
                "leave out its last `+`: without it, the other engine runs the expression, and never takes long",
                Some(*offset),
            ),
            Node::Atomic(_) => (
                "it has an atomic group `(?>…)`",
                "write `(?:…)`: then the other engine runs the expression, and never takes long",
                None,
            ),
            Node::Look { offset, .. } => {
                ("a look around", "ask in two filters instead, or allow this", Some(*offset))
            }
            Node::BackReference(..) => {
                ("it refers back to a group", "list the cases instead, or allow this", None)
            }
            Node::Condition { offset, .. } => {
                ("a condition on a group", "list the cases instead, or allow this", Some(*offset))
            }
            Node::Barrier => (
                "it repeats what may be empty",
                "let each round of the repetition take at least one character, or allow this",
                None,
            ),
            _ => return,
        };
        // What cannot be mended by leaving it out is what matters.
        let is_mendable = |told: &(&str, &str, _)| told.1.contains("the other engine");
        if found.as_ref().is_none_or(|known| is_mendable(known) && !is_mendable(&told)) {
            found = Some(told);
        }
    });
    found.unwrap_or((
        "it is not regular",
        "write it without look-around and back-references, or allow this",
        None,
    ))
}

/// The loops within each other, and whether there is anything that only the backtracking engine knows.
fn nesting(node: &Node) -> (u32, bool) {
    let all = |nodes: &mut dyn Iterator<Item = &Node>| {
        nodes.map(nesting).fold((0, false), |(most, hard), (n, h)| (most.max(n), hard || h))
    };
    match node {
        Node::Sequence(parts) | Node::Alternatives(parts) => all(&mut parts.iter()),
        Node::Condition { yes, no, .. } => (all(&mut [&**yes, &**no].into_iter()).0, true),
        Node::Group(_, body) => nesting(body),
        Node::Atomic(body) | Node::Look { body, .. } => (nesting(body).0, true),
        Node::BackReference(..) => (1, true),
        Node::Barrier => (0, true),
        Node::Repeat { max, greed, body, .. } => {
            let (within, hard) = nesting(body);
            let loops = u32::from(max.is_none_or(|max| max > 9));
            (if hard { within + loops } else { loops }, hard || *greed == Greed::Possessive)
        }
        _ => (0, false),
    }
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

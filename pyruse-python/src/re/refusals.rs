//! Refuses what Python accepts and no engine here runs with Python's meaning. (`Parser::refuse` refuses more while
//! reading, and `loops` does where loops are settled.)

use super::analysis::{has_group, visit};
use super::ast::{Greed, Node};
use super::error::PatternError;

/// Refuses a tree that would run with another meaning.
pub(super) fn check(root: &Node) -> Result<(), PatternError> {
    let mut refusal = None;
    let mut refuse = |offset: usize, message: &str| {
        refusal.get_or_insert_with(|| PatternError::new(offset, message));
    };
    visit(root, &mut |node| match node {
        Node::Atomic(body) | Node::Look { body, .. } => check_conditions(body, &mut refuse),
        Node::Repeat { max, greed, offset, body, .. } => {
            if *greed == Greed::Possessive {
                check_conditions(body, &mut refuse);
            }
            if *max == Some(1) {
                return;
            }
            if looks_with_groups(body) {
                let message = "a repetition of look-around with groups is not supported";
                refuse(*offset, message);
            }
            if *greed == Greed::Possessive && chooses_groups(body) {
                let message = "a possessive repetition of a choice between groups is not supported: Python 3.11 \
                               itself returns wrong groups for it";
                refuse(*offset, message);
            }
        }
        _ => {}
    });
    refusal.map_or(Ok(()), Err)
}

/// Refuses conditions inside of atomic parts: the backtracking engine does not leave the part when the condition is
/// false.
fn check_conditions(body: &Node, refuse: &mut impl FnMut(usize, &str)) {
    visit(body, &mut |node| {
        if let Node::Condition { offset, .. } = node {
            let message = "a condition inside of look-around, of an atomic group or of a \
                possessive repetition is not supported";
            refuse(*offset, message);
        }
    });
}

/// Whether there is look-around with groups. The backtracking engine keeps where a group last began, if it is entered
/// again before its last end; and only look-around goes back.
fn looks_with_groups(node: &Node) -> bool {
    let mut found = false;
    visit(node, &mut |node| {
        found |= matches!(node, Node::Look { negated: false, body, .. } if has_group(body));
    });
    found
}

/// Whether a group may be given up in favour of something else. Python 3.11 then keeps half of what the group took, if
/// this is in a possessive loop: there `(?:a(b)|a)++` on `abaa` is an internal error.
fn chooses_groups(node: &Node) -> bool {
    let mut found = false;
    visit(node, &mut |node| {
        found |= match node {
            Node::Alternatives(_) | Node::Condition { .. } => has_group(node),
            Node::Repeat { min, max, body, .. } => *max != Some(*min) && has_group(body),
            _ => false,
        };
    });
    found
}

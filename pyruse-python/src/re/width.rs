//! The number of characters that a part of an expression takes, as Python counts them: for look-behind, which must have
//! a single width, and for loops whose body may take nothing.

use super::ast::Node;
use super::error::PatternError;

/// Python counts no further than this.
const CEILING: u64 = u32::MAX as u64;

/// The minimum and maximum number of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Width {
    pub(super) least: u64,
    pub(super) most: u64,
}

impl Width {
    fn exactly(width: u64) -> Self {
        Self { least: width, most: width }
    }

    fn followed_by(self, next: Self) -> Self {
        Self { least: self.least.saturating_add(next.least), most: self.most.saturating_add(next.most) }
    }

    fn or(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }

    fn capped(self) -> Self {
        Self { least: self.least.min(CEILING - 1), most: self.most.min(CEILING) }
    }
}

/// Returns the width of a part. `groups` holds the widths of the groups that are already closed; index 0 is unused.
pub(super) fn width(node: &Node, groups: &[Option<Width>]) -> Width {
    match node {
        Node::Empty | Node::Barrier | Node::Never | Node::Anchor(_) | Node::Look { .. } => Width::default(),
        Node::Char(_) => Width::exactly(1),
        Node::Sequence(parts) => {
            parts.iter().map(|part| width(part, groups)).fold(Width::default(), Width::followed_by)
        }
        Node::Alternatives(choices) => {
            choices.iter().map(|choice| width(choice, groups)).reduce(Width::or).unwrap_or_default()
        }
        Node::Group(_, body) | Node::Atomic(body) => width(body, groups),
        Node::Repeat { min, max, body, .. } => {
            let once = width(body, groups);
            Width {
                least: once.least.saturating_mul((*min).into()),
                most: once.most.saturating_mul(max.map_or(CEILING, u64::from)),
            }
        }
        Node::BackReference(group, _) => groups.get(*group).copied().flatten().unwrap_or_default(),
        Node::Condition { yes, no, .. } => width(yes, groups).or(width(no, groups)),
    }
    .capped()
}

/// Refuses a look-behind that may have several widths.
pub(super) fn check_look_behinds(node: &Node, groups: &[Option<Width>]) -> Result<(), PatternError> {
    match node {
        Node::Look { behind, offset, body, .. } => {
            if *behind {
                let width = width(body, groups);
                if width.least != width.most {
                    let message = "look-behind requires fixed-width pattern";
                    return Err(PatternError::new(*offset, message));
                }
            }
            check_look_behinds(body, groups)
        }
        Node::Sequence(parts) | Node::Alternatives(parts) => {
            parts.iter().try_for_each(|part| check_look_behinds(part, groups))
        }
        Node::Group(_, body) | Node::Atomic(body) | Node::Repeat { body, .. } => {
            check_look_behinds(body, groups)
        }
        Node::Condition { yes, no, .. } => {
            check_look_behinds(yes, groups)?;
            check_look_behinds(no, groups)
        }
        _ => Ok(()),
    }
}

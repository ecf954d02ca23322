//! Look-behind of one character that always holds, such as `(?<=:)` in `(?:\w+:|:)+(?<=:)\w`.
//!
//! On every path to it, the match has taken a character last, and this is always one of the set. So nothing needs to be
//! looked at: it is dropped, and the expression may then be regular.

use super::analysis::visit;
use super::ast::Node;
use super::charset::CharSet;
use super::width::{Width, width};

/// The maximum number of different sets to tell apart.
const MAX_SETS: usize = 32;

/// What the last character before a position may be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Last {
    /// Any character, or none: nothing is known.
    Any,
    /// One of these sets has it. Without a set, no path leads here.
    OneOf(Vec<CharSet>),
}

impl Last {
    fn nowhere() -> Last {
        Last::OneOf(Vec::new())
    }

    fn or(self, other: Last) -> Last {
        let (Last::OneOf(mut sets), Last::OneOf(others)) = (self, other) else {
            return Last::Any;
        };
        for set in others {
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        if sets.len() > MAX_SETS { Last::Any } else { Last::OneOf(sets) }
    }
}

/// Drops all such look-behinds.
pub(super) fn drop_certain_look_behinds(root: Node, groups: &[Option<Width>]) -> Node {
    let mut may_have_one = false;
    visit(&root, &mut |node| may_have_one |= sets_of(node).is_some());
    if !may_have_one {
        return root;
    }
    let mut root = root;
    Pass { groups }.node(&mut root, Last::Any);
    root
}

/// Returns the sets of a look-behind for one character; each of them is sufficient.
fn sets_of(node: &Node) -> Option<Vec<&CharSet>> {
    let Node::Look { behind: true, negated: false, body, .. } = node else { return None };
    match &**body {
        Node::Alternatives(choices) => choices.iter().map(set_of).collect(),
        body => set_of(body).map(|set| vec![set]),
    }
}

fn set_of(node: &Node) -> Option<&CharSet> {
    if let Node::Char(set) = node { Some(set) } else { None }
}

struct Pass<'w> {
    groups: &'w [Option<Width>],
}

impl Pass<'_> {
    /// Goes through a part. `before` is the character before it. Returns the last character after it.
    fn node(&self, node: &mut Node, before: Last) -> Last {
        if let Last::OneOf(known) = &before
            && let Some(sets) = sets_of(node)
        {
            if !known.is_empty() && known.iter().all(|known| sets.iter().any(|set| known.is_within(set))) {
                *node = Node::Empty;
            }
            return before;
        }
        match node {
            Node::Empty | Node::Barrier | Node::Anchor(_) => before,
            Node::Never => Last::nowhere(),
            Node::Char(set) => Last::OneOf(vec![set.clone()]),
            Node::Sequence(parts) => parts.iter_mut().fold(before, |before, part| self.node(part, before)),
            Node::Alternatives(choices) => {
                let all = choices.iter_mut().map(|choice| self.node(choice, before.clone()));
                all.fold(Last::nowhere(), Last::or)
            }
            Node::Group(_, body) | Node::Atomic(body) => self.node(body, before),
            Node::Repeat { min, max, body, .. } => {
                let before_round =
                    if *max == Some(1) { before.clone() } else { before.clone().or(self.taken_last(body)) };
                let after = self.node(body, before_round);
                if *min == 0 { before.or(after) } else { after }
            }
            Node::Look { behind, body, .. } => {
                self.node(body, if *behind { Last::Any } else { before.clone() });
                before
            }
            Node::BackReference(..) => Last::Any,
            Node::Condition { yes, no, .. } => {
                let yes = self.node(yes, before.clone());
                yes.or(self.node(no, before))
            }
        }
    }

    /// Returns the last character that a part takes, if it takes one.
    fn taken_last(&self, node: &Node) -> Last {
        match node {
            Node::Char(set) => Last::OneOf(vec![set.clone()]),
            Node::Sequence(parts) => {
                let mut last = Last::nowhere();
                for part in parts.iter().rev() {
                    last = last.or(self.taken_last(part));
                    if width(part, self.groups).least > 0 {
                        break;
                    }
                }
                last
            }
            Node::Alternatives(choices) => {
                choices.iter().map(|choice| self.taken_last(choice)).fold(Last::nowhere(), Last::or)
            }
            Node::Group(_, body) | Node::Atomic(body) | Node::Repeat { body, .. } => self.taken_last(body),
            Node::Condition { yes, no, .. } => self.taken_last(yes).or(self.taken_last(no)),
            Node::BackReference(..) => Last::Any,
            Node::Empty | Node::Barrier | Node::Never | Node::Anchor(_) | Node::Look { .. } => {
                Last::nowhere()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::re::Pattern;

    #[test]
    fn a_look_behind_that_always_holds_is_dropped() {
        for expression in [
            r"(?:[0-9a-f]{1,4}::?|:){1,7}(?:[0-9a-f]{1,4}|(?<=:):)",
            r"a(?<=a)",
            r"(?i)k(?<=[j-m])",
            r"\d(?<=\d)|\w(?<=[\w-])",
            r"[^:\s](?<=[^:])",
            r"(?:a|b)*c?[a-c](?<=[abc])x",
            r"a(?:(?<=[ab])b)*",
            r"(a|b)+(?<=a|b)",
            r"a\b(?<=.)",
            r"(?s)\S(?<=.)",
        ] {
            assert!(!Pattern::new(expression).unwrap().is_backtracking(), "{expression}");
        }
    }

    #[test]
    fn a_look_behind_that_may_fail_stays() {
        for expression in [
            r"(?<=a)",
            r"a?(?<=a)",
            r"a*(?<=a)b",
            r"[ab](?<=a)",
            r"a(?:(?<=a)b)*",
            r"(?:b|a(?<=b))",
            r"\s(?<=.)",
            r"\w(?<=\d)",
            r"\w(?<=[a-z])",
            r"[^a](?<=[^b])",
            r"(?i:k)(?<=k)",
            r"ab(?<=ab)",
            r"a(?<!b)",
            r"(?=a)(?<=a)",
            r"a(?=b(?<=b))",
            r"(?:|a(?<=a))(?<=a)",
        ] {
            assert!(Pattern::new(expression).unwrap().is_backtracking(), "{expression}");
        }
    }
}

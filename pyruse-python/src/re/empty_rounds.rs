//! Loops whose body prefers to take nothing, such as `(?:a*|b)*`, as loops whose rounds always take something.
//!
//! Python leaves such a loop after a round that took nothing; if what follows is not found, it goes on with what the
//! body matches otherwise. Without groups, a second attempt to leave at the same position leads to the same outcome. So
//! let *first* be what the body tries before it tries nothing, and *later* what it tries after that: a loop is *first*
//! and the loop again, or its end, or *later* and the loop again. That is `(?:first)*(?:later(?:first)*)*?`. No round
//! of it is empty, so every engine runs it with Python's meaning.

use super::analysis::{has_group, size};
use super::ast::{Greed, Node};
use super::width::{Width, width};

/// The maximum number of parts of the loop that is returned.
const MAX_SIZE: u64 = 500;

/// Ways to match a part, in the order in which they are tried.
#[derive(Debug, Clone)]
enum Ways {
    /// All of them take something.
    Some(Node),
    /// One way that takes nothing, and is always there.
    Nothing,
    /// One way that takes nothing, if this holds.
    NothingIf(Node),
}

/// Returns a loop that means the same as the greedy, unlimited loop over `body`; `None` if there is none here.
pub(super) fn without_empty_rounds(
    min: u32,
    offset: usize,
    body: &Node,
    groups: &[Option<Width>],
) -> Option<Node> {
    if has_group(body) || size(body).saturating_mul(u64::from(min).max(1)) > MAX_SIZE {
        return None;
    }
    let (first, later) = split(ways(body, groups)?)?;
    let mut parts = Vec::new();
    if min > 0 {
        parts.push(Node::Repeat {
            min,
            max: Some(min),
            greed: Greed::Greedy,
            offset,
            body: Box::new(body.clone()),
        });
    }
    let again = |greed, body| Node::Repeat { min: 0, max: None, greed, offset, body: Box::new(body) };
    let first = first.map(|first| again(Greed::Greedy, first));
    parts.extend(first.clone());
    if let Some(later) = later {
        parts.push(again(Greed::Lazy, sequence(later, first.unwrap_or(Node::Empty))));
    }
    let written = Node::Sequence(parts);
    (size(&written) <= MAX_SIZE).then_some(written)
}

/// Returns what is tried before nothing is, and what is tried after that. `None` if it depends on the position whether
/// nothing is tried, and that matters.
fn split(ways: Vec<Ways>) -> Option<(Option<Node>, Option<Node>)> {
    let (mut first, mut later) = (Vec::new(), Vec::new());
    let (mut has_left, mut may_have_left) = (false, false);
    for way in ways {
        match way {
            Ways::Some(_) if may_have_left && !has_left => return None,
            Ways::Some(way) if has_left => later.push(way),
            Ways::Some(way) => first.push(way),
            Ways::Nothing => has_left = true,
            Ways::NothingIf(_) => may_have_left = true,
        }
    }
    Some((alternatives(first), alternatives(later)))
}

fn alternatives(mut choices: Vec<Node>) -> Option<Node> {
    if choices.len() < 2 { choices.pop() } else { Some(Node::Alternatives(choices)) }
}

fn sequence(one: Node, other: Node) -> Node {
    match (one, other) {
        (node, Node::Empty) | (Node::Empty, node) => node,
        (one, other) => Node::Sequence(vec![one, other]),
    }
}

/// Returns the ways to match a part. `None` if they cannot be told apart, or would be too large.
fn ways(node: &Node, groups: &[Option<Width>]) -> Option<Vec<Ways>> {
    if width(node, groups).least > 0 {
        return Some(vec![Ways::Some(node.clone())]);
    }
    let ways = match node {
        Node::Empty => vec![Ways::Nothing],
        Node::Never => Vec::new(),
        Node::Anchor(_) | Node::Look { .. } => vec![Ways::NothingIf(node.clone())],
        Node::Alternatives(choices) => {
            let mut all = Vec::new();
            for choice in choices {
                all.extend(ways(choice, groups)?);
            }
            all
        }
        Node::Sequence(parts) => ways_of_sequence(parts, groups)?,
        Node::Repeat { min, max, greed, offset, body } => {
            ways_of_loop((*min, *max), *greed, *offset, body, groups)?
        }
        _ => return None,
    };
    are_small(&ways).then_some(ways)
}

fn are_small(ways: &[Ways]) -> bool {
    let sizes = ways.iter().map(|way| match way {
        Ways::Some(node) | Ways::NothingIf(node) => size(node),
        Ways::Nothing => 1,
    });
    sizes.fold(0, u64::saturating_add) <= MAX_SIZE
}

fn ways_of_sequence(parts: &[Node], groups: &[Option<Width>]) -> Option<Vec<Ways>> {
    let Some((part, rest)) = parts.split_first() else {
        return Some(vec![Ways::Nothing]);
    };
    let of_rest = ways_of_sequence(rest, groups)?;
    let mut all = Vec::new();
    for way in ways(part, groups)? {
        match way {
            Ways::Some(way) => {
                let mut written = vec![way];
                written.extend_from_slice(rest);
                all.push(Ways::Some(Node::Sequence(written)));
            }
            Ways::Nothing => all.extend_from_slice(&of_rest),
            Ways::NothingIf(condition) => all.extend(of_rest.iter().map(|way| match way {
                Ways::Some(way) => Ways::Some(sequence(condition.clone(), way.clone())),
                Ways::Nothing => Ways::NothingIf(condition.clone()),
                Ways::NothingIf(other) => Ways::NothingIf(sequence(condition.clone(), other.clone())),
            })),
        }
    }
    // What is tried again has failed before.
    if let Some(at) = all.iter().position(|way| matches!(way, Ways::Nothing)) {
        let mut at_or_before = (0..all.len()).map(|way| way <= at);
        all.retain(|way| at_or_before.next().unwrap_or(false) || matches!(way, Ways::Some(_)));
    }
    are_small(&all).then_some(all)
}

/// The loops within have been settled: a bounded one, or a greedy one, does not prefer to take nothing.
fn ways_of_loop(
    (min, max): (u32, Option<u32>),
    greed: Greed,
    offset: usize,
    body: &Node,
    groups: &[Option<Width>],
) -> Option<Vec<Ways>> {
    if greed == Greed::Possessive {
        return None;
    }
    let again = |min, max, body| Node::Repeat { min, max, greed, offset, body: Box::new(body) };
    if min > 0 {
        // A round may be empty. The mandatory ones are written out.
        let mut rounds = vec![body.clone(); usize::try_from(min).ok().filter(|min| *min <= 8)?];
        if max != Some(min) {
            rounds.push(again(0, max.map(|max| max - min), body.clone()));
        }
        return ways_of_sequence(&rounds, groups);
    }
    let mut of_body = ways(body, groups)?;
    if max == Some(1) {
        let at = if greed == Greed::Lazy { 0 } else { of_body.len() };
        of_body.insert(at, Ways::Nothing);
        return Some(of_body);
    }
    let taking = match greed {
        Greed::Lazy => {
            let taking = of_body.into_iter().filter_map(|way| match way {
                Ways::Some(way) => Some(way),
                _ => None,
            });
            alternatives(taking.collect())
        }
        _ => match split(of_body)? {
            (taking, None) => taking,
            _ => return None,
        },
    };
    let Some(taking) = taking else { return Some(vec![Ways::Nothing]) };
    let rounds = Ways::Some(again(1, max, taking));
    Some(if greed == Greed::Lazy { vec![Ways::Nothing, rounds] } else { vec![rounds, Ways::Nothing] })
}

#[cfg(test)]
mod tests {
    use crate::re::Pattern;

    #[test]
    fn a_loop_without_groups_that_may_be_empty_is_regular() {
        for expression in [
            "^(?:(?:a*|b)*x)+$",
            "(?:|a)*b",
            "(?:a*?|b)+c",
            "(?:a*|b){3,}c",
            "(?:a?|b?|c){2,}d",
            "(?:(?:a*|b)*|c)*d",
            "(?:a|^)*b",
            r"(?:a|\b|)*b",
            "((?:a*|b)*)x",
        ] {
            assert!(!Pattern::new(expression).unwrap().is_backtracking(), "{expression}");
        }
    }

    #[test]
    fn a_loop_with_groups_or_with_a_condition_on_leaving_is_left_to_the_machine() {
        for expression in ["(a*|b)*x", "(?:^|a)*b", r"(?:\b|a)*", "(?:(?>a*)|b)*"] {
            assert!(Pattern::new(expression).unwrap().is_backtracking(), "{expression}");
        }
    }

    #[test]
    fn a_loop_that_would_be_too_large_is_left_to_the_machine() {
        for body in
            [format!("{}|b", "a?".repeat(300)), format!("{}|b", "(?:^|$|)".repeat(40)), "a{0,600}?".into()]
        {
            let pattern = Pattern::new(&format!("(?:{body})*c")).unwrap();
            assert_eq!(pattern.is_match("aabc"), Ok(true), "{body}");
        }
    }

    #[test]
    fn the_linear_engine_searches_texts_of_any_usual_length() {
        let pattern = Pattern::new("^(?:(?:a*|b)*x)+$").unwrap();
        for length in [129, 1 << 10, 9 << 10, 60 << 10] {
            let text = "aab".repeat(length / 3);
            assert_eq!(pattern.is_match(&text), Ok(false), "{length}");
            assert_eq!(pattern.is_match(&(text + "x")), Ok(true), "{length}");
        }
    }
}

//! Finds the places of groups from one end of a match.
//!
//! In: an expression, and the groups whose places are wanted. Out: how to find them from the end of a match, and from the
//! start of a text at which every match begins. In `from ([\d.]+) port \d+`, going back from the end: the digits end at a
//! space, which is no digit, so how many there are is certain; and the same for the address. So all matches that end
//! there have the same groups, whatever the engine prefers. Reading that off the text takes a fraction of the time of a
//! search with groups.
//!
//! This is for ASCII texts, in which each character is a byte.

use regex_automata::util::primitives::NonMaxUsize;

use super::ast::{Anchor, Node};
use super::linear::Slots;

/// See the module.
#[derive(Debug)]
pub(super) struct Places {
    /// From the start of the text, which is the start of every match, forwards.
    from_start: Vec<Step>,
    /// From the end of the match, backwards.
    from_end: Vec<Step>,
    slots: usize,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// This number of any characters.
    Skip(usize),
    /// All characters of this set that follow.
    Run(u128),
    /// This slot is here.
    Mark(usize),
}

/// A part of an expression, as far as it matters here.
#[derive(Debug, Clone, Copy)]
enum Item {
    /// This number of characters of this set.
    Fixed(u128, usize),
    /// Any number of characters of this set, or at least one.
    Some { set: u128, is_empty: bool },
    /// A group begins or ends: the slot of that.
    Mark(usize),
    /// Anything else.
    Other,
}

impl Places {
    /// Returns how to find these groups; `None` if it is not certain where each of them is.
    pub(super) fn of(root: &Node, groups: &[usize]) -> Option<Places> {
        let mut items = Vec::new();
        flatten(root, &mut items);
        let wanted: Vec<usize> = groups.iter().flat_map(|group| [2 * group, 2 * group + 1]).collect();
        let mut from_end = steps(items.iter().rev().copied());
        cut(&mut from_end, &wanted);
        let is_found = |slot: &usize| marks(&from_end).any(|mark| mark == *slot);
        let others: Vec<usize> = wanted.iter().copied().filter(|slot| !is_found(slot)).collect();
        let mut from_start = if begins_at_start(root) { steps(items.iter().copied()) } else { Vec::new() };
        cut(&mut from_start, &others);
        let is_certain = others.iter().all(|slot| marks(&from_start).any(|mark| mark == *slot));
        let slots = wanted.iter().max().map_or(0, |last| last + 1);
        is_certain.then_some(Places { from_start, from_end, slots })
    }

    /// Sets the slots of the groups of a match that ends there.
    pub(super) fn find(&self, text: &[u8], end: usize, slots: &mut Slots) -> Option<()> {
        slots.clear();
        slots.resize(self.slots, None);
        let mut at = 0;
        for step in &self.from_start {
            match *step {
                Step::Skip(count) => at += count,
                Step::Run(set) => at += text.get(at..)?.iter().take_while(|byte| is_in(set, **byte)).count(),
                Step::Mark(slot) => *slots.get_mut(slot)? = NonMaxUsize::new(at),
            }
        }
        let mut at = end;
        for step in &self.from_end {
            match *step {
                Step::Skip(count) => at = at.checked_sub(count)?,
                Step::Run(set) => {
                    at -= text.get(..at)?.iter().rev().take_while(|byte| is_in(set, **byte)).count();
                }
                Step::Mark(slot) => *slots.get_mut(slot)? = NonMaxUsize::new(at),
            }
        }
        Some(())
    }
}

fn is_in(set: u128, byte: u8) -> bool {
    byte < 128 && set >> byte & 1 == 1
}

/// Lists the parts that every match consumes, in order.
fn flatten(node: &Node, items: &mut Vec<Item>) {
    match node {
        Node::Empty | Node::Anchor(_) => {}
        Node::Char(set) => items.push(Item::Fixed(set.ascii(), 1)),
        Node::Sequence(parts) => parts.iter().for_each(|part| flatten(part, items)),
        Node::Group(group, body) => {
            items.push(Item::Mark(2 * group));
            flatten(body, items);
            items.push(Item::Mark(2 * group + 1));
        }
        Node::Repeat { min: 1, max: Some(1), body, .. } => flatten(body, items),
        Node::Repeat { min, max, body, .. } => items.push(match &**body {
            Node::Char(set) if *max == Some(*min) => Item::Fixed(set.ascii(), *min as usize),
            Node::Char(set) => Item::Some { set: set.ascii(), is_empty: *min == 0 },
            _ => Item::Other,
        }),
        _ => items.push(Item::Other),
    }
}

/// Whether every match begins at the start of the text.
fn begins_at_start(node: &Node) -> bool {
    match node {
        Node::Anchor(Anchor::TextStart) => true,
        Node::Group(_, body) => begins_at_start(body),
        Node::Sequence(parts) => parts.first().is_some_and(begins_at_start),
        _ => false,
    }
}

/// Returns the steps through these items, as far as they are certain.
fn steps(items: impl Iterator<Item = Item> + Clone) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = items;
    while let Some(item) = rest.next() {
        steps.push(match item {
            Item::Fixed(_, count) => Step::Skip(count),
            Item::Some { set, .. } if ends_before(set, rest.clone()) => Step::Run(set),
            Item::Mark(slot) => Step::Mark(slot),
            Item::Some { .. } | Item::Other => break,
        });
    }
    steps
}

/// Whether what follows always begins with a character that is not in the set.
fn ends_before(set: u128, items: impl Iterator<Item = Item>) -> bool {
    for item in items {
        match item {
            Item::Fixed(_, 0) | Item::Mark(_) => {}
            Item::Fixed(other, _) => return other & set == 0,
            Item::Some { set: other, .. } if other & set != 0 => return false,
            Item::Some { is_empty: true, .. } => {}
            Item::Some { .. } => return true,
            Item::Other => return false,
        }
    }
    false
}

fn marks(steps: &[Step]) -> impl Iterator<Item = usize> {
    steps.iter().filter_map(|step| if let Step::Mark(slot) = step { Some(*slot) } else { None })
}

/// Leaves out what follows the last of these slots, and other slots.
fn cut(steps: &mut Vec<Step>, wanted: &[usize]) {
    steps.retain(|step| !matches!(step, Step::Mark(slot) if !wanted.contains(slot)));
    let last = steps.iter().rposition(|step| matches!(step, Step::Mark(_)));
    steps.truncate(last.map_or(0, |last| last + 1));
    // Characters in sequence are skipped at once.
    steps.dedup_by(|next, before| {
        let (Step::Skip(more), Step::Skip(count)) = (next, before) else { return false };
        *count += *more;
        true
    });
}

#[cfg(test)]
mod tests {
    use crate::re::{Groups, Pattern};

    /// Texts of few characters, so that many of them match.
    fn texts() -> impl Iterator<Item = String> {
        (0..20_000_u32).map(|n| {
            let mut state = n.wrapping_mul(2_654_435_761).max(1);
            let mut text = String::new();
            for _ in 0..n % 17 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                text.push(char::from(b"aab1 2:bA\n"[(state % 10) as usize]));
            }
            text
        })
    }

    #[test]
    fn where_it_is_certain_the_groups_are_those_of_a_search() {
        for (expression, is_certain) in [
            (r"a(\d+) ", true),
            (r"(\d+)", false),
            (r"a.*b(?P<x>[\d:]+) (b*)", true),
            (r"a.* (?P<x>[\d:]+)b\d+", true),
            (r"a.*? (?P<x>[\d:]*)b+(?P<y>\d?) +", true),
            (r"^(a*)(b+)", true),
            (r"^(a*)[ab]+", false),
            (r"^(?P<x>\w+) .* (?P<y>[^ ]+)$", true),
            (r"(?P<x>.*)b(?P<y>\d*)$", false),
            (r"a(?P<x>.*) (?P<y>\d*)b$", false),
            (r"(?i)A(b{2})\d", true),
            (r"(?:a|b1)(\d*):", false),
            (r"^((a)(b?)(\d))", true),
            (r"(a)?b", false),
            (r"(?s)a(.) (.*)b", false),
            (r"(?m)^(a+)[ b]", false),
            (r"(?m) (a+)$", true),
            (r"(?:a)(b{0})(1{2,3}) ", true),
        ] {
            let pattern = Pattern::new(expression).unwrap();
            let all: Vec<usize> = (1..=pattern.group_count()).collect();
            let wanted = pattern.wanted(all.clone());
            assert_eq!(wanted.is_certain(), is_certain, "{expression}");
            let (mut found, mut expected) = (Groups::default(), Groups::default());
            let mut matches = 0;
            for text in texts() {
                let is_found = pattern.search_wanted(&text, &wanted, &mut found).unwrap();
                assert_eq!(is_found, pattern.search(&text, &mut expected).unwrap(), "{expression} {text:?}");
                for group in &all {
                    assert_eq!(found.get(*group), expected.get(*group), "{expression} {group} {text:?}");
                }
                matches += u32::from(is_found);
            }
            assert!(matches > 20, "{expression} {matches}");
        }
    }

    #[test]
    fn other_texts_and_other_expressions_are_searched_as_usual() {
        let mut groups = Groups::default();
        let mut found = |expression: &str, text: &str, wanted: &[usize]| {
            let pattern = Pattern::new(expression).unwrap();
            let is_found =
                pattern.search_wanted(text, &pattern.wanted(wanted.to_vec()), &mut groups).unwrap();
            is_found.then(|| {
                wanted.iter().map(|group| groups.get(*group).map(|at| text[at].to_owned())).collect()
            })
        };
        let texts =
            |texts: &[&str]| Some(texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>());
        assert_eq!(found(r"é (\w+) \d", "é über 1", &[1]), texts(&["über"]));
        assert_eq!(found(r"(a+)(?=b) ?(b)", "xaab", &[1, 2]), texts(&["aa", "b"]));
        assert_eq!(found(r"(?P<x>\d+)a$", "x12a\n", &[1]), None::<Vec<_>>.or(texts(&["12"])));
        // Only one of the groups is wanted.
        assert_eq!(found(r"(a|b)+ (\d+)b", "ab 12b", &[2]), texts(&["12"]));
        assert_eq!(found(r"(a|b)+ (\d+)b", "ab 12", &[2]), None);
    }
}

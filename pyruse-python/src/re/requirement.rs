//! Texts of which one must occur wherever an expression is found.
//!
//! What enters is a tree; what leaves is a few short texts, such as `failed password for`. A text in which none of them
//! occurs need not be searched: that is soon seen, for many expressions at once (see [`super::Candidates`]).
//!
//! ASCII letters are compared without case, always: a requirement may be weaker than the expression, never stronger.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::ast::{Greed, Node};
use super::charset::CharSet;

/// A shorter text would occur nearly everywhere.
const SHORTEST: usize = 3;
/// So many texts one expression may ask for.
const MOST: usize = 16;

/// What must occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requirement {
    /// One of these, in small letters; none: nothing is known.
    pub(super) texts: Vec<String>,
    /// A letter stands for one beyond ASCII too (`k` for the sign of Kelvin): nothing is known of such texts.
    pub(super) ascii_only: bool,
}

impl Requirement {
    pub(super) fn of(root: &Node) -> Requirement {
        let mut search = Search::default();
        search.node(root);
        search.end_of_run();
        search.best
    }

    /// Nothing is known.
    pub(super) fn is_void(&self) -> bool {
        self.texts.is_empty()
    }

    /// The better of two is the one whose shortest text is longer.
    fn quality(&self) -> usize {
        self.texts.iter().map(String::len).min().unwrap_or(0)
    }
}

/// Finds these texts, however many they are; `None` where the automaton would be too large.
pub(super) fn automaton<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<AhoCorasick> {
    AhoCorasickBuilder::new().ascii_case_insensitive(true).build(texts).ok()
}

/// On the way through a tree: the text that characters have made so far, and the best requirement.
#[derive(Default)]
struct Search {
    run: String,
    ascii_only: bool,
    best: Requirement,
}

impl Search {
    fn node(&mut self, node: &Node) {
        match node {
            // They take no room: what stands before them is followed by what stands behind.
            Node::Empty | Node::Barrier | Node::Anchor(_) | Node::Look { .. } => {}
            Node::Char(set) => match letter(set) {
                Some((letter, is_ascii)) => {
                    self.run.push(letter);
                    self.ascii_only |= !is_ascii;
                }
                None => self.end_of_run(),
            },
            Node::Sequence(parts) => parts.iter().for_each(|part| self.node(part)),
            Node::Group(_, body) | Node::Atomic(body) => self.node(body),
            Node::Repeat { min, max, greed, body, .. } => {
                let once = (*min, *max) == (1, Some(1)) && *greed != Greed::Possessive;
                if !once {
                    self.end_of_run();
                }
                if *min > 0 {
                    self.node(body);
                }
                if !once {
                    self.end_of_run();
                }
            }
            Node::Alternatives(choices) => {
                self.end_of_run();
                self.consider_any(choices);
            }
            Node::Never | Node::BackReference(..) | Node::Condition { .. } => self.end_of_run(),
        }
    }

    /// One of these is found: so one of all their texts is.
    fn consider_any(&mut self, choices: &[Node]) {
        let mut all = Requirement::default();
        for choice in choices {
            let one = Requirement::of(choice);
            if one.is_void() || all.texts.len() + one.texts.len() > MOST {
                return;
            }
            all.texts.extend(one.texts);
            all.ascii_only |= one.ascii_only;
        }
        all.texts.sort_unstable();
        all.texts.dedup();
        self.consider(all);
    }

    fn end_of_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        let ascii_only = std::mem::take(&mut self.ascii_only);
        if run.len() >= SHORTEST {
            self.consider(Requirement { texts: vec![run], ascii_only });
        }
    }

    fn consider(&mut self, found: Requirement) {
        if found.quality() > self.best.quality() {
            self.best = found;
        }
    }
}

/// The one ASCII letter, in either case, that a set stands for; and whether for nothing beyond ASCII.
fn letter(set: &CharSet) -> Option<(char, bool)> {
    let members = set.within_ascii();
    let code = match members[..] {
        [(only, last)] if only == last => only,
        [(upper, a), (lower, b)] if upper == a && lower == b && lower == upper + 32 => lower,
        _ => return None,
    };
    let letter = char::from_u32(code)?.to_ascii_lowercase();
    // `[Aa]` is a pair of cases, `[@`]` is not.
    (members.len() == 1 || letter.is_ascii_alphabetic()).then(|| (letter, !set.is_wide()))
}

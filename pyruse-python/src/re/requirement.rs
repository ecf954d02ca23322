//! Texts of which one must occur wherever an expression is found.
//!
//! In: a tree. Out: a few short texts, such as `failed password for`. A text that contains none of them need not be
//! searched. One fast pass checks that for many expressions at once (see [`super::Candidates`]).
//!
//! ASCII letters are always compared ignoring case: a requirement may be weaker than the expression, never stronger.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::ast::{Greed, Node};
use super::charset::CharSet;

/// A shorter text would occur nearly everywhere.
const SHORTEST: usize = 3;
/// The maximum number of texts that one expression may require.
const MOST: usize = 16;

/// The texts of which one must occur.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requirement {
    /// One of these, in lower case; if empty, nothing is known.
    pub(super) texts: Vec<String>,
    /// If it is only one, and no letter of it may be in the other case: how it is written.
    pub(super) exact: Option<String>,
    /// A letter also stands for one beyond ASCII (`k` for the Kelvin sign): nothing is known of such texts.
    pub(super) ascii_only: bool,
}

impl Requirement {
    pub(super) fn of(root: &Node) -> Requirement {
        let mut search = Search::default();
        search.node(root);
        search.end_of_run();
        search.best
    }

    /// Whether nothing is known.
    pub(super) fn is_void(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the length of the shortest text: of two requirements, the one with the higher value is better.
    fn quality(&self) -> usize {
        self.texts.iter().map(String::len).min().unwrap_or(0)
    }
}

/// Builds an automaton that finds these texts, however many they are; `None` where it would be too large.
pub(super) fn automaton<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<AhoCorasick> {
    AhoCorasickBuilder::new().ascii_case_insensitive(true).build(texts).ok()
}

/// A walk through a tree: the text of the characters so far, and the best requirement.
#[derive(Default)]
struct Search {
    run: String,
    /// As it is written; shorter if a letter of it may be in the other case.
    exact: String,
    ascii_only: bool,
    best: Requirement,
}

impl Search {
    fn node(&mut self, node: &Node) {
        match node {
            // They consume nothing: what is after them directly follows what is before.
            Node::Empty | Node::Barrier | Node::Anchor(_) | Node::Look { .. } => {}
            Node::Char(set) => match letter(set) {
                Some((letter, is_ascii)) => {
                    self.run.push(letter);
                    self.exact.extend(set.only());
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

    /// One of these choices is found, so one of all their texts is found.
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
        let exact = Some(std::mem::take(&mut self.exact)).filter(|exact| exact.len() == run.len());
        let ascii_only = std::mem::take(&mut self.ascii_only);
        if run.len() >= SHORTEST {
            self.consider(Requirement { texts: vec![run], exact, ascii_only });
        }
    }

    fn consider(&mut self, found: Requirement) {
        if found.quality() > self.best.quality() {
            self.best = found;
        }
    }
}

/// Returns the one ASCII letter, in either case, that a set stands for, and whether it stands for nothing beyond ASCII.
fn letter(set: &CharSet) -> Option<(char, bool)> {
    let members = set.within_ascii();
    let code = match members[..] {
        [(only, last)] if only == last => only,
        [(upper, a), (lower, b)] if upper == a && lower == b && lower == upper + 32 => lower,
        _ => return None,
    };
    let letter = char::from_u32(code)?.to_ascii_lowercase();
    // `[Aa]` is one letter in both cases; `[@`]` is not.
    (members.len() == 1 || letter.is_ascii_alphabetic()).then(|| (letter, !set.is_wide()))
}

//! One compiled expression: its properties and its searches.

use std::ops::Range;
use std::sync::Arc;

use super::analysis::{self, Facts};
use super::engine::Engines;
use super::error::{MatchError, PatternError};
use super::injection::{self, Injection, Target};
use super::linear::Slots;
use super::places::Places;
use super::requirement::Requirement;
use super::tree::Tree;

/// One compiled expression. A clone shares its memory.
#[derive(Debug, Clone)]
pub struct Pattern(pub(super) Arc<Compiled>);

#[derive(Debug)]
pub(super) struct Compiled {
    source: String,
    groups: usize,
    names: Vec<(usize, String)>,
    facts: Facts,
    engines: Engines,
}

impl Compiled {
    fn new(expression: &str) -> Result<Self, PatternError> {
        let Tree { root, widths, names } = Tree::new(expression)?;
        let facts = analysis::facts(&root);
        let groups = widths.len() - 1;
        let engines = Engines::new(root, widths, facts).map_err(|message| PatternError::new(0, message))?;
        Ok(Self { source: expression.to_owned(), groups, names, facts, engines })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// Fails for what Python refuses, and for the few constructs that no engine here can run with Python's meaning.
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        Compiled::new(expression).map(|compiled| Self(Arc::new(compiled)))
    }

    /// Returns the expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Returns the number of capturing groups, without group 0 (the whole match).
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.0.groups
    }

    /// Returns the number (from 1) and the name of each named group, in order of number.
    pub fn group_names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.names.iter().map(|(group, name)| (*group, name.as_str()))
    }

    /// Whether every text needs the backtracking machine.
    #[must_use]
    pub fn is_backtracking(&self) -> bool {
        self.0.facts.backtracking
    }

    /// Whether the expression refers to what its own groups took. A search for such a one may be given up in a short
    /// text.
    #[must_use]
    pub fn refers_back(&self) -> bool {
        self.0.facts.references
    }

    /// Returns up to which length, in bytes, texts are searched to the end, even those that an attacker makes for this
    /// expression. It is at least 64 KiB for nearly all expressions that do not refer to groups. The length is found by
    /// a trial, which takes some milliseconds for some expressions. It says nothing about expressions that refer to
    /// groups.
    ///
    /// ```
    /// use pyruse_python::re::Pattern;
    ///
    /// assert!(Pattern::new(r"(?:\s(?!e)\S+){1,40}").unwrap().searched_length() > 64 << 10);
    /// assert!(Pattern::new(r"(?:a|ab|b(?!c)){1,90}x").unwrap().searched_length() < 64 << 10);
    /// ```
    #[must_use]
    pub fn searched_length(&self) -> usize {
        self.0.engines.searched_length()
    }

    /// Returns the byte offset of the name or number of the group in its last condition: `(?(1)a|b)`.
    #[must_use]
    pub fn last_condition(&self) -> Option<usize> {
        analysis::last_condition(self.0.engines.root())
    }

    /// Whether the expression begins at the start of the text, with something of its own choice, in every alternative.
    #[must_use]
    pub fn begins_with_text(&self) -> bool {
        analysis::begins_with_text(self.0.engines.root())
    }

    /// Returns why the author of a part of a text can choose what a group takes; `None` if its position is certain.
    ///
    /// ```
    /// use pyruse_python::re::{Injection, Pattern, Target};
    ///
    /// let address = Target { alphabet: "0123456789.", own_words: &[] };
    /// // The user name `x from 192.0.2.1` chooses the address.
    /// let pattern = Pattern::new(r"Failed .* from (\S+)").unwrap();
    /// assert_eq!(pattern.injection(1, &address), Some(Injection::Unanchored));
    /// let pattern = Pattern::new(r"Failed .* from (\S+) port \d+$").unwrap();
    /// assert_eq!(pattern.injection(1, &address), None);
    /// ```
    #[must_use]
    pub fn injection(&self, group: usize, target: &Target<'_>) -> Option<Injection> {
        injection::injection(self.0.engines.root(), group, target)
    }

    /// Returns the texts of which one must occur wherever the expression is found.
    pub(super) fn requirement(&self) -> &Requirement {
        self.0.engines.requirement()
    }

    /// Whether the text is too short, or lacks a text that must occur wherever the expression is found. If false, the
    /// expression may or may not be found.
    #[must_use]
    pub fn is_out_of_question(&self, text: &str) -> bool {
        self.0.engines.is_out_of_question(text)
    }

    /// Whether the expression is found anywhere: Python's `re.search` without the groups, and so faster.
    ///
    /// # Errors
    /// Fails if the search is given up.
    pub fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        self.0.engines.is_match(text)
    }

    /// Finds the first match: Python's `re.search`. If this returns true, `groups` holds the spans; otherwise it is
    /// empty.
    ///
    /// # Errors
    /// Fails if the search is given up.
    pub fn search(&self, text: &str, groups: &mut Groups) -> Result<bool, MatchError> {
        self.0.engines.search(text, &mut groups.slots)
    }

    /// Prepares searches for which only these groups are wanted.
    #[must_use]
    pub fn wanted(&self, groups: impl IntoIterator<Item = usize>) -> Wanted {
        let groups: Vec<usize> = groups.into_iter().collect();
        Wanted(Places::of(self.0.engines.root(), &groups))
    }

    /// Like [`Pattern::search`], but faster: `groups` need only hold the groups that are wanted, which
    /// [`Pattern::wanted`] of the same pattern returned.
    ///
    /// # Errors
    /// Fails if the search is given up.
    pub fn search_wanted(
        &self,
        text: &str,
        wanted: &Wanted,
        groups: &mut Groups,
    ) -> Result<bool, MatchError> {
        self.0.engines.search_for(text, wanted.0.as_ref(), &mut groups.slots)
    }
}

/// The groups of a pattern that are wanted; see [`Pattern::wanted`].
#[derive(Debug)]
pub struct Wanted(Option<Places>);

impl Wanted {
    /// Whether one end of a match decides where each of them is: for tests.
    #[cfg(test)]
    pub(super) fn is_certain(&self) -> bool {
        self.0.is_some()
    }
}

/// What the groups of a match took. It can be used again for the next search, with any pattern.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    slots: Slots,
}

impl Groups {
    /// Returns the bytes of the text that a group took; group 0 is the whole match. `None`: the group took no part.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        let [start, end] = self.slots.as_chunks().0.get(group)?;
        Some((*start)?.get()..(*end)?.get())
    }

    /// Returns the number of groups, group 0 included; 0 if nothing was found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() / 2
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

//! One expression, compiled: what is known of it, and its searches.

use std::ops::Range;
use std::sync::Arc;

use super::analysis::{self, Facts};
use super::engine::Engines;
use super::error::{MatchError, PatternError};
use super::injection::{self, Injection, Target};
use super::linear::Slots;
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
    /// What Python refuses, and the little that no engine here can run with Python's meaning.
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        Compiled::new(expression).map(|compiled| Self(Arc::new(compiled)))
    }

    /// The expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Number of capturing groups, group 0 (the whole match) not counted.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.0.groups
    }

    /// Number (from 1) and name of the named groups, in order of number.
    pub fn group_names(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.names.iter().map(|(group, name)| (*group, name.as_str()))
    }

    /// Does it need the machine that backtracks for every text?
    #[must_use]
    pub fn is_backtracking(&self) -> bool {
        self.0.facts.backtracking
    }

    /// Does it refer to what its own groups took? Only then may a search be given up that people would write.
    #[must_use]
    pub fn refers_back(&self) -> bool {
        self.0.facts.references
    }

    /// The byte offset of its last condition, which it says by the name or number of a group: `(?(1)a|b)`.
    #[must_use]
    pub fn last_condition(&self) -> Option<usize> {
        analysis::last_condition(self.0.engines.root())
    }

    /// Does it begin at the start of the text, with something of its own choice, whichever alternative is taken?
    #[must_use]
    pub fn begins_with_text(&self) -> bool {
        analysis::begins_with_text(self.0.engines.root())
    }

    /// Can somebody who writes a part of a text choose what a group takes? Then why; none: its place is certain.
    ///
    /// ```
    /// use pyruse_python::re::{Injection, Pattern, Target};
    ///
    /// let address = Target { alphabet: "0123456789.", own_words: &[] };
    /// // Whose name is `x from 192.0.2.1` chooses the address.
    /// let pattern = Pattern::new(r"Failed .* from (\S+)").unwrap();
    /// assert_eq!(pattern.injection(1, &address), Some(Injection::Unanchored));
    /// let pattern = Pattern::new(r"Failed .* from (\S+) port \d+$").unwrap();
    /// assert_eq!(pattern.injection(1, &address), None);
    /// ```
    #[must_use]
    pub fn injection(&self, group: usize, target: &Target<'_>) -> Option<Injection> {
        injection::injection(self.0.engines.root(), group, target)
    }

    /// What must occur wherever it is found.
    pub(super) fn requirement(&self) -> &Requirement {
        self.0.engines.requirement()
    }

    /// Is the text too short, or does it lack what must occur wherever the expression is found? If not, nothing is
    /// said.
    #[must_use]
    pub fn is_out_of_question(&self, text: &str) -> bool {
        self.0.engines.is_out_of_question(text)
    }

    /// Is it found anywhere? Python's `re.search`, without the groups, and so faster.
    ///
    /// # Errors
    /// When the search is given up.
    pub fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        self.0.engines.is_match(text)
    }

    /// Where is it found first? Python's `re.search`. When this returns true, `groups` holds the
    /// spans; otherwise it is empty.
    ///
    /// # Errors
    /// When the search is given up.
    pub fn search(&self, text: &str, groups: &mut Groups) -> Result<bool, MatchError> {
        self.0.engines.search(text, &mut groups.slots)
    }
}

/// What the groups of a match took. To be used again for the next search, with any pattern.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    slots: Slots,
}

impl Groups {
    /// The bytes of the text that a group took; group 0 is the whole match. None: it took no part.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<Range<usize>> {
        let [start, end] = self.slots.as_chunks().0.get(group)?;
        Some((*start)?.get()..(*end)?.get())
    }

    /// Number of groups, group 0 included; 0 if nothing was found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() / 2
    }

    /// Was nothing found?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

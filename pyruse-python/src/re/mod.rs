//! Expressions in the syntax of Python's `re` (version 3.11, on `str`), run by Rust engines.
//!
//! What enters is an expression as users wrote it for Python; what leaves is a [`Pattern`] that
//! finds exactly what Python's `re.search` finds, or a [`PatternError`]. An expression is never run
//! with another meaning: the text is read by a parser that follows Python's grammar, and what is
//! written for the engines is a small language of explicit sets that mean the same to them.
//!
//! Regular expressions proper run in linear time. Those with back-references, look-around, conditions, atomic groups or
//! possessive quantifiers, and the few texts on which no linear program is exact, are run by a machine that backtracks, but
//! remembers: its time grows with the length of the text, too, unless the expression refers to what groups took. No search
//! takes longer than some milliseconds; one that would is given up.
//!
//! Known to differ: characters that were assigned after Unicode 14 (the one of Python 3.11) may be
//! letters or digits or have case here.
//!
//! Refused though Python takes them, always with a message that says so: `\N{…}`; surrogates; the flag
//! `t`; conditions on a group that is still open, or inside of look-around, atomic groups or
//! possessive repetitions; repeated look-around with groups; bounded repetitions of what prefers to be
//! empty (`(|a){0,3}`), and a few more loops over groups that may be empty; possessive repetitions of a choice between groups, capitals beyond U+FFFF with
//! `i`, and classes in `(?a:…)` where Python itself goes wrong; group numbers written as only Python's
//! `int` reads them; groups nested deeper than 200; and what is too large.

mod advice;
mod analysis;
mod ast;
mod candidates;
mod casefold;
mod charset;
mod chosen;
mod cursor;
mod emit;
mod emit_leaf;
mod engine;
mod error;
mod escape;
mod flags;
mod group;
mod inline;
mod linear;
mod loops;
mod machine;
mod name;
mod parse;
mod refusals;
mod requirement;
mod screen;
mod set;
mod width;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use requirement::Requirement;

pub use advice::{Tag, advice, fail2ban_tags};
pub use analysis::refers_back_by;
pub use candidates::Candidates;
pub use chosen::{Doubt, begins_with_text, doubt};
pub use error::{MatchError, PatternError};

/// One compiled expression.
///
/// One that is in use already is not compiled again, but shared: a configuration is compiled twice before it is taken
/// up, and configurations say the same thing in several places.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: String,
    groups: usize,
    names: Vec<(usize, String)>,
    facts: analysis::Facts,
    engines: engine::Engines,
}

impl Compiled {
    fn new(expression: &str) -> Result<Self, PatternError> {
        let parsed = parse::parse(expression)?;
        analysis::check_size(&parsed.root)?;
        let facts = analysis::facts(&parsed.root);
        let groups = parsed.widths.len() - 1;
        let engines = engine::Engines::new(parsed.root, parsed.widths, facts)
            .map_err(|message| PatternError::new(0, message))?;
        Ok(Self { source: expression.to_owned(), groups, names: parsed.names, facts, engines })
    }
}

/// The expressions that are in use somewhere.
#[derive(Default)]
struct InUse {
    known: HashMap<String, Weak<Compiled>>,
    /// When it has grown to so many, those that are used no more are swept out.
    sweep_at: usize,
}

static IN_USE: LazyLock<Mutex<InUse>> = LazyLock::new(Mutex::default);

impl InUse {
    fn put(&mut self, compiled: &Arc<Compiled>) {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, known| known.strong_count() > 0);
            self.sweep_at = 2 * self.known.len().max(64);
        }
        self.known.insert(compiled.source.clone(), Arc::downgrade(compiled));
    }
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What Python refuses, and the little that no engine here can run with Python's meaning.
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = in_use.known.get(expression).and_then(Weak::upgrade) {
            return Ok(Self(known));
        }
        let compiled = Arc::new(Compiled::new(expression)?);
        in_use.put(&compiled);
        Ok(Self(compiled))
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

    /// What must occur wherever it is found.
    fn requirement(&self) -> &Requirement {
        self.0.engines.requirement()
    }

    /// Is the text too short, or does it lack what must occur wherever the expression is found? If not, nothing is said.
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
    slots: linear::Slots,
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

#[cfg(test)]
mod tests;

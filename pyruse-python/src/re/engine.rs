//! The engines behind one expression.
//!
//! What enters is a text; what leaves is where the expression is found in it. A regular expression has a linear engine
//! for each form of text that its anchors tell apart. The form that log lines nearly always have (ASCII, without a
//! newline at the end) is built at once: without Unicode it is small and soon made. The others are built when a text
//! first needs them. All else, and the few texts for which no linear program is exact, are run by the machine (see
//! [`super::machine`]); on long texts, after a look whether they can hold the expression at all ([`super::screen`]).
//!
//! No search takes long, whatever the expression and the text. The linear engine's time grows with the text times the
//! expression; where that product is large, the machine searches too, since it counts.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::analysis::{Facts, size, unicode_states};
use super::ast::Node;
use super::emit::emit;
use super::error::MatchError;
use super::form::Form;
use super::linear::{Linear, Slots};
use super::machine::{Machine, SOON, STEPS};
use super::requirement::{Requirement, automaton};
use super::screen::{Look, Screen};
use super::width::{Width, width};

/// A program of so many states, by [`unicode_states`], is not built for texts beyond ASCII: it would take a megabyte or
/// more, as much again for what searches keep, and the first search that needs it would take as long as a hundred others.
pub(super) const MANY_STATES: u64 = 10_000;

/// Bytes of the text times parts of the expression that the linear engine takes: for each of them it may need some 15 ns.
const MOST_WORK: u64 = 500_000;
/// Bytes of a text that is worth a look at once.
const LONG: usize = 1 << 10;

/// The form that nearly all texts have.
const USUAL: Form = Form { newline_at_end: false, ascii: true, loose: false };

/// All engines of one expression.
#[derive(Debug)]
pub(super) struct Engines {
    root: Node,
    /// The widths of its groups.
    widths: Vec<Option<Width>>,
    facts: Facts,
    /// A shorter text, in bytes, cannot hold it.
    shortest: usize,
    requirement: Requirement,
    /// Finds what must occur, once it is asked for: before the engines that are slow.
    required: OnceLock<Option<AhoCorasick>>,
    /// For the usual form, unless it is not regular.
    usual: Option<Linear>,
    /// For the other forms, by [`slot`]; none where it is too large.
    others: [OnceLock<Option<Linear>>; 4],
    /// For everything.
    machine: OnceLock<Machine>,
    /// For looks at texts beyond ASCII, and at ASCII.
    screens: [OnceLock<Option<Screen>>; 2],
    /// Parts of the expression, once all repetitions are written out.
    size: u64,
}

/// Who searches a text.
enum Searcher<'e> {
    /// Nobody: it cannot be found in it.
    Nobody,
    Linear(&'e Linear),
    Machine(&'e Machine),
}

impl Engines {
    /// Builds the engine for the usual form. An error is the engine's own message.
    pub(super) fn new(root: Node, widths: Vec<Option<Width>>, facts: Facts) -> Result<Self, String> {
        let size = size(&root);
        let usual = if facts.backtracking { None } else { Some(Linear::new(&emit(&root, USUAL), size)?) };
        let engines = Self {
            facts,
            size,
            shortest: usize::try_from(width(&root, &widths).least).unwrap_or(usize::MAX),
            requirement: Requirement::of(&root),
            root,
            widths,
            required: OnceLock::new(),
            usual,
            others: [const { OnceLock::new() }; 4],
            machine: OnceLock::new(),
            screens: [const { OnceLock::new() }; 2],
        };
        if engines.usual.is_none() {
            engines.machine();
        }
        Ok(engines)
    }

    fn machine(&self) -> &Machine {
        self.machine.get_or_init(|| Machine::new(&self.root, &self.widths))
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        match self.searcher(text) {
            Searcher::Nobody => Ok(false),
            Searcher::Linear(regex) => Ok(regex.is_match(text)),
            Searcher::Machine(machine) => {
                self.in_two_goes(text, |from, steps| machine.is_match(text, from, steps))
            }
        }
    }

    /// On success, `slots` holds where each group began and ended; otherwise it is empty.
    pub(super) fn search(&self, text: &str, slots: &mut Slots) -> Result<bool, MatchError> {
        slots.clear();
        match self.searcher(text) {
            Searcher::Nobody => {}
            Searcher::Linear(regex) => regex.search(text, slots),
            Searcher::Machine(machine) => {
                self.in_two_goes(text, |from, steps| machine.search(text, from, steps, slots))?;
            }
        }
        Ok(!slots.is_empty())
    }

    /// Is it too short, or does it lack what must occur?
    pub(super) fn is_out_of_question(&self, text: &str) -> bool {
        text.len() < self.shortest || self.lacks_required(text)
    }

    fn lacks_required(&self, text: &str) -> bool {
        if self.requirement.is_void() || (self.requirement.ascii_only && !text.is_ascii()) {
            return false;
        }
        let texts = self.requirement.texts.iter().map(String::as_str);
        let required = self.required.get_or_init(|| automaton(texts));
        required.as_ref().is_some_and(|required| !required.is_match(text))
    }

    /// The expression.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// What must occur.
    pub(super) fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    fn searcher(&self, text: &str) -> Searcher<'_> {
        if text.len() < self.shortest {
            return Searcher::Nobody;
        }
        let form = self.form_of(text);
        if (form != Some(USUAL) || self.facts.backtracking) && self.lacks_required(text) {
            return Searcher::Nobody;
        }
        let is_quick = self.size.saturating_mul(text.len() as u64) <= MOST_WORK;
        if let Some(linear) = form.filter(|_| is_quick).and_then(|form| self.linear(form)) {
            return Searcher::Linear(linear);
        }
        Searcher::Machine(self.machine())
    }

    /// What the machine says, from a byte on and within so many steps. What is not soon done is worth a look first.
    fn in_two_goes(
        &self,
        text: &str,
        mut run: impl FnMut(usize, u32) -> Result<bool, MatchError>,
    ) -> Result<bool, MatchError> {
        if text.len() <= LONG
            && let Ok(answer) = run(0, SOON)
        {
            return Ok(answer);
        }
        match self.look(text) {
            Look::Nowhere => Ok(false),
            Look::From(start) => run(start, STEPS),
        }
    }

    /// Can it be found, and where at the earliest?
    fn look(&self, text: &str) -> Look {
        let ascii = text.is_ascii();
        let screen = self.screens[usize::from(ascii)].get_or_init(|| {
            let form = Form { newline_at_end: true, ascii, loose: true };
            let is_small = ascii || unicode_states(&self.root) <= MANY_STATES;
            is_small.then(|| Screen::new(&emit(&self.root, form))).flatten()
        });
        screen.as_ref().map_or(Look::From(0), |screen| screen.look(text))
    }

    /// The linear engine for a form of texts, if there is one.
    fn linear(&self, form: Form) -> Option<&Linear> {
        let usual = self.usual.as_ref()?;
        if form == USUAL {
            return Some(usual);
        }
        let states = if form.ascii { self.size } else { unicode_states(&self.root) };
        let cell = self.others.get(slot(form))?;
        cell.get_or_init(|| {
            let build = || Linear::new(&emit(&self.root, form), states).ok();
            (form.ascii || states <= MANY_STATES).then(build).flatten()
        })
        .as_ref()
    }

    /// What is known of a text, as far as this expression cares; none: there is no linear program for it.
    fn form_of(&self, text: &str) -> Option<Form> {
        let mut form = USUAL;
        if self.facts.backtracking || (self.facts.inner && text.is_empty()) {
            // Python finds no `\B` where there is no text at all.
            return None;
        }
        if self.facts.dollar
            && let Some(before) = text.strip_suffix('\n')
        {
            // `$` is the end of a line, if there are no others.
            form.newline_at_end = true;
            if before.contains('\n') {
                return None;
            }
        }
        form.ascii = text.is_ascii();
        (form.ascii || !self.facts.boundary || !has_uncertain_letter(text)).then_some(form)
    }
}

/// The place of a form among the unusual ones.
fn slot(form: Form) -> usize {
    usize::from(form.newline_at_end) * 2 + usize::from(form.ascii)
}

/// Is there a character that only one of Python and the linear engine takes for a letter?
fn has_uncertain_letter(text: &str) -> bool {
    static UNCERTAIN: OnceLock<Option<Linear>> = OnceLock::new();
    UNCERTAIN
        .get_or_init(|| Linear::new(r"[\w~~[\p{L}\p{N}_]]", 0).ok())
        .as_ref()
        .is_none_or(|uncertain| uncertain.is_match(text))
}

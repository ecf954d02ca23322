//! The engines of one expression.
//!
//! In: a text. Out: where the expression is found in it. Texts of the form of nearly all log lines (ASCII, without a
//! newline at the end) are searched without tables, if the expression is simple enough ([`super::direct`]). A regular
//! expression also has a linear engine for each form of text that its anchors distinguish, which is built when a text
//! first needs it. The machine (see [`super::machine`]) runs all other expressions, and the few texts for which no
//! linear program is exact. Before it searches a long text, [`super::screen`] checks whether the text can contain the
//! expression at all.
//!
//! No search takes long, whatever the expression and the text are. The linear engine's time grows with the length of
//! the text times the size of the expression. Where that product is large, the machine searches too, because it counts
//! its steps.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

use super::analysis::{Facts, size, unicode_states};
use super::ast::Node;
use super::direct::{Direct, prefix};
use super::emit::emit;
use super::error::MatchError;
use super::form::Form;
use super::linear::{Linear, Slots};
use super::machine::{Machine, SOON, STEPS};
use super::places::Places;
use super::requirement::{Requirement, automaton};
use super::screen::{Look, Screen};
use super::width::{Width, width};

/// A program of this many states, by [`unicode_states`], is not built for texts beyond ASCII. It would need a megabyte
/// or more, and as much again for what searches keep. The first search that needs it would take as long as a hundred
/// others.
pub(super) const MANY_STATES: u64 = 10_000;

/// The maximum of the text's bytes times the expression's parts for the linear engine, which may need about 15 ns for
/// each.
const MOST_WORK: u64 = 500_000;
/// A longer text, in bytes, is screened before the machine runs.
const LONG: usize = 1 << 10;

/// The program of an expression with at most this many parts is never too large. It is built when it is first needed, if
/// there is another way to search.
const FEW: u64 = 1000;

/// The form of nearly all texts.
const USUAL: Form = Form { newline_at_end: false, ascii: true, loose: false };

/// All engines of one expression.
#[derive(Debug)]
pub(super) struct Engines {
    root: Node,
    /// The widths of its groups.
    widths: Vec<Option<Width>>,
    facts: Facts,
    /// The minimum length, in bytes, of a text that can contain the expression.
    shortest: usize,
    requirement: Requirement,
    /// Finds the required texts; built when first needed. It runs before the slow engines.
    required: OnceLock<Option<AhoCorasick>>,
    /// The beginning of every text that contains the expression.
    prefix: String,
    /// The search without tables for the usual form, if the expression is of that kind.
    direct: Option<Direct>,
    /// The linear engines for each form, by [`slot`]; `None` where one is too large.
    linear: [OnceLock<Option<Linear>>; 4],
    /// The engine for everything else.
    machine: OnceLock<Machine>,
    /// The screens for texts beyond ASCII, and for ASCII texts.
    screens: [OnceLock<Option<Screen>>; 2],
    /// The number of parts of the expression, with all repetitions written out.
    size: u64,
}

/// The engine that searches a text.
enum Searcher<'e> {
    /// No engine is needed: the text cannot contain the expression.
    Unneeded,
    Linear(&'e Linear),
    Machine(&'e Machine),
}

impl Engines {
    /// Builds the engine for the usual form. An error is the engine's own message.
    pub(super) fn new(root: Node, widths: Vec<Option<Width>>, facts: Facts) -> Result<Self, String> {
        let size = size(&root);
        let direct = if facts.backtracking { None } else { Direct::of(&root, widths.len() - 1) };
        let engines = Self {
            facts,
            size,
            shortest: usize::try_from(width(&root, &widths).least).unwrap_or(usize::MAX),
            requirement: Requirement::of(&root),
            prefix: prefix(&root),
            direct,
            root,
            widths,
            required: OnceLock::new(),
            linear: [const { OnceLock::new() }; 4],
            machine: OnceLock::new(),
            screens: [const { OnceLock::new() }; 2],
        };
        if facts.backtracking {
            engines.machine();
        } else if engines.direct.is_none() || size > FEW {
            let usual = Linear::new(&emit(&engines.root, USUAL), size)?;
            engines.linear[slot(USUAL)].get_or_init(|| Some(usual));
        }
        Ok(engines)
    }

    fn machine(&self) -> &Machine {
        self.machine.get_or_init(|| Machine::new(&self.root, &self.widths))
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        if self.is_excluded(text) {
            return Ok(false);
        }
        let form = self.form_of(text);
        if let Some(found) = self.direct(form).and_then(|direct| direct.is_match(text)) {
            return Ok(found);
        }
        match self.searcher(text, form) {
            Searcher::Unneeded => Ok(false),
            Searcher::Linear(regex) => Ok(regex.is_match(text)),
            Searcher::Machine(machine) => {
                self.run_screened(text, |from, steps| machine.is_match(text, from, steps))
            }
        }
    }

    /// Searches a text. On success, `slots` holds where each group begins and ends; otherwise it is empty.
    pub(super) fn search(&self, text: &str, slots: &mut Slots) -> Result<bool, MatchError> {
        self.search_for(text, None, slots)
    }

    /// Searches a text likewise. If there are `places`, these are all places that are wanted.
    pub(super) fn search_for(
        &self,
        text: &str,
        places: Option<&Places>,
        slots: &mut Slots,
    ) -> Result<bool, MatchError> {
        slots.clear();
        if self.is_excluded(text) {
            return Ok(false);
        }
        let form = self.form_of(text);
        if let Some(found) = self.direct(form).and_then(|direct| direct.search(text, slots)) {
            return Ok(found);
        }
        match self.searcher(text, form) {
            Searcher::Unneeded => {}
            Searcher::Linear(regex) => {
                if let Some(places) = places.filter(|_| form == Some(USUAL)) {
                    let end = regex.end(text);
                    if end.is_none_or(|end| places.find(text.as_bytes(), end, slots).is_some()) {
                        return Ok(end.is_some());
                    }
                }
                regex.search(text, slots);
            }
            Searcher::Machine(machine) => {
                self.run_screened(text, |from, steps| machine.search(text, from, steps, slots))?;
            }
        }
        Ok(!slots.is_empty())
    }

    /// Whether a look at its length and at its beginning shows that the text does not contain the expression.
    fn is_excluded(&self, text: &str) -> bool {
        let begins_otherwise = |(first, rest): (&u8, &[u8])| {
            // Most texts differ in the first byte.
            text.as_bytes().split_first().is_none_or(|(byte, text)| byte != first || !text.starts_with(rest))
        };
        text.len() < self.shortest || self.prefix.as_bytes().split_first().is_some_and(begins_otherwise)
    }

    fn direct(&self, form: Option<Form>) -> Option<&Direct> {
        self.direct.as_ref().filter(|_| form == Some(USUAL))
    }

    /// Whether the text is too short, or lacks the required text.
    pub(super) fn is_out_of_question(&self, text: &str) -> bool {
        self.is_excluded(text) || self.lacks_required(text)
    }

    fn lacks_required(&self, text: &str) -> bool {
        if self.requirement.is_void() || (self.requirement.ascii_only && !text.is_ascii()) {
            return false;
        }
        let texts = self.requirement.texts.iter().map(String::as_str);
        let required = self.required.get_or_init(|| automaton(texts));
        required.as_ref().is_some_and(|required| !required.is_match(text))
    }

    /// Returns the length, in bytes, of texts that are searched to the end, as far as a trial shows.
    pub(super) fn searched_length(&self) -> usize {
        let by_machine = self.machine().searched_length();
        if self.facts.backtracking {
            return by_machine;
        }
        // Shorter texts are searched by the linear engine.
        by_machine.max(usize::try_from(MOST_WORK / self.size.max(1)).unwrap_or(usize::MAX))
    }

    /// Returns the expression's tree.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Returns the required texts.
    pub(super) fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    fn searcher(&self, text: &str, form: Option<Form>) -> Searcher<'_> {
        if (form != Some(USUAL) || self.facts.backtracking) && self.lacks_required(text) {
            return Searcher::Unneeded;
        }
        let is_quick = self.size.saturating_mul(text.len() as u64) <= MOST_WORK;
        if let Some(linear) = form.filter(|_| is_quick).and_then(|form| self.linear(form)) {
            return Searcher::Linear(linear);
        }
        Searcher::Machine(self.machine())
    }

    /// Runs the machine. `run` gets the byte to start from and the step limit. A search that does not end soon is
    /// screened before it runs with the full limit.
    fn run_screened(
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

    /// Screens a text: whether it can contain the expression, and the earliest position.
    fn look(&self, text: &str) -> Look {
        let ascii = text.is_ascii();
        let screen = self.screens[usize::from(ascii)].get_or_init(|| {
            let form = Form { newline_at_end: true, ascii, loose: true };
            let is_small = ascii || unicode_states(&self.root) <= MANY_STATES;
            is_small.then(|| Screen::new(&emit(&self.root, form))).flatten()
        });
        screen.as_ref().map_or(Look::From(0), |screen| screen.look(text))
    }

    /// Returns the linear engine for a form of texts, if there is one.
    fn linear(&self, form: Form) -> Option<&Linear> {
        if self.facts.backtracking {
            return None;
        }
        let states = if form.ascii { self.size } else { unicode_states(&self.root) };
        let cell = self.linear.get(slot(form))?;
        cell.get_or_init(|| {
            let build = || Linear::new(&emit(&self.root, form), states).ok();
            (form.ascii || states <= MANY_STATES).then(build).flatten()
        })
        .as_ref()
    }

    /// Returns what matters of a text to this expression; `None` if no linear program is exact for it.
    fn form_of(&self, text: &str) -> Option<Form> {
        let mut form = USUAL;
        if self.facts.backtracking || (self.facts.inner && text.is_empty()) {
            // Python does not find `\B` in an empty text.
            return None;
        }
        if self.facts.dollar
            && let Some(before) = text.strip_suffix('\n')
        {
            // `$` is the end of a line if the text has no other line ends.
            form.newline_at_end = true;
            if before.contains('\n') {
                return None;
            }
        }
        form.ascii = text.is_ascii();
        (form.ascii || !self.facts.boundary || !has_uncertain_letter(text)).then_some(form)
    }
}

/// Returns the index of a form.
fn slot(form: Form) -> usize {
    usize::from(form.newline_at_end) * 2 + usize::from(form.ascii)
}

/// Whether the text has a character that only one of Python and the linear engine considers a letter.
fn has_uncertain_letter(text: &str) -> bool {
    static UNCERTAIN: OnceLock<Option<Linear>> = OnceLock::new();
    UNCERTAIN
        .get_or_init(|| Linear::new(r"[\w~~[\p{L}\p{N}_]]", 0).ok())
        .as_ref()
        .is_none_or(|uncertain| uncertain.is_match(text))
}

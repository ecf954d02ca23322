//! The engines behind one expression: one for each form of text that its anchors tell apart.
//!
//! What enters is a text; what leaves is where the expression is found in it. The form that log
//! lines nearly always have (ASCII, without a newline at the end) is built at once: without Unicode
//! it is small and soon made. The others are built when a text first needs them; but where they
//! might be too large, once at the start too, so that such an expression is refused when it is loaded.

use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex_automata::util::primitives::NonMaxUsize;

use super::analysis::{Facts, size, unicode_states};
use super::ast::Node;
use super::casefold;
use super::emit::{Dollar, Form, Letters, Target, emit};
use super::error::{GivenUp, MatchError};
use super::linear::{Linear, Slots, capacity};
use super::requirement::{Requirement, automaton};
use super::width::width;

/// So often may the backtracking engine turn back in one search of a text of at most so many bytes. What lies
/// between two turns may read the whole text (`(?=.*x)`), so the time grows with the product. Longer texts are not
/// searched at all: there, what turns back nowhere (`(?:(?=.*x)a)*`) would take too long by itself.
const LIMITS: [(usize, usize); 3] = [(1 << 10, 100_000), (4 << 10, 25_000), (LONGEST, 5_000)];
/// Bytes of the longest text that the backtracking engine searches.
const LONGEST: usize = 8 << 10;
/// Bytes that one compiled program may take.
pub(super) const SIZE_LIMIT: usize = 10 << 20;
/// Bytes of the transitions that the parts of a backtracking program keep, each. [`LIMITS`] count on their being kept:
/// without them, each step may take a hundred times as long.
const TRANSITIONS_OF_STEPS: usize = 2 << 20;
/// Instructions that one backtracking program may have.
const PROGRAM_LIMIT: usize = 200_000;

/// A program of so many states, by [`unicode_states`], surely fits into [`SIZE_LIMIT`].
const FEW_STATES: u64 = 80_000;
/// A program of more states takes a megabyte or more, and as much again for what searches keep.
pub(super) const MANY_STATES: u64 = 40_000;

/// The form that nearly all texts have.
const USUAL: Form = Form { dollar: Dollar::End, letters: Letters::Ascii, void: false };

/// That form for texts beyond ASCII.
const UNICODE: Form = Form { letters: Letters::Unicode, ..USUAL };

/// All engines of one expression.
#[derive(Debug)]
pub(super) struct Engines {
    root: Node,
    facts: Facts,
    /// A shorter text, in bytes, cannot hold it.
    shortest: usize,
    requirement: Requirement,
    /// Finds what must occur, once it is asked for: before the engines that are slow.
    required: OnceLock<Option<AhoCorasick>>,
    /// For the usual form.
    usual: Engine,
    /// For the other forms, by [`slot`].
    others: [OnceLock<Result<Engine, GivenUp>>; 10],
}

/// One compiled form.
#[derive(Debug)]
enum Engine {
    Linear(Linear),
    Backtracking(Box<Backtracking>),
}

/// One form for the backtracking engine, which is told its limit when it is compiled.
#[derive(Debug)]
struct Backtracking {
    expression: String,
    /// At most so many states its programs have.
    states: u64,
    /// Bytes of the longest text to search.
    longest: usize,
    /// For each of [`LIMITS`].
    engines: [OnceLock<Result<fancy_regex::Regex, String>>; LIMITS.len()],
}

impl Engines {
    /// Builds the engine for the usual form. An error is the engine's own message.
    pub(super) fn new(root: Node, facts: Facts) -> Result<Self, String> {
        let usual = Engine::build(&root, facts, USUAL)?;
        if unicode_states(&root) > FEW_STATES {
            Engine::build(&root, facts, UNICODE)?;
        }
        Ok(Self {
            facts,
            shortest: usize::try_from(width(&root, &[]).least).unwrap_or(usize::MAX),
            requirement: Requirement::of(&root),
            root,
            required: OnceLock::new(),
            usual,
            others: [const { OnceLock::new() }; 10],
        })
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        match self.engine(text)? {
            None => Ok(false),
            Some(Engine::Linear(regex)) => Ok(regex.is_match(text)),
            Some(Engine::Backtracking(regex)) => {
                regex.for_text(text)?.is_match(text).map_err(|_| step_limit())
            }
        }
    }

    /// On success, `slots` holds where each group began and ended; otherwise it is empty.
    pub(super) fn search(&self, text: &str, slots: &mut Slots) -> Result<bool, MatchError> {
        slots.clear();
        match self.engine(text)? {
            None => {}
            Some(Engine::Linear(regex)) => regex.search(text, slots),
            Some(Engine::Backtracking(regex)) => {
                let regex = regex.for_text(text)?;
                if let Some(found) = regex.captures(text).map_err(|_| step_limit())? {
                    let spans = (0..regex.captures_len()).map(|group| found.get(group));
                    let places =
                        spans.flat_map(|span| [span.map(|span| span.start()), span.map(|span| span.end())]);
                    slots.extend(places.map(|place| place.and_then(NonMaxUsize::new)));
                }
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

    /// What must occur.
    pub(super) fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// The engine for a text; `None` where it is too short, or lacks what must occur.
    fn engine(&self, text: &str) -> Result<Option<&Engine>, MatchError> {
        if text.len() < self.shortest {
            return Ok(None);
        }
        let form = self.form_of(text);
        if (form != USUAL || self.facts.backtracking) && self.lacks_required(text) {
            return Ok(None);
        }
        if self.facts.folded_reference && has_uncertain_case(text) {
            return Err(GivenUp::UncertainCase.into());
        }
        if form == USUAL {
            return Ok(Some(&self.usual));
        }
        let Some(cell) = self.others.get(slot(form)) else {
            return Err(GivenUp::TooLarge.into());
        };
        let built =
            cell.get_or_init(|| Engine::build(&self.root, self.facts, form).map_err(|_| GivenUp::TooLarge));
        built.as_ref().map(Some).map_err(|reason| (*reason).into())
    }

    /// What is known of a text, as far as this expression cares.
    fn form_of(&self, text: &str) -> Form {
        let mut form = USUAL;
        if self.facts.inner && text.is_empty() {
            form.void = true;
            return form;
        }
        if self.facts.dollar
            && let Some(before) = text.strip_suffix('\n')
        {
            form.dollar = if before.contains('\n') { Dollar::Exact } else { Dollar::Line };
        }
        if !text.is_ascii() {
            let uncertain = self.facts.boundary && has_uncertain_letter(text);
            form.letters = if uncertain { Letters::Exact } else { Letters::Unicode };
        }
        form
    }
}

impl Engine {
    fn build(root: &Node, facts: Facts, form: Form) -> Result<Self, String> {
        let exact = form.dollar == Dollar::Exact || form.letters == Letters::Exact;
        let backtracking = facts.backtracking || exact;
        let target = match (backtracking, facts.references) {
            (false, _) => Target::Linear,
            (true, false) => Target::Backtracking,
            (true, true) => Target::Referring,
        };
        let expression = emit(root, form, target);
        let in_ascii = form.letters == Letters::Ascii;
        let states = if in_ascii { size(root) } else { unicode_states(root) };
        if backtracking {
            let built = Backtracking::new(expression, states, facts);
            return built.map(|built| Self::Backtracking(Box::new(built)));
        }
        let large = !in_ascii && states > MANY_STATES;
        let built =
            if large { Linear::of_large_program(&expression) } else { Linear::new(&expression, states) };
        built.map(Self::Linear)
    }
}

impl Backtracking {
    /// Builds the engine for short texts, so that an error shows at once.
    fn new(expression: String, states: u64, facts: Facts) -> Result<Self, String> {
        // Each loop within a loop without a turn back between them multiplies the time by the length of the text.
        let longest = LONGEST >> (3 * facts.nesting.saturating_sub(1)).min(LONGEST.ilog2());
        let built = Self { expression, states, longest, engines: [const { OnceLock::new() }; LIMITS.len()] };
        let [(_, steps), ..] = LIMITS;
        let [short, ..] = &built.engines;
        short.get_or_init(|| built.build(steps)).as_ref().map_err(Clone::clone)?;
        Ok(built)
    }

    fn for_text(&self, text: &str) -> Result<&fancy_regex::Regex, MatchError> {
        let fitting = LIMITS.iter().zip(&self.engines).find(|((longest, _), _)| text.len() <= *longest);
        match fitting {
            Some(((_, steps), engine)) if text.len() <= self.longest => {
                engine.get_or_init(|| self.build(*steps)).as_ref().map_err(|_| GivenUp::TooLarge.into())
            }
            _ => Err(GivenUp::TooLong.into()),
        }
    }

    fn build(&self, steps: usize) -> Result<fancy_regex::Regex, String> {
        let mut builder = fancy_regex::RegexBuilder::new(&self.expression);
        builder.backtrack_limit(steps).max_prog_size(PROGRAM_LIMIT);
        builder
            .delegate_size_limit(SIZE_LIMIT)
            .delegate_dfa_size_limit(capacity(TRANSITIONS_OF_STEPS, self.states));
        builder.build().map_err(|error| error.to_string())
    }
}

fn step_limit() -> MatchError {
    GivenUp::StepLimit.into()
}

/// The place of a form among the unusual ones.
fn slot(form: Form) -> usize {
    if form.void {
        return 9;
    }
    form.dollar as usize * 3 + form.letters as usize
}

/// Is there a character that only one of Python and the engine takes for a letter?
fn has_uncertain_letter(text: &str) -> bool {
    static UNCERTAIN: OnceLock<Option<Linear>> = OnceLock::new();
    UNCERTAIN
        .get_or_init(|| Linear::new(r"[\w~~[\p{L}\p{N}_]]", 0).ok())
        .as_ref()
        .is_none_or(|uncertain| uncertain.is_match(text))
}

/// Is there a character that a case-insensitive back-reference may see otherwise than Python?
fn has_uncertain_case(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(casefold::is_uncertain)
}

//! The engines behind one expression: one for each form of text that its anchors tell apart.
//!
//! What enters is a text; what leaves is where the expression is found in it. The form that log
//! lines nearly always have (ASCII, without a newline at the end) is built at once, so that an
//! expression that cannot be run is refused when it is loaded; the others are built when a text
//! first needs them.

use std::ops::Range;
use std::sync::{Mutex, OnceLock};

use super::analysis::Facts;
use super::ast::Node;
use super::casefold;
use super::emit::{Boundary, Dollar, Form, Target, emit};
use super::error::{GivenUp, MatchError};

/// So often may the backtracking engine turn back in one search.
const STEP_LIMIT: usize = 1_000_000;
/// Bytes that one compiled program may take.
const SIZE_LIMIT: usize = 10 << 20;
/// Instructions that one backtracking program may have.
const PROGRAM_LIMIT: usize = 200_000;

/// The form that nearly all texts have.
const USUAL: Form = Form { dollar: Dollar::End, boundary: Boundary::Ascii, void: false };

/// All engines of one expression.
#[derive(Debug)]
pub(super) struct Engines {
    root: Node,
    facts: Facts,
    /// For the usual form.
    usual: Engine,
    /// For the other forms, by [`slot`].
    others: [OnceLock<Result<Engine, GivenUp>>; 10],
}

/// One compiled form.
#[derive(Debug)]
enum Engine {
    Linear {
        regex: regex::Regex,
        /// Buffers for spans, returned after every search. They fit this engine only.
        spare: Mutex<Vec<regex::CaptureLocations>>,
    },
    Backtracking(Box<fancy_regex::Regex>),
}

impl Engines {
    /// Builds the engine for the usual form. An error is the engine's own message.
    pub(super) fn new(root: Node, facts: Facts) -> Result<Self, String> {
        let usual = Engine::build(&root, facts, USUAL)?;
        Ok(Self { root, facts, usual, others: [const { OnceLock::new() }; 10] })
    }

    pub(super) fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        match self.engine(text)? {
            Engine::Linear { regex, .. } => Ok(regex.is_match(text)),
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|_| step_limit()),
        }
    }

    /// On success, `spans` holds a span for each group that took part.
    pub(super) fn search(
        &self,
        text: &str,
        spans: &mut Vec<Option<Range<usize>>>,
    ) -> Result<bool, MatchError> {
        spans.clear();
        match self.engine(text)? {
            Engine::Linear { regex, .. } if regex.captures_len() == 1 => {
                let found = regex.find(text);
                spans.extend(found.map(|found| Some(found.range())));
            }
            Engine::Linear { regex, spare } => {
                let taken = spare.lock().ok().and_then(|mut spare| spare.pop());
                let mut locations = taken.unwrap_or_else(|| regex.capture_locations());
                if regex.captures_read(&mut locations, text).is_some() {
                    let groups = 0..locations.len();
                    spans.extend(groups.map(|group| locations.get(group).map(|(start, end)| start..end)));
                }
                if let Ok(mut spare) = spare.lock() {
                    spare.push(locations);
                }
            }
            Engine::Backtracking(regex) => {
                if let Some(found) = regex.captures(text).map_err(|_| step_limit())? {
                    let groups = 0..regex.captures_len();
                    spans.extend(groups.map(|group| found.get(group).map(|span| span.range())));
                }
            }
        }
        Ok(!spans.is_empty())
    }

    fn engine(&self, text: &str) -> Result<&Engine, MatchError> {
        if self.facts.folded_reference && has_uncertain_case(text) {
            return Err(GivenUp::UncertainCase.into());
        }
        let form = self.form_of(text);
        if form == USUAL {
            return Ok(&self.usual);
        }
        let Some(cell) = self.others.get(slot(form)) else {
            return Err(GivenUp::TooLarge.into());
        };
        let built =
            cell.get_or_init(|| Engine::build(&self.root, self.facts, form).map_err(|_| GivenUp::TooLarge));
        built.as_ref().map_err(|reason| (*reason).into())
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
        if self.facts.boundary && !text.is_ascii() {
            form.boundary = if has_uncertain_letter(text) { Boundary::Exact } else { Boundary::Unicode };
        }
        form
    }
}

impl Engine {
    fn build(root: &Node, facts: Facts, form: Form) -> Result<Self, String> {
        let exact = form.dollar == Dollar::Exact || form.boundary == Boundary::Exact;
        let backtracking = facts.backtracking || exact;
        let target = match (backtracking, facts.references) {
            (false, _) => Target::Linear,
            (true, false) => Target::Backtracking,
            (true, true) => Target::Referring,
        };
        let expression = emit(root, form, target);
        if backtracking {
            let built = fancy_regex::RegexBuilder::new(&expression)
                .backtrack_limit(STEP_LIMIT)
                .delegate_size_limit(SIZE_LIMIT)
                .max_prog_size(PROGRAM_LIMIT)
                .build();
            return match built {
                Ok(regex) => Ok(Self::Backtracking(Box::new(regex))),
                Err(error) => Err(error.to_string()),
            };
        }
        let built = regex::RegexBuilder::new(&expression).size_limit(SIZE_LIMIT).nest_limit(1000).build();
        match built {
            Ok(regex) => Ok(Self::Linear { regex, spare: Mutex::new(Vec::new()) }),
            Err(error) => Err(error.to_string()),
        }
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
    form.dollar as usize * 3 + form.boundary as usize
}

/// Is there a character that only one of Python and the engine takes for a letter?
fn has_uncertain_letter(text: &str) -> bool {
    static UNCERTAIN: OnceLock<Option<regex::Regex>> = OnceLock::new();
    UNCERTAIN
        .get_or_init(|| regex::Regex::new(r"[\w~~[\p{L}\p{N}_]]").ok())
        .as_ref()
        .is_none_or(|uncertain| uncertain.is_match(text))
}

/// Is there a character that a case-insensitive back-reference may see otherwise than Python?
fn has_uncertain_case(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(casefold::is_uncertain)
}

//! What can go wrong: an expression that is refused at load, and a search that is given up.

use std::fmt;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at offset {offset}")]
pub struct PatternError {
    /// Byte offset in the expression.
    pub offset: usize,
    /// What is wrong there, in the words of Python's `re` wherever Python refuses it too.
    pub message: String,
}

impl PatternError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

/// A search was given up without an answer: neither "found" nor "not found" is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchError(GivenUp);

/// Why a search was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// The backtracking engine made more steps than it may.
    StepLimit,
    /// The text is too long for the backtracking engine.
    TooLong,
    /// The form of the expression that is exact for this text is too large to be built.
    TooLarge,
    /// A case-insensitive back-reference, and a text with a character whose case the engine and
    /// Python see differently.
    UncertainCase,
}

impl MatchError {
    /// Was much time spent? Then the next text may well cost as much.
    #[must_use]
    pub fn is_exhausted(self) -> bool {
        self.0 == GivenUp::StepLimit
    }
}

impl From<GivenUp> for MatchError {
    fn from(reason: GivenUp) -> Self {
        Self(reason)
    }
}

impl fmt::Display for MatchError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            GivenUp::StepLimit => "step limit reached: the expression backtracks too much on this text",
            GivenUp::TooLong => "the text is too long for an expression that backtracks",
            GivenUp::TooLarge => "the expression is too large in the form that this text needs",
            GivenUp::UncertainCase => {
                "a case-insensitive back-reference cannot be decided exactly on this text"
            }
        })
    }
}

impl std::error::Error for MatchError {}

//! Errors: an expression that is refused at load, and a search that is given up.

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} at offset {offset}")]
pub struct PatternError {
    /// Byte offset of the mistake in the expression.
    pub offset: usize,
    /// What is wrong, in the words of Python's `re` wherever Python refuses it too.
    pub message: String,
}

impl PatternError {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into() }
    }
}

/// A search is given up without an answer: neither "found" nor "not found" is known. It has taken much time, and the
/// next text may cost as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("step limit reached: the expression can match this text in too many ways")]
pub struct MatchError;

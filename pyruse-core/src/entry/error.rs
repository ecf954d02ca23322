//! The error of a step that could not do its work on one entry.

use std::borrow::Cow;
use std::fmt;

/// Why a step could not do its work on one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    message: Cow<'static, str>,
    exhausted: bool,
}

impl StepError {
    /// Makes an error with this message.
    pub fn new(message: impl Into<Cow<'static, str>>) -> StepError {
        StepError { message: message.into(), exhausted: false }
    }

    /// Makes an error that also stops the search in further elements of the field: too much time was spent already.
    pub fn exhausted(message: impl Into<Cow<'static, str>>) -> StepError {
        StepError { message: message.into(), exhausted: true }
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Makes the error that the entry lacks a field that the step needs.
    pub(crate) fn missing(field: &str) -> StepError {
        StepError::new(format!("the entry has no field `{field}`"))
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StepError {}

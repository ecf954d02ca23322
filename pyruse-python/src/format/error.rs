//! Errors of templates, at load and at run time.
//!
//! In: what the other files find. Out: messages for the author of the template. A load error has its place in the text,
//! so that the caller can draw a caret under it. A run-time error names the field, the spec and the type, which
//! identify the place.

use std::error::Error;
use std::fmt;

use super::refusal::Refusal;

/// The reason why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Byte offset of the wrong character in the template's text.
    pub offset: usize,
    /// What is wrong and, where possible, what to write instead.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.message)
    }
}

impl Error for TemplateError {}

/// The reason why a template cannot be rendered with the given values.
///
/// Shown as: ``field `PRIORITY`: the spec `s` cannot print an integer: unknown type `s` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError(Box<Failure>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Failure {
    field: String,
    spec: String,
    found: Found,
    refusal: Refusal,
}

/// The actual type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Text,
    Integer,
    Time,
    Nothing,
}

impl RenderError {
    pub(super) fn new(field: &str, spec: &str, found: Found, refusal: Refusal) -> Self {
        RenderError(Box::new(Failure { field: field.to_owned(), spec: spec.to_owned(), found, refusal }))
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { field, spec, found, refusal } = &*self.0;
        write!(f, "field `{field}`: ")?;
        if spec.is_empty() {
            write!(f, "cannot print {found}: {refusal}")
        } else {
            write!(f, "the spec `{spec}` cannot print {found}: {refusal}")
        }
    }
}

impl Error for RenderError {}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Found::Text => "text",
            Found::Integer => "an integer",
            Found::Time => "a time",
            Found::Nothing => "a missing field",
        })
    }
}

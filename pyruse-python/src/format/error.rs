//! What can be wrong with a template, at load and at run time.
//!
//! In: what the other files found. Out: messages for the person who wrote the template. At load
//! an error knows its place in the text, so that the caller can draw a caret under it; at run
//! time it names the field, the spec and the type, for the place is then known from these.

use std::error::Error;
use std::fmt;

use super::refusal::Refusal;

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Byte offset, in the template's text, of the character that is wrong.
    pub offset: usize,
    /// What is wrong with it, and where possible what to write instead.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.message)
    }
}

impl Error for TemplateError {}

/// Why a template cannot be rendered with the values of one rendering.
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

/// The type that the field turned out to have.
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

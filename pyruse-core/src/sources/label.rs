//! Puts the name of a source before a text about it.

use crate::plugin::SourceError;

/// Adds the name of the source to a text about it, if there are several.
pub(super) fn labelled(name: &str, are_several: bool, text: &str) -> String {
    if are_several { format!("source `{name}`: {text}") } else { text.to_owned() }
}

/// Adds the name of the source to its error, likewise.
pub(super) fn named(name: &str, are_several: bool, error: &SourceError) -> SourceError {
    SourceError(labelled(name, are_several, &error.0))
}

//! Colours, for output that people see ([`has_colours`]).

use std::fmt;

use super::text::has_colours;

/// Adds colours, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

/// The meaning of a text; the colours are those of the terminal's own palette, readable on light and dark.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Heading,
    Good,
    Bad,
    Quiet,
    Accent,
}

impl Paint {
    pub(crate) fn for_stdout() -> Paint {
        Paint(has_colours(&std::io::stdout()))
    }

    /// Returns the text in that colour. It must not contain characters that a terminal executes.
    pub(crate) fn ink<T: fmt::Display>(self, ink: Ink, text: T) -> Inked<T> {
        Inked { on: self.0, ink, text }
    }
}

/// A text with its colour.
pub(crate) struct Inked<T> {
    on: bool,
    ink: Ink,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Inked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.on {
            return self.text.fmt(f);
        }
        let code = match self.ink {
            Ink::Heading => "1",
            Ink::Good => "32",
            Ink::Bad => "31",
            Ink::Quiet => "2",
            Ink::Accent => "36",
        };
        write!(f, "\u{1b}[{code}m{}\u{1b}[0m", self.text)
    }
}

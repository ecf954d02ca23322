//! Colours, for output that people see ([`has_colours`]).

use std::fmt;

use super::text::has_colours;

/// Adds colours, or does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

/// The meaning of a text; the colours are those of the terminal's own palette, readable on light and dark.
#[derive(Clone, Copy)]
pub(crate) enum TextStyle {
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
    pub(crate) fn style<T: fmt::Display>(self, style: TextStyle, text: T) -> Styled<T> {
        Styled { on: self.0, style, text }
    }
}

/// A text with its colour.
pub(crate) struct Styled<T> {
    on: bool,
    style: TextStyle,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Styled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.on {
            return self.text.fmt(f);
        }
        let code = match self.style {
            TextStyle::Heading => "1",
            TextStyle::Good => "32",
            TextStyle::Bad => "31",
            TextStyle::Quiet => "2",
            TextStyle::Accent => "36",
        };
        write!(f, "\u{1b}[{code}m{}\u{1b}[0m", self.text)
    }
}

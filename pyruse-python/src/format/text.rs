//! Text under a spec: cut, then padded.
//!
//! In: a spec's parts at load; text when rendering. Out: whether Python prints a `str` this way, and the printed text.
//! As in Python, width and precision count characters, not bytes and not columns.

use super::padding::{Padding, fill};
use super::parts::{Align, Parts};
use super::refusal::Refusal;

/// How to print text.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextSpec {
    fill: char,
    align: Align,
    width: usize,
    precision: Option<usize>,
}

impl TextSpec {
    /// Checks a spec as Python's `str.__format__` does.
    pub fn new(parts: &Parts) -> Result<TextSpec, Refusal> {
        let kind = parts.kind.unwrap_or('s');
        if let Some(separator) = parts.separator {
            // Python accepts `{:,d}` here, but then refuses the `d` for text.
            return Err(Refusal::Separator(separator, kind));
        }
        if kind != 's' {
            return Err(Refusal::UnknownType(kind));
        }
        if parts.sign.is_some() {
            return Err(Refusal::SignOfText);
        }
        if parts.plain_zero {
            return Err(Refusal::ZeroOfText);
        }
        if parts.alternate {
            return Err(Refusal::AlternateText);
        }
        let align = parts.align.unwrap_or(Align::Left);
        if align == Align::Inside {
            return Err(Refusal::InsideText);
        }
        Ok(TextSpec { fill: parts.filling(), align, width: parts.width, precision: parts.precision })
    }

    /// Appends the text.
    pub fn write(&self, out: &mut String, text: &str) {
        let text = match self.precision {
            Some(precision) => first_chars(text, precision),
            None => text,
        };
        if self.width == 0 {
            out.push_str(text);
            return;
        }
        let padding = Padding::new(self.align, self.width, text.chars().count());
        fill(out, self.fill, padding.left);
        out.push_str(text);
        fill(out, self.fill, padding.right);
    }
}

fn first_chars(text: &str, count: usize) -> &str {
    match text.char_indices().nth(count) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

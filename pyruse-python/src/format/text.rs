//! Text under a spec: cut, then padded.
//!
//! In: a spec's parts at load, text when rendering. Out: whether Python would print a `str` this
//! way, and the text as it prints it. Width and precision count characters, not bytes and not
//! columns, as in Python.

use super::spec::{Align, Parts, Refusal};

/// How to print text.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextSpec {
    fill: char,
    align: Align,
    width: usize,
    precision: Option<usize>,
}

impl TextSpec {
    /// Judges a spec as Python's `str.__format__` does.
    pub fn new(parts: &Parts) -> Result<TextSpec, Refusal> {
        let kind = parts.kind.unwrap_or('s');
        if let Some(separator) = parts.separator {
            // Python would let `{:,d}` pass here, only to refuse the `d` of a text.
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

/// How much to fill on each side.
pub(super) struct Padding {
    pub left: usize,
    /// Behind the sign.
    pub inside: usize,
    pub right: usize,
}

impl Padding {
    /// Splits what `width` has over `length`, both in characters.
    pub fn new(align: Align, width: usize, length: usize) -> Padding {
        let room = width.saturating_sub(length);
        let (left, inside, right) = match align {
            Align::Left => (0, 0, room),
            Align::Right => (room, 0, 0),
            Align::Center => (room / 2, 0, room - room / 2),
            Align::Inside => (0, room, 0),
        };
        Padding { left, inside, right }
    }
}

/// Appends `count` times the same character.
pub(super) fn fill(out: &mut String, c: char, count: usize) {
    out.extend(std::iter::repeat_n(c, count));
}

//! From the text of a template to its pieces.
//!
//! In: the text. Out: literal pieces, fields and the fields' names, or the place and reason of the first error.
//! Python's "Format String Syntax" defines the language, as `str.format_map` reads it: a name extends to the next `!`,
//! `:`, `}` or `[`. In Python, a `.` ends the name, too, and an attribute follows; values have none here, so a `.` is a
//! part of the name.
//!
//! What can never work is refused here instead of at the first rendering: positions (there are only names), indexes
//! (values have none), and computed specs.

use std::collections::HashMap;

use super::error::TemplateError;
use super::parts::{LIMIT, TooLarge};
use super::repr::Charset;
use super::spec::Spec;
use super::unicode::decimal_digit;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Literal(Box<str>),
    Field(Field),
}

/// A place where a value is inserted.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// Index into the names.
    pub name: usize,
    pub conversion: Option<Conversion>,
    /// `None` if it is absent or empty, which mean the same.
    pub spec: Option<Box<Spec>>,
}

/// How a value becomes text before the spec applies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Conversion {
    /// `!s`
    Text,
    /// `!r` and `!a`
    Quoted(Charset),
}

/// The result of parsing a text.
pub(super) struct Parsed {
    pub pieces: Vec<Piece>,
    pub names: Vec<String>,
}

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Parsed, TemplateError> {
    let mut parser = Parser {
        text,
        at: 0,
        literal: String::new(),
        pieces: Vec::new(),
        names: Vec::new(),
        known: HashMap::new(),
    };
    parser.run()?;
    Ok(Parsed { pieces: parser.pieces, names: parser.names })
}

struct Parser<'a> {
    text: &'a str,
    /// Everything before this offset has been read.
    at: usize,
    /// Literal text that is not yet a piece.
    literal: String,
    pieces: Vec<Piece>,
    names: Vec<String>,
    known: HashMap<&'a str, usize>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), TemplateError> {
        while let Some(found) = self.text[self.at..].find(['{', '}']) {
            let brace = self.at + found;
            let (before, behind) = (&self.text[self.at..brace], &self.text[brace..]);
            self.literal.push_str(before);
            if behind.starts_with("{{") || behind.starts_with("}}") {
                self.literal.push_str(&behind[..1]);
                self.at = brace + 2;
            } else if behind.starts_with('{') {
                self.flush();
                self.at = brace + 1;
                let field = self.field(brace)?;
                self.pieces.push(Piece::Field(field));
            } else {
                return wrong(brace, "this `}` has no opening `{` (for the character itself write `}}`)");
            }
        }
        self.literal.push_str(&self.text[self.at..]);
        self.flush();
        Ok(())
    }

    fn flush(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.pieces.push(Piece::Literal(literal.into()));
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn field(&mut self, open: usize) -> Result<Field, TemplateError> {
        let name = self.name(open)?;
        let mut conversion = None;
        let mut end = self.next();
        if end == Some('!') {
            conversion = Some(self.conversion(open)?);
            end = self.next();
        }
        let spec = match end {
            Some('}') => None,
            Some(':') => self.spec(open)?,
            Some(c) => {
                return wrong(self.at - c.len_utf8(), "a conversion is one letter; `:` or `}` must follow");
            }
            None => return unclosed(open),
        };
        Ok(Field { name, conversion, spec })
    }

    fn name(&mut self, open: usize) -> Result<usize, TemplateError> {
        let start = self.at;
        let rest = &self.text[start..];
        // The text after an unclosed brace is not the cause.
        let next = rest.find('{').unwrap_or(rest.len());
        let is_closed = |close: usize| close < next || rest[..next].contains([':', '[']);
        if !rest.find('}').is_some_and(is_closed) {
            return unclosed(open);
        }
        let Some(length) = rest.find(['!', ':', '}', '[']) else {
            return unclosed(open);
        };
        let name = &rest[..length];
        let end = start + length;
        match rest.as_bytes()[length] {
            b'[' => return wrong(end, "parts of fields (`[`) are not supported"),
            _ if name.is_empty() => {
                return wrong(open, "the field name is missing (for the character itself write `{{`)");
            }
            _ if name.chars().all(|c| decimal_digit(c).is_some()) => {
                return wrong(start, "fields have names, not numbers");
            }
            _ => {}
        }
        self.at = end;
        Ok(*self.known.entry(name).or_insert_with(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        }))
    }

    fn conversion(&mut self, open: usize) -> Result<Conversion, TemplateError> {
        let at = self.at;
        match self.next() {
            Some('s') => Ok(Conversion::Text),
            Some('r') => Ok(Conversion::Quoted(Charset::Unicode)),
            Some('a') => Ok(Conversion::Quoted(Charset::Ascii)),
            Some('}' | ':') => wrong(at, "a conversion must follow the `!`: `s`, `r` or `a`"),
            Some(c) => wrong(at, format!("unknown conversion `{c}`: use `s`, `r` or `a`")),
            None => unclosed(open),
        }
    }

    fn spec(&mut self, open: usize) -> Result<Option<Box<Spec>>, TemplateError> {
        let start = self.at;
        let length = spec_length(&self.text[start..]);
        let end = length.map_or(self.text.len(), |length| start + length);
        let spec = unescaped(&self.text[start..end]);
        if length.is_none() {
            return unclosed(open);
        }
        if let Err((at, '{')) = spec {
            return wrong(start + at, "a spec cannot contain fields");
        }
        let spec = match spec {
            Ok(spec) => spec,
            Err((at, _)) => return wrong(start + at, "this `}` has no opening `{`"),
        };
        self.at = end + 1;
        if spec.is_empty() {
            return Ok(None);
        }
        match Spec::compile(&spec) {
            Ok(spec) => Ok(Some(Box::new(spec))),
            Err(TooLarge) => wrong(start, format!("the width or precision is too large: at most {LIMIT}")),
        }
    }
}

/// Returns the length of a spec, up to the brace that closes its field. Python counts braces, so a spec only contains
/// pairs of them.
fn spec_length(rest: &str) -> Option<usize> {
    let mut open = 1_usize;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

/// Replaces the doubled braces of a spec by single ones. The error is the first single brace.
fn unescaped(spec: &str) -> Result<String, (usize, char)> {
    let mut plain = String::with_capacity(spec.len());
    let mut chars = spec.char_indices();
    while let Some((at, c)) = chars.next() {
        if matches!(c, '{' | '}') && chars.next().is_none_or(|(_, next)| next != c) {
            return Err((at, c));
        }
        plain.push(c);
    }
    Ok(plain)
}

fn wrong<T>(offset: usize, message: impl Into<String>) -> Result<T, TemplateError> {
    Err(TemplateError { offset, message: message.into() })
}

fn unclosed<T>(open: usize) -> Result<T, TemplateError> {
    wrong(open, "this `{` is not closed (for the character itself write `{{`)")
}

//! The specs of times.
//!
//! In: a spec at load; a moment when rendering. Out: what Python's `datetime.strftime` returns.
//!
//! Two languages meet in such a spec. Python itself replaces `%f`, `%z` and `%Z`, then passes the result to the C
//! library (see `strftime.rs`). Python reads two characters at a time; the C library also reads flags and widths, so
//! Python does not replace the `%-z` that C knows. Both steps are kept, so that the text is the same even where they
//! disagree on what a directive is.

use super::moment::{Moment, OffsetStyle};
use super::parts::{LIMIT, TooLarge};
use super::strftime::Directive;

/// A spec as a time reads it.
#[derive(Clone, Debug)]
pub(super) struct TimeSpec {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Python and the C library agree on where directives begin.
    Agreed(Vec<Piece>),
    /// They disagree, as in `%5%z`: the second step must read the output of the first.
    Disputed(Vec<Step>),
}

/// A part of the C library's input, with Python's own directives still unreplaced.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Own(Own),
    Directive(Directive),
}

/// A part of Python's input.
#[derive(Clone, Debug)]
enum Step {
    Text(Box<str>),
    Own(Own),
}

/// A directive that Python replaces itself.
#[derive(Clone, Copy, Debug)]
enum Own {
    /// `%f`
    Micros,
    /// `%z`
    Offset,
    /// `%Z`
    Abbreviation,
}

impl Own {
    fn of(c: char) -> Option<Own> {
        Some(match c {
            'f' => Own::Micros,
            'z' => Own::Offset,
            'Z' => Own::Abbreviation,
            _ => return None,
        })
    }

    fn write(self, out: &mut String, moment: &Moment<'_>) {
        match self {
            Own::Micros => moment.write_micros(out),
            Own::Offset => moment.write_offset(out, OffsetStyle::Bare),
            Own::Abbreviation => out.push_str(moment.abbreviation()),
        }
    }
}

impl TimeSpec {
    /// Reads a spec. Every text is valid for a time, but a width may exceed the limit.
    pub fn compile(source: &str) -> Result<TimeSpec, TooLarge> {
        // For Python 3.11 and for C, a NUL ends the format.
        let source = source.split('\0').next().unwrap_or_default();
        let steps = python_steps(source);
        let form = match agreed(&steps)? {
            Some(pieces) => Form::Agreed(pieces),
            None => Form::Disputed(steps),
        };
        Ok(TimeSpec { form })
    }

    /// Appends the moment.
    pub fn write(&self, out: &mut String, moment: &Moment<'_>) {
        let start = out.len();
        let format_length = match &self.form {
            Form::Agreed(pieces) => write_pieces(out, moment, pieces),
            Form::Disputed(steps) => {
                let mut format = String::new();
                for step in steps {
                    match step {
                        Step::Text(text) => format.push_str(text),
                        Step::Own(own) => own.write(&mut format, moment),
                    }
                }
                // Here a width can only get digits from its neighbour (`%9%f`), so `fits` limits it. Python too returns
                // an empty text for a result that is too wide.
                match pieces_of(&format) {
                    Ok(pieces) => write_pieces(out, moment, &pieces),
                    Err(TooLarge) => 0,
                }
            }
        };
        if !fits(out[start..].chars().count(), format_length) {
            out.truncate(start);
        }
    }
}

/// Whether the result fits into Python's buffer. The buffer starts at 1,024 characters and doubles until it is 256
/// times as long as the format. A longer result becomes empty.
fn fits(length: usize, format_length: usize) -> bool {
    let mut capacity = 1024;
    while capacity < format_length.saturating_mul(256) {
        capacity *= 2;
    }
    length < capacity
}

/// Appends the pieces. Returns the length of the format that the C library would get.
fn write_pieces(out: &mut String, moment: &Moment<'_>, pieces: &[Piece]) -> usize {
    let mut format_length = 0;
    for piece in pieces {
        format_length += match piece {
            Piece::Text(text) => {
                out.push_str(text);
                text.chars().count()
            }
            Piece::Own(own) => {
                let start = out.len();
                own.write(out, moment);
                out.len() - start
            }
            Piece::Directive(directive) => {
                directive.write(out, moment);
                directive.source().chars().count()
            }
        };
    }
    format_length
}

/// Runs Python's step: it reads two characters at a time after a `%`.
fn python_steps(source: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut text = 0;
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '%' {
            continue;
        }
        let Some((behind, own)) = chars.next().map(|(at, c)| (at + c.len_utf8(), Own::of(c))) else {
            break;
        };
        if let Some(own) = own {
            if text < at {
                steps.push(Step::Text(source[text..at].into()));
            }
            steps.push(Step::Own(own));
            text = behind;
        }
    }
    if text < source.len() {
        steps.push(Step::Text(source[text..].into()));
    }
    steps
}

/// Returns the pieces, or `None` if a directive of the C library overlaps one of Python's.
fn agreed(steps: &[Step]) -> Result<Option<Vec<Piece>>, TooLarge> {
    let mut pieces = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        match step {
            Step::Own(own) => pieces.push(Piece::Own(*own)),
            Step::Text(text) => {
                let last = at + 1 == steps.len();
                let mut more = pieces_of(text)?;
                let cut = matches!(more.last(), Some(Piece::Directive(d)) if !d.is_complete());
                if cut && !last {
                    return Ok(None);
                }
                pieces.append(&mut more);
            }
        }
    }
    Ok(Some(pieces))
}

/// Runs the C library's step, on a format without Python's own directives.
fn pieces_of(format: &str) -> Result<Vec<Piece>, TooLarge> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        if at > 0 {
            pieces.push(Piece::Text(rest[..at].into()));
        }
        let (directive, behind) = Directive::parse(&rest[at..]);
        if directive.width() > LIMIT {
            return Err(TooLarge);
        }
        pieces.push(Piece::Directive(directive));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.into()));
    }
    Ok(pieces)
}

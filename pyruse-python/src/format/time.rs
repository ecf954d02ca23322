//! The specs of times.
//!
//! In: a spec at load, a moment when rendering. Out: what Python's `datetime.strftime` gives.
//!
//! Two languages meet in such a spec. Python itself replaces `%f`, `%z` and `%Z`, then hands the
//! result to the C library (see `strftime.rs`). Python looks at two characters at a time, the C
//! library also takes flags and widths: `%-z` is none of Python's business. To give the same
//! text even where they disagree on what a directive is, both steps are kept.

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
    /// Python and the C library agree where directives begin.
    Agreed(Vec<Piece>),
    /// They do not, as in `%5%z`: the second step has to read what the first one wrote.
    Disputed(Vec<Step>),
}

/// A part of what the C library gets, with Python's own directives left open.
#[derive(Clone, Debug)]
enum Piece {
    Text(Box<str>),
    Own(Own),
    Directive(Directive),
}

/// A part of what Python gets.
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
    /// Reads a spec. No text is wrong for a time, but a width may be over the limit.
    pub fn compile(source: &str) -> Result<TimeSpec, TooLarge> {
        // To Python 3.11 as to C, a NUL is the end of the format.
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
                // A width can only get digits from its neighbour here (`%9%f`), so it is bound
                // by what fits; too wide is what Python answers with nothing, too.
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

/// Whether Python's buffer holds the result. It starts at 1,024 characters and doubles until it
/// is 256 times as long as the format; what is still too long is taken to be empty.
fn fits(length: usize, format_length: usize) -> bool {
    let mut capacity = 1024;
    while capacity < format_length.saturating_mul(256) {
        capacity *= 2;
    }
    length < capacity
}

/// Appends the pieces, and tells how long the format was that the C library would have got.
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

/// Python's step: two characters at a time behind a `%`.
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

/// The pieces, unless a directive of the C library runs into one of Python's.
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

/// The C library's step, on a format without any directive of Python's own.
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

//! The mini-language of format specs: from the text of a spec to its parts.
//!
//! In: the text after the `:` of a field. Out: its parts, not yet checked for any type.
//!
//! The language is that of Python 3.11, "Format Specification Mini-Language":
//! `[[fill]align][sign][z][#][0][width][,_][.precision][type]`.

use super::refusal::Refusal;
use super::unicode::decimal_digit;

/// The maximum width and precision. In Python only memory limits them. A template comes from a file that may contain
/// mistakes, and every rendering would pay for them.
pub(super) const LIMIT: usize = 10_000;

/// The error for a width or precision over [`LIMIT`].
#[derive(Debug)]
pub(super) struct TooLarge;

/// How to align the value in a field that is wider than it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
    /// Between sign and digits.
    Inside,
}

impl Align {
    fn of(c: char) -> Option<Align> {
        Some(match c {
            '<' => Align::Left,
            '>' => Align::Right,
            '^' => Align::Center,
            '=' => Align::Inside,
            _ => return None,
        })
    }
}

/// What to write before a number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// `-`: nothing, as without a sign option; but some types refuse the option.
    Minus,
    Plus,
    Space,
}

/// The parts of a spec, not yet checked for any type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub fill: Option<char>,
    pub align: Option<Align>,
    pub sign: Option<Sign>,
    /// `z`: no negative zero.
    pub plain_zero: bool,
    /// `#`
    pub alternate: bool,
    /// `0` before the width.
    pub zero: bool,
    /// 0 if absent: no value is narrower.
    pub width: usize,
    /// `,` or `_`
    pub separator: Option<char>,
    pub precision: Option<usize>,
    pub kind: Option<char>,
}

impl Parts {
    pub fn parse(source: &str) -> Result<Parts, Refusal> {
        let mut rest = Rest(source);
        let (fill, align) = rest.fill_and_align();
        let sign = rest.sign();
        let plain_zero = rest.accept('z');
        let alternate = rest.accept('#');
        // After an explicit fill, a leading 0 is only a digit of the width.
        let zero = fill.is_none() && rest.accept('0');
        let width = rest.number().unwrap_or(0);
        let separator = rest.separator()?;
        let precision =
            if rest.accept('.') { Some(rest.number().ok_or(Refusal::NoPrecision)?) } else { None };
        let kind = rest.next();
        if !rest.0.is_empty() {
            return Err(Refusal::Malformed);
        }
        Ok(Parts { fill, align, sign, plain_zero, alternate, zero, width, separator, precision, kind })
    }

    pub fn is_too_large(&self) -> bool {
        self.width > LIMIT || self.precision.is_some_and(|precision| precision > LIMIT)
    }

    /// Returns the fill character.
    pub fn filling(&self) -> char {
        self.fill.unwrap_or(if self.zero { '0' } else { ' ' })
    }
}

/// The part of a spec that is not read yet.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let c = chars.next();
        self.0 = chars.as_str();
        c
    }

    fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    fn fill_and_align(&mut self) -> (Option<char>, Option<Align>) {
        let mut chars = self.0.chars();
        let (first, second) = (chars.next(), chars.next());
        // Check the second character first: in `<<5` the fill is `<`.
        if let Some(align) = second.and_then(Align::of) {
            self.0 = chars.as_str();
            return (first, Some(align));
        }
        let align = first.and_then(Align::of);
        if align.is_some() {
            self.next();
        }
        (None, align)
    }

    fn sign(&mut self) -> Option<Sign> {
        let sign = match self.peek()? {
            '-' => Sign::Minus,
            '+' => Sign::Plus,
            ' ' => Sign::Space,
            _ => return None,
        };
        self.next();
        Some(sign)
    }

    /// Reads a number in the digits of any script, as Python does. Saturates.
    fn number(&mut self) -> Option<usize> {
        let mut number = None::<usize>;
        while let Some(digit) = self.peek().and_then(decimal_digit) {
            let digit = usize::try_from(digit).unwrap_or(usize::MAX);
            let so_far = number.unwrap_or(0).saturating_mul(10);
            number = Some(so_far.saturating_add(digit));
            self.next();
        }
        number
    }

    fn separator(&mut self) -> Result<Option<char>, Refusal> {
        let comma = self.accept(',');
        let underscore = self.accept('_');
        match (comma, underscore) {
            (true, true) => Err(Refusal::BothSeparators),
            (true, false) => Ok(Some(',')),
            (false, true) if self.peek() == Some(',') => Err(Refusal::BothSeparators),
            (false, true) => Ok(Some('_')),
            (false, false) => Ok(None),
        }
    }
}

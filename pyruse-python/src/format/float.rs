//! Prints an integer as a float: `e`, `f`, `g`, `%`.
//!
//! In: the type, `#` and the precision at load; an integer when rendering. Out: the digits of Python's `float(number)`.
//!
//! No float is formatted here. A 64-bit integer as a float, even times a hundred, is still a whole number of at most 21
//! digits. So integer arithmetic is enough to print it exactly, and to round halves to even as Python does.

use super::frame::{Frame, Tail};
use super::parts::Parts;

/// How to print the float.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatStyle {
    notation: Notation,
    precision: usize,
    /// `#`: keep the decimal point and, with `g`, the trailing zeros.
    alternate: bool,
    upper: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    Fixed,
    Percent,
    Exponent,
    General,
}

impl FloatStyle {
    /// Returns the style of a type, or `None` if the type is not a float type.
    pub fn new(kind: char, parts: &Parts) -> Option<FloatStyle> {
        let notation = match kind {
            'f' | 'F' => Notation::Fixed,
            '%' => Notation::Percent,
            'e' | 'E' => Notation::Exponent,
            'g' | 'G' => Notation::General,
            _ => return None,
        };
        Some(FloatStyle {
            notation,
            precision: parts.precision.unwrap_or(6),
            alternate: parts.alternate,
            upper: kind.is_ascii_uppercase(),
        })
    }

    /// Appends the number.
    pub fn write(&self, out: &mut String, frame: &Frame, number: i64) {
        // The loss of precision is that of Python's `float(number)`.
        #[allow(clippy::cast_precision_loss)]
        let float = number as f64;
        let decimal = match self.notation {
            Notation::Percent => Decimal::new(float * 100.0),
            _ => Decimal::new(float),
        };
        let negative = number < 0;
        match self.notation {
            Notation::Fixed => self.write_fixed(out, frame, negative, &decimal, ""),
            Notation::Percent => self.write_fixed(out, frame, negative, &decimal, "%"),
            Notation::Exponent => {
                let decimal = decimal.rounded(self.precision + 1);
                self.write_exponent(out, frame, negative, &decimal, self.precision);
            }
            Notation::General => self.write_general(out, frame, negative, &decimal),
        }
    }

    fn write_fixed(&self, out: &mut String, frame: &Frame, negative: bool, decimal: &Decimal, ending: &str) {
        let tail = Tail {
            point: self.precision > 0 || self.alternate,
            zeros: self.precision,
            ending,
            ..Tail::default()
        };
        frame.write(out, negative, "", decimal.digits(), &tail);
    }

    fn write_general(&self, out: &mut String, frame: &Frame, negative: bool, decimal: &Decimal) {
        let significant = self.precision.max(1);
        let decimal = decimal.rounded(significant);
        let whole = decimal.digits().len();
        if whole > significant {
            let decimals = if self.alternate { significant - 1 } else { decimal.significant() - 1 };
            self.write_exponent(out, frame, negative, &decimal, decimals);
            return;
        }
        let tail = Tail {
            point: self.alternate,
            zeros: if self.alternate { significant - whole } else { 0 },
            ..Tail::default()
        };
        frame.write(out, negative, "", decimal.digits(), &tail);
    }

    fn write_exponent(
        &self,
        out: &mut String,
        frame: &Frame,
        negative: bool,
        decimal: &Decimal,
        decimals: usize,
    ) {
        let digits = decimal.digits();
        let exponent = digits.len() - 1;
        let (whole, rest) = digits.split_at(1);
        let kept = &rest[..rest.len().min(decimals)];
        let ending = exponent_text(self.upper, exponent);
        let tail = Tail {
            point: decimals > 0 || self.alternate,
            decimals: kept,
            zeros: decimals - kept.len(),
            ending: std::str::from_utf8(&ending).unwrap_or_default(),
        };
        frame.write(out, negative, "", whole, &tail);
    }
}

/// Returns an exponent such as `e+07`. The exponent of a [`Decimal`] has at most two digits.
fn exponent_text(upper: bool, exponent: usize) -> [u8; 4] {
    let digit = |value: usize| b'0' + u8::try_from(value % 10).unwrap_or(0);
    let symbol = if upper { b'E' } else { b'e' };
    [symbol, b'+', digit(exponent / 10), digit(exponent)]
}

/// The decimal digits of a whole number, without leading zeros.
#[derive(Clone, Copy)]
struct Decimal {
    buffer: [u8; Decimal::SIZE],
    start: usize,
}

impl Decimal {
    const SIZE: usize = 40;

    /// Returns the digits of a float that is a whole number, without its sign.
    fn new(float: f64) -> Decimal {
        // Exact: the float is whole, not negative, and far below 2^128.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let mut number = float.abs() as u128;
        let mut decimal = Decimal { buffer: [b'0'; Decimal::SIZE], start: Decimal::SIZE - 1 };
        loop {
            decimal.buffer[decimal.start] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                return decimal;
            }
            decimal.start -= 1;
        }
    }

    fn digits(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Returns the number of digits without trailing zeros; at least one.
    fn significant(&self) -> usize {
        let last = self.digits().iter().rposition(|&digit| digit != b'0');
        last.map_or(1, |last| last + 1)
    }

    /// Rounds to `significant` digits, halves to even. The other digits become zeros.
    fn rounded(mut self, significant: usize) -> Decimal {
        if significant >= self.digits().len() {
            return self;
        }
        let cut = self.start + significant;
        let (kept, dropped) = self.buffer.split_at_mut(cut);
        let odd = kept.last().is_some_and(|digit| digit % 2 == 1);
        let more = dropped[1..].iter().any(|&digit| digit != b'0');
        let up = dropped[0] > b'5' || dropped[0] == b'5' && (more || odd);
        dropped.fill(b'0');
        if up {
            // Carry over the nines. The buffer holds zeros before the first digit.
            let mut at = cut - 1;
            while self.buffer[at] == b'9' {
                self.buffer[at] = b'0';
                at -= 1;
            }
            self.buffer[at] += 1;
            self.start = self.start.min(at);
        }
        self
    }
}

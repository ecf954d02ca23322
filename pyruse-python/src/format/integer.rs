//! Integers under a spec: in a base, as a character, or as a float.
//!
//! In: a spec's parts at load; an integer when rendering. Out: whether Python prints an `int` this way, and the printed
//! number. Sign, prefix, separators and padding are the same for all these types, so [`Frame`] lays them out; a type
//! only determines the digits.

use super::float::FloatStyle;
use super::frame::{Frame, Tail};
use super::parts::Parts;
use super::refusal::Refusal;

/// How to print an integer.
#[derive(Clone, Copy, Debug)]
pub(super) struct IntegerSpec {
    frame: Frame,
    style: Style,
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Digits { base: u64, upper: bool, prefix: &'static str },
    Character,
    Float(FloatStyle),
}

impl IntegerSpec {
    /// Checks a spec as Python's `int.__format__` does.
    pub fn new(parts: &Parts) -> Result<IntegerSpec, Refusal> {
        let kind = parts.kind.unwrap_or('d');
        let frame = Frame::new(parts, kind)?;
        let style = if let Some(style) = FloatStyle::new(kind, parts) {
            Style::Float(style)
        } else {
            Self::whole(kind, parts)?
        };
        Ok(IntegerSpec { frame, style })
    }

    fn whole(kind: char, parts: &Parts) -> Result<Style, Refusal> {
        let digits = |base, upper, prefix| Style::Digits {
            base,
            upper,
            prefix: if parts.alternate { prefix } else { "" },
        };
        let style = match kind {
            // `n` is `d` with the separators of the locale, and the C locale has none.
            'd' | 'n' => digits(10, false, ""),
            'b' => digits(2, false, "0b"),
            'o' => digits(8, false, "0o"),
            'x' => digits(16, false, "0x"),
            'X' => digits(16, true, "0X"),
            'c' => Style::Character,
            _ => return Err(Refusal::UnknownType(kind)),
        };
        if parts.precision.is_some() {
            return Err(Refusal::PrecisionOfInteger);
        }
        if parts.plain_zero {
            return Err(Refusal::ZeroOfInteger);
        }
        if kind == 'c' && parts.sign.is_some() {
            return Err(Refusal::SignOfCharacter);
        }
        if kind == 'c' && parts.alternate {
            return Err(Refusal::AlternateCharacter);
        }
        Ok(style)
    }

    /// Appends the number.
    ///
    /// # Errors
    /// Fails if the number is printed as a character and is not a code point.
    pub fn write(&self, out: &mut String, number: i64) -> Result<(), Refusal> {
        match self.style {
            Style::Digits { base, upper, prefix } => {
                let mut buffer = [0; 64];
                let digits = digits(number.unsigned_abs(), base, upper, &mut buffer);
                self.frame.write(out, number < 0, prefix, digits, &Tail::default());
            }
            Style::Character => {
                // Python also accepts surrogates, which UTF-8 cannot encode.
                let c = u32::try_from(number).ok().and_then(char::from_u32);
                self.frame.write_char(out, c.ok_or(Refusal::NoCharacter(number))?);
            }
            Style::Float(style) => style.write(out, &self.frame, number),
        }
        Ok(())
    }
}

fn digits(mut number: u64, base: u64, upper: bool, buffer: &mut [u8; 64]) -> &[u8] {
    let symbols = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut at = buffer.len();
    loop {
        at -= 1;
        // The remainder is less than the base, which is at most 16.
        buffer[at] = symbols[usize::try_from(number % base).unwrap_or(0)];
        number /= base;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

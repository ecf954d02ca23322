//! A number under a spec: in some base, as a character, or as a float.
//!
//! In: a spec's parts at load, an integer when rendering. Out: whether Python would print an
//! `int` this way, and the number as it prints it. Sign, prefix, separators and padding are the
//! same for all these types, so they are laid out here once, by [`Frame`]; the types only say
//! which digits there are.

use super::float::FloatStyle;
use super::spec::{Align, Parts, Refusal, Sign};
use super::text::{Padding, fill};

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
    /// Judges a spec as Python's `int.__format__` does.
    pub fn new(parts: &Parts) -> Result<IntegerSpec, Refusal> {
        let kind = parts.kind.unwrap_or('d');
        let group = parts.separator.map(|separator| Group::new(separator, kind)).transpose()?;
        let style = if let Some(style) = FloatStyle::new(kind, parts) {
            Style::Float(style)
        } else {
            Self::whole(kind, parts)?
        };
        let align = match parts.align {
            Some(align) => align,
            None if parts.zero => Align::Inside,
            None => Align::Right,
        };
        Ok(IntegerSpec {
            frame: Frame { fill: parts.filling(), align, sign: parts.sign, width: parts.width, group },
            style,
        })
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
    /// If it is to be printed as a character, and there is none of that number.
    pub fn write(&self, out: &mut String, number: i64) -> Result<(), Refusal> {
        match self.style {
            Style::Digits { base, upper, prefix } => {
                let mut buffer = [0; 64];
                let digits = digits(number.unsigned_abs(), base, upper, &mut buffer);
                self.frame.write(out, number < 0, prefix, digits, &Tail::default());
            }
            Style::Character => {
                // Python also has the surrogates, which are no characters in UTF-8.
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
        // The remainder is below the base, which is 16 at most.
        buffer[at] = symbols[usize::try_from(number % base).unwrap_or(0)];
        number /= base;
        if number == 0 {
            return &buffer[at..];
        }
    }
}

/// Separators between groups of digits.
#[derive(Clone, Copy, Debug)]
struct Group {
    separator: char,
    size: usize,
}

impl Group {
    fn new(separator: char, kind: char) -> Result<Group, Refusal> {
        let size = match (separator, kind) {
            (_, 'd' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => 3,
            ('_', 'b' | 'o' | 'x' | 'X') => 4,
            _ => return Err(Refusal::Separator(separator, kind)),
        };
        Ok(Group { separator, size })
    }
}

/// What follows the whole digits of a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail<'a> {
    pub point: bool,
    /// ASCII digits.
    pub decimals: &'a [u8],
    /// How many zeros follow the decimals.
    pub zeros: usize,
    /// Exponent or percent sign; ASCII.
    pub ending: &'a str,
}

impl Tail<'_> {
    fn length(&self) -> usize {
        usize::from(self.point) + self.decimals.len() + self.zeros + self.ending.len()
    }

    fn write(&self, out: &mut String) {
        if self.point {
            out.push('.');
        }
        push_ascii(out, self.decimals);
        fill(out, '0', self.zeros);
        out.push_str(self.ending);
    }
}

fn push_ascii(out: &mut String, digits: &[u8]) {
    out.extend(digits.iter().copied().map(char::from));
}

/// Sign, separators and padding of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    fill: char,
    align: Align,
    sign: Option<Sign>,
    width: usize,
    group: Option<Group>,
}

impl Frame {
    /// Appends a number, given its whole digits (ASCII) and what comes before and behind them.
    pub fn write(&self, out: &mut String, negative: bool, prefix: &str, digits: &[u8], tail: &Tail<'_>) {
        let sign = match self.sign {
            _ if negative => "-",
            Some(Sign::Plus) => "+",
            Some(Sign::Space) => " ",
            Some(Sign::Minus) | None => "",
        };
        let around = sign.len() + prefix.len() + tail.length();
        let zeros = self.leading_zeros(digits.len(), self.width.saturating_sub(around));
        let count = zeros + digits.len();
        let separators = self.group.map_or(0, |group| (count - 1) / group.size);
        let padding = Padding::new(self.align, self.width, around + count + separators);

        fill(out, self.fill, padding.left);
        out.push_str(sign);
        out.push_str(prefix);
        fill(out, self.fill, padding.inside);
        self.write_grouped(out, zeros, digits);
        tail.write(out);
        fill(out, self.fill, padding.right);
    }

    /// Padding with zeros behind the sign makes digits of them, which are grouped like others;
    /// and since no number starts with a separator, it may come out one wider than asked.
    fn leading_zeros(&self, digits: usize, room: usize) -> usize {
        if self.fill != '0' || self.align != Align::Inside || room == 0 {
            return 0;
        }
        let wanted = match self.group {
            None => room,
            Some(Group { size, .. }) => room / (size + 1) * size + (room % (size + 1)).max(1),
        };
        wanted.saturating_sub(digits)
    }

    fn write_grouped(&self, out: &mut String, zeros: usize, digits: &[u8]) {
        let Some(Group { separator, size }) = self.group else {
            fill(out, '0', zeros);
            push_ascii(out, digits);
            return;
        };
        let count = zeros + digits.len();
        for at in 0..count {
            if at > 0 && (count - at).is_multiple_of(size) {
                out.push(separator);
            }
            let digit = at.checked_sub(zeros).map_or(b'0', |at| digits[at]);
            out.push(char::from(digit));
        }
    }

    fn write_char(&self, out: &mut String, c: char) {
        let padding = Padding::new(self.align, self.width, 1);
        fill(out, self.fill, padding.left + padding.inside);
        out.push(c);
        fill(out, self.fill, padding.right);
    }
}

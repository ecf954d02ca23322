//! What surrounds the digits of a number: sign, prefix, separators and padding.
//!
//! In: a spec's parts at load; digits when rendering. Out: the number as Python lays it out, for every type.

use super::padding::{Padding, fill};
use super::parts::{Align, Parts, Sign};
use super::refusal::Refusal;

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
    /// The number of zeros after the decimals.
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
    /// # Errors
    /// Fails if the type does not allow the separator.
    pub fn new(parts: &Parts, kind: char) -> Result<Frame, Refusal> {
        let group = parts.separator.map(|separator| Group::new(separator, kind)).transpose()?;
        let align = match parts.align {
            Some(align) => align,
            None if parts.zero => Align::Inside,
            None => Align::Right,
        };
        Ok(Frame { fill: parts.filling(), align, sign: parts.sign, width: parts.width, group })
    }

    /// Appends a number, given its whole digits (ASCII) and what comes before and after them.
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

    /// Returns the number of leading zeros. Zeros inserted after the sign count as digits and are grouped too. A number
    /// never starts with a separator, so the result may be one character wider than the width.
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

    /// Appends a character instead of a number.
    pub fn write_char(&self, out: &mut String, c: char) {
        let padding = Padding::new(self.align, self.width, 1);
        fill(out, self.fill, padding.left + padding.inside);
        out.push(c);
        fill(out, self.fill, padding.right);
    }
}

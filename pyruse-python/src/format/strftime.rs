//! One directive of the C library's `strftime`, such as `%d` or `%_5Y`.
//!
//! In: the text of the directive at load; a moment when rendering. Out: what glibc writes for it in the C locale.
//! glibc's manual, "Formatting Calendar Time", defines the syntax: `%[flags][width][E or O]conversion`. Text that is
//! not a directive is written unchanged, padded if it has a width.

use std::fmt::Write;

use super::calendar::{Number, Pad, half, month, number, weekday, write_parts};
use super::moment::Moment;
use super::padding::fill;

/// A compiled directive.
#[derive(Clone, Debug)]
pub(super) struct Directive {
    source: Box<str>,
    pad: Option<Pad>,
    /// `^`
    upper: bool,
    /// `#`
    swap: bool,
    width: usize,
    /// `None` if there is no such conversion, or none with this modifier.
    conversion: Option<char>,
    complete: bool,
}

impl Directive {
    /// Reads the directive at the start of the text. Returns also the text after it.
    pub fn parse(text: &str) -> (Directive, &str) {
        let mut chars = text.chars();
        chars.next();
        let mut directive = Directive {
            source: "".into(),
            pad: None,
            upper: false,
            swap: false,
            width: 0,
            conversion: None,
            complete: true,
        };
        let mut next = chars.next();
        while let Some(flag) = next {
            match flag {
                '_' => directive.pad = Some(Pad::Space),
                '-' => directive.pad = Some(Pad::Nothing),
                '0' => directive.pad = Some(Pad::Zero),
                '^' => directive.upper = true,
                '#' => directive.swap = true,
                _ => break,
            }
            next = chars.next();
        }
        while let Some(digit) = next.and_then(|c| c.to_digit(10)) {
            let digit = usize::try_from(digit).unwrap_or(usize::MAX);
            directive.width = directive.width.saturating_mul(10).saturating_add(digit);
            next = chars.next();
        }
        let modifier = next.filter(|c| matches!(c, 'E' | 'O'));
        if modifier.is_some() {
            next = chars.next();
        }
        directive.conversion = next.filter(|&c| is_known(modifier, c));
        directive.complete = next.is_some();
        // glibc applies `#` before it finds that months allow no `E`.
        directive.upper |= directive.swap && modifier == Some('E') && matches!(next, Some('b' | 'h'));
        let behind = chars.as_str();
        directive.source = text[..text.len() - behind.len()].into();
        (directive, behind)
    }

    /// Returns the text of the directive.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it has a conversion, known or not, instead of ending too early.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns the minimum number of characters to write.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Appends the value of the directive for this moment.
    pub fn write(&self, out: &mut String, moment: &Moment<'_>) {
        let Some(conversion) = self.conversion else {
            return self.pad_and_push(out, &self.source, self.case(Case::Kept));
        };
        if let Some(number) = number(conversion, moment) {
            return self.write_number(out, number);
        }
        let swapped_up = self.case(Case::Upper);
        let swapped_down = self.case(Case::Lower);
        match conversion {
            'a' => self.pad_and_push(out, &weekday(moment)[..3], swapped_up),
            'A' => self.pad_and_push(out, weekday(moment), swapped_up),
            'b' | 'h' => self.pad_and_push(out, &month(moment)[..3], swapped_up),
            'B' => self.pad_and_push(out, month(moment), swapped_up),
            'p' => self.pad_and_push(out, half(moment), swapped_down),
            'P' => self.pad_and_push(out, half(moment), Case::Lower),
            'Z' => self.pad_and_push(out, moment.abbreviation(), swapped_down),
            'n' => self.pad_and_push(out, "\n", Case::Kept),
            't' => self.pad_and_push(out, "\t", Case::Kept),
            '%' => self.pad_and_push(out, "%", Case::Kept),
            'z' => {
                // Python passes no offset to the C library, so the offset is zero, here too.
                self.pad_and_push(out, "+", Case::Kept);
                self.write_number(out, Number::new(0, 4));
            }
            _ => self.write_composite(out, moment, conversion),
        }
    }

    /// Returns how to change the case of letters; `swapped` is the effect of `#` here.
    fn case(&self, swapped: Case) -> Case {
        if self.swap && swapped != Case::Kept {
            swapped
        } else if self.upper {
            Case::Upper
        } else {
            Case::Kept
        }
    }

    fn write_composite(&self, out: &mut String, moment: &Moment<'_>, conversion: char) {
        if self.width == 0 {
            write_parts(out, moment, conversion, self.upper);
            return;
        }
        let mut scratch = String::new();
        write_parts(&mut scratch, moment, conversion, self.upper);
        self.pad_and_push(out, &scratch, Case::Kept);
    }

    fn write_number(&self, out: &mut String, number: Number) {
        let digits =
            if number.value == 0 { 1 } else { usize::try_from(number.value.ilog10() + 1).unwrap_or(1) };
        let width = number.digits.max(self.width);
        let room = width.saturating_sub(digits);
        match self.pad.unwrap_or(number.pad) {
            Pad::Space => fill(out, ' ', room),
            Pad::Zero => fill(out, '0', room),
            Pad::Nothing => fill(out, ' ', self.width.saturating_sub(digits)),
        }
        // Writing to a String cannot fail.
        let _ = write!(out, "{}", number.value);
    }

    fn pad_and_push(&self, out: &mut String, text: &str, case: Case) {
        if self.width > 0 {
            let filling = if self.pad == Some(Pad::Zero) { '0' } else { ' ' };
            fill(out, filling, self.width.saturating_sub(text.chars().count()));
        }
        match case {
            Case::Kept => out.push_str(text),
            Case::Upper => out.extend(text.chars().map(upper)),
            Case::Lower => out.extend(text.chars().map(|c| c.to_ascii_lowercase())),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Upper,
    Lower,
}

/// Returns the capital of a letter if it is a single letter: C knows no others.
fn upper(c: char) -> char {
    let mut capital = c.to_uppercase();
    match (capital.next(), capital.next()) {
        (Some(capital), None) => capital,
        _ => c,
    }
}

fn is_known(modifier: Option<char>, conversion: char) -> bool {
    match modifier {
        None => "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%".contains(conversion),
        Some('E') => "cCnpPrRstTuxXyYzZ%".contains(conversion),
        Some(_) => "bBCdeghGHIjklmMnpPrRsStTuUVwWyzZ%".contains(conversion),
    }
}

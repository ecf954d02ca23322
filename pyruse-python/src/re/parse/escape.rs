//! Escapes: the meaning of a backslash and the character after it, outside and inside of sets.

use super::parser::Parser;
use crate::re::ast::{Anchor, Node};
use crate::re::charset::{Class, Member};
use crate::re::error::PatternError;
use crate::re::flags::Flags;

impl Parser<'_> {
    /// Reads an escape outside of a set, after its `letter`.
    pub(super) fn escape(&mut self, letter: char, start: usize, flags: Flags) -> Result<Node, PatternError> {
        if let Some((class, inverse)) = class(letter) {
            let members = [Member::Class(class, inverse)];
            return Ok(Node::Char(self.char_set(&members, false, start, flags)));
        }
        let boundary = |negated| Anchor::Boundary { negated, ascii: flags.has(Flags::ASCII) };
        match letter {
            'A' => return Ok(Node::Anchor(Anchor::TextStart)),
            'Z' => return Ok(Node::Anchor(Anchor::TextEnd)),
            'b' => return Ok(Node::Anchor(boundary(false))),
            'B' => return Ok(Node::Anchor(boundary(true))),
            '1'..='9' => return self.number(letter, start, flags),
            _ => {}
        }
        let literal = if letter == '0' {
            let octal = self.cursor.take_while(2, is_octal)?;
            octal_char(&format!("0{octal}"))
        } else {
            self.character(letter, start)?
        };
        match literal {
            Some(literal) => Ok(self.literal(literal, start, flags)),
            None => Err(self.bad_escape("bad escape", start)),
        }
    }

    /// Reads an escape inside of a set.
    pub(super) fn set_escape(&mut self, letter: char, start: usize) -> Result<Member, PatternError> {
        if let Some((class, inverse)) = class(letter) {
            return Ok(Member::Class(class, inverse));
        }
        let literal = match letter {
            'b' => Some('\u{8}'),
            '0'..='7' => {
                let octal = self.cursor.take_while(2, is_octal)?;
                Some(self.octal(&format!("{letter}{octal}"), start)?)
            }
            '8' | '9' => None,
            _ => self.character(letter, start)?,
        };
        literal.map(Member::One).ok_or_else(|| self.bad_escape("bad escape", start))
    }

    /// Reads a number: three octal digits are a character; anything else is the number of a group.
    fn number(&mut self, first: char, start: usize, flags: Flags) -> Result<Node, PatternError> {
        let mut digits = String::from(first);
        digits.push_str(&self.cursor.take_while(1, |char| char.is_ascii_digit())?);
        if digits.len() == 2 && digits.chars().all(is_octal) {
            let third = self.cursor.take_while(1, is_octal)?;
            if !third.is_empty() {
                digits.push_str(&third);
                let literal = self.octal(&digits, start)?;
                return Ok(self.literal(literal, start, flags));
            }
        }
        let group = digits.parse().unwrap_or(usize::MAX);
        if group >= self.widths.len() {
            let message = format!("invalid group reference {group}");
            return Err(PatternError::new(start + 1, message));
        }
        self.back_reference(group, start, flags)
    }

    fn octal(&self, digits: &str, start: usize) -> Result<char, PatternError> {
        octal_char(digits).ok_or_else(|| {
            let escape = self.cursor.slice(start, self.cursor.offset());
            let message = format!("octal escape value {escape} outside of range 0-0o377");
            PatternError::new(start, message)
        })
    }

    /// Returns the character that a letter means; `None` if Python does not know the escape.
    fn character(&mut self, letter: char, start: usize) -> Result<Option<char>, PatternError> {
        Ok(Some(match letter {
            'a' => '\u{7}',
            'f' => '\u{C}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{B}',
            'x' => self.code_point(2, start)?,
            'u' => self.code_point(4, start)?,
            'U' => self.code_point(8, start)?,
            'N' => return self.named_character(start),
            letter if letter.is_ascii_alphabetic() => return Ok(None),
            other => other,
        }))
    }

    /// Reads a character by its number, with exactly `length` hexadecimal digits.
    fn code_point(&mut self, length: usize, start: usize) -> Result<char, PatternError> {
        let digits = self.cursor.take_while(length, |char| char.is_ascii_hexdigit())?;
        if digits.len() != length {
            return Err(self.bad_escape("incomplete escape", start));
        }
        let code = u32::from_str_radix(&digits, 16).unwrap_or(u32::MAX);
        if (0xD800..0xE000).contains(&code) {
            // Python's texts may contain half characters; Rust's cannot.
            self.refuse(start, "half characters (surrogates) are not supported");
            return Ok('\u{FFFD}');
        }
        char::from_u32(code).ok_or_else(|| self.bad_escape("bad escape", start))
    }

    /// Refuses `\N{…}`, because it would need the names of all characters.
    fn named_character(&mut self, start: usize) -> Result<Option<char>, PatternError> {
        if !self.cursor.take_if('{')? {
            return Err(PatternError::new(self.cursor.offset(), "missing {"));
        }
        self.cursor.take_name('}', "character name")?;
        let message = "character names are not supported: use \\u or \\U instead";
        Err(PatternError::new(start, message))
    }

    fn bad_escape(&self, what: &str, start: usize) -> PatternError {
        let escape = self.cursor.slice(start, self.cursor.offset());
        PatternError::new(start, format!("{what} {escape}"))
    }
}

fn class(letter: char) -> Option<(Class, bool)> {
    Some(match letter {
        'd' => (Class::Digit, false),
        'D' => (Class::Digit, true),
        's' => (Class::Space, false),
        'S' => (Class::Space, true),
        'w' => (Class::Word, false),
        'W' => (Class::Word, true),
        _ => return None,
    })
}

fn is_octal(char: char) -> bool {
    matches!(char, '0'..='7')
}

/// Returns the character of an octal number, which must fit into a byte.
fn octal_char(digits: &str) -> Option<char> {
    u8::from_str_radix(digits, 8).ok().map(char::from)
}

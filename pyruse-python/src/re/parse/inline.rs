//! Flags written in the expression: `(?i)` for all of it, `(?i-s:…)` for a part.

use super::cursor::Token;
use super::parser::Parser;
use crate::re::error::PatternError;
use crate::re::flags::Flags;

impl Parser<'_> {
    /// Reads on after `(?` and a first flag `letter` (or `-`) at `at`. `None`: the flags are global, and now set.
    pub(super) fn inline_flags(
        &mut self,
        letter: char,
        at: usize,
    ) -> Result<Option<(Flags, Flags)>, PatternError> {
        let mut add = Flags::NONE;
        let mut remove = Flags::NONE;
        let mut end = letter;
        let mut offset = at;
        if letter != '-' {
            loop {
                let flag = Flags::of_letter(end).unwrap_or_default();
                let behind = self.cursor.offset();
                if flag == Flags::LOCALE {
                    let message = "bad inline flags: cannot use 'L' flag with a str pattern";
                    return Err(PatternError::new(behind, message));
                }
                add = add.with(flag);
                if flag.has(Flags::TYPE) && add.and(Flags::TYPE) != flag {
                    let message = "bad inline flags: flags 'a', 'u' and 'L' are incompatible";
                    return Err(PatternError::new(behind, message));
                }
                (end, offset) = self.flag_letter("missing -, : or )")?;
                if matches!(end, ')' | '-' | ':') {
                    break;
                }
            }
        }
        if end == ')' {
            self.global = self.global.with(add);
            return Ok(None);
        }
        if add.has(Flags::TEMPLATE) {
            let message = "bad inline flags: cannot turn on global flag";
            return Err(PatternError::new(offset, message));
        }
        if end == '-' {
            (end, _) = self.flag_letter_only("missing flag")?;
            while end != ':' {
                let flag = Flags::of_letter(end).unwrap_or_default();
                if flag.has(Flags::TYPE) {
                    let message = "bad inline flags: cannot turn off flags 'a', 'u' and 'L'";
                    return Err(PatternError::new(self.cursor.offset(), message));
                }
                remove = remove.with(flag);
                offset = self.cursor.offset();
                if self.cursor.peek() == Some(Token::Plain(':')) {
                    self.cursor.take()?;
                    end = ':';
                } else {
                    (end, offset) = self.flag_letter_only("missing :")?;
                }
            }
        }
        if remove.has(Flags::TEMPLATE) {
            let message = "bad inline flags: cannot turn off global flag";
            return Err(PatternError::new(offset, message));
        }
        if add.and(remove) != Flags::NONE {
            let message = "bad inline flags: flag turned on and off";
            return Err(PatternError::new(offset, message));
        }
        Ok(Some((add, remove)))
    }

    /// Reads the next flag, or a character that may end the flags.
    fn flag_letter(&mut self, missing: &str) -> Result<(char, usize), PatternError> {
        if let Some(Token::Plain(end @ (')' | '-' | ':'))) = self.cursor.peek() {
            let offset = self.cursor.offset();
            self.cursor.take()?;
            return Ok((end, offset));
        }
        self.flag_letter_only(missing)
    }

    fn flag_letter_only(&mut self, missing: &str) -> Result<(char, usize), PatternError> {
        let offset = self.cursor.offset();
        match self.cursor.take()? {
            Some(Token::Plain(letter)) if Flags::of_letter(letter).is_some() => Ok((letter, offset)),
            Some(Token::Plain(letter)) if letter.is_alphabetic() => {
                Err(PatternError::new(offset, "unknown flag"))
            }
            _ => Err(PatternError::new(offset, missing)),
        }
    }
}

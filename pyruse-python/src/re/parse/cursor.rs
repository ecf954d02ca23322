//! The expression as a sequence of tokens: a character, or a backslash with the character after it.
//!
//! One token is always read ahead, as in Python, because this decides *which* error is reported: a lone backslash at
//! the end is found as soon as it is the next token.

use crate::re::error::PatternError;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A character that stands for itself or is an operator.
    Plain(char),
    /// A backslash and this character.
    Escaped(char),
}

/// Reads an expression.
#[derive(Debug)]
pub(super) struct Cursor<'e> {
    text: &'e str,
    /// The next token.
    next: Option<Token>,
    /// Where the next token begins.
    at: usize,
    /// Where the next token ends.
    behind: usize,
}

impl<'e> Cursor<'e> {
    pub(super) fn new(text: &'e str) -> Result<Self, PatternError> {
        let mut cursor = Self { text, next: None, at: 0, behind: 0 };
        cursor.seek(0)?;
        Ok(cursor)
    }

    /// Returns the next token.
    pub(super) fn peek(&self) -> Option<Token> {
        self.next
    }

    /// Returns where the next token begins.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Returns the expression between two offsets.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'e str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Continues at an offset.
    pub(super) fn seek(&mut self, offset: usize) -> Result<(), PatternError> {
        let mut chars = self.text.get(offset..).unwrap_or_default().chars();
        self.at = offset;
        self.behind = offset;
        self.next = match chars.next() {
            None => None,
            Some('\\') => {
                let Some(escaped) = chars.next() else {
                    return Err(PatternError::new(offset, "bad escape (end of pattern)"));
                };
                self.behind += 1 + escaped.len_utf8();
                Some(Token::Escaped(escaped))
            }
            Some(plain) => {
                self.behind += plain.len_utf8();
                Some(Token::Plain(plain))
            }
        };
        Ok(())
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<Option<Token>, PatternError> {
        let taken = self.next;
        self.seek(self.behind)?;
        Ok(taken)
    }

    /// Takes the next token if it is this character.
    pub(super) fn take_if(&mut self, wanted: char) -> Result<bool, PatternError> {
        let found = self.next == Some(Token::Plain(wanted));
        if found {
            self.take()?;
        }
        Ok(found)
    }

    /// Takes up to `limit` characters for which `kind` is true.
    pub(super) fn take_while(
        &mut self,
        limit: usize,
        kind: impl Fn(char) -> bool,
    ) -> Result<String, PatternError> {
        let mut taken = String::new();
        while taken.len() < limit {
            match self.next {
                Some(Token::Plain(found)) if kind(found) => taken.push(found),
                _ => break,
            }
            self.take()?;
        }
        Ok(taken)
    }

    /// Takes a name and its terminator. Returns where the name began.
    pub(super) fn take_name(
        &mut self,
        terminator: char,
        what: &str,
    ) -> Result<(usize, &'e str), PatternError> {
        let start = self.at;
        loop {
            let end = self.at;
            match self.take()? {
                None if end == start => {
                    return Err(PatternError::new(end, format!("missing {what}")));
                }
                None => {
                    let message = format!("missing {terminator}, unterminated name");
                    return Err(PatternError::new(start, message));
                }
                Some(Token::Plain(found)) if found == terminator => {
                    if end == start {
                        return Err(PatternError::new(end, format!("missing {what}")));
                    }
                    return Ok((start, self.slice(start, end)));
                }
                Some(_) => {}
            }
        }
    }
}

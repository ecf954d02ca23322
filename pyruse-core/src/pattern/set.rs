//! `[…]`. Python knows no sets within sets and no operators: `[[]`, `[a&&b]` and `[[:alpha:]]` are
//! plain lists of characters.

use super::ast::Node;
use super::charset::{CharSet, Member};
use super::cursor::Token;
use super::error::PatternError;
use super::flags::Flags;
use super::parse::Parser;

impl Parser<'_> {
    /// Reads on behind a `[` at `start`, up to and with its `]`.
    pub(super) fn set(&mut self, start: usize, flags: Flags) -> Result<Node, PatternError> {
        let unterminated = || PatternError::new(start, "unterminated character set");
        let negated = self.cursor.take_if('^')?;
        let mut members = Vec::new();
        loop {
            let at = self.cursor.offset();
            let token = self.cursor.take()?.ok_or_else(unterminated)?;
            if token == Token::Plain(']') && !members.is_empty() {
                break;
            }
            let member = self.member(token, at)?;
            if !self.cursor.take_if('-')? {
                members.push(member);
                continue;
            }
            let to_at = self.cursor.offset();
            let to = self.cursor.take()?.ok_or_else(unterminated)?;
            if to == Token::Plain(']') {
                members.push(member);
                members.push(Member::One('-'));
                break;
            }
            match (member, self.member(to, to_at)?) {
                (Member::One(from), Member::One(to)) if from <= to => {
                    members.push(Member::Range(from, to));
                }
                _ => {
                    let range = self.cursor.slice(at, self.cursor.offset());
                    let message = format!("bad character range {range}");
                    return Err(PatternError::new(at, message));
                }
            }
        }
        Ok(Node::Char(CharSet::new(&members, negated, flags)))
    }

    fn member(&mut self, token: Token, at: usize) -> Result<Member, PatternError> {
        match token {
            Token::Plain(char) => Ok(Member::One(char)),
            Token::Escaped(letter) => self.set_escape(letter, at),
        }
    }
}

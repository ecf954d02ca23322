//! Sets: `[…]`. Python has no sets within sets and no operators: `[[]`, `[a&&b]` and `[[:alpha:]]` are plain lists of
//! characters.

use super::cursor::Token;
use super::parser::Parser;
use crate::re::ast::Node;
use crate::re::casefold;
use crate::re::charset::{CharSet, Member};
use crate::re::error::PatternError;
use crate::re::flags::Flags;

impl Parser<'_> {
    /// Reads a set after its `[` at `start`, up to and including its `]`.
    pub(super) fn set(&mut self, start: usize, flags: Flags) -> Result<CharSet, PatternError> {
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
        Ok(self.char_set(&members, negated, start, flags))
    }

    /// Returns a set, and refuses one that Python itself does not find.
    ///
    /// Python 3.11 skips to the first character that an expression can begin with. For that it reads the classes inside
    /// of `(?a:…)` and `(?u:…)` with the flags of the whole expression. So `(?a:\W)` does not find the é that it
    /// matches. The author's intention cannot be known.
    pub(super) fn char_set(
        &mut self,
        members: &[Member],
        negated: bool,
        start: usize,
        flags: Flags,
    ) -> CharSet {
        let ascii = flags.has(Flags::ASCII);
        let unsafe_here = |member: &Member| match member {
            Member::Class(_, inverse) => *inverse || negated || !ascii,
            _ => false,
        };
        if ascii != self.global.has(Flags::ASCII) && members.iter().any(unsafe_here) {
            let message = "this class inside of (?a:…) or (?u:…) is not supported, because its meaning in Python \
                           3.11 is not defined; set the flag for the whole expression";
            self.refuse(start, message);
        }
        for member in members {
            match member {
                Member::One(char) => self.check_case(*char, start, flags),
                Member::Range(_, '\u{10000}'..) if ascii && flags.has(Flags::IGNORE_CASE) => {
                    let message = "a range beyond U+FFFF is not supported with the flags 'a' and 'i', because Python \
                                   3.11 ignores one of them";
                    self.refuse(start, message);
                }
                _ => {}
            }
        }
        CharSet::new(members, negated, flags)
    }

    /// Returns a character that stands for itself.
    pub(super) fn literal(&mut self, char: char, start: usize, flags: Flags) -> Node {
        self.check_case(char, start, flags);
        Node::Char(CharSet::literal(char, flags))
    }

    /// Refuses capitals beyond U+FFFF that ignore case. Python 3.11 does not lower them where it has made a set of
    /// them, which it also does to alternatives. So `(?i)a|𐐀` does not find 𐐀.
    fn check_case(&mut self, char: char, start: usize, flags: Flags) {
        let by_unicode = flags.has(Flags::IGNORE_CASE) && !flags.has(Flags::ASCII);
        if by_unicode && char > '\u{FFFF}' && casefold::lower(char) != char {
            let message = "a capital letter beyond U+FFFF is not supported here, because Python 3.11 does not always \
                           find it; write the small letter";
            self.refuse(start, message);
        }
    }

    fn member(&mut self, token: Token, at: usize) -> Result<Member, PatternError> {
        match token {
            Token::Plain(char) => Ok(Member::One(char)),
            Token::Escaped(letter) => self.set_escape(letter, at),
        }
    }
}

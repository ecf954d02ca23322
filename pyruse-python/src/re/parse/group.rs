//! Groups: everything that begins with a parenthesis.

use super::cursor::Token;
use super::name::{check_name, is_identifier, quoted};
use super::parser::Parser;
use crate::re::ast::{Folding, Node};
use crate::re::error::PatternError;
use crate::re::flags::Flags;
use crate::re::width;

/// Python does not allow a group with this number.
const MAX_GROUPS: usize = 1_073_741_823;

/// What a parenthesis begins.
pub(super) enum Opened {
    /// Something that matches.
    Node(Node),
    /// `(?#…)`
    Comment,
    /// `(?i)`; the flags are already set.
    Flags,
}

impl Parser<'_> {
    /// Reads a group after its `(` at `start`, up to and including its `)`.
    pub(super) fn group(&mut self, start: usize, flags: Flags, depth: usize) -> Result<Opened, PatternError> {
        if !self.cursor.take_if('?')? {
            return self.capture(None, start, flags, depth);
        }
        let at = self.cursor.offset();
        match self.cursor.take()? {
            None => Err(PatternError::new(at, "unexpected end of pattern")),
            Some(Token::Plain('P')) => self.named(start, flags, depth),
            Some(Token::Plain(':')) => self.body(start, flags, depth).map(Opened::Node),
            Some(Token::Plain('#')) => self.comment(start),
            Some(Token::Plain('=')) => self.look(false, false, start, flags, depth),
            Some(Token::Plain('!')) => self.look(false, true, start, flags, depth),
            Some(Token::Plain('<')) => {
                let sign = self.cursor.offset();
                match self.cursor.take()? {
                    None => Err(PatternError::new(sign, "unexpected end of pattern")),
                    Some(Token::Plain('=')) => self.look(true, false, start, flags, depth),
                    Some(Token::Plain('!')) => self.look(true, true, start, flags, depth),
                    Some(_) => Err(self.unknown_extension(at - 1)),
                }
            }
            Some(Token::Plain('(')) => self.condition(start, flags, depth),
            Some(Token::Plain('>')) => {
                let body = self.body(start, flags, depth)?;
                Ok(Opened::Node(Node::Atomic(Box::new(body))))
            }
            Some(Token::Plain(letter)) if letter == '-' || Flags::of_letter(letter).is_some() => {
                let Some((add, remove)) = self.inline_flags(letter, at)? else {
                    if self.global.has(Flags::TEMPLATE) {
                        let message = "flag 't' is not supported";
                        self.refuse(start, message);
                    }
                    return Ok(Opened::Flags);
                };
                let body = self.body(start, flags.scoped(add, remove), depth)?;
                Ok(Opened::Node(body))
            }
            Some(_) => Err(self.unknown_extension(at - 1)),
        }
    }

    fn unknown_extension(&self, from: usize) -> PatternError {
        let extension = self.cursor.slice(from, self.cursor.offset());
        PatternError::new(from, format!("unknown extension {extension}"))
    }

    /// Reads the inside of a parenthesis, and the closing one.
    fn body(&mut self, start: usize, flags: Flags, depth: usize) -> Result<Node, PatternError> {
        let body = self.alternatives(flags, depth + 1)?;
        self.close(start)?;
        Ok(body)
    }

    fn close(&mut self, start: usize) -> Result<(), PatternError> {
        if self.cursor.take_if(')')? {
            return Ok(());
        }
        let message = "missing ), unterminated subpattern";
        Err(PatternError::new(start, message))
    }

    fn comment(&mut self, start: usize) -> Result<Opened, PatternError> {
        loop {
            match self.cursor.take()? {
                None => {
                    let message = "missing ), unterminated comment";
                    return Err(PatternError::new(start, message));
                }
                Some(Token::Plain(')')) => return Ok(Opened::Comment),
                Some(_) => {}
            }
        }
    }

    /// Reads a capturing group; `name` comes with its offset.
    fn capture(
        &mut self,
        name: Option<(usize, &str)>,
        start: usize,
        flags: Flags,
        depth: usize,
    ) -> Result<Opened, PatternError> {
        let number = self.widths.len();
        if let Some((offset, name)) = name {
            if let Some(was) = self.number_of(name) {
                let name = quoted(name);
                let message = format!("redefinition of group name {name} as group {number}; was group {was}");
                return Err(PatternError::new(offset, message));
            }
            self.names.push((number, name.to_owned()));
        }
        self.widths.push(None);
        let body = self.body(start, flags, depth)?;
        let width = width::width(&body, &self.widths);
        if let Some(open) = self.widths.get_mut(number) {
            *open = Some(width);
        }
        Ok(Opened::Node(Node::Group(number, Box::new(body))))
    }

    fn number_of(&self, name: &str) -> Option<usize> {
        let found = self.names.iter().find(|(_, known)| known == name);
        found.map(|&(number, _)| number)
    }

    /// Reads on after `(?P`.
    fn named(&mut self, start: usize, flags: Flags, depth: usize) -> Result<Opened, PatternError> {
        let at = self.cursor.offset();
        match self.cursor.take()? {
            None => Err(PatternError::new(at, "unexpected end of pattern")),
            Some(Token::Plain('<')) => {
                let (offset, name) = self.cursor.take_name('>', "group name")?;
                check_name(offset, name)?;
                self.capture(Some((offset, name)), start, flags, depth)
            }
            Some(Token::Plain('=')) => {
                let (offset, name) = self.cursor.take_name(')', "group name")?;
                check_name(offset, name)?;
                let Some(group) = self.number_of(name) else {
                    let message = format!("unknown group name {}", quoted(name));
                    return Err(PatternError::new(offset, message));
                };
                self.back_reference(group, offset, flags).map(Opened::Node)
            }
            Some(_) => Err(self.unknown_extension(at - 2)),
        }
    }

    /// Returns a back-reference to a group that was opened before.
    pub(super) fn back_reference(
        &mut self,
        group: usize,
        offset: usize,
        flags: Flags,
    ) -> Result<Node, PatternError> {
        if self.widths.get(group).copied().flatten().is_none() {
            let message = "cannot refer to an open group";
            return Err(PatternError::new(offset, message));
        }
        self.check_behind(group)?;
        let folding = if !flags.has(Flags::IGNORE_CASE) {
            Folding::Exact
        } else if flags.has(Flags::ASCII) {
            Folding::Ascii
        } else {
            Folding::Unicode
        };
        Ok(Node::BackReference(group, folding))
    }

    /// Refuses a look-behind that refers to a group of its own.
    fn check_behind(&self, group: usize) -> Result<(), PatternError> {
        let Some(first_inside) = self.behind else {
            return Ok(());
        };
        let message = if self.widths.get(group).copied().flatten().is_none() {
            "cannot refer to an open group"
        } else if group >= first_inside {
            "cannot refer to group defined in the same lookbehind subpattern"
        } else {
            return Ok(());
        };
        Err(PatternError::new(self.cursor.offset(), message))
    }

    fn look(
        &mut self,
        behind: bool,
        negated: bool,
        start: usize,
        flags: Flags,
        depth: usize,
    ) -> Result<Opened, PatternError> {
        let outer = self.behind;
        if behind && outer.is_none() {
            self.behind = Some(self.widths.len());
        }
        let body = self.alternatives(flags, depth + 1)?;
        self.behind = outer;
        self.close(start)?;
        Ok(Opened::Node(if negated && matches!(body, Node::Empty) {
            Node::Never
        } else {
            Node::Look { behind, negated, offset: start, body: Box::new(body) }
        }))
    }

    /// Reads on after `(?(`.
    fn condition(&mut self, start: usize, flags: Flags, depth: usize) -> Result<Opened, PatternError> {
        let (offset, name) = self.cursor.take_name(')', "group name")?;
        let group = if is_identifier(name) {
            self.number_of(name).ok_or_else(|| {
                let message = format!("unknown group name {}", quoted(name));
                PatternError::new(offset, message)
            })?
        } else {
            self.condition_number(offset, name)?
        };
        self.check_behind(group)?;
        if self.widths.get(group).is_some_and(Option::is_none) {
            let message = "a condition on a group that is still open is not supported";
            self.refuse(offset, message);
        }
        let yes = self.sequence(flags, depth + 1, false)?;
        let mut no = Node::Empty;
        if self.cursor.take_if('|')? {
            no = self.sequence(flags, depth + 1, false)?;
            if self.cursor.peek() == Some(Token::Plain('|')) {
                let message = "conditional backref with more than two branches";
                return Err(PatternError::new(self.cursor.offset(), message));
            }
        }
        self.close(start)?;
        Ok(Opened::Node(Node::Condition { group, offset, yes: Box::new(yes), no: Box::new(no) }))
    }

    /// Reads a group number. Python still accepts, with a warning, what its `int()` reads (` 1`, `+1`, `1_0`): it is
    /// refused here.
    fn condition_number(&mut self, offset: usize, name: &str) -> Result<usize, PatternError> {
        let refuse = |message: String| Err(PatternError::new(offset, message));
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse(format!("bad character in group name {}", quoted(name)));
        }
        match name.parse() {
            Ok(0) => refuse("bad group number".to_owned()),
            Ok(group) if group < MAX_GROUPS => {
                self.conditions.entry(group).or_insert(offset);
                Ok(group)
            }
            _ => {
                let digits = name.trim_start_matches('0');
                refuse(format!("invalid group reference {digits}"))
            }
        }
    }
}

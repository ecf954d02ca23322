//! Everything that begins with a parenthesis.

use std::sync::OnceLock;

use super::ast::{Folding, Node};
use super::cursor::Token;
use super::error::PatternError;
use super::flags::Flags;
use super::parse::{Opened, Parser};
use super::width;

/// Python allows no group of this number.
const MAX_GROUPS: usize = 1_073_741_823;

impl Parser<'_> {
    /// Reads on behind a `(` at `start`, up to and with its `)`.
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
                        return Err(PatternError::new(start, message));
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

    /// The inside of a parenthesis, and the closing one.
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

    /// A capturing group; `name` comes with its offset.
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

    /// Behind `(?P`.
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

    /// A back-reference to a group that has been opened before.
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

    /// A look-behind must not ask for what it takes itself.
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

    /// Behind `(?(`.
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
            self.open_condition.get_or_insert(offset);
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
        Ok(Opened::Node(Node::Condition { group, yes: Box::new(yes), no: Box::new(no) }))
    }

    /// Python still takes, with a warning, what its `int()` takes (` 1`, `+1`, `1_0`): we do not.
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

    /// Behind `(?` and a first flag `letter` (or `-`) at `at`. None: they are global, and set.
    fn inline_flags(&mut self, letter: char, at: usize) -> Result<Option<(Flags, Flags)>, PatternError> {
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

    /// The next flag, or what may end a row of flags.
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

fn check_name(offset: usize, name: &str) -> Result<(), PatternError> {
    if is_identifier(name) {
        return Ok(());
    }
    let message = format!("bad character in group name {}", quoted(name));
    Err(PatternError::new(offset, message))
}

/// Python's `str.isidentifier`.
fn is_identifier(name: &str) -> bool {
    static IDENTIFIER: OnceLock<Option<regex::Regex>> = OnceLock::new();
    if name.is_ascii() {
        let mut bytes = name.bytes();
        return bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    }
    IDENTIFIER
        .get_or_init(|| regex::Regex::new(r"\A[\p{XID_Start}_]\p{XID_Continue}*\z").ok())
        .as_ref()
        .is_some_and(|identifier| identifier.is_match(name))
}

/// A name in quotes, as Python's `repr` shows it.
fn quoted(name: &str) -> String {
    let quote = if name.contains('\'') && !name.contains('"') { '"' } else { '\'' };
    let mut shown = String::with_capacity(name.len() + 2);
    shown.push(quote);
    for char in name.chars() {
        match char {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\\' => shown.push_str("\\\\"),
            _ if char == quote => {
                shown.push('\\');
                shown.push(char);
            }
            _ if char < ' ' || ('\u{7F}'..='\u{A0}').contains(&char) || char == '\u{AD}' => {
                shown.push_str(&format!("\\x{:02x}", u32::from(char)));
            }
            _ => shown.push(char),
        }
    }
    shown.push(quote);
    shown
}

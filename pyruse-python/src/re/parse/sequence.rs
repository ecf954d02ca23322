//! Sequences, alternatives and repetitions.

use super::cursor::Token;
use super::group::Opened;
use super::parser::Parser;
use crate::re::ast::{Anchor, Greed, Node};
use crate::re::charset::CharSet;
use crate::re::error::PatternError;
use crate::re::flags::Flags;

/// The maximum depth of nested parentheses. In Python only the stack limits it.
const MAX_DEPTH: usize = 200;

/// A number of repetitions that Python refuses.
const MAX_REPEAT: u64 = u32::MAX as u64;

/// One part of a sequence, with what a following repetition must know.
struct Part {
    node: Node,
    kind: Kind,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Anchor,
    Repeat,
    Other,
}

impl Parser<'_> {
    /// Reads up to the end, or to a closing parenthesis.
    pub(super) fn alternatives(&mut self, flags: Flags, depth: usize) -> Result<Node, PatternError> {
        let mut flags = flags;
        let mut choices = vec![self.sequence(flags, depth, depth == 0)?];
        while self.cursor.take_if('|')? {
            if depth == 0 {
                flags = self.global;
            }
            choices.push(self.sequence(flags, depth, false)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { Node::Alternatives(choices) })
    }

    /// Reads one alternative. Only the `first` one may set global flags, before anything else.
    pub(super) fn sequence(&mut self, flags: Flags, depth: usize, first: bool) -> Result<Node, PatternError> {
        if depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(PatternError::new(self.cursor.offset(), message));
        }
        let mut flags = flags;
        let mut parts: Vec<Part> = Vec::new();
        while let Some(token) = self.cursor.peek() {
            if matches!(token, Token::Plain('|' | ')')) {
                break;
            }
            let start = self.cursor.offset();
            self.cursor.take()?;
            let node = match token {
                Token::Escaped(letter) => self.escape(letter, start, flags)?,
                Token::Plain(' ' | '\t' | '\n' | '\r' | '\u{B}' | '\u{C}') if flags.has(Flags::VERBOSE) => {
                    continue;
                }
                Token::Plain('#') if flags.has(Flags::VERBOSE) => {
                    while !matches!(self.cursor.take()?, None | Some(Token::Plain('\n'))) {}
                    continue;
                }
                Token::Plain('[') => Node::Char(self.set(start, flags)?),
                Token::Plain('.') => Node::Char(CharSet::dot(flags)),
                Token::Plain('^') => Node::Anchor(if flags.has(Flags::MULTI_LINE) {
                    Anchor::LineStart
                } else {
                    Anchor::TextStart
                }),
                Token::Plain('$') => Node::Anchor(if flags.has(Flags::MULTI_LINE) {
                    Anchor::LineEnd
                } else {
                    Anchor::LastLineEnd
                }),
                Token::Plain('(') => match self.group(start, flags, depth)? {
                    Opened::Node(node) => node,
                    Opened::Comment => continue,
                    Opened::Flags if first && parts.is_empty() => {
                        flags = self.global;
                        continue;
                    }
                    Opened::Flags => {
                        let message = "global flags not at the start of the expression";
                        return Err(PatternError::new(start, message));
                    }
                },
                Token::Plain(operator @ ('*' | '+' | '?' | '{')) => {
                    let Some((min, max)) = self.bounds(operator, start)? else {
                        let literal = CharSet::literal(operator, flags);
                        parts.push(Part { node: Node::Char(literal), kind: Kind::Other });
                        continue;
                    };
                    self.repeat(&mut parts, min, max, start)?;
                    continue;
                }
                Token::Plain(literal) => self.literal(literal, start, flags),
            };
            let kind = if matches!(node, Node::Anchor(_)) { Kind::Anchor } else { Kind::Other };
            // To Python `(?:^)` is a group and may be repeated, but a bare anchor may not.
            let kind = if token == Token::Plain('(') { Kind::Other } else { kind };
            parts.push(Part { node, kind });
        }
        let mut nodes: Vec<Node> = parts.into_iter().map(|part| part.node).collect();
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        })
    }

    /// Reads the bounds of a repetition after its `operator`. `None`: the brace is not a quantifier, and so stands for
    /// itself.
    fn bounds(&mut self, operator: char, start: usize) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        match operator {
            '*' => return Ok(Some((0, None))),
            '+' => return Ok(Some((1, None))),
            '?' => return Ok(Some((0, Some(1)))),
            _ => {}
        }
        let behind = self.cursor.offset();
        if self.cursor.peek() == Some(Token::Plain('}')) {
            return Ok(None);
        }
        let digits = |char: char| char.is_ascii_digit();
        let low = self.cursor.take_while(usize::MAX, digits)?;
        let high =
            if self.cursor.take_if(',')? { self.cursor.take_while(usize::MAX, digits)? } else { low.clone() };
        if !self.cursor.take_if('}')? {
            self.cursor.seek(behind)?;
            return Ok(None);
        }
        let number = |digits: &str| match digits.parse::<u64>() {
            Ok(number) if number < MAX_REPEAT => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
            _ => {
                let message = "the repetition number is too large";
                Err(PatternError::new(start, message))
            }
        };
        let min = if low.is_empty() { 0 } else { number(&low)? };
        let max = if high.is_empty() { None } else { Some(number(&high)?) };
        if max.is_some_and(|max| max < min) {
            let message = "min repeat greater than max repeat";
            return Err(PatternError::new(behind, message));
        }
        Ok(Some((min, max)))
    }

    /// Repeats the last part.
    fn repeat(
        &mut self,
        parts: &mut Vec<Part>,
        min: u32,
        max: Option<u32>,
        start: usize,
    ) -> Result<(), PatternError> {
        let refuse = |message: &str| Err(PatternError::new(start, message));
        let body = match parts.pop() {
            None | Some(Part { kind: Kind::Anchor, .. }) => return refuse("nothing to repeat"),
            Some(Part { kind: Kind::Repeat, .. }) => return refuse("multiple repeat"),
            Some(part) => Box::new(part.node),
        };
        let greed = if self.cursor.take_if('?')? {
            Greed::Lazy
        } else if self.cursor.take_if('+')? {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        parts.push(Part { node: Node::Repeat { min, max, greed, offset: start, body }, kind: Kind::Repeat });
        Ok(())
    }
}

//! The literals that `fail2ban-client -d` prints: Python lists, texts, whole numbers, `True`, `False` and `None`.
//!
//! One line is one list. The text is from a program that reads files of root, but the files can be anything: depth and
//! size are bounded, and anything else than such a literal is an error with its place.

use std::iter::Peekable;
use std::str::CharIndices;

/// Lists within lists; fail2ban prints three.
const MAX_DEPTH: usize = 20;

/// A literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// A list, or a tuple.
    List(Vec<Literal>),
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
}

impl Literal {
    /// Returns the text of a text, and of a scalar its usual spelling. A list has none.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Literal::Text(text) => Some(text.clone()),
            Literal::Number(number) => Some(number.to_string()),
            Literal::Bool(true) => Some("True".into()),
            Literal::Bool(false) => Some("False".into()),
            Literal::None | Literal::List(_) => None,
        }
    }

    /// Returns the items of a list; anything else is a list of itself.
    pub(super) fn items(&self) -> &[Literal] {
        match self {
            Literal::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }
}

/// Parses one literal, which is the whole text. An error says what is wrong, and at which byte.
pub(super) fn parse(text: &str) -> Result<Literal, String> {
    let mut parser = Parser { text, chars: text.char_indices().peekable() };
    let literal = parser.literal(0)?;
    parser.skip_spaces();
    match parser.chars.peek() {
        None => Ok(literal),
        Some((at, c)) => Err(format!("unexpected `{c}` at byte {at}")),
    }
}

struct Parser<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
}

impl Parser<'_> {
    fn skip_spaces(&mut self) {
        while self.chars.next_if(|(_, c)| c.is_ascii_whitespace()).is_some() {}
    }

    fn literal(&mut self, depth: usize) -> Result<Literal, String> {
        self.skip_spaces();
        let Some(&(at, first)) = self.chars.peek() else { return Err("it ends too early".into()) };
        match first {
            _ if depth > MAX_DEPTH => Err(format!("more than {MAX_DEPTH} lists within each other")),
            '[' => self.list(']', depth),
            '(' => self.list(')', depth),
            '\'' | '"' => self.text(first),
            '-' | '0'..='9' => {
                let word = self.word(at);
                word.parse().map(Literal::Number).map_err(|_| format!("`{word}` is no whole number"))
            }
            _ => match self.word(at) {
                "True" => Ok(Literal::Bool(true)),
                "False" => Ok(Literal::Bool(false)),
                "None" => Ok(Literal::None),
                _ => Err(format!("unexpected `{first}` at byte {at}")),
            },
        }
    }

    fn word(&mut self, start: usize) -> &str {
        let mut end = start;
        while let Some((at, c)) = self.chars.next_if(|(_, c)| c.is_alphanumeric() || "-+.".contains(*c)) {
            end = at + c.len_utf8();
        }
        &self.text[start..end]
    }

    fn list(&mut self, close: char, depth: usize) -> Result<Literal, String> {
        self.chars.next();
        let mut items = Vec::new();
        loop {
            self.skip_spaces();
            if self.chars.next_if(|(_, c)| *c == close).is_some() {
                return Ok(Literal::List(items));
            }
            items.push(self.literal(depth + 1)?);
            self.skip_spaces();
            if self.chars.next_if(|(_, c)| *c == ',').is_none() {
                match self.chars.next() {
                    Some((_, c)) if c == close => return Ok(Literal::List(items)),
                    Some((at, c)) => return Err(format!("unexpected `{c}` at byte {at}")),
                    None => return Err("it ends within a list".into()),
                }
            }
        }
    }

    fn text(&mut self, quote: char) -> Result<Literal, String> {
        const OPEN: &str = "it ends within a text";
        self.chars.next();
        let mut text = String::new();
        loop {
            match self.chars.next().ok_or(OPEN)?.1 {
                c if c == quote => return Ok(Literal::Text(text)),
                '\\' => {
                    let (at, escape) = self.chars.next().ok_or(OPEN)?;
                    text.push(match escape {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        '\\' | '\'' | '"' => escape,
                        'x' => self.code(2)?,
                        'u' => self.code(4)?,
                        'U' => self.code(8)?,
                        _ => return Err(format!("unknown escape `\\{escape}` at byte {at}")),
                    });
                }
                c => text.push(c),
            }
        }
    }

    /// The character whose number has that many hexadecimal digits. Half a pair of UTF-16, which Python prints for bytes
    /// that are not UTF-8, becomes the replacement character.
    fn code(&mut self, digits: usize) -> Result<char, String> {
        let mut number = 0;
        for _ in 0..digits {
            let (at, c) = self.chars.next().ok_or("it ends within an escape")?;
            number = number * 16 + c.to_digit(16).ok_or_else(|| format!("`{c}` at byte {at} is no digit"))?;
        }
        Ok(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

#[cfg(test)]
mod tests {
    use proptest::proptest;

    use super::{Literal, parse};

    fn text(text: &str) -> Literal {
        Literal::Text(text.into())
    }

    #[test]
    fn lists_texts_numbers_and_names_are_read() {
        let parsed = parse(r#"['set', 'a\\s\'', "it's", -1, [True, None, ('x',)], []]"#).unwrap();
        let inner = Literal::List(vec![Literal::Bool(true), Literal::None, Literal::List(vec![text("x")])]);
        let expected =
            [text("set"), text(r"a\s'"), text("it's"), Literal::Number(-1), inner, Literal::List(vec![])];
        assert_eq!(parsed, Literal::List(expected.into()));
        assert_eq!(parse(r"'\x41\u00e9\n\udc80'"), Ok(text("Aé\n\u{fffd}")));
    }

    #[test]
    fn anything_else_is_an_error() {
        for wrong in ["", "[", "['a'", "['a' 'b']", "'a", r"'\q'", "a", "[1] 2", "1.5", "__import__('os')"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]()'\"\\\\,xnu0-9a-f -]{0,60}") {
            let _ = parse(&text);
        }
    }
}

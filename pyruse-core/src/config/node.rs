//! JSON with positions.
//!
//! Text goes in; a tree comes out in which every value and every key knows its position. So each later error can point
//! at the exact character. Comments and trailing commas are accepted (JSONC), nothing laxer.

use std::ops::Range;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{
    CollectOptions, CommentCollectionStrategy, ParseOptions, ParseStringErrorKind, parse_to_ast,
};

/// A range of bytes in the source text.
pub type SourceSpan = Range<usize>;

/// A text from the configuration, and its position.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Spanned {
    /// The text.
    pub text: String,
    /// Its position.
    pub span: SourceSpan,
}

/// A JSON value and its position.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JsonNode {
    /// Its position.
    pub span: SourceSpan,
    /// Its content.
    pub content: JsonContent,
}

/// The content of a JSON value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum JsonContent {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<JsonNode>),
    /// An object: all members in file order, including repeated keys.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member {
    /// The key.
    pub key: String,
    /// The position of the key, including its quotes.
    pub key_span: SourceSpan,
    /// The value.
    pub value: JsonNode,
}

/// A syntax error: the text is not JSON.
// For tests.
#[doc(hidden)]
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SyntaxError {
    /// The position.
    pub span: SourceSpan,
    /// What is wrong.
    pub message: String,
    /// The text under the caret, where the message alone would mislead.
    pub label: Option<&'static str>,
    /// What to write instead, if that is known.
    pub help: Option<&'static str>,
}

impl SyntaxError {
    fn new(span: SourceSpan, message: impl Into<String>) -> SyntaxError {
        SyntaxError { span, message: message.into(), label: None, help: None }
    }

    fn of(error: &jsonc_parser::errors::ParseError) -> SyntaxError {
        use ParseErrorKind::{String, UnterminatedArray, UnterminatedObject};
        use ParseStringErrorKind::{InvalidEscape, InvalidEscapeInDoubleQuoteString};
        let range = error.range();
        let message = lower_first(&error.kind().to_string());
        let syntax = SyntaxError::new(range.start..range.end.max(range.start), message);
        match error.kind() {
            UnterminatedArray | UnterminatedObject => {
                SyntaxError { label: Some("opened here, not closed before the end of the file"), ..syntax }
            }
            String(InvalidEscape | InvalidEscapeInDoubleQuoteString) => {
                SyntaxError { help: Some(r"in JSON, a backslash is written `\\`"), ..syntax }
            }
            _ => syntax,
        }
    }
}

/// The parser options: JSON with comments and trailing commas.
const JSONC: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Returns the comments of a JSONC text with their content, in order; none if the text has a syntax error.
pub(crate) fn comments(source: &str) -> Vec<(SourceSpan, String)> {
    let collect =
        CollectOptions { comments: CommentCollectionStrategy::Separate, ..CollectOptions::default() };
    let Ok(parsed) = parse_to_ast(source, &collect, &JSONC) else { return Vec::new() };
    let all = parsed.comments.iter().flat_map(|map| map.values()).flat_map(|comments| comments.iter());
    let mut comments: Vec<(SourceSpan, String)> =
        all.map(|comment| (comment.range().start..comment.range().end, comment.text().to_owned())).collect();
    // The parser's map has most comments twice: after what they follow, and before what they precede.
    comments.sort_by_key(|(span, _)| span.start);
    comments.dedup_by_key(|(span, _)| span.start);
    comments
}

/// Parses a JSONC text.
// For tests.
#[doc(hidden)]
pub fn parse(source: &str) -> Result<JsonNode, SyntaxError> {
    let parsed = parse_to_ast(source, &CollectOptions::default(), &JSONC).map_err(|e| SyntaxError::of(&e))?;
    match parsed.value {
        Some(value) => node(&value),
        None => Err(SyntaxError::new(0..source.len().min(1), "the file is empty")),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn node(value: &ast::Value<'_>) -> Result<JsonNode, SyntaxError> {
    let range = value.range();
    let span = range.start..range.end;
    let content = match value {
        ast::Value::NullKeyword(_) => JsonContent::Null,
        ast::Value::BooleanLit(literal) => JsonContent::Bool(literal.value),
        ast::Value::StringLit(literal) => JsonContent::Text(literal.value.clone().into_owned()),
        ast::Value::NumberLit(literal) => match serde_json::from_str(literal.value) {
            Ok(number) => JsonContent::Number(number),
            Err(_) => {
                return Err(SyntaxError::new(span, format!("`{}` is not a number", literal.value)));
            }
        },
        ast::Value::Array(array) => {
            JsonContent::Array(array.elements.iter().map(node).collect::<Result<_, _>>()?)
        }
        ast::Value::Object(object) => {
            let member = |property: &ast::ObjectProp<'_>| {
                let name = property.name.range();
                Ok::<_, SyntaxError>(Member {
                    key: property.name.as_str().to_owned(),
                    key_span: name.start..name.end,
                    value: node(&property.value)?,
                })
            };
            JsonContent::Object(object.properties.iter().map(member).collect::<Result<_, _>>()?)
        }
    };
    Ok(JsonNode { span, content })
}

impl JsonNode {
    /// Moves all positions by this number of bytes.
    pub(super) fn shift(&mut self, by: usize) {
        let shift = |span: &mut SourceSpan| *span = span.start + by..span.end + by;
        shift(&mut self.span);
        match &mut self.content {
            JsonContent::Array(items) => items.iter_mut().for_each(|item| item.shift(by)),
            JsonContent::Object(members) => {
                for member in members {
                    shift(&mut member.key_span);
                    member.value.shift(by);
                }
            }
            _ => {}
        }
    }

    /// Returns the name of its type, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.content {
            JsonContent::Null => "null",
            JsonContent::Bool(_) => "a boolean",
            JsonContent::Number(_) => "a number",
            JsonContent::Text(_) => "a text",
            JsonContent::Array(_) => "a list",
            JsonContent::Object(_) => "an object",
        }
    }

    /// Returns its members, if it is an object.
    pub fn members(&self) -> Option<&[Member]> {
        match &self.content {
            JsonContent::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            JsonContent::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value of the member with this key.
    pub fn get(&self, key: &str) -> Option<&JsonNode> {
        self.members()?.iter().find(|member| member.key == key).map(|member| &member.value)
    }

    /// Returns the node at a path of keys and indices such as `re.2`; if the path does not exist, the deepest node on
    /// it.
    pub(crate) fn at(&self, path: &str) -> &JsonNode {
        let mut node = self;
        for part in path.split('.').filter(|part| !part.is_empty()) {
            let child = match &node.content {
                JsonContent::Array(items) => part.parse().ok().and_then(|n: usize| items.get(n)),
                _ => node.get(part),
            };
            let Some(child) = child else { break };
            node = child;
        }
        node
    }

    /// Returns the same value without positions; for a repeated key, its last value.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.content {
            JsonContent::Null => Value::Null,
            JsonContent::Bool(b) => Value::Bool(*b),
            JsonContent::Number(number) => Value::Number(number.clone()),
            JsonContent::Text(text) => Value::String(text.clone()),
            JsonContent::Array(items) => Value::Array(items.iter().map(JsonNode::to_json).collect()),
            JsonContent::Object(members) => {
                Value::Object(members.iter().map(|m| (m.key.clone(), m.value.to_json())).collect())
            }
        }
    }

    /// Returns the position in the source of byte `offset` of a text value. Escapes make a text and its literal differ.
    pub(crate) fn span_within(&self, source: &str, offset: usize) -> SourceSpan {
        let literal = source.get(self.span.clone()).unwrap_or("");
        let mut decoded = 0;
        let mut at = 1;
        while at < literal.len() {
            let rest = &literal[at..];
            let (raw, length) = escape_lengths(rest);
            if decoded + length > offset {
                let start = self.span.start + at;
                return start..start + raw;
            }
            decoded += length;
            at += raw;
        }
        let end = self.span.end.saturating_sub(1).max(self.span.start);
        end..self.span.end
    }
}

/// Returns the length of the first character of `rest`, the rest of a string literal: as written, and as decoded UTF-8.
fn escape_lengths(rest: &str) -> (usize, usize) {
    let Some(first) = rest.chars().next() else { return (1, 1) };
    if first != '\\' {
        return (first.len_utf8(), first.len_utf8());
    }
    let unit = |at: usize| rest.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    match rest.as_bytes().get(1) {
        Some(b'u') => match unit(2) {
            Some(0xD800..=0xDBFF) if rest.get(6..8) == Some("\\u") => (12, 4),
            Some(code) => (6, char::from_u32(code).map_or(3, char::len_utf8)),
            None => (2, 1),
        },
        _ => (rest.len().min(2), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_trailing_commas_are_accepted_and_nothing_laxer() {
        assert!(parse("{ // why\n \"a\": [1, 2,], /* b */ }").is_ok());
        for text in
            ["{a: 1}", "{'a': 1}", "{\"a\": 0x10}", "{\"a\": 1 \"b\": 2}", "{\"a\": NaN}", "{\"a\": +1}", ""]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_within_a_text_is_found_behind_escapes() {
        let source = r#"["a\\b\u00e4\ud83d\ude00é(x"]"#;
        let root = parse(source).unwrap();
        let text = root.at("0");
        let offset = text.as_text().unwrap().find('(').unwrap();
        assert_eq!(&source[text.span_within(source, offset)], "(");
        assert_eq!(&source[text.span_within(source, 1)], r"\\");
        assert_eq!(&source[text.span_within(source, 999)], "\"");
    }

    #[test]
    fn deep_nesting_is_an_error_and_does_not_overflow_the_stack() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(100_000)).is_err());
    }
}

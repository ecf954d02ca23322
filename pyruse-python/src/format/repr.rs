//! Text as Python's `repr` and `ascii` print it.
//!
//! In: text. Out: the text in quotes, with unprintable characters escaped. Python's `str.__repr__` defines the format:
//! double quotes are used only if the text has single quotes and no double quotes.

use std::fmt::Write;

use super::unicode::is_printable;

/// Which characters beyond ASCII are not escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// `repr`: the printable characters.
    Unicode,
    /// `ascii`: none.
    Ascii,
}

/// Appends the text in quotes.
pub(super) fn write(out: &mut String, text: &str, charset: Charset) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) && (charset == Charset::Unicode || c.is_ascii()) => out.push(c),
            c => escape(out, u32::from(c)),
        }
    }
    out.push(quote);
}

fn escape(out: &mut String, code: u32) {
    // Writing to a String cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

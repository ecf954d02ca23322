//! Names of groups: which are allowed, and how errors print them.

use std::fmt::Write as _;
use std::sync::OnceLock;

use crate::re::error::PatternError;
use crate::re::linear::Linear;

/// Refuses a text that is not a name.
pub(super) fn check_name(offset: usize, name: &str) -> Result<(), PatternError> {
    if is_identifier(name) {
        return Ok(());
    }
    let message = format!("bad character in group name {}", quoted(name));
    Err(PatternError::new(offset, message))
}

/// Whether the text is an identifier: Python's `str.isidentifier`.
pub(super) fn is_identifier(name: &str) -> bool {
    static IDENTIFIER: OnceLock<Option<Linear>> = OnceLock::new();
    if name.is_ascii() {
        let mut bytes = name.bytes();
        return bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    }
    IDENTIFIER
        .get_or_init(|| Linear::new(r"\A[\p{XID_Start}_]\p{XID_Continue}*\z", 0).ok())
        .as_ref()
        .is_some_and(|identifier| identifier.is_match(name))
}

/// Returns a name in quotes, as Python's `repr` prints it.
pub(super) fn quoted(name: &str) -> String {
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
                let _ = write!(shown, "\\x{:02x}", u32::from(char));
            }
            _ if char.is_whitespace() && char != ' ' => {
                let _ = write!(shown, "\\u{:04x}", u32::from(char));
            }
            _ => shown.push(char),
        }
    }
    shown.push(quote);
    shown
}

//! The leaves of the tree in the syntax of the engines: positions and sets of characters.

use std::fmt::Write as _;

use super::ast::Anchor;
use super::charset::{CharSet, Class};
use super::form::Form;

/// A set without members, which never matches.
pub(super) const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// Returns the syntax of a position.
pub(super) fn anchor_of(anchor: Anchor, form: Form) -> &'static str {
    match anchor {
        Anchor::TextStart => r"\A",
        Anchor::LineStart => "(?m:^)",
        Anchor::LineEnd => "(?m:$)",
        Anchor::LastLineEnd if form.newline_at_end => "(?m:$)",
        Anchor::LastLineEnd | Anchor::TextEnd => r"\z",
        Anchor::Boundary { .. } if form.loose => "",
        Anchor::Boundary { negated, ascii } => match (ascii || form.ascii, negated) {
            (true, false) => r"(?-u:\b)",
            (true, true) => r"(?-u:\B)",
            (false, false) => r"\b",
            (false, true) => r"\B",
        },
    }
}

/// Appends a set of characters.
pub(super) fn write_set(out: &mut String, set: &CharSet, form: Form) {
    if let ([(first, last)], [], false) = (&set.ranges[..], &set.classes[..], set.negated)
        && first == last
    {
        write_code(out, *first);
        return;
    }
    if form.ascii {
        let members = set.within_ascii();
        if members.is_empty() {
            out.push_str(NEVER);
        } else {
            out.push('[');
            write_ranges(out, &members);
            out.push(']');
        }
        return;
    }
    out.push_str(if set.negated { "[^" } else { "[" });
    write_ranges(out, &set.ranges);
    for (class, inverse) in &set.classes {
        out.push_str(match (class, inverse) {
            (Class::Digit, false) => r"\p{Nd}",
            (Class::Digit, true) => r"\P{Nd}",
            (Class::Word, true) => r"[^\p{L}\p{N}_]",
            // Spaces are always ranges; see the type of the set.
            (Class::Word | Class::Space, _) => r"\p{L}\p{N}_",
        });
    }
    out.push(']');
}

fn write_ranges(out: &mut String, ranges: &[(u32, u32)]) {
    for &(first, last) in ranges {
        write_code(out, first);
        if last > first {
            out.push('-');
            write_code(out, last);
        }
    }
}

/// Appends a code point in a form that cannot be read as an operator.
fn write_code(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(char) if char.is_ascii_alphanumeric() => out.push(char),
        _ => {
            let _ = write!(out, "\\x{{{code:X}}}");
        }
    }
}

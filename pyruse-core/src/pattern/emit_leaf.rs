//! The leaves of the tree, in the syntax of the engines: places and sets of characters.

use std::fmt::Write as _;

use super::ast::{Anchor, Node};
use super::charset::{CharSet, Class};
use super::emit::{Dollar, Emitter, Letters, NEVER};

impl Emitter {
    pub(super) fn anchor(&mut self, anchor: Anchor) {
        let written = match anchor {
            Anchor::TextStart => r"\A",
            Anchor::LineStart => "(?m:^)",
            Anchor::TextEnd => r"\z",
            Anchor::LineEnd => "(?m:$)",
            Anchor::LastLineEnd => match self.form.dollar {
                Dollar::End => r"\z",
                Dollar::Line => "(?m:$)",
                Dollar::Exact => r"(?=\x{A}?\z)",
            },
            Anchor::Boundary { negated: true, .. } if self.form.void => {
                self.node(&Node::Never);
                return;
            }
            Anchor::Boundary { negated, ascii } => {
                // The backtracking engine knows Unicode's boundaries only.
                let boundary = match self.form.letters {
                    Letters::Ascii if self.is_backtracking() => Letters::Unicode,
                    Letters::Unicode if self.is_backtracking() && ascii => Letters::Exact,
                    other => other,
                };
                let ascii = ascii && self.form.letters != Letters::Ascii;
                match (boundary, ascii, negated) {
                    (Letters::Exact, true, false) => {
                        "(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))"
                    }
                    (Letters::Exact, true, true) => {
                        "(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))"
                    }
                    (Letters::Exact, false, false) => {
                        r"(?:(?<=[\p{L}\p{N}_])(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?=[\p{L}\p{N}_]))"
                    }
                    (Letters::Exact, false, true) => {
                        r"(?:(?<=[\p{L}\p{N}_])(?=[\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?![\p{L}\p{N}_]))"
                    }
                    (Letters::Unicode, false, false) => r"\b",
                    (Letters::Unicode, false, true) => r"\B",
                    (Letters::Ascii, _, false) | (Letters::Unicode, true, false) => r"(?-u:\b)",
                    (Letters::Ascii, _, true) | (Letters::Unicode, true, true) => r"(?-u:\B)",
                }
            }
        };
        self.out.push_str(written);
    }

    pub(super) fn set(&mut self, set: &CharSet) {
        if let ([(first, last)], [], false) = (&set.ranges[..], &set.classes[..], set.negated)
            && first == last
        {
            self.code(*first);
            return;
        }
        if self.form.letters == Letters::Ascii {
            let members = set.within_ascii();
            if members.is_empty() {
                self.out.push_str(NEVER);
            } else {
                self.out.push('[');
                self.ranges(&members);
                self.out.push(']');
            }
            return;
        }
        self.out.push_str(if set.negated { "[^" } else { "[" });
        self.ranges(&set.ranges);
        for (class, inverse) in &set.classes {
            self.out.push_str(match (class, inverse) {
                (Class::Digit, false) => r"\p{Nd}",
                (Class::Digit, true) => r"\P{Nd}",
                (Class::Word, true) => r"[^\p{L}\p{N}_]",
                // Spaces are always ranges; see the set.
                (Class::Word | Class::Space, _) => r"\p{L}\p{N}_",
            });
        }
        self.out.push(']');
    }

    fn ranges(&mut self, ranges: &[(u32, u32)]) {
        for &(first, last) in ranges {
            self.code(first);
            if last > first {
                self.out.push('-');
                self.code(last);
            }
        }
    }

    /// A code point, so that it can never be taken for an operator.
    fn code(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(char) if char.is_ascii_alphanumeric() => self.out.push(char),
            _ => {
                let _ = write!(self.out, "\\x{{{code:X}}}");
            }
        }
    }
}

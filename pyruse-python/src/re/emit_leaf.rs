//! The leaves of the tree, in the syntax of the engines: places and sets of characters.

use std::fmt::Write as _;

use super::ast::Anchor;
use super::charset::{CharSet, Class};
use super::emit::{Emitter, NEVER};

impl Emitter {
    pub(super) fn anchor(&mut self, anchor: Anchor) {
        let written = match anchor {
            Anchor::TextStart => r"\A",
            Anchor::LineStart => "(?m:^)",
            Anchor::LineEnd => "(?m:$)",
            Anchor::LastLineEnd if self.form.newline_at_end => "(?m:$)",
            Anchor::LastLineEnd | Anchor::TextEnd => r"\z",
            Anchor::Boundary { .. } if self.form.loose => "",
            Anchor::Boundary { negated, ascii } => match (ascii || self.form.ascii, negated) {
                (true, false) => r"(?-u:\b)",
                (true, true) => r"(?-u:\B)",
                (false, false) => r"\b",
                (false, true) => r"\B",
            },
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
        if self.form.ascii {
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

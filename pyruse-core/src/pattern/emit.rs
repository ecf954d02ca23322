//! From tree to the syntax that `regex` and `fancy-regex` share, in the few words of it that mean
//! the same to both: explicit sets, numbered groups, no flags.
//!
//! Two of Python's anchors have no exact counterpart in a linear engine: `$`, which looks past a
//! final newline, and `\b` by Python's letters. But for most *texts* there is a simple form with the
//! same meaning; so the emitter is told what is known of the text, and writes the simplest one.

use std::fmt::Write as _;

use super::ast::{Anchor, Folding, Greed, Node};
use super::charset::{CharSet, Class};

/// What `$` may be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dollar {
    /// The text does not end in a newline: the end, and nothing else.
    End,
    /// The only newline of the text is its last character: the end of a line.
    Line,
    /// Any text.
    Exact,
}

/// What `\b` may be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Boundary {
    /// The text is ASCII.
    Ascii,
    /// The engine and Python agree on which characters of the text are letters.
    Unicode,
    /// Any text.
    Exact,
}

/// What is known of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) dollar: Dollar,
    pub(super) boundary: Boundary,
    /// There is no text at all: for Python, there is no `\B` in it.
    pub(super) void: bool,
    /// It is for the backtracking engine.
    pub(super) backtracking: bool,
}

/// A set without members: it never matches.
const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// The expression for texts of this form.
pub(super) fn emit(root: &Node, form: Form) -> String {
    let mut emitter = Emitter { out: String::new(), form };
    emitter.node(root);
    emitter.out
}

/// A lazy loop, perhaps in a group.
fn is_lazy_loop(node: &Node) -> bool {
    match node {
        Node::Repeat { greed, .. } => *greed == Greed::Lazy,
        Node::Group(_, body) => is_lazy_loop(body),
        _ => false,
    }
}

struct Emitter {
    out: String,
    form: Form,
}

impl Emitter {
    /// Writes a part so that others may stand before and behind it.
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            // An assertion that always holds, and that no optimizer sees through.
            Node::Barrier => {
                let _ = write!(self.out, "(?!{NEVER})");
            }
            Node::Never => self.out.push_str(NEVER),
            Node::Char(set) => self.set(set),
            Node::Anchor(anchor) => self.anchor(*anchor),
            Node::Sequence(parts) => {
                for part in parts {
                    if matches!(part, Node::Alternatives(_)) {
                        self.enclosed("(?:", part);
                    } else {
                        self.node(part);
                    }
                }
            }
            Node::Alternatives(choices) => {
                for (index, choice) in choices.iter().enumerate() {
                    if index > 0 {
                        self.out.push('|');
                    }
                    if matches!(choice, Node::Alternatives(_)) {
                        self.enclosed("(?:", choice);
                    } else {
                        self.node(choice);
                    }
                }
            }
            Node::Group(_, body) => self.enclosed("(", body),
            Node::Repeat { min, max, greed, body, .. } => self.repeat(*min, *max, *greed, body),
            Node::Atomic(body) => self.enclosed("(?>", body),
            Node::Look { behind, negated, body, .. } => self.enclosed(
                match (behind, negated) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                },
                body,
            ),
            Node::BackReference(group, folding) => {
                let flag = if *folding == Folding::Exact { "" } else { "i" };
                // Writing into a string cannot fail.
                let _ = write!(self.out, "(?{flag}:\\{group})");
            }
            Node::Condition { group, yes, no } => {
                let _ = write!(self.out, "(?({group})");
                self.enclosed("(?:", yes);
                self.out.push('|');
                self.enclosed("(?:", no);
                self.out.push(')');
            }
        }
    }

    fn enclosed(&mut self, open: &str, body: &Node) {
        self.out.push_str(open);
        self.node(body);
        self.out.push(')');
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, greed: Greed, body: &Node) {
        if greed == Greed::Possessive {
            self.out.push_str("(?>");
        }
        if matches!(body, Node::Char(_)) {
            self.node(body);
        } else if greed == Greed::Possessive {
            // Each round is final of its own: `(?:ab|a|b){2}+` does not find `ab`.
            self.enclosed("(?>", body);
        } else if self.form.backtracking && is_lazy_loop(body) {
            // The backtracking engine would make `(?:a+?)?` of `(?:a+?)*`.
            self.out.push_str("(?:");
            self.node(&Node::Barrier);
            self.node(body);
            self.out.push(')');
        } else if matches!(body, Node::Group(..)) {
            self.node(body);
        } else {
            self.enclosed("(?:", body);
        }
        let _ = match (min, max) {
            (0, None) => write!(self.out, "*"),
            (1, None) => write!(self.out, "+"),
            (0, Some(1)) => write!(self.out, "?"),
            (min, None) => write!(self.out, "{{{min},}}"),
            (min, Some(max)) if min == max => write!(self.out, "{{{min}}}"),
            (min, Some(max)) => write!(self.out, "{{{min},{max}}}"),
        };
        match greed {
            Greed::Greedy => {}
            Greed::Lazy => self.out.push('?'),
            Greed::Possessive => self.out.push(')'),
        }
    }

    fn anchor(&mut self, anchor: Anchor) {
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
            Anchor::Boundary { negated: true, .. } if self.form.void => NEVER,
            Anchor::Boundary { negated, ascii } => {
                // The backtracking engine knows Unicode's boundaries only.
                let boundary = match self.form.boundary {
                    Boundary::Ascii if self.form.backtracking => Boundary::Unicode,
                    Boundary::Unicode if self.form.backtracking && ascii => Boundary::Exact,
                    other => other,
                };
                let ascii = ascii && self.form.boundary != Boundary::Ascii;
                match (boundary, ascii, negated) {
                    (Boundary::Exact, true, false) => {
                        "(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))"
                    }
                    (Boundary::Exact, true, true) => {
                        "(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))"
                    }
                    (Boundary::Exact, false, false) => {
                        r"(?:(?<=[\p{L}\p{N}_])(?![\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?=[\p{L}\p{N}_]))"
                    }
                    (Boundary::Exact, false, true) => {
                        r"(?:(?<=[\p{L}\p{N}_])(?=[\p{L}\p{N}_])|(?<![\p{L}\p{N}_])(?![\p{L}\p{N}_]))"
                    }
                    (Boundary::Unicode, false, false) => r"\b",
                    (Boundary::Unicode, false, true) => r"\B",
                    (Boundary::Ascii, _, false) | (Boundary::Unicode, true, false) => r"(?-u:\b)",
                    (Boundary::Ascii, _, true) | (Boundary::Unicode, true, true) => r"(?-u:\B)",
                }
            }
        };
        self.out.push_str(written);
    }

    fn set(&mut self, set: &CharSet) {
        if let ([(first, last)], [], false) = (&set.ranges[..], &set.classes[..], set.negated) {
            if first == last {
                self.code(*first);
                return;
            }
        }
        self.out.push_str(if set.negated { "[^" } else { "[" });
        for &(first, last) in &set.ranges {
            self.code(first);
            if last > first {
                self.out.push('-');
                self.code(last);
            }
        }
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

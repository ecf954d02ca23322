//! From tree to the syntax that `regex` and `fancy-regex` share, in the few words of it that mean
//! the same to both: explicit sets, numbered groups, no flags.
//!
//! Two of Python's anchors have no exact counterpart in a linear engine: `$`, which looks past a
//! final newline, and `\b` by Python's letters. But for most *texts* there is a simple form with the
//! same meaning; so the emitter is told what is known of the text, and writes the simplest one.

use std::fmt::Write as _;

use super::analysis::has_group;
use super::ast::{Folding, Greed, Node};

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

/// What sets, and `\b`, may be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    /// The text is ASCII: sets need no other members.
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
    pub(super) letters: Letters,
    /// There is no text at all: for Python, there is no `\B` in it.
    pub(super) void: bool,
}

/// Who will read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// `regex`.
    Linear,
    /// `fancy-regex`.
    Backtracking,
    /// `fancy-regex`, and the expression refers to its groups: so it matters which of several ways
    /// to match the same text is taken, and all of them must be tried.
    Referring,
}

/// A set without members: it never matches.
pub(super) const NEVER: &str = r"[^\x{0}-\x{10FFFF}]";

/// The expression for texts of this form.
pub(super) fn emit(root: &Node, form: Form, target: Target) -> String {
    let mut emitter = Emitter { out: String::new(), form, target };
    emitter.node(root);
    emitter.out
}

/// Do all choices begin with the same loop? `regex-syntax` factors out what alternatives have in
/// common, and makes `a?(?:\b|a)` of `a?\b|a?a`, which prefers another match; unless one of the
/// choices begins otherwise.
fn may_be_factored(choices: &[String]) -> bool {
    let Some((first, others)) = choices.split_first() else {
        return false;
    };
    let common = others.iter().fold(first.len(), |length, other| {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
        same.count().min(length)
    });
    // Escapes and groups look like loops here; then the caution is for nothing, and costs nothing.
    first.bytes().take(common).any(|byte| matches!(byte, b'*' | b'+' | b'?' | b'{' | b'|'))
}

/// The kind of a loop, perhaps in a group.
fn inner_loop(node: &Node) -> Option<Greed> {
    match node {
        Node::Repeat { greed, .. } => Some(*greed),
        Node::Group(_, body) => inner_loop(body),
        _ => None,
    }
}

/// What has been written so far, and for whom.
pub(super) struct Emitter {
    pub(super) out: String,
    pub(super) form: Form,
    target: Target,
}

impl Emitter {
    pub(super) fn is_backtracking(&self) -> bool {
        self.target != Target::Linear
    }

    /// Would the backtracking engine simplify a loop around this, with another outcome? It makes
    /// `(?:a+?)?` of `(?:a+?)*`, `(a+)` of `(a+)+` even if `\1` needs the last round alone, and
    /// `a+(?:ba*)*` of `(?:a+(?:ba*)?)+`.
    fn is_simplified(&self, body: &Node) -> bool {
        let two_loops = |parts: &[Node]| parts.iter().all(|part| inner_loop(part).is_some());
        if self.is_backtracking() && matches!(body, Node::Sequence(parts) if two_loops(parts)) {
            return true;
        }
        match (self.target, inner_loop(body)) {
            (Target::Linear, _) | (_, None) => false,
            (Target::Backtracking, Some(greed)) => greed == Greed::Lazy,
            (Target::Referring, Some(_)) => true,
        }
    }

    /// Writes a part so that others may stand before and behind it.
    pub(super) fn node(&mut self, node: &Node) {
        match node {
            Node::Empty => {}
            // An assertion that always holds, and that no optimizer sees through.
            Node::Barrier => {
                let _ = write!(self.out, "(?!{NEVER})");
            }
            // It has no width, so that it may stand in a look-behind.
            Node::Never if self.is_backtracking() => self.out.push_str("(?!)"),
            Node::Never => self.out.push_str(NEVER),
            Node::Char(set) => self.set(set),
            Node::Anchor(anchor) => self.anchor(*anchor),
            Node::Sequence(parts) => self.sequence(parts),
            Node::Alternatives(choices) => self.alternatives(node, choices),
            Node::Group(_, body) => self.enclosed("(", body),
            Node::Repeat { min, max, greed, body, .. } => self.repeat(*min, *max, *greed, body),
            Node::Atomic(body) => self.enclosed("(?>", body),
            Node::Look { behind, negated, body, .. } => {
                self.out.push_str(match (behind, negated) {
                    (false, false) => "(?=",
                    (false, true) => "(?!",
                    (true, false) => "(?<=",
                    (true, true) => "(?<!",
                });
                if self.target == Target::Referring && !negated && has_group(body) {
                    // The backtracking engine would look for other ways in it later on.
                    self.enclosed("(?>", body);
                } else {
                    self.node(body);
                }
                self.out.push(')');
            }
            Node::BackReference(group, folding) => {
                let flag = if *folding == Folding::Exact { "" } else { "i" };
                // Writing into a string cannot fail.
                let _ = write!(self.out, "(?{flag}:\\{group})");
            }
            Node::Condition { group, yes, no, .. } => {
                let _ = write!(self.out, "(?({group})");
                self.enclosed("(?:", yes);
                self.out.push('|');
                self.enclosed("(?:", no);
                self.out.push(')');
            }
        }
    }

    fn sequence(&mut self, parts: &[Node]) {
        for (index, part) in parts.iter().enumerate() {
            // Of three loops in a row the backtracking engine may make two, and find `a` with
            // `a+b?a+`.
            let before = index.checked_sub(2).and_then(|from| parts.get(from..=index));
            let three = |loops: &[Node]| loops.iter().all(|part| inner_loop(part).is_some());
            if self.is_backtracking() && before.is_some_and(three) {
                self.node(&Node::Barrier);
            }
            if matches!(part, Node::Alternatives(_)) {
                self.enclosed("(?:", part);
            } else {
                self.node(part);
            }
        }
    }

    fn alternatives(&mut self, node: &Node, choices: &[Node]) {
        let start = self.out.len();
        let mut written = Vec::with_capacity(choices.len());
        for choice in choices {
            if matches!(choice, Node::Alternatives(_)) {
                self.enclosed("(?:", choice);
            } else {
                self.node(choice);
            }
            written.push(self.out.split_off(start));
        }
        let factored = may_be_factored(&written);
        // The backtracking engine hands parts of one length to a linear one, which gives it the
        // first way only: of `(?:(a)|a)` never the one without the group.
        let handed_over = self.target == Target::Referring && has_group(node);
        if handed_over || factored && self.is_backtracking() {
            self.node(&Node::Barrier);
        } else if factored {
            written.push(NEVER.to_owned());
        }
        self.out.push_str(&written.join("|"));
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
        } else if self.is_simplified(body) {
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
}

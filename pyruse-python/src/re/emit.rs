//! From tree to the syntax of the linear engine, in the few words of it that mean the same to it as to Python: explicit
//! sets, numbered groups, no flags.
//!
//! Two of Python's anchors have no exact counterpart there: `$`, which looks past a final newline, and `\b` by Python's
//! letters. But for most *texts* there is a simple form with the same meaning; so the emitter is told what is known of
//! the text.
//!
//! What is not regular is written as something regular that is found *wherever* it is found, and perhaps elsewhere: look-around
//! as nothing, a back-reference as any text.

use std::fmt::Write as _;

use super::ast::{Greed, Node};
use super::emit_leaf::{NEVER, anchor_of, write_set};
use super::form::Form;

/// The expression for texts of this form.
pub(super) fn emit(root: &Node, form: Form) -> String {
    let mut emitter = Emitter { out: String::new(), form };
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

/// What has been written so far, and for which texts.
struct Emitter {
    out: String,
    form: Form,
}

impl Emitter {
    /// Writes a part so that others may stand before and behind it.
    fn node(&mut self, node: &Node) {
        match node {
            Node::Empty | Node::Barrier | Node::Look { .. } => {}
            Node::Never => self.out.push_str(NEVER),
            Node::Char(set) => write_set(&mut self.out, set, self.form),
            Node::Anchor(anchor) => self.out.push_str(anchor_of(*anchor, self.form)),
            Node::Sequence(parts) => self.sequence(parts),
            Node::Alternatives(choices) => self.alternatives(choices),
            Node::Group(_, body) => self.enclosed("(", body),
            Node::Repeat { min, max, greed, body, .. } => self.repeat(*min, *max, *greed, body),
            Node::Atomic(body) => self.enclosed("(?:", body),
            Node::BackReference(..) => self.out.push_str("(?s:.*)"),
            Node::Condition { yes, no, .. } => {
                self.enclosed("(?:(?:", yes);
                self.enclosed("|(?:", no);
                self.out.push(')');
            }
        }
    }

    fn sequence(&mut self, parts: &[Node]) {
        for part in parts {
            if matches!(part, Node::Alternatives(_)) {
                self.enclosed("(?:", part);
            } else {
                self.node(part);
            }
        }
    }

    fn alternatives(&mut self, choices: &[Node]) {
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
        if may_be_factored(&written) {
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
        if matches!(body, Node::Char(_) | Node::Group(..)) {
            self.node(body);
        } else {
            self.enclosed("(?:", body);
        }
        // Writing into a string cannot fail.
        let _ = match (min, max) {
            (0, None) => write!(self.out, "*"),
            (1, None) => write!(self.out, "+"),
            (0, Some(1)) => write!(self.out, "?"),
            (min, None) => write!(self.out, "{{{min},}}"),
            (min, Some(max)) if min == max => write!(self.out, "{{{min}}}"),
            (min, Some(max)) => write!(self.out, "{{{min},{max}}}"),
        };
        if greed == Greed::Lazy {
            self.out.push('?');
        }
    }
}

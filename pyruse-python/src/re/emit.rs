//! From the tree to the syntax of the linear engine.
//!
//! The emitter uses only the constructs that mean the same to the engine as to Python: explicit sets, numbered groups,
//! no flags.
//!
//! Two of Python's anchors have no exact counterpart there: `$`, which also matches before a final newline, and `\b` by
//! Python's letters. But for most *texts* there is a simple form with the same meaning. So the emitter gets what is
//! known of the text.
//!
//! What is not regular is replaced by something regular that is found *wherever* the original is found, and perhaps
//! elsewhere: look-around by nothing, a back-reference by any text.

use std::fmt::Write as _;

use super::ast::{Greed, Node};
use super::emit_leaf::{NEVER, anchor_of, write_set};
use super::form::Form;

/// Returns the expression for texts of this form.
pub(super) fn emit(root: &Node, form: Form) -> String {
    let mut emitter = Emitter { out: String::new(), form };
    emitter.node(root);
    emitter.out
}

/// Whether all choices begin with the same loop. `regex-syntax` factors out what alternatives have in common, and turns
/// `a?\b|a?a` into `a?(?:\b|a)`, which prefers another match. It does not if one of the choices begins differently.
fn may_be_factored(choices: &[String]) -> bool {
    let Some((first, others)) = choices.split_first() else {
        return false;
    };
    let common = others.iter().fold(first.len(), |length, other| {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
        same.count().min(length)
    });
    // Escapes and groups look like loops here. Then the caution is unnecessary, and costs nothing.
    first.bytes().take(common).any(|byte| matches!(byte, b'*' | b'+' | b'?' | b'{' | b'|'))
}

/// The expression written so far, and the texts that it is for.
struct Emitter {
    out: String,
    form: Form,
}

impl Emitter {
    /// Writes a part so that other parts may precede and follow it.
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

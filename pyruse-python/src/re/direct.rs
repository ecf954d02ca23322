//! The search without tables, for expressions that are nearly a line of literals and sets.
//!
//! In: an expression whose repetitions are of one set of characters each, and which begins at the start of the text or
//! with a literal. Out: where it is found, with its groups. Most expressions for log lines are like that:
//! `Failed password for .* from (?P<ip>[\d.]+) port \d+`. The literal is found by a search for bytes. What follows is
//! compared in the order of Python; a repetition that ends at a character that cannot follow it has one length only.
//! So a search costs a fraction of one with tables, and finds the groups too.
//!
//! The work is counted. A search that takes too much of it is given up, and the linear engine does it.
//!
//! This is for ASCII texts, in which each character is a byte, without a newline at the end where `$` is asked for.

mod compile;
mod step;

use std::ops::{Range, RangeInclusive};

use memchr::memmem::Finder;
use regex_automata::util::primitives::NonMaxUsize;

pub(super) use self::compile::prefix;
use self::compile::steps;
use self::step::{Next, Op};
use super::ast::{Anchor, Node};
use super::linear::Slots;

/// The most work for each byte of the text, and besides: steps, and bytes that are looked at.
const WORK: (usize, usize) = (4, 256);

/// See the module.
#[derive(Debug)]
pub(super) struct Direct {
    ops: Vec<Op>,
    /// The literal that it begins with; `None`: it begins at the start of the text.
    begin: Option<Finder<'static>>,
    slots: usize,
}

impl Direct {
    /// `None`: the expression is not of that kind.
    pub(super) fn of(root: &Node, groups: usize) -> Option<Direct> {
        let ops = steps(root)?;
        let begin = match ops.iter().find(|op| !matches!(op, Op::Mark(_)))? {
            Op::At(Anchor::TextStart) => None,
            Op::Literal(literal) if literal.len() > 1 => Some(Finder::new(literal).into_owned()),
            _ => return None,
        };
        Some(Direct { ops, begin, slots: 2 * (groups + 1) })
    }

    /// Whether the expression is found; `None` if the search is given up.
    pub(super) fn is_match(&self, text: &str) -> Option<bool> {
        self.run(text.as_bytes(), &mut [])
    }

    /// Sets where each group begins and ends, if the expression is found. `None`: the search is given up.
    pub(super) fn search(&self, text: &str, slots: &mut Slots) -> Option<bool> {
        slots.clear();
        slots.resize(self.slots, None);
        let found = self.run(text.as_bytes(), slots);
        if found != Some(true) {
            slots.clear();
        }
        found
    }

    fn run(&self, text: &[u8], slots: &mut [Option<NonMaxUsize>]) -> Option<bool> {
        let left = text.len() * WORK.0 + WORK.1;
        let mut search = Search { ops: &self.ops, text, slots, left };
        let mut start = 0;
        loop {
            if let Some(begin) = &self.begin {
                let Some(at) = begin.find(&text[start..]) else { return Some(false) };
                start += at;
            }
            match search.go(0, start) {
                Ok(Some(end)) => {
                    search.mark(0, start);
                    search.mark(1, end);
                    return Some(true);
                }
                Ok(None) if self.begin.is_none() => return Some(false),
                Ok(None) => start += 1,
                Err(GivenUp) => return None,
            }
        }
    }
}

struct GivenUp;

struct Search<'s> {
    ops: &'s [Op],
    text: &'s [u8],
    /// None, if they are not wanted.
    slots: &'s mut [Option<NonMaxUsize>],
    /// How much work is left.
    left: usize,
}

impl Search<'_> {
    fn mark(&mut self, slot: usize, at: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = NonMaxUsize::new(at);
        }
    }

    fn work(&mut self, amount: usize) -> Result<(), GivenUp> {
        self.left = self.left.checked_sub(amount).ok_or(GivenUp)?;
        Ok(())
    }

    /// Returns where the match ends that goes on here. It calls itself once for each repetition and choice that is left,
    /// of which there are few.
    fn go(&mut self, mut op: usize, mut at: usize) -> Result<Option<usize>, GivenUp> {
        loop {
            self.work(1)?;
            match &self.ops[op] {
                Op::Literal(literal) => {
                    if !self.text[at..].starts_with(literal) {
                        return Ok(None);
                    }
                    at += literal.len();
                }
                Op::Set(set) => {
                    if !self.text.get(at).is_some_and(|byte| set.has(*byte)) {
                        return Ok(None);
                    }
                    at += 1;
                }
                Op::Run(run) => {
                    let longest = run.longest(&self.text[at..]);
                    self.work(longest / 4)?;
                    if longest < run.min {
                        return Ok(None);
                    }
                    let Some(next) = run.next.filter(|_| longest > run.min) else {
                        at += longest;
                        op += 1;
                        continue;
                    };
                    return self.choose(op + 1, at + run.min..=at + longest, run.is_lazy, next);
                }
                Op::Mark(slot) => self.mark(*slot, at),
                Op::At(anchor) => {
                    if !self.is_at(*anchor, at) {
                        return Ok(None);
                    }
                }
                Op::Choice { other, marks } => {
                    self.forget(marks);
                    if let Some(end) = self.go(op + 1, at)? {
                        return Ok(Some(end));
                    }
                    self.forget(marks);
                    op = *other;
                    continue;
                }
                Op::Jump(to) => {
                    op = *to;
                    continue;
                }
                Op::Found => return Ok(Some(at)),
            }
            op += 1;
        }
    }

    /// Tries each of these places, in order.
    fn choose(
        &mut self,
        op: usize,
        places: RangeInclusive<usize>,
        is_lazy: bool,
        next: Next,
    ) -> Result<Option<usize>, GivenUp> {
        let (first, last) = (*places.start(), *places.end());
        self.work((last - first) / 4)?;
        let text = self.text;
        if let Some(byte) = next.only() {
            let mut places = first..text.len().min(last + 1);
            while let Some(found) = if is_lazy {
                memchr::memchr(byte, &text[places.clone()])
            } else {
                memchr::memrchr(byte, &text[places.clone()])
            } {
                let at = places.start + found;
                if let Some(end) = self.go(op, at)? {
                    return Ok(Some(end));
                }
                if is_lazy {
                    places.start = at + 1;
                } else {
                    places.end = at;
                }
            }
            return Ok(None);
        }
        for n in 0..=last - first {
            let at = if is_lazy { first + n } else { last - n };
            if next.may_be(text.get(at).copied())
                && let Some(end) = self.go(op, at)?
            {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn forget(&mut self, marks: &Range<usize>) {
        if let Some(slots) = self.slots.get_mut(marks.clone()) {
            slots.fill(None);
        }
    }

    fn is_at(&self, anchor: Anchor, at: usize) -> bool {
        let is_word =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let before = at.checked_sub(1).and_then(|before| self.text.get(before));
        let behind = self.text.get(at);
        match anchor {
            Anchor::TextStart => before.is_none(),
            Anchor::LineStart => before.is_none_or(|byte| *byte == b'\n'),
            Anchor::TextEnd | Anchor::LastLineEnd => behind.is_none(),
            Anchor::LineEnd => behind.is_none_or(|byte| *byte == b'\n'),
            Anchor::Boundary { negated, .. } => (is_word(before) == is_word(behind)) == negated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::re::emit::emit;
    use crate::re::form::Form;
    use crate::re::linear::Linear;
    use crate::re::tree::Tree;
    use crate::re::{Groups, Pattern};

    const USUAL: Form = Form { newline_at_end: false, ascii: true, loose: false };

    /// Texts of few characters, so that many of them match.
    fn texts() -> impl Iterator<Item = String> {
        (0..40_000_u32).map(|n| {
            let mut state = n.wrapping_mul(2_654_435_761).max(1);
            let mut text = String::new();
            for _ in 0..n % 19 {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                text.push(char::from(b"aaabb1 2:A\n_"[(state % 12) as usize]));
            }
            text.truncate(text.trim_end_matches('\n').len());
            text
        })
    }

    fn direct(expression: &str) -> Option<Direct> {
        let Tree { root, widths, .. } = Tree::new(expression).unwrap();
        Direct::of(&root, widths.len() - 1)
    }

    #[test]
    fn it_finds_what_the_linear_engine_finds_with_the_same_groups() {
        for expression in [
            r"aa(\d+) ",
            r"^(\d+)",
            r"aa.*b(?P<x>[\d:]+) (b*)",
            r"aa.* (?P<x>[\d:]+)b\d+",
            r"aa.*? (?P<x>[\d:]*)b+(?P<y>\d?) +",
            r"ab(.*)(.*?)(b*)",
            r"ab(.*?)(.*)(b{2})",
            r"^(a*)(b+)",
            r"^(a*?)(a{1,2})(a{0,3}?)(.)",
            r"^(a*)[ab]+$",
            r"^(?P<x>\w+) .* (?P<y>[^ ]+)$",
            r"^(?P<x>.*)b(?P<y>\d*)$",
            r"aa(?P<x>.*) (?P<y>\d*)b\Z",
            r"(?i)^A(b{2})\d",
            r"^(?:a|b1)(\d*):?",
            r"^(?:(a)|(b)|a(b))*?",
            r"^(?:(a)|(b)|a(b))?(1|)(\w)",
            r"^(?:(a)b|(ab)1|(a)(b)(:))",
            r"^((a)(b?)(\d))",
            r"^(a)?b",
            r"^(?:(a)(b)?)??(a)",
            r"^(?:(a)(?:(b)|(1)) )?(?:(a)|(ab)|(a+))(\d)?",
            r"^(|a)(|b)(|a)(|1)b",
            r"(?s)^a(.) (.*)b",
            r"aa(?m:$)(\s*)",
            r"^.*\b(a+)\b",
            r"^.*\B(a)\B",
            r"aa\b\s*(?m:^)(b)",
            r"ab(?:\Z| (a)|: *(b))",
            r"ab{0}a(1{2,3}?)",
            r"aa(?:(b)|)(?:$|:|(.))",
        ] {
            let Tree { root, widths, .. } = Tree::new(expression).unwrap();
            let loops = expression.contains(")*?");
            let direct = Direct::of(&root, widths.len() - 1);
            assert_eq!(direct.is_none(), loops, "{expression}");
            let Some(direct) = direct else { continue };
            let linear = Linear::new(&emit(&root, USUAL), 0).unwrap();
            let (mut found, mut expected) = (Slots::new(), Slots::new());
            let (mut matches, mut given_up) = (0, 0);
            for text in texts() {
                let answer = direct.search(&text, &mut found);
                if answer.is_none() {
                    given_up += 1;
                    continue;
                }
                linear.search(&text, &mut expected);
                assert_eq!(answer, Some(!expected.is_empty()), "{expression} {text:?}");
                assert_eq!(found, expected, "{expression} {text:?}");
                assert_eq!(direct.is_match(&text), answer, "{expression} {text:?}");
                matches += u32::from(answer == Some(true));
            }
            assert!(matches > 2 && given_up < 20, "{expression} {matches} {given_up}");
        }
    }

    #[test]
    fn other_expressions_are_left_to_the_other_engines() {
        for expression in
            [r"a(\d+)", r"\d+ab", r"(?:ab|ba)", r"ab(?:a|1)*b", r"ab(?:a*)?b", r"(?m)^ab", r"ab(?=a)"]
        {
            assert!(direct(expression).is_none(), "{expression}");
        }
        assert!(direct(&format!("ab{}", "(?:a|b)".repeat(200))).is_none());
        assert!(direct(&format!("^{}", "(|a)(|b)".repeat(10))).is_some());
    }

    #[test]
    fn a_search_that_takes_long_is_given_up_and_done_by_the_linear_engine() {
        let expression = r"ab.*a.*a.*a.*1(:)";
        let text = |tail| format!("a{}{tail}", "ba".repeat(200));
        let mut slots = Slots::new();
        let direct = direct(expression).unwrap();
        assert_eq!(direct.search(&text("1"), &mut slots), None);
        assert!(slots.is_empty());
        let pattern = Pattern::new(expression).unwrap();
        let mut groups = Groups::default();
        assert_eq!(pattern.search(&text("1"), &mut groups), Ok(false));
        assert_eq!(pattern.search(&text("1 1:"), &mut groups), Ok(true));
        assert_eq!(groups.get(1), Some(404..405));
        // Each start costs little, however many there are.
        let many = "ab ".repeat(20_000);
        assert_eq!(self::direct(r"ab\d+").unwrap().is_match(&many), Some(false));
    }

    #[test]
    fn a_text_that_does_not_begin_like_the_expression_is_not_searched() {
        for (expression, expected) in [
            ("^Failed é(a)b+", "Failed éa"),
            ("^(?P<x>ab)c?", "ab"),
            ("(?i)^k", ""),
            ("(?m)^ab", ""),
            ("^a|^b", ""),
            (r"\Aab$", "ab"),
            ("ab", ""),
        ] {
            assert_eq!(prefix(&Tree::new(expression).unwrap().root), expected, "{expression}");
        }
        let pattern = Pattern::new("^é+(?P<x>.)").unwrap();
        let mut groups = Groups::default();
        assert_eq!(pattern.search("éa", &mut groups), Ok(true));
        assert_eq!(groups.get(1), Some(2..3));
        assert_eq!(pattern.search(" éa", &mut groups), Ok(false));
    }
}

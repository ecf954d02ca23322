//! Selects, among many expressions, those that a text must be searched for.
//!
//! Running hundreds of expressions one by one costs as many searches for every line. Most expressions need some text
//! (`failed password for`) that most lines do not contain. One automaton finds all of these texts in one pass.

use aho_corasick::AhoCorasick;
use memchr::memmem::Finder;

use super::pattern::Pattern;
use super::requirement::automaton;

/// As many texts, if they have one case, are found faster one by one.
const FEW: usize = 8;

/// The expressions of a list that may be found in a text.
#[derive(Debug)]
pub struct Candidates {
    /// The number of expressions.
    len: usize,
    automaton: Option<AhoCorasick>,
    /// The texts one by one, in the place of the automaton.
    few: Vec<Finder<'static>>,
    /// For each text, the expressions that need it.
    needed_for: Vec<Vec<u32>>,
    /// Bits of the expressions that need no text.
    always: Vec<u64>,
    /// Bits of the expressions that need a text only if the searched text is ASCII.
    beyond_ascii: Vec<u64>,
    /// Bits of the expressions that may be found in the texts since [`Candidates::clear`].
    marked: Vec<u64>,
}

impl Candidates {
    /// Builds the automaton for these expressions.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Candidates {
        let requirements: Vec<_> = patterns.into_iter().map(Pattern::requirement).collect();
        let len = requirements.len();
        let mut candidates = Candidates {
            len,
            automaton: None,
            few: Vec::new(),
            needed_for: Vec::new(),
            always: vec![0; len.div_ceil(64)],
            beyond_ascii: vec![0; len.div_ceil(64)],
            marked: vec![0; len.div_ceil(64)],
        };
        let mut texts: Vec<&str> = Vec::new();
        let mut exact: Vec<Option<&str>> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (n, requirement) in requirements.iter().enumerate() {
            if requirement.is_void() {
                set(&mut candidates.always, n);
            }
            if requirement.ascii_only {
                set(&mut candidates.beyond_ascii, n);
            }
            for text in &requirement.texts {
                // In another case, it is another text.
                let written = requirement.exact.as_ref();
                let place = *places.entry((text.as_str(), written)).or_insert_with(|| {
                    texts.push(text);
                    exact.push(requirement.exact.as_deref());
                    candidates.needed_for.push(Vec::new());
                    texts.len() - 1
                });
                // A configuration has fewer than 2^32 expressions.
                candidates.needed_for[place].extend(u32::try_from(n));
            }
        }
        let exact: Option<Vec<&str>> = exact.into_iter().collect();
        match exact.filter(|exact| exact.len() <= FEW) {
            Some(exact) => candidates.few = exact.iter().map(|text| Finder::new(text).into_owned()).collect(),
            None => candidates.automaton = automaton(texts),
        }
        if !candidates.are_told_apart() {
            (0..len).for_each(|n| set(&mut candidates.always, n));
        }
        candidates.clear();
        candidates
    }

    /// Whether a look at the text can exclude any expression. If not, all are always candidates.
    #[inline]
    pub fn are_told_apart(&self) -> bool {
        self.automaton.is_some() || !self.few.is_empty()
    }

    /// Forgets the texts that were looked at.
    #[inline]
    pub fn clear(&mut self) {
        self.marked.copy_from_slice(&self.always);
    }

    /// Looks at a text: marks the expressions that may be found in it.
    pub fn inspect_set(&mut self, text: &str) {
        for (finder, needed_for) in self.few.iter().zip(&self.needed_for) {
            if finder.find(text.as_bytes()).is_some() {
                for n in needed_for {
                    set(&mut self.marked, *n as usize);
                }
            }
        }
        if let Some(automaton) = &self.automaton {
            for found in automaton.find_overlapping_iter(text) {
                for n in &self.needed_for[found.pattern().as_usize()] {
                    set(&mut self.marked, *n as usize);
                }
            }
        }
        if !text.is_ascii() {
            self.marked.iter_mut().zip(&self.beyond_ascii).for_each(|(marked, beyond)| *marked |= beyond);
        }
    }

    /// Returns the first marked expression that is not before `from`.
    #[inline]
    pub fn next(&self, from: usize) -> Option<usize> {
        let mut word = from / 64;
        let mut bits = self.marked.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.marked.get(word)?;
        }
        Some(word * 64 + bits.trailing_zeros() as usize).filter(|n| *n < self.len)
    }
}

fn set(bits: &mut [u64], n: usize) {
    bits[n / 64] |= 1 << (n % 64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_expressions_that_can_be_found_are_candidates_and_all_that_can_are() {
        let expressions = [
            r"^Failed password for (?P<user>.*) from",
            r"(?i)invalid USER",
            r"\d+",
            r"(?:accepted|refused) key",
            r"sshd?: closed",
            r"(?:reset|timed out) (?:by|at)\b peer",
            r"^é{3}abc",
            r"(?:x|yyy)",
        ];
        let patterns: Vec<Pattern> = expressions.map(|e| Pattern::new(e).unwrap()).into();
        let mut candidates = Candidates::new(&patterns);
        assert!(candidates.are_told_apart());
        for (text, expected) in [
            ("Failed password for root from", vec![0, 2, 7]),
            ("failed PASSWORD for x; INVALID user", vec![0, 1, 2, 7]),
            ("accepted key", vec![2, 3, 7]),
            ("ssh: closed", vec![2, 4, 7]),
            // To `(?i)`, the long s is an s. In a text beyond ASCII, nothing more is known.
            ("invalid u\u{17f}er", vec![1, 2, 7]),
            ("éééabc", vec![1, 2, 6, 7]),
            ("", vec![2, 7]),
        ] {
            candidates.clear();
            candidates.inspect_set(text);
            let mut found = Vec::new();
            let mut from = 0;
            while let Some(n) = candidates.next(from) {
                found.push(n);
                from = n + 1;
            }
            assert_eq!(found, expected, "{text}");
            for (n, pattern) in patterns.iter().enumerate() {
                assert!(found.contains(&n) || !pattern.is_match(text).unwrap(), "{n} {text}");
            }
        }
    }

    #[test]
    fn a_few_texts_of_one_case_are_looked_for_one_by_one_with_the_same_result() {
        let expressions = [
            r"^Failed password for (?P<user>.*) from",
            r"failed password for x",
            r"Failed password for (?P<user>.*) port",
            r"\d+",
            r"^é{3}abc",
        ];
        let patterns: Vec<Pattern> = expressions.map(|e| Pattern::new(e).unwrap()).into();
        let mut candidates = Candidates::new(&patterns);
        assert!(candidates.automaton.is_none() && candidates.are_told_apart());
        for (text, expected) in [
            ("Failed password for root from", vec![0, 2, 3]),
            ("failed password for x", vec![1, 3]),
            ("FAILED PASSWORD FOR x", vec![3]),
            ("éééabc failed password for x Failed password for x", vec![0, 1, 2, 3, 4]),
            ("", vec![3]),
        ] {
            candidates.clear();
            candidates.inspect_set(text);
            let found: Vec<usize> = (0..patterns.len()).filter(|n| candidates.next(*n) == Some(*n)).collect();
            assert_eq!(found, expected, "{text}");
        }
        // One more text than a few, or one that has two cases, and there is an automaton.
        let many = (0..=FEW).map(|n| Pattern::new(&format!("abc{n}")).unwrap());
        assert!(Candidates::new(many.collect::<Vec<_>>().iter()).automaton.is_some());
        let two_cases = [Pattern::new("(?i)abc").unwrap()];
        assert!(Candidates::new(&two_cases).automaton.is_some());
    }
}

//! The engine whose time grows with the text alone.
//!
//! In: an expression as [`super::emit`] writes it. Out: where it is found. A configuration has hundreds of expressions
//! with several forms each, and whatever speeds up one of them stays in memory as long as the program runs. So each
//! gets little memory. Where that is not enough, its searches are slower, but their results are the same.

use regex_automata::Input;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;

/// The maximum size of a compiled program, in bytes.
pub(super) const SIZE_LIMIT: usize = 10 << 20;

/// The maximum size, in bytes, of the table with which an anchored expression finds its groups in one pass. Without
/// Unicode, it is enough for nearly all. With Unicode, tables of a megabyte are not rare.
const ONE_PASS: usize = 64 << 10;

/// Bytes of the transitions that a search keeps for the next search, forwards and backwards each.
const TRANSITIONS: usize = 512 << 10;

/// Bytes that a search also needs for each state of the program. With less, the engine keeps no transitions at all,
/// though the program that reads backwards exists only for them.
const STATE: u64 = 50;

/// Where groups begin and end: two slots for each group, in order.
pub(super) type Slots = Vec<Option<NonMaxUsize>>;

/// One form of an expression.
#[derive(Debug)]
pub(super) struct Linear(Regex);

impl Linear {
    /// Builds the program, which has about `states` states. An error is a message.
    pub(super) fn new(expression: &str, states: u64) -> Result<Linear, String> {
        Linear::build(expression, Config::new().hybrid_cache_capacity(capacity(TRANSITIONS, states)))
    }

    fn build(expression: &str, config: Config) -> Result<Linear, String> {
        let built = Regex::builder()
            .configure(config.nfa_size_limit(Some(SIZE_LIMIT)).onepass_size_limit(Some(ONE_PASS)))
            .syntax(syntax::Config::new().nest_limit(1000))
            .build(expression);
        built.map(Linear).map_err(|error| match error.size_limit() {
            Some(limit) => {
                format!("the expression is too large: its program would take more than {limit} bytes")
            }
            None => error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string),
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Returns where the match ends that [`Linear::search`] finds.
    pub(super) fn end(&self, text: &str) -> Option<usize> {
        self.0.search_half(&Input::new(text)).map(|found| found.offset())
    }

    /// Sets where each group begins and ends; no slots at all if the expression is not found.
    pub(super) fn search(&self, text: &str, slots: &mut Slots) {
        slots.clear();
        slots.resize(2 * self.0.captures_len(), None);
        if self.0.search_slots(&Input::new(text), slots).is_none() {
            slots.clear();
        }
    }
}

/// Returns how many bytes the searches of a program with about `states` states may keep, if its transitions may take
/// `transitions` bytes.
pub(super) fn capacity(transitions: usize, states: u64) -> usize {
    let besides = usize::try_from(states.saturating_mul(STATE)).unwrap_or(usize::MAX);
    transitions.saturating_add(besides)
}

#[cfg(test)]
mod tests {
    use regex_automata::hybrid::dfa;
    use regex_automata::nfa::thompson;

    use super::*;
    use crate::re::analysis::{size, unicode_states};
    use crate::re::emit::emit;
    use crate::re::engine::MANY_STATES;
    use crate::re::form::Form;
    use crate::re::tree::Tree;

    #[test]
    fn an_expression_takes_little_memory_and_finds_the_same() {
        let text = format!("{} é{} :22 naïve", "ü".repeat(60), "ß".repeat(5000));
        let expression = r"\A([^:]+):([\p{Nd}]+) ([\p{L}\p{N}_]+)\z";
        let little = Linear::new(expression, 0).unwrap();
        let usual = Linear(Regex::new(expression).unwrap());
        let [few, many] = [&little, &usual].map(|linear| linear.0.memory_usage());
        assert!(2 * few < many, "{few} of {many} bytes");
        let [found, expected] = [&little, &usual].map(|linear| {
            let mut slots = Slots::new();
            linear.search(&text, &mut slots);
            slots
        });
        assert!(!found.is_empty() && found == expected);
    }

    #[test]
    fn a_program_that_is_not_large_has_room_for_its_transitions() {
        let fits = |expression: &str, states| {
            let config = dfa::Config::new().starts_for_each_pattern(true).unicode_word_boundary(true);
            let config = config.cache_capacity(capacity(TRANSITIONS, states));
            [false, true].into_iter().all(|reverse| {
                let thompson = thompson::Config::new().reverse(reverse);
                dfa::Builder::new().configure(config.clone()).thompson(thompson).build(expression).is_ok()
            })
        };
        for part in
            [r"\w", r"\W", r"\d", r"\D", r"\S", ".", r"[\w.+-]", r"[^\d\s]", "[à-ü]", "(?i:k)", "(\\w+ )"]
        {
            let mut times = 1;
            loop {
                let root = Tree::new(&format!("^{part}{{{times}}}$")).unwrap().root;
                let states = unicode_states(&root);
                if states > MANY_STATES {
                    break;
                }
                for (ascii, states) in [(false, states), (true, size(&root))] {
                    let form = Form { newline_at_end: false, ascii, loose: false };
                    assert!(fits(&emit(&root, form), states), "{part} {times} times, ascii: {ascii}");
                }
                times = times * 3 / 2 + 1;
            }
        }
    }

    #[test]
    fn a_program_that_takes_too_much_is_refused() {
        let refused = Linear::new(r"(?:[\p{L}\p{N}_]{1000}){9}", 0).unwrap_err();
        assert_eq!(refused, "the expression is too large: its program would take more than 10485760 bytes");
    }
}

//! A first look at long texts, in time that grows with the text alone: can the text contain the expression at all, and
//! where at the earliest?
//!
//! In: an expression that is found *wherever* the original is found (see [`super::emit`]). It is run by tables of
//! transitions that are built on the way. Where it would need too many transitions, the look is given up early, and
//! nothing is known.

use regex_automata::Input;
use regex_automata::hybrid::{dfa, regex::Cache, regex::Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;

use super::linear::SIZE_LIMIT;

/// The maximum size of the tables, in bytes, forwards and backwards each. A look that fills them is given up.
const TABLES: usize = 256 << 10;

/// Looks for one expression.
#[derive(Debug)]
pub(super) struct Screen {
    regex: Regex,
    tables: Pool<Tables, fn() -> Tables>,
}

/// The tables of one look; `None`: not made yet.
type Tables = Box<Option<Cache>>;

/// The result of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The expression is not in the text.
    Nowhere,
    /// The expression does not begin before this byte.
    From(usize),
}

impl Screen {
    /// Builds the program; `None` if it is too large.
    pub(super) fn new(expression: &str) -> Option<Screen> {
        let tables = dfa::Config::new()
            .cache_capacity(TABLES)
            .skip_cache_capacity_check(false)
            .minimum_cache_clear_count(Some(0));
        let regex = Regex::builder()
            .dfa(tables)
            .thompson(thompson::Config::new().nfa_size_limit(Some(SIZE_LIMIT)))
            .syntax(syntax::Config::new().nest_limit(1000))
            .build(expression)
            .ok()?;
        Some(Screen { regex, tables: Pool::new(Box::default) })
    }

    pub(super) fn look(&self, text: &str) -> Look {
        let mut tables = self.tables.get();
        let cache = tables.get_or_insert_with(|| self.regex.create_cache());
        match self.regex.try_search(cache, &Input::new(text)) {
            Ok(None) => Look::Nowhere,
            Ok(Some(found)) => Look::From(found.start()),
            Err(_) => Look::From(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_behind_knows_its_earliest_start_or_gives_up() {
        let screen = Screen::new(r"b[^x]*c").unwrap();
        assert_eq!(screen.look("aabbcc"), Look::From(2));
        assert_eq!(screen.look("aabbx"), Look::Nowhere);
        let many = Screen::new(r"[ab]*a[ab]{200}c").unwrap();
        let text: String =
            (0..60_000_u32).map(|n| if n.wrapping_mul(n) % 7 < 3 { 'a' } else { 'b' }).collect();
        assert_eq!(many.look(&text), Look::Nowhere, "few states are enough for what repeats itself");
        let mut random = 88_172_645_463_325_252_u64;
        let mut roll = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.is_multiple_of(2)
        };
        let text: String = (0..60_000).map(|_| if roll() { 'a' } else { 'b' }).collect();
        assert_eq!(many.look(&text), Look::From(0));
    }
}

//! `filter_pcreAny`: passes when one of several expressions is found in a field.

use pyruse_core::entry::{Entry, Slot};
use pyruse_core::pattern::{Candidates, Groups, Pattern};
use pyruse_core::plugin::{
    Compile, Example, Expected, Filter, Invalid, Module, Plugin, Predicate, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::pcre::Search;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field to search.
    field: String,
    /// Expressions, in the syntax of Python's `re`; the first one in this order that matches is used, and its named
    /// groups are saved.
    re: Vec<String>,
}

/// Fewer expressions than this are searched one by one.
const FEW: usize = 4;

struct PcreAny {
    field: Slot,
    searches: Vec<Search>,
    /// Finds which of them can match at all, if there are many.
    candidates: Option<Candidates>,
    groups: Groups,
}

fn named(pattern: Option<&Pattern>) -> Vec<String> {
    pattern.into_iter().flat_map(Pattern::group_names).map(|(_, name)| name.to_owned()).collect()
}

impl Module for PcreAny {
    const NAME: &'static str = "filter_pcreAny";
    const DOC: &'static str =
        "Passes when one of the expressions matches anywhere in the field, and saves its groups.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let mut patterns = Vec::with_capacity(args.re.len());
        let mut invalid = None;
        for (n, expression) in args.re.iter().enumerate() {
            match cx.pattern(&format!("re.{n}"), expression) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => invalid = Some(error),
            }
        }
        if let Some(invalid) = invalid {
            return Err(invalid);
        }
        // Only what all of them save is saved whichever matches.
        let mut common: Vec<String> = named(patterns.first());
        for pattern in patterns.iter().skip(1) {
            let names = named(Some(pattern));
            common.retain(|name| names.contains(name));
        }
        let search = |(n, pattern): (usize, Pattern)| {
            let surely = |name: &str| common.iter().any(|known| known == name);
            let saves = cx.searches(&format!("re.{n}"), field, &pattern, ("", &[]), &surely);
            Search::new(pattern, saves)
        };
        let searches: Vec<Search> = patterns.into_iter().enumerate().map(search).collect();
        let candidates = (searches.len() >= FEW)
            .then(|| Candidates::new(searches.iter().map(|search| &search.pattern)))
            .filter(Candidates::are_told_apart);
        Ok(PcreAny { field, searches, candidates, groups: Groups::default() })
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "the first in list order, not in the text",
                r#"{"field": "MESSAGE", "re": ["user (?P<who>\\w+)", "(?P<who>\\w+) failed"]}"#,
                &[("MESSAGE", "bob failed as user alice")],
                Expected::Saves(&[("who", "alice")]),
            ),
            example(
                "also for a field that occurs several times",
                r#"{"field": "MESSAGE", "re": ["user (?P<who>\\w+)", "(?P<who>\\w+) failed"]}"#,
                &[("MESSAGE", "bob failed"), ("MESSAGE", "as user alice")],
                Expected::Saves(&[("who", "alice")]),
            ),
            example(
                "none",
                r#"{"field": "MESSAGE", "re": ["a", "b"]}"#,
                &[("MESSAGE", "c")],
                Expected::Fails,
            ),
        ]
    }
}

impl Filter for PcreAny {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let PcreAny { field, searches, candidates, groups } = self;
        // For a repeated field, any value will do for an expression; so the order of expressions comes before the order
        // of values.
        if let Some(candidates) = candidates {
            candidates.clear();
            entry.find_text(*field, |text| {
                candidates.inspect_set(text);
                Ok(false)
            })?;
        }
        let candidates = candidates.as_ref();
        let next = |from| match candidates {
            Some(candidates) => candidates.next(from),
            None => Some(from).filter(|n| *n < searches.len()),
        };
        let mut at = next(0);
        while let Some(n) = at {
            let search = &searches[n];
            if let Some(text) = search.find(entry, *field, groups)? {
                search.save(entry, text, groups);
                return Ok(true);
            }
            at = next(n + 1);
        }
        Ok(false)
    }

    fn predicate(&self) -> Option<Predicate<'_>> {
        let patterns = self.searches.iter().map(|search| &search.pattern).collect();
        Some(Predicate::Finds { field: self.field, patterns })
    }

    fn depends_on(&self) -> Option<Slot> {
        self.searches.iter().all(|search| search.saves.is_empty()).then_some(self.field)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<PcreAny>());

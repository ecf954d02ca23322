//! `filter_pcre`: passes when an expression is found in a field.

use pyruse_core::entry::{Entry, Slot, Span};
use pyruse_core::pattern::{Groups, Pattern, Wanted};
use pyruse_core::plugin::{
    Compile, Example, Expected, Filter, Invalid, Module, Plugin, Predicate, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field to search.
    field: String,
    /// The expression, in the syntax of Python's `re`.
    re: String,
    /// Names for the groups, in order: group 1 is saved under the first name, and so on. Named groups
    /// (`(?P<name>…)`) are saved under their own names as well.
    #[serde(default)]
    save: Vec<String>,
}

/// The most bytes, over all elements of a field, that an expression which is not regular may search: as many as one
/// element may have.
const MOST_SEARCHED: usize = 64 * 1024;

/// An expression, and the fields that its groups are saved in.
pub(crate) struct Search {
    pub(crate) pattern: Pattern,
    wanted: Wanted,
    pub(crate) saves: Vec<(usize, Slot)>,
}

impl Search {
    pub(crate) fn new(pattern: Pattern, saves: Vec<(usize, Slot)>) -> Search {
        let wanted = pattern.wanted(saves.iter().map(|(group, _)| *group));
        Search { pattern, wanted, saves }
    }

    /// Finds the element of the field in which it matches. `groups` gets the positions of the groups, as far as they
    /// are wanted.
    pub(crate) fn find(
        &self,
        entry: &mut Entry<'_>,
        field: Slot,
        groups: &mut Groups,
    ) -> Result<Option<Span>, StepError> {
        let mut searched = 0;
        entry.find_text(field, |text| {
            if self.pattern.is_backtracking() && !self.pattern.is_out_of_question(text) {
                // The first element is always searched: a long element must not evade the expression.
                if searched > MOST_SEARCHED {
                    return Err(StepError::exhausted(
                        "the elements of the field are too long in total for an expression that is not regular",
                    ));
                }
                searched += text.len();
            }
            self.find_in(text, groups)
        })
    }

    fn find_in(&self, text: &str, groups: &mut Groups) -> Result<bool, StepError> {
        let found = if self.saves.is_empty() {
            self.pattern.is_match(text)
        } else {
            self.pattern.search_wanted(text, &self.wanted, groups)
        };
        // A search that took so long on one element may take as long on the next.
        found.map_err(|e| StepError::exhausted(e.to_string()))
    }

    pub(crate) fn save(&self, entry: &mut Entry<'_>, of: Span, groups: &Groups) {
        for (group, slot) in &self.saves {
            entry.save_part(*slot, of, groups.get(*group));
        }
    }
}

struct Pcre {
    field: Slot,
    search: Search,
    groups: Groups,
}

impl Module for Pcre {
    const NAME: &'static str = "filter_pcre";
    const DOC: &'static str =
        "Passes when the expression matches anywhere in the field, and saves its groups.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let pattern = cx.pattern("re", &args.re)?;
        if args.save.len() > pattern.group_count() {
            let message =
                format!("more names to save ({}) than groups ({})", args.save.len(), pattern.group_count());
            return Err(cx.error("save", message));
        }
        let saves = cx.searches("re", field, &pattern, ("save", &args.save), &|_| true);
        Ok(Pcre { field, search: Search::new(pattern, saves), groups: Groups::default() })
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "named groups",
                r#"{"field": "MESSAGE", "re": "^Failed password for (?P<user>.*) from (?P<thatIP>\\S+) port"}"#,
                &[("MESSAGE", "Failed password for root from 192.0.2.1 port 22 ssh2")],
                Expected::Saves(&[("user", "root"), ("thatIP", "192.0.2.1")]),
            ),
            example(
                "names by position",
                r#"{"field": "MESSAGE", "re": "from (\\S+) port (\\d+)", "save": ["thatIP", "thatPort"]}"#,
                &[("MESSAGE", "Invalid user x from 2001:db8::1 port 50000")],
                Expected::Saves(&[("thatIP", "2001:db8::1"), ("thatPort", "50000")]),
            ),
            example(
                "a number, as decimal text",
                r#"{"field": "PRIORITY", "re": "^[0-3]$"}"#,
                &[("PRIORITY", "3")],
                Expected::Passes,
            ),
            example("a missing field", r#"{"field": "MESSAGE", "re": ""}"#, &[], Expected::Fails),
        ]
    }
}

impl Filter for Pcre {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let Pcre { field, search, groups } = self;
        let Some(text) = search.find(entry, *field, groups)? else { return Ok(false) };
        search.save(entry, text, groups);
        Ok(true)
    }

    fn predicate(&self) -> Option<Predicate<'_>> {
        Some(Predicate::Finds { field: self.field, patterns: vec![&self.search.pattern] })
    }

    fn depends_on(&self) -> Option<Slot> {
        self.search.saves.is_empty().then_some(self.field)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<Pcre>());

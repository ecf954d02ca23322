//! `filter_has`: passes when the entry has the field. A very small, but useful filter.

use pyruse_core::entry::{Entry, Slot};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field.
    field: String,
}

struct Has {
    field: Slot,
}

impl Module for Has {
    const NAME: &'static str = "filter_has";
    const DOC: &'static str = "Passes when the entry has the field.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(Has { field: cx.reads(&args.field) })
    }

    fn examples() -> Vec<Example> {
        let example =
            |title, entry, expected| Example { title, args: r#"{"field": "USER"}"#, entry, expected };
        vec![example("present", &[("USER", "")], Expected::Passes), example("missing", &[], Expected::Fails)]
    }
}

impl Filter for Has {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        Ok(entry.first_text(self.field).is_some())
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<Has>());

//! `filter_lowerOrEquals` and `filter_greaterOrEquals`: one filter, for both directions.

use std::cmp::Ordering;

use pyruse_core::entry::{Entry, Slot};
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::scalar::Scalar;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field to compare.
    field: String,
    /// The limit; an equal value passes. Texts compare by code point; a field of another type is an error.
    value: Scalar,
}

struct Bound {
    field: Slot,
    value: Scalar,
    refused: Ordering,
}

impl Bound {
    fn new(args: Args, refused: Ordering, cx: &mut Compile<'_>) -> Bound {
        let field = cx.reads_at("field", &args.field);
        let test = Test::Bound(args.value.literal(), cx.span("value"));
        cx.states("field", Fact::Tests(field, test));
        Bound { field, value: args.value, refused }
    }

    fn passes(&self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let holds = entry.any(self.field, |value| match self.value.order_of(value) {
            Some(order) => Ok(order != self.refused),
            None => Err(StepError::new(format!(
                "cannot compare {} with {}",
                value.type_name(),
                self.value.type_name()
            ))),
        })?;
        Ok(holds.unwrap_or(false))
    }
}

struct LowerOrEquals(Bound);

impl Module for LowerOrEquals {
    const NAME: &'static str = "filter_lowerOrEquals";
    const DOC: &'static str = "Passes when the field is at most this value.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(LowerOrEquals(Bound::new(args, Ordering::Greater, cx)))
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "errors and worse",
                r#"{"field": "PRIORITY", "value": 3}"#,
                &[("PRIORITY", "3")],
                Expected::Passes,
            ),
            example(
                "a notice",
                r#"{"field": "PRIORITY", "value": 3}"#,
                &[("PRIORITY", "5")],
                Expected::Fails,
            ),
            example(
                "another type",
                r#"{"field": "PRIORITY", "value": 3}"#,
                &[("PRIORITY", "high")],
                Expected::Error("cannot compare text with a number"),
            ),
        ]
    }
}

impl Filter for LowerOrEquals {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        self.0.passes(entry)
    }
}

struct GreaterOrEquals(Bound);

impl Module for GreaterOrEquals {
    const NAME: &'static str = "filter_greaterOrEquals";
    const DOC: &'static str = "Passes when the field is at least this value.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(GreaterOrEquals(Bound::new(args, Ordering::Less, cx)))
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "from 1000 on, users are people",
                r#"{"field": "_UID", "value": 1000}"#,
                &[("_UID", "1000")],
                Expected::Passes,
            ),
            example("below", r#"{"field": "_UID", "value": 1000}"#, &[("_UID", "33")], Expected::Fails),
        ]
    }
}

impl Filter for GreaterOrEquals {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        self.0.passes(entry)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<LowerOrEquals>());
pyruse_core::inventory::submit!(Plugin::filter::<GreaterOrEquals>());

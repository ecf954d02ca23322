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

/// With `UPPER`, the value is an upper bound; else it is a lower bound.
struct Bound<const UPPER: bool> {
    field: Slot,
    value: Scalar,
}

impl<const UPPER: bool> Module for Bound<UPPER> {
    const NAME: &'static str = if UPPER { "filter_lowerOrEquals" } else { "filter_greaterOrEquals" };
    const DOC: &'static str = if UPPER {
        "Passes when the field is at most this value."
    } else {
        "Passes when the field is at least this value."
    };
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let test = Test::Bound(args.value.literal(), cx.span("value"));
        cx.states("field", Fact::Tests(field, test));
        Ok(Bound { field, value: args.value })
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        let errors = r#"{"field": "PRIORITY", "value": 3}"#;
        let people = r#"{"field": "_UID", "value": 1000}"#;
        if UPPER {
            let error = Expected::Error("cannot compare text with a number");
            vec![
                example("errors and worse", errors, &[("PRIORITY", "3")], Expected::Passes),
                example("a notice", errors, &[("PRIORITY", "5")], Expected::Fails),
                example("another type", errors, &[("PRIORITY", "high")], error),
            ]
        } else {
            vec![
                example("from 1000 on, users are people", people, &[("_UID", "1000")], Expected::Passes),
                example("below", people, &[("_UID", "33")], Expected::Fails),
            ]
        }
    }
}

impl<const UPPER: bool> Filter for Bound<UPPER> {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let refused = if UPPER { Ordering::Greater } else { Ordering::Less };
        let holds = entry.any(self.field, |value| match self.value.order_of(value) {
            Some(order) => Ok(order != refused),
            None => Err(StepError::new(format!(
                "cannot compare {} with {}",
                value.type_name(),
                self.value.type_name()
            ))),
        })?;
        Ok(holds.unwrap_or(false))
    }

    fn depends_on(&self) -> Option<Slot> {
        Some(self.field)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<Bound<true>>());
pyruse_core::inventory::submit!(Plugin::filter::<Bound<false>>());

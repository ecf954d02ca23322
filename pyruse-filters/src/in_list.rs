//! `filter_in`: passes when a field has one of several values.

use std::collections::HashSet;

use pyruse_core::entry::{Entry, Slot, Value};
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{
    Compile, Example, Expected, Filter, Invalid, Module, Plugin, Predicate, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::scalar::Scalar;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field to compare.
    field: String,
    /// The values it may have, each compared as in `filter_equals`; `null` stands for a missing field.
    values: Vec<Option<Scalar>>,
}

struct InList {
    field: Slot,
    texts: HashSet<String>,
    integers: HashSet<i64>,
    floats: Vec<Scalar>,
    missing: bool,
}

impl Module for InList {
    const NAME: &'static str = "filter_in";
    const DOC: &'static str = "Passes when the field has one of these values.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let listed = args.values.iter().enumerate();
        let values = listed
            .filter_map(|(n, value)| Some((value.as_ref()?.literal(), cx.span(&format!("values.{n}")))))
            .collect();
        let missing = args.values.contains(&None);
        cx.states("field", Fact::Tests(field, Test::OneOf { values, missing }));
        let mut list = InList {
            field,
            texts: HashSet::new(),
            integers: HashSet::new(),
            floats: Vec::new(),
            missing: false,
        };
        for value in args.values {
            match value {
                None => list.missing = true,
                Some(Scalar::Text(text)) => {
                    list.texts.insert(text);
                }
                Some(Scalar::Integer(integer)) => {
                    list.integers.insert(integer);
                }
                Some(float) => list.floats.push(float),
            }
        }
        Ok(list)
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "one of them",
                r#"{"field": "PRIORITY", "values": [2, 3]}"#,
                &[("PRIORITY", "3")],
                Expected::Passes,
            ),
            example(
                "none of them",
                r#"{"field": "PRIORITY", "values": ["3"]}"#,
                &[("PRIORITY", "3")],
                Expected::Fails,
            ),
            example("missing, not listed", r#"{"field": "_UID", "values": [0]}"#, &[], Expected::Fails),
            example("missing, listed", r#"{"field": "_UID", "values": [0, null]}"#, &[], Expected::Passes),
        ]
    }
}

impl Filter for InList {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let holds = entry.any(self.field, |value| {
            let listed = match value {
                Value::Text(text) => self.texts.contains(text),
                Value::Integer(integer) => self.integers.contains(&integer),
                Value::Time(_) => false,
            };
            Ok(listed || self.floats.iter().any(|float| float.equals(value)))
        })?;
        Ok(holds.unwrap_or(self.missing))
    }

    fn predicate(&self) -> Option<Predicate<'_>> {
        let texts = self.texts.iter().map(String::as_str).collect();
        let integers = self.integers.iter().copied().collect();
        let asked = Predicate::Equals { field: self.field, texts, integers, missing: self.missing };
        self.floats.is_empty().then_some(asked)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<InList>());

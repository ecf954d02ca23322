//! `filter_equals`: passes when a field has a value.

use pyruse_core::entry::{Entry, Slot};
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
    /// The value it must have, of the same type: the text `"3"` never equals PRIORITY 3; 1 equals 1.0.
    value: Scalar,
}

struct Equals {
    field: Slot,
    value: Scalar,
}

impl Module for Equals {
    const NAME: &'static str = "filter_equals";
    const DOC: &'static str = "Passes when the field has exactly this value.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let values = vec![(args.value.literal(), cx.span("value"))];
        cx.states("field", Fact::Tests(field, Test::OneOf { values, missing: false }));
        Ok(Equals { field, value: args.value })
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "a text",
                r#"{"field": "SYSLOG_IDENTIFIER", "value": "sshd"}"#,
                &[("SYSLOG_IDENTIFIER", "sshd")],
                Expected::Passes,
            ),
            example(
                "a number",
                r#"{"field": "PRIORITY", "value": 3}"#,
                &[("PRIORITY", "3")],
                Expected::Passes,
            ),
            example(
                "not a text",
                r#"{"field": "PRIORITY", "value": "3"}"#,
                &[("PRIORITY", "3")],
                Expected::Fails,
            ),
            example("a missing field", r#"{"field": "PRIORITY", "value": 3}"#, &[], Expected::Fails),
            example(
                "any of a repeated field's values",
                r#"{"field": "UNIT", "value": "b"}"#,
                &[("UNIT", "a"), ("UNIT", "b")],
                Expected::Passes,
            ),
        ]
    }
}

impl Filter for Equals {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        Ok(entry.any(self.field, |value| Ok(self.value.equals(value)))?.unwrap_or(false))
    }

    fn predicate(&self) -> Option<Predicate<'_>> {
        let (texts, integers) = match &self.value {
            Scalar::Text(text) => (vec![text.as_str()], vec![]),
            Scalar::Integer(integer) => (vec![], vec![*integer]),
            Scalar::Float(_) => return None,
        };
        Some(Predicate::Equals { field: self.field, texts, integers, missing: false })
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<Equals>());

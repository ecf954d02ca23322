//! `action_counterRead`.

use pyruse_core::plugin::fact::{CounterChange, Fact};
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::Counter;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct ReadArgs {
    /// The category; all actions with the same category share it.
    counter: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The field to store the count in.
    save: String,
}

struct Read(Counter);

impl Module for Read {
    const NAME: &'static str = "action_counterRead";
    const DOC: &'static str = "Stores the count of a key in a field, and changes nothing.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = ReadArgs;

    fn compile(args: ReadArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter = Counter::new(&args.counter, &args.key, Some(&args.save), cx)?;
        cx.states(
            "counter",
            Fact::Counts { category: args.counter, change: CounterChange::Reads { save: counter.save } },
        );
        Ok(Read(counter))
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "whether the address has failed before",
            args: r#"{"counter": "ssh", "for": "thatIP", "save": "tries"}"#,
            entry: &[("thatIP", "192.0.2.1")],
            expected: Expected::Saves(&[("tries", "0")]),
        }]
    }
}

impl Action for Read {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let count = self.0.act(run, |category, key, now| category.count(key, now))?;
        run.entry.note_count(&self.0.name, self.0.key, count as u64);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Read>());

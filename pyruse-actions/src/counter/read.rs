//! `action_counterRead`.

use pyruse_core::plugin::fact::CounterChange;
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
    /// How many bits of an IPv4 address make the network that is the key, e.g. 24; absent: 32. A value that is no address
    /// is the key itself.
    #[serde(default)]
    prefix4: Option<u8>,
    /// How many bits of an IPv6 address make the network that is the key, e.g. 64; absent: 128.
    #[serde(default)]
    prefix6: Option<u8>,
}

struct Read(Counter);

impl Module for Read {
    const NAME: &'static str = "action_counterRead";
    const DOC: &'static str = "Stores the count of a key in a field, and changes nothing.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = ReadArgs;

    fn compile(args: ReadArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter =
            Counter::new((&args.counter, &args.key, Some(&args.save)), [args.prefix4, args.prefix6], cx)?;
        counter.states(CounterChange::Reads { save: counter.save }, cx);
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

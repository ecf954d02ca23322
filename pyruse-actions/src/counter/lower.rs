//! `action_counterLower`.

use pyruse_core::plugin::fact::CounterChange;
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::Counter;
use super::by::{By, ByArg};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct LowerArgs {
    /// The category; all actions with the same category share it.
    counter: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The field to store the resulting count in.
    #[serde(default)]
    save: Option<String>,
    /// The number of ticks to remove, or the field that has it, 1 or more. An entry without the field removes one.
    #[serde(default)]
    by: Option<ByArg>,
    /// How many bits of an IPv4 address make the network that is the key, e.g. 24; absent: 32. A value that is no address
    /// is the key itself.
    #[serde(default)]
    prefix4: Option<u8>,
    /// How many bits of an IPv6 address make the network that is the key, e.g. 64; absent: 128.
    #[serde(default)]
    prefix6: Option<u8>,
}

struct Lower {
    counter: Counter,
    by: By,
}

impl Module for Lower {
    const NAME: &'static str = "action_counterLower";
    const DOC: &'static str =
        "Counts one less, or `by` less, for a key: the tick that would live longest is removed.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = LowerArgs;

    fn compile(args: LowerArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter =
            Counter::new((&args.counter, &args.key, args.save.as_deref()), [args.prefix4, args.prefix6], cx)?;
        counter.states(CounterChange::Lowers { save: counter.save }, cx);
        Ok(Lower { counter, by: By::new(args.by, cx)? })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "not below nothing",
            args: r#"{"counter": "ssh", "for": "thatIP", "save": "tries"}"#,
            entry: &[("thatIP", "192.0.2.1")],
            expected: Expected::Saves(&[("tries", "0")]),
        }]
    }
}

impl Action for Lower {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let ticks = self.by.ticks(run)?;
        self.counter.act(run, |category, key, now| {
            // Each call returns what is left.
            (1..ticks).fold(category.lower(key, now), |_, _| category.lower(key, now))
        })?;
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Lower>());

//! `action_counterReset`.

use pyruse_core::plugin::fact::CounterChange;
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;

use super::Counter;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct ResetArgs {
    /// The category; all actions with the same category share it.
    counter: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The field to store the resulting count in, which is 0.
    #[serde(default)]
    save: Option<String>,
    /// How long nothing is counted for this key, in seconds or as `1h` or `7d`.
    #[serde(rename = "graceSeconds", default)]
    grace_seconds: Option<Seconds>,
    /// How many bits of an IPv4 address make the network that is the key, e.g. 24; absent: 32. A value that is no address
    /// is the key itself.
    #[serde(default)]
    prefix4: Option<u8>,
    /// How many bits of an IPv6 address make the network that is the key, e.g. 64; absent: 128.
    #[serde(default)]
    prefix6: Option<u8>,
}

struct Reset {
    counter: Counter,
    grace: Option<u64>,
}

impl Module for Reset {
    const NAME: &'static str = "action_counterReset";
    const DOC: &'static str = "Forgets what was counted for a key, and may start a grace for it.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = ResetArgs;

    fn compile(args: ResetArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter =
            Counter::new((&args.counter, &args.key, args.save.as_deref()), [args.prefix4, args.prefix6], cx)?;
        let grace = args.grace_seconds.map(|seconds| seconds.0).filter(|seconds| *seconds > 0);
        let category = counter.category;
        cx.on_bind(move |state| state.get_mut(category).note_durations(0, grace.unwrap_or(0)));
        counter.states(CounterChange::Lowers { save: counter.save }, cx);
        Ok(Reset { counter, grace })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "an hour of grace",
            args: r#"{"counter": "ssh", "for": "thatIP", "graceSeconds": 3600, "save": "tries"}"#,
            entry: &[("thatIP", "192.0.2.1")],
            expected: Expected::Saves(&[("tries", "0")]),
        }]
    }
}

impl Action for Reset {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let grace = self.grace;
        self.counter.act(run, |category, key, now| {
            category.reset(key, now, grace.map(|seconds| now.plus_seconds(seconds)));
            0
        })?;
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Reset>());

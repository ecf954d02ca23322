//! `action_counterRaise`.

use pyruse_core::plugin::fact::{CounterChange, Fact};
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;

use super::Counter;
use super::by::{By, ByArg};

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct RaiseArgs {
    /// The category; all actions with the same category share it.
    counter: String,
    /// The field with the key.
    #[serde(rename = "for")]
    key: String,
    /// The field to store the resulting count in.
    #[serde(default)]
    save: Option<String>,
    /// How long this tick counts, in seconds or as `10m` or `1h`; absent or 0: for ever.
    #[serde(rename = "keepSeconds", default)]
    keep_seconds: Option<Seconds>,
    /// The number of ticks for an entry, or the field that has it, 1 or more: for what weighs more, or for programs that
    /// write one line for several attempts. An entry without the field is one tick. More than 1,000 count as 1,000.
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

struct Raise {
    counter: Counter,
    keep: Option<u64>,
    by: By,
}

impl Module for Raise {
    const NAME: &'static str = "action_counterRaise";
    const DOC: &'static str = "Counts one more, or `by` more, for a key, unless the key is in its grace.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = RaiseArgs;

    fn compile(args: RaiseArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter =
            Counter::new((&args.counter, &args.key, args.save.as_deref()), [args.prefix4, args.prefix6], cx)?;
        let by = By::new(args.by, cx)?;
        let keep = args.keep_seconds.map(|seconds| seconds.0).filter(|seconds| *seconds > 0);
        let category = counter.category;
        cx.on_bind(move |state| state.get_mut(category).note_durations(keep.unwrap_or(0), 0));
        let change = CounterChange::Raises { expires: keep.is_some(), save: counter.save };
        cx.states("counter", Fact::Counts { category: args.counter, change });
        Ok(Raise { counter, keep, by })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "the first of an address",
                args: r#"{"counter": "ssh", "for": "thatIP", "keepSeconds": 300, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "a line that stands for three tries",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "3")],
                expected: Expected::Saves(&[("tries", "3")]),
            },
            Example {
                title: "a line that does not say how many is one",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "no more than 1,000 at once",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "99999999999999999999")],
                expected: Expected::Saves(&[("tries", "1000")]),
            },
            Example {
                title: "an attempt that weighs more",
                args: r#"{"counter": "ssh", "for": "thatIP", "by": 3, "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Saves(&[("tries", "3")]),
            },
            Example {
                title: "an address counts for its network",
                args: r#"{"counter": "ssh", "for": "thatIP", "keepSeconds": 300, "prefix6": 64, "save": "tries"}"#,
                entry: &[("thatIP", "2001:db8:1:2:3::4")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "a host name is no address: it is its own key",
                args: r#"{"counter": "ssh", "for": "rhost", "keepSeconds": 300, "prefix6": 64, "save": "tries"}"#,
                entry: &[("rhost", "client.example")],
                expected: Expected::Saves(&[("tries", "1")]),
            },
            Example {
                title: "not a number",
                args: r#"{"counter": "imap", "for": "thatIP", "by": "attempts", "keepSeconds": 600, "save": "tries"}"#,
                entry: &[("thatIP", "192.0.2.1"), ("attempts", "many")],
                expected: Expected::Error("`by`: `many` is not a number of ticks: nothing is counted"),
            },
        ]
    }
}

impl Action for Raise {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let keep = self.keep;
        let ticks = self.by.ticks(run)?;
        let count = self.counter.act(run, |category, key, now| {
            let end = keep.map_or(Timestamp::NEVER, |seconds| now.plus_seconds(seconds));
            (0..ticks).fold(0, |_, _| category.raise(key, now, end))
        })?;
        run.entry.note_count(&self.counter.name, self.counter.key, count as u64);
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Raise>());

//! `action_counterRaise`, `action_counterReset`, `action_counterLower`: count how often a key occurs within a time.
//!
//! A category is a part of the state that all actions with its name share, so that one rule may count and another may
//! forgive. Entries may be read out of order: each is counted at its own time.

mod category;
mod clock;
mod keys;
mod marks;
#[cfg(test)]
mod model;
mod rows;
mod service;
mod stored;
#[cfg(test)]
mod tests;
mod ticks;

use std::num::IntErrorKind;

use std::sync::Arc;

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{CounterChange, Fact, SavedAs};
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Expected, Invalid, Module, ModuleSettings, Plugin, SettingsPlugin,
    StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Handle;
use pyruse_core::time::Timestamp;

use self::category::{Caps, Category};
use self::service::Categories;

/// Limits for the memory of counters, for each category.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct CounterSettings {
    /// How many keys a category has at most; beyond that, the key that was raised longest ago is forgotten.
    #[serde(rename = "maxKeys")]
    max_keys: u32,
    /// How many ticks a key has at most; beyond that, the oldest is forgotten.
    #[serde(rename = "maxTicks")]
    max_ticks: u32,
}

impl Default for CounterSettings {
    fn default() -> Self {
        CounterSettings { max_keys: 100_000, max_ticks: 65_536 }
    }
}

impl ModuleSettings for CounterSettings {
    const KEY: &'static str = "counter";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        for (key, value) in [("maxKeys", self.max_keys), ("maxTicks", self.max_ticks)] {
            if value == 0 {
                report(key, format!("`{key}` must be at least 1: nothing would be counted"));
            }
        }
    }
}

/// The common part of the three actions.
struct Counter {
    key: Slot,
    save: Option<Slot>,
    category: Handle<Category>,
    name: Arc<str>,
}

impl Counter {
    fn new(category: &str, key: &str, save: Option<&str>, cx: &mut Compile<'_>) -> Result<Counter, Invalid> {
        let key = cx.reads_at("for", key);
        let save = save.map(|name| cx.saves_at("save", name, SavedAs::Number, true));
        let handle = cx.state::<Category>(&format!("counter/{category}"))?;
        cx.shared::<Categories>().0.insert(category.to_owned(), handle);
        let settings = cx.settings::<CounterSettings>();
        let caps = Caps { keys: settings.max_keys as usize, ticks: settings.max_ticks as usize };
        let name: Arc<str> = category.into();
        let label = name.clone();
        cx.on_bind(move |state| state.get_mut(handle).configure(&label, caps));
        Ok(Counter { key, save, category: handle, name })
    }

    /// Runs `change` on the entry's key, and saves the resulting count.
    fn act(
        &self,
        run: &mut Act<'_, '_>,
        change: impl FnOnce(&mut Category, &str, Timestamp) -> usize,
    ) -> Result<usize, StepError> {
        let now = run.entry.time();
        let key = run.entry.required_text(self.key)?;
        let count = change(run.state.get_mut(self.category), key, now);
        if let Some(save) = self.save {
            run.entry.set_integer(save, i64::try_from(count).unwrap_or(i64::MAX));
        }
        Ok(count)
    }
}

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
    /// The field with the number of ticks for this entry, 1 or more: for programs that write one line for several
    /// attempts. An entry without the field is one tick. More than 1,000 count as 1,000.
    #[serde(default)]
    by: Option<String>,
}

struct Raise {
    counter: Counter,
    keep: Option<u64>,
    by: Option<Slot>,
}

/// Each tick is a row of the state, so a line must not cause an unlimited number of them.
const MOST_AT_ONCE: u64 = 1000;

impl Raise {
    /// Returns the number of ticks for the entry.
    fn ticks(&self, run: &mut Act<'_, '_>) -> Result<u64, StepError> {
        let Some(text) = self.by.and_then(|slot| run.entry.text(slot)) else { return Ok(1) };
        match text.parse::<u64>() {
            Ok(ticks) if ticks > 0 => Ok(ticks.min(MOST_AT_ONCE)),
            Err(e) if *e.kind() == IntErrorKind::PosOverflow => Ok(MOST_AT_ONCE),
            _ => {
                let shown: String = text.chars().take(40).collect();
                Err(StepError::new(format!("`by`: `{shown}` is not a number of ticks: nothing is counted")))
            }
        }
    }
}

impl Module for Raise {
    const NAME: &'static str = "action_counterRaise";
    const DOC: &'static str = "Counts one more, or `by` more, for a key, unless the key is in its grace.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = RaiseArgs;

    fn compile(args: RaiseArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter = Counter::new(&args.counter, &args.key, args.save.as_deref(), cx)?;
        let by = args.by.map(|name| cx.reads_at("by", &name));
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
        let ticks = self.ticks(run)?;
        let count = self.counter.act(run, |category, key, now| {
            let end = keep.map_or(Timestamp::NEVER, |seconds| now.plus_seconds(seconds));
            (0..ticks).fold(0, |_, _| category.raise(key, now, end))
        })?;
        run.entry.note_count(&self.counter.name, self.counter.key, count as u64);
        Ok(())
    }
}

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
        let counter = Counter::new(&args.counter, &args.key, args.save.as_deref(), cx)?;
        let grace = args.grace_seconds.map(|seconds| seconds.0).filter(|seconds| *seconds > 0);
        let category = counter.category;
        cx.on_bind(move |state| state.get_mut(category).note_durations(0, grace.unwrap_or(0)));
        cx.states(
            "counter",
            Fact::Counts { category: args.counter, change: CounterChange::Lowers { save: counter.save } },
        );
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
}

struct Lower(Counter);

impl Module for Lower {
    const NAME: &'static str = "action_counterLower";
    const DOC: &'static str = "Counts one less for a key: the tick that would live longest is removed.";
    const SETTINGS: &'static [&'static str] = &["counter"];
    type Args = LowerArgs;

    fn compile(args: LowerArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let counter = Counter::new(&args.counter, &args.key, args.save.as_deref(), cx)?;
        cx.states(
            "counter",
            Fact::Counts { category: args.counter, change: CounterChange::Lowers { save: counter.save } },
        );
        Ok(Lower(counter))
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
        self.0.act(run, Category::lower).map(drop)
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Raise>());
pyruse_core::inventory::submit!(Plugin::action::<Reset>());
pyruse_core::inventory::submit!(Plugin::action::<Lower>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<CounterSettings>());

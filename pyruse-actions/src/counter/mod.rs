//! `action_counterRaise`, `action_counterReset`, `action_counterLower`, `action_counterRead`: count how often a key
//! occurs within a time.
//!
//! A category is a part of the state that all actions with its name share, so that one rule may count and another may
//! forgive. Entries may be read out of order: each is counted at its own time.

mod by;
mod category;
mod clock;
mod distinct;
mod keys;
mod lower;
mod marks;
#[cfg(test)]
mod model;
mod raise;
mod read;
mod reset;
mod rows;
mod service;
mod stored;
#[cfg(test)]
mod tests;
mod ticks;

use std::sync::Arc;

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{CounterChange, Fact, SavedAs};
use pyruse_core::plugin::{Act, Compile, Invalid, ModuleSettings, SettingsPlugin, StepError};
use pyruse_core::prefixes::Prefixes;
use pyruse_core::schemars::JsonSchema;
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

/// The common part of the actions.
struct Counter {
    key: Slot,
    /// If an address stands for its network.
    prefixes: Option<Prefixes>,
    save: Option<Slot>,
    category: Handle<Category>,
    name: Arc<str>,
}

impl Counter {
    /// Compiles the arguments that the actions share; `prefixes` are those of IPv4 and IPv6.
    fn new(
        (category, key, save): (&str, &str, Option<&str>),
        prefixes: [Option<u8>; 2],
        cx: &mut Compile<'_>,
    ) -> Result<Counter, Invalid> {
        let prefixes = match prefixes {
            [None, None] => None,
            [v4, v6] => Some(cx.prefixes(v4, v6)?),
        };
        let key = cx.reads_at("for", key);
        let save = save.map(|name| cx.saves_at("save", name, SavedAs::Number, true));
        let handle = cx.state::<Category>(&format!("counter/{category}"))?;
        cx.shared::<Categories>().0.insert(category.to_owned(), handle);
        let settings = cx.settings::<CounterSettings>();
        let caps = Caps { keys: settings.max_keys as usize, ticks: settings.max_ticks as usize };
        let name: Arc<str> = category.into();
        let label = name.clone();
        cx.on_bind(move |state| state.get_mut(handle).configure(&label, caps));
        Ok(Counter { key, prefixes, save, category: handle, name })
    }

    /// States how the action counts.
    fn states(&self, change: CounterChange, cx: &mut Compile<'_>) {
        let prefixes = self.prefixes.unwrap_or_default();
        cx.states("counter", Fact::Counts { category: self.name.to_string(), prefixes, change });
    }

    /// Runs `change` on the entry's key, and saves the resulting count.
    fn act(
        &self,
        run: &mut Act<'_, '_>,
        change: impl FnOnce(&mut Category, &str, Timestamp) -> usize,
    ) -> Result<usize, StepError> {
        let now = run.entry.time();
        let key = run.entry.required_text(self.key)?;
        let network = self.prefixes.and_then(|prefixes| prefixes.of_text(key));
        let count = change(run.state.get_mut(self.category), network.as_deref().unwrap_or(key), now);
        if let Some(save) = self.save {
            run.entry.set_integer(save, i64::try_from(count).unwrap_or(i64::MAX));
        }
        Ok(count)
    }
}

pyruse_core::inventory::submit!(SettingsPlugin::of::<CounterSettings>());

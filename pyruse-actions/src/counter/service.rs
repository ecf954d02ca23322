//! The service of the counters: operators list and reset counts with it.

use std::collections::BTreeMap;

use pyruse_core::operation::{CounterKeeper, CounterValue};
use pyruse_core::plugin::{Service, ServicePlugin};
use pyruse_core::state::{Handle, State};
use pyruse_core::time::Timestamp;

use super::category::Category;

/// The name of this service: that of the action family.
const NAME: &str = "counter";

/// The categories that the steps of a configuration name.
#[derive(Clone, Default)]
pub(super) struct Categories(
    pub(super) BTreeMap<String, Handle<Category>>,
    /// Those that steps raise, and whether they count distinct values.
    pub(super) BTreeMap<String, bool>,
);

struct CounterService {
    categories: Categories,
}

impl CounterService {
    fn category(&self, name: &str) -> Option<Handle<Category>> {
        self.categories.0.get(name).copied()
    }
}

impl Service for CounterService {
    fn boot(&mut self, state: &mut State, now: Timestamp) {
        for category in self.categories.0.values() {
            state.get_mut(*category).complete(now);
        }
    }

    fn counters(&mut self) -> Option<&mut dyn CounterKeeper> {
        Some(self)
    }
}

impl CounterKeeper for CounterService {
    fn categories(&self, _: &State) -> Vec<String> {
        self.categories.0.keys().cloned().collect()
    }

    fn counts(&self, state: &State, category: &str, now: Timestamp) -> Vec<CounterValue> {
        let handle = self.category(category);
        handle.map_or_else(Vec::new, |handle| state.get(handle).counts(now).collect())
    }

    fn count(&self, state: &State, now: Timestamp) -> usize {
        let categories = self.categories.0.values();
        categories.map(|handle| state.get(*handle).live(now)).sum()
    }

    fn reset(
        &mut self,
        state: &mut State,
        category: &str,
        key: &str,
        now: Timestamp,
    ) -> Option<CounterValue> {
        let handle = self.category(category)?;
        state.get_mut(handle).forget_ticks(key, now)
    }
}

pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    Ok(Box::new(CounterService { categories: start.shared::<Categories>().clone() }))
}));

//! Counters for operators: what is counted, and forgetting it.

use std::collections::BTreeMap;

use pyruse_core::operation::{Count, CounterKeeper};
use pyruse_core::plugin::{Service, ServicePlugin};
use pyruse_core::state::{Changes, Handle, Resource, Row, State};
use pyruse_core::time::Timestamp;

use super::category::Category;

/// The name of this service: that of the family.
const NAME: &str = "counter";

/// The part of the state where it is noted which categories the configuration names.
pub(super) const CATEGORIES: &str = "counters";

/// The categories that steps have named while they were compiled. In memory only: every load of a configuration begins
/// anew.
#[derive(Default)]
pub(super) struct Categories(pub(super) BTreeMap<String, Handle<Category>>);

impl Resource for Categories {
    fn load(_: Vec<Row>) -> Result<Self, String> {
        Ok(Categories::default())
    }

    fn changes(&mut self, _: &mut Changes<'_>) {}
}

struct CounterService {
    categories: Handle<Categories>,
}

impl CounterService {
    fn category(&self, state: &State, name: &str) -> Option<Handle<Category>> {
        state.get(self.categories).0.get(name).copied()
    }
}

impl Service for CounterService {
    fn boot(&mut self, state: &mut State, now: Timestamp) {
        let categories: Vec<Handle<Category>> = state.get(self.categories).0.values().copied().collect();
        for category in categories {
            state.get_mut(category).complete(now);
        }
    }

    fn counters(&mut self) -> Option<&mut dyn CounterKeeper> {
        Some(self)
    }
}

impl CounterKeeper for CounterService {
    fn categories(&self, state: &State) -> Vec<String> {
        state.get(self.categories).0.keys().cloned().collect()
    }

    fn counts(&self, state: &State, category: &str, now: Timestamp) -> Vec<Count> {
        let handle = self.category(state, category);
        handle.map_or_else(Vec::new, |handle| state.get(handle).counts(now).collect())
    }

    fn count(&self, state: &State, now: Timestamp) -> usize {
        let categories = state.get(self.categories).0.values();
        categories.map(|handle| state.get(*handle).live(now)).sum()
    }

    fn reset(&mut self, state: &mut State, category: &str, key: &str, now: Timestamp) -> Option<Count> {
        let handle = self.category(state, category)?;
        state.get_mut(handle).forget_ticks(key, now)
    }
}

pyruse_core::inventory::submit!(ServicePlugin::new(NAME, |start| {
    let categories = start.state.open::<Categories>(CATEGORIES)?;
    start.state.get_mut(categories).0.clear();
    Ok(Box::new(CounterService { categories }))
}));

//! Settings of modules: top-level keys of the configuration.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// Settings with their own top-level key.
pub trait ModuleSettings: DeserializeOwned + JsonSchema + Default + Send + Sync + 'static {
    /// The top-level key.
    const KEY: &'static str;

    /// Reports, with the path of a member, errors that the types cannot express.
    fn check(&self, _report: &mut dyn FnMut(&str, String)) {}

    /// Reports, in the same way, warnings: what can be used, but should be corrected.
    fn warn(&self, _report: &mut dyn FnMut(&str, String)) {}
}

/// The parsed top-level settings of the modules, by their type.
#[derive(Clone, Default)]
pub struct Settings {
    by_key: HashMap<&'static str, Arc<dyn Any + Send + Sync>>,
    /// The keys that have errors, which are reported.
    wrong: HashSet<&'static str>,
}

impl Settings {
    pub(crate) fn insert(&mut self, key: &'static str, settings: Arc<dyn Any + Send + Sync>) {
        self.by_key.insert(key, settings);
    }

    pub(crate) fn insert_wrong(&mut self, key: &'static str) {
        self.wrong.insert(key);
    }

    /// Returns `true` if the settings of this type have errors, which are reported.
    pub(crate) fn are_wrong<S: ModuleSettings>(&self) -> bool {
        self.wrong.contains(S::KEY)
    }

    /// Returns the settings of this type; their defaults, if the module that owns them is not linked.
    pub fn get<S: ModuleSettings>(&self) -> Arc<S> {
        let settings = self.by_key.get(S::KEY).cloned();
        settings.and_then(|settings| settings.downcast().ok()).unwrap_or_default()
    }
}

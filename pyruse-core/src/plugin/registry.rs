//! The registry: which modules are linked into this program.
//!
//! Every module submits itself to `inventory`; there is no list to maintain. The registry sorts the modules, refuses
//! two with the same name, and suggests near names for a wrong one.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::service::ServicePlugin;
use super::settings::{ModuleSettings, Settings};
use super::{Action, Compile, Example, Filter, Invalid, Module};
use crate::config::{Config, Diagnostics, ModuleKind, Node, read_args};

/// A compiled module.
pub(crate) enum Compiled {
    /// A filter.
    Filter(Box<dyn Filter>),
    /// An action.
    Action(Box<dyn Action>),
}

type CompileFn = fn(Option<&Node>, &mut Compile<'_>) -> Option<Compiled>;

/// A filter or an action that is linked.
pub struct Plugin {
    /// Filter or action.
    pub kind: ModuleKind,
    /// The name in the configuration.
    pub name: &'static str,
    /// One sentence that says what it does.
    pub doc: &'static str,
    /// The top-level keys that it reads.
    pub settings: &'static [&'static str],
    /// JSON Schema of its arguments.
    pub schema: fn() -> serde_json::Value,
    /// Examples.
    pub examples: fn() -> Vec<Example>,
    /// The file that registered it.
    pub file: &'static str,
    pub(crate) compile: CompileFn,
}

inventory::collect!(Plugin);

impl Plugin {
    /// Registers a filter: `inventory::submit!(Plugin::filter::<MyFilter>());`
    #[track_caller]
    pub const fn filter<M: Module + Filter>() -> Plugin {
        fn compile<M: Module + Filter>(args: Option<&Node>, cx: &mut Compile<'_>) -> Option<Compiled> {
            let args = read_module_args(M::NAME, args, cx)?;
            M::compile(args, cx).ok().map(|filter| Compiled::Filter(Box::new(filter)))
        }
        Plugin {
            kind: ModuleKind::Filter,
            name: M::NAME,
            doc: M::DOC,
            settings: M::SETTINGS,
            schema: schema::<M::Args>,
            examples: M::examples,
            file: Location::caller().file(),
            compile: compile::<M>,
        }
    }

    /// Registers an action: `inventory::submit!(Plugin::action::<MyAction>());`
    #[track_caller]
    pub const fn action<M: Module + Action>() -> Plugin {
        fn compile<M: Module + Action>(args: Option<&Node>, cx: &mut Compile<'_>) -> Option<Compiled> {
            let args = read_module_args(M::NAME, args, cx)?;
            let action: Result<M, Invalid> = M::compile(args, cx);
            action.ok().map(|action| Compiled::Action(Box::new(action)))
        }
        Plugin {
            kind: ModuleKind::Action,
            name: M::NAME,
            doc: M::DOC,
            settings: M::SETTINGS,
            schema: schema::<M::Args>,
            examples: M::examples,
            file: Location::caller().file(),
            compile: compile::<M>,
        }
    }
}

fn schema<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}

fn read_module_args<A: DeserializeOwned + JsonSchema>(
    name: &str,
    args: Option<&Node>,
    cx: &mut Compile<'_>,
) -> Option<A> {
    read_args(args, cx.node, &format!("arguments of `{name}`"), Some(&cx.place), cx.diagnostics)
}

/// Linked settings.
pub struct SettingsPlugin {
    /// The top-level key.
    pub key: &'static str,
    /// JSON Schema.
    pub schema: fn() -> serde_json::Value,
    read: fn(&Node, &mut Diagnostics) -> Option<Arc<dyn Any + Send + Sync>>,
}

inventory::collect!(SettingsPlugin);

impl SettingsPlugin {
    /// Registers settings: `inventory::submit!(SettingsPlugin::of::<MySettings>());`
    pub const fn of<S: ModuleSettings>() -> SettingsPlugin {
        fn read<S: ModuleSettings>(
            node: &Node,
            diagnostics: &mut Diagnostics,
        ) -> Option<Arc<dyn Any + Send + Sync>> {
            let settings: S =
                read_args(Some(node), node, &format!("settings of `{}`", S::KEY), None, diagnostics)?;
            let mut good = true;
            settings.check(&mut |path, message| {
                good = false;
                diagnostics.error(node.at(path).span.clone(), None, message);
            });
            settings.doubt(&mut |path, message| {
                diagnostics.warning(node.at(path).span.clone(), None, message);
            });
            good.then(|| Arc::new(settings) as Arc<dyn Any + Send + Sync>)
        }
        SettingsPlugin { key: S::KEY, schema: schema::<S>, read: read::<S> }
    }
}

/// All linked modules, settings and services.
pub struct Registry {
    plugins: BTreeMap<&'static str, &'static Plugin>,
    settings: BTreeMap<&'static str, &'static SettingsPlugin>,
    services: BTreeMap<&'static str, &'static ServicePlugin>,
}

impl Registry {
    /// Collects everything that submitted itself; the error names two with the same name.
    pub fn linked() -> Result<Registry, String> {
        let mut registry =
            Registry { plugins: BTreeMap::new(), settings: BTreeMap::new(), services: BTreeMap::new() };
        for plugin in inventory::iter::<Plugin> {
            if let Some(other) = registry.plugins.insert(plugin.name, plugin) {
                return Err(format!(
                    "two modules are called `{}`: one in {}, one in {}",
                    plugin.name, other.file, plugin.file
                ));
            }
        }
        for settings in inventory::iter::<SettingsPlugin> {
            if registry.settings.insert(settings.key, settings).is_some() {
                return Err(format!("two modules read the top-level key `{}`", settings.key));
            }
        }
        for service in inventory::iter::<ServicePlugin> {
            if registry.services.insert(service.name, service).is_some() {
                return Err(format!("two services are called `{}`", service.name));
            }
        }
        Ok(registry)
    }

    /// Returns all filters and actions, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &'static Plugin> {
        self.plugins.values().copied()
    }

    /// Returns all services, by name.
    pub fn services(&self) -> impl Iterator<Item = &'static ServicePlugin> {
        self.services.values().copied()
    }

    /// Returns the module with this kind and name.
    pub fn plugin(&self, kind: ModuleKind, name: &str) -> Option<&'static Plugin> {
        self.plugins.get(name).copied().filter(|plugin| plugin.kind == kind)
    }

    /// Returns the owner of a top-level key.
    pub fn settings(&self, key: &str) -> Option<&'static SettingsPlugin> {
        self.settings.get(key).copied()
    }

    /// Returns all top-level keys that modules own.
    pub fn settings_keys(&self) -> impl Iterator<Item = &'static str> {
        self.settings.keys().copied()
    }

    /// Reads the top-level keys of all modules.
    pub fn read_settings(&self, config: &Config, diagnostics: &mut Diagnostics) -> Settings {
        let mut settings = Settings::default();
        for (key, plugin) in &self.settings {
            if let Some(value) = config.top(key).and_then(|node| (plugin.read)(node, diagnostics)) {
                settings.insert(key, value);
            }
        }
        settings
    }
}

//! The registry: which modules are linked into this program.
//!
//! Every module submits itself to `inventory`; there is no list to maintain. The registry sorts the modules, refuses
//! two with the same name, and suggests near names for a wrong one.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

use schemars::JsonSchema;

use super::service::ServicePlugin;
use super::settings::{ModuleSettings, Settings};
use super::source::{Source, SourceModule};
use super::{Action, Compile, Example, Filter, Module};
use crate::config::{Config, Diagnostics, JsonNode, ModuleKind, Spanned, StepPlace, read_args};
use crate::entry::{FieldTable, FieldTables};

/// A compiled module.
pub(crate) enum Compiled {
    /// A filter.
    Filter(Box<dyn Filter>),
    /// An action.
    Action(Box<dyn Action>),
    /// A source.
    Source(Box<dyn Source>),
}

type CompileFn = fn(Option<&JsonNode>, &mut Compile<'_>) -> Option<Compiled>;

/// A filter, an action or a source that is linked.
pub struct Plugin {
    /// Filter, action or source.
    pub kind: ModuleKind,
    /// The name in the configuration.
    pub name: &'static str,
    /// One sentence that says what it does.
    pub doc: &'static str,
    /// Of a source: what it knows about the fields of its records.
    pub fields: Option<&'static dyn FieldTable>,
    /// Of a source: the name under which it is read when the configuration has no `sources`. The top-level key with
    /// this name has its arguments.
    pub default_name: Option<&'static str>,
    /// The top-level keys that it reads.
    pub settings: &'static [&'static str],
    /// JSON Schema of its arguments.
    pub schema: fn() -> serde_json::Value,
    /// Examples.
    pub examples: fn() -> Vec<Example>,
    /// The top-level keys that the examples need, as a JSON object; empty if they need none.
    pub example_settings: &'static str,
    /// The file that registered it.
    pub file: &'static str,
    pub(crate) compile: CompileFn,
}

inventory::collect!(Plugin);

impl Plugin {
    /// Registers a filter: `inventory::submit!(Plugin::filter::<MyFilter>());`
    #[track_caller]
    pub const fn filter<M: Module + Filter>() -> Plugin {
        Plugin::of::<M>(ModuleKind::Filter, |args, cx| {
            compile::<M>(args, cx).map(|filter| Compiled::Filter(Box::new(filter)))
        })
    }

    /// Registers an action: `inventory::submit!(Plugin::action::<MyAction>());`
    #[track_caller]
    pub const fn action<M: Module + Action>() -> Plugin {
        Plugin::of::<M>(ModuleKind::Action, |args, cx| {
            compile::<M>(args, cx).map(|action| Compiled::Action(Box::new(action)))
        })
    }

    /// Registers a source: `inventory::submit!(Plugin::source::<MySource>());`
    #[track_caller]
    pub const fn source<M: SourceModule>() -> Plugin {
        let plugin = Plugin::of::<M>(ModuleKind::Source, |args, cx| {
            compile::<M>(args, cx).map(|source| Compiled::Source(Box::new(source)))
        });
        Plugin { fields: Some(M::FIELDS), ..plugin }
    }

    /// Makes the source the one that is read when the configuration has no `sources`, under this name. The top-level
    /// key with the same name has its arguments; register it with [`SettingsPlugin::of_default_source`].
    #[must_use]
    pub const fn by_default(self, name: &'static str) -> Plugin {
        Plugin { default_name: Some(name), ..self }
    }

    #[track_caller]
    const fn of<M: Module>(kind: ModuleKind, compile: CompileFn) -> Plugin {
        Plugin {
            kind,
            name: M::NAME,
            doc: M::DOC,
            fields: None,
            default_name: None,
            settings: M::SETTINGS,
            schema: schema::<M::Args>,
            examples: M::examples,
            example_settings: M::EXAMPLE_SETTINGS,
            file: Location::caller().file(),
            compile,
        }
    }
}

fn schema<T: JsonSchema>() -> serde_json::Value {
    schemars::schema_for!(T).to_value()
}

fn compile<M: Module>(args: Option<&JsonNode>, cx: &mut Compile<'_>) -> Option<M> {
    let args = read_args(args, cx.node, &cx.title, cx.place.as_ref(), cx.diagnostics)?;
    M::compile(args, cx).ok()
}

/// Linked settings.
pub struct SettingsPlugin {
    /// The top-level key.
    pub key: &'static str,
    /// JSON Schema.
    pub schema: fn() -> serde_json::Value,
    read: fn(&JsonNode, &mut Diagnostics) -> Option<Arc<dyn Any + Send + Sync>>,
}

inventory::collect!(SettingsPlugin);

impl SettingsPlugin {
    /// Registers settings: `inventory::submit!(SettingsPlugin::of::<MySettings>());`
    pub const fn of<S: ModuleSettings>() -> SettingsPlugin {
        fn read<S: ModuleSettings>(
            node: &JsonNode,
            diagnostics: &mut Diagnostics,
        ) -> Option<Arc<dyn Any + Send + Sync>> {
            let settings: S =
                read_args(Some(node), node, &format!("settings of `{}`", S::KEY), None, diagnostics)?;
            let mut good = true;
            settings.check(&mut |path, message| {
                good = false;
                diagnostics.error(node.at(path).span.clone(), None, message);
            });
            settings.warn(&mut |path, message| {
                diagnostics.warning(node.at(path).span.clone(), None, message);
            });
            good.then(|| Arc::new(settings) as Arc<dyn Any + Send + Sync>)
        }
        SettingsPlugin { key: S::KEY, schema: schema::<S>, read: read::<S> }
    }

    /// Registers the top-level key of the default source; see [`Plugin::by_default`].
    pub const fn of_default_source<M: SourceModule>(name: &'static str) -> SettingsPlugin {
        // The source itself reads it.
        SettingsPlugin { key: name, schema: schema::<M::Args>, read: |_, _| None }
    }
}

/// Two that are linked have the same name.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DuplicateName {
    /// Two modules; with their files.
    #[error("two modules are called `{0}`: one in {1}, one in {2}")]
    Modules(&'static str, &'static str, &'static str),
    /// Two parts of the settings.
    #[error("two modules read the top-level key `{0}`")]
    Settings(&'static str),
    /// Two services.
    #[error("two services are called `{0}`")]
    Services(&'static str),
}

/// All linked modules, settings and services.
pub struct Registry {
    plugins: BTreeMap<&'static str, &'static Plugin>,
    settings: BTreeMap<&'static str, &'static SettingsPlugin>,
    services: BTreeMap<&'static str, &'static ServicePlugin>,
}

impl Registry {
    /// Collects everything that submitted itself. Two modules, settings or services with the same name are an error.
    pub fn linked() -> Result<Registry, DuplicateName> {
        let mut registry =
            Registry { plugins: BTreeMap::new(), settings: BTreeMap::new(), services: BTreeMap::new() };
        for plugin in inventory::iter::<Plugin> {
            if let Some(other) = registry.plugins.insert(plugin.name, plugin) {
                return Err(DuplicateName::Modules(plugin.name, other.file, plugin.file));
            }
        }
        for settings in inventory::iter::<SettingsPlugin> {
            if registry.settings.insert(settings.key, settings).is_some() {
                return Err(DuplicateName::Settings(settings.key));
            }
        }
        for service in inventory::iter::<ServicePlugin> {
            if registry.services.insert(service.name, service).is_some() {
                return Err(DuplicateName::Services(service.name));
            }
        }
        Ok(registry)
    }

    /// Returns all filters, actions and sources, by name.
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

    /// Returns the source that is read when the configuration has no `sources`, and its name.
    pub fn default_source(&self) -> Option<(&'static str, &'static Plugin)> {
        self.plugins().find_map(|plugin| Some((plugin.default_name?, plugin)))
    }

    /// Returns what all linked sources know about fields.
    pub fn field_tables(&self) -> FieldTables {
        let named = self.plugins().filter_map(|plugin| {
            Some((plugin.default_name.unwrap_or(plugin.name).to_owned(), plugin.fields?))
        });
        named.collect()
    }

    /// Reports that no linked module has this name.
    pub(crate) fn report_unknown(
        &self,
        kind: ModuleKind,
        name: &Spanned,
        place: Option<StepPlace>,
        diagnostics: &mut Diagnostics,
    ) {
        let message = format!("there is no {} `{}`", kind.word(), name.text);
        let finding = diagnostics.error(name.span.clone(), place, message);
        if let Some(other) = self.plugins.get(name.text.as_str()) {
            let word = other.kind.word();
            let article = if word == "action" { "an" } else { "a" };
            let instead = match (kind, other.kind) {
                (ModuleKind::Source, _) => "name it in a chain".to_owned(),
                (_, ModuleKind::Source) => "name it in `sources`".to_owned(),
                _ => format!("write `\"{word}\": …`"),
            };
            finding.help(format!("`{}` is {article} {word}: {instead}", name.text));
            return;
        }
        let linked: Vec<&str> = self.plugins().filter(|p| p.kind == kind).map(|p| p.name).collect();
        // A crate that is listed as a dependency but never named is not linked: its modules are missing.
        let fix = "The main program must name its crate: `use your_crate as _;`";
        if linked.is_empty() {
            finding.help(format!("no {} is linked into this program. {fix}", kind.word()));
        } else {
            finding.help(format!(
                "known: {}. Is `{}` your own module, and not linked? {fix}",
                linked.join(", "),
                name.text
            ));
            finding.suggest(&name.text, linked.iter().copied());
        }
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
    pub(crate) fn read_settings(&self, config: &Config, diagnostics: &mut Diagnostics) -> Settings {
        self.settings_in(config.root(), diagnostics)
    }

    /// Reads those of an object.
    pub(crate) fn settings_in(&self, root: &JsonNode, diagnostics: &mut Diagnostics) -> Settings {
        let mut settings = Settings::default();
        for (key, plugin) in &self.settings {
            let Some(node) = root.get(key) else { continue };
            match (plugin.read)(node, diagnostics) {
                Some(value) => settings.insert(key, value),
                None => settings.insert_wrong(key),
            }
        }
        settings
    }
}

//! The sources that a configuration names, before they are opened.

use super::label::named;
use crate::config::{
    Config, Diagnostic, Diagnostics, JsonContent, JsonNode, Member, ModuleKind, SourceConfig, SourceSpan,
};
use crate::entry::{FieldTable, FieldTables, Fields};
use crate::plugin::{Compile, Compiled, Plugin, Reader, Registry, Settings, Setup, Source, SourceError};

/// A source of a configuration, not opened.
pub struct ConfiguredSource {
    /// Its name.
    pub name: String,
    /// The source.
    pub source: Box<dyn Source>,
    /// What it knows about fields.
    table: &'static dyn FieldTable,
    module: &'static str,
    args: Option<JsonNode>,
    /// What it uses of the rest of the configuration.
    settings: Vec<serde_json::Value>,
    span: SourceSpan,
}

impl ConfiguredSource {
    /// Makes a source that no configuration names: for commands. An unknown module and wrong arguments are errors, which
    /// name the argument.
    pub fn of(
        registry: &Registry,
        name: &str,
        module: &str,
        args: &serde_json::Value,
    ) -> Result<ConfiguredSource, SourceError> {
        let json =
            serde_json::json!({"actions": {"none": []}, "sources": {name: {"source": module, "args": args}}});
        let text = crate::config::ConfigText::new(name, json.to_string());
        let mut diagnostics = Diagnostics::default();
        let config = Config::read(&text, &[], &mut Diagnostics::default());
        let config =
            config.ok_or_else(|| SourceError(format!("`{name}` is not a valid name of a source")))?;
        let settings = Settings::default();
        let from = Configure { text: &text, config: &config, registry, settings: &settings };
        let made = configure(&from, &mut Fields::default(), &mut Setup::default(), &mut diagnostics).pop();
        made.filter(|_| !diagnostics.has_errors()).ok_or_else(|| {
            let found = diagnostics.in_order();
            let args = config.sources.first().and_then(|source| source.args.as_ref());
            SourceError(found.first().map(|finding| said_of(finding, args)).unwrap_or_default())
        })
    }

    /// Returns the name of its module.
    pub fn module(&self) -> &'static str {
        self.module
    }

    /// Returns the position of an argument in the configuration.
    pub(crate) fn span(&self, path: &str) -> SourceSpan {
        self.args.as_ref().map_or(&self.span, |args| &args.at(path).span).clone()
    }

    /// Returns `true` if both read the same, as far as the configuration says.
    pub(super) fn is_same_as(&self, other: &Identity) -> bool {
        self.identity() == *other
    }

    pub(super) fn identity(&self) -> Identity {
        Identity {
            module: self.module,
            args: self.args.as_ref().map(JsonNode::to_json),
            settings: self.settings.clone(),
        }
    }
}

/// The text of a finding in arguments that no user wrote as JSON: with the name of the argument, instead of its place.
fn said_of(finding: &Diagnostic, args: Option<&JsonNode>) -> String {
    let members = match args.map(|args| &args.content) {
        Some(JsonContent::Object(members)) => members.as_slice(),
        _ => &[],
    };
    let concerns = |member: &&Member| {
        let span = &member.value.span;
        span.start <= finding.span.start && finding.span.end <= span.end
    };
    let name = members.iter().find(concerns).map(|member| format!("argument `{}`: ", member.key));
    let help = finding.help.as_ref().map(|help| format!("; {help}"));
    format!("{}{}{}", name.unwrap_or_default(), finding.message, help.unwrap_or_default())
}

/// What distinguishes two sources with the same name.
#[derive(Default, PartialEq)]
pub(super) struct Identity {
    module: &'static str,
    args: Option<serde_json::Value>,
    settings: Vec<serde_json::Value>,
}

/// Inputs of [`configure`].
pub(crate) struct Configure<'a> {
    pub(crate) text: &'a crate::config::ConfigText,
    pub(crate) config: &'a Config,
    pub(crate) registry: &'a Registry,
    pub(crate) settings: &'a Settings,
}

/// Is the default source read? If only included files name sources, it is read beside them, unless one of them takes its
/// place: a file of rules may bring the source that it needs.
fn reads_default(from: &Configure<'_>) -> bool {
    let Some((name, plugin)) = from.registry.default_source() else { return false };
    let replaces = |source: &SourceConfig| {
        from.text.is_in_main_file(source.name.span.start)
            || source.name.text == name
            || source.module.text == plugin.name
    };
    !from.config.sources.iter().any(replaces)
}

/// Compiles the sources of a configuration, with the default source if it is read.
pub(crate) fn configure(
    from: &Configure<'_>,
    fields: &mut Fields,
    setup: &mut Setup,
    diagnostics: &mut Diagnostics,
) -> Vec<ConfiguredSource> {
    let Configure { config, registry, .. } = from;
    let mut compile = |name: &str,
                       plugin: &'static Plugin,
                       args: Option<&JsonNode>,
                       node: &JsonNode,
                       title: String,
                       diagnostics: &mut Diagnostics| {
        let mut cx = Compile {
            source: from.text,
            diagnostics,
            fields,
            setup,
            settings: from.settings,
            facts: &mut Vec::new(),
            node: args.unwrap_or(node),
            place: None,
            source_name: name,
            title,
        };
        let Some(Compiled::Source(source)) = (plugin.compile)(args, &mut cx) else { return None };
        let (name, args, span) = (name.to_owned(), args.cloned(), node.span.clone());
        let table = source.fields().or(plugin.fields)?;
        let settings =
            plugin.settings.iter().filter_map(|key| config.top(key)).map(JsonNode::to_json).collect();
        Some(ConfiguredSource { name, source, table, module: plugin.name, args, settings, span })
    };
    let mut sources = Vec::new();
    let default = registry.default_source();
    let is_default_read = reads_default(from);
    if let Some((name, plugin)) = default.filter(|_| is_default_read) {
        let root = config.root();
        let start = JsonNode {
            span: root.span.start..root.span.start + 1,
            content: crate::config::JsonContent::Null,
        };
        let title = format!("settings of `{name}`");
        sources.extend(compile(name, plugin, config.top(name), &start, title, diagnostics));
    }
    for SourceConfig { name, module, args, node } in &config.sources {
        match registry.plugin(ModuleKind::Source, &module.text) {
            Some(plugin) => {
                let title = format!("arguments of `{}`", plugin.name);
                sources.extend(compile(&name.text, plugin, args.as_ref(), node, title, diagnostics));
            }
            None => registry.report_unknown(ModuleKind::Source, module, None, diagnostics),
        }
    }
    if let Some((name, plugin)) = default.filter(|_| !is_default_read)
        && let Some(node) = config.top(name)
    {
        let message = format!("`{name}` has no effect if there is a key `sources`");
        diagnostics.error(node.span.clone(), None, message).help(format!(
            "move it into `sources`: `\"{name}\": {{\"source\": \"{}\", \"args\": …}}`",
            plugin.name
        ));
    }
    sources
}

/// Returns what these sources know about fields.
pub(crate) fn tables(sources: &[ConfiguredSource]) -> FieldTables {
    sources.iter().map(|source| (source.name.clone(), source.table)).collect()
}

/// An open source, with its name.
pub type NamedReader = (String, Box<dyn Reader>);

/// Opens readers of these sources, without a state: for commands. Returns the first error.
pub fn readers(configured: &[ConfiguredSource]) -> Result<Vec<NamedReader>, SourceError> {
    let open = |source: &ConfiguredSource| {
        let opened = source.source.open().map_err(|e| named(&source.name, configured.len() > 1, &e));
        Ok((source.name.clone(), opened?))
    };
    configured.iter().map(open).collect()
}

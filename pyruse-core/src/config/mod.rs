//! Reads the configuration file: text goes in; chains of steps come out, each with its position in the text.
//!
//! This module knows the file's *form* (top-level keys, chains, steps) and reports errors in it. Plugins know what a
//! step's arguments mean; the workflow compiler knows how steps are linked.

mod args;
mod diagnostic;
mod include;
mod keys;
pub(crate) mod lint;
mod node;
mod sources;
mod text;
mod vars;

use std::collections::HashMap;
use std::path::PathBuf;

pub(crate) use self::args::read as read_args;
pub use self::diagnostic::{Diagnostic, Diagnostics, StepPlace, nearest};
pub use self::keys::{CORE_KEYS, CoreKey};
pub use self::lint::{Examples, Lint, Severity};
pub(crate) use self::node::comments;
pub use self::node::{JsonContent, JsonNode, Member, SourceSpan, Spanned, SyntaxError, parse};
pub use self::sources::SourceConfig;
pub(crate) use self::text::Lines;
pub use self::text::{ConfigText, TextPosition};

use crate::entry::EightBit;

/// The kind of module that a step uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModuleKind {
    /// A switch point: it passes an entry, or does not.
    Filter,
    /// Something that is done for an entry.
    Action,
    /// Where entries come from.
    Source,
}

impl ModuleKind {
    /// All kinds, in the order in which people read about them.
    pub const ALL: [ModuleKind; 3] = [ModuleKind::Filter, ModuleKind::Action, ModuleKind::Source];

    /// Returns `true` if modules of this kind are steps of chains.
    pub fn is_step(self) -> bool {
        self != ModuleKind::Source
    }

    /// Returns `filter`, `action` or `source`, as in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            ModuleKind::Filter => "filter",
            ModuleKind::Action => "action",
            ModuleKind::Source => "source",
        }
    }
}

/// A step of a chain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// Filter or action, and its name; `None` where the step does not name one (which is reported).
    pub module: Option<(ModuleKind, Spanned)>,
    /// The arguments, if there are any.
    pub args: Option<JsonNode>,
    /// The chain to continue with.
    pub then: Option<Spanned>,
    /// The chain to continue with when a filter does not pass.
    pub otherwise: Option<Spanned>,
    /// The whole step.
    pub node: JsonNode,
}

/// A chain.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Chain {
    /// Its label.
    pub label: Spanned,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// A configuration without errors of form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The chains, in file order.
    pub chains: Vec<Chain>,
    /// The sources; empty if the default source is read.
    pub sources: Vec<SourceConfig>,
    /// The directory that holds the state.
    pub storage: PathBuf,
    /// The encoding of texts that are not UTF-8.
    pub eight_bit: EightBit,
    /// Whether diagnostics are more verbose.
    pub debug: bool,
    /// Whether all files could be read. If not, only the errors that were found so far are meaningful.
    pub(crate) is_whole: bool,
    root: JsonNode,
}

impl Config {
    /// Reads the text. `settings_keys` are the top-level keys of the linked modules. Errors are added to `diagnostics`;
    /// the result is `None` only if no further checks are possible.
    pub fn read(
        source: &ConfigText,
        settings_keys: &[&str],
        diagnostics: &mut Diagnostics,
    ) -> Option<Config> {
        let (root, is_whole) = include::merge(source, diagnostics)?;
        let mut config = Config {
            chains: Vec::new(),
            sources: Vec::new(),
            storage: PathBuf::from("/var/lib/pyruse"),
            eight_bit: EightBit::default(),
            debug: false,
            is_whole,
            root: root.clone(),
        };
        let members = root.members().unwrap_or_default();
        for (n, member) in members.iter().enumerate() {
            if let Some(first) = members[..n].iter().find(|first| first.key == member.key) {
                let message = format!("`{}` is given twice", member.key);
                diagnostics.error(member.key_span.clone(), None, message).other(source, &first.key_span);
            }
            config.read_member(member, settings_keys, source, diagnostics);
        }
        if is_whole && root.get("actions").is_none() {
            let message = "there is no `actions`: Pyruse would do nothing";
            let finding = diagnostics.error(root.span.start..root.span.start + 1, None, message);
            finding.help("`\"actions\": {\"A chain\": [{\"action\": \"action_noop\"}]}`");
        }
        Some(config)
    }

    /// Returns the value of a top-level key.
    pub fn top(&self, key: &str) -> Option<&JsonNode> {
        self.root.get(key)
    }

    /// Returns the root node of the file.
    pub(crate) fn root(&self) -> &JsonNode {
        &self.root
    }

    fn read_member(
        &mut self,
        member: &Member,
        settings_keys: &[&str],
        text: &ConfigText,
        diagnostics: &mut Diagnostics,
    ) {
        let value = &member.value;
        let mut wrong = |expected: &str| {
            let message = format!("`{}` must be {expected}, not {}", member.key, value.type_name());
            diagnostics.error(value.span.clone(), None, message);
        };
        match member.key.as_str() {
            "actions" => match value.members() {
                Some(chains) => self.chains = read_chains(chains, value, text, diagnostics),
                None => wrong("an object of chains"),
            },
            "sources" => match value.members() {
                Some(members) => self.sources = sources::read(members, value, text, diagnostics),
                None => wrong("an object of sources"),
            },
            "storage" => match value.as_text() {
                // An empty path would mean the current directory.
                Some(path) if !path.is_empty() && !path.contains('\0') => self.storage = PathBuf::from(path),
                _ => wrong("the path of a directory"),
            },
            "8bit-message-encoding" => match value.as_text().map(|label| (label, EightBit::for_label(label)))
            {
                Some((_, Some(encoding))) => self.eight_bit = encoding,
                Some((label, None)) => {
                    let message = format!("`{label}` is not a known 8-bit encoding");
                    let known = [
                        "iso-8859-1",
                        "iso-8859-2",
                        "iso-8859-15",
                        "latin1",
                        "windows-1252",
                        "cp1252",
                        "windows-1251",
                        "cp1251",
                        "koi8-r",
                        "koi8-u",
                        "macintosh",
                        "ibm866",
                    ];
                    diagnostics.error(value.span.clone(), None, message).suggest(label, known);
                }
                None => wrong("the name of an encoding"),
            },
            "debug" => match value.content {
                JsonContent::Bool(debug) => self.debug = debug,
                _ => wrong("true or false"),
            },
            "$schema" => {
                if value.as_text().is_none() {
                    wrong("the address of a schema");
                }
            }
            key if settings_keys.contains(&key) => {}
            key => {
                let known = CORE_KEYS.into_iter().map(|core| core.key).chain(settings_keys.iter().copied());
                let message = format!("nothing in this program reads the key `{key}`");
                let finding = diagnostics.lint(&lint::KEY_UNKNOWN, member.key_span.clone(), None, message);
                finding.help("remove it, or write one of the known keys").suggest(key, known);
            }
        }
    }
}

fn read_chains(
    members: &[Member],
    node: &JsonNode,
    text: &ConfigText,
    diagnostics: &mut Diagnostics,
) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::with_capacity(members.len());
    let mut labels: HashMap<&str, &SourceSpan> = HashMap::new();
    if members.is_empty() {
        diagnostics.error(node.span.clone(), None, "`actions` has no chain: Pyruse would do nothing");
    }
    for member in members {
        let place = StepPlace { chain: member.key.clone(), step: None };
        if let Some(first) = labels.get(member.key.as_str()) {
            let finding = diagnostics.error(member.key_span.clone(), Some(place), "this label is used twice");
            finding.help("give one of the two chains another label").other(text, first);
            continue;
        }
        labels.insert(member.key.as_str(), &member.key_span);
        let label = Spanned { text: member.key.clone(), span: member.key_span.clone() };
        let steps = if let JsonContent::Array(items) = &member.value.content {
            if items.is_empty() {
                diagnostics.error(member.value.span.clone(), Some(place), "this chain is empty");
            }
            let steps = items.iter().enumerate();
            steps.map(|(n, item)| read_step(&member.key, n, item, diagnostics)).collect()
        } else {
            let message = format!("a chain must be a list of steps, not {}", member.value.type_name());
            diagnostics.error(member.value.span.clone(), Some(place), message);
            Vec::new()
        };
        chains.push(Chain { label, steps });
    }
    chains
}

fn read_step(chain: &str, step: usize, node: &JsonNode, diagnostics: &mut Diagnostics) -> Step {
    const KEYS: [&str; 5] = ["filter", "action", "args", "then", "else"];
    let place = Some(StepPlace { chain: chain.to_owned(), step: Some(step) });
    let mut read = Step { module: None, args: None, then: None, otherwise: None, node: node.clone() };
    let Some(members) = node.members() else {
        diagnostics.error(
            node.span.clone(),
            place,
            format!("a step must be an object, not {}", node.type_name()),
        );
        return read;
    };
    let mut seen: Vec<&str> = Vec::new();
    for member in members {
        let span = member.value.span.clone();
        if seen.contains(&member.key.as_str()) {
            diagnostics.error(
                member.key_span.clone(),
                place.clone(),
                format!("`{}` is given twice", member.key),
            );
            continue;
        }
        seen.push(&member.key);
        if member.key == "args" {
            read.args = Some(member.value.clone());
            continue;
        }
        if !KEYS.contains(&member.key.as_str()) {
            let message = format!("a step has no key `{}`", member.key);
            let finding = diagnostics.error(member.key_span.clone(), place.clone(), message);
            finding.help("a step has `filter` or `action`, `args`, `then`, and (a filter only) `else`");
            finding.suggest(&member.key, KEYS);
            continue;
        }
        let Some(text) = member.value.as_text() else {
            // The first Pyruse accepted `null` for an absent link.
            if !(matches!(member.value.content, JsonContent::Null)
                && matches!(member.key.as_str(), "then" | "else"))
            {
                let message = format!("`{}` must be a text, not {}", member.key, member.value.type_name());
                diagnostics.error(span, place.clone(), message);
            }
            continue;
        };
        let text = Spanned { text: text.to_owned(), span };
        match member.key.as_str() {
            "then" => read.then = Some(text),
            "else" => read.otherwise = Some(text),
            "filter" | "action" if read.module.is_some() => {
                let message = "a step must be a filter or an action, not both";
                diagnostics.error(member.key_span.clone(), place.clone(), message);
            }
            "filter" => read.module = Some((ModuleKind::Filter, text)),
            _ => read.module = Some((ModuleKind::Action, text)),
        }
    }
    if !seen.contains(&"filter") && !seen.contains(&"action") {
        let span = node.span.start..node.span.start + 1;
        diagnostics.error(span, place.clone(), "this step is neither a filter nor an action");
    }
    if let (Some((ModuleKind::Action, _)), Some(otherwise)) = (&read.module, &read.otherwise) {
        let finding = diagnostics.error(otherwise.span.clone(), place, "an action has no `else`");
        finding.help("only a filter has two exits; use `then`, or put a filter before it");
        read.otherwise = None;
    }
    read
}

//! The top-level key `sources`: where entries come from.

use super::diagnostic::Diagnostics;
use super::node::{JsonContent, JsonNode, Member, Spanned};
use super::text::ConfigText;

/// A source, as the configuration names it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceConfig {
    /// Its name: the value of `_SOURCE` in its entries.
    pub name: Spanned,
    /// The module.
    pub module: Spanned,
    /// The arguments, if there are any.
    pub args: Option<JsonNode>,
    /// The whole source.
    pub node: JsonNode,
}

/// The longest name of a source, in bytes.
const LONGEST_NAME: usize = 64;

pub(super) fn read(
    members: &[Member],
    node: &JsonNode,
    text: &ConfigText,
    diagnostics: &mut Diagnostics,
) -> Vec<SourceConfig> {
    if members.is_empty() {
        let message = "`sources` has no source: Pyruse would read nothing";
        diagnostics.error(node.span.clone(), None, message).help("remove it to read the systemd journal");
    }
    let mut sources: Vec<SourceConfig> = Vec::new();
    for member in members {
        if let Some(first) = sources.iter().find(|source| source.name.text == member.key) {
            let message = format!("two sources have the name `{}`", member.key);
            let finding = diagnostics.error(member.key_span.clone(), None, message);
            finding.help("give one of them another name").other(text, &first.name.span);
            continue;
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if member.key.is_empty() || member.key.len() > LONGEST_NAME || !member.key.chars().all(is_plain) {
            let message = format!(
                "the name of a source must be 1 to {LONGEST_NAME} letters, digits, and the characters `.`, `_`, `-`"
            );
            diagnostics.error(member.key_span.clone(), None, message);
        }
        sources.extend(read_source(member, diagnostics));
    }
    sources
}

fn read_source(member: &Member, diagnostics: &mut Diagnostics) -> Option<SourceConfig> {
    const KEYS: [&str; 2] = ["source", "args"];
    let node = &member.value;
    let JsonContent::Object(members) = &node.content else {
        let message = format!("a source must be an object, not {}", node.type_name());
        diagnostics.error(node.span.clone(), None, message).help(EXAMPLE);
        return None;
    };
    let (mut module, mut args) = (None, None);
    let mut seen: Vec<&str> = Vec::new();
    for member in members {
        if seen.contains(&member.key.as_str()) {
            diagnostics.error(member.key_span.clone(), None, format!("`{}` is given twice", member.key));
            continue;
        }
        seen.push(&member.key);
        match (member.key.as_str(), member.value.as_text()) {
            ("source", Some(text)) => {
                module = Some(Spanned { text: text.to_owned(), span: member.value.span.clone() });
            }
            ("source", None) => {
                let message = format!("`source` must be a text, not {}", member.value.type_name());
                diagnostics.error(member.value.span.clone(), None, message);
            }
            ("args", _) => args = Some(member.value.clone()),
            (key, _) => {
                let message = format!("a source has no key `{key}`");
                let finding = diagnostics.error(member.key_span.clone(), None, message);
                finding.help("a source has `source` and `args`").suggest(key, KEYS);
            }
        }
    }
    if !seen.contains(&"source") {
        let message = format!("the source `{}` does not name its module", member.key);
        diagnostics.error(node.span.start..node.span.start + 1, None, message).help(EXAMPLE);
    }
    let name = Spanned { text: member.key.clone(), span: member.key_span.clone() };
    Some(SourceConfig { name, module: module?, args, node: node.clone() })
}

const EXAMPLE: &str = "`{\"source\": \"source_journal\", \"args\": {}}`";

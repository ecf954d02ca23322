//! The top-level key `vars`: values that rules use by name, so that a file of rules can be used as it is.
//!
//! `{"$var": NAME}` stands for the value. If several files set a variable, the file nearest to the main file wins: so a
//! file of rules sets the defaults, and the file that includes it overrides them.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::Diagnostics;
use super::node::{JsonContent, JsonNode, Member, SourceSpan};
use super::text::ConfigText;

/// The key of an object that stands for a variable.
const VAR: &str = "$var";

/// The variables that files set.
#[derive(Default)]
pub(super) struct Vars {
    by_name: BTreeMap<String, Var>,
    /// Whether a file sets them wrongly, which is reported.
    is_wrong: bool,
}

struct Var {
    /// How many files are around the file that sets it.
    depth: usize,
    key_span: SourceSpan,
    value: JsonNode,
}

impl Vars {
    /// Adds the variables of a file.
    pub(super) fn add(
        &mut self,
        node: &JsonNode,
        depth: usize,
        text: &ConfigText,
        diagnostics: &mut Diagnostics,
    ) {
        let Some(members) = node.members() else {
            let message = format!("`vars` must be an object of values, not {}", node.type_name());
            diagnostics.error(node.span.clone(), None, message);
            self.is_wrong = true;
            return;
        };
        for Member { key, key_span, value } in members {
            if let Some(span) = first_use(value) {
                let message = "the value of a variable cannot use a variable";
                diagnostics.error(span, None, message);
                self.is_wrong = true;
            }
            if let Some(known) = self.by_name.get(key).filter(|known| known.depth <= depth) {
                if known.depth == depth {
                    let message = format!("the variable `{key}` is set twice");
                    let help = "set it in the file that includes both, which has priority";
                    let finding = diagnostics.error(key_span.clone(), None, message);
                    finding.other(text, &known.key_span);
                    if depth > 0 {
                        finding.help(help);
                    }
                    self.is_wrong = true;
                }
                continue;
            }
            let var = Var { depth, key_span: key_span.clone(), value: value.clone() };
            self.by_name.insert(key.clone(), var);
        }
    }

    /// Puts the values into a configuration. Returns `false` if that is not possible.
    pub(super) fn insert_into(&self, root: &mut JsonNode, diagnostics: &mut Diagnostics) -> bool {
        let mut used = BTreeSet::new();
        let is_complete = self.insert(root, &mut used, diagnostics);
        for (name, var) in self.by_name.iter().filter(|(name, _)| !used.contains(name.as_str())) {
            let message = format!("nothing uses the variable `{name}`");
            diagnostics.warning(var.key_span.clone(), None, message);
        }
        is_complete && !self.is_wrong
    }

    fn insert(
        &self,
        node: &mut JsonNode,
        used: &mut BTreeSet<String>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let mut is_complete = true;
        match &mut node.content {
            JsonContent::Array(items) => {
                for item in items {
                    is_complete &= self.insert(item, used, diagnostics);
                }
            }
            JsonContent::Object(members) => {
                if let Some(var) = members.iter().find(|member| member.key == VAR) {
                    match self.value_of(&var.value, members.len() > 1, used, diagnostics) {
                        Some(value) => *node = value,
                        None => is_complete = false,
                    }
                } else {
                    for member in members {
                        is_complete &= self.insert(&mut member.value, used, diagnostics);
                    }
                }
            }
            _ => {}
        }
        is_complete
    }

    /// The value of the variable with this name.
    fn value_of(
        &self,
        name: &JsonNode,
        is_beside_others: bool,
        used: &mut BTreeSet<String>,
        diagnostics: &mut Diagnostics,
    ) -> Option<JsonNode> {
        let Some(text) = name.as_text() else {
            diagnostics.error(
                name.span.clone(),
                None,
                format!("a variable is named by a text, not by {}", name.type_name()),
            );
            return None;
        };
        if is_beside_others {
            let message = format!("beside `{VAR}`, this object can have no other key");
            diagnostics.error(name.span.clone(), None, message);
            return None;
        }
        let Some(var) = self.by_name.get(text) else {
            let known = self.by_name.keys().map(String::as_str);
            let finding =
                diagnostics.error(name.span.clone(), None, format!("nothing sets the variable `{text}`"));
            finding.help("set it in `vars`, in this file or in one that includes it").suggest(text, known);
            return None;
        };
        used.insert(text.to_owned());
        Some(var.value.clone())
    }
}

/// Where a value uses a variable.
fn first_use(node: &JsonNode) -> Option<SourceSpan> {
    match &node.content {
        JsonContent::Array(items) => items.iter().find_map(first_use),
        JsonContent::Object(members) => members
            .iter()
            .find(|member| member.key == VAR)
            .map(|member| member.key_span.clone())
            .or_else(|| members.iter().find_map(|member| first_use(&member.value))),
        _ => None,
    }
}

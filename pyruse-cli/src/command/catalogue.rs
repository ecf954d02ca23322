//! The documentation of modules and top-level keys, from their JSON Schemas and examples.
//!
//! It is the one source of all texts for people: `pyruse modules`, the manual pages, the reference pages. Converts a
//! schema to names, types in words, defaults and sentences.

use pyruse_core::config::CORE_KEYS;
use pyruse_core::plugin::{Example, Expected, Plugin, Registry};
use pyruse_core::seconds::FORMAT;
use serde::Serialize;
use serde_json::{Value, json};

/// A member of an object in the configuration: an argument of a module, or a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its type, in words.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) required: bool,
    /// The default, if it is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Value>,
    pub(crate) description: String,
    /// The members of an object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<Member>,
}

/// A top-level key.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TopKey {
    pub(crate) key: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Value>,
    pub(crate) description: String,
    pub(crate) members: Vec<Member>,
}

/// Returns all top-level keys: the core's, then those of modules, by name.
pub(crate) fn top_keys(registry: &Registry) -> Vec<TopKey> {
    let core = CORE_KEYS.iter().map(|core| {
        let schema = (core.schema)();
        let kind = if core.key == "actions" { "an object of chains".into() } else { kind(&schema, &schema) };
        let default = schema.get("default").cloned();
        TopKey { key: core.key, kind, default, description: core.doc.to_owned(), members: Vec::new() }
    });
    let modules = registry.settings_keys().filter_map(|key| settings(registry, key));
    core.chain(modules).collect()
}

/// Returns a top-level key of a module.
pub(crate) fn settings(registry: &Registry, key: &str) -> Option<TopKey> {
    let plugin = registry.settings(key)?;
    let schema = (plugin.schema)();
    Some(TopKey {
        key: plugin.key,
        kind: "an object".into(),
        default: None,
        description: description(&schema),
        members: members(named_things(&schema, &schema), &schema),
    })
}

/// Returns the schema of the values, if an object has any names as its keys; otherwise its own.
fn named_things<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let values = &schema["additionalProperties"];
    if values.is_object() { resolve(values, root) } else { schema }
}

/// Returns the arguments of a module.
pub(crate) fn arguments(plugin: &Plugin) -> Vec<Member> {
    let schema = (plugin.schema)();
    members(&schema, &schema)
}

/// Returns the members of an object: the required ones first, in the order of their definition.
pub(crate) fn members(schema: &Value, root: &Value) -> Vec<Member> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let place = |name: &str| required.iter().position(|known| *known == name).unwrap_or(required.len());
    let mut members: Vec<Member> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let meant = without_null(schema, root);
            let own = description(schema);
            Member {
                name: name.clone(),
                kind: kind(schema, root),
                required: required.contains(&name.as_str()),
                default: schema.get("default").filter(|default| !default.is_null()).cloned(),
                description: if own.is_empty() { description(meant) } else { own },
                members: members(meant, root),
            }
        })
        .collect();
    members.sort_by_key(|member| place(&member.name));
    members
}

/// Joins the lines of each paragraph.
fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let paragraphs =
        text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Follows references in the schema.
fn resolve<'s>(mut schema: &'s Value, root: &'s Value) -> &'s Value {
    // The limit ends recursive types.
    for _ in 0..8 {
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"));
        let Some(name) = name else { break };
        schema = &root["$defs"][name];
    }
    schema
}

/// Removes `null` from an optional type.
fn without_null<'s>(schema: &'s Value, root: &'s Value) -> &'s Value {
    let alternatives = schema["anyOf"].as_array();
    let something = alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null"));
    resolve(something.unwrap_or(schema), root)
}

/// Describes a type in words. `null` is left out if it only means "absent".
fn kind(schema: &Value, root: &Value) -> String {
    let schema = resolve(schema, root);
    if let Some(alternatives) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let constants: Vec<String> = alternatives.iter().flat_map(choices).collect();
        if !constants.is_empty() {
            return one_of(&constants);
        }
        let kinds = alternatives.iter().filter(|one| one["type"] != "null").map(|one| kind(one, root));
        return joined(kinds.collect());
    }
    let constants = choices(schema);
    if !constants.is_empty() {
        return one_of(&constants);
    }
    if schema["format"] == FORMAT {
        return "number of seconds, or a duration such as `1h30m`".into();
    }
    match &schema["type"] {
        Value::String(name) => plain(name, schema, root),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            joined(names.map(|name| plain(name, schema, root)).collect())
        }
        _ => "anything".into(),
    }
}

/// Returns the possible texts, if there are no other values.
fn choices(schema: &Value) -> Vec<String> {
    let constant = schema.get("const").into_iter();
    constant
        .chain(schema["enum"].as_array().into_iter().flatten())
        .filter(|v| !v.is_null())
        .map(Value::to_string)
        .collect()
}

fn one_of(choices: &[String]) -> String {
    match choices {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => choices.concat(),
    }
}

fn joined(mut kinds: Vec<String>) -> String {
    kinds.dedup();
    kinds.join(" or ")
}

fn plain(name: &str, schema: &Value, root: &Value) -> String {
    match name {
        "string" => "text".into(),
        "boolean" => "true or false".into(),
        "integer" if schema["minimum"].as_f64().is_some_and(|least| least >= 0.0) => {
            "whole number, 0 or more".into()
        }
        "integer" => "whole number".into(),
        "array" => {
            let items = &schema["items"];
            let nullable = items["type"]
                .as_array()
                .is_some_and(|names| names.iter().any(|name| name == "null"))
                || items["anyOf"].as_array().is_some_and(|all| all.iter().any(|one| one["type"] == "null"));
            let items = kind(items, root);
            let items = match items.as_str() {
                "text" => "texts".to_owned(),
                "number or text" => "numbers or texts".to_owned(),
                other => other.to_owned(),
            };
            format!("list of {items}{}", if nullable { ", or null" } else { "" })
        }
        "object" => "object".into(),
        other => other.to_owned(),
    }
}

/// Returns everything about a module, as printed by `modules NAME --json`.
pub(crate) fn as_json(plugin: &Plugin, registry: &Registry) -> Value {
    let settings: Vec<TopKey> = plugin.settings.iter().filter_map(|key| settings(registry, key)).collect();
    json!({
        "name": plugin.name,
        "kind": plugin.kind.word(),
        "description": plugin.doc,
        "arguments": arguments(plugin),
        "schema": (plugin.schema)(),
        "examples": (plugin.examples)().iter().map(example_as_json).collect::<Vec<_>>(),
        "exampleSettings": serde_json::from_str::<Value>(plugin.example_settings).ok(),
        "settings": settings,
        "file": plugin.file,
    })
}

fn example_as_json(example: &Example) -> Value {
    let args = serde_json::from_str(example.args).unwrap_or(Value::Null);
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>();
    let outcome = match &example.expected {
        Expected::Passes => json!({"passes": true}),
        Expected::Fails => json!({"passes": false}),
        Expected::Saves(saved) => json!({"passes": true, "saves": pairs(saved)}),
        Expected::Error(message) => json!({"error": message}),
        Expected::Effect(effect) => {
            json!({"effect": serde_json::from_str::<Value>(effect).unwrap_or(Value::Null)})
        }
        _ => json!({}),
    };
    json!({"title": example.title, "args": args, "entry": pairs(example.entry), "outcome": outcome})
}

/// Describes the outcome of an example.
pub(crate) fn outcome(example: &Example) -> String {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    match &example.expected {
        Expected::Passes => "passes".into(),
        Expected::Fails => "does not pass".into(),
        Expected::Saves(saved) => format!("saves {}", pairs(saved)),
        Expected::Error(message) => format!("error: {message}"),
        Expected::Effect(effect) => format!("effect: {effect}"),
        _ => "no visible effect".into(),
    }
}

/// Describes the fields of an example's entry.
pub(crate) fn entry(example: &Example) -> String {
    if example.entry.is_empty() {
        return "without these fields".into();
    }
    example.entry.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_of_every_module_has_a_type_and_a_sentence() {
        fn check(of: &str, members: &[Member]) {
            for member in members {
                assert!(!member.kind.is_empty() && member.kind != "anything", "{of}: {member:?}");
                assert!(member.description.ends_with(['.', ')']), "{of}: {member:?}");
                check(of, &member.members);
            }
        }
        let registry = Registry::linked().unwrap();
        for plugin in registry.plugins() {
            check(plugin.name, &arguments(plugin));
        }
        for key in top_keys(&registry) {
            assert!(!key.description.is_empty(), "{}", key.key);
            check(key.key, &key.members);
        }
    }

    #[test]
    fn the_settings_that_modules_name_are_there() {
        let registry = Registry::linked().unwrap();
        for plugin in registry.plugins() {
            for key in plugin.settings {
                assert!(registry.settings(key).is_some(), "{}: {key}", plugin.name);
            }
        }
    }

    #[test]
    fn types_are_described_in_words() {
        let root = json!({"$defs": {"Level": {"oneOf": [{"const": "A"}, {"enum": ["B", "C"]}]}}});
        for (schema, expected) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": ["string", "null"]}), "text"),
            (json!({"type": ["number", "string"]}), "number or text"),
            (json!({"type": ["integer", "null"], "minimum": 0}), "whole number, 0 or more"),
            (
                json!({"type": ["integer", "string", "null"], "minimum": 0, "format": FORMAT}),
                "number of seconds, or a duration such as `1h30m`",
            ),
            (json!({"type": "array", "items": {"type": "string"}}), "list of texts"),
            (
                json!({"type": "array", "items": {"type": ["number", "string", "null"]}}),
                "list of numbers or texts, or null",
            ),
            (json!({"$ref": "#/$defs/Level"}), "\"A\", \"B\" or \"C\""),
            (json!({"anyOf": [{"$ref": "#/$defs/Level"}, {"type": "null"}]}), "\"A\", \"B\" or \"C\""),
        ] {
            assert_eq!(kind(&schema, &root), expected, "{schema}");
        }
    }
}

//! `pyruse schema`: one JSON Schema of the whole configuration, so that an editor completes it and marks what is wrong.
//!
//! The schemas of the modules' arguments and settings are put together here. A step is recognised by the module that it
//! names (`if`/`then`, not `oneOf`): so an editor complains of the one argument that is wrong, instead of saying that
//! no module fits.

use std::io::Write as _;

use pyruse_core::config::{CORE_KEYS, ModuleKind};
use pyruse_core::plugin::{Plugin, Registry};
use serde_json::{Map, Value, json};

use crate::ending::Ending;

/// Prints the JSON Schema of the configuration, for editors
///
/// It contains everything that is linked into this program, including the modules and settings of custom crates. With
/// it, an editor that supports JSON Schema (draft 2020-12) completes names, shows their meaning, and marks errors while
/// you type. Comments and trailing commas are an extension of Pyruse: configure the editor to treat the file as JSON
/// with comments.
///
/// Errors that depend on the whole graph (unknown labels, loops, bad expressions) are found by `pyruse check`.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {}

const EXAMPLES: &str = "\
Examples:
  pyruse schema > /etc/pyruse/pyruse.schema.json

and in the configuration:

  \"$schema\": \"pyruse.schema.json\",";

pub(crate) fn run(_: &Args) -> anyhow::Result<Ending> {
    let registry = Registry::linked()?;
    writeln!(std::io::stdout().lock(), "{:#}", schema(&registry))?;
    Ok(Ending::Good)
}

fn schema(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    let mut properties = Map::new();
    for core in CORE_KEYS {
        let mut schema = (core.schema)();
        schema["description"] = core.doc.into();
        if core.key == "actions" {
            schema["additionalProperties"] = json!({"$ref": "#/$defs/chain"});
        }
        if core.key == "sources" {
            schema["additionalProperties"] = json!({"$ref": "#/$defs/source"});
        }
        properties.insert(core.key.into(), schema);
    }
    for key in registry.settings_keys() {
        if let Some(settings) = registry.settings(key) {
            properties.insert(key.into(), with_variables((settings.schema)(), key, &mut definitions));
        }
    }
    for plugin in registry.plugins() {
        let mut schema = with_variables((plugin.schema)(), plugin.name, &mut definitions);
        schema["description"] = plugin.doc.into();
        definitions.insert(plugin.name.into(), schema);
    }
    definitions.insert(
        "variable".into(),
        json!({
            "description": "The value of a variable, which `vars` sets.",
            "type": "object",
            "properties": {"$var": {"type": "string"}},
            "required": ["$var"],
            "additionalProperties": false,
        }),
    );
    definitions.insert("label".into(), json!({"type": ["string", "null"]}));
    definitions.insert(
        "chain".into(),
        json!({
            "description": "A chain: its steps follow one another, as long as they pass.",
            "type": "array",
            "minItems": 1,
            "items": {"$ref": "#/$defs/step"},
        }),
    );
    definitions.insert("step".into(), step(registry));
    definitions.insert("source".into(), source(registry));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of Pyruse",
        "type": "object",
        "anyOf": [{"required": ["actions"]}, {"required": ["include"]}, {"required": ["vars"]}],
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn step(registry: &Registry) -> Value {
    let mut cases: Vec<Value> = registry.plugins().filter(|plugin| plugin.kind.is_step()).map(case).collect();
    cases.push(json!({
        "if": {"required": ["action"]},
        "then": {"properties": {"else": {"description": "An action has no `else`.", "not": {}}}},
    }));
    json!({
        "description": "A step: a filter or an action.",
        "type": "object",
        "properties": {
            "filter": {"description": "The filter.", "anyOf": names(registry, ModuleKind::Filter)},
            "action": {"description": "The action.", "anyOf": names(registry, ModuleKind::Action)},
            "args": {"description": "Its arguments."},
            "then": {
                "description": "The chain where the entry continues after an action, or when a filter passes; the \
                                next step, if absent.",
                "$ref": "#/$defs/label",
            },
            "else": {
                "description": "The chain where the entry continues when a filter does not pass; the next top-level \
                                chain, if absent.",
                "$ref": "#/$defs/label",
            },
        },
        "oneOf": [{"required": ["filter"]}, {"required": ["action"]}],
        "additionalProperties": false,
        "allOf": cases,
    })
}

fn source(registry: &Registry) -> Value {
    let cases: Vec<Value> = registry.plugins().filter(|plugin| !plugin.kind.is_step()).map(case).collect();
    json!({
        "description": "A source: where entries come from.",
        "type": "object",
        "properties": {
            "source": {"description": "The module that reads it.", "anyOf": names(registry, ModuleKind::Source)},
            "args": {"description": "Its arguments."},
        },
        "required": ["source"],
        "additionalProperties": false,
        "allOf": cases,
    })
}

fn names(registry: &Registry, kind: ModuleKind) -> Vec<Value> {
    let plugins = registry.plugins().filter(|plugin| plugin.kind == kind);
    plugins.map(|plugin| json!({"const": plugin.name, "description": plugin.doc})).collect()
}

/// What a step must be if it names that module.
fn case(plugin: &Plugin) -> Value {
    let kind = plugin.kind.word();
    let reference = json!({"$ref": format!("#/$defs/{}", plugin.name)});
    let needs_args = (plugin.schema)()["required"].as_array().is_some_and(|names| !names.is_empty());
    let then = if needs_args {
        json!({"properties": {"args": reference}, "required": ["args"]})
    } else {
        json!({"properties": {"args": {"anyOf": [reference, {"type": "null"}]}}})
    };
    json!({"if": {"properties": {kind: {"const": plugin.name}}, "required": [kind]}, "then": then})
}

/// A schema of arguments or settings, as a part of a larger one, in which each value can be a variable.
fn with_variables(mut schema: Value, owner: &str, definitions: &mut Map<String, Value>) -> Value {
    allow_variables(&mut schema);
    embedded(schema, owner, definitions)
}

/// Lets each value of an object or list be a variable. Not by `anyOf`: then an editor would not say what is wrong with a
/// value.
fn allow_variables(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    for (key, part) in members {
        match (key.as_str(), part) {
            ("properties", Value::Object(properties)) => {
                for value in properties.values_mut() {
                    allow_variables(value);
                    allow_variable(value);
                }
            }
            ("items" | "additionalProperties", value @ Value::Object(_)) => {
                allow_variables(value);
                allow_variable(value);
            }
            ("$defs", Value::Object(own)) => own.values_mut().for_each(allow_variables),
            ("anyOf" | "oneOf" | "allOf", Value::Array(cases)) => cases.iter_mut().for_each(allow_variables),
            _ => {}
        }
    }
}

fn allow_variable(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    // What editors show stays where they look for it.
    let shown: Map<String, Value> =
        ["description", "default"].iter().filter_map(|key| members.remove_entry(*key)).collect();
    let value = std::mem::take(members);
    *members = shown;
    members.insert("if".into(), json!({"type": "object", "required": ["$var"]}));
    members.insert("then".into(), json!({"$ref": "#/$defs/variable"}));
    members.insert("else".into(), value.into());
}

/// A schema of its own as a part of a larger one: its definitions go to the whole's, under names that only it has.
fn embedded(mut schema: Value, owner: &str, definitions: &mut Map<String, Value>) -> Value {
    let own = schema.as_object_mut().and_then(|schema| {
        schema.remove("$schema");
        schema.remove("title");
        // Whatever the type says: arguments and settings are refused if they are not known.
        if !schema.get("additionalProperties").is_some_and(Value::is_object) {
            schema.insert("additionalProperties".into(), false.into());
        }
        schema.remove("$defs")
    });
    rename_references(&mut schema, owner);
    if let Some(Value::Object(own)) = own {
        for (name, mut definition) in own {
            rename_references(&mut definition, owner);
            definitions.insert(format!("{owner}.{name}"), definition);
        }
    }
    schema
}

fn rename_references(schema: &mut Value, owner: &str) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match value.as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
                    Some("variable") if key == "$ref" => {}
                    Some(name) if key == "$ref" => *value = format!("#/$defs/{owner}.{name}").into(),
                    _ => rename_references(value, owner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename_references(item, owner)),
        _ => {}
    }
}

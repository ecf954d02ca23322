//! Turns a JSON object with positions into a module's own typed arguments.
//!
//! serde stops at its first error, but a user wants to see all of them. So unknown and missing keys are found with the
//! module's JSON Schema, which knows both lists. Then serde runs; after each error it runs again without the key that
//! caused the error, until it reports no more errors.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostics, StepPlace};
use super::node::{JsonNode, SourceSpan};

/// Reads an object into `T`. Errors are added to `diagnostics`; the returned value is then built from the remaining
/// keys, so that a module can check it too. It is `None` where the remaining keys are not enough.
///
/// `what` names the object in messages (``arguments of `filter_pcre` ``); a missing node counts as an empty object.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(
    node: Option<&JsonNode>,
    fallback: &JsonNode,
    what: &str,
    place: Option<&StepPlace>,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let schema = schemars::schema_for!(T).to_value();
    read_object(node, fallback, what, place, &schema, diagnostics, |value| {
        serde_path_to_error::deserialize(value)
            .map_err(|e| (e.path().to_string(), e.into_inner().to_string()))
    })
}

fn read_object<T>(
    node: Option<&JsonNode>,
    fallback: &JsonNode,
    what: &str,
    place: Option<&StepPlace>,
    schema: &serde_json::Value,
    diagnostics: &mut Diagnostics,
    deserialize: impl Fn(serde_json::Value) -> Result<T, (String, String)>,
) -> Option<T> {
    let node = node.filter(|node| !matches!(node.content, super::node::JsonContent::Null));
    let place = place.cloned();
    if let Some(node) = node.filter(|node| node.members().is_none()) {
        diagnostics.error(
            node.span.clone(),
            place,
            format!("{what} must be an object, not {}", node.type_name()),
        );
        return None;
    }
    let members = node.and_then(JsonNode::members).unwrap_or_default();
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(|name| name.as_str());
    let mut good = true;
    let mut object = serde_json::Map::new();

    // A map from names to values: every key is known.
    let is_map = schema["additionalProperties"].is_object();
    for member in members {
        if !is_map && !known.contains(&member.key.as_str()) {
            good = false;
            let finding = diagnostics.error(
                member.key_span.clone(),
                place.clone(),
                format!("`{}` is not one of the {what}", member.key),
            );
            match known.as_slice() {
                [] => finding.help("there are none"),
                _ => finding.help(format!("known: {}", backticked(&known))),
            };
            finding.suggest(&member.key, known.iter().copied());
        } else if object.insert(member.key.clone(), member.value.to_json()).is_some() {
            good = false;
            diagnostics.error(
                member.key_span.clone(),
                place.clone(),
                format!("`{}` is given twice", member.key),
            );
        }
    }
    let missing: Vec<&str> = required.filter(|name| !object.contains_key(*name)).collect();
    if !missing.is_empty() {
        good = false;
        let span = node.map_or(fallback.span.clone(), |node| node.span.start..node.span.start + 1);
        diagnostics.error(span, place.clone(), format!("missing from the {what}: {}", backticked(&missing)));
    }

    loop {
        match deserialize(serde_json::Value::Object(object.clone())) {
            Ok(value) => return Some(value),
            Err((path, message)) => {
                let path = path.replace('[', ".").replace(']', "");
                let key = path.split('.').next().unwrap_or_default().to_owned();
                if object.remove(&key).is_none() {
                    // The error is not at a key: serde misses a key that we have reported or removed.
                    if good {
                        diagnostics.error(
                            node.unwrap_or(fallback).span.clone(),
                            place,
                            format!("{what}: {message}"),
                        );
                    }
                    return None;
                }
                good = false;
                if let Some(unknown) = unknown_key(node.unwrap_or(fallback), &path, &message) {
                    let Unknown { key, span, within, known } = unknown;
                    let text = format!("`{key}` is not one of the keys of `{within}`");
                    let finding = diagnostics.error(span, place.clone(), text);
                    finding.help(format!("known: {}", backticked(&known))).suggest(key, known);
                    continue;
                }
                let at = node.unwrap_or(fallback).at(&path);
                let finding = diagnostics.error(
                    at.span.clone(),
                    place.clone(),
                    format!("`{path}`: {}", plain(&message)),
                );
                if let (Some(text), Some((_, choices))) =
                    (at.as_text(), message.split_once("expected one of "))
                {
                    finding.suggest(text, choices.split('`').skip(1).step_by(2));
                }
            }
        }
    }
}

/// A nested key that nothing reads.
struct Unknown<'a> {
    key: &'a str,
    span: SourceSpan,
    within: &'a str,
    known: Vec<&'a str>,
}

/// Finds the key that a message of serde is about, if it is about one; `path` may lead to the key, or to the object
/// that holds it.
fn unknown_key<'a>(node: &JsonNode, path: &'a str, message: &'a str) -> Option<Unknown<'a>> {
    let (key, rest) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let within = path.strip_suffix(key).and_then(|path| path.strip_suffix('.')).unwrap_or(path);
    let member = node.at(within).members()?.iter().find(|member| member.key == key)?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some(Unknown { key, span: member.key_span.clone(), within, known })
}

fn backticked(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns serde's message without the parts that mean nothing to somebody who writes JSON.
fn plain(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap_or(message);
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return rest.replacen(", expected one of ", " is not one of ", 1).replacen(
            ", expected ",
            " is not ",
            1,
        );
    }
    message
        .replace("invalid type: ", "must not be ")
        .replace("invalid value: ", "must not be ")
        .replace("must not be sequence", "must not be a list")
        .replace("must not be map", "must not be an object")
        .replace("must not be string ", "must not be the text ")
        .replace("must not be integer ", "must not be the number ")
        .replace(", expected a sequence", ", but a list")
        .replace(", expected a string", ", but a text")
        .replace(", expected a boolean", ", but true or false")
        .replace(", expected u64", ", but a whole number, 0 or more")
        .replace(", expected u32", ", but a whole number, 0 or more")
        .replace(", expected u16", ", but a whole number up to 65535")
        .replace(", expected ", ", but ")
}

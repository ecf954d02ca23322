//! The request of a step: compiled once, then rendered for an entry.

use std::collections::BTreeMap;

use pyruse_core::entry::Entry;
use pyruse_core::plugin::{Compile, Invalid, Message, StepError};
use pyruse_core::template::Part;
use serde_json::Value;

use super::encode::{Place, shortened};
use super::outgoing::{Body, BodyKind};
use super::pieces::{ID, OWN, Pieces, SECRET};

/// A template whose values are encoded for their place.
pub(super) struct Encoded {
    message: Message,
    place: Place,
}

impl Encoded {
    pub(super) fn compile(
        path: &str,
        text: &str,
        place: Place,
        cx: &mut Compile<'_>,
    ) -> Result<Encoded, Invalid> {
        Ok(Encoded { message: cx.message_with(path, text, &OWN)?, place })
    }

    /// Whether the secret is inserted.
    pub(super) fn has_secret(&self) -> bool {
        self.message.names().iter().any(|name| name == SECRET)
    }

    /// Appends the text for this entry, in the request with this identity; a value longer than `limit` bytes is cut.
    pub(super) fn render(
        &self,
        entry: &mut Entry<'_>,
        (id, limit): (&str, usize),
        pieces: &mut Pieces,
    ) -> Result<(), StepError> {
        let (names, place) = (self.message.names(), self.place);
        self.message.render_parts(entry, &mut |part| match part {
            Part::Literal(text) => place.encode(text, pieces.end()),
            Part::Value { name, .. } if names[name] == SECRET => pieces.push_secret(),
            Part::Value { name, .. } if names[name] == ID => pieces.push(id),
            Part::Value { text, .. } => place.encode(&shortened(text, limit), pieces.end()),
        })
    }
}

/// The body of a request.
pub(super) enum Content {
    None,
    Json(Json),
    Form(Vec<(String, Encoded)>),
    Text(Encoded),
}

impl Content {
    pub(super) fn has_secret(&self) -> bool {
        match self {
            Content::None => false,
            Content::Json(json) => json.has_secret(),
            Content::Form(fields) => fields.iter().any(|(_, value)| value.has_secret()),
            Content::Text(text) => text.has_secret(),
        }
    }

    /// Returns the body for this entry.
    pub(super) fn render(&self, entry: &mut Entry<'_>, with: (&str, usize)) -> Result<Body, StepError> {
        let mut text = Pieces::default();
        let kind = match self {
            Content::None => BodyKind::None,
            Content::Json(json) => {
                json.render(entry, with, &mut text)?;
                BodyKind::Json
            }
            Content::Form(fields) => {
                for (n, (name, value)) in fields.iter().enumerate() {
                    text.push(if n == 0 { "" } else { "&" });
                    Place::Form.encode(name, text.end());
                    text.push("=");
                    value.render(entry, with, &mut text)?;
                }
                BodyKind::Form
            }
            Content::Text(template) => {
                template.render(entry, with, &mut text)?;
                BodyKind::Text
            }
        };
        Ok(Body { kind, text })
    }
}

/// Compiles a form: its names are not templates.
pub(super) fn form(
    fields: &BTreeMap<String, String>,
    cx: &mut Compile<'_>,
) -> Result<Vec<(String, Encoded)>, Invalid> {
    let compiled = fields.iter().map(|(name, text)| {
        Encoded::compile(&format!("form.{name}"), text, Place::Form, cx).map(|value| (name.clone(), value))
    });
    // All errors are reported.
    compiled.collect::<Vec<_>>().into_iter().collect()
}

/// JSON whose texts are templates. Names and everything else are as they are in the configuration, so whatever the values
/// are, the result is JSON of the same form.
pub(super) enum Json {
    /// Anything without templates, as text.
    Fixed(String),
    Text(Encoded),
    List(Vec<Json>),
    /// With names as JSON.
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn compile(path: &str, value: &Value, cx: &mut Compile<'_>) -> Result<Json, Invalid> {
        Ok(match value {
            Value::String(text) => Json::Text(Encoded::compile(path, text, Place::Json, cx)?),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(n, item)| Json::compile(&format!("{path}.{n}"), item, cx));
                Json::List(items.collect::<Vec<_>>().into_iter().collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members.iter().map(|(name, value)| {
                    let member = Json::compile(&format!("{path}.{name}"), value, cx)?;
                    Ok((Value::from(name.as_str()).to_string(), member))
                });
                Json::Object(members.collect::<Vec<_>>().into_iter().collect::<Result<_, _>>()?)
            }
            other => Json::Fixed(other.to_string()),
        })
    }

    fn has_secret(&self) -> bool {
        match self {
            Json::Fixed(_) => false,
            Json::Text(text) => text.has_secret(),
            Json::List(items) => items.iter().any(Json::has_secret),
            Json::Object(members) => members.iter().any(|(_, value)| value.has_secret()),
        }
    }

    fn render(&self, entry: &mut Entry<'_>, with: (&str, usize), out: &mut Pieces) -> Result<(), StepError> {
        match self {
            Json::Fixed(text) => out.push(text),
            Json::Text(text) => {
                out.push("\"");
                text.render(entry, with, out)?;
                out.push("\"");
            }
            Json::List(items) => {
                out.push("[");
                for (n, item) in items.iter().enumerate() {
                    out.push(if n == 0 { "" } else { "," });
                    item.render(entry, with, out)?;
                }
                out.push("]");
            }
            Json::Object(members) => {
                out.push("{");
                for (n, (name, value)) in members.iter().enumerate() {
                    out.push(if n == 0 { "" } else { "," });
                    out.push(name);
                    out.push(":");
                    value.render(entry, with, out)?;
                }
                out.push("}");
            }
        }
        Ok(())
    }
}

//! A request as it waits in the queue.
//!
//! It names the server and the file of the secret, but the courier sends it only if the configuration names both
//! together: a command of root must not read a file because the state says so.

use std::path::PathBuf;

use pyruse_core::serde::{Deserialize, Serialize};

use super::encode::Place;
use super::pieces::Pieces;
use crate::unique;

/// Where requests go: a server, and the secret that it may see.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Target {
    pub(super) origin: String,
    #[serde(rename = "secretFile", default, skip_serializing_if = "Option::is_none")]
    pub(super) secret_file: Option<PathBuf>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
pub(super) enum BodyKind {
    None,
    Json,
    Form,
    Text,
}

impl BodyKind {
    pub(super) fn content_type(self) -> Option<&'static str> {
        match self {
            BodyKind::None => None,
            BodyKind::Json => Some("application/json"),
            BodyKind::Form => Some("application/x-www-form-urlencoded"),
            BodyKind::Text => Some("text/plain; charset=utf-8"),
        }
    }

    fn place(self) -> Place {
        match self {
            BodyKind::Json => Place::Json,
            BodyKind::Form => Place::Form,
            BodyKind::None | BodyKind::Text => Place::Text,
        }
    }
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Body {
    pub(super) kind: BodyKind,
    pub(super) text: Pieces,
}

/// A request as it waits in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Outgoing {
    /// Sent with every attempt, so that a server can recognise a request that comes again.
    pub(super) id: String,
    pub(super) target: Target,
    pub(super) method: String,
    /// Path and query.
    pub(super) path: Pieces,
    pub(super) headers: Vec<(String, Pieces)>,
    pub(super) body: Body,
    /// The statuses that mean success; none: all from 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) success: Vec<u16>,
}

/// A request with the secret in its places.
pub(super) struct Ready {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<String>,
}

impl Outgoing {
    pub(super) fn new_id() -> String {
        unique::id()
    }

    /// Returns the request in a few words, without the secret.
    pub(super) fn shown(&self) -> String {
        format!("{} {}{}", self.method, self.target.origin, self.path.shown())
    }

    pub(super) fn is_success(&self, status: u16) -> bool {
        if self.success.is_empty() { (200..300).contains(&status) } else { self.success.contains(&status) }
    }

    /// Inserts the secret, or says why it cannot be.
    pub(super) fn ready(&self, secret: &str) -> Result<Ready, String> {
        let insert = |pieces: &Pieces, place: Place| {
            if !pieces.has_secret() {
                return Ok(pieces.with(""));
            }
            let secret = place.secret(secret).map_err(|why| match &self.target.secret_file {
                Some(file) => format!("the secret in {}: {why}", file.display()),
                None => why.to_owned(),
            })?;
            Ok::<_, String>(pieces.with(&secret))
        };
        let mut headers = vec![("Idempotency-Key".to_owned(), self.id.clone())];
        let is_given = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if let Some(kind) = self.body.kind.content_type().filter(|_| !is_given("Content-Type")) {
            headers.push(("Content-Type".into(), kind.into()));
        }
        for (name, value) in &self.headers {
            headers.push((name.clone(), insert(value, Place::Header)?.trim().to_owned()));
        }
        Ok(Ready {
            method: self.method.clone(),
            url: format!("{}{}", self.target.origin, insert(&self.path, Place::Url)?),
            headers,
            body: match self.body.kind {
                BodyKind::None => None,
                kind => Some(insert(&self.body.text, kind.place())?),
            },
        })
    }
}

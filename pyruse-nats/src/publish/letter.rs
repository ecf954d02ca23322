//! A message as it waits to be published.

use pyruse_core::serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A message as it waits to be published.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
pub(super) struct Letter {
    /// The name of the connection.
    pub(super) to: String,
    pub(super) subject: String,
    /// The stream that must store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<String>,
    /// What the server and the readers know a repeat by.
    pub(super) identity: String,
    /// The number in it.
    pub(super) number: u64,
    pub(super) fields: Map<String, Value>,
}

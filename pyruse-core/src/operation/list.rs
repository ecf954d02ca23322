//! Named lists as operators see them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::time::Timestamp;

/// A part of a named list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListPart {
    /// The list.
    pub list: String,
    /// Where it comes from.
    pub origin: PartOrigin,
    /// How many networks it has.
    pub networks: u64,
    /// The first of them.
    #[serde(default)]
    pub first: Vec<Network>,
    /// Since when it is so: when the file was changed, the name was resolved, the operator has added it.
    pub since: Option<Timestamp>,
    /// When it ends; `None` means never.
    pub until: Option<Timestamp>,
    /// Why it is not up to date, if it is not.
    pub problem: Option<String>,
}

/// Where a part of a list comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PartOrigin {
    /// The configuration.
    Configured,
    /// A file, with this path.
    File(String),
    /// A DNS name.
    Name(String),
    /// The addresses of this machine.
    Own,
    /// An operator.
    Operator(Network),
}

impl fmt::Display for PartOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartOrigin::Configured => f.write_str("nets"),
            PartOrigin::File(path) => write!(f, "file {path}"),
            PartOrigin::Name(name) => write!(f, "name {name}"),
            PartOrigin::Own => f.write_str("self"),
            PartOrigin::Operator(network) => write!(f, "by hand {network}"),
        }
    }
}

/// Whether a list contains an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListHit {
    /// The list.
    pub list: String,
    /// The network that contains the address, and the part of the list that has it; `None`: none does.
    pub by: Option<(Network, PartOrigin)>,
    /// When that ends; `None` means never.
    pub until: Option<Timestamp>,
}

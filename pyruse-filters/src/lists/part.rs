//! A part of a list: some networks, and where they come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyruse_core::network::Network;
use pyruse_core::operation::PartOrigin;
use pyruse_core::time::Timestamp;

/// Where a part comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// The configuration.
    Configured,
    /// A file; an optional one may be missing.
    File { path: PathBuf, is_optional: bool },
    /// A DNS name.
    Name(String),
    /// The addresses of this machine.
    Own,
}

impl Origin {
    pub(super) fn path(&self) -> Option<(&Path, bool)> {
        match self {
            Origin::File { path, is_optional } => Some((path, *is_optional)),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Origin::Name(name) => Some(name),
            _ => None,
        }
    }

    /// Returns it as operators see it.
    pub(super) fn shown(&self) -> PartOrigin {
        match self {
            Origin::Configured => PartOrigin::Configured,
            Origin::File { path, .. } => PartOrigin::File(path.display().to_string()),
            Origin::Name(name) => PartOrigin::Name(name.clone()),
            Origin::Own => PartOrigin::Own,
        }
    }
}

/// A part.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) origin: Origin,
    pub(super) networks: Arc<[Network]>,
    /// Since when it has these; `None`: it is not known yet, or always.
    pub(super) since: Option<Timestamp>,
    /// Why it is not up to date, if it is not.
    pub(super) problem: Option<String>,
}

impl Part {
    pub(super) fn new(origin: Origin, networks: Arc<[Network]>, since: Option<Timestamp>) -> Part {
        Part { origin, networks, since, problem: None }
    }

    /// Returns `true` for a name that was never resolved.
    pub(super) fn is_unknown(&self) -> bool {
        self.since.is_none() && self.origin.name().is_some()
    }
}

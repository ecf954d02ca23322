//! What a firewall found out about one of its sets.

use crate::operation::Family;

/// What a set must be able to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetNeeds {
    /// The family of its addresses.
    pub family: Family,
    /// Whether it must hold networks, and not only single addresses.
    pub networks: bool,
}

/// What was found out about a set.
pub enum SetState {
    /// It exists.
    Found(FoundSet),
    /// It does not exist.
    Missing {
        /// How to make it.
        help: String,
    },
    /// The firewall's program cannot be run at all.
    NoProgram {
        /// The setting that names the program, as a path that begins with its top-level key.
        setting: &'static str,
        /// Why it cannot be run.
        message: String,
    },
    /// The set could not be looked at, for this reason.
    Unknown(String),
}

/// The properties of a set that matter to a ban.
pub struct FoundSet {
    /// What it holds, in the firewall's words.
    pub holds: String,
    /// What a set for this family of addresses must hold, in the same words.
    pub wanted: &'static str,
    /// The command that makes a good set with this name.
    pub command: String,
    /// Whether its elements may have timeouts.
    pub has_timeouts: bool,
    /// The timeout of elements that are added without one, in seconds.
    pub own_timeout: Option<u64>,
    /// Whether it can hold networks.
    pub has_networks: bool,
    /// Why nobody should ban with it, if that is so.
    pub unusable: Option<String>,
    /// Whether a rule uses it.
    pub is_used: bool,
}

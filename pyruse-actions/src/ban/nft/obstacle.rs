//! What prevents nftables from banning an address, and what the operator can do about it.

use pyruse_core::operation::Family;

/// What prevents a ban.
#[derive(Clone, Copy)]
pub(super) enum Obstacle {
    /// The set does not exist.
    Missing,
    /// The set has its maximum number of elements.
    Full,
    /// The set supports no timeouts.
    NoTimeouts,
}

impl Obstacle {
    /// Returns what the operator can do about it.
    pub(super) fn remedy(self, set: &str, family: Family) -> String {
        match self {
            Obstacle::Missing => format!("create it with: {}", create(set, family)),
            Obstacle::Full => "the set is full: make it larger, or create it without `size`".into(),
            Obstacle::NoTimeouts => "has the set `flags timeout`?".into(),
        }
    }
}

/// Returns what a set must hold.
pub(super) fn holds(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    }
}

/// Returns the command that makes a set.
pub(super) fn create(set: &str, family: Family) -> String {
    let table = set.rsplit_once(' ').map_or(set, |(table, _)| table);
    format!("nft 'add table {table}; add set {set} {{ type {}; flags timeout; }}'", holds(family))
}

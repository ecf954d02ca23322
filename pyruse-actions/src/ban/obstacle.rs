//! What prevents nftables from banning an address, and what the operator can do about it.

use pyruse_core::operation::Family;

/// What a set holds, for IPv4 and for IPv6.
pub(super) const HOLDS: [&str; 2] = ["ipv4_addr", "ipv6_addr"];

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
    pub(super) fn cure(self, set: &str, family: Family) -> String {
        match self {
            Obstacle::Missing => {
                format!("make it with: {}", making(set, HOLDS[usize::from(family == Family::V6)]))
            }
            Obstacle::Full => "the set is full: make it larger, or without `size`".into(),
            Obstacle::NoTimeouts => "has the set `flags timeout`?".into(),
        }
    }
}

/// Returns the command that makes a set.
pub(super) fn making(set: &str, holds: &str) -> String {
    let table = set.rsplit_once(' ').map_or(set, |(table, _)| table);
    format!("nft 'add table {table}; add set {set} {{ type {holds}; flags timeout; }}'")
}

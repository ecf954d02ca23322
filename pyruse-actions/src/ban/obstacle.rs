//! What keeps nftables from banning an address, and what a person can do about it.

use pyruse_core::operation::Family;

/// What a set holds, for IPv4 and for IPv6.
pub(super) const HOLDS: [&str; 2] = ["ipv4_addr", "ipv6_addr"];

/// What stands in the way of a ban.
#[derive(Clone, Copy)]
pub(super) enum Obstacle {
    /// There is no such set.
    Missing,
    /// The set holds as many elements as it may.
    Full,
    /// It holds none with a time-out.
    NoTimeouts,
}

impl Obstacle {
    /// What a person can do about it.
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

/// The command that makes a set.
pub(super) fn making(set: &str, holds: &str) -> String {
    let table = set.rsplit_once(' ').map_or(set, |(table, _)| table);
    format!("nft 'add table {table}; add set {set} {{ type {holds}; flags timeout; }}'")
}

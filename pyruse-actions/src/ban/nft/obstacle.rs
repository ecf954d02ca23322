//! What prevents nftables from banning an address, and what the operator can do about it.

use pyruse_core::ban::SetNeeds;
use pyruse_core::network::Network;
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
    /// The set holds single addresses only, and this is a network.
    NoNetworks,
    /// Another element overlaps with it.
    Overlap,
}

impl Obstacle {
    /// Returns what the operator can do about it.
    pub(super) fn remedy(self, set: &str, net: Network) -> String {
        let needs = SetNeeds { family: Family::of(net.first()), networks: !net.is_single() };
        match self {
            Obstacle::Missing => format!("create it with: {}", create(set, needs)),
            Obstacle::Full => "the set is full: make it larger, or create it without `size`".into(),
            Obstacle::NoTimeouts => "has the set `flags timeout`?".into(),
            Obstacle::NoNetworks => {
                format!(
                    "it holds single addresses, not networks: delete it, and create it with: {}",
                    create(set, needs)
                )
            }
            Obstacle::Overlap => {
                format!("another element overlaps with {net}; `nft list set {set}` shows it")
            }
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
pub(super) fn create(set: &str, needs: SetNeeds) -> String {
    let table = set.rsplit_once(' ').map_or(set, |(table, _)| table);
    let flags = if needs.networks { "interval, timeout" } else { "timeout" };
    format!("nft 'add table {table}; add set {set} {{ type {}; flags {flags}; }}'", holds(needs.family))
}

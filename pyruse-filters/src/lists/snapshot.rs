//! What a list contains at one moment, for look-ups; nothing changes it.
//!
//! Most networks are a table of [ranges](crate::ranges). Those that an operator has added have ends, so an address may be
//! in several of them that count until different times: they are a prefix tree.

use std::net::IpAddr;

use prefix_trie::PrefixMap;
use pyruse_core::network::Network;
use pyruse_core::time::Timestamp;

use super::part::Part;
use crate::ranges::Addresses;

/// The networks of all parts.
#[derive(Debug, Default)]
pub(super) struct Networks(Addresses);

impl Networks {
    pub(super) fn of(parts: &[Part]) -> Networks {
        Networks(Addresses::of(parts.iter().flat_map(|part| part.networks.iter().copied())))
    }
}

/// Returns the smallest network that contains the address, and its part, which is the first of several. This looks at
/// all networks: for operators.
pub(super) fn find(parts: &[Part], ip: IpAddr) -> Option<(Network, &Part)> {
    let all = parts.iter().flat_map(|part| part.networks.iter().map(move |network| (*network, part)));
    let found = all.filter(|(network, _)| network.contains(ip));
    // Of several that are equally small, the first counts.
    found.reduce(|best, next| if next.0.bits() > best.0.bits() { next } else { best })
}

/// The networks that an operator has added, with their ends.
#[derive(Debug, Default)]
pub(super) struct Temporary {
    pub(super) all: Vec<(Network, Timestamp)>,
    v4: PrefixMap<(u32, u8), Timestamp>,
    v6: PrefixMap<(u128, u8), Timestamp>,
}

impl Temporary {
    /// Each network occurs once.
    pub(super) fn of(all: Vec<(Network, Timestamp)>) -> Temporary {
        let (mut v4, mut v6) = (PrefixMap::new(), PrefixMap::new());
        for (network, until) in &all {
            match network.first() {
                IpAddr::V4(first) => drop(v4.insert((first.to_bits(), network.bits()), *until)),
                IpAddr::V6(first) => drop(v6.insert((first.to_bits(), network.bits()), *until)),
            }
        }
        Temporary { all, v4, v6 }
    }

    /// Returns the smallest network that contains the address at `now`, and its end.
    pub(super) fn find(&self, ip: IpAddr, now: Timestamp) -> Option<(Network, Timestamp)> {
        if self.all.is_empty() {
            return None;
        }
        let (first, bits, until) = match ip {
            IpAddr::V4(ip) => {
                let covers = self.v4.cover(&(ip.to_bits(), 32)).filter(|(_, until)| now < **until);
                let ((first, bits), until) = covers.last()?;
                (IpAddr::V4(first.into()), bits, *until)
            }
            IpAddr::V6(ip) => {
                let covers = self.v6.cover(&(ip.to_bits(), 128)).filter(|(_, until)| now < **until);
                let ((first, bits), until) = covers.last()?;
                (IpAddr::V6(first.into()), bits, *until)
            }
        };
        Some((Network::new(first, bits)?, until))
    }
}

/// What a list contains at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) networks: std::sync::Arc<Networks>,
    pub(super) temporary: std::sync::Arc<Temporary>,
}

impl Snapshot {
    /// Returns `true` if it contains the address at `now`, the time of an entry.
    pub(super) fn contains(&self, ip: IpAddr, now: Timestamp) -> bool {
        self.networks.0.contains(ip) || self.temporary.find(ip, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::Origin;
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| Network::parse(text).unwrap()).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_smallest_network_and_its_part_are_found() {
        let part = |texts: &[&str]| Part::new(Origin::Own, networks(texts).into(), None);
        let parts =
            [part(&["10.0.0.0/8", "2001:db8::/32"]), part(&["10.1.0.0/16", "10.0.0.0/8", "192.0.2.1"])];
        let all = Networks::of(&parts);
        for (address, expected) in [
            ("10.1.2.3", Some(("10.1.0.0/16", 1))),
            ("10.2.2.3", Some(("10.0.0.0/8", 0))),
            ("192.0.2.1", Some(("192.0.2.1", 1))),
            ("192.0.2.2", None),
            ("2001:db8:1::", Some(("2001:db8::/32", 0))),
            ("2001:db9::", None),
        ] {
            let found = find(&parts, ip(address))
                .map(|(network, part)| (network.to_string(), part.networks.len() - 2));
            assert_eq!(found, expected.map(|(network, part)| (network.to_owned(), part)), "{address}");
            assert_eq!(all.0.contains(ip(address)), expected.is_some(), "{address}");
        }
    }

    #[test]
    fn an_added_network_counts_until_its_end_and_a_larger_one_after_it() {
        let [small, large] = networks(&["10.1.0.0/16", "10.0.0.0/8"])[..] else { panic!() };
        let added = Temporary::of(vec![(large, Timestamp(20)), (small, Timestamp(10))]);
        let at = |now| added.find(ip("10.1.2.3"), Timestamp(now)).map(|(network, _)| network);
        assert_eq!([at(9), at(10), at(19), at(20)], [Some(small), Some(large), Some(large), None]);
    }
}

//! IP networks: an address and the number of its bits that all addresses of the network share.
//!
//! Text goes in, as people write it (`192.0.2.0/24`, `2001:db8::/32`, or one address); a [`Network`] comes out, in one
//! form for each network: equal networks compare equal. A single address is the network of that address alone.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use crate::address;

/// An IPv4 or IPv6 network. Its host bits are zero; an IPv4-mapped IPv6 network is that IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl Network {
    /// Makes the network of this address that has this many bits in common; other bits of the address are ignored.
    /// `None`: an address of that family has fewer bits.
    pub fn new(address: IpAddr, bits: u8) -> Option<Network> {
        let (address, bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(v4)) if bits >= 96 => (IpAddr::V4(v4), bits - 96),
            (address, _) => (address, bits),
        };
        let first = match address {
            IpAddr::V4(v4) if bits <= 32 => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask_v4(bits))),
            IpAddr::V6(v6) if bits <= 128 => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask_v6(bits))),
            _ => return None,
        };
        Some(Network { first, bits })
    }

    /// Parses a network: `IP/bits`, or a single address, of which a zone index is cut off. Anything else in the text
    /// (spaces, a sign) is `None`.
    pub fn parse(text: &str) -> Option<Network> {
        let Some((ip, bits)) = text.split_once('/') else {
            return address::parse(text).map(Network::from);
        };
        let bits: u8 = bits.bytes().all(|b| b.is_ascii_digit()).then(|| bits.parse().ok())??;
        Network::new(address::parse_as_written(ip)?, bits)
    }

    /// Makes the network of one address as it is written: an IPv4-mapped address stays an IPv6 address. For what was
    /// stored in that form.
    pub fn as_written(address: IpAddr) -> Network {
        Network { first: address, bits: length(address) }
    }

    /// Returns its usual form, if it was made by [`Network::as_written`].
    #[must_use]
    pub fn canonical(self) -> Network {
        Network::new(self.first, self.bits).unwrap_or(self)
    }

    /// Returns the first address.
    pub fn first(self) -> IpAddr {
        self.first
    }

    /// Returns the last address.
    pub fn last(self) -> IpAddr {
        match self.first {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() | !mask_v4(self.bits))),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | !mask_v6(self.bits))),
        }
    }

    /// Returns how many bits all of its addresses share.
    pub fn bits(self) -> u8 {
        self.bits
    }

    /// Returns `true` if it has only one address.
    pub fn is_single(self) -> bool {
        self.bits == length(self.first)
    }

    /// Returns `true` if it contains the address. An IPv4-mapped address is that IPv4 address.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(v4)) => v4.to_bits() & mask_v4(self.bits) == first.to_bits(),
            (IpAddr::V6(first), IpAddr::V6(v6)) => v6.to_bits() & mask_v6(self.bits) == first.to_bits(),
            _ => false,
        }
    }

    /// Returns `true` if the two have addresses in common: then one of them contains the other.
    pub fn overlaps(self, other: Network) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// Says what kind of special addresses it contains; `None` if it contains only ordinary ones. See
    /// [`special`](crate::address::special).
    pub fn special(self) -> Option<&'static str> {
        let kind = address::special(self.first);
        kind.or_else(|| {
            let found =
                SPECIAL.iter().find(|text| Network::parse(text).is_some_and(|net| self.overlaps(net)));
            found.and_then(|text| address::special(Network::parse(text)?.last()))
        })
    }
}

/// The networks of special addresses, except those that begin at 0.
const SPECIAL: [&str; 5] = ["127.0.0.0/8", "224.0.0.0/4", "255.255.255.255", "::1", "ff00::/8"];

/// Returns how many bits the address has.
fn length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Network {
        let first = address.to_canonical();
        Network { first, bits: length(first) }
    }
}

impl fmt::Display for Network {
    /// Writes `192.0.2.0/24`, and a single address without its bits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.bits) }
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        let text = String::deserialize(deserializer)?;
        let network = match address::parse_as_written(&text) {
            Some(address) => Some(Network::as_written(address)),
            None => Network::parse(&text),
        };
        network.ok_or_else(|| D::Error::custom("this is not a network"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn networks_are_read_strictly() {
        for good in [
            "10.0.0.7/8",
            "0.0.0.0/0",
            "::/0",
            "::1",
            "2001:db8::5/32",
            "::ffff:10.0.0.0/104",
            "fe80::1%eth0",
            "fe80::%eth0/10",
        ] {
            assert!(Network::parse(good).is_some(), "{good}");
        }
        for bad in [
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "",
            "/8",
            "10.0.0.0/8/8",
            " ::1",
            "fe80::/10%eth0",
            "10.0.0.0%eth0/8",
        ] {
            assert!(Network::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_network_has_one_form() {
        for (written, shown) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3"),
            ("192.0.2.1/32", "192.0.2.1"),
            ("2001:DB8::5/32", "2001:db8::/32"),
            ("2001:db8::5/128", "2001:db8::5"),
            ("fe80::1%eth0", "fe80::1"),
            ("1.2.3.4/0", "0.0.0.0/0"),
            ("::ffff:10.0.0.0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(network(written).to_string(), shown);
            let stored = serde_json::to_string(&network(written)).unwrap();
            assert_eq!(serde_json::from_str::<Network>(&stored).unwrap(), network(written));
        }
    }

    #[test]
    fn a_network_is_special_if_an_address_in_it_is() {
        for (text, kind) in [
            ("192.0.2.0/24", None),
            ("126.0.0.0/8", None),
            ("126.0.0.0/7", Some("a loopback address")),
            ("0.0.0.0/1", Some("the unspecified address")),
            ("127.1.2.0/24", Some("a loopback address")),
            ("128.0.0.0/1", Some("a multicast address")),
            ("255.255.255.0/24", Some("the broadcast address")),
            ("::/64", Some("the unspecified address")),
            ("2001:db8::/32", None),
            ("8000::/1", Some("a multicast address")),
            ("::1", Some("a loopback address")),
        ] {
            assert_eq!(network(text).special(), kind, "{text}");
        }
    }

    #[test]
    fn an_address_that_was_stored_as_it_was_written_is_read_so() {
        let stored: Network = serde_json::from_str(r#""::ffff:10.0.0.1""#).unwrap();
        assert_eq!(stored.to_string(), "::ffff:10.0.0.1");
        assert_eq!(stored, Network::as_written("::ffff:10.0.0.1".parse().unwrap()));
        assert!(stored.is_single());
    }

    #[test]
    fn a_network_contains_what_is_between_its_first_and_its_last_address() {
        for (text, first, last) in [
            ("10.0.0.7/8", "10.0.0.0", "10.255.255.255"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let [first, last]: [IpAddr; 2] = [first, last].map(|ip| ip.parse().unwrap());
            let found = network(text);
            assert_eq!((found.first(), found.last()), (first, last));
            assert!(found.contains(first) && found.contains(last));
        }
        assert!(!network("10.0.0.0/8").contains("11.0.0.0".parse().unwrap()));
        assert!(!network("10.0.0.0/8").contains("9.255.255.255".parse().unwrap()));
        assert!(network("10.0.0.0/8").contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network("::/0").contains("10.0.0.1".parse().unwrap()));
        assert!(!network("0.0.0.0/0").contains("::1".parse().unwrap()));
    }
}

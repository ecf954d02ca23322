//! The arguments `prefix4` and `prefix6`: which network an address stands for.
//!
//! One person often has many addresses: with IPv6, usually a whole network of 2⁶⁴. A step with a prefix acts on the
//! network of the address instead of the address.

use std::net::IpAddr;

use crate::address;
use crate::network::Network;

/// The lengths of the prefixes, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    /// For IPv4 addresses; 32: each address is on its own.
    pub v4: u8,
    /// For IPv6 addresses; 128: each address is on its own.
    pub v6: u8,
}

impl Default for Prefixes {
    fn default() -> Self {
        Prefixes { v4: 32, v6: 128 }
    }
}

impl Prefixes {
    /// Returns the network that the address stands for.
    pub fn network(self, address: IpAddr) -> Network {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { self.v4 } else { self.v6 };
        // The lengths were checked.
        Network::new(address, bits).unwrap_or_else(|| Network::from(address))
    }

    /// Returns the network that this one stands for: itself, or a wider one.
    pub fn around(self, net: Network) -> Network {
        let bits = if net.first().is_ipv4() { self.v4 } else { self.v6 };
        Network::new(net.first(), bits.min(net.bits())).unwrap_or(net)
    }

    /// Returns the network that the address in the text stands for, as text: `192.0.2.0/24`, or the address alone if
    /// the prefix is full. `None` if the text is not an address.
    pub fn of_text(self, text: &str) -> Option<String> {
        Some(self.network(address::parse(text)?).to_string())
    }

    /// Returns `true` if each address is on its own.
    pub fn are_full(self) -> bool {
        self == Prefixes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_its_network() {
        let prefixes = Prefixes { v4: 24, v6: 64 };
        for (text, network) in [
            ("192.0.2.7", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.7", Some("192.0.2.0/24")),
            ("2001:db8:1:2:3::4", Some("2001:db8:1:2::/64")),
            ("fe80::1%eth0", Some("fe80::/64")),
            ("alice", None),
            ("192.0.2.0/24", None),
        ] {
            assert_eq!(prefixes.of_text(text).as_deref(), network, "{text}");
        }
        assert_eq!(Prefixes::default().of_text("::ffff:192.0.2.7").as_deref(), Some("192.0.2.7"));
    }
}

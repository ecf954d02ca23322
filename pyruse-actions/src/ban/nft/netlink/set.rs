//! A set as the kernel knows it: its name, and the type of its elements.
//!
//! To the kernel, keys are bytes of some length; only nft knows what they mean (`NFTA_SET_KEY_TYPE`). So this module
//! must check that an IPv4 address never becomes, for example, a mark of the same length.

use netlink_packet_core::{NlasIterator, Parseable};
use netlink_packet_netfilter::NetfilterProtoFamily;
use netlink_packet_netfilter::nftables::{SetAttribute, SetFlags};
use pyruse_core::network::Network;

/// `NFT_NAME_MAXLEN` of `linux/netfilter/nf_tables.h`, which counts the final NUL.
const LONGEST_NAME: usize = 255;

/// nft's numbers for the types of keys, `TYPE_IPADDR` and `TYPE_IP6ADDR` of its `datatype.h`, with their lengths.
const IPV4: (u32, u32) = (7, 4);
const IPV6: (u32, u32) = (8, 16);

/// The header of nfnetlink, before the attributes.
const NFGENMSG: usize = 4;

/// The name of a set.
#[derive(Debug)]
pub(super) struct SetName {
    pub(super) family: NetfilterProtoFamily,
    pub(super) table: String,
    pub(super) set: String,
}

impl SetName {
    /// Parses `FAMILY TABLE SET`, or `TABLE SET` of the family `ip`; `None` if the text cannot be the name of a set.
    pub(super) fn parse(text: &str) -> Option<SetName> {
        let words: Vec<&str> = text.split(' ').collect();
        let (family, table, set) = match words[..] {
            [table, set] => ("ip", table, set),
            [family, table, set] => (family, table, set),
            _ => return None,
        };
        let family = match family {
            "ip" => NetfilterProtoFamily::IPv4,
            "ip6" => NetfilterProtoFamily::IPv6,
            "inet" => NetfilterProtoFamily::Inet,
            "arp" => NetfilterProtoFamily::ARP,
            "bridge" => NetfilterProtoFamily::Bridge,
            "netdev" => NetfilterProtoFamily::NetDev,
            _ => return None,
        };
        let possible = |name: &str| (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0');
        (possible(table) && possible(set)).then(|| SetName {
            family,
            table: table.to_owned(),
            set: set.to_owned(),
        })
    }
}

/// The type of a set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetKind {
    flags: SetFlags,
    key: (u32, u32),
}

impl SetKind {
    /// Reads the kernel's description, a message `NFT_MSG_NEWSET`.
    pub(super) fn read(message: &[u8]) -> Option<SetKind> {
        let (mut flags, mut key_type, mut key_length) = (SetFlags::empty(), None, None);
        for attribute in NlasIterator::new(message.get(NFGENMSG..)?) {
            // Other attributes do not matter here.
            match SetAttribute::parse(&attribute.ok()?) {
                Ok(SetAttribute::Flags(of_set)) => flags = of_set,
                Ok(SetAttribute::KeyType(of_set)) => key_type = Some(of_set),
                Ok(SetAttribute::KeyLen(of_set)) => key_length = Some(of_set),
                _ => {}
            }
        }
        Some(SetKind { flags, key: (key_type?, key_length?) })
    }

    /// Returns why networks such as this one cannot be added as they are, whatever their length; `None` if they can.
    pub(super) fn unfit_for(&self, net: Network) -> Option<&'static str> {
        let plain = SetFlags::Timeout
            | SetFlags::Eval
            | SetFlags::Expression
            | SetFlags::Constant
            | SetFlags::Interval;
        let is_v4 = net.first().is_ipv4();
        let family = if is_v4 { IPV4 } else { IPV6 };
        if !plain.contains(self.flags) {
            Some("its elements are more than addresses")
        } else if self.key != family {
            Some(if is_v4 {
                "its elements are not IPv4 addresses"
            } else {
                "its elements are not IPv6 addresses"
            })
        } else {
            None
        }
    }

    /// Whether its elements are intervals: networks, and not only single addresses.
    pub(super) fn has_intervals(&self) -> bool {
        self.flags.contains(SetFlags::Interval)
    }

    /// Whether its elements can have timeouts.
    pub(super) fn has_timeouts(&self) -> bool {
        self.flags.contains(SetFlags::Timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_three_words_or_two_and_nothing_that_the_kernel_could_misread() {
        fn name(text: &str) -> Option<String> {
            SetName::parse(text).map(|name| format!("{:?} {} {}", name.family, name.table, name.set))
        }
        assert_eq!(name("ip Inet4 ssh_ban").unwrap(), "IPv4 Inet4 ssh_ban");
        assert_eq!(name("filter ssh_ban").unwrap(), "IPv4 filter ssh_ban");
        assert_eq!(name("netdev filter ssh_ban").unwrap(), "NetDev filter ssh_ban");
        let long = "x".repeat(255);
        assert!(name(&format!("inet {long} {long}")).is_some());
        let too_long = format!("ip a x{long}");
        let bad =
            ["", "x", "ip  x", "ip x ", "a b c d", "unix filter ssh_ban", "ip a\0b c", too_long.as_str()];
        for bad in bad {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_address_fits_only_where_keys_are_addresses_of_its_family() {
        let (v4, v6) = (Network::parse("192.0.2.1").unwrap(), Network::parse("2001:db8::/64").unwrap());
        let kind = |flags, key| SetKind { flags, key };
        for flags in [
            SetFlags::empty(),
            SetFlags::Timeout,
            SetFlags::Timeout | SetFlags::Eval,
            SetFlags::Timeout | SetFlags::Interval,
        ] {
            assert_eq!(kind(flags, IPV4).unfit_for(v4), None);
            assert_eq!(kind(flags, IPV6).unfit_for(v6), None);
            assert!(kind(flags, IPV4).unfit_for(v6).is_some());
            assert!(kind(flags, IPV6).unfit_for(v4).is_some());
        }
        // `mark`: also four bytes.
        assert!(kind(SetFlags::empty(), (19, 4)).unfit_for(v4).is_some());
        for more in [SetFlags::Map, SetFlags::Object, SetFlags::Concat, SetFlags::Anonymous] {
            assert!(kind(SetFlags::Timeout | more, IPV4).unfit_for(v4).is_some(), "{more:?}");
        }
        assert!(kind(SetFlags::from_bits_retain(0x4000_0000), IPV4).unfit_for(v4).is_some());
    }
}

//! Parses IP addresses from text, in one way everywhere.
//!
//! Text goes in; an address comes out, in the form that bans, allow-lists and mappings compare. If two of them parsed
//! the same text differently, they would disagree about which host it is.
//!
//! - An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) *is* that IPv4 address.
//! - A zone index (`fe80::1%eth0`) is cut off: programs log it with link-local addresses, and no set of a firewall
//!   knows it.

use std::net::IpAddr;

/// The kernel's limit for the length of an interface name, in bytes.
const LONGEST_ZONE: usize = 15;

/// Parses an address. Text with anything else in it (a port, a prefix, spaces) is `None`.
pub fn parse(text: &str) -> Option<IpAddr> {
    parse_as_written(text).map(|address| address.to_canonical())
}

/// Like [`parse`], but an IPv4-mapped IPv6 address stays one: for text that was stored or written in that form.
pub fn parse_as_written(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, zone)) if is_zone(zone) => {
            let address: IpAddr = address.parse().ok()?;
            // IPv4 has no zones (RFC 4007).
            address.is_ipv6().then_some(address)
        }
        Some(_) => None,
    }
}

/// Returns `true` if this can be the name or the number of an interface.
fn is_zone(zone: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"%/:".contains(c);
    (1..=LONGEST_ZONE).contains(&zone.len()) && zone.chars().all(plain)
}

/// Says what kind of special address this is; `None` for an ordinary one. A special address is not one remote host, so
/// a ban of it can only do harm.
pub fn special(address: IpAddr) -> Option<&'static str> {
    let address = address.to_canonical();
    if address.is_unspecified() {
        Some("the unspecified address")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_multicast() {
        Some("a multicast address")
    } else if matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
        Some("the broadcast address")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
        assert_eq!(parse("::FFFF:a00:1"), parse("10.0.0.1"));
        assert_ne!(parse("::10.0.0.1"), parse("10.0.0.1"));
        assert_ne!(parse_as_written("::ffff:10.0.0.1"), parse("10.0.0.1"));
    }

    #[test]
    fn a_zone_index_is_cut_off() {
        for zone in ["eth0", "2", "eth0.100", "br-lan", "wlp0s20f3", "veth1a2b_c", "enx001122334455"] {
            assert_eq!(parse(&format!("fe80::1%{zone}")), parse("fe80::1"), "{zone}");
        }
        assert_eq!(parse("ff02::1%eth0"), parse("ff02::1"));
        assert_eq!(parse("::ffff:10.0.0.1%eth0"), parse("10.0.0.1"));
        for text in [
            "fe80::1%",
            "fe80::1%eth0%eth1",
            "fe80::1%eth0 ",
            "fe80::1%eth/0",
            "fe80::1%eth0/64",
            "fe80::1%eth0:22",
            "fe80::1%\n",
            "fe80::1%enx0011223344556",
            "10.0.0.1%eth0",
            "%eth0",
            "fe80%eth0",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn text_with_more_than_an_address_is_not_an_address() {
        for text in [
            "",
            " 1.2.3.4",
            "1.2.3.4 ",
            "1.2.3.4/0",
            "1.2.3.4:22",
            "[::1]",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4}; flush ruleset; add element x {",
            "fe80::1%}; flush ruleset",
            "$(reboot)",
            "1.2.3.4\n",
            "１.2.3.4",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn special_addresses_are_those_that_no_single_remote_host_has() {
        let kind = |text: &str| special(text.parse().unwrap());
        for text in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
            assert_eq!(kind(text), Some("the unspecified address"), "{text}");
        }
        for text in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(kind(text), Some("a loopback address"), "{text}");
        }
        for text in ["224.0.0.1", "239.255.255.255", "ff02::1", "::ffff:224.0.0.1"] {
            assert_eq!(kind(text), Some("a multicast address"), "{text}");
        }
        for text in ["255.255.255.255", "::ffff:255.255.255.255"] {
            assert_eq!(kind(text), Some("the broadcast address"), "{text}");
        }
        for text in
            ["0.0.0.1", "126.255.255.255", "128.0.0.1", "223.255.255.255", "240.0.0.1", "fe80::1", "::2"]
        {
            assert_eq!(kind(text), None, "{text}");
        }
    }
}

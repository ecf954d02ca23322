//! IP addresses as text, read in one way everywhere.
//!
//! An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) *is* that IPv4 address: else an allow-list and a ban would
//! disagree about it.

use std::net::IpAddr;

/// The address that this text is; nothing but an address is taken (no port, no zone, no prefix, no spaces).
pub fn parse(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
        assert_eq!(parse("::FFFF:a00:1"), parse("10.0.0.1"));
        assert_ne!(parse("::10.0.0.1"), parse("10.0.0.1"));
    }

    #[test]
    fn what_is_more_than_an_address_is_none() {
        for text in [
            "",
            " 1.2.3.4",
            "1.2.3.4 ",
            "1.2.3.4/0",
            "1.2.3.4:22",
            "fe80::1%eth0",
            "[::1]",
            "1.2.3",
            "01.2.3.4",
            "1.2.3.4}; flush ruleset; add element x {",
            "$(reboot)",
            "1.2.3.4\n",
            "１.2.3.4",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}

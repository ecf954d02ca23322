//! The values of a mapping, in little memory.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use pyruse_core::serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer, or a text. A text is an address or a port only if it is written in exactly this form: so it is returned
/// unchanged, and equal values are equal texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Integer(i64),
    Address(IpAddr),
    Port(u16),
    Text(Arc<str>),
}

impl Value {
    pub(super) fn of(text: &str) -> Value {
        if let Ok(port) = text.parse()
            && (text == "0" || !text.starts_with(['0', '+']))
        {
            return Value::Port(port);
        }
        match text.parse() {
            // An IPv4 address has one spelling, an IPv6 address has many.
            Ok(address @ IpAddr::V4(_)) => Value::Address(address),
            Ok(IpAddr::V6(address)) if is_canonical(text, address) => Value::Address(address.into()),
            _ => Value::Text(text.into()),
        }
    }
}

/// Returns `true` if the text is what `Display` writes for this address (RFC 5952). Formatting the address to compare it
/// would take most of the time of a look-up.
fn is_canonical(text: &str, address: Ipv6Addr) -> bool {
    if text.contains('.') || address.to_ipv4_mapped().is_some() {
        return text == address.to_string();
    }
    let segments = address.segments();
    // The first of the longest runs of zeros: `::` replaces it, unless it is a single one.
    let mut zeros = 0..0;
    for start in 0..segments.len() {
        let run = segments[start..].iter().take_while(|segment| **segment == 0).count();
        if run > zeros.len().max(1) {
            zeros = start..start + run;
        }
    }
    let count = |groups: &str| if groups.is_empty() { 0 } else { groups.split(':').count() };
    let is_compressed_there = match text.split_once("::") {
        Some((before, after)) => {
            count(before) == zeros.start && count(after) == segments.len() - zeros.end && !zeros.is_empty()
        }
        None => zeros.is_empty(),
    };
    let is_short = |group: &str| group.len() <= 1 || !group.starts_with('0');
    is_compressed_there && text.split(':').all(is_short) && !text.bytes().any(|b| b.is_ascii_uppercase())
}

impl Hash for Value {
    /// Shorter than a derived implementation: the kind of the value need not be hashed.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Value::Integer(integer) => integer.hash(hasher),
            Value::Address(IpAddr::V4(address)) => address.to_bits().hash(hasher),
            Value::Address(IpAddr::V6(address)) => address.to_bits().hash(hasher),
            Value::Port(port) => port.hash(hasher),
            Value::Text(text) => text.hash(hasher),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(integer) => integer.fmt(f),
            Value::Address(address) => address.fmt(f),
            Value::Port(port) => port.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Integer(integer) => serializer.serialize_i64(*integer),
            Value::Text(text) => serializer.serialize_str(text),
            plain => serializer.serialize_str(&plain.to_string()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(crate = "pyruse_core::serde", untagged)]
        enum Stored {
            Integer(i64),
            Text(String),
        }

        Ok(match Stored::deserialize(deserializer)? {
            Stored::Integer(integer) => Value::Integer(integer),
            Stored::Text(text) => Value::of(&text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was() {
        let kind = |text: &str| {
            let value = Value::of(text);
            assert_eq!(value.to_string(), text);
            value
        };
        for text in ["0", "22", "65535"] {
            assert!(matches!(kind(text), Value::Port(_)), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "::",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "1::",
            "::1:0:0:1",
            "1:2:3:4:5:6:7:8",
            "1:0:3:4:5:6:7:0",
            "1::4:0:0:7:8",
        ] {
            assert!(matches!(kind(text), Value::Address(_)), "{text}");
        }
        for text in [
            "",
            "00",
            "022",
            "+22",
            "-0",
            "65536",
            "10.0.0.01",
            "10.0.0.1 ",
            "2001:DB8::1",
            "2001:db8:0::1",
            "::ffff:a00:1",
            "2001:db8:0:1:1:1:1::",
            "2001:db8:0:0:1:0:0::",
            "2001::1:0:0:0:1",
            "::0",
            "0::",
            "fe80::1%eth0",
        ] {
            assert!(matches!(kind(text), Value::Text(_)), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_does(text in "[0-9a-f:.+]{0,40}|(0|1|:|::|00|a1){1,15}|\\PC*", bytes: [u16; 8], zeros: u8) {
            proptest::prop_assert_eq!(Value::of(&text).to_string(), text);
            let bytes: [u16; 8] = std::array::from_fn(|n| if zeros >> n & 1 == 0 { bytes[n] } else { 0 });
            let address = IpAddr::from(bytes);
            proptest::prop_assert_eq!(Value::of(&address.to_string()), Value::Address(address));
        }
    }
}

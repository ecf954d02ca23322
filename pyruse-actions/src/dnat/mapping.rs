//! A mapping: the client behind one connection of the proxy, in memory and in stored form.
//!
//! There may be a hundred thousand of them, and nearly always all values are plain: addresses and ports. So these are
//! stored in the mapping itself, and only other values use memory of their own.

use std::array;
use std::net::IpAddr;

use pyruse_core::serde::{Deserialize, Serialize};

use super::retention::UNKNOWN_BITS;
use super::value::Value;

/// The client's address and port, as captured.
pub(super) type Client = [Option<Value>; 2];

/// The normal values of the properties, in the order of [`Property::ALL`](super::property::Property::ALL). `None`: not
/// captured, or not part of the look-up.
pub(super) type Properties = [Option<Value>; 4];

/// A mapping; see the module documentation.
#[derive(Debug, PartialEq)]
pub(super) struct Mapping {
    /// Its number, in order of age; the key of its row.
    pub(super) number: u64,
    /// The second from which on it has expired.
    pub(super) end: i64,
    values: Values,
    /// The bits of its retention.
    pub(super) bits: u8,
}

/// The values of a mapping: three pairs of an address and a port, for the client, the proxy, and the service.
#[derive(Debug, PartialEq)]
enum Values {
    Plain([Option<IpAddr>; 3], [Option<u16>; 3]),
    Any(Box<[Option<Value>; 6]>),
}

/// The stored form of a mapping.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Row {
    #[serde(rename = "a")]
    saddr: Option<Value>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    sport: Option<Value>,
    #[serde(rename = "k")]
    properties: Properties,
    #[serde(rename = "e")]
    end: i64,
    #[serde(rename = "b", default = "unknown_bits")]
    bits: u8,
}

fn unknown_bits() -> u8 {
    UNKNOWN_BITS
}

impl Mapping {
    /// Creates a mapping without a number.
    pub(super) fn new(client: Client, properties: Properties, end: i64, bits: u8) -> Mapping {
        let ([saddr, sport], [addr, port, daddr, dport]) = (client, properties);
        Mapping { number: 0, end, values: Values::of([saddr, sport, addr, port, daddr, dport]), bits }
    }

    /// Parses a stored row.
    pub(super) fn from_row(number: u64, row: &[u8]) -> Result<Mapping, String> {
        let row: Row = serde_json::from_slice(row).map_err(|e| e.to_string())?;
        if u32::from(row.bits) > u64::BITS || row.saddr.is_none() {
            return Err("a stored mapping cannot be parsed".into());
        }
        Ok(Mapping { number, ..Mapping::new([row.saddr, row.sport], row.properties, row.end, row.bits) })
    }

    /// Returns its row.
    pub(super) fn to_row(&self) -> serde_json::Result<Vec<u8>> {
        let ([saddr, sport], properties) = (self.client(), self.properties());
        serde_json::to_vec(&Row { saddr, sport, properties, end: self.end, bits: self.bits })
    }

    /// Returns the values that replace the proxy's.
    pub(super) fn client(&self) -> Client {
        array::from_fn(|n| self.values.get(n))
    }

    /// Returns the values by which it is found.
    pub(super) fn properties(&self) -> Properties {
        array::from_fn(|n| self.values.get(n + 2))
    }

    /// Returns the number of bytes of its texts.
    pub(super) fn bytes(&self) -> usize {
        let Values::Any(values) = &self.values else { return 0 };
        let bytes = |value: &Value| if let Value::Text(text) = value { text.len() } else { size_of::<i64>() };
        values.iter().flatten().map(bytes).sum()
    }
}

impl Values {
    fn of(values: [Option<Value>; 6]) -> Values {
        let (mut addresses, mut ports) = ([None; 3], [None; 3]);
        for (n, value) in values.iter().enumerate() {
            match (n % 2, value) {
                (_, None) => {}
                (0, Some(Value::Address(address))) => addresses[n / 2] = Some(*address),
                (1, Some(Value::Port(port))) => ports[n / 2] = Some(*port),
                _ => return Values::Any(Box::new(values)),
            }
        }
        Values::Plain(addresses, ports)
    }

    fn get(&self, n: usize) -> Option<Value> {
        match (self, n % 2) {
            (Values::Plain(addresses, _), 0) => addresses[n / 2].map(Value::Address),
            (Values::Plain(_, ports), _) => ports[n / 2].map(Value::Port),
            (Values::Any(values), _) => values[n].clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "a value may be missing")]
    fn text(text: &str) -> Option<Value> {
        Some(Value::of(text))
    }

    fn written(mapping: &Mapping) -> String {
        let row = mapping.to_row().unwrap();
        assert_eq!(Mapping::from_row(mapping.number, &row).as_ref(), Ok(mapping));
        String::from_utf8(row).unwrap()
    }

    #[test]
    fn plain_values_come_back_from_the_row() {
        let properties = [text("10.0.0.1"), None, text("2001:db8::1"), text("443")];
        let mapping = Mapping::new([text("192.0.2.1"), text("40000")], properties, 128, 6);
        let expected =
            r#"{"a":"192.0.2.1","p":"40000","k":["10.0.0.1",null,"2001:db8::1","443"],"e":128,"b":6}"#;
        assert_eq!((written(&mapping).as_str(), mapping.bytes()), (expected, 0));
    }

    #[test]
    fn values_of_all_lengths_come_back_from_the_row() {
        for length in [0, 1, 31, 32, 4095, 4096, 1 << 20] {
            let long = "é".repeat(length);
            let client = [text(&long), Some(Value::Integer(-5))];
            let mapping = Mapping::new(client, [text(&long), None, text(""), text(&long)], i64::MAX, 6);
            let expected =
                format!(r#"{{"a":"{long}","p":-5,"k":["{long}",null,"","{long}"],"e":{},"b":6}}"#, i64::MAX);
            assert_eq!(written(&mapping), expected);
            assert_eq!(mapping.bytes(), 3 * long.len() + 8);
        }
    }

    #[test]
    fn an_invalid_row_is_an_error() {
        for row in [
            "",
            "{}",
            r#"{"a":1,"k":["x"],"e":1}"#,
            r#"{"k":["x",null,null,null],"e":1}"#,
            r#"{"a":[],"k":["x",null,null,null],"e":1}"#,
            r#"{"a":1,"k":["x",null,null,null],"e":1,"b":65}"#,
        ] {
            assert!(Mapping::from_row(0, row.as_bytes()).is_err(), "{row}");
        }
    }

    #[test]
    fn a_mapping_of_addresses_and_ports_is_one_small_value() {
        assert_eq!(size_of::<Option<Mapping>>(), 88);
    }
}

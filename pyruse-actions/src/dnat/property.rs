//! What a mapping is found by: four properties, as texts.

use std::borrow::Cow;
use std::iter;
use std::net::IpAddr;
use std::ops::Range;

use pyruse_core::address;

/// One of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Property {
    /// The proxy's address, as the service sees it.
    Addr,
    /// The proxy's port, as the service sees it.
    Port,
    /// The service's address.
    Daddr,
    /// The service's port.
    Dport,
}

impl Property {
    pub(super) const ALL: [Property; 4] = [Property::Addr, Property::Port, Property::Daddr, Property::Dport];

    /// The argument that names its field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Property::Addr => "addr",
            Property::Port => "port",
            Property::Daddr => "daddr",
            Property::Dport => "dport",
        }
    }

    /// The text that equal values have in common: of an address, the one that all its spellings share.
    pub(super) fn normal(self, text: &str) -> Cow<'_, str> {
        match self {
            Property::Addr | Property::Daddr => {
                match address::parse(text) {
                    // Dots alone have one spelling only.
                    Some(IpAddr::V4(_)) if !text.contains(':') => text.into(),
                    Some(address) => address.to_string().into(),
                    None => text.into(),
                }
            }
            Property::Port | Property::Dport => text.into(),
        }
    }
}

/// A combination of properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Combination(u8);

impl Combination {
    pub(super) fn of(properties: impl IntoIterator<Item = Property>) -> Combination {
        Combination(properties.into_iter().fold(0, |bits, property| bits | 1 << property as u8))
    }

    fn has(self, property: usize) -> bool {
        self.0 & 1 << property != 0
    }

    /// Its properties by their numbers, those that stand side by side together.
    pub(super) fn runs(self) -> impl Iterator<Item = Range<usize>> {
        let mut next = 0;
        iter::from_fn(move || {
            let start = (next..Property::ALL.len()).find(|property| self.has(*property))?;
            next = (start..Property::ALL.len()).find(|property| !self.has(*property)).unwrap_or(4);
            Some(start..next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_side_by_side_are_one_run() {
        let runs = |properties: &[Property]| -> Vec<_> {
            Combination::of(properties.iter().copied()).runs().collect()
        };
        let [addr, port, daddr, dport] = Property::ALL;
        assert!(runs(&[]).is_empty());
        assert_eq!(runs(&[dport, daddr, port, addr]), vec![0..4; 1]);
        assert_eq!(runs(&[addr, daddr]), [0..1, 2..3]);
        assert_eq!(runs(&[port, daddr]), vec![1..3; 1]);
        assert_eq!(runs(&[addr, port, dport]), [0..2, 3..4]);
    }

    #[test]
    fn all_spellings_of_an_address_are_one() {
        let normal = |text| Property::Addr.normal(text).into_owned();
        for text in ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:a00:1"] {
            assert_eq!(normal(text), "10.0.0.1");
        }
        assert_eq!(normal("2001:DB8:0::1"), "2001:db8::1");
        for text in ["10.0.0.01", "10.0.0.1 ", "proxy", ""] {
            assert_eq!(normal(text), text);
        }
        assert_eq!(Property::Port.normal("::ffff:10.0.0.1"), "::ffff:10.0.0.1");
    }
}

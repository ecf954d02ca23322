//! The four properties by which a mapping is found.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use pyruse_core::address;

use super::mapping::Properties;
use super::value::Value;

/// A property of a mapping.
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

    /// Returns the argument that names its field.
    pub(super) fn name(self) -> &'static str {
        match self {
            Property::Addr => "addr",
            Property::Port => "port",
            Property::Daddr => "daddr",
            Property::Dport => "dport",
        }
    }

    /// Returns the value that equal texts have in common: for an address, all spellings have the same value.
    pub(super) fn normal(self, text: &str) -> Value {
        match self {
            Property::Addr | Property::Daddr => {
                address::parse(text).map_or_else(|| Value::of(text), Value::Address)
            }
            Property::Port | Property::Dport => Value::of(text),
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

    fn members(self, properties: &Properties) -> impl Iterator<Item = Option<&Value>> {
        let members = properties.iter().enumerate().filter(move |(property, _)| self.0 & 1 << property != 0);
        members.map(|(_, value)| value.as_ref())
    }

    /// Returns `true` if none of its properties is missing.
    pub(super) fn is_in(self, properties: &Properties) -> bool {
        self.members(properties).all(|value| value.is_some())
    }

    /// Returns `true` if the values of its properties are equal. Two missing values are equal, too.
    pub(super) fn are_equal(self, one: &Properties, other: &Properties) -> bool {
        self.members(one).eq(self.members(other))
    }

    /// Values come from log lines, so an attacker may choose them. The hash has a secret key that the attacker does not
    /// know.
    pub(super) fn hash(self, properties: &Properties, random: &RandomState) -> u64 {
        let mut hasher = random.build_hasher();
        for value in self.members(properties) {
            match value {
                Some(value) => value.hash(&mut hasher),
                None => hasher.write_u8(0),
            }
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_properties_of_the_combination_count() {
        let random = RandomState::new();
        let of = |texts: [Option<&str>; 4]| texts.map(|text| text.map(Value::of));
        let ours = of([Some("a"), Some("1"), None, Some("x")]);
        let same = |properties: &[Property], theirs: [Option<&str>; 4]| {
            let theirs = of(theirs);
            let combination = Combination::of(properties.iter().copied());
            let are_equal = combination.are_equal(&ours, &theirs);
            assert_eq!(are_equal, combination.hash(&ours, &random) == combination.hash(&theirs, &random));
            are_equal
        };
        let [addr, port, daddr, dport] = Property::ALL;
        assert!(same(&[addr, port], [Some("a"), Some("1"), Some("y"), None]));
        assert!(!same(&[addr, port], [Some("1"), Some("a"), None, Some("x")]));
        assert!(!same(&[addr, port], [Some("a1"), Some(""), None, Some("x")]));
        assert!(same(&[addr, dport], [Some("a"), None, Some("y"), Some("x")]));
        assert!(!same(&[addr, dport], [Some("a"), Some("1"), None, Some("y")]));
        assert!(same(&[port], [Some("b"), Some("1"), None, None]));
        assert!(same(&Property::ALL, [Some("a"), Some("1"), None, Some("x")]));
        assert!(!Combination::of([daddr]).are_equal(&ours, &of([None, None, Some(""), None])));
        assert!(Combination::of([addr, dport]).is_in(&ours));
        assert!(!Combination::of(Property::ALL).is_in(&ours));
    }

    #[test]
    fn all_spellings_of_an_address_are_one() {
        let of = |property: Property, text: &str| property.normal(text).to_string();
        for text in ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:a00:1"] {
            assert_eq!(of(Property::Addr, text), "10.0.0.1");
        }
        assert_eq!(of(Property::Addr, "2001:DB8:0::1"), "2001:db8::1");
        for text in ["10.0.0.01", "10.0.0.1 ", "proxy", ""] {
            assert_eq!(of(Property::Addr, text), text);
        }
        assert_eq!(of(Property::Port, "::ffff:10.0.0.1"), "::ffff:10.0.0.1");
    }
}

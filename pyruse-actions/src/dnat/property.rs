//! What a mapping is found by: four properties, as texts.

use std::fmt::Write;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;

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

    /// Overwrites `normal` with the text that equal values have in common: of an address, the one that all its spellings
    /// share.
    pub(super) fn normalize(self, text: &str, normal: &mut String) {
        normal.clear();
        match self {
            Property::Addr | Property::Daddr => match address::parse(text) {
                // Dots alone have one spelling only.
                Some(IpAddr::V4(_)) if !text.contains(':') => normal.push_str(text),
                // A String takes all that is written to it.
                Some(address) => drop(write!(normal, "{address}")),
                None => normal.push_str(text),
            },
            Property::Port | Property::Dport => normal.push_str(text),
        }
    }
}

/// The normal texts of the properties, in the order of [`Property::ALL`]. None: not captured, or not asked for.
pub(super) type Texts<'a> = [Option<&'a str>; 4];

/// A combination of properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Combination(u8);

impl Combination {
    pub(super) fn of(properties: impl IntoIterator<Item = Property>) -> Combination {
        Combination(properties.into_iter().fold(0, |bits, property| bits | 1 << property as u8))
    }

    fn members<'a, 'b>(self, texts: &'b Texts<'a>) -> impl Iterator<Item = Option<&'a str>> + use<'a, 'b> {
        texts
            .iter()
            .enumerate()
            .filter(move |(property, _)| self.0 & 1 << property != 0)
            .map(|(_, text)| *text)
    }

    /// Is none of its properties missing?
    pub(super) fn is_in(self, texts: &Texts<'_>) -> bool {
        self.members(texts).all(|text| text.is_some())
    }

    /// Are the texts of its properties the same? What both lack is the same, too.
    pub(super) fn agrees(self, one: &Texts<'_>, other: &Texts<'_>) -> bool {
        self.members(one).eq(self.members(other))
    }

    /// Texts come from log lines, so an attacker may choose them. The hash has a secret key that the attacker does not know.
    pub(super) fn hash(self, texts: &Texts<'_>, random: &RandomState) -> u64 {
        let mut hasher = random.build_hasher();
        for text in self.members(texts) {
            text.unwrap_or_default().hash(&mut hasher);
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
        let ours = [Some("a"), Some("1"), None, Some("x")];
        let same = |properties: &[Property], theirs: Texts<'_>| {
            let combination = Combination::of(properties.iter().copied());
            let agrees = combination.agrees(&ours, &theirs);
            assert_eq!(agrees, combination.hash(&ours, &random) == combination.hash(&theirs, &random));
            agrees
        };
        let [addr, port, daddr, dport] = Property::ALL;
        assert!(same(&[addr, port], [Some("a"), Some("1"), Some("y"), None]));
        assert!(!same(&[addr, port], [Some("1"), Some("a"), None, Some("x")]));
        assert!(!same(&[addr, port], [Some("a1"), Some(""), None, Some("x")]));
        assert!(same(&[addr, dport], [Some("a"), None, Some("y"), Some("x")]));
        assert!(!same(&[addr, dport], [Some("a"), Some("1"), None, Some("y")]));
        assert!(same(&[port], [Some("b"), Some("1"), None, None]));
        assert!(same(&Property::ALL, [Some("a"), Some("1"), None, Some("x")]));
        assert!(!Combination::of([daddr]).agrees(&ours, &[None, None, Some(""), None]));
        assert!(Combination::of([addr, dport]).is_in(&ours));
        assert!(!Combination::of(Property::ALL).is_in(&ours));
    }

    #[test]
    fn all_spellings_of_an_address_are_one() {
        let mut normal = String::new();
        let mut of = |property: Property, text: &str| {
            property.normalize(text, &mut normal);
            normal.clone()
        };
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

//! What a mapping is found by: four properties, as texts.

use std::borrow::Cow;

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
                address::parse(text).map_or(Cow::Borrowed(text), |address| address.to_string().into())
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

    pub(super) fn has(self, property: Property) -> bool {
        self.0 & 1 << property as u8 != 0
    }
}

/// The values of some properties as one key. They are added in the order of [`Property::ALL`].
#[derive(Default)]
pub(super) struct Key(Vec<u8>);

impl Key {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a value in its normal form; with its length, so that no two lists of values are the same key.
    pub(super) fn push(&mut self, value: &str) {
        self.0.extend((value.len() as u64).to_le_bytes());
        self.0.extend(value.as_bytes());
    }

    /// Adds that there is no value.
    pub(super) fn push_none(&mut self) {
        self.0.extend(u64::MAX.to_le_bytes());
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

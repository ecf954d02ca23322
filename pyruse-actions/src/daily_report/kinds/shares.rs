//! Who has how many of what is bounded: so that one who has too many can only push out their own.
//!
//! An *owner* is what a writer cannot choose, a user id. An *origin* is an owner with an identifier, which a local user
//! can invent. If there are too many of something, the one to lose an item is the origin that has most, among those of
//! the owner who has most. Finding it takes logarithmic time, because an attacker decides how often that happens.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The hash of an origin.
pub(in super::super) type OriginKey = u128;

/// The number of an origin.
pub(in super::super) type OriginSlot = u32;

struct Owner {
    count: usize,
    /// Its origins, with how much each has.
    origins: BTreeSet<(usize, OriginSlot)>,
}

struct Share {
    owner: String,
    identifier: String,
    key: OriginKey,
    count: usize,
}

/// The shares of all origins that have something.
#[derive(Default)]
pub(in super::super) struct Shares {
    origins: Vec<Option<Share>>,
    free: Vec<OriginSlot>,
    by_key: HashMap<OriginKey, OriginSlot>,
    owners: HashMap<String, Owner>,
    by_size: BTreeSet<(usize, String)>,
}

/// Returns the hash of an origin.
pub(in super::super) fn origin_key(owner: &str, identifier: &str) -> OriginKey {
    let mut hasher = SipHasher13::new();
    hasher.write(owner.as_bytes());
    hasher.write_u8(0);
    hasher.write(identifier.as_bytes());
    hasher.finish128().as_u128()
}

impl Shares {
    /// Returns the origin with this hash, if it has something.
    pub(in super::super) fn find(&self, key: OriginKey) -> Option<OriginSlot> {
        self.by_key.get(&key).copied()
    }

    /// Gives one more to an origin; returns its number.
    pub(in super::super) fn give(&mut self, owner: &str, identifier: &str) -> OriginSlot {
        let key = origin_key(owner, identifier);
        let slot = self.find(key).unwrap_or_else(|| {
            let (owner, identifier) = (owner.to_owned(), identifier.to_owned());
            let slot = self.place(Share { owner, identifier, key, count: 0 });
            self.by_key.insert(key, slot);
            slot
        });
        self.change(slot, 1);
        slot
    }

    /// Gives one more to an origin that has something.
    pub(in super::super) fn give_more(&mut self, slot: OriginSlot) {
        self.change(slot, 1);
    }

    fn place(&mut self, share: Share) -> OriginSlot {
        if let Some(slot) = self.free.pop() {
            self.origins[slot as usize] = Some(share);
            return slot;
        }
        self.origins.push(Some(share));
        // There are no more origins than items, and those are bounded.
        OriginSlot::try_from(self.origins.len() - 1).unwrap_or(OriginSlot::MAX)
    }

    /// Takes one from an origin. Returns whether it has nothing left; then its number is free.
    pub(in super::super) fn take(&mut self, slot: OriginSlot) -> bool {
        self.change(slot, -1);
        let is_empty = self.origins[slot as usize].as_ref().is_some_and(|share| share.count == 0);
        if is_empty && let Some(share) = self.origins[slot as usize].take() {
            self.by_key.remove(&share.key);
            self.free.push(slot);
        }
        is_empty
    }

    fn change(&mut self, slot: OriginSlot, by: isize) {
        let Some(share) = &mut self.origins[slot as usize] else { return };
        let before = share.count;
        share.count = before.saturating_add_signed(by);
        if !self.owners.contains_key(&share.owner) {
            self.owners.insert(share.owner.clone(), Owner { count: 0, origins: BTreeSet::new() });
        }
        let Some(owner) = self.owners.get_mut(&share.owner) else { return };
        owner.origins.remove(&(before, slot));
        if share.count > 0 {
            owner.origins.insert((share.count, slot));
        }
        let mut size = (owner.count, share.owner.clone());
        self.by_size.remove(&size);
        owner.count = owner.count.saturating_add_signed(by);
        size.0 = owner.count;
        if owner.count > 0 {
            self.by_size.insert(size);
        } else {
            self.owners.remove(&share.owner);
        }
    }

    /// Returns the origin that must lose something.
    pub(in super::super) fn largest(&self) -> Option<OriginSlot> {
        let (_, owner) = self.by_size.last()?;
        self.owners.get(owner)?.origins.last().map(|(_, slot)| *slot)
    }

    /// Returns the owner and the identifier of an origin.
    pub(in super::super) fn names(&self, slot: OriginSlot) -> (&str, &str) {
        let share = self.origins.get(slot as usize).and_then(Option::as_ref);
        share.map_or(("", ""), |share| (share.owner.as_str(), share.identifier.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_origin_of_the_largest_owner_loses() {
        let mut shares = Shares::default();
        for n in 0..10 {
            shares.give("1000", &n.to_string());
            if n < 6 {
                shares.give("0", "sshd");
            }
        }
        let [sshd, kernel] = [shares.give("0", "sshd"), shares.give("", "kernel")];
        assert_eq!(shares.names(shares.largest().unwrap()).0, "1000");
        for _ in 0..4 {
            shares.take(shares.largest().unwrap());
        }
        assert_eq!(shares.largest(), Some(sshd));
        assert!((0..7).all(|n| shares.take(sshd) == (n == 6)));
        assert_eq!((shares.find(origin_key("0", "sshd")), shares.names(kernel)), (None, ("", "kernel")));
    }
}

//! Many networks as ranges of addresses, for the one question of most filters: is this address in one of them?
//!
//! Overlapping and adjacent networks become one range, so a look-up finds at most one. A large table has an index by the
//! upper half of an IPv4 address: then a look-up touches two or three cache lines, however many networks there are. A
//! prefix tree of 100,000 networks was ten times as large, and three times as slow between entries, whose data displaces
//! it from the cache.

use std::net::IpAddr;

use pyruse_core::network::Network;

/// From this number of ranges on, there is an index.
const INDEXED: usize = 1024;

/// Disjoint ranges in order.
#[derive(Debug)]
struct Ranges<T>(Vec<(T, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Ranges(Vec::new())
    }
}

impl<T: Ord + Copy> Ranges<T> {
    fn new(mut ranges: Vec<(T, T)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        Ranges(merged)
    }

    /// `begin..end` are the numbers of the ranges that can be the first one behind the number.
    fn contains_within(&self, number: T, begin: usize, end: usize) -> bool {
        let after = begin + self.0[begin..end].partition_point(|(first, _)| *first <= number);
        after > 0 && number <= self.0[after - 1].1
    }

    fn contains(&self, number: T) -> bool {
        self.contains_within(number, 0, self.0.len())
    }
}

/// The addresses of networks.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    v4: Ranges<u32>,
    /// For each value of the upper 16 bits, the number of the first range that begins there or later, and one more for
    /// the end; empty if there are few ranges.
    index: Vec<u32>,
    v6: Ranges<u128>,
}

impl Addresses {
    /// Makes the table.
    pub(crate) fn of(networks: impl Iterator<Item = Network>) -> Addresses {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match (network.first(), network.last()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.to_bits(), last.to_bits())),
                (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.to_bits(), last.to_bits())),
                // Both ends of a network are of one family.
                _ => {}
            }
        }
        let (v4, v6) = (Ranges::new(v4), Ranges::new(v6));
        let index = if v4.0.len() >= INDEXED { index(&v4.0) } else { Vec::new() };
        Addresses { v4, index, v6 }
    }

    /// Returns `true` if one of the networks contains the address, which is in its canonical form.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => {
                let number = ip.to_bits();
                let upper = (number >> 16) as usize;
                match (self.index.get(upper), self.index.get(upper + 1)) {
                    (Some(begin), Some(end)) => {
                        self.v4.contains_within(number, *begin as usize, *end as usize)
                    }
                    _ => self.v4.contains(number),
                }
            }
            IpAddr::V6(ip) => self.v6.contains(ip.to_bits()),
        }
    }
}

fn index(ranges: &[(u32, u32)]) -> Vec<u32> {
    let mut index = Vec::with_capacity((1 << 16) + 1);
    let mut at = 0;
    for upper in 0..=1_u64 << 16 {
        while ranges.get(at).is_some_and(|(first, _)| u64::from(*first) < upper << 16) {
            at += 1;
        }
        // There are fewer ranges than addresses.
        index.push(u32::try_from(at).unwrap_or(u32::MAX));
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_are_one() {
        let ranges = Ranges::new(vec![(10, 20), (15, 30), (40, 50), (12, 13)]);
        assert_eq!(ranges.0, [(10, 30), (40, 50)]);
        for (number, inside) in [(9, false), (10, true), (30, true), (31, false), (40, true), (51, false)] {
            assert_eq!(ranges.contains(number), inside, "{number}");
        }
    }

    #[test]
    fn an_indexed_table_contains_what_its_networks_contain() {
        // Networks of all lengths, in all parts of the address space, also at its ends.
        let scattered = |n: u32| n.wrapping_mul(2_654_435_761);
        let numbers = (0..20_000).map(scattered).chain([0, u32::MAX, 0xffff, 0x1_0000]);
        let numbers: Vec<u32> = numbers.collect();
        let network =
            |n: &u32| Network::new(IpAddr::V4((*n).into()), 18 + u8::try_from(n % 15).unwrap()).unwrap();
        let networks: Vec<Network> =
            numbers.iter().take(3000).chain(&numbers[20_000..]).map(network).collect();
        let table = Addresses::of(networks.iter().copied());
        assert!(!table.index.is_empty());
        let mut inside = 0;
        let edges = networks.iter().flat_map(|network| match (network.first(), network.last()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => [
                first.to_bits(),
                first.to_bits().wrapping_sub(1),
                last.to_bits(),
                last.to_bits().wrapping_add(1),
            ],
            _ => unreachable!(),
        });
        let edges: Vec<u32> = edges.step_by(7).collect();
        for number in numbers.iter().step_by(9).chain(&edges) {
            let ip = IpAddr::V4((*number).into());
            let expected = networks.iter().any(|network| network.contains(ip));
            assert_eq!(table.contains(ip), expected, "{ip}");
            inside += usize::from(expected);
        }
        assert!((100..3500).contains(&inside), "{inside}");
    }
}

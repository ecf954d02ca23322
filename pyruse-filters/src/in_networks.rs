//! `filter_inNetworks`: passes when a field holds an address in one of some networks.

use std::net::IpAddr;

use pyruse_core::address;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::network::Network;
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field with an IP address.
    field: String,
    /// Networks: `IP/bits`, or a single IP address. Host bits are ignored.
    nets: Vec<String>,
}

struct InNetworks {
    field: Slot,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

/// Disjoint ranges in order: one binary search is enough for any number of networks.
struct Ranges<T>(Vec<(T, T)>);

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
        Ranges(merged)
    }

    fn contains(&self, number: T) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after > 0 && number <= self.0[after - 1].1
    }
}

impl Module for InNetworks {
    const NAME: &'static str = "filter_inNetworks";
    const DOC: &'static str = "Passes when the IP address in the field is in one of the networks.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let mut everything = None;
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let mut invalid = None;
        for (n, text) in args.nets.iter().enumerate() {
            let net = Network::parse(text);
            if net.is_some_and(|net| net.bits() == 0) {
                everything = everything.or_else(|| Some(cx.span(&format!("nets.{n}"))));
            }
            match net.map(|net| (net.first(), net.last())) {
                Some((IpAddr::V4(first), IpAddr::V4(last))) => v4.push((first.to_bits(), last.to_bits())),
                Some((IpAddr::V6(first), IpAddr::V6(last))) => v6.push((first.to_bits(), last.to_bits())),
                _ => {
                    let message = format!("`{text}` is not a network");
                    let help = "write `192.0.2.0/24`, `2001:db8::/32`, or a single address";
                    invalid = Some(cx.error_with_help(&format!("nets.{n}"), message, help));
                }
            }
        }
        cx.states("field", Fact::Tests(field, Test::Networks { everything }));
        match invalid {
            Some(invalid) => Err(invalid),
            None => Ok(InNetworks { field, v4: Ranges::new(v4), v6: Ranges::new(v6) }),
        }
    }

    fn examples() -> Vec<Example> {
        let example = |title, args, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "inside",
                r#"{"field": "thatIP", "nets": ["10.0.0.7/8", "2001:db8::/32"]}"#,
                &[("thatIP", "10.1.2.3")],
                Expected::Passes,
            ),
            example(
                "an IPv4-mapped address is treated as that IPv4 address",
                r#"{"field": "thatIP", "nets": ["10.0.0.0/8"]}"#,
                &[("thatIP", "::ffff:10.1.2.3")],
                Expected::Passes,
            ),
            example(
                "a zone index is removed",
                r#"{"field": "thatIP", "nets": ["fe80::/10"]}"#,
                &[("thatIP", "fe80::1%eth0")],
                Expected::Passes,
            ),
            example(
                "outside",
                r#"{"field": "thatIP", "nets": ["192.0.2.1"]}"#,
                &[("thatIP", "192.0.2.2")],
                Expected::Fails,
            ),
            example(
                "not an address",
                r#"{"field": "thatIP", "nets": ["192.0.2.1"]}"#,
                &[("thatIP", "example.org")],
                Expected::Error("`example.org` is not an IP address"),
            ),
        ]
    }
}

impl Filter for InNetworks {
    fn passes(&mut self, entry: &mut Entry<'_>) -> Result<bool, StepError> {
        let found = entry.find_text(self.field, |text| match address::parse(text) {
            Some(IpAddr::V4(ip)) => Ok(self.v4.contains(ip.to_bits())),
            Some(IpAddr::V6(ip)) => Ok(self.v6.contains(ip.to_bits())),
            None => {
                Err(StepError::new(format!("`{}` is not an IP address", pyruse_core::plugin::excerpt(text))))
            }
        })?;
        Ok(found.is_some())
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<InNetworks>());

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
}

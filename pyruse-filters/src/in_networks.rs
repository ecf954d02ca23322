//! `filter_inNetworks`: passes when a field holds an address in one of some networks.

use pyruse_core::address;
use pyruse_core::entry::{Entry, Slot};
use pyruse_core::network::Network;
use pyruse_core::plugin::fact::{Fact, Test};
use pyruse_core::plugin::{Compile, Example, Expected, Filter, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use crate::in_named_list::unknown;
use crate::lists::{self, ListReader};
use crate::ranges::Addresses;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field with an IP address.
    field: String,
    /// Networks: `IP/bits`, or a single IP address, of which host bits are ignored; or the names of lists of the
    /// top-level key `lists`.
    nets: Vec<String>,
}

struct InNetworks {
    field: Slot,
    nets: Addresses,
    lists: Vec<ListReader>,
}

/// Reports a text that is neither a network nor the name of a list.
fn not_a_network(cx: &mut Compile<'_>, path: &str, text: &str) -> Invalid {
    if text.contains(['.', ':', '/']) || lists::names(cx).is_empty() {
        let help =
            "write `192.0.2.0/24`, `2001:db8::/32`, a single address, or the name of a list of `lists`";
        return cx.error_with_help(path, format!("`{text}` is not a network"), help);
    }
    unknown(cx, path, text, &format!("`{text}` is neither a network nor a list"))
}

impl Module for InNetworks {
    const NAME: &'static str = "filter_inNetworks";
    const DOC: &'static str = "Passes when the IP address in the field is in one of the networks.";
    const SETTINGS: &'static [&'static str] = &["lists"];
    const EXAMPLE_SETTINGS: &'static str = r#"{"lists": {"friends": {"nets": ["192.0.2.0/24"]}}}"#;
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let field = cx.reads_at("field", &args.field);
        let mut everything = None;
        let (mut nets, mut named) = (Vec::new(), Vec::new());
        let mut invalid = None;
        for (n, text) in args.nets.iter().enumerate() {
            let path = format!("nets.{n}");
            let net = Network::parse(text);
            // The name of a list has none of these.
            if !text.contains(['.', ':', '/'])
                && let Some(list) = lists::reader(cx, &path, text)?
            {
                if lists::holds_everything(cx, text) {
                    everything = everything.or_else(|| Some(cx.span(&path)));
                }
                named.push(list);
                continue;
            }
            if net.is_some_and(|net| net.bits() == 0) {
                everything = everything.or_else(|| Some(cx.span(&path)));
            }
            match net {
                Some(net) => nets.push(net),
                None => invalid = Some(not_a_network(cx, &path, text)),
            }
        }
        cx.states("field", Fact::Tests(field, Test::Networks { everything }));
        match invalid {
            Some(invalid) => Err(invalid),
            None => Ok(InNetworks { field, nets: Addresses::of(nets.into_iter()), lists: named }),
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
                "in a list",
                r#"{"field": "thatIP", "nets": ["10.0.0.0/8", "friends"]}"#,
                &[("thatIP", "192.0.2.7")],
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
        let now = entry.time();
        let found = entry.find_text(self.field, |text| match address::parse(text) {
            Some(ip) => {
                Ok(self.nets.contains(ip) || self.lists.iter_mut().any(|list| list.contains(ip, now)))
            }
            None => {
                Err(StepError::new(format!("`{}` is not an IP address", pyruse_core::plugin::excerpt(text))))
            }
        })?;
        Ok(found.is_some())
    }

    fn depends_on(&self) -> Option<Slot> {
        // A list may change.
        self.lists.is_empty().then_some(self.field)
    }
}

pyruse_core::inventory::submit!(Plugin::filter::<InNetworks>());

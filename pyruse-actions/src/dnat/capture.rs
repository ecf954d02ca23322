//! `action_dnatCapture`: stores, from a proxy's entry, which client is behind a connection to a service, as a mapping.

use std::fmt;

use pyruse_core::entry::{self, Entry, Slot};
use pyruse_core::plugin::fact::Fact;
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::serde::de::{Deserializer, Error, Visitor};
use pyruse_core::state::Handle;

use super::CLIENTS;
use super::mapping::Mapping;
use super::mappings::Mappings;
use super::property::Property;
use super::retention;
use super::settings::open;
use super::value::Value;

const DEFAULT_KEEP_SECONDS: u64 = 63;

/// A value in the configuration: a text, or a number that is used as its decimal text.
#[derive(Debug, JsonSchema)]
#[schemars(crate = "pyruse_core::schemars")]
struct Literal(#[schemars(with = "TextOrNumber")] String);

#[derive(JsonSchema)]
#[schemars(crate = "pyruse_core::schemars", untagged)]
#[expect(dead_code, reason = "it is there for its schema")]
enum TextOrNumber {
    Text(String),
    Number(i64),
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LiteralVisitor;

        impl Visitor<'_> for LiteralVisitor {
            type Value = Literal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Literal, E> {
                Ok(Literal(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Literal, E> {
                Ok(Literal(number.to_string()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Literal, E> {
                Ok(Literal(number.to_string()))
            }
        }

        deserializer.deserialize_any(LiteralVisitor)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct CaptureArgs {
    /// The field with the client's address. If the entry lacks it, nothing is stored.
    saddr: String,
    /// The field with the client's port.
    #[serde(default)]
    sport: Option<String>,
    /// The field with the proxy's address, as the service sees it. This or `addrValue` is required; if the entry lacks
    /// the field and there is no `addrValue`, nothing is stored.
    #[serde(default)]
    addr: Option<String>,
    /// The proxy's address, if the entry has no field `addr`.
    #[serde(rename = "addrValue", default)]
    addr_value: Option<Literal>,
    /// The field with the proxy's port, as the service sees it.
    #[serde(default)]
    port: Option<String>,
    /// The proxy's port, if the entry has no field `port`; a text or a number.
    #[serde(rename = "portValue", default)]
    port_value: Option<Literal>,
    /// The field with the service's address.
    #[serde(default)]
    daddr: Option<String>,
    /// The service's address, if the entry has no field `daddr`.
    #[serde(rename = "daddrValue", default)]
    daddr_value: Option<Literal>,
    /// The field with the service's port.
    #[serde(default)]
    dport: Option<String>,
    /// The service's port, if the entry has no field `dport`; a text or a number.
    #[serde(rename = "dportValue", default)]
    dport_value: Option<Literal>,
    /// How long the mapping is kept at least, in seconds or as `5m`; 63 seconds if absent; it is removed after four
    /// times that at the latest. Exactly: with *b* the number of binary digits of `keepSeconds`, a mapping of second
    /// *t* can be found in second *now* while `now >> b <= 1 + (t >> b)`.
    #[serde(rename = "keepSeconds", default)]
    keep_seconds: Option<Seconds>,
}

/// The source of a property's value.
struct Origin {
    property: Property,
    field: Option<Slot>,
    value: Option<Value>,
}

impl Origin {
    fn of(property: Property, field: Option<&str>, value: Option<Literal>, cx: &mut Compile<'_>) -> Origin {
        let value = value.map(|Literal(text)| property.normal(&text));
        Origin { property, field: field.map(|name| cx.reads_at(property.name(), name)), value }
    }

    fn value(&self, entry: &mut Entry<'_>) -> Option<Value> {
        let text = self.field.and_then(|slot| entry.text(slot));
        text.map(|text| self.property.normal(text)).or_else(|| self.value.clone())
    }
}

struct Capture {
    saddr: Slot,
    sport: Option<Slot>,
    /// In the order of [`Property::ALL`].
    origins: [Origin; 4],
    bits: u8,
    mappings: Handle<Mappings>,
}

impl Module for Capture {
    const NAME: &'static str = "action_dnatCapture";
    const DOC: &'static str =
        "Stores, from a proxy's entry, which client is behind a connection to a service.";
    const SETTINGS: &'static [&'static str] = &["dnat"];
    type Args = CaptureArgs;

    fn compile(args: CaptureArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        if args.addr.is_none() && args.addr_value.is_none() {
            return Err(cx.error_with_help(
                "",
                "`action_dnatCapture` needs `addr` or `addrValue`: without the proxy's address, nothing would be \
                 stored",
                "name the field with the address that the service sees, or give the address itself",
            ));
        }
        let saddr = cx.reads_at("saddr", &args.saddr);
        cx.states("saddr", Fact::Keeps { field: saddr, store: CLIENTS.into() });
        Ok(Capture {
            saddr,
            sport: args.sport.as_deref().map(|name| cx.reads_at("sport", name)),
            origins: [
                Origin::of(Property::Addr, args.addr.as_deref(), args.addr_value, cx),
                Origin::of(Property::Port, args.port.as_deref(), args.port_value, cx),
                Origin::of(Property::Daddr, args.daddr.as_deref(), args.daddr_value, cx),
                Origin::of(Property::Dport, args.dport.as_deref(), args.dport_value, cx),
            ],
            bits: retention::bits(args.keep_seconds.map_or(DEFAULT_KEEP_SECONDS, |seconds| seconds.0)),
            mappings: open(cx)?,
        })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a proxy before a mail service",
                args: r#"{"saddr": "client", "sport": "clientPort", "addrValue": "10.0.0.1", "port": "proxyPort", "dportValue": 993}"#,
                entry: &[("client", "192.0.2.1"), ("clientPort", "50000"), ("proxyPort", "40000")],
                expected: Expected::Nothing,
            },
            Example {
                title: "an entry without the client is ignored",
                args: r#"{"saddr": "client", "addr": "proxy"}"#,
                entry: &[("proxy", "10.0.0.1")],
                expected: Expected::Nothing,
            },
        ]
    }
}

impl Action for Capture {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let client = [Some(self.saddr), self.sport].map(|slot| captured(run.entry, slot?));
        if client[0].is_none() {
            return Ok(());
        }
        let properties = self.origins.each_ref().map(|origin| origin.value(run.entry));
        if properties[Property::Addr as usize].is_none() {
            return Ok(());
        }
        let now = run.entry.time();
        let mapping = Mapping::new(client, properties, retention::end(now, self.bits), self.bits);
        run.state.get_mut(self.mappings).capture(mapping, now.seconds());
        Ok(())
    }
}

fn captured(entry: &mut Entry<'_>, slot: Slot) -> Option<Value> {
    match entry.value(slot)? {
        entry::Value::Integer(integer) => Some(Value::Integer(integer)),
        entry::Value::Text(text) => Some(Value::of(text)),
        entry::Value::Time(_) => entry.text(slot).map(Value::of),
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Capture>());

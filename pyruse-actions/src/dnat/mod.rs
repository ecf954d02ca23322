//! `action_dnatCapture`, `action_dnatReplace`: the real client of a service that sees only the proxy before it.
//!
//! Behind a proxy or a translating router, a service logs the proxy as its client: and a ban would hit the proxy. The
//! proxy's own log says who connected, and from which of its ports it went on to the service. Capture takes down
//! that; replace puts the client in the place of the proxy in the service's entries.
//!
//! ```text
//! client ──────────────────▶ proxy ───────────────────▶ service
//!  saddr, sport               addr, port                 daddr, dport
//! ```
//!
//! All captures of a configuration go to one place ([`mappings`]), and all replaces look there.

mod mappings;
mod property;
mod retention;

use std::fmt;

use pyruse_core::entry::{Entry, Slot, Value};
use pyruse_core::plugin::fact::SavedAs;
use pyruse_core::plugin::{
    Act, Action, ActionModule, Compile, Example, Invalid, ModuleSettings, Outcome, Plugin, SettingsPlugin,
    StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::serde::de::{Deserializer, Error, Visitor};
use pyruse_core::state::Handle;

use self::mappings::{Captured, IndexNumber, Mapping, Mappings};
use self::property::{Combination, Key, Property};

const PART: &str = "dnat/mappings";

const DEFAULT_KEEP_SECONDS: u64 = 63;

/// Bounds of the memory for the mappings of `action_dnatCapture`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct DnatSettings {
    /// How many mappings are held; beyond that, or beyond 1 KiB for each of these, the oldest are forgotten.
    #[serde(rename = "maxMappings")]
    max_mappings: u32,
}

impl Default for DnatSettings {
    fn default() -> Self {
        DnatSettings { max_mappings: 100_000 }
    }
}

impl ModuleSettings for DnatSettings {
    const KEY: &'static str = "dnat";

    fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        if self.max_mappings == 0 {
            complain("maxMappings", "`maxMappings` must be at least 1: nothing would be captured".into());
        }
    }
}

fn open(cx: &mut Compile<'_>) -> Result<Handle<Mappings>, Invalid> {
    let handle = cx.state::<Mappings>(PART)?;
    let limit = cx.settings::<DnatSettings>().max_mappings as usize;
    cx.state_mut().get_mut(handle).set_limit(limit);
    Ok(handle)
}

/// A value in the configuration: a text, or a number that stands for its decimal text.
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
    /// The field that holds the client's address. Where the entry lacks it, nothing is recorded.
    saddr: String,
    /// The field that holds the client's port.
    #[serde(default)]
    sport: Option<String>,
    /// The field that holds the proxy's address, as the service sees it. This or `addrValue` is required; where the
    /// entry lacks the field and there is no `addrValue`, nothing is recorded.
    #[serde(default)]
    addr: Option<String>,
    /// The proxy's address, where the entry has no field `addr`.
    #[serde(rename = "addrValue", default)]
    addr_value: Option<Literal>,
    /// The field that holds the proxy's port, as the service sees it.
    #[serde(default)]
    port: Option<String>,
    /// The proxy's port, where the entry has no field `port`; a text or a number.
    #[serde(rename = "portValue", default)]
    port_value: Option<Literal>,
    /// The field that holds the service's address.
    #[serde(default)]
    daddr: Option<String>,
    /// The service's address, where the entry has no field `daddr`.
    #[serde(rename = "daddrValue", default)]
    daddr_value: Option<Literal>,
    /// The field that holds the service's port.
    #[serde(default)]
    dport: Option<String>,
    /// The service's port, where the entry has no field `dport`; a text or a number.
    #[serde(rename = "dportValue", default)]
    dport_value: Option<Literal>,
    /// For how many seconds the mapping is kept at least, 63 if absent; it is gone after four times that, at the
    /// latest. Exactly: with *b* the number of binary digits of `keepSeconds`, a mapping of second *t* is known in
    /// second *now* while `now >> b <= 1 + (t >> b)`.
    #[serde(rename = "keepSeconds", default)]
    keep_seconds: Option<u64>,
}

/// Where the value of a property comes from.
struct Origin {
    field: Option<Slot>,
    /// In its normal form.
    value: Option<String>,
}

impl Origin {
    fn of(property: Property, field: Option<&str>, value: Option<Literal>, cx: &mut Compile<'_>) -> Origin {
        let value = value.map(|Literal(text)| property.normal(&text).into_owned());
        Origin { field: field.map(|name| cx.reads_at(property.name(), name)), value }
    }

    fn value(&self, property: Property, entry: &mut Entry<'_>) -> Option<String> {
        let found = self.field.and_then(|slot| entry.text(slot));
        found.map(|text| property.normal(text).into_owned()).or_else(|| self.value.clone())
    }
}

struct Capture {
    saddr: Slot,
    sport: Option<Slot>,
    /// In the order of [`Property::ALL`].
    origins: [Origin; 4],
    keep_seconds: u64,
    mappings: Handle<Mappings>,
}

impl ActionModule for Capture {
    const NAME: &'static str = "action_dnatCapture";
    const DOC: &'static str =
        "Takes down, from a proxy's entry, which client is behind its connection to a service.";
    const SETTINGS: &'static [&'static str] = &["dnat"];
    type Args = CaptureArgs;

    fn compile(args: CaptureArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        if args.addr.is_none() && args.addr_value.is_none() {
            return Err(cx.error_with_help(
                "",
                "`action_dnatCapture` needs `addr` or `addrValue`: without the proxy's address, nothing would be recorded",
                "name the field that holds the address which the service sees, or give the address itself",
            ));
        }
        Ok(Capture {
            saddr: cx.reads_at("saddr", &args.saddr),
            sport: args.sport.as_deref().map(|name| cx.reads_at("sport", name)),
            origins: [
                Origin::of(Property::Addr, args.addr.as_deref(), args.addr_value, cx),
                Origin::of(Property::Port, args.port.as_deref(), args.port_value, cx),
                Origin::of(Property::Daddr, args.daddr.as_deref(), args.daddr_value, cx),
                Origin::of(Property::Dport, args.dport.as_deref(), args.dport_value, cx),
            ],
            keep_seconds: args.keep_seconds.unwrap_or(DEFAULT_KEEP_SECONDS),
            mappings: open(cx)?,
        })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a proxy before a mail service",
                args: r#"{"saddr": "client", "sport": "clientPort", "addrValue": "10.0.0.1", "port": "proxyPort", "dportValue": 993}"#,
                entry: &[("client", "192.0.2.1"), ("clientPort", "50000"), ("proxyPort", "40000")],
                outcome: Outcome::Nothing,
            },
            Example {
                title: "an entry that does not name the client is of no interest",
                args: r#"{"saddr": "client", "addr": "proxy"}"#,
                entry: &[("proxy", "10.0.0.1")],
                outcome: Outcome::Nothing,
            },
        ]
    }
}

impl Action for Capture {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let Some(saddr) = captured(run.entry, self.saddr) else { return Ok(()) };
        let [addr, port, daddr, dport] = &self.origins;
        let Some(addr) = addr.value(Property::Addr, run.entry) else { return Ok(()) };
        let properties = [
            Some(addr),
            port.value(Property::Port, run.entry),
            daddr.value(Property::Daddr, run.entry),
            dport.value(Property::Dport, run.entry),
        ];
        let sport = self.sport.and_then(|slot| captured(run.entry, slot));
        let now = run.entry.time();
        let end = retention::end(now, self.keep_seconds);
        let mapping = Mapping { saddr, sport, properties, end };
        run.state.get_mut(self.mappings).capture(mapping, now.seconds());
        Ok(())
    }
}

fn captured(entry: &mut Entry<'_>, slot: Slot) -> Option<Captured> {
    match entry.value(slot)? {
        Value::Integer(integer) => Some(Captured::Integer(integer)),
        Value::Text(text) => Some(Captured::Text(text.to_owned())),
        Value::Time(_) => entry.text(slot).map(|text| Captured::Text(text.to_owned())),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct ReplaceArgs {
    /// The field that holds the proxy's address, as the service sees it. At least one of `addr`, `port`, `daddr` and
    /// `dport` is required; all that are given must be equal in the mapping and in the entry. Where the entry lacks
    /// one of them, nothing happens.
    #[serde(default)]
    addr: Option<String>,
    /// The field that holds the proxy's port, as the service sees it.
    #[serde(default)]
    port: Option<String>,
    /// The field that holds the service's address.
    #[serde(default)]
    daddr: Option<String>,
    /// The field that holds the service's port.
    #[serde(default)]
    dport: Option<String>,
    /// The field to overwrite with the client's address; often the same as `addr`. This or `sportInto` is required.
    #[serde(rename = "saddrInto", default)]
    saddr_into: Option<String>,
    /// The field to overwrite with the client's port; left as it is if that port was not captured.
    #[serde(rename = "sportInto", default)]
    sport_into: Option<String>,
}

struct Replace {
    /// In the order of [`Property::ALL`].
    fields: Vec<(Property, Slot)>,
    saddr_into: Option<Slot>,
    sport_into: Option<Slot>,
    mappings: Handle<Mappings>,
    index: IndexNumber,
    key: Key,
}

/// Only what was captured is overwritten, by what it was.
fn into(name: Option<&str>, path: &str, cx: &mut Compile<'_>) -> Option<Slot> {
    name.map(|name| cx.saves_at(path, name, SavedAs::Either, false))
}

impl ActionModule for Replace {
    const NAME: &'static str = "action_dnatReplace";
    const DOC: &'static str =
        "Puts the client that `action_dnatCapture` took down in the place of the proxy.";
    const SETTINGS: &'static [&'static str] = &["dnat"];
    type Args = ReplaceArgs;

    fn compile(args: ReplaceArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let given = [args.addr, args.port, args.daddr, args.dport];
        let given = Property::ALL.into_iter().zip(given);
        let fields: Vec<(Property, Slot)> = given
            .filter_map(|(property, name)| Some((property, cx.reads_at(property.name(), &name?))))
            .collect();
        let mut valid = Ok(());
        if fields.is_empty() {
            valid = Err(cx.error_with_help(
                "",
                "`action_dnatReplace` needs at least one of `addr`, `port`, `daddr` and `dport`",
                "name the fields by which the connection is recognised",
            ));
        }
        if args.saddr_into.is_none() && args.sport_into.is_none() {
            valid = Err(cx.error_with_help(
                "",
                "`action_dnatReplace` needs `saddrInto` or `sportInto`: nothing would be replaced",
                "name the field that shall get the client's address or port",
            ));
        }
        valid?;
        let mappings = open(cx)?;
        let combination = Combination::of(fields.iter().map(|(property, _)| *property));
        Ok(Replace {
            saddr_into: into(args.saddr_into.as_deref(), "saddrInto", cx),
            sport_into: into(args.sport_into.as_deref(), "sportInto", cx),
            index: cx.state_mut().get_mut(mappings).index(combination),
            fields,
            mappings,
            key: Key::default(),
        })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a connection that nobody has captured stays as it is",
                args: r#"{"addr": "peer", "port": "peerPort", "saddrInto": "peer", "sportInto": "peerPort"}"#,
                entry: &[("peer", "10.0.0.1"), ("peerPort", "40000")],
                outcome: Outcome::Saves(&[("peer", "10.0.0.1"), ("peerPort", "40000")]),
            },
            Example {
                title: "so does one that lacks a field to be recognised by",
                args: r#"{"addr": "peer", "port": "peerPort", "saddrInto": "peer"}"#,
                entry: &[("peer", "10.0.0.1")],
                outcome: Outcome::Saves(&[("peer", "10.0.0.1")]),
            },
        ]
    }
}

impl Action for Replace {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        self.key.clear();
        for (property, slot) in &self.fields {
            let Some(text) = run.entry.text(*slot) else { return Ok(()) };
            self.key.push(&property.normal(text));
        }
        let now = run.entry.time().seconds();
        let mappings = run.state.get(self.mappings);
        let Some(mapping) = mappings.find(self.index, &self.key, now) else { return Ok(()) };
        if let Some(slot) = self.saddr_into {
            assign(run.entry, slot, &mapping.saddr);
        }
        if let (Some(slot), Some(sport)) = (self.sport_into, &mapping.sport) {
            assign(run.entry, slot, sport);
        }
        Ok(())
    }
}

fn assign(entry: &mut Entry<'_>, slot: Slot, captured: &Captured) {
    match captured {
        Captured::Integer(integer) => entry.set_integer(slot, *integer),
        Captured::Text(text) => entry.set_text(slot, text),
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Capture>());
pyruse_core::inventory::submit!(Plugin::action::<Replace>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<DnatSettings>());

//! `action_dnatReplace`: replaces the proxy by the client in a service's entry, with the newest mapping of that
//! connection.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use pyruse_core::entry::Slot;
use pyruse_core::plugin::fact::{Fact, Origin, SavedAs};
use pyruse_core::plugin::{Act, Action, Compile, Example, Expected, Invalid, Module, Plugin, StepError};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Handle;

use super::CLIENTS;
use super::mapping::Properties;
use super::mappings::{IndexNumber, Mappings};
use super::property::{Combination, Property};
use super::settings::open;
use super::value::Value;

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct ReplaceArgs {
    /// The field with the proxy's address, as the service sees it. At least one of `addr`, `port`, `daddr` and `dport`
    /// is required; all given ones must be equal in the mapping and in the entry. If the entry lacks one of them,
    /// nothing happens.
    #[serde(default)]
    addr: Option<String>,
    /// The field with the proxy's port, as the service sees it.
    #[serde(default)]
    port: Option<String>,
    /// The field with the service's address.
    #[serde(default)]
    daddr: Option<String>,
    /// The field with the service's port.
    #[serde(default)]
    dport: Option<String>,
    /// The field to overwrite with the client's address; often the same as `addr`. This or `sportInto` is required.
    #[serde(rename = "saddrInto", default)]
    saddr_into: Option<String>,
    /// The field to overwrite with the client's port; not changed if that port was not captured.
    #[serde(rename = "sportInto", default)]
    sport_into: Option<String>,
}

struct Replace {
    /// In the order of [`Property::ALL`]; `None` for a property that is not used.
    fields: [Option<Slot>; 4],
    saddr_into: Option<Slot>,
    sport_into: Option<Slot>,
    mappings: Handle<Mappings>,
    index: Arc<OnceLock<IndexNumber>>,
    /// Reused memory for a text.
    text: String,
}

/// The field to overwrite. It keeps its value if nothing was captured.
fn into(name: Option<&str>, path: &str, cx: &mut Compile<'_>) -> Option<Slot> {
    name.map(|name| cx.saves_at(path, name, SavedAs::Either, false))
}

impl Module for Replace {
    const NAME: &'static str = "action_dnatReplace";
    const DOC: &'static str =
        "Replaces a proxy's address by that of the client that `action_dnatCapture` stored.";
    const SETTINGS: &'static [&'static str] = &["dnat"];
    type Args = ReplaceArgs;

    fn compile(args: ReplaceArgs, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let mut names = [args.addr, args.port, args.daddr, args.dport].into_iter();
        let fields = Property::ALL.map(|property| {
            let name = names.next().flatten()?;
            Some(cx.reads_at(property.name(), &name))
        });
        let mut valid = Ok(());
        if fields.iter().all(Option::is_none) {
            valid = Err(cx.error_with_help(
                "",
                "`action_dnatReplace` needs at least one of `addr`, `port`, `daddr` and `dport`",
                "name the fields that identify the connection",
            ));
        }
        if args.saddr_into.is_none() && args.sport_into.is_none() {
            valid = Err(cx.error_with_help(
                "",
                "`action_dnatReplace` needs `saddrInto` or `sportInto`: nothing would be replaced",
                "name the field that should get the client's address or port",
            ));
        }
        valid?;
        let mappings = open(cx)?;
        let asked = Property::ALL.into_iter().zip(fields).filter(|(_, field)| field.is_some());
        let combination = Combination::of(asked.map(|(property, _)| property));
        // The index's number is known after binding.
        let index = Arc::new(OnceLock::new());
        let known = index.clone();
        cx.on_bind(move |state| {
            let _ = known.set(state.get_mut(mappings).index(combination));
        });
        let saddr_into = into(args.saddr_into.as_deref(), "saddrInto", cx);
        if let Some(field) = saddr_into {
            let from = vec![Origin::Store(CLIENTS.into())];
            cx.states("saddrInto", Fact::Copies { field, from });
        }
        Ok(Replace {
            saddr_into,
            sport_into: into(args.sport_into.as_deref(), "sportInto", cx),
            index,
            fields,
            mappings,
            text: String::new(),
        })
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a connection that was not captured is not changed",
                args: r#"{"addr": "peer", "port": "peerPort", "saddrInto": "peer", "sportInto": "peerPort"}"#,
                entry: &[("peer", "10.0.0.1"), ("peerPort", "40000")],
                expected: Expected::Saves(&[("peer", "10.0.0.1"), ("peerPort", "40000")]),
            },
            Example {
                title: "nor is one that lacks a field to identify it",
                args: r#"{"addr": "peer", "port": "peerPort", "saddrInto": "peer"}"#,
                entry: &[("peer", "10.0.0.1")],
                expected: Expected::Saves(&[("peer", "10.0.0.1")]),
            },
        ]
    }
}

impl Action for Replace {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let mut asked = Properties::default();
        for ((property, field), asked) in Property::ALL.into_iter().zip(self.fields).zip(&mut asked) {
            if let Some(slot) = field {
                let Some(text) = run.entry.text(slot) else { return Ok(()) };
                *asked = Some(property.normal(text));
            }
        }
        let now = run.entry.time().seconds();
        let Some(index) = self.index.get() else { return Ok(()) };
        let Some(found) = run.state.get(self.mappings).find(*index, &asked, now) else { return Ok(()) };
        for (slot, value) in [self.saddr_into, self.sport_into].into_iter().zip(found.client()) {
            match slot.zip(value) {
                None => {}
                Some((slot, Value::Integer(integer))) => run.entry.set_integer(slot, integer),
                Some((slot, Value::Text(text))) => run.entry.set_text(slot, &text),
                Some((slot, plain)) => {
                    self.text.clear();
                    // Writing to a String cannot fail.
                    let _ = write!(self.text, "{plain}");
                    run.entry.set_text(slot, &self.text);
                }
            }
        }
        Ok(())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<Replace>());

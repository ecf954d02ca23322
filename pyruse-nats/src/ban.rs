//! `action_natsBan`: bans on other machines, by a message to a stream that they read.
//!
//! A set is a connection and the first part of a subject, whose last token is the address: so a stream can keep the newest
//! word about each address. The machines that read it decide for themselves whether they ban.

use std::sync::Arc;

use async_nats::HeaderMap;
use pyruse_core::ban::{self, BanAction, Firewall, MAX_BANS, Order, OrderKind, SetNeeds, SetState};
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::{Compile, Example, Expected, Inspection, Plugin, excerpt};
use serde_json::json;

use crate::connection::Link;
use crate::publisher::{Outgoing, publish};
use crate::settings::NatsSettings;
use crate::{inspect, loops, subject};

pyruse_core::ban_arguments! {
    banSeconds {
        /// The message has the time that is left, in seconds, in the field `BAN_SECONDS`, and 0 if the ban never ends.
    }
    sets {
        /// The connection, a name in the top-level key `nats`, a space, and the first part of the subject: with `fleet ban`,
        /// the ban of 192.0.2.1 is published to `ban.192%2E0%2E2%2E1`, as `{"BAN_ACTION": "ban", "BAN_IP": "192.0.2.1",
        /// "BAN_SECONDS": 3600}`. When the ban is lifted before its end, `BAN_ACTION` is `lift`.
        set: String,
    } => [set.clone(), set]
    prefixes {
        /// The steps that ban on the other machines need `allowNetworks`.
    }
    allowSpecial {}
}

/// The machines that read the stream.
struct Machines(Vec<Arc<Link>>);

/// Splits the name of a set.
fn split(set: &str) -> Result<(&str, &str), String> {
    let bad = |why: &str| format!("`{}` is no set: {why}", excerpt(set));
    let (connection, prefix) = set.split_once(' ').ok_or_else(|| bad("there is no space in it"))?;
    subject::check(prefix, false).map_err(|why| bad(&why))?;
    // An address has at most 43 bytes, and its token at most three times as many.
    if prefix.len() > subject::LONGEST - 130 {
        return Err(bad("the subject is too long"));
    }
    Ok((connection, prefix))
}

impl Machines {
    fn link(&self, name: &str) -> Option<&Arc<Link>> {
        self.0.iter().find(|link| link.name == name)
    }
}

impl Firewall for Machines {
    const NAME: &'static str = "action_natsBan";
    const DOC: &'static str =
        "Bans an address, or its network, on the machines that read a stream of NATS JetStream.";
    const SET_ARGUMENTS: [&'static str; 2] = ["set", "set"];
    const SET_HELP: &'static str =
        "write the name of a connection of the top-level key `nats`, a space, and a subject: `fleet ban`";
    const BATCH: usize = 64;
    const EXAMPLE_SETTINGS: &'static str =
        r#"{"nats": {"fleet": {"servers": ["tls://nats.example.org:4222"]}}}"#;
    type Args = Args;
    type Settings = NatsSettings;

    fn new(settings: &NatsSettings) -> Machines {
        Machines(settings.0.iter().map(|(name, connection)| Link::new(name, connection)).collect())
    }

    fn max_bans(_settings: &NatsSettings) -> u32 {
        MAX_BANS
    }

    fn set_name(text: &str) -> Result<String, String> {
        let (connection, prefix) = split(text)?;
        Ok(format!("{connection} {prefix}"))
    }

    fn unknown_set(settings: &NatsSettings, set: &str) -> Option<String> {
        settings.find(split(set).ok()?.0).err()
    }

    fn state_facts(set: &str, cx: &mut Compile<'_>) {
        if let Ok((connection, prefix)) = split(set) {
            loops::state_feeds("set", connection, &format!("{prefix}.*"), cx);
        }
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; orders.len()];
        for link in &self.0 {
            let of_link = orders.iter().enumerate().filter_map(|(n, order)| {
                let (connection, prefix) = split(&order.set).ok()?;
                (connection == link.name).then(|| (n, message(prefix, order)))
            });
            let (places, messages): (Vec<usize>, Vec<Outgoing>) = of_link.unzip();
            if messages.is_empty() {
                continue;
            }
            for (place, outcome) in places.into_iter().zip(publish(link, messages)) {
                outcomes[place] = Some(outcome);
            }
        }
        let no_link = || Outcome::GiveUp("`nats` has no connection of this name any more".to_owned());
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(no_link)).collect()
    }

    fn inspect_set(&self, set: &str, _needs: SetNeeds, inspection: &mut Inspection) -> Option<SetState> {
        let (connection, prefix) = split(set).ok()?;
        let link = self.link(connection)?;
        for finding in inspect::publishing(link, &format!("{prefix}.x"), None, inspection) {
            inspection.argument("set", finding.severity, finding.message, finding.help);
        }
        None
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "all machines of a fleet",
                args: r#"{"IP": "thatIP", "banSeconds": "1h", "set": "fleet ban"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_natsBan", "set": "fleet ban", "ip": "192.0.2.1", "seconds": 3600, "renewed": false}"#,
                ),
            },
            Example {
                title: "no address",
                args: r#"{"IP": "thatIP", "set": "fleet ban"}"#,
                entry: &[("thatIP", "all of them")],
                expected: Expected::Error("`all of them` is not an IP address: nothing is banned"),
            },
        ]
    }
}

fn message(prefix: &str, order: &Order) -> Outgoing {
    let mut subject = format!("{prefix}.");
    subject::encode(&order.net.to_string(), &mut subject);
    let ip = order.net.to_string();
    let fields = match order.kind {
        OrderKind::Ban { timeout } | OrderKind::Renew { timeout } => json!({
            "BAN_ACTION": "ban", "BAN_IP": ip, "BAN_SECONDS": timeout.unwrap_or(0),
        }),
        OrderKind::Lift => json!({"BAN_ACTION": "lift", "BAN_IP": ip}),
    };
    Outgoing { subject, headers: HeaderMap::new(), payload: fields.to_string().into_bytes() }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<Machines>>());
pyruse_core::inventory::submit!(ban::service::<Machines>());

//! A firewall that is none of the built-in ones: each set is a file in a directory, with a line for each address that
//! is denied: the address, and for how many seconds.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use pyruse_core::ban::{
    self, BanAction, Firewall, FoundSet, MAX_BANS, Order, OrderKind, SetNeeds, SetState, check_settings,
};
use pyruse_core::courier::Outcome;
use pyruse_core::network::Network;
use pyruse_core::plugin::{Example, Expected, Inspection, ModuleSettings, Plugin, SettingsPlugin};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// Where the files are.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct DenySettings {
    /// The directory.
    directory: PathBuf,
    /// How many bans are held.
    #[serde(rename = "maxBans")]
    max_bans: u32,
}

impl Default for DenySettings {
    fn default() -> Self {
        DenySettings { directory: "/etc/deny".into(), max_bans: MAX_BANS }
    }
}

impl ModuleSettings for DenySettings {
    const KEY: &'static str = "denyFiles";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        check_settings("", None, self.max_bans, report);
    }
}

pyruse_core::ban_arguments! {
    banSeconds {}
    sets {
        /// The file for IPv4 addresses, without its directory.
        #[serde(rename = "denyIPv4")]
        v4: String,
        /// The file for IPv6 addresses, without its directory.
        #[serde(rename = "denyIPv6")]
        v6: String,
    } => [v4, v6]
    prefixes {
        /// Such a ban is given up: a file denies single hosts only.
    }
    allowSpecial {}
}

struct DenyFiles {
    directory: PathBuf,
}

impl Firewall for DenyFiles {
    const NAME: &'static str = "action_denyBan";
    const DOC: &'static str = "Bans an address by a line in a file.";
    const SET_ARGUMENTS: [&'static str; 2] = ["denyIPv4", "denyIPv6"];
    const SET_HELP: &'static str = "write the name of a file: `mail.deny`";
    const LONGEST_TIMEOUT: Option<u64> = Some(86_400);
    type Args = Args;
    type Settings = DenySettings;

    fn new(settings: &DenySettings) -> DenyFiles {
        DenyFiles { directory: settings.directory.clone() }
    }

    fn max_bans(settings: &DenySettings) -> u32 {
        settings.max_bans
    }

    fn set_name(text: &str) -> Result<String, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !text.is_empty() && !text.starts_with('.') && text.chars().all(plain) {
            Ok(text.to_owned())
        } else {
            Err(format!("`{text}` cannot be the name of a file for bans"))
        }
    }

    fn never_holds(net: Network) -> Option<&'static str> {
        (!net.is_single() || net.first().is_unspecified()).then_some("a file denies single hosts only")
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        orders
            .iter()
            .map(|order| match self.write(order) {
                Ok(()) => Outcome::Done,
                Err(e) => Outcome::Retry(format!("file `{}`: {e}", order.set)),
            })
            .collect()
    }

    fn inspect_set(&self, set: &str, _: SetNeeds, _: &mut Inspection) -> Option<SetState> {
        let path = self.directory.join(set);
        let command = format!("touch {}", path.display());
        Some(if path.exists() {
            SetState::Found(FoundSet {
                holds: "addresses".into(),
                wanted: "addresses",
                command,
                has_timeouts: true,
                own_timeout: None,
                has_networks: false,
                unusable: None,
                is_used: true,
            })
        } else {
            SetState::Missing { help: format!("create it with: {command}") }
        })
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "for ever",
            args: r#"{"IP": "thatIP", "denyIPv4": "ssh4.deny", "denyIPv6": "ssh6.deny"}"#,
            entry: &[("thatIP", "192.0.2.1")],
            expected: Expected::Effect(
                r#"{"effect": "ban", "action": "action_denyBan", "set": "ssh4.deny", "ip": "192.0.2.1", "seconds": 0, "renewed": false}"#,
            ),
        }]
    }
}

impl DenyFiles {
    /// Changes a file that exists; makes none.
    fn write(&self, order: &Order) -> std::io::Result<()> {
        let path = self.directory.join(&order.set);
        let text = fs::read_to_string(&path)?;
        let mut lines: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let ip = order.net.to_string();
        let time = match order.kind {
            OrderKind::Ban { timeout: Some(seconds) } | OrderKind::Renew { timeout: Some(seconds) } => {
                Some(seconds.to_string())
            }
            OrderKind::Ban { timeout: None } | OrderKind::Renew { timeout: None } => Some("ever".to_owned()),
            OrderKind::Lift => None,
        };
        lines.remove(&*ip);
        if let Some(time) = &time {
            lines.insert(&ip, time);
        }
        let lines: Vec<String> = lines.iter().map(|(ip, time)| format!("{ip} {time}\n")).collect();
        fs::write(path, lines.concat())
    }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<DenyFiles>>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<DenySettings>());
pyruse_core::inventory::submit!(ban::service::<DenyFiles>());

//! `action_ipsetBan`: bans in sets of ipset.

mod program;

use pyruse_core::ban::{
    self, BanAction, BatchRunner, Firewall, MAX_BANS, Order, SetNeeds, SetState, check_settings,
};
use pyruse_core::courier::Outcome;
use pyruse_core::network::Network;
use pyruse_core::plugin::{Example, Expected, Inspection, ModuleSettings, Plugin, SettingsPlugin};
use pyruse_core::program::with_default_found;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use self::program::{EXIST, IpsetProgram, QUIET};

const DEFAULT_IPSET: &str = "/usr/bin/ipset";

/// The kernel's longest timeout of an element, in seconds: its milliseconds are a signed 32-bit number. The kernel
/// refuses a longer one.
const LONGEST_TIMEOUT: u64 = 2_147_483;

/// The kernel's limit for the length of a set's name, in bytes.
const LONGEST_NAME: usize = 31;

/// Settings of `action_ipsetBan`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct IpsetSettings {
    /// The command, as a list: the program and its first arguments. `add SET IP timeout N` is appended to it as
    /// separate arguments; for many bans at once, `restore` is appended, with such commands on its standard input. It
    /// is run without a shell.
    ipset: Vec<String>,
    /// How many bans are kept; beyond that, one that ends soon is forgotten: the firewall keeps it until it ends, but
    /// it is not put back.
    #[serde(rename = "maxBans")]
    max_bans: u32,
}

impl Default for IpsetSettings {
    fn default() -> Self {
        let ipset = [DEFAULT_IPSET, EXIST, QUIET].map(str::to_owned).into();
        IpsetSettings { ipset, max_bans: MAX_BANS }
    }
}

impl ModuleSettings for IpsetSettings {
    const KEY: &'static str = "ipsetBan";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        check_settings("ipset", Some(&self.ipset), self.max_bans, report);
    }
}

pyruse_core::ban_arguments! {
    banSeconds {
        /// The set must have been created with `timeout`. If it also gets bans without end, create it with `timeout 0`:
        /// otherwise ipset removes them after the set's time-out.
    }
    sets {
        /// The set for IPv4 addresses, e.g. `mail_ban4`, created by
        /// `ipset create mail_ban4 hash:ip family inet timeout 0`.
        #[serde(rename = "ipSetIPv4")]
        set_v4: String,
        /// The set for IPv6 addresses, e.g. `mail_ban6`, created by
        /// `ipset create mail_ban6 hash:ip family inet6 timeout 0`.
        #[serde(rename = "ipSetIPv6")]
        set_v6: String,
    } => [set_v4, set_v6]
    prefixes {
        /// The set must be a `hash:net`.
    }
    allowSpecial {
        /// The unspecified address is never banned: an ipset cannot contain it.
    }
}

/// The firewall.
struct Ipset(BatchRunner<IpsetProgram>);

impl Firewall for Ipset {
    const NAME: &'static str = "action_ipsetBan";
    const DOC: &'static str = "Bans an address, or its network, by adding it to an ipset.";
    const SET_ARGUMENTS: [&'static str; 2] = ["ipSetIPv4", "ipSetIPv6"];
    const SET_HELP: &'static str = "write only the name of the set: `mail_ban4`";
    const LONGEST_TIMEOUT: Option<u64> = Some(LONGEST_TIMEOUT);
    const FORMER_FILE: Option<&'static str> = Some("action_ipsetBan.py.json");
    type Args = Args;
    type Settings = IpsetSettings;

    fn new(settings: &IpsetSettings) -> Ipset {
        let argv = with_default_found(&settings.ipset, DEFAULT_IPSET);
        Ipset(BatchRunner::new(IpsetProgram { argv }))
    }

    fn max_bans(settings: &IpsetSettings) -> u32 {
        settings.max_bans
    }

    fn set_name(text: &str) -> Result<String, String> {
        match set_error(text) {
            None => Ok(text.to_owned()),
            Some(why) => Err(format!("`{text}` is not a valid name of an ipset: {why}")),
        }
    }

    fn never_holds(net: Network) -> Option<&'static str> {
        if net.bits() == 0 {
            return Some("an ipset cannot contain all addresses");
        }
        let is_unspecified = net.is_single() && net.first().is_unspecified();
        is_unspecified.then_some("an ipset cannot contain the unspecified address")
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        self.0.deliver(orders)
    }

    fn inspect_set(&self, set: &str, needs: SetNeeds, inspection: &mut Inspection) -> Option<SetState> {
        Some(self.0.dialect.inspect_set(set, needs, inspection))
    }

    fn examples() -> Vec<Example> {
        let timed =
            r#"{"IP": "thatIP", "banSeconds": 600, "ipSetIPv4": "ssh_ban4", "ipSetIPv6": "ssh_ban6"}"#;
        let for_ever = r#"{"IP": "thatIP", "ipSetIPv4": "ssh_ban4", "ipSetIPv6": "ssh_ban6"}"#;
        vec![
            Example {
                title: "ten minutes",
                args: timed,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_ipsetBan", "set": "ssh_ban4", "ip": "192.0.2.1", "seconds": 600, "renewed": false}"#,
                ),
            },
            Example {
                title: "for ever",
                args: for_ever,
                entry: &[("thatIP", "2001:DB8:0::1")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_ipsetBan", "set": "ssh_ban6", "ip": "2001:db8::1", "seconds": 0, "renewed": false}"#,
                ),
            },
            Example {
                title: "the network of an address",
                args: r#"{"IP": "thatIP", "prefix4": 24, "prefix6": 64, "ipSetIPv4": "web_nets4", "ipSetIPv6": "web_nets6"}"#,
                entry: &[("thatIP", "192.0.2.7")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_ipsetBan", "set": "web_nets4", "ip": "192.0.2.0/24", "seconds": 0, "renewed": false}"#,
                ),
            },
            Example {
                title: "a host name is not resolved",
                args: timed,
                entry: &[("thatIP", "host.example.org")],
                expected: Expected::Error("`host.example.org` is not an IP address: nothing is banned"),
            },
        ]
    }
}

/// Returns why the text is not the name of a set, for the kernel or as a word in the input of `ipset restore`.
fn set_error(set: &str) -> Option<String> {
    if set.is_empty() {
        Some("it is empty".into())
    } else if set.len() > LONGEST_NAME {
        Some(format!("it has {} bytes, but at most {LONGEST_NAME} are allowed", set.len()))
    } else if set.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("it contains spaces or control characters".into())
    } else if set.contains(['"', '\'', '\\']) {
        Some("it contains quotes or backslashes".into())
    } else if set.starts_with('-') {
        Some("it looks like an option".into())
    } else {
        None
    }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<Ipset>>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<IpsetSettings>());
pyruse_core::inventory::submit!(ban::service::<Ipset>());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_that_the_kernel_takes() {
        for good in ["a", "mail_ban4", "Sperrliste-Ä", &"x".repeat(31), "a.b:c"] {
            assert_eq!(Ipset::set_name(good).as_deref(), Ok(good));
        }
        for bad in ["", "a b", "a\n", "a\u{85}", &"x".repeat(32), "-exist", "a\"b", "a'", "a\\", "ä\u{a0}"] {
            assert!(Ipset::set_name(bad).is_err(), "{bad:?}");
        }
    }
}

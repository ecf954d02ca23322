//! `action_nftBan`: bans in sets of nftables.
//!
//! A batch of bans is one transaction: sent to the kernel directly ([`netlink`]), or by one `nft` process if the
//! configuration names a command.

mod netlink;
mod obstacle;
mod program;

use pyruse_core::ban::{
    self, BanAction, BatchRunner, Firewall, MAX_BANS, Order, SetNeeds, SetState, check_settings,
};
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::{Example, Expected, Inspection, ModuleSettings, Plugin, SettingsPlugin};
use pyruse_core::program::with_default_found;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use self::netlink::Netlink;
use self::program::NftProgram;

const DEFAULT_NFT: &str = "/usr/bin/nft";

/// Settings of `action_nftBan`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct NftSettings {
    /// The command, as a list: the program and its first arguments. The nft command is appended to it as one argument.
    /// It is run without a shell. By default no program is run: bans are sent to the kernel by netlink, which needs
    /// CAP_NET_ADMIN; only for what netlink does not support here, such as sets of more than addresses,
    /// `/usr/bin/nft` is run.
    nft: Option<Vec<String>>,
    /// How many bans are kept; beyond that, one that ends soon is forgotten: the firewall keeps it until it ends, but
    /// it is not put back.
    #[serde(rename = "maxBans")]
    max_bans: u32,
}

impl Default for NftSettings {
    fn default() -> Self {
        NftSettings { nft: None, max_bans: MAX_BANS }
    }
}

impl ModuleSettings for NftSettings {
    const KEY: &'static str = "nftBan";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        check_settings("nft", self.nft.as_deref(), self.max_bans, report);
    }
}

pyruse_core::ban_arguments! {
    banSeconds {}
    sets {
        /// The set for IPv4 addresses: family, table and set, e.g. `ip Inet4 mail_ban`.
        #[serde(rename = "nftSetIPv4")]
        set_v4: String,
        /// The set for IPv6 addresses: family, table and set, e.g. `ip6 Inet6 mail_ban`.
        #[serde(rename = "nftSetIPv6")]
        set_v6: String,
    } => [set_v4, set_v6]
    prefixes {
        /// The set must have `flags interval`.
    }
    allowSpecial {}
}

/// The firewall.
struct Nft {
    /// Used unless the configuration names a program.
    netlink: Option<Netlink>,
    program: BatchRunner<NftProgram>,
}

impl Firewall for Nft {
    const NAME: &'static str = "action_nftBan";
    const DOC: &'static str = "Bans an address, or its network, by adding it to an nftables set.";
    const SET_ARGUMENTS: [&'static str; 2] = ["nftSetIPv4", "nftSetIPv6"];
    const SET_HELP: &'static str = "write family, table and set: `ip Inet4 mail_ban`";
    const EXCLUSIVE: bool = true;
    const FORMER_FILE: Option<&'static str> = Some("action_nftBan.py.json");
    type Args = Args;
    type Settings = NftSettings;

    fn new(settings: &NftSettings) -> Nft {
        let default = [DEFAULT_NFT.to_owned()];
        let argv = with_default_found(settings.nft.as_deref().unwrap_or(&default), DEFAULT_NFT);
        Nft {
            netlink: settings.nft.is_none().then(|| Netlink::new(Self::NAME)),
            program: BatchRunner::new(NftProgram { argv }),
        }
    }

    fn max_bans(settings: &NftSettings) -> u32 {
        settings.max_bans
    }

    /// It is the configuration's own text, so all that matters is that it stays a single name.
    fn set_name(text: &str) -> Result<String, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let plain = |c: char| !c.is_control() && !"{}();\"'#$\\".contains(c);
        if (2..=3).contains(&words.len()) && text.chars().all(plain) {
            Ok(words.join(" "))
        } else {
            Err(format!("`{text}` does not name an nftables set"))
        }
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        match &mut self.netlink {
            Some(netlink) => netlink.deliver(orders, &mut self.program),
            None => self.program.deliver(orders),
        }
    }

    fn inspect_set(&self, set: &str, needs: SetNeeds, inspection: &mut Inspection) -> Option<SetState> {
        let is_needed = self.netlink.is_none();
        Some(self.program.dialect.inspect_set(set, needs, is_needed, inspection))
    }

    fn examples() -> Vec<Example> {
        let args = r#"{"IP": "thatIP", "banSeconds": 600, "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}"#;
        let example = |title, entry, expected| Example { title, args, entry, expected };
        vec![
            example(
                "ten minutes",
                &[("thatIP", "192.0.2.1")],
                Expected::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip Inet4 ssh_ban", "ip": "192.0.2.1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "the parsed address is used, not the text",
                &[("thatIP", "2001:DB8:0::1")],
                Expected::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip6 Inet6 ssh_ban", "ip": "2001:db8::1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "a zone index is removed",
                &[("thatIP", "fe80::1%eth0")],
                Expected::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip6 Inet6 ssh_ban", "ip": "fe80::1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "an address that no remote host has",
                &[("thatIP", "127.0.0.1")],
                Expected::Error(
                    "127.0.0.1 is a loopback address: nothing is banned; `allowSpecial` allows the ban",
                ),
            ),
            Example {
                title: "the network of 2^64 addresses that an IPv6 client usually has",
                args: r#"{"IP": "thatIP", "banSeconds": 600, "prefix6": 64, "nftSetIPv4": "inet mine ssh_ban4", "nftSetIPv6": "inet mine ssh_ban6"}"#,
                entry: &[("thatIP", "2001:db8:1:2:3::4")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "inet mine ssh_ban6", "ip": "2001:db8:1:2::/64", "seconds": 600, "renewed": false}"#,
                ),
            },
            example(
                "an attack on nft's parser",
                &[("thatIP", "192.0.2.1}; flush ruleset; add element x {")],
                Expected::Error(
                    "`192.0.2.1}; flush ruleset; add element x {` is not an IP address: nothing is banned",
                ),
            ),
        ]
    }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<Nft>>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<NftSettings>());
pyruse_core::inventory::submit!(ban::service::<Nft>());

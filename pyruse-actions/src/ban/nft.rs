//! `action_nftBan`: bans in sets of nftables.
//!
//! A batch of bans is one transaction: sent to the kernel directly ([`super::netlink`]), or by one `nft` process if the
//! configuration names a command.

use std::time::Duration;

use pyruse_core::courier::Deliver;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Inspection, Invalid, Module, ModuleSettings, Outcome as Shown, Plugin,
    ServicePlugin, SettingsPlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;
use serde_json::Value;

use super::batch::{BanCourier, Command, Dialect};
use super::configured::{MAX_BANS, Notes, check_settings};
use super::inspect::{Asked, Firewall, Set, inspect};
use super::netlink::NetlinkCourier;
use super::obstacle::{HOLDS, Obstacle, making};
use super::{BanAction, BanService, Bans, Left, Order};
use crate::program::{self, Failure};

const NAME: &str = "action_nftBan";
const DEFAULT_NFT: &str = "/usr/bin/nft";

/// The kernel's limit for one argument is 128 KiB.
const ARGUMENT: usize = 100 * 1024;

/// What nft prints about a set, table, or element that does not exist.
const MISSING: &str = "No such file or directory";

/// What nft prints about a set that is full.
const FULL: &str = "Too many open files in system";

/// A healthy `nft` takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How `action_nftBan` reaches nftables.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct NftSettings {
    /// The command, as a list: the program and its first arguments. The nft command is appended to it as one more
    /// argument. It is run without a shell. Where none is given, no program is run: bans are told to the kernel itself,
    /// by netlink, which takes CAP_NET_ADMIN; and only what cannot be told so, such as elements of a set with
    /// `flags interval`, is done by `/usr/bin/nft`.
    nft: Option<Vec<String>>,
    /// How many bans are held; beyond that, one that ends soon is forgotten: the firewall keeps it until it ends, but it is
    /// not put back.
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

    fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        check_settings("nft", self.nft.as_deref(), self.max_bans, complain);
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field that holds the address to ban.
    #[serde(rename = "IP")]
    ip: String,
    /// For how long from the entry's time, in seconds or as `1h` or `7d`; absent or 0: for ever.
    #[serde(rename = "banSeconds", default)]
    ban_seconds: Option<Seconds>,
    /// The set for IPv4 addresses: family, table and set, e.g. `ip Inet4 mail_ban`.
    #[serde(rename = "nftSetIPv4")]
    set_v4: String,
    /// The set for IPv6 addresses: family, table and set, e.g. `ip6 Inet6 mail_ban`.
    #[serde(rename = "nftSetIPv6")]
    set_v6: String,
    /// Ban also the unspecified address, loopback, multicast and broadcast addresses. Without this, they are refused: no
    /// remote host has one, and a ban of it hits your own services.
    #[serde(rename = "allowSpecial", default)]
    allow_special: bool,
}

struct NftBan {
    ban: BanAction,
    nft: Nft,
}

impl Module for NftBan {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Bans an address by adding it to a set of nftables.";
    const SETTINGS: &'static [&'static str] = &["nftBan"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let v4 = check_set("nftSetIPv4", &args.set_v4, cx);
        let v6 = check_set("nftSetIPv6", &args.set_v6, cx);
        let seconds = args.ban_seconds.map(|seconds| seconds.0);
        let max_bans = cx.settings::<NftSettings>().max_bans;
        let ban = BanAction::new(NAME, (&args.ip, v4?, v6?), (seconds, args.allow_special), max_bans, cx)?;
        Ok(NftBan { ban, nft: Nft::of(&cx.settings()) })
    }

    fn examples() -> Vec<Example> {
        let args = r#"{"IP": "thatIP", "banSeconds": 600, "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}"#;
        let example = |title, entry, outcome| Example { title, args, entry, outcome };
        vec![
            example(
                "ten minutes",
                &[("thatIP", "192.0.2.1")],
                Shown::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip Inet4 ssh_ban", "ip": "192.0.2.1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "the parsed address counts, not the text",
                &[("thatIP", "2001:DB8:0::1")],
                Shown::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip6 Inet6 ssh_ban", "ip": "2001:db8::1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "a zone index is cut off",
                &[("thatIP", "fe80::1%eth0")],
                Shown::Effect(
                    r#"{"effect": "ban", "action": "action_nftBan", "set": "ip6 Inet6 ssh_ban", "ip": "fe80::1", "seconds": 600, "renewed": false}"#,
                ),
            ),
            example(
                "an address that no remote host has",
                &[("thatIP", "127.0.0.1")],
                Shown::Error(
                    "127.0.0.1 is a loopback address: nothing is banned; `allowSpecial` would ban it",
                ),
            ),
            example(
                "an attack on nft's parser",
                &[("thatIP", "192.0.2.1}; flush ruleset; add element x {")],
                Shown::Error(
                    "`192.0.2.1}; flush ruleset; add element x {` is not an IP address: nothing is banned",
                ),
            ),
        ]
    }
}

fn check_set(path: &str, set: &str, cx: &mut Compile<'_>) -> Result<String, Invalid> {
    set_name(set).ok_or_else(|| {
        let message = format!("`{set}` does not name a set of nftables");
        cx.error_with_help(path, message, "write family, table and set: `ip Inet4 mail_ban`")
    })
}

/// Checks the name of a set. It is the configuration's own text, so all that matters is that it stays a single name.
fn set_name(set: &str) -> Option<String> {
    let words: Vec<&str> = set.split_whitespace().collect();
    let plain = |c: char| !c.is_control() && !"{}();\"'#$\\".contains(c);
    ((2..=3).contains(&words.len()) && set.chars().all(plain)).then(|| words.join(" "))
}

impl Action for NftBan {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        self.ban.act(run)
    }

    fn inspect(&self, inspection: &mut Inspection) {
        inspect(&self.ban, &self.nft, inspection);
    }
}

/// The program.
pub(super) struct Nft {
    argv: Vec<String>,
    /// The configuration names it, so every ban needs it.
    wanted: bool,
}

impl Nft {
    fn of(settings: &NftSettings) -> Nft {
        let default = [DEFAULT_NFT.to_owned()];
        let argv = settings.nft.as_deref().unwrap_or(&default);
        Nft { argv: program::with_default_found(argv, DEFAULT_NFT), wanted: settings.nft.is_some() }
    }
}

/// What nft prints about a table that does not exist.
const NO_SUCH: &str = "No such file or directory";

impl Firewall for Nft {
    const ARGUMENTS: [&'static str; 2] = ["nftSetIPv4", "nftSetIPv6"];
    const HOLDS: [&'static str; 2] = HOLDS;
    const PROGRAM: &'static str = "nftBan.nft";

    /// Asks for the set's whole table, which has the rules that use the set, but without elements.
    fn ask(&self, set: &str, inspection: &mut Inspection) -> Asked {
        let words: Vec<&str> = set.split(' ').collect();
        let (family, table, name) = match words.as_slice() {
            [family, table, name] => (*family, *table, *name),
            [table, name] => ("ip", *table, *name),
            _ => return Asked::Missing,
        };
        let question = format!("list table {family} {table}");
        let ask = || program::ask(&self.argv, &["-j", "-t", &question], TIME_LIMIT);
        let answer = match inspection.once(&format!("nft {question}"), ask) {
            Ok(answer) => answer,
            // Bans work without the program; only the check needs it.
            Err(failure) if failure.not_started && !self.wanted => return Asked::Unknown(failure.message),
            Err(failure) => return Asked::failed(failure, NO_SUCH),
        };
        let Ok(listing) = serde_json::from_slice::<Value>(&answer) else {
            return Asked::Unknown(format!("`{}` does not answer as nft does", self.argv.join(" ")));
        };
        let items = listing["nftables"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(set) = items.iter().map(|item| &item["set"]).find(|set| set["name"] == name) else {
            return Asked::Missing;
        };
        let flags = set["flags"].as_array().map_or(&[][..], Vec::as_slice);
        let holds = match &set["type"] {
            Value::String(one) => one.clone(),
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" . "),
            _ => "something else".to_owned(),
        };
        let reference = Value::String(format!("@{name}"));
        Asked::Set(Set {
            holds,
            timeouts: flags.iter().any(|flag| flag == "timeout"),
            own_timeout: set["timeout"].as_u64().filter(|seconds| *seconds > 0),
            ranges: flags.iter().any(|flag| flag == "interval"),
            used: items.iter().any(|item| holds_value(&item["rule"], &reference)),
        })
    }

    fn making(set: &str, family: usize) -> String {
        making(set, Self::HOLDS[family])
    }
}

fn holds_value(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(items) => items.iter().any(|item| holds_value(item, wanted)),
            Value::Object(members) => members.values().any(|item| holds_value(item, wanted)),
            _ => false,
        }
}

impl Dialect for Nft {
    const TOGETHER: usize = 2;
    const LONGEST: usize = ARGUMENT;

    fn command(order: &Order, now: Timestamp) -> Option<String> {
        let Order { set, ip, renew, .. } = order;
        let add = match order.left(now) {
            Left::Over => return None,
            // Deleting a missing element fails, and would fail the whole transaction: so it is added first.
            _ if order.lift => {
                return Some(format!("add element {set} {{{ip}}}; delete element {set} {{{ip}}}"));
            }
            Left::Seconds(seconds) => format!("add element {set} {{{ip} timeout {seconds}s}}"),
            Left::Forever => format!("add element {set} {{{ip}}}"),
        };
        // A repeated add would keep the old timeout. In one transaction, no observer sees a state between delete and
        // add. The first add is there so that the delete cannot fail.
        Some(if *renew {
            format!("add element {set} {{{ip}}}; delete element {set} {{{ip}}}; {add}")
        } else {
            add
        })
    }

    /// Runs one transaction.
    fn run(&self, commands: &[&Command]) -> Result<(), Failure> {
        let texts: Vec<&str> = commands.iter().map(|command| command.text.as_str()).collect();
        let text = texts.join("; ");
        // nft repeats the whole command in its error. Without the command, equal errors are reported as one.
        let brief = |failure: Failure| match failure.message.split_once(&format!(" / {text}")) {
            Some((brief, _)) => Failure { message: brief.to_owned(), ..failure },
            None => failure,
        };
        let failure = match program::run(&self.argv, &[&text], b"", TIME_LIMIT) {
            Ok(()) => return Ok(()),
            Err(failure) => brief(failure),
        };
        // Nothing can be added to a full set, not even in order to delete it.
        if let [Command { lift: true, text, .. }] = commands
            && let Some((_, delete)) = text.split_once("; ")
            && failure.message.contains(FULL)
        {
            return match program::run(&self.argv, &[delete], b"", TIME_LIMIT) {
                Err(failure) if !failure.message.contains(MISSING) => Err(failure),
                _ => Ok(()),
            };
        }
        Err(failure)
    }

    fn names_a_set(set: &str) -> bool {
        set_name(set).is_some_and(|name| name == set)
    }

    fn cure(command: &Command, words: &str) -> Option<String> {
        let obstacle = if words.contains(MISSING) && words.contains("Error: ") {
            Obstacle::Missing
        } else if words.contains(FULL) {
            Obstacle::Full
        } else if words.contains("Invalid argument") && command.text.contains(" timeout ") {
            Obstacle::NoTimeouts
        } else {
            return None;
        };
        Some(obstacle.cure(&command.set, command.family))
    }
}

pyruse_core::inventory::submit!(Plugin::action::<NftBan>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<NftSettings>());
pyruse_core::inventory::submit!(
    ServicePlugin::new(NAME, |start| {
        let settings = start.settings::<NftSettings>();
        let nft = BanCourier::new(Nft::of(&settings));
        let deliver: Box<dyn Deliver> = match settings.nft {
            Some(_) => Box::new(nft),
            None => Box::new(NetlinkCourier::new(NAME, nft)),
        };
        let configured = start.note::<Notes>().of(NAME).clone();
        let bans = Bans::open(start.layout(), NAME, settings.max_bans, &configured)?;
        Ok(Box::new(BanService {
            name: NAME,
            bans,
            sets: configured.sets,
            put_back: None,
            former_file: "action_nftBan.py.json",
            check_set: set_name,
            longest_timeout: None,
            batch: 2000,
            deliver: Some(deliver),
        }))
    })
    .that_boots()
);

#[cfg(test)]
mod tests {
    use super::*;

    fn order(renew: bool, until: Option<i64>) -> Order {
        Order {
            set: "ip a b".into(),
            ip: [1, 2, 3, 4].into(),
            until: until.map(Timestamp),
            left: None,
            seconds: 100,
            renew,
            lift: false,
        }
    }

    #[test]
    fn a_ban_is_told_with_the_time_that_is_left() {
        let now = Timestamp(10_000_000);
        let text = |renew, until| Nft::command(&order(renew, until), now);
        assert_eq!(text(false, Some(70_000_000)).unwrap(), "add element ip a b {1.2.3.4 timeout 60s}");
        assert_eq!(text(false, Some(70_000_001)).unwrap(), "add element ip a b {1.2.3.4 timeout 61s}");
        assert_eq!(text(false, None).unwrap(), "add element ip a b {1.2.3.4}");
        assert_eq!(text(false, Some(10_000_000)), None);
        let lift = |until| Nft::command(&Order { lift: true, ..order(false, until) }, now);
        assert_eq!(lift(None).unwrap(), "add element ip a b {1.2.3.4}; delete element ip a b {1.2.3.4}");
        assert_eq!(lift(Some(10_000_000)), None, "the kernel has removed it");
        let future = "add element ip a b {1.2.3.4 timeout 100s}";
        assert_eq!(text(false, Some(90_000_000_000_000)).unwrap(), future, "an entry from the future");
        assert_eq!(
            text(true, Some(70_000_000)).unwrap(),
            "add element ip a b {1.2.3.4}; delete element ip a b {1.2.3.4}; add element ip a b {1.2.3.4 timeout 60s}"
        );
    }
}

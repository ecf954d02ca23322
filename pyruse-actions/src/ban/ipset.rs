//! `action_ipsetBan`: bans in sets of ipset.
//!
//! A few bans are one process each. Many bans are one `ipset restore`, which reads commands from its input. Commands
//! that fail there are run one by one.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use pyruse_core::operation::Family;
use pyruse_core::plugin::{
    Act, Action, Compile, Example, Inspection, Invalid, Module, ModuleSettings, Outcome as Shown, Plugin,
    ServicePlugin, SettingsPlugin, StepError,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::seconds::Seconds;
use pyruse_core::serde::Deserialize;
use pyruse_core::time::Timestamp;

use super::batch::{BanCourier, Command, Dialect};
use super::configured::{MAX_BANS, Notes, check_settings};
use super::inspect::{Asked, Firewall, Set, inspect};
use super::{BanAction, BanService, Bans, Left, Order};
use crate::program::{self, Failure};

const NAME: &str = "action_ipsetBan";
const DEFAULT_IPSET: &str = "/usr/bin/ipset";

/// A healthy `ipset` takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The kernel's longest timeout of an element, in seconds: its milliseconds are a signed 32-bit number. The kernel
/// refuses a longer one.
const LONGEST_TIMEOUT: u64 = 2_147_483;

/// The kernel's limit for the length of a set's name, in bytes.
const LONGEST_NAME: usize = 31;

/// The option that makes a repeated `add` renew the element instead of failing.
const EXIST: &str = "-exist";

/// The option that suppresses errors.
const QUIET: &str = "-quiet";

/// How `action_ipsetBan` reaches ipset.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct IpsetSettings {
    /// The command, as a list: the program and its first arguments. `add SET IP timeout N`, or for many bans at once
    /// `restore` with such commands on the standard input, is appended to it as separate arguments. It is run without
    /// a shell.
    ipset: Vec<String>,
    /// How many bans are held; beyond that, one that ends soon is forgotten: the firewall keeps it until it ends, but it is
    /// not put back.
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

    fn check(&self, complain: &mut dyn FnMut(&str, String)) {
        check_settings("ipset", Some(&self.ipset), self.max_bans, complain);
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The field that holds the address to ban.
    #[serde(rename = "IP")]
    ip: String,
    /// For how long from the entry's time, in seconds or as `1h` or `7d`; absent or 0: for ever. The set must have been created with
    /// `timeout`; with `timeout 0`, if bans for ever go there too: any other is how long ipset keeps those.
    #[serde(rename = "banSeconds", default)]
    ban_seconds: Option<Seconds>,
    /// The set for IPv4 addresses, e.g. `mail_ban4`, as made by `ipset create mail_ban4 hash:ip family inet timeout 0`.
    #[serde(rename = "ipSetIPv4")]
    set_v4: String,
    /// The set for IPv6 addresses, e.g. `mail_ban6`, as made by `ipset create mail_ban6 hash:ip family inet6 timeout 0`.
    #[serde(rename = "ipSetIPv6")]
    set_v6: String,
    /// Ban also loopback, multicast and broadcast addresses. Without this, they are refused: no remote host has one, and
    /// a ban of it hits your own services. The unspecified address is never banned: ipset cannot hold it.
    #[serde(rename = "allowSpecial", default)]
    allow_special: bool,
}

struct IpsetBan {
    ban: BanAction,
    ipset: Ipset,
}

impl Module for IpsetBan {
    const NAME: &'static str = NAME;
    const DOC: &'static str = "Bans an address by adding it to a set of ipset.";
    const SETTINGS: &'static [&'static str] = &["ipsetBan"];
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let v4 = check_set("ipSetIPv4", &args.set_v4, cx);
        let v6 = check_set("ipSetIPv6", &args.set_v6, cx);
        let seconds = args.ban_seconds.map(|seconds| seconds.0);
        let max_bans = cx.settings::<IpsetSettings>().max_bans;
        let ban = BanAction::new(NAME, (&args.ip, v4?, v6?), (seconds, args.allow_special), max_bans, cx)?;
        Ok(IpsetBan { ban, ipset: Ipset::of(&cx.settings()) })
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
                outcome: Shown::Effect(
                    r#"{"effect": "ban", "action": "action_ipsetBan", "set": "ssh_ban4", "ip": "192.0.2.1", "seconds": 600, "renewed": false}"#,
                ),
            },
            Example {
                title: "for ever",
                args: for_ever,
                entry: &[("thatIP", "2001:DB8:0::1")],
                outcome: Shown::Effect(
                    r#"{"effect": "ban", "action": "action_ipsetBan", "set": "ssh_ban6", "ip": "2001:db8::1", "seconds": 0, "renewed": false}"#,
                ),
            },
            Example {
                title: "a name is not looked up",
                args: timed,
                entry: &[("thatIP", "host.example.org")],
                outcome: Shown::Error("`host.example.org` is not an IP address: nothing is banned"),
            },
        ]
    }
}

fn check_set(path: &str, set: &str, cx: &mut Compile<'_>) -> Result<String, Invalid> {
    match set_error(set) {
        None => Ok(set.to_owned()),
        Some(why) => {
            let message = format!("`{set}` cannot be the name of a set of ipset: {why}");
            Err(cx.error_with_help(path, message, "write the name of the set alone: `mail_ban4`"))
        }
    }
}

/// Returns why the text is not the name of a set, for the kernel or as a word in the input of `ipset restore`.
fn set_error(set: &str) -> Option<String> {
    if set.is_empty() {
        Some("it is empty".into())
    } else if set.len() > LONGEST_NAME {
        Some(format!("it has {} bytes, and at most {LONGEST_NAME} are possible", set.len()))
    } else if set.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("it has spaces or control characters".into())
    } else if set.contains(['"', '\'', '\\']) {
        Some("it has quotes or backslashes".into())
    } else if set.starts_with('-') {
        Some("it would be an option".into())
    } else {
        None
    }
}

fn set_name(set: &str) -> Option<String> {
    set_error(set).is_none().then(|| set.to_owned())
}

impl Action for IpsetBan {
    fn act(&mut self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        self.ban.act(run)
    }

    fn inspect(&self, inspection: &mut Inspection) {
        inspect(&self.ban, &self.ipset, inspection);
    }
}

struct Ipset {
    argv: Vec<String>,
}

/// What ipset prints about a set that does not exist.
const NO_SUCH: &str = "does not exist";

impl Firewall for Ipset {
    const ARGUMENTS: [&'static str; 2] = ["ipSetIPv4", "ipSetIPv6"];
    const HOLDS: [&'static str; 2] = ["hash:ip of inet", "hash:ip of inet6"];
    const PROGRAM: &'static str = "ipsetBan.ipset";

    /// Asks for the header of the set, without its elements, in the output format that all versions have.
    fn ask(&self, set: &str, inspection: &mut Inspection) -> Asked {
        let ask = || program::ask(&self.loud(), &["list", set, "-t"], TIME_LIMIT);
        let answer = match inspection.once(&format!("ipset {set}"), ask) {
            Ok(answer) => answer,
            Err(failure) => return Asked::failed(failure, NO_SUCH),
        };
        let answer = String::from_utf8_lossy(&answer);
        let line = |name: &str| {
            answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let (Some(kind), Some(header)) = (line("Type"), line("Header")) else {
            return Asked::Unknown(format!("`{}` does not answer as ipset does", self.argv.join(" ")));
        };
        let word = |name: &str| {
            let mut words = header.split(' ').skip_while(|word| *word != name);
            words.nth(1)
        };
        let family = word("family").unwrap_or("inet");
        // A set of networks also holds single addresses.
        let kind = if kind == "hash:net" { "hash:ip" } else { kind };
        Asked::Set(Set {
            holds: format!("{kind} of {family}"),
            timeouts: word("timeout").is_some(),
            own_timeout: word("timeout").and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0),
            ranges: false,
            used: line("References") != Some("0"),
        })
    }

    fn making(set: &str, family: usize) -> String {
        let family = ["inet", "inet6"][family];
        format!("ipset create {set} hash:ip family {family} timeout 0")
    }
}

impl Dialect for Ipset {
    const TOGETHER: usize = 17;
    const LONGEST: usize = usize::MAX;

    /// With `-exist`, an existing element gets the new timeout without being absent for a moment. Without a timeout, it
    /// stays for ever.
    fn command(order: &Order, now: Timestamp) -> Option<String> {
        let Order { set, ip, .. } = order;
        Some(match order.left(now) {
            Left::Over => return None,
            _ if order.lift => format!("del {set} {ip}"),
            // The service puts the element back before this timeout expires.
            Left::Seconds(seconds) => format!("add {set} {ip} timeout {}", seconds.min(LONGEST_TIMEOUT)),
            Left::Forever => format!("add {set} {ip}"),
        })
    }

    fn never_holds(ip: IpAddr) -> Option<&'static str> {
        ip.is_unspecified().then_some("no set of ipset can hold the unspecified address")
    }

    fn names_a_set(set: &str) -> bool {
        set_name(set).is_some()
    }

    fn cure(command: &Command, words: &str) -> Option<String> {
        let family = match command.family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        };
        let create = format!("ipset create {} hash:ip family {family} timeout 0", command.set);
        words
            .contains("The set with the given name does not exist")
            .then(|| format!("make it with: {create}"))
    }

    fn run(&self, commands: &[&Command]) -> Result<(), Failure> {
        if let [alone] = commands {
            let words: Vec<&str> = alone.text.split(' ').collect();
            let first = program::run(&self.argv, &words, b"", TIME_LIMIT);
            return first.or_else(|failure| self.run_again(words, failure));
        }
        let mut input = String::new();
        for command in commands {
            let _ = writeln!(input, "{} {EXIST}", command.text);
        }
        program::run(&self.argv, &["restore"], input.as_bytes(), TIME_LIMIT)
    }
}

impl Ipset {
    fn of(settings: &IpsetSettings) -> Ipset {
        Ipset { argv: program::with_default_found(&settings.ipset, DEFAULT_IPSET) }
    }

    /// Returns the command without the option that suppresses errors.
    fn loud(&self) -> Vec<String> {
        self.argv.iter().filter(|word| *word != QUIET).cloned().collect()
    }

    /// Runs a single failed command once more where that can help: with `-exist`, for a configuration that does not
    /// have it, and without `-quiet`, because the operator needs the error.
    fn run_again(&self, mut words: Vec<&str>, failure: Failure) -> Result<(), Failure> {
        let loud = self.loud();
        let renews = self.argv.iter().any(|word| [EXIST, "--exist", "-!"].contains(&word.as_str()));
        if failure.timed_out || (renews && loud.len() == self.argv.len()) {
            return Err(failure);
        }
        if !renews {
            words.push(EXIST);
        }
        program::run(&loud, &words, b"", TIME_LIMIT)
    }
}

pyruse_core::inventory::submit!(Plugin::action::<IpsetBan>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<IpsetSettings>());
pyruse_core::inventory::submit!(
    ServicePlugin::new(NAME, |start| {
        let settings = start.settings::<IpsetSettings>();
        let configured = start.note::<Notes>().of(NAME).clone();
        let bans = Bans::open(start.layout(), NAME, settings.max_bans, &configured)?;
        Ok(Box::new(BanService {
            name: NAME,
            bans,
            sets: configured.sets,
            put_back: None,
            former_file: "action_ipsetBan.py.json",
            check_set: set_name,
            longest_timeout: Some(LONGEST_TIMEOUT),
            batch: 2000,
            deliver: Some(Box::new(BanCourier::new(Ipset::of(&settings)))),
        }))
    })
    .that_boots()
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_is_told_with_the_time_that_is_left() {
        let now = Timestamp(10_000_000);
        let text = |until: Option<i64>| {
            let until = until.map(Timestamp);
            Ipset::command(
                &Order {
                    set: "a".into(),
                    ip: [1, 2, 3, 4].into(),
                    until,
                    left: None,
                    seconds: 0,
                    renew: true,
                    lift: false,
                },
                now,
            )
        };
        assert_eq!(text(Some(70_000_000)).unwrap(), "add a 1.2.3.4 timeout 60");
        assert_eq!(text(Some(70_000_001)).unwrap(), "add a 1.2.3.4 timeout 61");
        assert_eq!(text(Some(i64::MAX - 1)).unwrap(), "add a 1.2.3.4 timeout 2147483");
        assert_eq!(text(None).unwrap(), "add a 1.2.3.4");
        assert_eq!(text(Some(10_000_000)), None);
    }

    #[test]
    fn a_name_is_one_word_that_the_kernel_takes() {
        for good in ["a", "mail_ban4", "Sperrliste-Ä", &"x".repeat(31), "a.b:c"] {
            assert_eq!(set_name(good).as_deref(), Some(good));
        }
        for bad in ["", "a b", "a\n", "a\u{85}", &"x".repeat(32), "-exist", "a\"b", "a'", "a\\", "ä\u{a0}"] {
            assert_eq!(set_name(bad), None, "{bad:?}");
        }
    }
}

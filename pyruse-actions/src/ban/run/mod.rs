//! `action_runBan`: bans by a program, and lifts the ban by another one when it ends.
//!
//! A set has the programs. So bans by hand need no more than its name, the state holds no command, and a ban can be
//! lifted after the step that made it is gone.

mod commands;
mod program;

use std::collections::BTreeMap;

use pyruse_core::ban::{self, BanAction, Firewall, Order, SetNeeds, SetState, check_settings};
use pyruse_core::config::nearest;
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::{Example, Expected, Inspection, ModuleSettings, Plugin, SettingsPlugin, excerpt};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use self::commands::Commands;
use self::program::Sets;

/// How many bans are kept by default: each needs a run of a program at every start.
const MAX_BANS: u32 = 10_000;

/// The maximum length of a set's name, in bytes.
const LONGEST_NAME: usize = 64;

/// Settings of `action_runBan`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields, default)]
#[schemars(crate = "pyruse_core::schemars")]
struct RunBanSettings {
    /// The programs that ban and lift, by the name of a set.
    sets: BTreeMap<String, Commands>,
    /// How many bans are kept; beyond that, one that ends soon is lifted.
    #[serde(rename = "maxBans")]
    max_bans: u32,
}

impl Default for RunBanSettings {
    fn default() -> Self {
        RunBanSettings { sets: BTreeMap::new(), max_bans: MAX_BANS }
    }
}

impl ModuleSettings for RunBanSettings {
    const KEY: &'static str = "runBan";

    fn check(&self, report: &mut dyn FnMut(&str, String)) {
        check_settings("", None, self.max_bans, report);
        for (name, commands) in &self.sets {
            match RunBan::set_name(name) {
                Ok(_) => commands.check(&mut |path, what| report(&format!("sets.{name}.{path}"), what)),
                Err(why) => report("sets", why),
            }
        }
    }

    fn warn(&self, report: &mut dyn FnMut(&str, String)) {
        for (name, commands) in &self.sets {
            if let Ok(programs) = commands.compile() {
                programs.missing(&mut |path, what| report(&format!("sets.{name}.{path}"), what));
            }
        }
    }
}

pyruse_core::ban_arguments! {
    banSeconds {}
    sets {
        /// The set, a name in `runBan.sets`.
        set: String,
        /// The set for IPv6 addresses; absent: the same.
        #[serde(rename = "setIPv6", default)]
        set_v6: Option<String>,
    } => [set.clone(), set_v6.unwrap_or(set)]
    prefixes {}
    allowSpecial {}
}

/// The firewall.
struct RunBan(Sets);

impl Firewall for RunBan {
    const NAME: &'static str = "action_runBan";
    const DOC: &'static str =
        "Bans an address, or its network, by a program, and runs another one when the ban ends.";
    const SET_ARGUMENTS: [&'static str; 2] = ["set", "setIPv6"];
    const SET_HELP: &'static str = "write the name of a member of `sets` in the top-level key `runBan`";
    const EXPIRES: bool = false;
    const BATCH: usize = 1;
    const EXAMPLE_SETTINGS: &'static str = r#"{"runBan": {"sets": {"ufw": {"ban": ["/usr/sbin/ufw", "prepend", "deny", "from", "{ip}"], "unban": ["/usr/sbin/ufw", "delete", "deny", "from", "{ip}"]}}}}"#;
    type Args = Args;
    type Settings = RunBanSettings;

    fn new(settings: &RunBanSettings) -> RunBan {
        RunBan(Sets::new(&settings.sets))
    }

    fn max_bans(settings: &RunBanSettings) -> u32 {
        settings.max_bans
    }

    fn set_name(text: &str) -> Result<String, String> {
        match set_error(text) {
            None => Ok(text.to_owned()),
            Some(why) => Err(format!("`{}` cannot be the name of a set: {why}", excerpt(text))),
        }
    }

    fn unknown_set(settings: &RunBanSettings, set: &str) -> Option<String> {
        if settings.sets.contains_key(set) {
            return None;
        }
        let near = nearest(set, settings.sets.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Some(format!("`runBan.sets` has no member `{set}`{near}"))
    }

    fn deliver(&mut self, orders: &[Order]) -> Vec<Outcome> {
        orders.iter().map(|order| self.0.deliver(order)).collect()
    }

    fn inspect_set(&self, set: &str, needs: SetNeeds, inspection: &mut Inspection) -> Option<SetState> {
        self.0.inspect(set, needs, inspection);
        None
    }

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "a set with programs",
                args: r#"{"IP": "thatIP", "banSeconds": "1h", "set": "ufw"}"#,
                entry: &[("thatIP", "192.0.2.1")],
                expected: Expected::Effect(
                    r#"{"effect": "ban", "action": "action_runBan", "set": "ufw", "ip": "192.0.2.1", "seconds": 3600, "renewed": false}"#,
                ),
            },
            Example {
                title: "an option is no address",
                args: r#"{"IP": "thatIP", "set": "ufw"}"#,
                entry: &[("thatIP", "--force")],
                expected: Expected::Error("`--force` is not an IP address: nothing is banned"),
            },
        ]
    }
}

/// Returns why the text is not the name of a set.
fn set_error(set: &str) -> Option<String> {
    if set.is_empty() {
        Some("it is empty".into())
    } else if set.len() > LONGEST_NAME {
        Some(format!("it has {} bytes, but at most {LONGEST_NAME} are allowed", set.len()))
    } else if !set.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) || set.starts_with('-') {
        Some("only letters, digits, `_` and `-` are allowed, and `-` not at its beginning".into())
    } else {
        None
    }
}

pyruse_core::inventory::submit!(Plugin::action::<BanAction<RunBan>>());
pyruse_core::inventory::submit!(SettingsPlugin::of::<RunBanSettings>());
pyruse_core::inventory::submit!(ban::service::<RunBan>());

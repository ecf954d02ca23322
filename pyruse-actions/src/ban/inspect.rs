//! What `check --live` asks of a firewall: whether the sets exist, and whether they are of the kind that bans need.

use pyruse_core::plugin::Inspection;
use pyruse_core::plugin::inspect::Grade;

use super::BanAction;
use crate::program::Failure;

/// The properties of a set that matter to a ban.
pub(super) struct Set {
    /// What the set holds, in the firewall's words.
    pub(super) holds: String,
    /// Whether its elements may have timeouts.
    pub(super) timeouts: bool,
    /// The timeout of elements that are added without one.
    pub(super) own_timeout: Option<u64>,
    /// Whether it is a set of ranges.
    pub(super) ranges: bool,
    /// Whether a rule uses it.
    pub(super) used: bool,
}

/// The result of asking.
pub(super) enum Asked {
    Set(Set),
    Missing,
    /// The program cannot be run at all.
    NoProgram(String),
    Unknown(String),
}

impl Asked {
    /// Converts the failure of the program; `missing` is what it prints about a set that does not exist.
    pub(super) fn failed(failure: Failure, missing: &str) -> Asked {
        match failure {
            Failure { not_started: true, message, .. } => Asked::NoProgram(message),
            Failure { message, .. } if message.contains(missing) => Asked::Missing,
            Failure { message, .. } => Asked::Unknown(message),
        }
    }
}

/// How to ask a firewall, and its words.
pub(super) trait Firewall {
    /// The argument that names the set for IPv4, and that for IPv6.
    const ARGUMENTS: [&'static str; 2];
    /// What a set for IPv4 holds, and one for IPv6.
    const HOLDS: [&'static str; 2];
    /// The setting that says how the program is run.
    const PROGRAM: &'static str;

    fn ask(&self, set: &str, inspection: &mut Inspection) -> Asked;

    /// Returns the command that makes a set for IPv4 (0) or IPv6 (1).
    fn making(set: &str, family: usize) -> String;
}

/// Returns the first part of the advice where the set may be one that the package makes.
fn of_the_package(set: &str) -> &'static str {
    if set.starts_with("inet pyruse ") {
        "if it is one of the package's: systemctl start pyruse-nft-sets; else "
    } else {
        ""
    }
}

/// Checks both sets of a ban.
pub(super) fn inspect<F: Firewall>(ban: &BanAction, firewall: &F, inspection: &mut Inspection) {
    for (family, set) in [&ban.set_v4, &ban.set_v6].into_iter().enumerate() {
        let argument = F::ARGUMENTS[family];
        let asked = firewall.ask(set, inspection);
        let mut tell = |grade, message: String, help: String| {
            inspection.argument(argument, grade, message, help);
        };
        let making = || F::making(set, family);
        match asked {
            Asked::Missing => tell(
                Grade::Broken,
                format!("there is no set `{set}`: every ban for it fails"),
                format!("{}make it with: {}", of_the_package(set), making()),
            ),
            Asked::NoProgram(message) => {
                inspection.setting(F::PROGRAM, Grade::Broken, message, "install it, or say where it is");
                return;
            }
            Asked::Unknown(message) => tell(
                Grade::Unknown,
                format!("the set `{set}` cannot be looked at: {message}"),
                "ask as root, or as the user that runs Pyruse (with CAP_NET_ADMIN)".into(),
            ),
            Asked::Set(found) => {
                let wanted = F::HOLDS[family];
                if found.holds != wanted {
                    let message = format!(
                        "the set `{set}` holds {}, not {wanted}: every ban for it fails",
                        found.holds
                    );
                    tell(
                        Grade::Broken,
                        message,
                        format!("name another; or delete it, and make it with: {}", making()),
                    );
                    continue;
                }
                if ban.seconds > 0 && !found.timeouts {
                    let message = format!("the set `{set}` knows no time-outs: every ban for it fails");
                    tell(Grade::Broken, message, format!("delete it, and make it with: {}", making()));
                }
                if let (0, Some(seconds)) = (ban.seconds, found.own_timeout) {
                    let message = format!(
                        "bans for ever end after {seconds} s: that is the time-out of the set `{set}`"
                    );
                    tell(Grade::Doubtful, message, format!("delete it, and make it with: {}", making()));
                }
                if found.ranges {
                    let message =
                        format!("the set `{set}` is one of ranges: with many bans, each takes long");
                    tell(Grade::Doubtful, message, format!("delete it, and make it with: {}", making()));
                }
                if !found.used {
                    let message = format!("no rule uses the set `{set}`: nobody in it is kept out");
                    tell(Grade::Doubtful, message, "add a rule that drops what comes from it".into());
                }
            }
        }
    }
}

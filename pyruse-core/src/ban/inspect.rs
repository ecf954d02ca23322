//! What `check --live` reports about the sets of a ban: whether they exist, and whether they are what bans need.

use super::firewall::Firewall;
use super::set_state::{FoundSet, SetNeeds, SetState};
use crate::operation::Family;
use crate::plugin::{Inspection, Severity};
use crate::prefixes::Prefixes;

/// What the bans of a step need.
pub(super) struct Needed {
    /// How long the shortest lasts, in seconds; 0: all are for ever.
    pub(super) seconds: u64,
    pub(super) prefixes: Prefixes,
    /// Whether entries may name networks.
    pub(super) networks: bool,
}

/// Checks both sets of a step.
pub(super) fn inspect<F: Firewall>(
    firewall: &F,
    sets: &[String; 2],
    Needed { seconds, prefixes, networks }: Needed,
    inspection: &mut Inspection,
) {
    let arguments = F::SET_ARGUMENTS.into_iter().zip([Family::V4, Family::V6]);
    for (set, (argument, family)) in sets.iter().zip(arguments) {
        let networks = networks
            || match family {
                Family::V4 => prefixes.v4 < 32,
                Family::V6 => prefixes.v6 < 128,
            };
        let Some(state) = firewall.inspect_set(set, SetNeeds { family, networks }, inspection) else {
            continue;
        };
        let mut report = |severity, message: String, help: String| {
            inspection.argument(argument, severity, message, help);
        };
        match state {
            SetState::Missing { help } => {
                report(Severity::Error, format!("there is no set `{set}`: every ban for it fails"), help);
            }
            SetState::NoProgram { setting, message } => {
                inspection.setting(setting, Severity::Error, message, "install it, or configure its path");
                return;
            }
            SetState::Unknown(message) => report(
                Severity::Note,
                format!("the set `{set}` cannot be inspected: {message}"),
                "run this as root, or as the user that runs Pyruse (with CAP_NET_ADMIN)".into(),
            ),
            SetState::Found(found) => check_set(set, &found, (seconds, networks), &mut report),
        }
    }
}

/// Reports what is wrong with a set that exists.
fn check_set(
    set: &str,
    found: &FoundSet,
    (seconds, networks): (u64, bool),
    report: &mut dyn FnMut(Severity, String, String),
) {
    let FoundSet { holds, wanted, command, .. } = found;
    if holds != wanted {
        let message = format!("the set `{set}` contains {holds}, not {wanted}: every ban for it fails");
        let help = format!("name another set; or delete it, and create it with: {command}");
        report(Severity::Error, message, help);
        return;
    }
    let recreate = || format!("delete it, and create it with: {command}");
    if seconds > 0 && !found.has_timeouts {
        let message = format!("the set `{set}` does not support time-outs: every ban for it fails");
        report(Severity::Error, message, recreate());
    }
    if let (0, Some(seconds)) = (seconds, found.own_timeout) {
        let message =
            format!("bans without end expire after {seconds} s: that is the time-out of the set `{set}`");
        report(Severity::Warning, message, recreate());
    }
    if networks && !found.has_networks {
        let message =
            format!("the set `{set}` holds single addresses, not networks: every ban of a network fails");
        report(Severity::Error, message, recreate());
    }
    if let Some(why) = &found.unusable {
        report(Severity::Error, format!("the set `{set}` cannot be used for bans: {why}"), recreate());
    }
    if !found.is_used {
        let message = format!("no rule uses the set `{set}`: nobody in it is blocked");
        report(Severity::Warning, message, "add a rule that drops packets from it".into());
    }
}

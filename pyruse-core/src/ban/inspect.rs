//! What `check --live` reports about the sets of a ban: whether they exist, and whether they are what bans need.

use super::firewall::Firewall;
use super::set_state::{FoundSet, SetState};
use crate::operation::Family;
use crate::plugin::{Inspection, Severity};

/// Checks both sets of a ban of `seconds` seconds.
pub(super) fn inspect<F: Firewall>(
    firewall: &F,
    sets: &[String; 2],
    seconds: u64,
    inspection: &mut Inspection,
) {
    let arguments = F::SET_ARGUMENTS.into_iter().zip([Family::V4, Family::V6]);
    for (set, (argument, family)) in sets.iter().zip(arguments) {
        let Some(state) = firewall.inspect_set(set, family, inspection) else { continue };
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
            SetState::Found(found) => check_set(set, &found, seconds, &mut report),
        }
    }
}

/// Reports what is wrong with a set that exists.
fn check_set(set: &str, found: &FoundSet, seconds: u64, report: &mut dyn FnMut(Severity, String, String)) {
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
    if found.has_ranges {
        let message = format!("the set `{set}` contains ranges: with many bans, adding one takes long");
        report(Severity::Warning, message, recreate());
    }
    if !found.is_used {
        let message = format!("no rule uses the set `{set}`: nobody in it is blocked");
        report(Severity::Warning, message, "add a rule that drops packets from it".into());
    }
}

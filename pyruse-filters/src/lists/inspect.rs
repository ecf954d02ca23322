//! `check --live`: the sizes and ages of lists; whether names can be resolved, and whether the service can read files.

use std::sync::Arc;
use std::time::Duration;

use pyruse_core::plugin::{Inspection, Severity};
use pyruse_core::time::Timestamp;

use super::list::List;
use super::look_up;
use super::part::Part;
use super::settings::KEY;

/// Looks at all lists.
pub(super) fn inspect(lists: &[Arc<List>], inspection: &mut Inspection) {
    for list in lists {
        let (mut nth_file, mut nth_optional, mut nth_name) = (0, 0, 0);
        for mut part in list.parts() {
            let at = match (part.origin.path(), part.origin.name()) {
                (Some((_, false)), _) => numbered("files", &mut nth_file),
                (Some((_, true)), _) => numbered("optionalFiles", &mut nth_optional),
                (_, Some(_)) => numbered("names", &mut nth_name),
                _ => "self".to_owned(),
            };
            let at = format!("{KEY}.{}.{at}", list.name);
            check_access(&part, &at, inspection);
            let valid = look_up::resolve_part(&mut part);
            if let Some(problem) = &part.problem {
                let message = format!("list `{}`, {}: {problem}", list.name, part.origin.shown());
                inspection.setting(&at, Severity::Warning, message, "the list is used without it");
            }
            inspection.show(line(&list.name, &part, valid, Timestamp::now()));
        }
    }
}

fn numbered(key: &str, number: &mut usize) -> String {
    *number += 1;
    format!("{key}.{}", *number - 1)
}

/// Checks whether the user that runs Pyruse can read a file.
fn check_access(part: &Part, at: &str, inspection: &mut Inspection) {
    let Some((path, _)) = part.origin.path() else { return };
    let found = inspection.service_user().and_then(|account| {
        let obstacle = account.obstacle(path)?;
        let severity = if obstacle.may_be_passed() { Severity::Warning } else { Severity::Error };
        Some((severity, account.denied_with_fix(path, &obstacle)))
    });
    if let Some((severity, message)) = found {
        inspection.setting(at, severity, message, "");
    }
}

/// Describes a part: `list friends: file /etc/friends: 12 networks, 3 d old`.
fn line(list: &str, part: &Part, valid: Option<Duration>, now: Timestamp) -> String {
    let count = part.networks.len();
    let plural = if count == 1 { "" } else { "s" };
    let age = match (part.since, valid) {
        (_, Some(valid)) => format!(", resolved now, valid for {}", length(valid.as_secs())),
        (Some(since), _) if part.origin.path().is_some() => {
            format!(", changed {} ago", length(since.until(now).as_secs()))
        }
        _ => String::new(),
    };
    format!("list `{list}`: {}: {count} network{plural}{age}", part.origin.shown())
}

fn length(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

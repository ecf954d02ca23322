//! Finds system services whose entries are in the journals of users.
//!
//! journald writes the entries of a process of a user account (UID 1000 and above) to `user-UID.journal`, even if it
//! belongs to a system service that runs as that account. The scope `system` does not read these files.

use std::collections::BTreeSet;

use systemd::journal::OpenFilesOptions;

use super::places::list;
use super::settings::JournalSettings;

/// The maximum number of values of a field that are read.
const MAX_VALUES: usize = 10_000;

/// The maximum number of units that a message names.
const NAMED: usize = 5;

/// Returns the system units with entries in journals of users, if these journals are not read.
pub(super) fn units_not_read(settings: &JournalSettings) -> BTreeSet<String> {
    if settings.files.is_empty() { units(settings, false) } else { BTreeSet::new() }
}

/// Returns those of them of which no entry is read. The others, such as ssh.service, run as root, and only write some
/// entries as a user.
pub(super) fn units_without_read_entries(settings: &JournalSettings) -> BTreeSet<String> {
    let not_read = units_not_read(settings);
    if not_read.is_empty() { not_read } else { &not_read - &units(settings, true) }
}

/// Returns the system units with entries in the files that are read, or in those that are not.
fn units(settings: &JournalSettings, is_read: bool) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    let files =
        list(settings, &[]).into_iter().filter(|listed| listed.in_scope == is_read && listed.is_split);
    for listed in files {
        // A file that cannot be opened is reported elsewhere.
        let file = listed.path.to_string_lossy().into_owned();
        let Ok(mut journal) = OpenFilesOptions::default().open_files([file]) else { continue };
        if journal.query_unique("_SYSTEMD_UNIT").is_err() {
            continue;
        }
        for _ in 0..MAX_VALUES {
            let Ok(Some(field)) = journal.enumerate_unique() else { break };
            if let Some(value) = field.value().and_then(|value| std::str::from_utf8(value).ok())
                && is_of_the_system(value)
            {
                units.insert(value.to_owned());
            }
        }
    }
    units
}

/// Describes such units in a sentence; `None` if there are none.
pub(super) fn sentence(units: &BTreeSet<String>) -> Option<String> {
    let first = units.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = match units.len() {
        0 => return None,
        n if n > NAMED => format!(" and {} more", n - NAMED),
        _ => String::new(),
    };
    Some(format!(
        "{first}{more} wrote entries under a user account: they are in user-*.journal, which is not read"
    ))
}

/// Returns `false` for the session of a user and the user's own manager: they are system units by name only.
fn is_of_the_system(unit: &str) -> bool {
    let is_session = unit.strip_prefix("session-").is_some_and(|rest| rest.strip_suffix(".scope").is_some());
    !is_session && !unit.starts_with("user@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_users_are_no_services_of_the_system() {
        assert!(is_of_the_system("myapp.service") && is_of_the_system("session-cleanup.service"));
        assert!(!is_of_the_system("user@1000.service") && !is_of_the_system("session-12.scope"));
    }
}

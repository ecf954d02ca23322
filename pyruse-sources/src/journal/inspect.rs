//! `check --live`: checks whether the journal can be read, and what in it is not read.

use pyruse_core::plugin::{Inspection, Severity};

use super::any::{AnyReader, left_out};
use super::hidden::{sentence, units_not_read};
use super::places::files_read;
use super::settings::JournalSettings;

const READ_HELP: &str = "add the user that runs Pyruse to the group systemd-journal; root may always read it";

const SERVICE_HELP: &str = "Pyruse runs as that user, who owns the storage: if the user is in the group systemd-journal \
                    (id), give the files to that group: systemd-tmpfiles --create --prefix /var/log/journal; if that \
                    leaves one out: chgrp systemd-journal FILE";

const FILE_HELP: &str = "make it readable for the user that runs Pyruse; or, if it is damaged, move it away: journalctl \
                    --verify shows what is wrong with it";

const SCOPE_HELP: &str = "if rules should see them, set \"scope\": \"all\" in its settings. For ssh.service this is normal: \
                     processes of user sessions write there, but the lines that rules need are written by root, and \
                     are read";

pub(super) fn inspect(settings: &JournalSettings, inspection: &mut Inspection) {
    can_be_read(settings, inspection);
    can_be_read_by_service(settings, inspection);
    for left_out in left_out(settings) {
        inspection.argument("", Severity::Warning, left_out.text, FILE_HELP);
    }
    if let Some(message) = sentence(&units_not_read(settings)) {
        inspection.argument("", Severity::Warning, message, SCOPE_HELP);
    }
}

/// Checks whether this process can read the journal.
fn can_be_read(settings: &JournalSettings, inspection: &mut Inspection) {
    match AnyReader::open(settings).and_then(|mut journal| journal.has_entries()) {
        Err(e) => {
            inspection.argument("", Severity::Error, format!("the journal cannot be read: {e}"), READ_HELP);
        }
        Ok(None) => {
            let message = "the configured journal does not exist yet";
            inspection.argument(
                "",
                Severity::Warning,
                message,
                "Pyruse waits for it; is systemd-journald running?",
            );
        }
        Ok(Some(false)) => {
            let message =
                "no journal entry can be read: there is none, or there is no permission to read them";
            inspection.argument("", Severity::Warning, message, READ_HELP);
        }
        Ok(Some(true)) => {}
    }
}

/// Checks whether the user that runs Pyruse can read its files.
fn can_be_read_by_service(settings: &JournalSettings, inspection: &mut Inspection) {
    let Some(user) = inspection.service_user() else { return };
    let files = files_read(settings);
    let mut denied: Vec<_> = files.iter().filter_map(|file| Some((file, user.obstacle(file)?))).collect();
    // One that an access control list cannot open comes first.
    denied.sort_by_key(|(_, obstacle)| obstacle.may_be_passed());
    let Some((file, obstacle)) = denied.first() else { return };
    let severity = if obstacle.may_be_passed() { Severity::Warning } else { Severity::Error };
    let of_all = match files.len() {
        1 => String::new(),
        all => format!(" (and {} of {all} journal files in total)", denied.len()),
    };
    let message = format!("{}{of_all}", user.denied(file, obstacle));
    inspection.argument("", severity, message, SERVICE_HELP);
}

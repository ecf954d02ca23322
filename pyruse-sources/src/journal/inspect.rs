//! `check --live`: can the journal be read, and what of it is not read?

use pyruse_core::plugin::Grade;
use pyruse_core::plugin::Inspection;

use super::follow::Follower;
use super::hidden::{units_not_read, words};
use super::left_out::left_out;
use super::places::files_read;
use super::settings::JournalSettings;

const MAY: &str = "add the user that runs Pyruse to the group systemd-journal; root may always read it";

const MEND: &str = "Pyruse runs as that user, who owns the storage: if the user is in the group systemd-journal \
                    (id), give the files to that group: systemd-tmpfiles --create --prefix /var/log/journal; if that \
                    leaves one out: chgrp systemd-journal FILE";

const FILE: &str = "make it readable for the user that runs Pyruse; or, if it is damaged, move it away: journalctl \
                    --verify shows what is wrong with it";

const SCOPE: &str = "if rules should see them, set \"scope\": \"all\" in its settings. For ssh.service this is normal: \
                     processes of user sessions write there, but the lines that rules need are written by root, and \
                     are read";

pub(super) fn inspect(settings: &JournalSettings, inspection: &mut Inspection) {
    can_be_read(settings, inspection);
    can_be_read_by_service(settings, inspection);
    for left_out in left_out(settings) {
        inspection.argument("", Grade::Doubtful, left_out.text, FILE);
    }
    if let Some(words) = words(&units_not_read(settings)) {
        inspection.argument("", Grade::Doubtful, words, SCOPE);
    }
}

/// Checks whether this process can read the journal.
fn can_be_read(settings: &JournalSettings, inspection: &mut Inspection) {
    match Follower::open(settings).and_then(|mut journal| journal.has_entries()) {
        Err(e) => {
            inspection.argument("", Grade::Broken, format!("the journal cannot be read: {e:#}"), MAY);
        }
        Ok(None) => {
            let message = "the configured journal does not exist yet";
            inspection.argument(
                "",
                Grade::Doubtful,
                message,
                "Pyruse waits for it; is systemd-journald running?",
            );
        }
        Ok(Some(false)) => {
            let message =
                "no journal entry can be read: there is none, or there is no permission to read them";
            inspection.argument("", Grade::Doubtful, message, MAY);
        }
        Ok(Some(true)) => {}
    }
}

/// Checks whether the user that runs Pyruse can read its files.
fn can_be_read_by_service(settings: &JournalSettings, inspection: &mut Inspection) {
    let Some(reader) = inspection.service_user() else { return };
    let files = files_read(settings);
    let mut denied: Vec<_> = files.iter().filter_map(|file| Some((file, reader.obstacle(file)?))).collect();
    // One that an access control list cannot open comes first.
    denied.sort_by_key(|(_, obstacle)| obstacle.may_be_passed());
    let Some((file, obstacle)) = denied.first() else { return };
    let grade = if obstacle.may_be_passed() { Grade::Doubtful } else { Grade::Broken };
    let of_all = match files.len() {
        1 => String::new(),
        all => format!(" (and {} of {all} journal files in total)", denied.len()),
    };
    let message = format!("{}{of_all}", reader.denied(file, obstacle));
    inspection.argument("", grade, message, MEND);
}

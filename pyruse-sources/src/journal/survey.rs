//! All files of a journal, also those that are not read: where numbers of a sequence are that were not read.

use std::io::ErrorKind;
use std::path::PathBuf;

use pyruse_core::time::Timestamp;

use super::file::{Id, JournalFile};
use super::places::{Listed, list};
use super::settings::JournalSettings;

/// How much the times in two files of one journald may differ, in microseconds.
const SLACK: i64 = 1_000_000;

/// A file that was opened for the check.
pub(super) struct Known {
    pub(super) listed: Listed,
    pub(super) file: JournalFile,
}

/// How many numbers the files have.
pub(super) struct Found {
    /// In files that are read.
    pub(super) present: u64,
    /// In other files.
    pub(super) elsewhere: u64,
    /// Whether several files are written in turn.
    pub(super) is_split: bool,
    /// Whether all files that may have such numbers are read.
    pub(super) is_exact: bool,
}

/// Returns how many of the numbers of a sequence above `after`, up to `upto`, the files have; they were given out between
/// these times. Up to systemd 252, files that are written in turn share the numbers, but not the identifier.
pub(super) fn find(
    known: &[Known],
    sequence: Id,
    (after, upto): (u64, u64),
    (from, until): (Timestamp, Timestamp),
) -> Found {
    let of_sequence = known.iter().find(|known| known.file.header.seqnum_id == sequence);
    let is_split = of_sequence.is_none_or(|known| known.listed.is_split);
    let mut found = Found { present: 0, elsewhere: 0, is_split, is_exact: true };
    for Known { listed, file } in known {
        let header = &file.header;
        let is_same = header.seqnum_id == sequence;
        if !(is_same || (is_split && listed.is_split)) {
            continue;
        }
        found.is_exact &= listed.in_scope;
        if header.last_number <= after || header.first_number > upto {
            continue;
        }
        let entries = file.entries();
        let range = entries.between(after, upto);
        // The same numbers of another sequence may be from another time.
        let first = entries.head(range.start).map(|head| head.time);
        let is_of_then = is_same || first.is_some_and(|first| first.0 <= until.0.saturating_add(SLACK));
        let is_of_then = is_of_then && (is_same || header.last_time.0.saturating_add(SLACK) >= from.0);
        let mut count: u64 = if is_of_then { range.end - range.start } else { 0 };
        // A number may belong to an entry that did not fit into the file: the entry was written to the next file.
        let last = entries.count.checked_sub(1).and_then(|last| entries.head(last));
        let is_unlinked = last.is_none_or(|last| last.number < header.last_number);
        if is_same && is_unlinked && (after + 1..=upto).contains(&header.last_number) {
            count = count.saturating_add(1);
        }
        let sum = if listed.in_scope { &mut found.present } else { &mut found.elsewhere };
        *sum = count.saturating_add(*sum);
    }
    found
}

/// How often to try to list and open the files without a rotation in between.
const SURVEYS: usize = 5;

/// Lists and opens the files. Returns all files, those that could be opened, and whether these are all that matter. A
/// rotation renames files: one that is renamed before it is opened would seem to be empty. `None`: that happened at
/// every try.
pub(super) fn survey(
    settings: &JournalSettings,
    files: &[PathBuf],
) -> Option<(Vec<Listed>, Vec<Known>, bool)> {
    let list = || {
        let mut listed = list(settings, files);
        listed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        listed
    };
    let mut listed = list();
    for _ in 0..SURVEYS {
        let (known, is_complete) = open(listed.clone());
        let after = list();
        if after == listed {
            return Some((listed, known, is_complete));
        }
        listed = after;
    }
    None
}

/// Returns the files that can be opened, and whether these are all that matter.
fn open(listed: Vec<Listed>) -> (Vec<Known>, bool) {
    let (mut known, mut is_complete) = (Vec::new(), true);
    for listed in listed {
        match JournalFile::open(&listed.path) {
            Ok(file) => known.push(Known { listed, file }),
            Err(e) => is_complete &= e.kind() != ErrorKind::PermissionDenied,
        }
    }
    (known, is_complete)
}

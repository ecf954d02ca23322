//! The mark: a small file beside the state that says what the state must hold, so that a loss is detected.
//!
//! If its journal (`-wal`) is missing, SQLite takes it for empty; if the journal is damaged, SQLite reads it only up to
//! the damage. So commits after the damage vanish silently. And a missing state looks like a first start. Therefore the
//! state counts its commits, and the mark holds two lower bounds of that count:
//!
//! - `synced`: this many commits are on the disk. Fewer are a loss, whatever happened.
//! - `written`: this many commits were made. A power cut may lose the last of them, but it takes them from the
//!   journal's end; it cannot take the journal itself, whose beginning SQLite syncs before it relies on it.
//!
//! A bound is raised after the event that it counts, so a crash at any moment leaves it too low, never too high. This
//! costs one small write to the page cache for each commit; the mark is never synced after it is made.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::state::files::beside;

const HEAD: &str = "pyruse state mark 1";

/// An upper limit for the size of a mark, in bytes.
const LONGEST: u64 = 4096;

/// The content of a mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// At least this many commits were made.
    pub(super) written: u64,
    /// At least this many commits are on the disk.
    pub(super) synced: u64,
    /// The boot of the machine in which this was written; empty if it is not known.
    pub(super) boot: String,
    /// The identity of the state file in its file system: a file that replaces it has another one.
    pub(super) file: (u64, u64),
}

impl Facts {
    /// Returns `true` if it was written in this boot: then there was no power cut since, and everything written is
    /// still as it was written.
    pub(super) fn is_of_this_boot(&self) -> bool {
        !self.boot.is_empty() && self.boot == this_boot()
    }

    /// Formats the mark in a fixed width, so that it is always overwritten as a whole.
    fn text(&self) -> String {
        let Facts { written, synced, boot, file: (number, born) } = self;
        let text = format!(
            "{HEAD}\nwritten {written:020}\nsynced {synced:020}\nboot {boot:36}\nfile {number:020} {born:020}\n"
        );
        let sum = sum(&text);
        text + &format!("sum {sum:016x}\n")
    }

    fn parse(text: &str) -> Option<Facts> {
        let (text, stored) = text.trim_end().rsplit_once("sum ")?;
        if u64::from_str_radix(stored, 16).ok()? != sum(text) {
            return None;
        }
        let mut lines = text.lines();
        if lines.next()? != HEAD {
            return None;
        }
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ').map(str::trim);
        let written = value("written")?.parse().ok()?;
        let synced = value("synced")?.parse().ok()?;
        let boot = value("boot")?.to_owned();
        let (number, born) = value("file")?.split_once(' ')?;
        Some(Facts { written, synced, boot, file: (number.parse().ok()?, born.parse().ok()?) })
    }
}

/// Computes an FNV-1a checksum.
fn sum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn this_boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().chars().take(36).collect()
}

/// Returns what distinguishes a file from others of its file system, even from a later one with the same inode number.
pub(super) fn identity(file: &Metadata) -> (u64, u64) {
    let born = file.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    (file.ino(), born.and_then(|born| u64::try_from(born.as_nanos()).ok()).unwrap_or(0))
}

/// Reads the mark of the state at `path`; `None` if there is none, or it makes no sense.
pub(super) fn read(path: &Path) -> std::io::Result<Option<Facts>> {
    let file = match File::open(beside(path, "-mark")) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    match read {
        Err(e) if e.kind() != ErrorKind::InvalidData => Err(e),
        _ => Ok(Facts::parse(&text)),
    }
}

/// The mark of a state that is open for writing.
pub(super) struct Mark {
    file: File,
    facts: Facts,
    /// Whether a failure was logged.
    failure_logged: bool,
}

impl Mark {
    /// Makes the mark, or makes it again; afterwards it is on the disk.
    pub(super) fn make(path: &Path, facts: Facts) -> std::io::Result<Mark> {
        let (name, new) = (beside(path, "-mark"), beside(path, "-mark.new"));
        match std::fs::remove_file(&new) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(facts.text().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(new, name)?;
        sync_directory_of(path)?;
        Ok(Mark { file, facts, failure_logged: false })
    }

    /// Records that this many commits were made.
    pub(super) fn written(&mut self, commits: u64) {
        self.facts.written = commits;
        self.update();
    }

    /// Records that this many commits are on the disk.
    pub(super) fn synced(&mut self, commits: u64) {
        if self.facts.synced != commits {
            self.facts.synced = commits;
            self.update();
        }
    }

    /// Writes the mark. If that fails, a bound is lower than it could be: a loss may not be detected, and nothing else
    /// happens.
    fn update(&mut self) {
        if let Err(e) = self.file.write_all_at(self.facts.text().as_bytes(), 0)
            && !std::mem::replace(&mut self.failure_logged, true)
        {
            tracing::warn!(
                "the state's mark cannot be written: {e}; a later loss of the state may not be detected"
            );
        }
    }
}

/// Syncs the directory of this file, so that a new name in it is on the disk.
pub(super) fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.map_or_else(|| PathBuf::from("."), Path::to_owned))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_a_torn_one_is_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert_eq!(read(&path).unwrap(), None);
        let facts = Facts { written: 12, synced: 7, boot: this_boot(), file: (1, u64::MAX) };
        let mut mark = Mark::make(&path, facts.clone()).unwrap();
        assert_eq!(read(&path).unwrap(), Some(facts.clone()));
        assert!(facts.is_of_this_boot());
        mark.written(u64::MAX);
        mark.synced(13);
        let raised = Facts { written: u64::MAX, synced: 13, ..facts };
        assert_eq!(read(&path).unwrap(), Some(raised));
        let file = directory.path().join("state-mark");
        let good = std::fs::read(&file).unwrap();
        for length in 0..good.len() - 1 {
            std::fs::write(&file, &good[..length]).unwrap();
            assert_eq!(read(&path).unwrap(), None, "{length}");
        }
        for at in 0..good.len() - 1 {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&file, bad).unwrap();
            assert_eq!(read(&path).unwrap(), None, "{at}");
        }
        let unknown = Facts { boot: String::new(), ..Facts::default() };
        assert!(!unknown.is_of_this_boot());
        assert_eq!(Facts::parse(&unknown.text()), Some(unknown));
    }
}

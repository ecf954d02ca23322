//! libsystemd reads a journal because one of its files is of a format that is not known here: what was read meanwhile,
//! and when no such file is left.
//!
//! What libsystemd gives is noted by number, as the reader of files would do it. So an entry that was read is not read
//! again, though it sorts behind the position where libsystemd began; and when the reader of files reads again, it gives
//! what came meanwhile and sorts before the position of libsystemd.
//!
//! With `matches`, libsystemd does not say what it leaves out. So the numbers between two entries that it gives count as
//! read.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::losses::Losses;
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::direct::{FilesReader, Place};
use super::file::{Id, JournalFile};
use super::losses::GIVEN_UP;
use super::settings::JournalSettings;

/// When to try again, if the files cannot be opened.
const RETRY: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Fallback {
    /// A file of an unknown format.
    unknown: PathBuf,
    /// What was read, by number; `None` if only the position of libsystemd is known.
    read: Option<Place>,
    /// Whether libsystemd gives all entries that it reads.
    gives_all: bool,
    /// The cursor of the entry that was found last.
    found: Option<String>,
    /// Whether something has happened to the journal since the file was looked at.
    is_changed: bool,
    retry: Option<Instant>,
}

impl Fallback {
    /// `None` if all files are of known formats.
    pub(super) fn of(files: &FilesReader, settings: &JournalSettings) -> Option<Box<Fallback>> {
        Some(Box::new(Fallback {
            unknown: files.unknown()?.to_owned(),
            read: None,
            gives_all: settings.matches.is_empty(),
            found: None,
            is_changed: false,
            retry: None,
        }))
    }

    /// Why libsystemd reads.
    pub(super) fn reason(&self) -> String {
        let file = self.unknown.display();
        format!("{file} uses a feature that is not known here: libsystemd reads the journal instead")
    }

    /// Reading begins behind that position of the reader of files.
    pub(super) fn begin(&mut self, position: &Position) {
        self.read = Place::read(&position.place);
    }

    /// The numbers of what is read are not known any more.
    pub(super) fn forget(&mut self) {
        self.read = None;
    }

    /// Are the numbers of entries noted?
    pub(super) fn is_noting(&self) -> bool {
        self.read.is_some()
    }

    /// An entry was found. Returns `true` if it was read before.
    pub(super) fn find(&mut self, cursor: Option<String>) -> bool {
        self.found = cursor;
        self.read.as_ref().zip(self.found.as_ref()).is_some_and(|(read, cursor)| read.has(cursor))
    }

    /// That entry is read.
    pub(super) fn note(&mut self, time: Timestamp, losses: &mut Losses) {
        let found = self.read.as_mut().zip(self.found.as_ref());
        let given_up = found.and_then(|(read, cursor)| read.take(cursor, self.gives_all));
        match given_up {
            Some(0) => {}
            Some(given_up) => losses.note(&GIVEN_UP, given_up, time, time),
            None => self.forget(),
        }
    }

    /// libsystemd has read everything up to these numbers, and given what matches.
    pub(super) fn pass(&mut self, sequences: impl Iterator<Item = (Id, u64)>) {
        let Some(read) = self.read.as_mut().filter(|_| !self.gives_all) else { return };
        sequences.for_each(|(sequence, number)| read.pass(sequence, number));
    }

    /// The position, if libsystemd is at `by_libsystemd`.
    pub(super) fn position(&self, by_libsystemd: Position) -> Position {
        let stored = self.read.as_ref().and_then(Place::position);
        stored.unwrap_or(by_libsystemd)
    }

    /// Something has happened to the journal.
    pub(super) fn note_change(&mut self) {
        self.is_changed = true;
    }

    /// How long to wait until the files are to be opened again.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let retry = self.retry.filter(|_| self.is_changed)?;
        Some(retry.saturating_duration_since(Instant::now()))
    }

    /// Returns `true` if the file of an unknown format may be gone. It costs one `open` per change of the journal.
    pub(super) fn may_end(&mut self) -> bool {
        if !self.is_changed || self.timeout().is_some_and(|left| !left.is_zero()) {
            return false;
        }
        if JournalFile::open(&self.unknown).is_ok_and(|file| !file.header.is_known()) {
            self.is_changed = false;
            return false;
        }
        true
    }

    /// It has not ended: there is another such file, or the files cannot be opened.
    pub(super) fn go_on(&mut self, other: Option<PathBuf>) {
        match other {
            Some(other) => (self.unknown, self.is_changed, self.retry) = (other, false, None),
            None => self.retry = Some(Instant::now() + RETRY),
        }
    }
}

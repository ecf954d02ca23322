//! An open journal, read by libsystemd.
//!
//! A reader must process events after a rotation and during long reads, must not fail when a file rotates while it is
//! read, and must detect that the entry of a stored cursor no longer exists.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::errno::Errno;
use pyruse_core::access;
use pyruse_core::entry::FIELD_LIMIT;
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{LeftOut, Next};
use pyruse_core::time::Timestamp;
use systemd::Journal;
use systemd::journal::{JournalRef, OpenDirectoryOptions, OpenFilesOptions, OpenOptions};

use super::arrivals::Arrivals;
use super::completeness::Completeness;
use super::descriptors::raise_descriptor_limit;
use super::fresh::{Fresh, Verdict};
use super::losses::{GUESSED, PARTIAL};
use super::places::Directories;
use super::position::JournalPosition;
use super::raw;
use super::reading::{Reading, TRIES};
use super::settings::{JournalSettings, Scope};

/// The first bytes of a journal file.
pub(crate) const JOURNAL_FILE: &[u8] = b"LPKSHHRH";

/// The maximum number of entries that are read without checking for a rotation.
const PROCESS_INTERVAL: u32 = 1000;

/// An open journal.
pub(super) struct OpenJournal {
    pub(super) journal: Journal,
    /// Whether the current entry is the next one, and was not returned yet.
    pub(super) held: bool,
    /// The time of the current entry.
    pub(super) at: Timestamp,
    /// How far the fields of the current entry are read.
    pub(super) reading: Reading,
    since_process: u32,
    fresh: Fresh,
    /// The position of the entry that was returned last, if it is already known.
    pub(super) known: Option<JournalPosition>,
    pub(super) losses: Losses,
    pub(super) completeness: Completeness,
    /// The directories when it was opened; `None` for a journal that is not followed.
    directories: Option<Directories>,
    /// Only for the machine's own journal.
    arrivals: Option<Arrivals>,
}

impl OpenJournal {
    pub(super) fn open(settings: &JournalSettings) -> anyhow::Result<OpenJournal> {
        raise_descriptor_limit();
        settings.files.iter().try_for_each(|file| check_file(file))?;
        let files = settings.files.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        OpenJournal::open_with(settings, files)
    }

    /// Opens the journal; these are the files, if the settings have `files`.
    fn open_with(settings: &JournalSettings, files: Vec<PathBuf>) -> anyhow::Result<OpenJournal> {
        let is_own = files.is_empty() && settings.directory.is_none() && settings.namespace.is_none();
        // The watch begins first, so that no directory is missed.
        let arrivals = if is_own { Arrivals::watch() } else { None };
        let directories = Some(Directories::of(settings));
        let system = settings.scope.unwrap_or(Scope::System) == Scope::System;
        let journal = if let Some(namespace) = &settings.namespace {
            // The namespace is the scope: its files contain nothing else.
            OpenOptions::default()
                .open_namespace(namespace.as_str())
                .with_context(|| format!("opening the journal namespace `{namespace}`"))?
        } else if let Some(directory) = &settings.directory {
            open_directory(directory, settings.scope == Some(Scope::System))?
        } else if !files.is_empty() {
            open_files(&files)?
        } else {
            OpenOptions::default().system(system).open().context("opening the journal")?
        };
        let completeness = Completeness::new(settings.clone(), files);
        let mut source = OpenJournal { completeness, directories, arrivals, ..OpenJournal::new(journal)? };
        for text in &settings.matches {
            if text == "+" {
                source.journal.match_or()?;
            } else if let Some((field, value)) = text.split_once('=') {
                source.journal.match_add(field, value)?;
            }
        }
        Ok(source)
    }

    /// Returns `true` if its directories were replaced, so that it must be reopened.
    pub(super) fn has_moved(&self, settings: &JournalSettings) -> bool {
        settings.files.iter().all(|file| file.exists())
            && self.directories.as_ref().is_some_and(|opened| *opened != Directories::of(settings))
    }

    /// Returns the descriptor that becomes readable when it may have moved; then call [`OpenJournal::clear_arrivals`].
    /// Without one, check [`OpenJournal::has_moved`] from time to time.
    pub(super) fn arrivals(&self) -> Option<BorrowedFd<'_>> {
        self.arrivals.as_ref().map(Arrivals::as_fd)
    }

    pub(super) fn clear_arrivals(&self) {
        if let Some(arrivals) = &self.arrivals {
            arrivals.clear();
        }
    }

    /// Returns `true` if none of its directories exists yet.
    pub(super) fn is_missing(&self) -> bool {
        self.directories.as_ref().is_some_and(Directories::is_empty)
    }

    fn new(mut journal: Journal) -> anyhow::Result<OpenJournal> {
        // With space for the name, so that a value can have its full length.
        journal.set_data_threshold(FIELD_LIMIT + 256)?;
        // This comes first, because libsystemd closes deleted files only from then on.
        journal.fd().map_err(|e| {
            // libsystemd needs an inotify instance for each open journal.
            let is_limit = e.raw_os_error() == Some(Errno::EMFILE as i32);
            let limit = if is_limit { " (raise the sysctl fs.inotify.max_user_instances)" } else { "" };
            anyhow::Error::new(e).context(format!("watching the journal{limit}"))
        })?;
        let mut source = OpenJournal {
            journal,
            held: false,
            at: Timestamp::default(),
            reading: Reading::default(),
            since_process: 0,
            fresh: Fresh::new(),
            known: None,
            losses: Losses::default(),
            completeness: Completeness::new(JournalSettings::default(), Vec::new()),
            directories: None,
            arrivals: None,
        };
        source.update_time();
        Ok(source)
    }

    /// Returns the descriptor that becomes readable when the journal has changed; then call [`OpenJournal::process`].
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        raw::descriptor(&self.journal)
    }

    /// Processes changes: new entries, new files, deleted files.
    pub(super) fn process(&mut self) {
        self.since_process = 0;
        self.completeness.note_change();
        if let Err(e) = self.journal.process() {
            tracing::debug!("processing journal events: {e}");
        }
        self.update_time();
    }

    fn update_time(&mut self) {
        let newest = self.newest();
        self.fresh.update_time(newest);
    }

    /// Returns the time of the last entry, according to the files.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let (_, newest) = self.journal.cutoff_realtime_usec().ok().flatten()?;
        i64::try_from(newest).ok().map(Timestamp)
    }

    /// Forgets the current entry: reading continues elsewhere.
    pub(super) fn leave(&mut self) {
        self.held = false;
        self.known = None;
        self.fresh.forget();
    }

    pub(super) fn seek_head(&mut self) -> anyhow::Result<()> {
        self.leave();
        self.journal.seek_head().context("seeking the journal's head")
    }

    pub(super) fn seek_time(&mut self, time: Timestamp) -> anyhow::Result<()> {
        self.leave();
        let micros = u64::try_from(time.0).unwrap_or(0);
        self.journal.seek_realtime_usec(micros).context("seeking a time in the journal")
    }

    /// Goes behind the last entry; returns its position.
    pub(super) fn seek_tail(&mut self) -> anyhow::Result<JournalPosition> {
        self.leave();
        self.journal.seek_tail().context("seeking the journal's tail")?;
        if self.journal.previous().context("seeking the journal's tail")? == 0 {
            // It is empty: new entries will be behind its head.
            self.journal.seek_head().context("seeking the journal's head")?;
            let position = JournalPosition::at(Timestamp::now());
            return Ok(self.known.insert(position).clone());
        }
        self.at = self.time()?;
        let position = self.position();
        Ok(self.known.insert(position).clone())
    }

    /// Goes to the entry with this cursor; returns whether it exists.
    pub(super) fn find(&mut self, cursor: &str) -> anyhow::Result<bool> {
        self.leave();
        if self.journal.seek_cursor(cursor).is_err() {
            bail!("`{}` is not a cursor of the journal", cursor.escape_debug());
        }
        self.held = self.step() && self.journal.test_cursor(cursor).unwrap_or(false);
        Ok(self.held && matches!(self.poll(), Next::Record(_)))
    }

    /// Goes to the next entry, without waiting for one that journald has not finished.
    pub(super) fn poll(&mut self) -> Next {
        loop {
            if !self.fresh.is_waiting() {
                if !self.advance() {
                    self.update_time();
                    self.fresh.reach_end();
                    return Next::End;
                }
                if !self.fresh.must_check(self.at) {
                    self.known = None;
                    self.completeness.count();
                    return Next::Record(self.at);
                }
            }
            let cursor = match self.fresh.check(&mut self.journal) {
                Verdict::Whole(cursor) => cursor,
                Verdict::Partial(cursor) => {
                    self.losses.note(&PARTIAL, 1, self.at, self.at);
                    cursor
                }
                // Without a known position, this entry's own would be stored, and the entry skipped after a crash: so the
                // wait is here.
                Verdict::Wait(wait) if self.known.is_some() => return Next::Later(wait),
                Verdict::Wait(wait) => {
                    self.wait(wait);
                    continue;
                }
                Verdict::Gone => continue,
            };
            self.known = Some(JournalPosition::behind(cursor, self.at));
            self.completeness.count();
            return Next::Record(self.at);
        }
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.process();
    }

    fn advance(&mut self) -> bool {
        if std::mem::take(&mut self.held) {
            return true;
        }
        self.since_process += 1;
        if self.since_process >= PROCESS_INTERVAL {
            self.process();
        }
        self.step()
    }

    pub(super) fn step(&mut self) -> bool {
        for _ in 0..TRIES {
            match self.journal.next() {
                Ok(0) => return false,
                Ok(_) => {
                    self.reading = Reading::default();
                    self.at = self.time().unwrap_or(self.at);
                    return true;
                }
                // A file is being rotated.
                Err(e) => {
                    tracing::debug!("going to the next entry: {e}");
                    self.process();
                }
            }
        }
        false
    }

    /// Returns the current entry's time.
    pub(super) fn time(&self) -> anyhow::Result<Timestamp> {
        Ok(time_of(&self.journal)?)
    }

    /// Returns the position of the entry that was returned last. If its file was deleted since, only its time is known,
    /// and the position is right behind that.
    pub(super) fn position(&mut self) -> JournalPosition {
        let position = match &self.known {
            Some(known) => known.clone(),
            None => match self.journal.cursor() {
                Ok(cursor) => JournalPosition::behind(cursor, self.at),
                Err(e) => {
                    tracing::debug!("asking for the cursor of an entry: {e}");
                    self.losses.note(&GUESSED, 1, self.at, self.at);
                    JournalPosition::at(Timestamp(self.at.0 + 1))
                }
            },
        };
        if let Some(cursor) = &position.cursor {
            self.completeness.reach(cursor, position.time);
        }
        position
    }

    /// Checks from time to time whether everything was read. `is_at_end`: [`OpenJournal::poll`] has just returned
    /// [`Next::End`]. Returns whether to poll again, at once.
    pub(super) fn tend(&mut self, is_at_end: bool) -> bool {
        let again = self.completeness.check(is_at_end, &mut self.losses);
        if again {
            // libsystemd may not know files that were counted just now.
            self.process();
        }
        self.losses.tend();
        again
    }

    /// Returns how long to wait until [`OpenJournal::tend`] has something to do, if nothing happens.
    pub(super) fn next_tend(&self) -> Option<Duration> {
        [self.completeness.next_check(), self.losses.next_tend()].into_iter().flatten().min()
    }

    /// Returns what could not be returned as it was written.
    pub(super) fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// Returns the files that libsystemd skips, as of the last [`OpenJournal::tend`].
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        self.completeness.left_out()
    }

    /// Uncounts the entry that was found last: it was not read, and will be found again.
    pub(super) fn uncount(&mut self) {
        self.completeness.discount();
    }

    /// Continues the counts of the journal that this one replaces.
    pub(super) fn take_over(&mut self, former: &mut OpenJournal) {
        self.losses = std::mem::take(&mut former.losses);
        former.completeness.hand_over(&mut self.completeness);
    }

    /// With `files` in the settings: also opens the files that were archived since this position.
    pub(super) fn open_archived(&mut self, position: &JournalPosition) -> anyhow::Result<()> {
        let wanted = self.completeness.files_since(position);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut source = OpenJournal::open_with(self.completeness.settings(), wanted)?;
        std::mem::swap(&mut source.losses, &mut self.losses);
        *self = source;
        Ok(())
    }
}

/// Checks that this is a journal file: libsystemd's error would only be a number.
pub(super) fn check_file(path: &Path) -> anyhow::Result<()> {
    let failed = |e: &std::io::Error| anyhow::Error::msg(access::failure(path, e));
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut first = Vec::new();
    file.take(JOURNAL_FILE.len() as u64).read_to_end(&mut first).map_err(|e| failed(&e))?;
    if first != JOURNAL_FILE {
        bail!(
            "{}: this is not a journal file; read log files with --file and --format (text, syslog, json, docker, \
             access), exports with --input",
            path.display()
        );
    }
    Ok(())
}

fn open_directory(directory: &Path, system: bool) -> anyhow::Result<Journal> {
    let shown = || format!("opening the journal in {}", directory.display());
    // libsystemd would accept a directory that cannot be read, and wait for files in it.
    std::fs::read_dir(directory).with_context(shown)?;
    OpenDirectoryOptions::default()
        .system(system)
        .open_directory(directory.to_string_lossy().as_ref())
        .with_context(shown)
}

fn open_files(files: &[PathBuf]) -> anyhow::Result<Journal> {
    let mut names = Vec::new();
    for file in files {
        let shown = || file.display().to_string();
        std::fs::File::open(file).with_context(shown)?;
        // libsystemd watches the files' directories, so the paths must have one.
        names.push(std::path::absolute(file).with_context(shown)?.to_string_lossy().into_owned());
    }
    OpenFilesOptions::default().open_files(names).context("opening journal files")
}

fn time_of(journal: &JournalRef) -> systemd::Result<Timestamp> {
    journal.timestamp_usec().map(|micros| Timestamp(i64::try_from(micros).unwrap_or(i64::MAX)))
}

//! The systemd journal as a source of records.
//!
//! libsystemd reads; what is added here is what years of its users learned: a reader must process events after
//! rotation and during long reads, must not give up over a file that rotates under its hands, and must know whether
//! the entry of a stored cursor is still there.

mod directories;
mod export;
mod json;
mod raw;
mod recording;
mod settings;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pyruse_core::entry::{FIELD_LIMIT, Record, Sink};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use systemd::Journal;
use systemd::journal::{JournalRef, OpenDirectoryOptions, OpenFilesOptions, OpenOptions};

use self::directories::Directories;
pub(crate) use self::json::read_one;
pub(crate) use self::recording::Recording;
pub(crate) use self::settings::{JournalSettings, Scope};

/// So many entries are read at most without looking for rotation.
const PROCESS_EVERY: u32 = 1000;

/// How often an entry is tried that cannot be read, before it is taken as it is.
const TRIES: u32 = 3;

/// Where reading begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// Right behind the stored entry.
    Exactly,
    /// The stored entry is not there any more: at the first one that follows, of that time.
    Gap(Option<Timestamp>),
}

/// An open journal.
pub(crate) struct Source {
    journal: Journal,
    /// The current entry has not been given out yet.
    held: bool,
    /// The time of the current entry.
    at: Timestamp,
    since_process: u32,
    /// Those that must be looked after, as they were when it was opened.
    directories: Option<Directories>,
}

impl Source {
    pub(crate) fn open(settings: &JournalSettings) -> anyhow::Result<Source> {
        let directories = Directories::of(settings);
        let system = settings.scope.unwrap_or(Scope::System) == Scope::System;
        let journal = if let Some(namespace) = &settings.namespace {
            // The namespace is the scope: its files hold nothing else.
            OpenOptions::default()
                .open_namespace(namespace.as_str())
                .with_context(|| format!("opening the journal namespace `{namespace}`"))?
        } else if let Some(directory) = &settings.directory {
            open_directory(directory, settings.scope == Some(Scope::System))?
        } else if !settings.files.is_empty() {
            open_files(&settings.files)?
        } else {
            OpenOptions::default().system(system).open().context("opening the journal")?
        };
        let mut source = Source { directories, ..Source::new(journal)? };
        for text in &settings.matches {
            if text == "+" {
                source.journal.match_or()?;
            } else if let Some((field, value)) = text.split_once('=') {
                source.journal.match_add(field, value)?;
            }
        }
        Ok(source)
    }

    /// Must it be asked from time to time whether it [`Source::has_moved`]?
    pub(crate) fn may_move(&self) -> bool {
        self.directories.is_some()
    }

    /// Are its directories others than those that were opened, so that it must be opened anew?
    pub(crate) fn has_moved(&self, settings: &JournalSettings) -> bool {
        self.may_move() && Directories::of(settings) != self.directories
    }

    /// Is there no directory at all yet?
    pub(crate) fn is_nowhere(&self) -> bool {
        self.directories.as_ref().is_some_and(Directories::is_empty)
    }

    pub(crate) fn open_directory(directory: &Path) -> anyhow::Result<Source> {
        Source::new(open_directory(directory, false)?)
    }

    pub(crate) fn open_files(files: &[PathBuf]) -> anyhow::Result<Source> {
        Source::new(open_files(files)?)
    }

    fn new(mut journal: Journal) -> anyhow::Result<Source> {
        // Room for the name too, so that a value can have its full length.
        journal.set_data_threshold(FIELD_LIMIT + 256)?;
        // Asked for right away: only from then on are deleted files let go.
        journal.fd().context("watching the journal")?;
        Ok(Source { journal, held: false, at: Timestamp::default(), since_process: 0, directories: None })
    }

    /// Readable when something has happened; then call [`Source::process`].
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        raw::descriptor(&self.journal)
    }

    /// Looks at what has happened: new entries, new files, files that are gone.
    pub(crate) fn process(&mut self) {
        self.since_process = 0;
        if let Err(e) = self.journal.process() {
            tracing::debug!("processing journal events: {e}");
        }
    }

    pub(crate) fn seek_head(&mut self) -> anyhow::Result<()> {
        self.held = false;
        self.journal.seek_head().context("seeking the journal's head")
    }

    pub(crate) fn seek_time(&mut self, time: Timestamp) -> anyhow::Result<()> {
        self.held = false;
        let micros = u64::try_from(time.0).unwrap_or(0);
        self.journal.seek_realtime_usec(micros).context("seeking a time in the journal")
    }

    /// Behind the last entry; its position.
    pub(crate) fn seek_tail(&mut self) -> anyhow::Result<Position> {
        self.held = false;
        self.journal.seek_tail().context("seeking the journal's tail")?;
        if self.journal.previous().context("seeking the journal's tail")? == 0 {
            // Empty: whatever comes will be behind its head.
            self.journal.seek_head().context("seeking the journal's head")?;
            return Ok(Position { cursor: None, realtime: Timestamp::now() });
        }
        self.at = self.time()?;
        Ok(self.position())
    }

    /// Behind the entry of that position, or where it was.
    pub(crate) fn resume(&mut self, position: &Position) -> anyhow::Result<Resumed> {
        self.held = false;
        let Some(cursor) = &position.cursor else {
            self.seek_time(position.realtime)?;
            return Ok(Resumed::Exactly);
        };
        let found = self.journal.seek_cursor(cursor.as_str()).is_ok() && self.step();
        if found && self.journal.test_cursor(cursor.as_str()).unwrap_or(false) {
            return Ok(Resumed::Exactly);
        }
        // libsystemd stands on the next closest entry; where that lies before the stored one, the time decides.
        let time = if found { self.time().ok() } else { None };
        if time.is_some_and(|time| time >= position.realtime) {
            self.held = true;
            return Ok(Resumed::Gap(time));
        }
        self.seek_time(position.realtime)?;
        self.held = self.step();
        Ok(Resumed::Gap(if self.held { self.time().ok() } else { None }))
    }

    /// Goes to the entry of that cursor; is it there?
    pub(crate) fn find(&mut self, cursor: &str) -> anyhow::Result<bool> {
        self.held = false;
        if self.journal.seek_cursor(cursor).is_err() {
            bail!("`{}` is no cursor of the journal", cursor.escape_debug());
        }
        Ok(self.step() && self.journal.test_cursor(cursor).unwrap_or(false))
    }

    /// Goes to the next entry; is there one?
    pub(crate) fn next(&mut self) -> bool {
        if std::mem::take(&mut self.held) {
            return true;
        }
        self.since_process += 1;
        if self.since_process >= PROCESS_EVERY {
            self.process();
        }
        self.step()
    }

    fn step(&mut self) -> bool {
        for _ in 0..TRIES {
            match self.journal.next() {
                Ok(0) => return false,
                Ok(_) => {
                    self.at = self.time().unwrap_or(self.at);
                    return true;
                }
                // A file is rotated under our hands.
                Err(e) => {
                    tracing::debug!("going to the next entry: {e}");
                    self.process();
                }
            }
        }
        false
    }

    /// The current entry.
    pub(crate) fn record(&mut self) -> JournalRecord<'_> {
        JournalRecord { journal: &mut self.journal, at: self.at, given: 0, started: false, tries: 0 }
    }

    /// The current entry's time.
    pub(crate) fn time(&self) -> anyhow::Result<Timestamp> {
        Ok(time_of(&self.journal)?)
    }

    /// The current entry's position. Where its file is gone since it was read, time is all that is left of it, and the
    /// position is right behind it.
    pub(crate) fn position(&self) -> Position {
        match self.journal.cursor() {
            Ok(cursor) => Position { cursor: Some(cursor), realtime: self.at },
            Err(e) => {
                tracing::debug!("asking for the cursor of an entry: {e}");
                Position { cursor: None, realtime: Timestamp(self.at.0 + 1) }
            }
        }
    }
}

/// libsystemd holds a descriptor for every file of the journal, and there may be more than the usual 1,024; what it
/// cannot open, it leaves out without a word. To be called before a journal is opened.
pub(crate) fn raise_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(e) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::debug!("raising the limit of open files: {e}");
    }
}

fn open_directory(directory: &Path, system: bool) -> anyhow::Result<Journal> {
    let shown = || format!("opening the journal in {}", directory.display());
    // libsystemd takes any directory that exists, and then waits for files in it.
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
        // libsystemd watches the files' directories, and finds none in a bare name.
        names.push(std::path::absolute(file).with_context(shown)?.to_string_lossy().into_owned());
    }
    OpenFilesOptions::default().open_files(names).context("opening journal files")
}

fn time_of(journal: &JournalRef) -> systemd::Result<Timestamp> {
    journal.timestamp_usec().map(|micros| Timestamp(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// The current entry of a journal, field by field.
pub(crate) struct JournalRecord<'j> {
    journal: &'j mut Journal,
    at: Timestamp,
    given: u32,
    started: bool,
    tries: u32,
}

impl JournalRecord<'_> {
    /// Reading failed in the middle, because files rotate: begins again, behind what was given out.
    fn restart(&mut self) -> bool {
        self.tries += 1;
        if self.tries > TRIES || self.journal.process().is_err() {
            return false;
        }
        self.journal.restart_data();
        (0..self.given).all(|_| matches!(raw::next_field(self.journal), Ok(Some(_)))) || self.restart()
    }
}

impl Record for JournalRecord<'_> {
    fn realtime(&mut self) -> Timestamp {
        self.at
    }

    fn monotonic(&mut self) -> Option<i64> {
        self.journal.monotonic_timestamp().ok().and_then(|(micros, _)| i64::try_from(micros).ok())
    }

    fn cursor(&mut self) -> Option<String> {
        self.journal.cursor().ok()
    }

    fn next_field(&mut self, sink: &mut Sink<'_>) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            self.journal.restart_data();
        }
        loop {
            match raw::next_field(self.journal) {
                Ok(Some(field)) => {
                    self.given += 1;
                    if sink.assignment(field) {
                        return true;
                    }
                    continue;
                }
                Ok(None) => return false,
                Err(e) => tracing::debug!("reading a field: {e}"),
            }
            if !self.restart() {
                return false;
            }
        }
    }
}

//! The systemd journal as a source of records.
//!
//! libsystemd reads; what is added here is what years of its users learned: a reader must process events after
//! rotation and during long reads, must not give up over a file that rotates under its hands, and must know whether
//! the entry of a stored cursor is still there.

mod directories;
mod export;
mod fresh;
mod json;
mod lookup3;
mod losses;
mod raw;
mod record;
mod recording;
mod settings;
mod whole;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pyruse_core::entry::FIELD_LIMIT;
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use systemd::Journal;
use systemd::journal::{JournalRef, OpenDirectoryOptions, OpenFilesOptions, OpenOptions};

use self::directories::Directories;
use self::fresh::{Fresh, Verdict};
pub(crate) use self::json::read_one;
use self::losses::{Kind, Losses};
use self::record::JournalRecord;
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

/// What came of going on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// There is an entry.
    Entry,
    /// There are no more for now.
    End,
    /// There is one that journald has not finished: it must be asked again, after so long.
    Soon(Duration),
}

/// An open journal.
pub(crate) struct Source {
    journal: Journal,
    /// The current entry has not been given out yet.
    held: bool,
    /// The time of the current entry.
    at: Timestamp,
    since_process: u32,
    fresh: Fresh,
    /// The position of the entry that was given out last, where it is known without asking.
    known: Option<Position>,
    losses: Losses,
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
        let mut source = Source {
            journal,
            held: false,
            at: Timestamp::default(),
            since_process: 0,
            fresh: Fresh::new(),
            known: None,
            losses: Losses::default(),
            directories: None,
        };
        source.tell_time();
        Ok(source)
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
        self.tell_time();
    }

    fn tell_time(&mut self) {
        let ends = self.journal.cutoff_realtime_usec().ok().flatten();
        let newest = ends.and_then(|(_, newest)| i64::try_from(newest).ok()).map(Timestamp);
        self.fresh.tell_time(newest);
    }

    /// Reading goes on elsewhere.
    fn leave(&mut self) {
        self.held = false;
        self.known = None;
        self.fresh.forget();
    }

    pub(crate) fn seek_head(&mut self) -> anyhow::Result<()> {
        self.leave();
        self.journal.seek_head().context("seeking the journal's head")
    }

    pub(crate) fn seek_time(&mut self, time: Timestamp) -> anyhow::Result<()> {
        self.leave();
        let micros = u64::try_from(time.0).unwrap_or(0);
        self.journal.seek_realtime_usec(micros).context("seeking a time in the journal")
    }

    /// Behind the last entry; its position.
    pub(crate) fn seek_tail(&mut self) -> anyhow::Result<Position> {
        self.leave();
        self.journal.seek_tail().context("seeking the journal's tail")?;
        if self.journal.previous().context("seeking the journal's tail")? == 0 {
            // Empty: whatever comes will be behind its head.
            self.journal.seek_head().context("seeking the journal's head")?;
            let position = Position { cursor: None, realtime: Timestamp::now() };
            return Ok(self.known.insert(position).clone());
        }
        self.at = self.time()?;
        let position = self.position();
        Ok(self.known.insert(position).clone())
    }

    /// Behind the entry of that position, or where it was.
    pub(crate) fn resume(&mut self, position: &Position) -> anyhow::Result<Resumed> {
        let resumed = self.resume_at(position)?;
        self.known = Some(position.clone());
        Ok(resumed)
    }

    fn resume_at(&mut self, position: &Position) -> anyhow::Result<Resumed> {
        self.leave();
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
        self.leave();
        if self.journal.seek_cursor(cursor).is_err() {
            bail!("`{}` is no cursor of the journal", cursor.escape_debug());
        }
        self.held = self.step() && self.journal.test_cursor(cursor).unwrap_or(false);
        Ok(self.held && self.next())
    }

    /// Goes to the next entry; is there one? Waits for one that journald has not finished.
    pub(crate) fn next(&mut self) -> bool {
        loop {
            match self.poll() {
                Next::Entry => return true,
                Next::End => return false,
                Next::Soon(wait) => self.wait(wait),
            }
        }
    }

    /// Goes to the next entry, without waiting for one that journald has not finished.
    pub(crate) fn poll(&mut self) -> Next {
        loop {
            if !self.fresh.is_waiting() {
                if !self.advance() {
                    self.tell_time();
                    self.fresh.reach_end();
                    return Next::End;
                }
                if !self.fresh.must_check(self.at) {
                    self.known = None;
                    return Next::Entry;
                }
            }
            let cursor = match self.fresh.check(&mut self.journal) {
                Verdict::Whole(cursor) => cursor,
                Verdict::Partial(cursor) => {
                    self.losses.note(Kind::Partial, 1, self.at, self.at);
                    cursor
                }
                // Who knows no other place than this entry's would store that, and skip the entry after a crash.
                Verdict::Wait(wait) if self.known.is_some() => return Next::Soon(wait),
                Verdict::Wait(wait) => {
                    self.wait(wait);
                    continue;
                }
                Verdict::Gone => continue,
            };
            self.known = Some(Position { cursor: Some(cursor), realtime: self.at });
            return Next::Entry;
        }
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.process();
    }

    /// Goes to the next entry, for who does not look into it; is there one?
    pub(crate) fn advance(&mut self) -> bool {
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
        JournalRecord::new(&mut self.journal, &mut self.losses, self.at)
    }

    /// The current entry's time.
    pub(crate) fn time(&self) -> anyhow::Result<Timestamp> {
        Ok(time_of(&self.journal)?)
    }

    /// The position of the entry that was given out last. Where its file is gone since it was read, time is all that is
    /// left of it, and the position is right behind it.
    pub(crate) fn position(&mut self) -> Position {
        if let Some(known) = &self.known {
            return known.clone();
        }
        match self.journal.cursor() {
            Ok(cursor) => Position { cursor: Some(cursor), realtime: self.at },
            Err(e) => {
                tracing::debug!("asking for the cursor of an entry: {e}");
                self.losses.note(Kind::Guessed, 1, self.at, self.at);
                Position { cursor: None, realtime: Timestamp(self.at.0 + 1) }
            }
        }
    }

    /// What could not be given out as it was written.
    pub(crate) fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// Goes on counting where the journal that this one replaces has stopped.
    pub(crate) fn succeed(&mut self, former: &mut Source) {
        self.losses = std::mem::take(&mut former.losses);
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

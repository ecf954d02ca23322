//! The systemd journal as a source of records.
//!
//! libsystemd reads; what is added here is what years of its users learned: a reader must process events after
//! rotation and during long reads, must not give up over a file that rotates under its hands, and must know whether
//! the entry of a stored cursor is still there.

mod account;
mod arrivals;
mod export;
mod file;
mod follow;
mod fresh;
mod hidden;
mod intake;
mod json;
mod left_out;
mod lines;
mod lookup3;
pub mod losses;
mod places;
mod raw;
mod record;
mod recording;
mod resume;
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

use self::account::Account;
use self::arrivals::Arrivals;
pub use self::follow::{Follower, go_to_position, open_at_position};
use self::fresh::{Fresh, Verdict};
pub use self::hidden::{units_not_read, units_unheard, words as words_for_units};
pub use self::json::read_one;
pub use self::left_out::{LeftOut, left_out};
use self::losses::{Kind, Losses};
use self::places::Directories;
pub use self::places::files_read;
use self::record::{JournalRecord, TRIES};
pub use self::recording::{Form, Recording, is_journal_file};
pub use self::resume::Resumed;
pub use self::settings::{JournalSettings, Scope};

/// So many entries are read at most without looking for rotation.
const PROCESS_EVERY: u32 = 1000;

/// What came of going on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// There is an entry.
    Entry,
    /// There are no more for now.
    End,
    /// There is one that journald has not finished: it must be asked again, after so long.
    Soon(Duration),
}

/// An open journal.
pub struct Source {
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
    account: Account,
    /// As they were when it was opened; `None` for a journal that is not followed.
    directories: Option<Directories>,
    /// Of the machine's own journal.
    arrivals: Option<Arrivals>,
}

impl Source {
    pub fn open(settings: &JournalSettings) -> anyhow::Result<Source> {
        let files = settings.files.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        Source::open_with(settings, files)
    }

    /// Of a journal by `files`, these are opened.
    fn open_with(settings: &JournalSettings, files: Vec<PathBuf>) -> anyhow::Result<Source> {
        let is_own = files.is_empty() && settings.directory.is_none() && settings.namespace.is_none();
        // Before looking: what comes in between is noticed.
        let arrivals = if is_own { Arrivals::watch() } else { None };
        let directories = Some(Directories::of(settings));
        let system = settings.scope.unwrap_or(Scope::System) == Scope::System;
        let journal = if let Some(namespace) = &settings.namespace {
            // The namespace is the scope: its files hold nothing else.
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
        let account = Account::new(settings.clone(), files);
        let mut source = Source { account, directories, arrivals, ..Source::new(journal)? };
        for text in &settings.matches {
            if text == "+" {
                source.journal.match_or()?;
            } else if let Some((field, value)) = text.split_once('=') {
                source.journal.match_add(field, value)?;
            }
        }
        Ok(source)
    }

    /// Are its directories others than those that were opened, so that it must be opened again?
    pub fn has_moved(&self, settings: &JournalSettings) -> bool {
        settings.files.iter().all(|file| file.exists())
            && self.directories.as_ref().is_some_and(|opened| *opened != Directories::of(settings))
    }

    /// Readable when it may have moved; then call [`Source::clear_arrivals`]. Without this, it must be asked from time to
    /// time whether it [`Source::has_moved`].
    pub fn arrivals(&self) -> Option<BorrowedFd<'_>> {
        self.arrivals.as_ref().map(Arrivals::as_fd)
    }

    pub fn clear_arrivals(&self) {
        if let Some(arrivals) = &self.arrivals {
            arrivals.clear();
        }
    }

    /// Is there no directory at all yet?
    pub fn is_nowhere(&self) -> bool {
        self.directories.as_ref().is_some_and(Directories::is_empty)
    }

    pub fn open_directory(directory: &Path) -> anyhow::Result<Source> {
        Source::new(open_directory(directory, false)?)
    }

    pub fn open_files(files: &[PathBuf]) -> anyhow::Result<Source> {
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
            account: Account::new(JournalSettings::default(), Vec::new()),
            directories: None,
            arrivals: None,
        };
        source.tell_time();
        Ok(source)
    }

    /// Readable when something has happened; then call [`Source::process`].
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        raw::descriptor(&self.journal)
    }

    /// Looks at what has happened: new entries, new files, files that are gone.
    pub fn process(&mut self) {
        self.since_process = 0;
        self.account.stir();
        if let Err(e) = self.journal.process() {
            tracing::debug!("processing journal events: {e}");
        }
        self.tell_time();
    }

    fn tell_time(&mut self) {
        let newest = self.newest();
        self.fresh.tell_time(newest);
    }

    /// The time of the last entry, as far as the files say.
    fn newest(&self) -> Option<Timestamp> {
        let (_, newest) = self.journal.cutoff_realtime_usec().ok().flatten()?;
        i64::try_from(newest).ok().map(Timestamp)
    }

    /// Reading goes on elsewhere.
    fn leave(&mut self) {
        self.held = false;
        self.known = None;
        self.fresh.forget();
    }

    pub fn seek_head(&mut self) -> anyhow::Result<()> {
        self.leave();
        self.journal.seek_head().context("seeking the journal's head")
    }

    pub fn seek_time(&mut self, time: Timestamp) -> anyhow::Result<()> {
        self.leave();
        let micros = u64::try_from(time.0).unwrap_or(0);
        self.journal.seek_realtime_usec(micros).context("seeking a time in the journal")
    }

    /// Behind the last entry; its position.
    pub fn seek_tail(&mut self) -> anyhow::Result<Position> {
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

    /// Goes to the entry of that cursor; is it there?
    pub fn find(&mut self, cursor: &str) -> anyhow::Result<bool> {
        self.leave();
        if self.journal.seek_cursor(cursor).is_err() {
            bail!("`{}` is no cursor of the journal", cursor.escape_debug());
        }
        self.held = self.step() && self.journal.test_cursor(cursor).unwrap_or(false);
        Ok(self.held && self.next())
    }

    /// Goes to the next entry; is there one? Waits for one that journald has not finished.
    pub fn next(&mut self) -> bool {
        loop {
            match self.poll() {
                Next::Entry => return true,
                Next::End => return false,
                Next::Soon(wait) => self.wait(wait),
            }
        }
    }

    /// Goes to the next entry, without waiting for one that journald has not finished.
    pub fn poll(&mut self) -> Next {
        loop {
            if !self.fresh.is_waiting() {
                if !self.advance() {
                    self.tell_time();
                    self.fresh.reach_end();
                    return Next::End;
                }
                if !self.fresh.must_check(self.at) {
                    self.known = None;
                    self.account.count();
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
            self.account.count();
            return Next::Entry;
        }
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.process();
    }

    /// Goes to the next entry, for who does not look into it; is there one?
    pub fn advance(&mut self) -> bool {
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
    pub fn record(&mut self) -> JournalRecord<'_> {
        JournalRecord::new(&mut self.journal, &mut self.losses, self.at)
    }

    /// The current entry's time.
    pub fn time(&self) -> anyhow::Result<Timestamp> {
        Ok(time_of(&self.journal)?)
    }

    /// The position of the entry that was given out last. Where its file is gone since it was read, time is all that is
    /// left of it, and the position is right behind it.
    pub fn position(&mut self) -> Position {
        let position = match &self.known {
            Some(known) => known.clone(),
            None => match self.journal.cursor() {
                Ok(cursor) => Position { cursor: Some(cursor), realtime: self.at },
                Err(e) => {
                    tracing::debug!("asking for the cursor of an entry: {e}");
                    self.losses.note(Kind::Guessed, 1, self.at, self.at);
                    Position { cursor: None, realtime: Timestamp(self.at.0 + 1) }
                }
            },
        };
        if let Some(cursor) = &position.cursor {
            self.account.reach(cursor, position.realtime);
        }
        position
    }

    /// Looks from time to time whether everything was read. `is_at_end`: [`Source::poll`] has just said that there is no
    /// more. Gives whether it must be asked again, at once.
    pub fn tend(&mut self, is_at_end: bool) -> bool {
        let again = self.account.look(is_at_end, &mut self.losses);
        if again {
            // Files that were counted just now may be too new to be known to libsystemd.
            self.process();
        }
        self.losses.tend();
        again
    }

    /// When [`Source::tend`] wants to be called, if nothing happens.
    pub fn next_tend(&self) -> Option<Duration> {
        [self.account.next_look(), self.losses.next_tend()].into_iter().flatten().min()
    }

    /// What could not be given out as it was written.
    pub fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// The files that libsystemd leaves out, as far as [`Source::tend`] has come.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.account.left_out()
    }

    /// Goes on counting where the journal that this one replaces has stopped.
    pub fn succeed(&mut self, former: &mut Source) {
        self.losses = std::mem::take(&mut former.losses);
        former.account.hand_over(&mut self.account);
    }

    /// Of a journal by `files`, the parts that were archived since that position are read too.
    fn follow_files(&mut self, position: &Position) -> anyhow::Result<()> {
        let wanted = self.account.files_since(position);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut source = Source::open_with(self.account.settings(), wanted)?;
        std::mem::swap(&mut source.losses, &mut self.losses);
        *self = source;
        Ok(())
    }
}

/// libsystemd holds a descriptor for every file of the journal, and there may be more than the usual 1,024; what it
/// cannot open, it leaves out without a word. To be called before a journal is opened.
pub fn raise_descriptor_limit() {
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

//! The journal, opened: libsystemd reads, and this adds what years of its users have learned.
//!
//! A reader must process events after rotation and during long reads, must not give up over a file that rotates while
//! it is read, and must know whether the entry of a stored cursor is still there.

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

use super::account::Account;
use super::arrivals::Arrivals;
use super::descriptors::raise_descriptor_limit;
use super::fresh::{Fresh, Verdict};
use super::losses::{GUESSED, PARTIAL};
use super::places::Directories;
use super::position::JournalPosition;
use super::raw;
use super::reading::{Reading, TRIES};
use super::settings::{JournalSettings, Scope};

/// What a journal file begins with.
pub(crate) const JOURNAL_FILE: &[u8] = b"LPKSHHRH";

/// So many entries are read at most without looking for rotation.
const PROCESS_EVERY: u32 = 1000;

/// An open journal.
pub(super) struct OpenJournal {
    pub(super) journal: Journal,
    /// Whether the current entry is the next one, and was not given out yet.
    pub(super) held: bool,
    /// The time of the current entry.
    pub(super) at: Timestamp,
    /// How far the fields of the current entry are read.
    pub(super) reading: Reading,
    since_process: u32,
    fresh: Fresh,
    /// The position of the entry that was given out last, where it is known without asking.
    pub(super) known: Option<JournalPosition>,
    pub(super) losses: Losses,
    pub(super) account: Account,
    /// As they were when it was opened; `None` for a journal that is not followed.
    directories: Option<Directories>,
    /// Of the machine's own journal.
    arrivals: Option<Arrivals>,
}

impl OpenJournal {
    pub(super) fn open(settings: &JournalSettings) -> anyhow::Result<OpenJournal> {
        raise_descriptor_limit();
        settings.files.iter().try_for_each(|file| check_file(file))?;
        let files = settings.files.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        OpenJournal::open_with(settings, files)
    }

    /// Of a journal by `files`, these are opened.
    fn open_with(settings: &JournalSettings, files: Vec<PathBuf>) -> anyhow::Result<OpenJournal> {
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
        let mut source = OpenJournal { account, directories, arrivals, ..OpenJournal::new(journal)? };
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
    pub(super) fn has_moved(&self, settings: &JournalSettings) -> bool {
        settings.files.iter().all(|file| file.exists())
            && self.directories.as_ref().is_some_and(|opened| *opened != Directories::of(settings))
    }

    /// Readable when it may have moved; then call [`OpenJournal::clear_arrivals`]. Without this, it must be asked from time to
    /// time whether it [`OpenJournal::has_moved`].
    pub(super) fn arrivals(&self) -> Option<BorrowedFd<'_>> {
        self.arrivals.as_ref().map(Arrivals::as_fd)
    }

    pub(super) fn clear_arrivals(&self) {
        if let Some(arrivals) = &self.arrivals {
            arrivals.clear();
        }
    }

    /// Is there no directory at all yet?
    pub(super) fn is_nowhere(&self) -> bool {
        self.directories.as_ref().is_some_and(Directories::is_empty)
    }

    fn new(mut journal: Journal) -> anyhow::Result<OpenJournal> {
        // Room for the name too, so that a value can have its full length.
        journal.set_data_threshold(FIELD_LIMIT + 256)?;
        // Asked for right away: only from then on are deleted files let go.
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
            account: Account::new(JournalSettings::default(), Vec::new()),
            directories: None,
            arrivals: None,
        };
        source.tell_time();
        Ok(source)
    }

    /// Readable when something has happened; then call [`OpenJournal::process`].
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        raw::descriptor(&self.journal)
    }

    /// Looks at what has happened: new entries, new files, files that are gone.
    pub(super) fn process(&mut self) {
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
    pub(super) fn newest(&self) -> Option<Timestamp> {
        let (_, newest) = self.journal.cutoff_realtime_usec().ok().flatten()?;
        i64::try_from(newest).ok().map(Timestamp)
    }

    /// Reading goes on elsewhere.
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

    /// Behind the last entry; its position.
    pub(super) fn seek_tail(&mut self) -> anyhow::Result<JournalPosition> {
        self.leave();
        self.journal.seek_tail().context("seeking the journal's tail")?;
        if self.journal.previous().context("seeking the journal's tail")? == 0 {
            // Empty: whatever comes will be behind its head.
            self.journal.seek_head().context("seeking the journal's head")?;
            let position = JournalPosition::at(Timestamp::now());
            return Ok(self.known.insert(position).clone());
        }
        self.at = self.time()?;
        let position = self.position();
        Ok(self.known.insert(position).clone())
    }

    /// Goes to the entry of that cursor; is it there?
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
                    self.tell_time();
                    self.fresh.reach_end();
                    return Next::End;
                }
                if !self.fresh.must_check(self.at) {
                    self.known = None;
                    self.account.count();
                    return Next::Record(self.at);
                }
            }
            let cursor = match self.fresh.check(&mut self.journal) {
                Verdict::Whole(cursor) => cursor,
                Verdict::Partial(cursor) => {
                    self.losses.note(&PARTIAL, 1, self.at, self.at);
                    cursor
                }
                // Who knows no other place than this entry's would store that, and skip the entry after a crash.
                Verdict::Wait(wait) if self.known.is_some() => return Next::Later(wait),
                Verdict::Wait(wait) => {
                    self.wait(wait);
                    continue;
                }
                Verdict::Gone => continue,
            };
            self.known = Some(JournalPosition::behind(cursor, self.at));
            self.account.count();
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
        if self.since_process >= PROCESS_EVERY {
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
                // A file is rotated under our hands.
                Err(e) => {
                    tracing::debug!("going to the next entry: {e}");
                    self.process();
                }
            }
        }
        false
    }

    /// The current entry's time.
    pub(super) fn time(&self) -> anyhow::Result<Timestamp> {
        Ok(time_of(&self.journal)?)
    }

    /// The position of the entry that was given out last. Where its file is gone since it was read, time is all that is
    /// left of it, and the position is right behind it.
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
            self.account.reach(cursor, position.time);
        }
        position
    }

    /// Looks from time to time whether everything was read. `is_at_end`: [`OpenJournal::poll`] has just said that there is no
    /// more. Gives whether it must be asked again, at once.
    pub(super) fn tend(&mut self, is_at_end: bool) -> bool {
        let again = self.account.look(is_at_end, &mut self.losses);
        if again {
            // Files that were counted just now may be too new to be known to libsystemd.
            self.process();
        }
        self.losses.tend();
        again
    }

    /// When [`OpenJournal::tend`] wants to be called, if nothing happens.
    pub(super) fn next_tend(&self) -> Option<Duration> {
        [self.account.next_look(), self.losses.next_tend()].into_iter().flatten().min()
    }

    /// What could not be given out as it was written.
    pub(super) fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }

    /// The files that libsystemd leaves out, as far as [`OpenJournal::tend`] has come.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        self.account.left_out()
    }

    /// The entry that was found last is not read: it will be found again.
    pub(super) fn give_back(&mut self) {
        self.account.discount();
    }

    /// Goes on counting where the journal that this one replaces has stopped.
    pub(super) fn succeed(&mut self, former: &mut OpenJournal) {
        self.losses = std::mem::take(&mut former.losses);
        former.account.hand_over(&mut self.account);
    }

    /// Of a journal by `files`, the parts that were archived since that position are read too.
    pub(super) fn follow_files(&mut self, position: &JournalPosition) -> anyhow::Result<()> {
        let wanted = self.account.files_since(position);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut source = OpenJournal::open_with(self.account.settings(), wanted)?;
        std::mem::swap(&mut source.losses, &mut self.losses);
        *self = source;
        Ok(())
    }
}

/// Checks that this is a journal file: libsystemd would only return a number.
fn check_file(path: &Path) -> anyhow::Result<()> {
    let failed = |e: &std::io::Error| anyhow::Error::msg(access::failure(path, e));
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut first = Vec::new();
    file.take(JOURNAL_FILE.len() as u64).read_to_end(&mut first).map_err(|e| failed(&e))?;
    if first != JOURNAL_FILE {
        bail!("{}: this is not a journal file; read exports and text with --input", path.display());
    }
    Ok(())
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

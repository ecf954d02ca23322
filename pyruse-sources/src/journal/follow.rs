//! The reader of the journal that uses libsystemd: reopens the journal when necessary, and says when to poll it.
//!
//! The journal is reopened when its directory is replaced or created (`Directories`), and after much reading: libsystemd
//! keeps parts of the files in memory, up to hundreds of MiB, and reopening frees them. Reading continues where it
//! stopped.

use std::time::{Duration, Instant};

use pyruse_core::entry::Record;
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{Begin, Begun, LeftOut, Next, Reader, Readiness, SourceError};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

use super::file::Id;
use super::open::OpenJournal;
use super::position::JournalPosition;
use super::resume::Resumed;
use super::settings::JournalSettings;

/// How long to poll after an entry. journald notifies readers up to 250 ms after it has written an entry, and once for a
/// whole burst. So the reader polls by itself, less and less often: after a pause, within a thirty-second of its length.
/// Then it stops polling, and an idle journal causes no wake-ups.
const POLLING: Duration = Duration::from_secs(2);

/// The shortest poll interval. A poll takes about ten microseconds.
const MIN_POLL_INTERVAL: Duration = Duration::from_micros(250);

/// How often to check whether the journal's directory was replaced, if that is not watched.
const MOVE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// After this many entries and a pause of [`REOPEN_SILENCE`], the journal is reopened to free memory.
const REOPEN_AFTER: u64 = 10_000;

/// See [`REOPEN_AFTER`].
const REOPEN_SILENCE: Duration = Duration::from_millis(100);

/// In a backlog, which has no pauses, it is reopened after this many entries. That costs as much as reading a few
/// hundred.
const REOPEN_IN_BACKLOG: u64 = 100_000;

/// The reader; see the module documentation.
pub(super) struct Follower {
    journal: OpenJournal,
    settings: JournalSettings,
    /// Where to continue when the journal is opened again.
    position: JournalPosition,
    /// Whether the current entry was found, but not read yet.
    is_peeked: bool,
    /// The number of entries that were read since the last [`Reader::position`].
    fresh: u64,
    /// The number of entries that were read since the journal was opened.
    entries: u64,
    last_read: Instant,
    /// When to look again at the next entry, which journald has not finished.
    unfinished: Option<Instant>,
    /// When to check next whether the journal has moved.
    next_check: Instant,
    /// Why the journal cannot be opened where it has moved to, if it cannot.
    move_error: Option<SourceError>,
}

impl Follower {
    pub(super) fn open(settings: &JournalSettings) -> anyhow::Result<Follower> {
        let now = Instant::now();
        Ok(Follower {
            journal: OpenJournal::open(settings)?,
            settings: settings.clone(),
            position: JournalPosition::at(Timestamp::now()),
            is_peeked: false,
            fresh: 0,
            entries: 0,
            last_read: now,
            unfinished: None,
            next_check: now,
            move_error: None,
        })
    }

    /// Returns whether there are entries; `None` if there is no journal at all.
    pub(super) fn has_entries(&mut self) -> anyhow::Result<Option<bool>> {
        let end = self.journal.seek_tail()?;
        Ok((!self.journal.is_missing()).then_some(end.cursor.is_some()))
    }

    /// Returns the cursor of the entry that was found last.
    pub(super) fn cursor(&mut self) -> Option<String> {
        self.journal.cursor()
    }

    /// Returns the number in each sequence up to which everything was read, or left out.
    pub(super) fn passed(&self) -> impl Iterator<Item = (Id, u64)> {
        self.journal.completeness.passed()
    }

    /// Reopens the journal to free memory, if much was read.
    fn free_memory(&mut self) -> bool {
        let is_silent = || self.last_read.elapsed() >= REOPEN_SILENCE;
        if self.entries < REOPEN_AFTER || (self.entries < REOPEN_IN_BACKLOG && !is_silent()) {
            return false;
        }
        let opened = self.reopen();
        // Also after an error: the next try is after as many entries.
        self.entries = 0;
        match opened {
            Ok(()) => tracing::debug!("the journal was opened again, to free memory"),
            Err(e) => {
                tracing::debug!("opening the journal again: {e:#}");
                return false;
            }
        }
        true
    }

    /// Reopens the journal if its directory was replaced.
    fn follow_move(&mut self) -> bool {
        if Instant::now() < self.next_check {
            return false;
        }
        self.next_check = Instant::now() + MOVE_CHECK_INTERVAL;
        self.move_error = None;
        if !self.journal.has_moved(&self.settings) {
            return false;
        }
        match self.reopen() {
            Ok(()) => {
                tracing::info!("the journal's directory was replaced; it is opened again");
                true
            }
            Err(e) => {
                let text = format!("the journal's directory was replaced, but cannot be opened: {e:#}");
                self.move_error = Some(SourceError(text));
                false
            }
        }
    }

    /// Reopens the journal where reading stopped.
    fn reopen(&mut self) -> anyhow::Result<()> {
        self.note_position();
        let mut journal = OpenJournal::open(&self.settings)?;
        if let Begun::Near(text) = begun(&journal.resume(&self.position)?, self.position.time) {
            self.journal.losses().log_notice(text);
        }
        if self.is_peeked {
            self.journal.uncount();
        }
        journal.take_over(&mut self.journal);
        self.journal = journal;
        self.entries = 0;
        self.unfinished = None;
        self.is_peeked = false;
        Ok(())
    }

    /// Notes the current position.
    fn note_position(&mut self) {
        if self.fresh == 0 && !self.is_peeked {
            return;
        }
        if self.fresh > 0 {
            self.last_read = Instant::now();
        }
        self.entries += std::mem::take(&mut self.fresh);
        let mut position = self.journal.position();
        // If the cursor is not known, the position is only the time right behind the entry.
        position.is_before = self.is_peeked && position.cursor.is_some();
        self.position = position;
    }
}

impl Reader for Follower {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        (self.is_peeked, self.fresh, self.unfinished) = (false, 0, None);
        let mut resume = || {
            self.position = match begin {
                Begin::Behind(position) => {
                    self.position = JournalPosition::read(position);
                    return Ok(begun(&self.journal.resume(&self.position)?, position.time));
                }
                Begin::Since(time) => {
                    self.journal.seek_time(time)?;
                    JournalPosition::at(time)
                }
                Begin::Head => {
                    self.journal.seek_head()?;
                    JournalPosition::at(Timestamp::default())
                }
                Begin::Tail => self.journal.seek_tail()?,
            };
            Ok(Begun::Exactly)
        };
        resume().map_err(|e: anyhow::Error| SourceError::of(e))
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        self.unfinished = None;
        let next = self.journal.poll();
        self.is_peeked = matches!(next, Next::Record(_));
        if let (Next::End, Some(error)) = (next, &self.move_error) {
            return Err(error.clone());
        }
        if let Next::Later(wait) = next {
            self.unfinished = Some(Instant::now() + wait);
        }
        Ok(next)
    }

    fn record(&mut self) -> &mut dyn Record {
        self.fresh += u64::from(std::mem::take(&mut self.is_peeked));
        self.journal.rewind();
        &mut self.journal
    }

    fn position(&mut self) -> Position {
        self.note_position();
        self.position.clone().stored()
    }

    fn find(&mut self, address: &str) -> Result<bool, SourceError> {
        self.journal.find(address).map_err(SourceError::of)
    }

    fn is_in_order(&self) -> bool {
        true
    }

    fn readiness(&self) -> Readiness<'_> {
        let now = Instant::now();
        let silence = self.last_read.elapsed();
        let poll = (silence < POLLING).then(|| (silence / 32).max(MIN_POLL_INTERVAL));
        let unfinished = self.unfinished.map(|again| again.saturating_duration_since(now));
        let tend = self.journal.next_tend().filter(|_| self.unfinished.is_none());
        let arrivals = self.journal.arrivals();
        let check = arrivals.is_none().then(|| self.next_check.saturating_duration_since(now));
        Readiness {
            descriptors: [Some(self.journal.as_fd()), arrivals],
            timeout: [poll, unfinished, tend, check].into_iter().flatten().min(),
        }
    }

    fn wake(&mut self, descriptor: usize) {
        if descriptor == 0 {
            self.journal.process();
        } else {
            self.journal.clear_arrivals();
            self.next_check = Instant::now();
        }
    }

    fn tend(&mut self, is_drained: bool) -> bool {
        let again = self.journal.tend(is_drained && self.unfinished.is_none());
        let follows = is_drained || self.move_error.is_some();
        self.free_memory() || (follows && self.follow_move()) || again
    }

    fn is_missing(&self) -> bool {
        self.journal.is_missing()
    }

    fn left_out(&self) -> Vec<LeftOut> {
        self.journal.left_out()
    }

    fn losses(&mut self) -> &mut Losses {
        self.journal.losses()
    }
}

/// Describes where reading continues; `time` is that of the entry that was read last.
fn begun(resumed: &Resumed, time: Timestamp) -> Begun {
    let at = |first: Option<Timestamp>| {
        first.map_or_else(|| "with the next entry".to_owned(), |time| format!("at {}", time.local()))
    };
    match resumed {
        Resumed::Exactly => Begun::Exactly,
        Resumed::Gap(first) => Begun::Near(format!(
            "the journal no longer contains the last read entry, of {}: reading resumes {}, and entries between may \
             be lost",
            time.local(),
            at(*first)
        )),
        Resumed::Ahead(first) => Begun::Near(format!(
            "the journal no longer contains the last read entry, and its time, {}, is later than the journal or the \
             clock: reading resumes with what was written in this boot, {}",
            time.local(),
            at(*first)
        )),
    }
}

#[cfg(test)]
mod tests;

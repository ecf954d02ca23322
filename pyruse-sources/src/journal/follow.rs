//! The journal as the daemon follows it: one that is opened again when it must be, and says when to look for more.
//!
//! Three things end the use of an open journal. Its directory is replaced or made (`Directories`). libsystemd keeps what it
//! has read of the files in our memory, hundreds of MiB in the end, so after much reading the journal is opened again to
//! give that back. And a reload may name another journal. Reading always goes on where it stopped.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyruse_core::state::{Position, State};
use pyruse_core::time::Timestamp;

use super::left_out::LeftOut;
use super::losses::Losses;
use super::record::JournalRecord;
use super::resume::Resumed;
use super::settings::JournalSettings;
use super::{Next, Source};

/// journald notifies its readers of an entry up to 250 ms later, of all entries of a burst at once. So for this long after
/// an entry, the daemon looks for the next one itself, less and less often: after a silence of any length, within a
/// thirty-second of it. Then looking ends, and an idle journal wakes nobody.
const LOOKING: Duration = Duration::from_secs(2);

/// The shortest time between two looks: a look costs about ten microseconds.
const LOOK: Duration = Duration::from_micros(250);

/// How often to check whether the journal's directory was replaced, where nothing says so.
const MOVES: Duration = Duration::from_secs(5);

/// After this many entries and [`REOPEN_SILENCE`], the journal is opened again to give back memory.
const REOPEN_AFTER: u64 = 10_000;

/// See [`REOPEN_AFTER`].
const REOPEN_SILENCE: Duration = Duration::from_millis(100);

/// In a backlog, where no silence comes, it is opened again after this many: opening costs as much as some hundreds of
/// entries.
const REOPEN_IN_BACKLOG: u64 = 100_000;

/// See the module.
pub struct Follower {
    source: Source,
    settings: Arc<JournalSettings>,
    /// Entries that were read since the last [`Follower::take_position`].
    fresh: u64,
    /// All entries that were read.
    entries: u64,
    /// The same when the journal was opened.
    opened_at: u64,
    last_read: Instant,
    /// When to look again at the next entry, which journald has not finished.
    unfinished: Option<Instant>,
    /// When to check next whether the journal has moved.
    next_check: Instant,
}

impl Follower {
    /// Opens the journal where the state says, or at `since`, or at its end.
    pub fn open(
        settings: Arc<JournalSettings>,
        state: &mut State,
        since: Option<Timestamp>,
    ) -> anyhow::Result<Follower> {
        let mut source = Source::open(&settings)?;
        if source.is_nowhere() {
            tracing::warn!("there is no journal yet where the configuration says; waiting for it");
        }
        go_to_position(&mut source, state, since)?;
        let now = Instant::now();
        Ok(Follower {
            source,
            settings,
            fresh: 0,
            entries: 0,
            opened_at: 0,
            last_read: now,
            unfinished: None,
            next_check: now,
        })
    }

    /// Goes on with a journal that [`open_at_position`] has opened.
    pub fn go_on_with(&mut self, mut source: Source, settings: Arc<JournalSettings>) {
        source.succeed(&mut self.source);
        self.source = source;
        self.settings = settings;
        self.opened_at = self.entries;
        self.unfinished = None;
    }

    /// Goes to the next entry. `false`: there is none for now.
    pub fn next(&mut self) -> bool {
        self.unfinished = None;
        match self.source.poll() {
            Next::Entry => {
                self.fresh += 1;
                true
            }
            Next::End => false,
            Next::Soon(wait) => {
                self.unfinished = Some(Instant::now() + wait);
                false
            }
        }
    }

    /// The current entry.
    pub fn record(&mut self) -> JournalRecord<'_> {
        self.source.record()
    }

    /// The position behind the last entry, if any was read since the last call.
    pub fn take_position(&mut self) -> Option<Position> {
        let fresh = std::mem::take(&mut self.fresh);
        if fresh == 0 {
            return None;
        }
        self.entries += fresh;
        self.last_read = Instant::now();
        Some(self.source.position())
    }

    /// How many entries were read.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Checks whether the journal gave everything. `is_drained`: [`Follower::next`] has just found nothing. Returns
    /// whether it must be called again at once.
    pub fn tend(&mut self, is_drained: bool) -> bool {
        self.source.tend(is_drained && self.unfinished.is_none())
    }

    /// Opens the journal again where that is needed; was it?
    pub fn reopen_if_needed(&mut self, state: &mut State, is_drained: bool) -> bool {
        self.give_back_memory(state) || (is_drained && self.follow_move(state))
    }

    fn give_back_memory(&mut self, state: &mut State) -> bool {
        let read = self.entries - self.opened_at;
        let is_silent = || self.last_read.elapsed() >= REOPEN_SILENCE;
        if read < REOPEN_AFTER || (read < REOPEN_IN_BACKLOG && !is_silent()) {
            return false;
        }
        let opened = self.reopen(state);
        // Also after an error: the next try comes after as many entries.
        self.opened_at = self.entries;
        match opened {
            Ok(()) => tracing::debug!("the journal was opened again, to give back memory"),
            Err(e) => {
                tracing::debug!("opening the journal again: {e:#}");
                return false;
            }
        }
        true
    }

    fn follow_move(&mut self, state: &mut State) -> bool {
        if Instant::now() < self.next_check {
            return false;
        }
        self.next_check = Instant::now() + MOVES;
        if !self.source.has_moved(&self.settings) {
            return false;
        }
        match self.reopen(state) {
            Ok(()) => {
                tracing::info!("the journal's directory is another one now; it is opened again");
                true
            }
            Err(e) => {
                tracing::warn!("the journal's directory has changed, but cannot be opened: {e:#}");
                false
            }
        }
    }

    fn reopen(&mut self, state: &mut State) -> anyhow::Result<()> {
        let settings = self.settings.clone();
        let source = open_at_position(&settings, state)?;
        self.go_on_with(source, settings);
        Ok(())
    }

    /// The longest time to wait for events. `is_reading`: entries would be read if there were any.
    pub fn patience(&self, is_reading: bool) -> Option<Duration> {
        let now = Instant::now();
        let silence = self.last_read.elapsed();
        let look = (is_reading && silence < LOOKING).then(|| (silence / 32).max(LOOK));
        let unfinished = self.unfinished.filter(|_| is_reading);
        let unfinished = unfinished.map(|again| again.saturating_duration_since(now));
        let tend = self.source.next_tend().filter(|_| is_reading && self.unfinished.is_none());
        let check = self.arrivals().is_none().then(|| self.next_check.saturating_duration_since(now));
        [look, unfinished, tend, check].into_iter().flatten().min()
    }

    /// Readable when there may be entries; then call [`Follower::note_news`].
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// See [`Follower::as_fd`].
    pub fn note_news(&mut self) {
        self.source.process();
    }

    /// Readable when a directory of the journal may have come; then call [`Follower::note_arrival`].
    pub fn arrivals(&self) -> Option<BorrowedFd<'_>> {
        self.source.arrivals()
    }

    /// See [`Follower::arrivals`].
    pub fn note_arrival(&mut self) {
        self.source.clear_arrivals();
        self.next_check = Instant::now();
    }

    /// Is there no journal at all yet?
    pub fn is_nowhere(&self) -> bool {
        self.source.is_nowhere()
    }

    /// What could not be given out as it was written.
    pub fn losses(&mut self) -> &mut Losses {
        self.source.losses()
    }

    /// The files that libsystemd leaves out.
    pub fn left_out(&self) -> Vec<LeftOut> {
        self.source.left_out()
    }
}

/// Opens a journal where reading stopped.
pub fn open_at_position(settings: &JournalSettings, state: &mut State) -> anyhow::Result<Source> {
    let mut source = Source::open(settings)?;
    go_to_position(&mut source, state, None)?;
    Ok(source)
}

/// Moves a journal to where reading goes on: the position in the state, `since`, or its end.
pub fn go_to_position(
    journal: &mut Source,
    state: &mut State,
    since: Option<Timestamp>,
) -> anyhow::Result<()> {
    let at = |first: Option<Timestamp>| {
        first.map_or_else(|| "with the next entry".to_owned(), |time| format!("at {}", time.local()))
    };
    match (state.position().cloned(), since) {
        (Some(position), None) => match journal.resume(&position)? {
            Resumed::Exactly => {}
            Resumed::Gap(first) => {
                tracing::warn!(
                    "the journal no longer holds the entry that was read last, of {}: reading goes on {}, \
                     and entries between may be lost",
                    position.realtime.local(),
                    at(first)
                );
            }
            Resumed::Ahead(first) => {
                tracing::warn!(
                    "the journal no longer holds the entry that was read last, and its time, {}, is ahead of the \
                     journal or of the clock: reading goes on with what was written since this machine was started, {}",
                    position.realtime.local(),
                    at(first)
                );
            }
        },
        (Some(position), Some(_)) => anyhow::bail!(
            "reading stopped at {} and goes on there; --since is for the first start, or with --dry-run",
            position.realtime.local()
        ),
        (None, Some(since)) => {
            journal.seek_time(since)?;
            state.set_position(Position { cursor: None, realtime: since });
        }
        (None, None) => {
            let position = journal.seek_tail()?;
            state.set_position(position);
        }
    }
    Ok(())
}

//! What reading could not give out as it was written: counted by kind, and logged once an episode.
//!
//! An episode is a series of losses of one kind without a quiet minute in between. Its first loss is logged at once, what
//! followed when it is over, or every ten minutes: an attacker who can cause losses must not flood the log.

use std::fmt::Display;
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;

/// An episode is over after so long without a further loss.
const QUIET: Duration = Duration::from_secs(60);

/// What an episode that goes on has added is logged so often.
const AGAIN: Duration = Duration::from_secs(600);

/// The most lines that are kept for the report.
const REMEMBERED: usize = 100;

/// What can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Entries that were deleted, or whose file was damaged, before they were read.
    Missing,
    /// The same, where some of the numbers that are missing may have been entries that are not wanted.
    MissingAtMost,
    /// Entries that the files hold, and that libsystemd did not give.
    PassedOver,
    /// Entries that were given out with fields missing.
    Partial,
    /// Fields that libsystemd cannot read: too large, or compressed in a way that it does not know.
    Unreadable,
    /// Places in the journal that were guessed from the time of an entry that was deleted while it was read.
    Guessed,
}

/// All kinds, in the order of their declaration.
const KINDS: [Kind; 6] =
    [Kind::Missing, Kind::MissingAtMost, Kind::PassedOver, Kind::Partial, Kind::Unreadable, Kind::Guessed];

impl Kind {
    /// This number of losses of this kind in words; `range` says when.
    pub fn words(self, count: u64, range: &str) -> String {
        let plural = |one: &str, many: &str| if count == 1 { one.to_owned() } else { many.to_owned() };
        match self {
            Kind::Missing | Kind::MissingAtMost => format!(
                "{}{count} {} written {range} {} lost: deleted, or in a damaged file, before {} read",
                if self == Kind::Missing { "" } else { "up to " },
                plural("entry", "entries"),
                plural("is", "are"),
                plural("it was", "they were"),
            ),
            Kind::PassedOver => format!(
                "{count} {} of the journal, noticed {range}, {} passed over by libsystemd: damaged, or added behind the \
                 place where reading is",
                plural("entry", "entries"),
                plural("is", "are"),
            ),
            Kind::Partial => format!(
                "{count} {} written {range} {} taken without all fields: the journal did not give them",
                plural("entry", "entries"),
                plural("was", "were"),
            ),
            Kind::Unreadable => format!(
                "{count} {} of entries written {range} {} left out: too large, or compressed in a way that libsystemd does \
                 not know",
                plural("field", "fields"),
                plural("is", "are"),
            ),
            Kind::Guessed => format!(
                "{count} {} written {range} {} deleted while being read: reading goes on by time, and others of the same \
                 microsecond may be lost",
                plural("entry", "entries"),
                plural("was", "were"),
            ),
        }
    }
}

/// How much was lost of one kind since the start, and when that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Total {
    pub kind: Kind,
    pub count: u64,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Losses of one kind that belong together.
#[derive(Clone, Copy, Debug)]
struct Episode {
    count: u64,
    from: Timestamp,
    until: Timestamp,
    /// When the last of them was noted.
    latest: Instant,
    /// How many of them are logged …
    logged: u64,
    /// … and when that was done last.
    logged_at: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    total: Option<Total>,
    episode: Option<Episode>,
}

/// The losses of one journal.
#[derive(Debug, Default)]
pub struct Losses {
    tallies: [Tally; KINDS.len()],
    /// What was logged, for the report.
    logged: Vec<String>,
}

impl Losses {
    /// Notes that so much was lost, between these times of the journal.
    pub(super) fn note(&mut self, kind: Kind, count: u64, from: Timestamp, until: Timestamp) {
        let now = Instant::now();
        let tally = &mut self.tallies[kind as usize];
        let total = tally.total.get_or_insert(Total { kind, count: 0, from, until });
        total.count += count;
        (total.from, total.until) = (total.from.min(from), total.until.max(until));
        if let Some(episode) = tally.episode.as_mut().filter(|episode| now - episode.latest < QUIET) {
            episode.count += count;
            (episode.from, episode.until) = (episode.from.min(from), episode.until.max(until));
            episode.latest = now;
            return;
        }
        self.finish(kind);
        self.tallies[kind as usize].episode =
            Some(Episode { count, from, until, latest: now, logged: 0, logged_at: now });
        self.log_episode(kind);
    }

    /// Notes that libsystemd leaves out a file.
    pub(super) fn leave_out(&mut self, left_out: &LeftOut) {
        self.log(left_out.words());
    }

    /// Logs what is due.
    pub fn tend(&mut self) {
        let now = Instant::now();
        for kind in KINDS {
            let Some(episode) = self.tallies[kind as usize].episode else { continue };
            if now - episode.latest >= QUIET {
                self.finish(kind);
            } else if now - episode.logged_at >= AGAIN {
                self.log_episode(kind);
            }
        }
    }

    /// When [`Losses::tend`] has something to do, if nothing happens.
    pub(super) fn next_tend(&self) -> Option<Duration> {
        let episodes = self.tallies.iter().filter_map(|tally| tally.episode);
        let waits = episodes.map(|episode| {
            QUIET
                .saturating_sub(episode.latest.elapsed())
                .min(AGAIN.saturating_sub(episode.logged_at.elapsed()))
        });
        waits.min()
    }

    /// Logs what is not logged yet.
    pub fn flush(&mut self) {
        for kind in KINDS {
            self.finish(kind);
        }
    }

    /// What was logged since it was asked last.
    pub fn take_logged(&mut self) -> Vec<String> {
        std::mem::take(&mut self.logged)
    }

    /// How much was lost of each kind since the start.
    pub fn totals(&self) -> Vec<Total> {
        self.tallies.iter().filter_map(|tally| tally.total).collect()
    }

    fn finish(&mut self, kind: Kind) {
        self.log_episode(kind);
        self.tallies[kind as usize].episode = None;
    }

    fn log_episode(&mut self, kind: Kind) {
        let Some(episode) = &mut self.tallies[kind as usize].episode else { return };
        let is_first = episode.logged == 0;
        let has_more = episode.count > episode.logged;
        (episode.logged, episode.logged_at) = (episode.count, Instant::now());
        let Episode { count, from, until, .. } = *episode;
        if has_more {
            let words = kind.words(count, &range(&from.local(), &until.local()));
            self.log(if is_first { words } else { format!("in all, {words}") });
        }
    }

    fn log(&mut self, words: String) {
        tracing::warn!("{words}");
        if self.logged.len() < REMEMBERED {
            self.logged.push(words);
        }
    }
}

/// From when until when, in words.
pub fn range(from: &impl Display, until: &impl Display) -> String {
    let (from, until) = (from.to_string(), until.to_string());
    if from == until { format!("at {from}") } else { format!("between {from} and {until}") }
}

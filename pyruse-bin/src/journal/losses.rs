//! What reading could not give out as it was written: counted by kind, and logged once an episode.
//!
//! An episode is a series of losses of one kind without a quiet minute in between. Its first loss is logged at once, what
//! followed when it is over, or every ten minutes: whoever can cause losses must not flood the log with them.

use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;

/// An episode is over after so long without a further loss.
const QUIET: Duration = Duration::from_secs(60);

/// What an episode that goes on has added is logged so often.
const AGAIN: Duration = Duration::from_secs(600);

/// What can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Entries that were given out with fields missing.
    Partial,
    /// Fields that libsystemd cannot read: too large, or compressed in a way that it does not know.
    Unreadable,
    /// Places in the journal that were guessed from the time of an entry that was deleted while it was read.
    Guessed,
}

/// All kinds, in the order of their declaration.
const KINDS: [Kind; 3] = [Kind::Partial, Kind::Unreadable, Kind::Guessed];

impl Kind {
    /// So many losses of this kind, between these times, as a sentence.
    fn words(self, count: u64, from: Timestamp, until: Timestamp) -> String {
        let range = if from == until { format!("of {from}") } else { format!("between {from} and {until}") };
        match (self, count) {
            (Kind::Partial, 1) => {
                format!("an entry {range} was taken without all of its fields: the journal did not give them")
            }
            (Kind::Partial, _) => format!(
                "{count} entries {range} were taken without all of their fields: the journal did not give them"
            ),
            (Kind::Unreadable, 1) => {
                format!(
                    "a field of an entry {range} was left out: libsystemd cannot read it, it is too large or compressed in an unknown way"
                )
            }
            (Kind::Unreadable, _) => format!(
                "{count} fields of entries {range} were left out: libsystemd cannot read them, they are too large or compressed in an unknown way"
            ),
            (Kind::Guessed, 1) => format!(
                "an entry {range} was deleted while it was read: reading goes on by its time, and entries of the same microsecond may be lost"
            ),
            (Kind::Guessed, _) => format!(
                "{count} entries {range} were deleted while they were read: reading went on by their times, and entries of the same microseconds may be lost"
            ),
        }
    }
}

/// Losses of one kind that belong together.
#[derive(Clone, Copy, Debug)]
struct Episode {
    count: u64,
    from: Timestamp,
    until: Timestamp,
    /// When the last of them was noted.
    latest: Instant,
    /// So many of them are logged …
    logged: u64,
    /// … and when that was done last.
    logged_at: Instant,
}

/// How much was lost of one kind since the start.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    count: u64,
    episode: Option<Episode>,
}

/// The losses of one journal.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    tallies: [Tally; KINDS.len()],
}

impl Losses {
    /// Notes that so much was lost, between these times of the journal.
    pub(super) fn note(&mut self, kind: Kind, count: u64, from: Timestamp, until: Timestamp) {
        let now = Instant::now();
        let tally = &mut self.tallies[kind as usize];
        tally.count += count;
        if let Some(episode) = tally.episode.as_mut().filter(|episode| now - episode.latest < QUIET) {
            episode.count += count;
            (episode.from, episode.until) = (episode.from.min(from), episode.until.max(until));
            episode.latest = now;
            return;
        }
        self.finish(kind);
        log(&kind.words(count, from, until));
        self.tallies[kind as usize].episode =
            Some(Episode { count, from, until, latest: now, logged: count, logged_at: now });
    }

    /// Logs what is due.
    pub(crate) fn tend(&mut self) {
        let now = Instant::now();
        for kind in KINDS {
            let Some(episode) = &mut self.tallies[kind as usize].episode else { continue };
            if now - episode.latest >= QUIET {
                self.finish(kind);
            } else if now - episode.logged_at >= AGAIN {
                episode.log(kind, now);
            }
        }
    }

    /// Logs what is not logged yet.
    pub(crate) fn flush(&mut self) {
        for kind in KINDS {
            self.finish(kind);
        }
    }

    fn finish(&mut self, kind: Kind) {
        if let Some(mut episode) = self.tallies[kind as usize].episode.take() {
            episode.log(kind, Instant::now());
        }
    }
}

impl Episode {
    fn log(&mut self, kind: Kind, now: Instant) {
        if self.count > self.logged {
            log(&format!("in all, {}", kind.words(self.count, self.from, self.until)));
        }
        (self.logged, self.logged_at) = (self.count, now);
    }
}

fn log(words: &str) {
    tracing::warn!("{words}");
}

//! Numbers that were not read and may be in files that are not: those of users, or of other sequences.
//!
//! One journald writes several files in turn, and gives each entry the next number. Up to systemd 252, each of these files
//! has an identifier of its own; and where only the journal of the system is read, the numbers between its entries are
//! those of users. What no file has was lost. To see this, all files are looked into, so it is done from time to time.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::losses::Losses;
use pyruse_core::time::Timestamp;

use crate::journal::file::Id;
use crate::journal::losses::{MISSING, MISSING_AT_MOST};
use crate::journal::settings::JournalSettings;
use crate::journal::survey::{Found, find, survey};

/// The most holes that are kept apart. With more, the last ones are joined.
const MOST: usize = 64;

/// The shortest time between two looks …
const PAUSE: Duration = Duration::from_secs(2);

/// … and as a multiple of how long a look takes.
const SHARE: u32 = 200;

/// Numbers of a sequence that were not read: those above `after`, below `before`.
struct Hole {
    sequence: Id,
    after: u64,
    before: u64,
    from: Timestamp,
    until: Timestamp,
    /// How many of them were read.
    read: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Holes {
    holes: Vec<Hole>,
    /// When to look next.
    next: Option<Instant>,
}

impl Holes {
    pub(super) fn note(
        &mut self,
        sequence: Id,
        (after, before): (u64, u64),
        (from, until): (Timestamp, Timestamp),
    ) {
        let is_full = self.holes.len() >= MOST;
        let mut of_sequence = self.holes.iter_mut().rev().filter(|hole| hole.sequence == sequence);
        if let Some(last) = of_sequence.next().filter(|last| is_full && last.before <= after) {
            last.read += after - last.before + 1;
            (last.before, last.until) = (before, until);
        } else if self.holes.len() < 2 * MOST {
            // With more sequences than this, each cannot be reported.
            self.holes.push(Hole { sequence, after, before, from, until, read: 0 });
        }
    }

    /// When [`Holes::tend`] wants to be called, if nothing happens.
    pub(super) fn next_tend(&self) -> Option<Duration> {
        let wait = self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()));
        (!self.holes.is_empty()).then_some(wait)
    }

    /// Looks into the files, if it is time.
    pub(super) fn tend(&mut self, settings: &JournalSettings, named: &[PathBuf], losses: &mut Losses) {
        if self.next_tend().is_none_or(|wait| !wait.is_zero()) {
            return;
        }
        let start = Instant::now();
        let found = survey(settings, named);
        // If files were renamed all the time, the next look will be a better one.
        if let Some((_, known, is_complete)) = found {
            for hole in self.holes.drain(..).filter(|_| is_complete) {
                let Hole { sequence, after, before, from, until, read } = hole;
                let Found { present, elsewhere, is_exact, .. } =
                    find(&known, sequence, (after, before - 1), (from, until));
                let lost = (before - 1 - after).saturating_sub(present.max(read).saturating_add(elsewhere));
                if lost > 0 {
                    losses.note(if is_exact { &MISSING } else { &MISSING_AT_MOST }, lost, from, until);
                }
            }
        }
        self.next = Some(start + PAUSE.max(start.elapsed() * SHARE));
    }
}

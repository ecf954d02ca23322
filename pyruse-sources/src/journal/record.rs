//! The current entry of a journal, field by field.

use pyruse_core::entry::{Record, Sink};
use pyruse_core::time::Timestamp;
use systemd::Journal;

use super::losses::{Kind, Losses};
use super::raw;

/// How often an entry is tried that cannot be read, before it is taken as it is.
pub(super) const TRIES: u32 = 3;

/// See the module.
pub struct JournalRecord<'j> {
    journal: &'j mut Journal,
    losses: &'j mut Losses,
    at: Timestamp,
    given: u32,
    started: bool,
    tries: u32,
}

impl<'j> JournalRecord<'j> {
    pub(super) fn new(journal: &'j mut Journal, losses: &'j mut Losses, at: Timestamp) -> JournalRecord<'j> {
        JournalRecord { journal, losses, at, given: 0, started: false, tries: 0 }
    }

    /// Reading failed in the middle, because files rotate: begins again, behind what was given out.
    fn restart(&mut self) -> bool {
        self.tries += 1;
        if self.tries > TRIES || self.journal.process().is_err() {
            return false;
        }
        self.journal.restart_data();
        // What cannot be read was counted at the first time.
        (0..self.given).all(|_| matches!(raw::next_field(self.journal, &mut 0), Ok(Some(_))))
            || self.restart()
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
            let mut unavailable = 0;
            let found = raw::next_field(self.journal, &mut unavailable);
            if unavailable > 0 {
                self.losses.note(Kind::Unreadable, unavailable, self.at, self.at);
            }
            match found {
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
                self.losses.note(Kind::Partial, 1, self.at, self.at);
                return false;
            }
        }
    }
}

//! The current entry of a journal, field by field.

use pyruse_core::entry::{Record, Sink};
use pyruse_core::time::Timestamp;

use super::losses::{PARTIAL, UNREADABLE};
use super::open::OpenJournal;
use super::raw;
use super::reading::{Reading, TRIES};

impl OpenJournal {
    /// Reads the current entry again, from its first field.
    pub(super) fn rewind(&mut self) {
        self.reading = Reading::default();
    }

    /// Reads the entry again up to the fields that were returned: reading has failed in the middle, because of a rotation.
    fn restart(&mut self) -> bool {
        self.reading.tries += 1;
        if self.reading.tries > TRIES || self.journal.process().is_err() {
            return false;
        }
        self.journal.restart_data();
        // Unreadable fields were counted the first time.
        (0..self.reading.given).all(|_| matches!(raw::next_field(&mut self.journal, &mut 0), Ok(Some(_))))
            || self.restart()
    }
}

impl Record for OpenJournal {
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
        if !std::mem::replace(&mut self.reading.is_started, true) {
            self.journal.restart_data();
        }
        loop {
            let mut unavailable = 0;
            let found = raw::next_field(&mut self.journal, &mut unavailable);
            if unavailable > 0 {
                self.losses.note(&UNREADABLE, unavailable, self.at, self.at);
            }
            match found {
                Ok(Some(field)) => {
                    self.reading.given += 1;
                    if sink.assignment(field) {
                        return true;
                    }
                    continue;
                }
                Ok(None) => return false,
                Err(e) => tracing::debug!("reading a field: {e}"),
            }
            if !self.restart() {
                self.losses.note(&PARTIAL, 1, self.at, self.at);
                return false;
            }
        }
    }
}

//! Resumes reading where it stopped. The last read entry may have been deleted, and its time may have been wrong.
//!
//! If the journal continues the same sequence, the entry's number decides. Otherwise its time decides, if it is plausible.
//! A time ahead of the clock, or of all entries, is not plausible: nothing would be read until then. Reading then resumes
//! with the entries of this boot that were not read yet; if the journal is from another machine, with its first entry.

use pyruse_core::time::Timestamp;
use systemd::id128::Id128;

use super::completeness::numbered;
use super::file::Id;
use super::open::OpenJournal;
use super::position::JournalPosition;

/// Where reading resumes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resumed {
    /// Right behind the stored entry.
    Exactly,
    /// The stored entry no longer exists: at the first entry after it, of this time.
    Gap(Option<Timestamp>),
    /// Nor is its time plausible: at the first entry that may be unread, of this time.
    Ahead(Option<Timestamp>),
}

impl OpenJournal {
    /// Goes behind the entry of this position, or to where it was.
    pub(super) fn resume(&mut self, position: &JournalPosition) -> anyhow::Result<Resumed> {
        self.leave();
        self.open_archived(position)?;
        let resumed = self.resume_at(position)?;
        self.known = Some(position.clone());
        self.completeness.begin(position);
        Ok(resumed)
    }

    fn resume_at(&mut self, position: &JournalPosition) -> anyhow::Result<Resumed> {
        let Some(cursor) = &position.cursor else {
            // Only a time in the future could hide new entries.
            if position.time > Timestamp::now() {
                return self.resume_in_this_boot(None);
            }
            self.seek_time(position.time)?;
            return Ok(Resumed::Exactly);
        };
        let found = self.journal.seek_cursor(cursor.as_str()).is_ok() && self.step();
        if found && self.journal.test_cursor(cursor.as_str()).unwrap_or(false) {
            self.held = position.is_before;
            return Ok(Resumed::Exactly);
        }
        // libsystemd is at the closest entry; if that is before the stored one, the time decides.
        let time = if found { self.time().ok() } else { None };
        if time.is_some_and(|time| time >= position.time) || (found && self.follows(cursor)) {
            self.held = true;
            return Ok(Resumed::Gap(time));
        }
        if self.is_ahead(position.time) {
            return self.resume_in_this_boot(Some(cursor));
        }
        self.seek_time(position.time)?;
        self.held = self.step();
        Ok(Resumed::Gap(if self.held { self.time().ok() } else { None }))
    }

    /// Returns `true` if the current entry has a higher number than that of the cursor, in the same sequence.
    fn follows(&self, cursor: &str) -> bool {
        let here = self.journal.cursor().ok();
        let numbers: Option<[(Id, u64); 2]> =
            here.and_then(|here| Some([numbered(&here)?, numbered(cursor)?]));
        numbers.is_some_and(|[(here, number), (there, before)]| here == there && number > before)
    }

    /// Returns `true` if the time is later than all entries, or than now.
    fn is_ahead(&self, time: Timestamp) -> bool {
        time > Timestamp::now() || self.newest().is_some_and(|newest| time > newest)
    }

    /// Goes to the first entry of this boot; behind the cursor, if it is of this boot. If the journal has no entry of this
    /// boot, goes to its head.
    fn resume_in_this_boot(&mut self, cursor: Option<&str>) -> anyhow::Result<Resumed> {
        let boot = Id128::from_boot().ok();
        let part = |name: &str| cursor?.split(';').find_map(|part| part.strip_prefix(name));
        let is_of_this_boot = boot.is_some_and(|boot| part("b=").is_some_and(|id| id == boot.to_string()));
        let since = if is_of_this_boot { part("m=") } else { None };
        let since = since.and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let since = since.filter(|micros| *micros <= uptime()).map_or(0, |micros| micros + 1);
        self.leave();
        let is_there = boot.is_some_and(|boot| {
            self.journal.seek_monotonic_usec(boot, since).is_ok()
                && self.step()
                && self.journal.monotonic_timestamp().is_ok_and(|(micros, id)| id == boot && micros >= since)
        });
        if !is_there && since > 0 {
            // Nothing has been written since.
            self.seek_tail()?;
            return Ok(Resumed::Ahead(None));
        }
        if !is_there {
            self.seek_head()?;
        }
        self.held = is_there || self.step();
        Ok(Resumed::Ahead(if self.held { self.time().ok() } else { None }))
    }
}

/// Returns the time since the machine booted, in microseconds.
fn uptime() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split(['.', ' ']).next().and_then(|seconds| seconds.parse::<u64>().ok());
    seconds.map_or(u64::MAX, |seconds| (seconds + 1) * 1_000_000)
}

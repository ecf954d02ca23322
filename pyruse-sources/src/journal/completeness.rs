//! Checks whether everything was read: libsystemd skips entries without an error.
//!
//! *Numbers.* journald numbers its entries. If the numbers of the last entries of two batches differ by more than the
//! number of entries that were read between them, some are missing: a gap. Gaps are checked in the files themselves,
//! because a number may be missing for a good reason: it was given to an entry in the file of a user, or to one that
//! `matches` excludes. Numbers that are in no file were lost.
//!
//! *Entries.* When the end of the journal is reached, each entry in its files was either read or skipped. Entries are
//! skipped if they are damaged, or if they sort before the current position, as those that arrive late from another host.
//!
//! The reading loop only counts. A check takes about ten microseconds per file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::losses::Losses;
use pyruse_core::plugin::LeftOut;
use pyruse_core::time::Timestamp;

use super::file::{Header, Id, JournalFile};
use super::left_out::RefusedFiles;
use super::losses::{MISSING, MISSING_AT_MOST, PASSED_OVER};
use super::places::{is_archive_of, list};
use super::position::JournalPosition;
use super::settings::JournalSettings;
use super::survey::{Found, Known, find, survey};

/// The shortest time between two checks …
const MIN_INTERVAL: Duration = Duration::from_secs(2);

/// … or this many times the duration of a check, if that is longer, …
const INTERVAL_FACTOR: u32 = 200;

/// … but at most this.
const MAX_INTERVAL: Duration = Duration::from_secs(30);

/// The maximum number of sequences: journald has one or a few, a collector of other hosts' journals has one per host.
const MAX_SEQUENCES: usize = 64;

/// The maximum number of separate gaps. Further ones are joined to the last.
const MAX_GAPS: usize = 64;

/// How often to read to the end again before waiting for the next interval.
const TRIES: u32 = 3;

/// A file that is missing in this many checks has been deleted.
const ABSENCES: u8 = 10;

/// The number in a sequence up to which everything was read or accounted for.
#[derive(Clone, Copy, Debug)]
struct Mark {
    sequence: Id,
    number: u64,
    time: Timestamp,
    /// How many entries had been read by then.
    read: u64,
}

/// A range of numbers, of which some may be missing: those above `after`, up to `upto`.
#[derive(Clone, Copy, Debug)]
struct Gap {
    sequence: Id,
    after: u64,
    upto: u64,
    from: Timestamp,
    until: Timestamp,
    /// How many of them were read.
    read: u64,
}

/// The files and their headers at some moment.
#[derive(Default)]
struct Snapshot {
    read: u64,
    files: HashMap<Id, Held>,
}

#[derive(Clone, Copy)]
struct Held {
    header: Header,
    /// Whether it is in memory: journald copies its entries to the disk, and then removes it.
    is_runtime: bool,
    /// Whether libsystemd does not read it.
    is_left_out: bool,
    absences: u8,
}

/// The state of the checks; see the module documentation.
pub(super) struct Completeness {
    settings: JournalSettings,
    /// The files that are read, if the settings have `files`.
    files: Vec<PathBuf>,
    /// The number of entries that were read, or found to be read next.
    pub(super) read: u64,
    marks: Vec<Mark>,
    gaps: Vec<Gap>,
    /// The files when all their entries had been read.
    settled: Option<Snapshot>,
    /// The files just now; they replace `settled` if nothing more is found to read.
    pending: Option<Snapshot>,
    /// Whether the journal has changed since the last check.
    is_changed: bool,
    tries: u32,
    last_check: Option<Instant>,
    cost: Duration,
    refused: RefusedFiles,
}

impl Completeness {
    pub(super) fn new(settings: JournalSettings, files: Vec<PathBuf>) -> Completeness {
        Completeness {
            settings,
            files,
            read: 0,
            marks: Vec::new(),
            gaps: Vec::new(),
            settled: None,
            pending: None,
            is_changed: true,
            tries: 0,
            last_check: None,
            cost: Duration::ZERO,
            refused: RefusedFiles::default(),
        }
    }

    pub(super) fn settings(&self) -> &JournalSettings {
        &self.settings
    }

    /// With `files` in the settings: returns the files that contain entries after the position, if these are more than
    /// those that are read. journald archives `NAME.journal` as `NAME@….journal` in the same directory.
    pub(super) fn files_since(&self, position: &JournalPosition) -> Vec<PathBuf> {
        let mut wanted = self.files.clone();
        let number = position.cursor.as_deref().and_then(numbered);
        for listed in if wanted.is_empty() { Vec::new() } else { list(&self.settings, &self.files) } {
            let mut named = self.settings.files.iter().filter_map(|file| std::path::absolute(file).ok());
            let is_archived = named.any(|file| is_archive_of(&file, &listed.path));
            if !is_archived || wanted.contains(&listed.path) {
                continue;
            }
            let Ok(JournalFile { header, .. }) = JournalFile::open(&listed.path) else { continue };
            let follows = match number {
                Some((sequence, number)) if header.seqnum_id == sequence => header.last_number > number,
                _ => header.last_time >= position.time,
            };
            if follows {
                wanted.push(listed.path);
            }
        }
        if wanted.len() > self.files.len() { wanted } else { Vec::new() }
    }

    /// Passes everything on to the next reader of the same journal, which may read other files of it.
    pub(super) fn hand_over(&mut self, to: &mut Completeness) {
        if self.settings == to.settings {
            let files = std::mem::take(&mut to.files);
            std::mem::swap(self, to);
            to.files = files;
        }
    }

    /// Returns the number in each sequence up to which everything was read, or accounted for.
    pub(super) fn passed(&self) -> impl Iterator<Item = (Id, u64)> {
        self.marks.iter().map(|mark| (mark.sequence, mark.number))
    }

    /// Counts an entry that was read.
    pub(super) fn count(&mut self) {
        self.read += 1;
    }

    /// Uncounts the last entry: it was not read, and will be counted again.
    pub(super) fn discount(&mut self) {
        self.read -= 1;
    }

    /// Notes that the journal has changed.
    pub(super) fn note_change(&mut self) {
        self.is_changed = true;
    }

    /// Starts the count behind this position.
    pub(super) fn begin(&mut self, position: &JournalPosition) {
        if let Some((sequence, number)) = position.cursor.as_deref().and_then(numbered) {
            self.marks.retain(|mark| mark.sequence != sequence);
            let number = if position.is_before { number.saturating_sub(1) } else { number };
            self.mark(Mark { sequence, number, time: position.time, read: self.read });
        }
    }

    /// Notes that everything up to this entry was read; finds a gap.
    pub(super) fn reach(&mut self, cursor: &str, time: Timestamp) {
        let Some((sequence, number)) = numbered(cursor) else { return };
        let mark = Mark { sequence, number, time, read: self.read };
        let Some(last) = self.marks.iter().find(|mark| mark.sequence == sequence).copied() else {
            return self.mark(mark);
        };
        if number <= last.number {
            return;
        }
        let read = self.read - last.read;
        if number - last.number != read {
            let gap = Gap { sequence, after: last.number, upto: number, from: last.time, until: time, read };
            let is_full = self.gaps.len() >= MAX_GAPS;
            let joined = self
                .gaps
                .last_mut()
                .filter(|former| is_full && former.sequence == sequence && former.upto == gap.after);
            if let Some(former) = joined {
                (former.upto, former.until) = (gap.upto, gap.until);
                former.read += gap.read;
            } else if self.gaps.len() < 2 * MAX_GAPS {
                // Gaps in more sequences than this cannot be reported separately.
                self.gaps.push(gap);
            }
        }
        self.mark(mark);
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(last) = self.marks.iter_mut().find(|last| last.sequence == mark.sequence) {
            *last = mark;
            return;
        }
        if self.marks.len() >= MAX_SEQUENCES
            && let Some(oldest) = (0..self.marks.len()).min_by_key(|n| self.marks[*n].read)
        {
            self.marks.swap_remove(oldest);
        }
        self.marks.push(mark);
    }

    /// Returns how long to wait until [`Completeness::check`] has something to do, if nothing happens.
    pub(super) fn next_check(&self) -> Option<Duration> {
        let is_wanted = self.is_changed || !self.gaps.is_empty() || self.refused.must_ask_again();
        is_wanted.then(|| {
            self.last_check
                .map_or(Duration::ZERO, |last_check| self.interval().saturating_sub(last_check.elapsed()))
        })
    }

    fn interval(&self) -> Duration {
        (self.cost * INTERVAL_FACTOR).clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// Checks the files, if it is due. `is_at_end`: the end of the journal was just reached. Returns whether to read to
    /// the end again, at once.
    pub(super) fn check(&mut self, is_at_end: bool, losses: &mut Losses) -> bool {
        let is_due = self.next_check().is_some_and(|wait| wait.is_zero());
        // The second half of a check that has begun.
        let is_second = is_at_end && self.pending.is_some();
        if !is_second && (!is_due || (self.gaps.is_empty() && !is_at_end)) {
            return false;
        }
        let start = Instant::now();
        if let Some(pending) = self.pending.take_if(|pending| is_at_end && pending.read == self.read) {
            self.settle(pending, losses);
            self.is_changed = false;
            self.tries = 0;
            self.last_check = Some(start);
            return false;
        }
        let Some((listed, known, is_complete)) = survey(&self.settings, &self.files) else {
            // The files change faster than they can be checked: the gaps wait for the next check.
            (self.pending, self.last_check, self.cost) = (None, Some(start), start.elapsed());
            return false;
        };
        for left_out in self.refused.update(listed.iter()) {
            losses.log(left_out.text);
        }
        for gap in std::mem::take(&mut self.gaps) {
            if is_complete {
                self.check_gap(gap, &known, losses);
            }
        }
        let mut again = false;
        self.pending = None;
        if is_at_end && self.is_changed && self.tries < TRIES {
            self.tries += 1;
            self.pending = Some(self.snapshot_of(&known));
            again = true;
        } else {
            self.tries = 0;
            self.last_check = Some(start);
        }
        self.cost = start.elapsed();
        again
    }

    /// Returns the files that libsystemd does not read.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        self.refused.left_out()
    }

    /// Checks a gap: numbers that are in no file are reported as lost.
    fn check_gap(&self, gap: Gap, known: &[Known], losses: &mut Losses) {
        let Gap { sequence, after, upto, from, until, read } = gap;
        let Found { mut present, elsewhere, is_split, is_exact } =
            find(known, sequence, (after, upto), (from, until));
        // Entries that were read may have been deleted since. With several hosts, `read` includes entries of the others.
        if is_split || self.marks.len() == 1 {
            present = present.max(read);
        }
        let lost = (upto - after).saturating_sub(present.saturating_add(elsewhere));
        if lost > 0 {
            let is_exact = is_exact && self.settings.matches.is_empty();
            losses.note(if is_exact { &MISSING } else { &MISSING_AT_MOST }, lost, from, until);
        }
    }

    /// Returns the files that are in scope.
    fn snapshot_of(&self, known: &[Known]) -> Snapshot {
        let in_scope = known.iter().filter(|known| known.listed.in_scope);
        let files = in_scope.map(|Known { listed, file }| {
            let is_runtime = listed.path.starts_with("/run");
            let is_left_out = self.refused.has_refused(&listed.path);
            (file.header.file_id, Held { header: file.header, is_runtime, is_left_out, absences: 0 })
        });
        Snapshot { read: self.read, files: files.collect() }
    }

    /// Called when everything that the files contained then has been read or skipped: reports what was skipped.
    fn settle(&mut self, mut held: Snapshot, losses: &mut Losses) {
        tracing::debug!("everything is accounted for after {} entries", held.read);
        for mark in &mut self.marks {
            let headers = held.files.values().map(|held| held.header);
            let headers = headers.filter(|header| header.seqnum_id == mark.sequence);
            if let Some(last) = headers.max_by_key(|header| header.last_number)
                && last.last_number > mark.number
            {
                (mark.number, mark.time, mark.read) = (last.last_number, last.last_time, held.read);
            }
        }
        if let Some(former) = self.settled.take() {
            let read_by_us = held.files.iter().filter(|(_, held)| !held.is_left_out);
            let growth = read_by_us
                .map(|(id, held)| held.header.entries.saturating_sub(former.entries(*id)))
                .fold(0, u64::saturating_add);
            let read = held.read - former.read;
            let mut was_moved = false;
            for (id, file) in former.files {
                if file.absences < ABSENCES && !held.files.contains_key(&id) {
                    was_moved |= file.is_runtime;
                    held.files.insert(id, Held { absences: file.absences + 1, ..file });
                }
            }
            if growth > read && self.settings.matches.is_empty() && !was_moved {
                let now = Timestamp::now();
                losses.note(&PASSED_OVER, growth - read, now, now);
            }
        }
        self.settled = Some(held);
    }
}

impl Snapshot {
    fn entries(&self, file: Id) -> u64 {
        self.files.get(&file).map_or(0, |held| held.header.entries)
    }
}

/// Returns the sequence and the number of the entry with this cursor.
pub(super) fn numbered(cursor: &str) -> Option<(Id, u64)> {
    let part = |name: &str| cursor.split(';').find_map(|part| part.strip_prefix(name));
    Some((Id::from_str_radix(part("s=")?, 16).ok()?, u64::from_str_radix(part("i=")?, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_a_cursor() {
        let cursor = "s=000000000000000000000000000000ff;i=1a;b=0123456789abcdef0123456789abcdef;m=5;t=6;x=9";
        assert_eq!(numbered(cursor), Some((255, 26)));
        assert_eq!(numbered("i=1a;t=6"), None);
        assert_eq!(numbered(""), None);
    }
}

//! Was everything read? What libsystemd passes over, it passes over without a word; so accounts are kept.
//!
//! *Numbers.* journald numbers its entries. Where the number of the last entry of a batch does not fit the one before and
//! how many were read, there is a doubt. It is cleared up in the files themselves, since numbers may rightly be missing:
//! the files of users take part in the sequence, and so do entries that `matches` leaves out. What no file holds was lost.
//!
//! *Entries.* When the end of the journal was reached, all entries that its files hold have been read, or have been passed
//! over: since they sort before the place where reading was, as what comes late from another host, or are damaged.
//!
//! Nothing of this happens in the reading loop but counting. A look costs about ten microseconds a file.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyruse_core::losses::Losses;
use pyruse_core::plugin::LeftOut;
use pyruse_core::time::Timestamp;

use super::file::{Header, Id, JournalFile};
use super::left_out::Judge;
use super::losses::{MISSING, MISSING_AT_MOST, PASSED_OVER};
use super::places::{Listed, is_archive_of, list};
use super::position::JournalPosition;
use super::settings::JournalSettings;

/// The shortest time between two looks …
const PAUSE: Duration = Duration::from_secs(2);

/// … as a multiple of how long a look takes, if that is longer, …
const SHARE: u32 = 200;

/// … and at most this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The most sequences that are known: journald has one or a few, a collector of other hosts' journals has one a host.
const SEQUENCES: usize = 64;

/// The most doubts that are kept apart. Further ones are joined to the last.
const DOUBTS: usize = 64;

/// How often the end is waited for without an entry in between, before the next pause.
const TRIES: u32 = 3;

/// A file that is missing in this many looks is gone for good.
const ABSENCES: u8 = 10;

/// How far the times of two files of one journald may differ, in microseconds.
const SLACK: i64 = 1_000_000;

/// The place in a sequence up to which all was read.
#[derive(Clone, Copy, Debug)]
struct Mark {
    sequence: Id,
    number: u64,
    time: Timestamp,
    /// How many entries had been read then.
    read: u64,
}

/// Numbers that may be missing: those above `after`, up to `upto`.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    sequence: Id,
    after: u64,
    upto: u64,
    from: Timestamp,
    until: Timestamp,
    /// How many of them were read.
    read: u64,
}

/// What the files held at some moment.
#[derive(Default)]
struct Stock {
    read: u64,
    files: HashMap<Id, Held>,
}

#[derive(Clone, Copy)]
struct Held {
    header: Header,
    /// In memory: it goes when journald moves to the disk, and its entries are copied.
    is_runtime: bool,
    /// libsystemd does not read it; its name says so.
    is_left_out: bool,
    absences: u8,
}

/// A file that was looked into.
struct Known {
    listed: Listed,
    file: JournalFile,
}

/// See the module.
pub(super) struct Account {
    settings: JournalSettings,
    /// Of a journal by `files`, those that are read.
    files: Vec<PathBuf>,
    /// How many entries were read, or found to be read next.
    pub(super) read: u64,
    marks: Vec<Mark>,
    doubts: Vec<Doubt>,
    /// What the files held when all of it had been read.
    stock: Option<Stock>,
    /// What they held a moment ago.
    pending: Option<Stock>,
    /// Has anything happened since the last look?
    is_stirred: bool,
    tries: u32,
    looked: Option<Instant>,
    cost: Duration,
    judge: Judge,
}

impl Account {
    pub(super) fn new(settings: JournalSettings, files: Vec<PathBuf>) -> Account {
        Account {
            settings,
            files,
            read: 0,
            marks: Vec::new(),
            doubts: Vec::new(),
            stock: None,
            pending: None,
            is_stirred: true,
            tries: 0,
            looked: None,
            cost: Duration::ZERO,
            judge: Judge::default(),
        }
    }

    pub(super) fn settings(&self) -> &JournalSettings {
        &self.settings
    }

    /// The files of a journal by `files` that hold what was written since, if these are more than those that are read.
    /// journald archives `NAME.journal` as `NAME@….journal` in the same directory.
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

    /// Another reader of the same journal goes on; it may read other files of it.
    pub(super) fn hand_over(&mut self, to: &mut Account) {
        if self.settings == to.settings {
            let files = std::mem::take(&mut to.files);
            std::mem::swap(self, to);
            to.files = files;
        }
    }

    /// An entry was read.
    pub(super) fn count(&mut self) {
        self.read += 1;
    }

    /// The entry that was counted last is not read, and will be counted again.
    pub(super) fn discount(&mut self) {
        self.read -= 1;
    }

    /// Something has happened to the journal.
    pub(super) fn stir(&mut self) {
        self.is_stirred = true;
    }

    /// Reading begins behind that entry.
    pub(super) fn begin(&mut self, position: &JournalPosition) {
        if let Some((sequence, number)) = position.cursor.as_deref().and_then(numbered) {
            self.marks.retain(|mark| mark.sequence != sequence);
            let number = if position.is_before { number.saturating_sub(1) } else { number };
            self.mark(Mark { sequence, number, time: position.time, read: self.read });
        }
    }

    /// All up to that entry has been read.
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
            let doubt =
                Doubt { sequence, after: last.number, upto: number, from: last.time, until: time, read };
            let is_full = self.doubts.len() >= DOUBTS;
            let joined = self
                .doubts
                .last_mut()
                .filter(|former| is_full && former.sequence == sequence && former.upto == doubt.after);
            if let Some(former) = joined {
                (former.upto, former.until) = (doubt.upto, doubt.until);
                former.read += doubt.read;
            } else if self.doubts.len() < 2 * DOUBTS {
                // With more sequences in doubt than this, each cannot be reported.
                self.doubts.push(doubt);
            }
        }
        self.mark(mark);
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(last) = self.marks.iter_mut().find(|last| last.sequence == mark.sequence) {
            *last = mark;
            return;
        }
        if self.marks.len() >= SEQUENCES
            && let Some(oldest) = (0..self.marks.len()).min_by_key(|n| self.marks[*n].read)
        {
            self.marks.swap_remove(oldest);
        }
        self.marks.push(mark);
    }

    /// When it wants to look again, if nothing happens.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let is_wanted = self.is_stirred || !self.doubts.is_empty() || self.judge.is_in_doubt();
        is_wanted.then(|| {
            self.looked.map_or(Duration::ZERO, |looked| self.pause().saturating_sub(looked.elapsed()))
        })
    }

    fn pause(&self) -> Duration {
        (self.cost * SHARE).clamp(PAUSE, LONGEST_PAUSE)
    }

    /// Looks into the files, if it is time. `is_at_end`: all that is there has been read. Gives whether the end must be
    /// looked for again, at once.
    pub(super) fn look(&mut self, is_at_end: bool, losses: &mut Losses) -> bool {
        let is_due = self.next_look().is_some_and(|wait| wait.is_zero());
        // The second half of a look that has begun.
        let is_second = is_at_end && self.pending.is_some();
        if !is_second && (!is_due || (self.doubts.is_empty() && !is_at_end)) {
            return false;
        }
        let start = Instant::now();
        if let Some(pending) = self.pending.take_if(|pending| is_at_end && pending.read == self.read) {
            self.settle(pending, losses);
            self.is_stirred = false;
            self.tries = 0;
            self.looked = Some(start);
            return false;
        }
        let Some((listed, known, is_complete)) = survey(&self.settings, &self.files) else {
            // The files change faster than they can be looked at: the doubts wait for the next look.
            (self.pending, self.looked, self.cost) = (None, Some(start), start.elapsed());
            return false;
        };
        for left_out in self.judge.judge(listed.iter()) {
            losses.log(left_out.text);
        }
        for doubt in std::mem::take(&mut self.doubts) {
            if is_complete {
                self.clear_up(doubt, &known, losses);
            }
        }
        let mut again = false;
        self.pending = None;
        if is_at_end && self.is_stirred && self.tries < TRIES {
            self.tries += 1;
            self.pending = Some(self.stock_of(&known));
            again = true;
        } else {
            self.tries = 0;
            self.looked = Some(start);
        }
        self.cost = start.elapsed();
        again
    }

    /// The files that libsystemd leaves out.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        self.judge.left_out()
    }

    /// Numbers that no file holds were lost.
    fn clear_up(&self, doubt: Doubt, known: &[Known], losses: &mut Losses) {
        let Doubt { sequence, after, upto, from, until, read } = doubt;
        let of_sequence = known.iter().find(|known| known.file.header.seqnum_id == sequence);
        let is_split = of_sequence.is_none_or(|known| known.listed.is_split);
        let (mut present, mut elsewhere) = (0_u64, 0_u64);
        for Known { listed, file } in known {
            let header = &file.header;
            let is_same = header.seqnum_id == sequence;
            let shares = is_same || (is_split && listed.is_split);
            if !shares || header.last_number <= after || header.first_number > upto {
                continue;
            }
            let entries = file.entries();
            let range = entries.between(after, upto);
            // The numbers of another sequence may be from another time.
            let first = entries.head(range.start).map(|head| head.time);
            let is_of_then = is_same || first.is_some_and(|first| first.0 <= until.0.saturating_add(SLACK));
            let is_of_then = is_of_then && (is_same || header.last_time.0.saturating_add(SLACK) >= from.0);
            let mut count: u64 = if is_of_then { range.end - range.start } else { 0 };
            // A number that was given to an entry that did not fit into the file: the entry went to the next file.
            let last = entries.count.checked_sub(1).and_then(|last| entries.head(last));
            let is_unlinked = last.is_none_or(|last| last.number < header.last_number);
            if is_same && is_unlinked && (after + 1..=upto).contains(&header.last_number) {
                count = count.saturating_add(1);
            }
            let sum = if listed.in_scope { &mut present } else { &mut elsewhere };
            *sum = count.saturating_add(*sum);
        }
        // What was read may have been deleted since. Where there are several hosts, other hosts' entries are among it.
        if is_split || self.marks.len() == 1 {
            present = present.max(read);
        }
        let lost = (upto - after).saturating_sub(present.saturating_add(elsewhere));
        if lost > 0 {
            let shares = |known: &Known| {
                known.file.header.seqnum_id == sequence || (is_split && known.listed.is_split)
            };
            let is_exact = self.settings.matches.is_empty()
                && known.iter().all(|known| known.listed.in_scope || !shares(known));
            losses.note(if is_exact { &MISSING } else { &MISSING_AT_MOST }, lost, from, until);
        }
    }

    fn stock_of(&self, known: &[Known]) -> Stock {
        let in_scope = known.iter().filter(|known| known.listed.in_scope);
        let files = in_scope.map(|Known { listed, file }| {
            let is_runtime = listed.path.starts_with("/run");
            let is_left_out = self.judge.has_refused(&listed.path);
            (file.header.file_id, Held { header: file.header, is_runtime, is_left_out, absences: 0 })
        });
        Stock { read: self.read, files: files.collect() }
    }

    /// All that the files held then has been read, or was passed over.
    fn settle(&mut self, mut held: Stock, losses: &mut Losses) {
        tracing::debug!("accounts settled after {} entries", held.read);
        for mark in &mut self.marks {
            let headers = held.files.values().map(|held| held.header);
            let headers = headers.filter(|header| header.seqnum_id == mark.sequence);
            if let Some(last) = headers.max_by_key(|header| header.last_number)
                && last.last_number > mark.number
            {
                (mark.number, mark.time, mark.read) = (last.last_number, last.last_time, held.read);
            }
        }
        if let Some(former) = self.stock.take() {
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
        self.stock = Some(held);
    }
}

/// How often to list and open the files, until no rotation comes in between.
const SURVEYS: usize = 5;

/// All files, those of them that can be opened, and whether these are all that matter. A rotation renames files: one
/// that has another name by the time it is opened would seem to hold nothing. `None`: they were renamed at every try.
fn survey(settings: &JournalSettings, files: &[PathBuf]) -> Option<(Vec<Listed>, Vec<Known>, bool)> {
    let list = || {
        let mut listed = list(settings, files);
        listed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        listed
    };
    let mut listed = list();
    for _ in 0..SURVEYS {
        let (known, is_complete) = open(listed.clone());
        let after = list();
        if after == listed {
            return Some((listed, known, is_complete));
        }
        listed = after;
    }
    None
}

/// All files that can be opened; are these all that matter?
fn open(listed: Vec<Listed>) -> (Vec<Known>, bool) {
    let (mut known, mut is_complete) = (Vec::new(), true);
    for listed in listed {
        match JournalFile::open(&listed.path) {
            Ok(file) => known.push(Known { listed, file }),
            Err(e) => is_complete &= e.kind() != ErrorKind::PermissionDenied,
        }
    }
    (known, is_complete)
}

impl Stock {
    fn entries(&self, file: Id) -> u64 {
        self.files.get(&file).map_or(0, |held| held.header.entries)
    }
}

/// The sequence and the number of the entry of that cursor.
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

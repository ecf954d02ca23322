//! A followed path: the files that it named and names, in the order in which they are read, and the entry that comes
//! next.
//!
//! A file is read to its end before the one that replaced it. How a file is replaced:
//! - *It is renamed*, and another one is created. The renamed one is still open; or its inode finds it.
//! - *It is copied and truncated*. That is noticed when the bytes that were read last are no longer there. Then the
//!   copy has them, at the same place.
//! - *It is compressed* afterwards. Decompressed, it begins with the same bytes, and has those that were read last at
//!   the same place.
//!
//! While we lag or are stopped, that may happen several times: then the files between the one that was being read and
//! the present one were never seen. They are found by their names: whatever was changed since, and does not begin like a
//! file that is known, is read from its beginning.

mod search;

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;

use super::assembly::{Assembly, Taken};
use super::entry::LogEntry;
use super::identity::{FileId, Print};
use super::input::{self, Input};
use super::lines::Found;
use super::losses::DAMAGED;
use super::part::{Content, Part, open_plain};
use super::place::StoredFile;
use super::settings::Settings;
use super::shared::Shared;

/// The last line of a file that was replaced is complete if nothing was added for this long.
const LAST_LINE: Duration = Duration::from_secs(5);

/// A file that was replaced is looked at until it has not grown for this long: its writer may not know yet.
const LINGER: Duration = Duration::from_secs(30);

/// An entry that another line may continue is complete after this long.
const OPEN_ENTRY: Duration = Duration::from_secs(1);

/// The largest number of files of one path that are read one after the other.
const PARTS: usize = 1100;

/// The number of files that were read whose beginnings are remembered.
const SEEN: usize = 16;

/// The result of going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is an entry.
    Entry,
    /// There is nothing, until something happens.
    Idle,
    /// There may be something after this time.
    Later(Duration),
    /// The budget is used up.
    Busy,
}

/// The same of one part.
enum Read {
    Entry,
    Idle,
    Later(Duration),
    Busy,
    /// It was read to its end.
    Done,
    /// There are other parts than before.
    Again,
}

/// See the module.
pub(super) struct Followed {
    pub(super) path: PathBuf,
    number: usize,
    parts: Vec<Part>,
    floor: i64,
    /// What the last files that were read to their ends begin with, and which they were.
    seen: VecDeque<(Print, FileId)>,
    assembly: Assembly,
    /// The part of the entry that comes next, and the offset behind it.
    head: Option<(usize, u64)>,
    /// Earlier entries are passed over.
    pub(super) since: Option<Timestamp>,
    /// Whether to look at what the path names.
    pub(super) must_look: bool,
    /// Whether its files may have grown.
    pub(super) recheck: bool,
    /// There is nothing before, unless something happens.
    pub(super) wait_until: Option<Instant>,
    /// Whether something was read since the position was written.
    is_dirty: bool,
    stored: String,
}

impl Followed {
    /// `floor`: of the rotated files, only those that were changed later are read.
    pub(super) fn new(path: PathBuf, number: usize, settings: &Settings, floor: i64) -> Followed {
        let assembly = Assembly::new(&path, settings);
        Followed {
            path,
            number,
            parts: Vec::new(),
            floor,
            seen: VecDeque::new(),
            assembly,
            head: None,
            since: None,
            must_look: true,
            recheck: true,
            wait_until: None,
            is_dirty: true,
            stored: String::new(),
        }
    }

    /// Continues where a position says.
    pub(super) fn restore(&mut self, stored: &StoredFile) {
        self.floor = stored.floor;
        self.seen = stored.seen().take(SEEN).collect();
        for mark in stored.marks.iter().take(PARTS) {
            self.parts.push(Part::new(self.path.clone(), mark.clone()));
        }
    }

    /// Is there a file?
    pub(super) fn exists(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Is nothing left of it: neither a file, nor something to read?
    pub(super) fn is_gone(&self) -> bool {
        self.parts.is_empty() && !self.must_look
    }

    /// Does it have files that were replaced, which must be looked at again?
    pub(super) fn lingers(&self) -> bool {
        self.parts.iter().any(|part| part.old_since.is_some())
    }

    /// Goes behind what is there now. What was rotated is known.
    pub(super) fn go_to_end(&mut self, shared: &mut Shared<'_>) {
        self.must_look = false;
        let rotated = shared.siblings(&self.path, &[]).unwrap_or_default();
        self.floor = rotated.iter().map(|sibling| sibling.changed).fold(self.floor, i64::max);
        let (mut lines, file, metadata) = match open_plain(&self.path) {
            Ok(opened) => opened,
            Err(e) => return Self::refuse(&self.path, &e, shared),
        };
        let mut part = Part::fresh(&self.path);
        if let Err(e) = lines.seek_end(metadata.len()) {
            return Self::refuse(&self.path, &e, shared);
        }
        shared.refused.check_mode(&self.path, &metadata, shared.losses);
        self.assembly.entry.set_owner(metadata.uid());
        part.descriptor = shared.watch.add_file(self.number, &self.path, &file);
        part.take(lines, FileId::of(&metadata), Some(&metadata));
        self.parts.push(part);
    }

    /// The time of the entry that comes next.
    pub(super) fn head_time(&self) -> Option<Timestamp> {
        self.head.map(|_| self.assembly.entry.time())
    }

    /// The entry that comes next, which counts as read from now on.
    pub(super) fn take_entry(&mut self) -> &mut LogEntry {
        if let Some((at, end)) = self.head.take() {
            if let Some(lines) = self.parts.get_mut(at).and_then(|part| part.lines.as_mut()) {
                lines.commit(end);
            }
            self.assembly.entry.begin(end);
            self.is_dirty = true;
        }
        &mut self.assembly.entry
    }

    /// Brings what is stored of the position in it up to date.
    pub(super) fn store(&mut self) {
        if std::mem::take(&mut self.is_dirty) {
            self.parts.iter_mut().for_each(Part::refresh);
            let marks =
                self.parts.iter().filter(|part| !part.is_fresh()).map(|part| part.mark.clone()).collect();
            self.stored = StoredFile::new(&self.path, marks, self.floor, self.seen.iter().copied()).to_line();
        }
    }

    /// The position in it, as [`StoredFile`] writes it.
    pub(super) fn stored(&self) -> &str {
        &self.stored
    }

    /// How far the first of its files was read, and its size.
    pub(super) fn progress(&self) -> Option<(u64, Option<u64>)> {
        let part = self.parts.first()?;
        let lines = part.lines.as_ref()?;
        let is_plain = matches!(lines.input, Input::Plain(_));
        Some((lines.committed(), is_plain.then_some(part.mark.size)))
    }

    /// Goes to the next entry.
    pub(super) fn advance(&mut self, shared: &mut Shared<'_>) -> Step {
        if self.head.is_some() {
            return Step::Entry;
        }
        loop {
            if std::mem::take(&mut self.must_look) {
                self.look(shared);
            }
            if std::mem::take(&mut self.recheck) {
                self.parts.iter_mut().for_each(|part| part.is_idle = false);
            }
            // What continues an open entry comes first.
            let mut at = self.assembly.open_part().unwrap_or(0);
            while at < self.parts.len() {
                if self.parts[at].is_idle {
                    at += 1;
                    continue;
                }
                match self.read(at, shared) {
                    Read::Entry => return Step::Entry,
                    Read::Idle => {
                        self.parts[at].is_idle = true;
                        at += 1;
                    }
                    Read::Done => self.finish(at, shared),
                    Read::Again => at = self.assembly.open_part().unwrap_or(0),
                    Read::Later(wait) => return Step::Later(wait),
                    Read::Busy => return Step::Busy,
                }
            }
            if !self.must_look {
                return Step::Idle;
            }
        }
    }

    /// Looks at what the path names.
    fn look(&mut self, shared: &mut Shared<'_>) {
        let named = if shared.settings.reads_standard_input {
            Some(FileId::default())
        } else {
            let metadata = self.path.metadata().inspect_err(|e| Self::refuse(&self.path, e, shared));
            metadata.ok().map(|metadata| FileId::of(&metadata))
        };
        let last = self.parts.last_mut();
        match (named, last) {
            (None, Some(last)) if !shared.settings.once && last.lines.is_some() => {
                last.supersede();
                self.is_dirty = true;
            }
            (Some(id), Some(last)) if last.mark.id() == id && last.lines.is_some() => last.old_since = None,
            // It is opened, or looked for, when it is its turn.
            (_, Some(last)) if last.lines.is_none() && last.old_since.is_none() => {}
            (Some(_), Some(last)) => {
                last.supersede();
                self.parts.push(Part::fresh(&self.path));
                self.is_dirty = true;
            }
            (Some(_), None) => self.parts.push(Part::fresh(&self.path)),
            (None, _) => {}
        }
    }

    /// A part was read to its end, or is lost.
    fn finish(&mut self, at: usize, shared: &mut Shared<'_>) {
        let part = self.parts.remove(at);
        tracing::debug!("{}: read to its end: {part}", self.path.display());
        // Nothing was read of this file yet: it is read from its beginning, wherever it is now.
        if part.has_begun {
            self.floor = self.floor.max(part.mark.changed);
        }
        if let Some(descriptor) = part.descriptor {
            shared.watch.remove_file(descriptor);
        }
        let head = part.head();
        if !head.is_empty() {
            self.seen.push_back((head, part.mark.id()));
            if self.seen.len() > SEEN {
                self.seen.pop_front();
            }
        }
        self.is_dirty = true;
    }

    fn refuse(path: &Path, error: &io::Error, shared: &mut Shared<'_>) {
        if error.kind() != io::ErrorKind::NotFound {
            shared.refused.note(path, input::failure(path, error), shared.losses);
        }
    }

    fn read(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        let part = &self.parts[at];
        if part.content == Content::Dead && part.lines.is_none() {
            return Read::Done;
        }
        if part.sought_since.is_some() || part.lines.is_none() {
            match self.open(at, shared) {
                Read::Entry => {}
                other => return other,
            }
        }
        loop {
            let part = &mut self.parts[at];
            let Some(lines) = part.lines.as_mut() else { return Read::Idle };
            let is_dead = part.content == Content::Dead;
            let found = if is_dead { Ok(Found::Open) } else { lines.peek(&mut shared.budget) };
            // Of a file that was empty, it is not known whether it was copied and truncated meanwhile.
            if matches!(found, Ok(Found::Line | Found::Open)) && !std::mem::replace(&mut part.has_begun, true)
            {
                let is_named =
                    part.old_since.is_none() && part.content == Content::Grows && !shared.settings.once;
                if is_named && self.sweep(at, shared) {
                    return Read::Again;
                }
                continue;
            }
            match found {
                Ok(Found::Line) => match self.assembly.take(at, lines, shared) {
                    Taken::Entry(end) => {
                        if self.is_wanted(at, end) {
                            return Read::Entry;
                        }
                    }
                    Taken::Open => {}
                },
                Ok(Found::Busy) => return Read::Busy,
                Ok(found @ (Found::End | Found::Open)) => {
                    if let Some(read) = self.at_end(at, found == Found::Open, shared) {
                        return read;
                    }
                }
                Ok(Found::Truncated) => return self.truncated(at, shared),
                Ok(Found::Short) => return Read::Done,
                Err(e) => {
                    if matches!(lines.input, Input::Stream(_)) {
                        tracing::debug!("{}: {e}", part.path.display());
                        let now = Timestamp::now();
                        shared.losses.note(&DAMAGED, 1, now, now);
                        part.content = Content::Dead;
                    } else {
                        Self::refuse(&part.path, &e, shared);
                        return Read::Idle;
                    }
                }
            }
        }
    }

    /// An entry is complete. Returns whether it is wanted, and not too early.
    fn is_wanted(&mut self, at: usize, end: u64) -> bool {
        if self.since.is_some_and(|since| self.assembly.entry.time() < since) {
            if let Some(lines) = self.parts[at].lines.as_mut() {
                lines.commit(end);
            }
            return false;
        }
        self.since = None;
        self.head = Some((at, end));
        true
    }

    /// A part has no further line. Returns `None` if there is one now.
    fn at_end(&mut self, at: usize, is_in_line: bool, shared: &mut Shared<'_>) -> Option<Read> {
        let part = &mut self.parts[at];
        part.refresh();
        let quiet = part.quiet();
        let is_old = part.old_since.is_some();
        let ends = part.content != Content::Grows || shared.settings.once;
        let lines = part.lines.as_mut()?;
        if is_in_line && (ends || (is_old && quiet >= LAST_LINE)) && lines.end_open_line() {
            return match self.assembly.take(at, lines, shared) {
                Taken::Entry(end) => self.is_wanted(at, end).then_some(Read::Entry),
                Taken::Open => None,
            };
        }
        if self.assembly.open_part() == Some(at) {
            if ends || quiet >= OPEN_ENTRY {
                let end = self.assembly.finish(lines);
                return self.is_wanted(at, end).then_some(Read::Entry);
            }
            return Some(Read::Later(OPEN_ENTRY.saturating_sub(quiet)));
        }
        if part.content != Content::Grows {
            return Some(Read::Done);
        }
        if is_old && is_in_line {
            return Some(Read::Later(LAST_LINE.saturating_sub(quiet)));
        }
        if is_old && quiet >= LINGER {
            return Some(Read::Done);
        }
        self.assembly.at_end(shared);
        Some(Read::Idle)
    }
}

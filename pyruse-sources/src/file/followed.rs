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

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;

use super::assembly::{Assembly, Taken};
use super::entry::LogEntry;
use super::identity::{FileId, Print};
use super::input::{self, Input, Packing};
use super::lines::{Found, Lines};
use super::losses::{DAMAGED, GONE, GONE_FILES};
use super::part::{Content, Part, Tried, open_plain, open_sibling, try_sibling};
use super::place::{Mark, StoredFile, UNKNOWN_SIZE};
use super::settings::Settings;
use super::shared::Shared;
use super::siblings;

/// The last line of a file that was replaced is complete if nothing was added for this long.
const LAST_LINE: Duration = Duration::from_secs(5);

/// A file that was replaced is looked at until it has not grown for this long: its writer may not know yet.
const LINGER: Duration = Duration::from_secs(30);

/// An entry that another line may continue is complete after this long.
const OPEN_ENTRY: Duration = Duration::from_secs(1);

/// A file is looked for during this time: it may be on its way to another name.
const GRACE: Duration = Duration::from_secs(2);

/// How often.
const SEEK_AGAIN: Duration = Duration::from_millis(50);

/// So often they are looked for again while they are renamed.
const SWEEPS: usize = 20;

/// So many files of a path are read one after the other.
const PARTS: usize = 1100;

/// So many files that were read are remembered by their beginnings.
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
    seen: VecDeque<Print>,
    assembly: Assembly,
    /// The part of the entry that comes next, and the offset behind it.
    head: Option<(usize, u64)>,
    /// Earlier entries are passed over.
    pub(super) since: Option<Timestamp>,
    /// Whether to look at what the path names.
    pub(super) must_look: bool,
    /// Whether its files may have grown.
    pub(super) recheck: bool,
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
        let rotated = siblings::list(&self.path, &[]).unwrap_or_default();
        self.floor = rotated.iter().map(|sibling| sibling.changed).fold(self.floor, i64::max);
        let (mut lines, file, metadata) = match open_plain(&self.path) {
            Ok(opened) => opened,
            Err(e) => return Self::refuse(&self.path, &e, shared),
        };
        let mut part = Part::fresh(&self.path);
        if let Err(e) = lines.seek_end(metadata.len()) {
            return Self::refuse(&self.path, &e, shared);
        }
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
            self.path.metadata().ok().map(|metadata| FileId::of(&metadata))
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
        // Of a file of which nothing was read, what became of it is still to be read.
        if part.has_begun {
            self.floor = self.floor.max(part.mark.changed);
        }
        if let Some(descriptor) = part.descriptor {
            shared.watch.remove_file(descriptor);
        }
        let head = part.head();
        if !head.is_empty() {
            self.seen.push_back(head);
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

    /// A part has no further line. `None`: look again, there is one now.
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

    /// Opens a part. `Read::Entry`: it can be read.
    fn open(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        if self.parts[at].is_fresh() {
            return self.open_fresh(at, shared);
        }
        match self.locate(at, shared) {
            Ok(true) => Read::Again,
            // It was empty: what became of it is found as one that was never seen.
            Ok(false) if self.parts[at].mark.head().is_empty() => {
                self.must_look = true;
                Read::Done
            }
            Ok(false) => self.seek_again(at, shared),
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.seek_again(at, shared),
            Err(e) => {
                Self::refuse(&self.parts[at].path, &e, shared);
                self.seek_again(at, shared)
            }
        }
    }

    /// Opens the file that the path names, for the first time.
    fn open_fresh(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        let path = self.parts[at].path.clone();
        if shared.settings.reads_standard_input {
            return match input::standard_input() {
                Ok(input) => {
                    self.parts[at].lines = Some(Lines::of_pipe(input));
                    Read::Entry
                }
                Err(_) => Read::Idle,
            };
        }
        if let Some(packing) = Packing::of(&path) {
            let opened = input::open(&path)
                .and_then(|(file, metadata)| Ok((Lines::new(input::unpack(file, packing)?)?, metadata)));
            return match opened {
                Ok((lines, metadata)) => {
                    self.assembly.begin(&metadata, true);
                    self.parts[at].take(lines, FileId::of(&metadata), Some(&metadata));
                    Read::Entry
                }
                Err(e) => {
                    Self::refuse(&path, &e, shared);
                    Read::Idle
                }
            };
        }
        let (lines, file, metadata) = match open_plain(&path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.parts.remove(at);
                return Read::Again;
            }
            Err(e) => {
                Self::refuse(&path, &e, shared);
                return Read::Idle;
            }
        };
        shared.refused.forget(&path);
        shared.refused.check_mode(&path, &metadata, shared.losses);
        self.assembly.begin(&metadata, false);
        let descriptor = shared.watch.add_file(self.number, &path, &file);
        let part = &mut self.parts[at];
        part.descriptor = descriptor;
        part.take(lines, FileId::of(&metadata), Some(&metadata));
        tracing::debug!("{}: a new file: {part}", self.path.display());
        // The path may name another one again.
        self.must_look = true;
        if !shared.settings.once && self.sweep(at, shared) {
            return Read::Again;
        }
        Read::Entry
    }

    /// Looks for rotated files that were never seen, and puts them before the part. Returns `true` if there are some.
    fn sweep(&mut self, at: usize, shared: &mut Shared<'_>) -> bool {
        let mut tries = 0;
        let found = loop {
            match self.unseen(shared) {
                // Files are renamed under our hands.
                Err(e) if e.kind() == io::ErrorKind::NotFound && tries < SWEEPS => tries += 1,
                Err(e) => {
                    Self::refuse(&self.path, &e, shared);
                    return false;
                }
                Ok(found) => break found,
            }
        };
        let is_any = !found.is_empty();
        for part in &found {
            tracing::debug!("{}: never seen: {part}", self.path.display());
        }
        for part in found.into_iter().rev() {
            self.parts.insert(at, part);
        }
        self.is_dirty |= is_any;
        is_any
    }

    /// Finds those files.
    fn unseen(&self, shared: &mut Shared<'_>) -> io::Result<Vec<Part>> {
        let listed = siblings::list(&self.path, &[])?;
        let mut found: Vec<(Part, Vec<u8>)> = Vec::new();
        for sibling in listed.into_iter().filter(|sibling| sibling.changed > self.floor) {
            if self.parts.iter().any(|part| part.mark.id() == sibling.id) {
                continue;
            }
            let lines = match open_sibling(&sibling) {
                Ok((lines, _)) => lines,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(e),
                Err(e) => {
                    Self::refuse(&sibling.path, &e, shared);
                    continue;
                }
            };
            let beginning = lines.beginning().to_vec();
            let is_known = beginning.is_empty()
                || self.seen.iter().any(|seen| seen.begins(&beginning))
                || self.parts.iter().any(|part| part.begins_like(&beginning))
                || found.iter().any(|(part, other)| {
                    part.mark.head().begins(&beginning) || other.starts_with(&beginning)
                });
            if is_known {
                continue;
            }
            let mut mark = Mark::default();
            (mark.changed, mark.size, mark.is_old) = (sibling.changed, sibling.size, true);
            if sibling.packing.is_some() {
                mark.size = UNKNOWN_SIZE;
            }
            mark.set_id(sibling.id);
            mark.set_prints(lines.head(), Print::of(b""));
            found.push((Part::new(sibling.path, mark), beginning));
        }
        // A copy that is being made is of a file that is still there: the beginning of that is looked at last.
        if let Ok((again, _, _)) = open_plain(&self.path) {
            found.retain(|(part, beginning)| {
                !part.mark.head().begins(again.beginning()) && !again.beginning_is(beginning)
            });
        }
        Ok(found.into_iter().map(|(part, _)| part).collect())
    }

    /// Finds the file of a part that is not open, or that does not hold what was read of it. Returns whether it is found.
    fn locate(&mut self, at: usize, shared: &mut Shared<'_>) -> io::Result<bool> {
        self.parts[at].refresh();
        let mark = self.parts[at].mark.clone();
        let is_truncated = self.parts[at].lines.is_some();
        if !is_truncated && self.parts[at].old_since.is_none() && self.locate_named(at, &mark, shared)? {
            return Ok(true);
        }
        let mut finished = None;
        let mut listed = siblings::list(&self.path, &[mark.inode])?;
        // By the inode first, then the latest.
        listed.reverse();
        listed.sort_by_key(|sibling| (is_truncated || sibling.id != mark.id(), sibling.packing.is_some()));
        for sibling in listed {
            let is_other_part =
                |(n, part): (usize, &Part)| n != at && part.mark.id() == sibling.id && !part.is_fresh();
            if self.parts.iter().enumerate().any(is_other_part) {
                continue;
            }
            match try_sibling(&sibling, &mark) {
                Ok(Tried::Found(lines, opened)) => {
                    let is_renamed = sibling.id == mark.id();
                    let descriptor = match &opened {
                        Some((file, _)) if is_renamed => {
                            shared.watch.add_file(self.number, &sibling.path, file)
                        }
                        _ => None,
                    };
                    if self.assembly.open_part() == Some(at) {
                        self.assembly.forget();
                    }
                    let part = &mut self.parts[at];
                    part.path = sibling.path;
                    part.descriptor = descriptor.or(part.descriptor.take());
                    let grows = is_renamed && sibling.packing.is_none();
                    part.content = if grows { Content::Grows } else { Content::Final };
                    part.take(*lines, sibling.id, opened.as_ref().map(|(_, metadata)| metadata));
                    part.mark.changed = sibling.changed;
                    tracing::debug!("{}: found again: {part}", self.path.display());
                    self.assembly.begin_old(sibling.changed);
                    self.leave_behind(at, sibling.changed);
                    return Ok(true);
                }
                Ok(Tried::Finished) => finished = finished.max(Some(sibling.changed)),
                Ok(Tried::Other) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(e),
                // It is being compressed, or damaged.
                Err(e) => tracing::debug!("{}: {e}", sibling.path.display()),
            }
        }
        if let Some(changed) = finished {
            let part = &mut self.parts[at];
            tracing::debug!("{}: a copy of it was read: {part}", self.path.display());
            (part.content, part.sought_since) = (Content::Dead, None);
            self.leave_behind(at, changed);
            return Ok(true);
        }
        Ok(false)
    }

    /// The file that the path names is the one of this part, which is the last.
    fn locate_named(&mut self, at: usize, mark: &Mark, shared: &mut Shared<'_>) -> io::Result<bool> {
        let (mut lines, file, metadata) = match open_plain(&self.path) {
            Ok(opened) => opened,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        let is_same = FileId::of(&metadata) == mark.id()
            && metadata.len() >= mark.offset
            && lines.seek(mark.offset, mark.head(), mark.tail())?;
        if !is_same {
            return Ok(false);
        }
        shared.refused.check_mode(&self.path, &metadata, shared.losses);
        self.assembly.begin(&metadata, false);
        let descriptor = shared.watch.add_file(self.number, &self.path, &file);
        let part = &mut self.parts[at];
        part.descriptor = descriptor;
        part.take(lines, FileId::of(&metadata), Some(&metadata));
        tracing::debug!("{}: still the same: {part}", self.path.display());
        // Of an empty file it is not known whether it was truncated.
        if mark.offset == 0 && !shared.settings.once {
            self.sweep(at, shared);
        }
        Ok(true)
    }

    /// A part was found under another name: the path names another file.
    fn leave_behind(&mut self, at: usize, changed: i64) {
        let part = &mut self.parts[at];
        part.old_since.get_or_insert_with(Instant::now);
        part.mark.is_old = true;
        self.floor = self.floor.max(changed);
        if at + 1 == self.parts.len() {
            self.must_look = true;
        }
        self.is_dirty = true;
    }

    /// The file of a part does not hold what was read of it.
    fn truncated(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        let is_last = at + 1 == self.parts.len();
        let part = &mut self.parts[at];
        if part.content != Content::Grows {
            // Somebody has changed what was rotated.
            let now = Timestamp::now();
            shared.losses.note(&GONE_FILES, 1, now, now);
            part.content = Content::Dead;
            return Read::Again;
        }
        // What is known of it is from before.
        part.sought_since = Some(Instant::now());
        part.refresh();
        if let Some(descriptor) = part.descriptor.take() {
            shared.watch.remove_file(descriptor);
        }
        part.mark.is_old = true;
        tracing::debug!("{}: truncated: {part}", self.path.display());
        if part.old_since.replace(Instant::now()).is_none() && is_last {
            self.floor = self.floor.max(part.mark.changed);
            self.parts.push(Part::fresh(&self.path));
        }
        self.is_dirty = true;
        Read::Again
    }

    /// A part was not found: it is looked for again, or is lost.
    fn seek_again(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        let part = &mut self.parts[at];
        let since = *part.sought_since.get_or_insert_with(Instant::now);
        if since.elapsed() < GRACE {
            return Read::Later(SEEK_AGAIN);
        }
        tracing::debug!("{}: not found: {part}", self.path.display());
        let (read, size) = (part.mark.offset, part.mark.size);
        let now = Timestamp::now();
        let from =
            Timestamp(self.assembly.last_time().unwrap_or(Timestamp(part.mark.changed / 1000)).0.min(now.0));
        if size > read && size != UNKNOWN_SIZE {
            shared.losses.note(&GONE, size - read, from, now);
        } else if !part.mark.is_old || size == UNKNOWN_SIZE {
            shared.losses.note(&GONE_FILES, 1, from, now);
        } else if part.lines.is_some() {
            let text = format!("{} was truncated, and there is no copy of it", self.path.display());
            shared.losses.log_notice(text);
        }
        // What was read of it is all there is.
        (part.content, part.sought_since) = (Content::Dead, None);
        let (is_gone, changed) = (part.lines.is_none(), part.mark.changed);
        self.leave_behind(at, changed);
        if is_gone { Read::Done } else { Read::Again }
    }
}

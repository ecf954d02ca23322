//! Finds the files of a path: what it names now, what a file that was read has become, and what was never seen.

use std::io;
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;

use super::super::identity::{FileId, Print};
use super::super::input::{self, Packing};
use super::super::lines::Lines;
use super::super::losses::{GONE, GONE_FILES};
use super::super::part::{Content, Part, Tried, open_plain, open_sibling, try_sibling};
use super::super::place::{Mark, UNKNOWN_SIZE};
use super::super::shared::Shared;
use super::{Followed, Read};

/// A file is looked for during this time: it may be on its way to another name.
const GRACE: Duration = Duration::from_secs(2);

/// How often.
const SEEK_AGAIN: Duration = Duration::from_millis(50);

/// How many times to look for unseen files again while files are renamed.
const SWEEPS: usize = 20;

impl Followed {
    /// Opens a part. `Read::Entry`: it can be read.
    pub(super) fn open(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        if self.parts[at].is_fresh() {
            return self.open_fresh(at, shared);
        }
        match self.locate(at, shared) {
            Ok(true) => Read::Again,
            // It was empty: if it was renamed, it is found as a file that was never seen.
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
    pub(super) fn sweep(&mut self, at: usize, shared: &mut Shared<'_>) -> bool {
        let mut tries = 0;
        let found = loop {
            match self.unseen(shared) {
                // Files are being renamed.
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
    fn unseen(&mut self, shared: &mut Shared<'_>) -> io::Result<Vec<Part>> {
        let listed = shared.siblings(&self.path, &[])?;
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
            let head = Print::of_head(&beginning);
            // A short one is all that the file had.
            let was_read = |(seen, id): &(Print, FileId)| {
                *seen == head || ((seen.is_full() || *id == sibling.id) && seen.begins(&beginning))
            };
            let has_size =
                |size: u64| size == UNKNOWN_SIZE || sibling.packing.is_some() || size == sibling.size;
            let is_known = beginning.is_empty()
                || self.seen.iter().any(was_read)
                || self.parts.iter_mut().any(|part| part.is_copied_by(&beginning))
                || found.iter().any(|(part, _)| part.mark.head() == head && has_size(part.mark.size));
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
            found.retain(|(_, beginning)| !again.beginning().starts_with(beginning));
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
        let mut listed = shared.siblings(&self.path, &[mark.inode])?;
        // By the inode first. Of others that begin in the same way, it is the first that was changed since.
        let second = |nanoseconds: i64| nanoseconds / 1_000_000_000;
        listed.sort_by_key(|sibling| {
            let is_earlier = second(sibling.changed) < second(mark.changed);
            let changed = if is_earlier { -sibling.changed } else { sibling.changed };
            (is_truncated || sibling.id != mark.id(), is_earlier, changed)
        });
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
        if !is_same || self.was_copied(at, mark, shared)? {
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

    /// The file that the path names holds what was read of this part. But if each new file begins with the same lines, it
    /// may have been copied and truncated since: then there is a copy, with more than that, and with other lines.
    fn was_copied(&self, at: usize, mark: &Mark, shared: &mut Shared<'_>) -> io::Result<bool> {
        if mark.head().is_full() || mark.head().is_empty() || shared.settings.once {
            return Ok(false);
        }
        let listed = shared.siblings(&self.path, &[])?;
        let is_part = |id: FileId| {
            self.parts.iter().enumerate().any(|(n, part)| n != at && part.mark.id() == id)
                || self.seen.iter().any(|(_, seen)| *seen == id)
        };
        for sibling in listed.iter().filter(|sibling| sibling.changed > mark.changed && !is_part(sibling.id))
        {
            // What cannot be read is reported when it is looked for.
            let Ok((copy, _)) = open_sibling(sibling) else { continue };
            let (now, _, _) = open_plain(&self.path)?;
            if mark.head().begins(copy.beginning()) && !now.beginning().starts_with(copy.beginning()) {
                return Ok(true);
            }
        }
        Ok(false)
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
    pub(super) fn truncated(&mut self, at: usize, shared: &mut Shared<'_>) -> Read {
        let is_last = at + 1 == self.parts.len();
        let part = &mut self.parts[at];
        if part.content != Content::Grows {
            // Somebody has changed what was rotated.
            let now = Timestamp::now();
            shared.losses.note(&GONE_FILES, 1, now, now);
            part.content = Content::Dead;
            return Read::Again;
        }
        // What is known about it is from before the truncation.
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
        // Nothing more can be read from it.
        (part.content, part.sought_since) = (Content::Dead, None);
        let (is_gone, changed) = (part.lines.is_none(), part.mark.changed);
        self.leave_behind(at, changed);
        if is_gone { Read::Done } else { Read::Again }
    }
}

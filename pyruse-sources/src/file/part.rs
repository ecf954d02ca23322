//! One file on the disk that belongs to a followed path: the one that the path names, or one that it named before.

use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::inotify::WatchDescriptor;

use super::identity::{FileId, Print, changed};
use super::input::{self, Input, Packing};
use super::lines::Lines;
use super::place::Mark;
use super::siblings::Sibling;

/// What may still come of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Its writer may add to it.
    Grows,
    /// Nothing is added to it: it is a copy, or compressed.
    Final,
    /// It holds something else now, and only what was read of it is left.
    Dead,
}

/// See the module.
pub(super) struct Part {
    /// Where it was found.
    pub(super) path: PathBuf,
    /// How it is recognised, and how far it was read when that was known last.
    pub(super) mark: Mark,
    /// Its lines, when it is open.
    pub(super) lines: Option<Lines>,
    pub(super) descriptor: Option<WatchDescriptor>,
    pub(super) content: Content,
    /// Since when the path names another file, or none.
    pub(super) old_since: Option<Instant>,
    /// Whether something was read of it.
    pub(super) has_begun: bool,
    /// Whether it was read to its present end.
    pub(super) is_idle: bool,
    /// Since when it is looked for.
    pub(super) sought_since: Option<Instant>,
    /// When it grew last.
    grown: Instant,
    grown_to: u64,
}

/// The result of trying a file.
pub(super) enum Tried {
    /// It is the file that is looked for; reading continues in it.
    Found(Box<Lines>, Option<(File, Metadata)>),
    /// It is a copy of it that holds no more than was read.
    Finished,
    /// It is another one.
    Other,
}

impl Part {
    pub(super) fn new(path: PathBuf, mark: Mark) -> Part {
        let now = Instant::now();
        Part {
            path,
            old_since: mark.is_old.then_some(now),
            mark,
            lines: None,
            descriptor: None,
            content: Content::Grows,
            has_begun: false,
            is_idle: false,
            sought_since: None,
            grown: now,
            grown_to: 0,
        }
    }

    /// The file that the path names, which was not looked at yet.
    pub(super) fn fresh(path: &Path) -> Part {
        Part::new(path.to_owned(), Mark::default())
    }

    /// Was it not looked at yet?
    pub(super) fn is_fresh(&self) -> bool {
        self.lines.is_none() && self.mark == Mark::default()
    }

    /// What it begins with.
    pub(super) fn head(&self) -> Print {
        self.lines.as_ref().map_or_else(|| self.mark.head(), Lines::head)
    }

    /// Is a file that begins with these bytes a copy of it, complete or not? A file that has more is another one: programs
    /// may write the same into each new file.
    pub(super) fn is_copied_by(&mut self, bytes: &[u8]) -> bool {
        if let Some(lines) = &mut self.lines
            && let Input::Plain(_) = lines.input
        {
            // As it is now: it may have grown.
            let mut beginning = vec![0; bytes.len()];
            let read = input::read_full(&mut lines.input, &mut beginning, 0);
            if read.is_ok_and(|length| length == bytes.len() && beginning == bytes) {
                return true;
            }
            // If it was truncated meanwhile, its beginning is known, but not how long it was.
            return !lines.is_unchanged() && lines.head().begins(bytes);
        }
        let head = self.head();
        (head.is_full() && head.begins(bytes))
            || head == Print::of_head(bytes)
            || self.lines.as_ref().is_some_and(|lines| lines.beginning_is(bytes))
    }

    /// Takes note of whether it grew; returns for how long it has not.
    pub(super) fn quiet(&mut self) -> Duration {
        let read = self.lines.as_ref().map_or(0, Lines::read_up_to);
        if read != self.grown_to {
            (self.grown_to, self.grown) = (read, Instant::now());
        }
        self.grown.elapsed().min(self.old_since.map_or(Duration::MAX, |since| since.elapsed()))
    }

    /// Brings the mark up to date.
    pub(super) fn refresh(&mut self) {
        let Some(lines) = &mut self.lines else { return };
        self.mark.offset = lines.committed();
        self.mark.set_prints(lines.head(), lines.tail());
        self.mark.is_old = self.old_since.is_some();
        if self.content == Content::Dead || self.sought_since.is_some() {
            return;
        }
        // What is known of a file is from before it is truncated.
        if let Input::Plain(file) = &lines.input
            && let Ok(metadata) = file.metadata()
            && lines.is_unchanged()
        {
            (self.mark.changed, self.mark.size) = (changed(&metadata), metadata.len());
        }
    }

    /// The path names another file from now on.
    pub(super) fn supersede(&mut self) {
        self.old_since.get_or_insert_with(Instant::now);
        self.mark.is_old = true;
        self.refresh();
    }

    /// Reads these lines from now on.
    pub(super) fn take(&mut self, lines: Lines, id: FileId, metadata: Option<&Metadata>) {
        self.lines = Some(lines);
        self.mark.set_id(id);
        if let Some(metadata) = metadata {
            self.mark.changed = changed(metadata);
            self.mark.size = metadata.len();
        }
        (self.sought_since, self.is_idle) = (None, false);
        self.refresh();
        self.has_begun |= self.mark.offset > 0;
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, mark) = (self.path.display(), &self.mark);
        write!(
            f,
            "{path}, inode {}, {} of {} bytes, changed {}",
            mark.inode, mark.offset, mark.size, mark.changed
        )
    }
}

/// Opens a file of these lines.
pub(super) fn open_plain(path: &Path) -> io::Result<(Lines, File, Metadata)> {
    let (file, metadata) = input::open(path)?;
    let lines = Lines::new(Input::Plain(file.try_clone()?))?;
    Ok((lines, file, metadata))
}

/// Opens a file beside a path, from its beginning; a plain one also as a file. It is an error if the path names another
/// file meanwhile.
pub(super) fn open_sibling(sibling: &Sibling) -> io::Result<(Lines, Option<(File, Metadata)>)> {
    let (file, metadata) = input::open(&sibling.path)?;
    if FileId::of(&metadata) != sibling.id {
        return Err(io::ErrorKind::NotFound.into());
    }
    match sibling.packing {
        Some(packing) => Ok((Lines::new(input::unpack(file, packing)?)?, None)),
        None => Ok((Lines::new(Input::Plain(file.try_clone()?))?, Some((file, metadata)))),
    }
}

/// Is this file beside the path the one that is looked for?
pub(super) fn try_sibling(sibling: &Sibling, mark: &Mark) -> io::Result<Tried> {
    let head = mark.head();
    if head.is_empty() || sibling.packing == Some(Packing::Unknown) {
        return Ok(Tried::Other);
    }
    let (mut lines, opened) = open_sibling(sibling)?;
    if !head.begins(lines.beginning()) {
        return Ok(Tried::Other);
    }
    if opened.as_ref().is_some_and(|(_, metadata)| metadata.len() < mark.offset) {
        return Ok(if sibling.is_rotated { Tried::Finished } else { Tried::Other });
    }
    let is_same = lines.seek(mark.offset, head, mark.tail())?;
    Ok(if is_same { Tried::Found(Box::new(lines), opened) } else { Tried::Other })
}

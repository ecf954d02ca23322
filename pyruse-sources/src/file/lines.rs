//! Reads lines of a file that may grow, be truncated, or be a stream; in bounded memory.
//!
//! Of each file, the bytes that were read last are remembered as they were then. Before more is taken from it, they are
//! compared with what is there now: so a file that was truncated and filled again beyond that place is noticed.

use std::io;

use super::identity::{HEAD, Print, TAIL};
use super::input::{Input, read_full};

/// A longer line is cut.
pub(super) const LINE_LIMIT: usize = 64 * 1024;

/// The number of bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// What [`Lines::peek`] has found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A line; [`Lines::line`] returns it.
    Line,
    /// The end: all lines have been read.
    End,
    /// The end, behind the beginning of a line: see [`Lines::rest`].
    Open,
    /// The file does not hold what was read: it was truncated, or overwritten.
    Truncated,
    /// A stream ends before the place where reading is to continue.
    Short,
    /// The budget is used up: others must have their turn.
    Busy,
}

/// Programs on Windows begin a file in UTF-8 with this.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// See the module.
pub(super) struct Lines {
    pub(super) input: Input,
    data: Vec<u8>,
    /// The length of what was read into `data`.
    filled: usize,
    /// Where the next line begins in `data`, and in the file.
    at: usize,
    start: u64,
    /// Where the next entry begins in `data`: what is before it was committed.
    kept: usize,
    committed: u64,
    /// Where the line ends that was found.
    end: Option<usize>,
    /// No line ends before.
    scanned: usize,
    /// What `data` holds from here to `kept` was read from one place.
    joined: usize,
    /// Where a part of a long line was dropped.
    dropped: Option<usize>,
    /// Whether the current line is so long that a part of it was dropped.
    is_cut: bool,
    /// Where the input is read next.
    next: u64,
    /// The bytes before that.
    tail: Vec<u8>,
    /// How much of a stream is to be skipped.
    skip: u64,
    /// Of a stream that is to be skipped: what the skipped part must end with.
    expected: Print,
    head: Print,
}

impl Lines {
    /// Begins at the beginning of a file, whose first bytes count as read.
    pub(super) fn new(mut input: Input) -> io::Result<Lines> {
        let mut data = vec![0; HEAD];
        let filled = read_full(&mut input, &mut data, 0)?;
        Ok(Lines::with(input, data, filled))
    }

    /// Likewise of a pipe, which is not waited for.
    pub(super) fn of_pipe(input: Input) -> Lines {
        Lines::with(input, Vec::new(), 0)
    }

    fn with(input: Input, data: Vec<u8>, filled: usize) -> Lines {
        let mut lines = Lines {
            input,
            head: Print::of_head(&data[..filled]),
            data,
            filled,
            at: 0,
            start: 0,
            kept: 0,
            committed: 0,
            end: None,
            scanned: 0,
            joined: 0,
            dropped: None,
            is_cut: false,
            next: filled as u64,
            tail: Vec::new(),
            skip: 0,
            expected: Print::default(),
        };
        lines.remember(0);
        lines
    }

    /// The fingerprint of the beginning.
    pub(super) fn head(&self) -> Print {
        self.head
    }

    /// What was read of the beginning of the file, right after it was opened.
    pub(super) fn beginning(&self) -> &[u8] {
        &self.data[..self.filled]
    }

    /// Are these the first bytes of what was read of the beginning, right after it was opened?
    pub(super) fn beginning_is(&self, bytes: &[u8]) -> bool {
        !bytes.is_empty() && self.start == self.at as u64 && self.beginning().starts_with(bytes)
    }

    /// Continues at this offset, if the file begins as it did, and holds there what was read. Call it right after
    /// [`Lines::new`]. Of a stream this is found out later: then [`Lines::peek`] returns `Truncated`.
    pub(super) fn seek(&mut self, offset: u64, head: Print, tail: Print) -> io::Result<bool> {
        if offset == 0 {
            return Ok(head.is_empty() || head.begins(self.beginning()));
        }
        if !head.begins(self.beginning()) {
            return Ok(false);
        }
        if matches!(self.input, Input::Stream(_)) {
            (self.skip, self.expected) = (offset, tail);
            return Ok(true);
        }
        let length = tail.len();
        let Some(from) = offset.checked_sub(length as u64) else { return Ok(false) };
        let mut bytes = vec![0; length];
        if read_full(&mut self.input, &mut bytes, from)? < length || !tail.is_of(&bytes) {
            return Ok(false);
        }
        self.data.clear();
        self.data.extend_from_slice(&bytes);
        (self.filled, self.at, self.kept, self.scanned, self.joined) = (length, length, length, length, 0);
        (self.start, self.committed, self.next) = (offset, offset, offset);
        self.tail = bytes;
        Ok(true)
    }

    /// Goes behind the last complete line of a file.
    pub(super) fn seek_end(&mut self, size: u64) -> io::Result<()> {
        let mut end = size;
        let mut bytes = vec![0; CHUNK];
        while end > 0 {
            let from = end.saturating_sub(CHUNK as u64);
            // It fits: it is no more than CHUNK.
            let length = usize::try_from(end - from).unwrap_or(CHUNK);
            let length = read_full(&mut self.input, &mut bytes[..length], from)?;
            if let Some(newline) = memchr::memrchr(b'\n', &bytes[..length]) {
                end = from + newline as u64 + 1;
                break;
            }
            // A line may be endless; what is before it is never read again.
            if size - from > LINE_LIMIT as u64 {
                break;
            }
            end = from;
        }
        let length = usize::try_from(end).unwrap_or(usize::MAX).min(TAIL);
        let length = read_full(&mut self.input, &mut bytes[..length], end - length as u64)?;
        let tail = Print::of(&bytes[..length]);
        self.seek(end, self.head, tail).map(|_| ())
    }

    /// The offset of the next line, which is behind all that were consumed.
    pub(super) fn offset(&self) -> u64 {
        self.start
    }

    /// All before this offset is read for good. It is between two lines that were consumed.
    pub(super) fn commit(&mut self, offset: u64) {
        self.committed = offset;
        let behind = usize::try_from(self.next - offset).unwrap_or(self.filled);
        self.kept = self.filled.saturating_sub(behind).min(self.at);
        if let Some(dropped) = self.dropped.filter(|dropped| self.kept >= *dropped) {
            (self.joined, self.dropped) = (dropped, None);
        }
    }

    /// How far it was read for good.
    pub(super) fn committed(&self) -> u64 {
        self.committed
    }

    /// The fingerprint of what was committed last.
    pub(super) fn tail(&self) -> Print {
        Print::of(&self.data[self.history()..self.kept])
    }

    /// Where that begins.
    fn history(&self) -> usize {
        self.joined.max(self.kept.saturating_sub(TAIL)).min(self.kept)
    }

    /// Looks for the next line. `budget` is how many bytes may be read for that.
    pub(super) fn peek(&mut self, budget: &mut usize) -> io::Result<Found> {
        if self.end.is_some() {
            return Ok(Found::Line);
        }
        loop {
            if self.skip == 0 {
                if let Some(n) = memchr::memchr(b'\n', &self.data[self.scanned..self.filled]) {
                    self.end = Some(self.scanned + n);
                    return Ok(Found::Line);
                }
                self.scanned = self.filled;
                if self.filled - self.at > LINE_LIMIT {
                    self.is_cut = true;
                    let kept = self.at + LINE_LIMIT;
                    (self.filled, self.scanned, self.dropped) = (kept, kept, Some(kept));
                }
            } else {
                self.skip_read();
                if self.skip == 0 {
                    if !self.expected.is_of(&self.data[self.at - self.expected.len().min(self.at)..self.at]) {
                        return Ok(Found::Truncated);
                    }
                    continue;
                }
            }
            if *budget == 0 {
                return Ok(Found::Busy);
            }
            match self.fill()? {
                None => return Ok(Found::Truncated),
                Some(0) if self.skip > 0 => return Ok(Found::Short),
                Some(0) if self.at == self.filled => {
                    self.release();
                    return Ok(Found::End);
                }
                Some(0) => return Ok(Found::Open),
                Some(n) => *budget = budget.saturating_sub(n),
            }
        }
    }

    /// Skips what was read of a stream, but for what is compared at the end.
    fn skip_read(&mut self) {
        let length = (self.filled - self.at).min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.at += length;
        self.start += length as u64;
        (self.scanned, self.kept, self.committed) = (self.at, self.at, self.start);
        self.skip -= length as u64;
    }

    /// The line that was found, without its end, and without the byte order mark at the beginning of a file.
    pub(super) fn line(&self) -> &[u8] {
        let end = self.end.unwrap_or(self.at);
        let line = &self.data[self.at..end.min(self.at + LINE_LIMIT)];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.start == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
    }

    /// Is the line that was found, or the rest, longer than what is returned of it?
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut || self.end.is_some_and(|end| end - self.at > LINE_LIMIT)
    }

    /// Goes behind the line that was found.
    pub(super) fn consume(&mut self) {
        if let Some(end) = self.end.take() {
            self.pass(end + 1);
        }
    }

    /// The beginning of a line without its end becomes a line; returns `false` if there is none.
    pub(super) fn end_open_line(&mut self) -> bool {
        if self.at == self.filled {
            return false;
        }
        self.end = Some(self.filled);
        true
    }

    fn pass(&mut self, to: usize) {
        // The end of a file may be the end of its last line.
        let to = to.min(self.filled);
        self.start = self.next - (self.filled - to) as u64;
        (self.at, self.scanned, self.is_cut) = (to, to, false);
    }

    /// Reads on. `None`: the file does not hold what was read before.
    fn fill(&mut self) -> io::Result<Option<usize>> {
        if self.data.len() < self.filled + CHUNK {
            self.compact();
        }
        if self.data.len() < self.filled + CHUNK {
            self.data.resize(self.filled + CHUNK, 0);
        }
        let read = self.input.read(&mut self.data[self.filled..self.filled + CHUNK], self.next)?;
        let head = self.head_with(read)?;
        // Afterwards: what was read is from the file as it was before it was truncated, or the bytes differ.
        if matches!(self.input, Input::Plain(_)) && !self.holds_tail()? {
            return Ok(None);
        }
        let from = self.filled;
        self.filled += read;
        self.next += read as u64;
        self.remember(from);
        self.head = head.unwrap_or(self.head);
        Ok(Some(read))
    }

    /// The fingerprint of the beginning, if it is too short, and what it should cover is no longer in `data`: reading has
    /// continued within a short file, and so many bytes more are there now.
    fn head_with(&mut self, read: usize) -> io::Result<Option<Print>> {
        let known = HEAD.min(usize::try_from(self.next).unwrap_or(HEAD).saturating_add(read));
        if self.is_whole() || self.head.len() >= known || matches!(self.input, Input::Stream(_)) {
            return Ok(None);
        }
        let mut bytes = vec![0; known];
        let length = read_full(&mut self.input, &mut bytes, 0)?;
        Ok((length == known).then(|| Print::of_head(&bytes)))
    }

    /// Does `data` begin with the beginning of the file?
    fn is_whole(&self) -> bool {
        self.next == self.filled as u64 && self.start == self.at as u64
    }

    /// Does the file hold what was read last?
    fn holds_tail(&mut self) -> io::Result<bool> {
        let mut before = [0; TAIL];
        let before = &mut before[..self.tail.len()];
        let from = self.next - before.len() as u64;
        Ok(read_full(&mut self.input, before, from)? == before.len() && *before == *self.tail)
    }

    /// Likewise; an error is a no.
    pub(super) fn is_unchanged(&mut self) -> bool {
        self.holds_tail().unwrap_or(false)
    }

    /// Remembers the last bytes of what was read from `from` on.
    fn remember(&mut self, from: usize) {
        let read = &self.data[from..self.filled];
        if read.len() < TAIL {
            let kept = self.tail.len().min(TAIL - read.len());
            self.tail.drain(..self.tail.len() - kept);
        } else {
            self.tail.clear();
        }
        self.tail.extend_from_slice(&read[read.len() - read.len().min(TAIL)..]);
        // The beginning grows with the file, until it is long enough.
        if self.head.len() < HEAD && self.is_whole() {
            self.head = Print::of_head(&self.data[..self.filled]);
        }
    }

    /// Drops what was committed, but for the last of it.
    fn compact(&mut self) {
        let history = self.history();
        // The beginning of a short file is still needed.
        if history == 0 || (self.head.len() < HEAD && self.is_whole()) {
            return;
        }
        self.data.copy_within(history..self.filled, 0);
        for at in [&mut self.filled, &mut self.at, &mut self.kept, &mut self.scanned] {
            *at -= history;
        }
        self.joined = self.joined.saturating_sub(history);
        self.dropped = self.dropped.map(|dropped| dropped - history);
    }

    /// Gives memory back while there is nothing to read.
    fn release(&mut self) {
        self.compact();
        self.data.truncate(self.filled);
        self.data.shrink_to_fit();
    }

    /// How far the input was read.
    pub(super) fn read_up_to(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests;

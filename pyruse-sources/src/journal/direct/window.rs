//! A part of a file in memory, which goes forward as it is read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The size of a window at first: most files of a journal are only looked at.
const SMALLEST: usize = 4 << 10;

/// The size of a window that has gone forward for some time. Larger ones are slower: they leave the processor's cache.
const LARGEST: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
    size: usize,
    largest: usize,
}

impl Default for Window {
    fn default() -> Window {
        Window { start: 0, bytes: Vec::new(), size: 0, largest: LARGEST }
    }
}

impl Window {
    /// For places that do not follow each other: more bytes are of no use.
    pub(super) fn of_scattered() -> Window {
        Window { largest: SMALLEST, ..Window::default() }
    }

    /// The `length` bytes at that place; the caller bounds their number.
    pub(super) fn get(&mut self, file: &File, at: u64, length: usize) -> io::Result<&[u8]> {
        if let Some(offset) = self.offset(at, length) {
            return Ok(&self.bytes[offset..offset + length]);
        }
        self.fill(file, at, length)?;
        self.bytes.get(..length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The file may have changed, or is read to its end.
    pub(super) fn forget(&mut self) {
        self.bytes = Vec::new();
        self.size = 0;
    }

    /// Where in the window that place is.
    fn offset(&self, at: u64, length: usize) -> Option<usize> {
        let offset = usize::try_from(at.checked_sub(self.start)?).ok()?;
        (offset.checked_add(length)? <= self.bytes.len()).then_some(offset)
    }

    fn fill(&mut self, file: &File, at: u64, length: usize) -> io::Result<()> {
        self.size = (self.size * 2).clamp(SMALLEST, self.largest);
        self.start = at;
        self.bytes.resize(self.size.max(length), 0);
        let mut filled = 0;
        while filled < self.bytes.len() {
            match file.read_at(&mut self.bytes[filled..], at.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.bytes.clear();
                    return Err(e);
                }
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

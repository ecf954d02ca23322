//! Where in a line a date may be.

use std::ops::Range;

/// A date begins within this number of bytes.
const WITHIN: usize = 256;

/// The words before the time in a line of the audit system.
pub(super) const AUDIT: &[u8] = b"audit(";

/// Where a date may begin: at each of the first words.
pub(super) struct Places<'l> {
    line: &'l [u8],
    next: Option<usize>,
}

impl Places<'_> {
    pub(super) fn of(line: &[u8]) -> Places<'_> {
        Places { line, next: Some(0) }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let mut start = self.next.filter(|start| *start < self.line.len().min(WITHIN))?;
        while self.line.get(start) == Some(&b' ') {
            start += 1;
        }
        self.next = memchr::memchr(b' ', &self.line[start..]).map(|space| start + space + 1);
        Some(opened(self.line, start))
    }
}

/// Skips what encloses a date.
fn opened(line: &[u8], start: usize) -> usize {
    match line.get(start) {
        Some(b'[' | b'(' | b'"') => start + 1,
        // The priority of syslog, or a letter for it.
        Some(b'<') => {
            let inner = line[start + 1..].iter().take(3).take_while(|b| b.is_ascii_alphanumeric()).count();
            if line.get(start + 1 + inner) == Some(&b'>') { start + inner + 2 } else { start }
        }
        Some(b'm') if line[start..].starts_with(b"msg=audit(") => start + 4 + AUDIT.len(),
        _ => start,
    }
}

/// Where the place of that number begins.
pub(super) fn nth_place(line: &[u8], place: usize) -> Option<usize> {
    if place == 0 && line.first().is_some_and(|first| *first != b' ') {
        return Some(opened(line, 0));
    }
    Places::of(line).nth(place)
}

/// The length of the name of a zone that the brackets of a date begin with: `[CET Nov 18 12:06:40]`.
fn zone_before(line: &[u8], start: usize) -> usize {
    let Some(before) = line[..start].strip_suffix(b" ") else { return 0 };
    let letters = before.iter().rev().take_while(|byte| byte.is_ascii_uppercase()).count();
    let is_zone = (3..=5).contains(&letters) && before[..before.len() - letters].ends_with(b"[");
    if is_zone { letters + 1 } else { 0 }
}

/// What is cut from the line: at its beginning, also what encloses the date, and white space.
pub(super) fn cut(line: &[u8], start: usize, end: usize) -> Range<usize> {
    let start = start - zone_before(line, start);
    let (mut first, mut last) = (start, end);
    if start > 0
        && matches!(
            (line[start - 1], line.get(end)),
            (b'[', Some(b']')) | (b'(', Some(b')')) | (b'"', Some(b'"'))
        )
    {
        (first, last) = (start - 1, end + 1);
    }
    if line[..first].iter().any(|byte| *byte != b' ') {
        return start..end;
    }
    while matches!(line.get(last), Some(b' ' | b'\t')) {
        last += 1;
    }
    0..last
}

//! Plain lines as a source of records: each line is the `MESSAGE` of an entry.
//!
//! Nothing but the text of such a line is known. So its entry has no time of its own: all entries have the time at which
//! reading began. Other fields that rules read, such as `_SYSTEMD_UNIT`, are given with the command.

use std::io::BufRead;

use anyhow::Context;
use pyruse_core::entry::MemoryRecord;
use pyruse_core::time::Timestamp;

use super::intake::{Input, Intake, VALUE_LIMIT};

/// Fields with their values.
pub(super) type GivenFields = Vec<(String, String)>;

/// Reads lines.
pub(super) struct LineReader {
    input: Input,
    name: String,
    offset: u64,
    line: Vec<u8>,
    time: Timestamp,
    fields: GivenFields,
}

impl LineReader {
    /// Every line gets these fields.
    pub(super) fn new(input: Input, name: String, offset: u64, fields: GivenFields) -> LineReader {
        LineReader { input, name, offset, line: Vec::new(), time: Timestamp::now(), fields }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next entry into the empty `record`; `false` at the end. Empty lines are skipped.
    pub(super) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        while self.read_line()? {
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            if line.is_empty() {
                continue;
            }
            record.realtime = self.time;
            let mut intake = Intake::new(record);
            for (name, value) in &self.fields {
                intake.field(name.as_bytes(), value.as_bytes());
            }
            intake.field(b"MESSAGE", line);
            return Ok(true);
        }
        Ok(false)
    }

    /// Reads a line without its end into `self.line`, which keeps only as much as a value may have; `false` at the end of
    /// the input.
    fn read_line(&mut self) -> anyhow::Result<bool> {
        self.line.clear();
        let mut any = false;
        loop {
            let available = self.input.fill_buf().with_context(|| self.name.clone())?;
            if available.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let room = VALUE_LIMIT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &'static [u8], fields: GivenFields) -> Vec<Vec<(String, Vec<u8>)>> {
        let mut reader = LineReader::new(Box::new(input), "test".into(), 0, fields);
        let mut record = MemoryRecord::default();
        let mut entries = Vec::new();
        while reader.next(&mut record).unwrap() {
            assert!(record.realtime > Timestamp::default());
            entries.push(
                record.fields().map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), v.to_vec())).collect(),
            );
            record.clear();
        }
        assert_eq!(reader.offset(), input.len() as u64);
        entries
    }

    fn field(name: &str, value: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), value.to_vec())
    }

    #[test]
    fn each_line_is_an_entry_with_the_fields_that_are_given() {
        assert_eq!(
            read(b"one\r\n\n=two=\xff\0\n{\"A\":1}", Vec::new()),
            [
                [field("MESSAGE", b"one")],
                [field("MESSAGE", b"=two=\xff\0")],
                [field("MESSAGE", b"{\"A\":1}")]
            ]
        );
        let unit = ("_SYSTEMD_UNIT".to_owned(), "nginx.service".to_owned());
        assert_eq!(
            read(b"one", vec![unit]),
            [[field("_SYSTEMD_UNIT", b"nginx.service"), field("MESSAGE", b"one")]]
        );
    }

    #[test]
    fn an_endless_line_does_not_fill_the_memory() {
        let line: &'static [u8] = vec![b'x'; 10 << 20].leak();
        let entries = read(line, Vec::new());
        assert_eq!((entries.len(), entries[0][0].1.len()), (1, VALUE_LIMIT));
    }
}

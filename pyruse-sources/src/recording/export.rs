//! The journal export format (systemd.io/JOURNAL_EXPORT_FORMATS) as a source of records.
//!
//! Entries are separated by an empty line; a field is `NAME=value`, or, for any bytes, `NAME`, a line end, the length
//! as 64 bits, little-endian, the bytes, and a line end. The input is untrusted: a length allocates nothing before its
//! bytes are read.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use pyruse_core::entry::MemoryRecord;

use super::intake::{Input, Intake, VALUE_LIMIT};

/// The longest name of a binary field, in bytes. journald accepts up to 64.
const NAME_LIMIT: usize = 1024;

/// Reads entries of the export format.
pub(super) struct ExportReader {
    input: Input,
    name: String,
    offset: u64,
    line: Vec<u8>,
    value: Vec<u8>,
}

impl ExportReader {
    /// `offset`: how many bytes of the input were read before.
    pub(super) fn new(input: Input, name: String, offset: u64) -> ExportReader {
        ExportReader { input, name, offset, line: Vec::new(), value: Vec::new() }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next entry into the empty `record`; `false` at the end.
    pub(super) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        let mut intake = Intake::new(record);
        let mut any = false;
        loop {
            let start = self.offset;
            let (length, ended) = self.read_line()?;
            if length == 0 && !ended {
                return Ok(any);
            }
            if self.line.is_empty() {
                if any {
                    return Ok(true);
                }
                continue;
            }
            any = true;
            if let Some(equals) = self.line.iter().position(|byte| *byte == b'=') {
                intake.field(&self.line[..equals], &self.line[equals + 1..]);
            } else if ended && length <= NAME_LIMIT {
                self.read_binary(start)?;
                intake.field(&self.line, &self.value);
            } else {
                bail!("{}: byte {start}: this is not the journal export format", self.name);
            }
        }
    }

    /// Reads a line without its end into `self.line`, which keeps only as much as a value may have. Returns its length, and
    /// whether it had an end.
    fn read_line(&mut self) -> anyhow::Result<(usize, bool)> {
        self.line.clear();
        let mut length = 0;
        loop {
            let available = self.input.fill_buf().with_context(|| self.name.clone())?;
            if available.is_empty() {
                return Ok((length, false));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            let room = (VALUE_LIMIT + NAME_LIMIT).saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            length += part.len();
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                return Ok((length, true));
            }
        }
    }

    /// Reads the rest of a binary field into `self.value`: a length, that many bytes, and a line end.
    fn read_binary(&mut self, start: u64) -> anyhow::Result<()> {
        let cut_off = || format!("{}: byte {start}: the input ends within this field", self.name);
        let mut length = [0; 8];
        self.input.read_exact(&mut length).with_context(cut_off)?;
        let length = u64::from_le_bytes(length);
        self.value.clear();
        let kept = length.min(VALUE_LIMIT as u64);
        let read = (&mut self.input).take(kept).read_to_end(&mut self.value).with_context(cut_off)?;
        if (read as u64) < kept {
            bail!(cut_off());
        }
        let mut left = length - kept;
        while left > 0 {
            let available = self.input.fill_buf().with_context(cut_off)?.len() as u64;
            if available == 0 {
                bail!(cut_off());
            }
            let used = available.min(left);
            self.input.consume(usize::try_from(used).unwrap_or(usize::MAX));
            left -= used;
        }
        let mut end = [0; 1];
        self.input.read_exact(&mut end).with_context(cut_off)?;
        self.offset += 8 + length + 1;
        if end != *b"\n" {
            bail!("{}: byte {start}: this field is longer than it says", self.name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{field, read};
    use super::*;

    #[test]
    fn entries_with_text_and_binary_fields_are_read() {
        let input = b"\n\nA=1\nB\n\x03\0\0\0\0\0\0\0x\ny\nA=2=3\n\n\nC=\n";
        let (entries, error) = read(input);
        assert_eq!(error, None);
        assert_eq!(
            entries,
            [vec![field("A", b"1"), field("B", b"x\ny"), field("A", b"2=3")], vec![field("C", b"")]]
        );
    }

    #[test]
    fn addresses_are_not_fields() {
        let input = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=5\n__MONOTONIC_TIMESTAMP=7\n\n";
        let mut reader = ExportReader::new(Box::new(&input[..]), "test".into(), 0);
        let mut record = MemoryRecord::default();
        assert!(reader.next(&mut record).unwrap());
        assert_eq!(
            (record.realtime.0, record.monotonic, record.cursor.as_deref()),
            (5, Some(7), Some("s=1"))
        );
        assert_eq!(record.fields().count(), 0);
    }

    #[test]
    fn truncated_input_and_wrong_lengths_are_errors_with_their_place() {
        for (input, message) in [
            (
                b"A=1\nB\n\xff\xff\xff\xff\xff\xff\xff\x7fx".as_slice(),
                "test: byte 4: the input ends within this field",
            ),
            (b"B\n\x01\0\0\0\0\0\0\0xyz\n", "test: byte 0: this field is longer than it says"),
            (b"B\n\x01\0\0", "test: byte 0: the input ends within this field"),
            (b"A=1\nnothing of the kind", "test: byte 4: this is not the journal export format"),
        ] {
            let error = read(input).1.unwrap();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn a_huge_value_is_cut_and_its_neighbour_is_whole() {
        let mut input = b"BIG\n".to_vec();
        input.extend((10_u64 << 20).to_le_bytes());
        input.extend(vec![b'x'; 10 << 20]);
        input.extend(b"\nTEXT=");
        input.extend(vec![b'y'; 1 << 20]);
        input.extend(b"\nNEXT=1\n\nA=2\n\n");
        let (entries, error) = read(&input);
        assert_eq!(error, None);
        assert_eq!(entries[0][2], field("NEXT", b"1"));
        assert!(entries[0].iter().all(|(_, value)| value.len() <= VALUE_LIMIT));
        assert_eq!(entries[1], [field("A", b"2")]);
    }
}

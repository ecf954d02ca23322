//! Entries that were written down: a file, or standard input, in one of the two formats that `journalctl` writes.
//!
//! Nobody says which one it is: JSON begins with `{`, which no field's name does. Both readers fill a record through
//! [`Intake`], which takes no more of an entry than anybody could want.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, bail};
use pyruse_core::entry::{FIELD_LIMIT, MemoryRecord};

use super::export::ExportReader;
use super::json::JsonReader;

/// A value is cut by the core, between two characters; so it must see a little more than the limit.
pub(super) const VALUE_LIMIT: usize = FIELD_LIMIT + 4;

/// All fields of one entry together; what comes after is left out.
const ENTRY_LIMIT: usize = 1024 * FIELD_LIMIT;

/// What a field costs beside its bytes, about: a million empty ones are not nothing.
const FIELD_COST: usize = 64;

/// What a journal file begins with.
const JOURNAL_FILE: &[u8] = b"LPKSHHRH";

/// Where the bytes come from.
pub(super) type Input = Box<dyn BufRead>;

/// Entries that were written down.
pub(crate) struct Recording {
    format: Format,
    length: Option<u64>,
}

enum Format {
    Export(ExportReader),
    Json(JsonReader),
}

impl Recording {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Recording> {
        let (file, name) = if path == Path::new("-") {
            let name = "standard input".to_owned();
            let stdin = std::io::stdin().as_fd().try_clone_to_owned().with_context(|| name.clone())?;
            (File::from(stdin), name)
        } else {
            let name = path.display().to_string();
            (File::open(path).with_context(|| name.clone())?, name)
        };
        let metadata = file.metadata().with_context(|| name.clone())?;
        let length = metadata.is_file().then_some(metadata.len());
        let format = Format::detect(Box::new(BufReader::with_capacity(128 * 1024, file)), name)?;
        Ok(Recording { format, length })
    }

    /// Reads the next entry into `record`; `false` at the end.
    pub(crate) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        record.clear();
        match &mut self.format {
            Format::Export(reader) => reader.next(record),
            Format::Json(reader) => reader.next(record),
        }
    }

    /// How many bytes have been read.
    pub(crate) fn offset(&self) -> u64 {
        match &self.format {
            Format::Export(reader) => reader.offset(),
            Format::Json(reader) => reader.offset(),
        }
    }

    /// How many bytes there are, where one can know.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Format {
    /// Looks for the first byte that is not blank.
    fn detect(mut input: Input, name: String) -> anyhow::Result<Format> {
        let (mut offset, mut lines) = (0, 0);
        loop {
            let available = input.fill_buf().with_context(|| name.clone())?;
            let blank = available.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            lines += available[..blank].split(|byte| *byte == b'\n').skip(1).count() as u64;
            offset += blank as u64;
            match available.get(blank).copied() {
                None if available.is_empty() => {
                    return Ok(Format::Export(ExportReader::new(input, name, offset)));
                }
                None => input.consume(blank),
                Some(b'{') => {
                    input.consume(blank);
                    return Ok(Format::Json(JsonReader::new(input, name, offset, lines)));
                }
                Some(_) if available[blank..].starts_with(JOURNAL_FILE) => {
                    bail!("{name}: this is a journal file: read it with --file")
                }
                Some(b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z') => {
                    input.consume(blank);
                    return Ok(Format::Export(ExportReader::new(input, name, offset)));
                }
                Some(_) => bail!(
                    "{name}: byte {offset}: this is neither the journal export format (`journalctl -o export`) \
                     nor one JSON object a line (`journalctl -o json --all`)"
                ),
            }
        }
    }
}

/// Fills a record, as far as anybody could want.
pub(super) struct Intake<'r> {
    record: &'r mut MemoryRecord,
    taken: usize,
}

impl<'r> Intake<'r> {
    pub(super) fn new(record: &'r mut MemoryRecord) -> Intake<'r> {
        Intake { record, taken: 0 }
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let value = &value[..value.len().min(VALUE_LIMIT)];
        self.taken += name.len() + value.len() + FIELD_COST;
        if self.taken <= ENTRY_LIMIT {
            self.record.push(name, value);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    /// The fields of all entries, in the order in which they are given out.
    pub(in crate::journal) type Entries = Vec<Vec<(String, Vec<u8>)>>;

    pub(in crate::journal) fn field(name: &str, value: &[u8]) -> (String, Vec<u8>) {
        (name.to_owned(), value.to_vec())
    }

    /// All entries up to the end or the first error, and that error.
    pub(in crate::journal) fn read(bytes: &[u8]) -> (Entries, Option<String>) {
        let mut entries = Vec::new();
        let mut read = || {
            let format = Format::detect(Box::new(Cursor::new(bytes.to_vec())), "test".into())?;
            let mut recording = Recording { format, length: None };
            let mut record = MemoryRecord::default();
            while recording.next(&mut record)? {
                let fields =
                    record.fields().map(|(n, v)| (String::from_utf8_lossy(n).into_owned(), v.to_vec()));
                entries.push(fields.collect());
            }
            assert_eq!(recording.offset(), bytes.len() as u64);
            Ok::<(), anyhow::Error>(())
        };
        let error = read().err().map(|error| format!("{error:#}"));
        (entries, error)
    }

    #[test]
    fn the_first_byte_that_is_not_blank_tells_the_format() {
        for input in [
            "A=1\n\nA=2\n",
            "\n \t\r\nA=1\n\n\n\nA=2",
            "{\"A\":\"1\"}\n{\"A\":\"2\"}",
            "\n \r\n\t{\"A\":1}\n\n{\"A\":2}\n",
        ] {
            let (entries, error) = read(input.as_bytes());
            assert_eq!(
                (entries, error),
                (vec![vec![field("A", b"1")], vec![field("A", b"2")]], None),
                "{input:?}"
            );
        }
        for input in ["", "\n", "\n\n \n"] {
            assert_eq!(read(input.as_bytes()), (vec![], None), "{input:?}");
        }
    }

    #[test]
    fn what_is_no_recording_is_told_so() {
        let neither = "this is neither the journal export format (`journalctl -o export`) \
                       nor one JSON object a line (`journalctl -o json --all`)";
        for (input, message) in [
            (b"\n[1]".as_slice(), format!("test: byte 1: {neither}")),
            (b"\x1f\x8b\x08", format!("test: byte 0: {neither}")),
            (b"LPKSHHRH\0\0", "test: this is a journal file: read it with --file".to_owned()),
        ] {
            assert_eq!(read(input).1, Some(message), "{input:?}");
        }
    }

    #[test]
    fn an_entry_of_millions_of_fields_is_taken_in_part() {
        let mut input = "{\"A\":[".to_owned();
        input.push_str(&"\"\",".repeat(1_200_000));
        input.push_str("\"\"]}\n{\"B\":\"1\"}\n");
        let (entries, error) = read(input.as_bytes());
        assert_eq!((entries[0].len(), error), (ENTRY_LIMIT / (FIELD_COST + 1), None));
        assert_eq!(entries[1], [field("B", b"1")]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_bytes_are_they_are_read_or_refused(
            start in "(A=1\n)?(B\n)?|\\{\"A\": ?(\\[[0-9,\\[\\]\"]{0,9}|\"x\\\\u00)?",
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80),
            pieces in proptest::collection::vec(
                proptest::sample::select(vec!["\n", "A", "=", "{", "}", "[", "]", "\"", ":", ",", "\\u12", "\0\0\0\0\0\0\0", "\u{3}"]),
                0..20,
            ),
        ) {
            read(&[start.as_bytes(), pieces.concat().as_bytes(), &bytes].concat());
        }
    }
}

//! Entries that were written down: a file, or standard input, in one of the two formats that `journalctl` writes, or
//! plain lines.
//!
//! The first line says which of `journalctl`'s formats it is: JSON begins with `{`, an export with a field's name. Plain
//! lines may look like anything, so they are only taken as such where the operator says so. All readers fill a record
//! through [`super::intake::Intake`], which takes no more of an entry than anybody could want.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, bail};
use pyruse_core::entry::MemoryRecord;

use super::export::ExportReader;
use super::intake::Input;
use super::json::JsonReader;
use super::lines::{GivenFields, LineReader};
use pyruse_core::access;

/// What a journal file begins with.
const JOURNAL_FILE: &[u8] = b"LPKSHHRH";

/// What compressed files begin with, and the program that unpacks them.
const COMPRESSED: &[(&[u8], &str)] =
    &[(b"\x1f\x8b", "zcat"), (b"\x28\xb5\x2f\xfd", "zstdcat"), (b"\xfd7zXZ\0", "xzcat"), (b"BZh", "bzcat")];

/// As much of the first line tells the format.
const FIRST_LINE: u64 = 256;

/// How entries were written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Export or JSON, as the first line looks
    #[default]
    Auto,
    /// The journal export format: `journalctl -o export`
    Export,
    /// One JSON object a line: `journalctl -o json --all`
    Json,
    /// Plain lines: each is the MESSAGE of an entry, which has no time of its own
    Text,
}

/// Entries that were written down.
pub struct Recording {
    format: Format,
    length: Option<u64>,
}

enum Format {
    Export(ExportReader),
    Json(JsonReader),
    Text(LineReader),
}

impl Recording {
    /// Reads a file, or standard input for `-`. Plain lines get these fields.
    pub fn open(path: &Path, form: Form, fields: &GivenFields) -> anyhow::Result<Recording> {
        let (file, name) = if path == Path::new("-") {
            let name = "standard input".to_owned();
            let stdin = std::io::stdin().as_fd().try_clone_to_owned().with_context(|| name.clone())?;
            (File::from(stdin), name)
        } else {
            let name = path.display().to_string();
            (File::open(path).map_err(|e| anyhow::Error::msg(access::failure(path, &e)))?, name)
        };
        let metadata = file.metadata().with_context(|| name.clone())?;
        let length = metadata.is_file().then_some(metadata.len());
        let input = Box::new(BufReader::with_capacity(128 * 1024, file));
        let format = match form {
            Form::Auto => Format::detect(input, name)?,
            Form::Export => Format::Export(ExportReader::new(input, name, 0)),
            Form::Json => Format::Json(JsonReader::new(input, name, 0, 0)),
            Form::Text => Format::Text(LineReader::new(input, name, fields.clone())),
        };
        Ok(Recording { format, length })
    }

    /// Reads the next entry into `record`; `false` at the end.
    pub fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        record.clear();
        match &mut self.format {
            Format::Export(reader) => reader.next(record),
            Format::Json(reader) => reader.next(record),
            Format::Text(reader) => reader.next(record),
        }
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        match &self.format {
            Format::Export(reader) => reader.offset(),
            Format::Json(reader) => reader.offset(),
            Format::Text(reader) => reader.offset(),
        }
    }

    /// How many bytes there are, where one can know.
    pub fn length(&self) -> Option<u64> {
        self.length
    }
}

impl Format {
    /// Looks at the first line that is not blank.
    fn detect(mut input: Input, name: String) -> anyhow::Result<Format> {
        let (mut offset, mut lines) = (0, 0);
        loop {
            let available = input.fill_buf().with_context(|| name.clone())?;
            let blank = available.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (is_end, is_blank) = (available.is_empty(), blank == available.len());
            lines += available[..blank].split(|byte| *byte == b'\n').skip(1).count() as u64;
            offset += blank as u64;
            input.consume(blank);
            if is_end {
                return Ok(Format::Export(ExportReader::new(input, name, offset)));
            }
            if !is_blank {
                break;
            }
        }
        let mut first = Vec::new();
        (&mut input).take(FIRST_LINE).read_until(b'\n', &mut first).with_context(|| name.clone())?;
        if first.starts_with(b"{") {
            return Ok(Format::Json(JsonReader::new(behind(first, input), name, offset, lines)));
        }
        if begins_with_a_field(&first) {
            return Ok(Format::Export(ExportReader::new(behind(first, input), name, offset)));
        }
        if first.starts_with(JOURNAL_FILE) {
            bail!("{name}: this is a journal file: read it with --file");
        }
        if let Some((_, program)) = COMPRESSED.iter().find(|(magic, _)| first.starts_with(magic)) {
            bail!("{name}: this is compressed: unpack it first, `{program} FILE | pyruse … --input -`");
        }
        bail!(
            "{name}: line {}: this is neither the journal export format (`journalctl -o export`) nor one JSON object a \
             line (`journalctl -o json --all`); if each line is a message, add `--format text`",
            lines + 1
        );
    }
}

/// What was read, and what follows it.
fn behind(first: Vec<u8>, input: Input) -> Input {
    Box::new(Cursor::new(first).chain(input))
}

/// Is it `NAME=value`, or the name of a binary field alone, as exports have them?
fn begins_with_a_field(line: &[u8]) -> bool {
    let is_name = |byte: &u8| matches!(byte, b'_' | b'0'..=b'9' | b'A'..=b'Z');
    let name = line.iter().take_while(|byte| is_name(byte)).count();
    name > 0 && matches!(line.get(name), None | Some(b'=' | b'\n'))
}

/// Does it begin as journal files do?
pub fn is_journal_file(path: &Path) -> anyhow::Result<bool> {
    let failed = |e: &std::io::Error| anyhow::Error::msg(access::failure(path, e));
    let file = File::open(path).map_err(|e| failed(&e))?;
    let mut first = Vec::new();
    file.take(JOURNAL_FILE.len() as u64).read_to_end(&mut first).map_err(|e| failed(&e))?;
    Ok(first == JOURNAL_FILE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::intake::{ENTRY_LIMIT, FIELD_COST};
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
    fn what_is_no_recording_is_told_so_with_what_to_do() {
        let neither = "this is neither the journal export format (`journalctl -o export`) nor one JSON object a line \
                       (`journalctl -o json --all`); if each line is a message, add `--format text`";
        let packed = |with: &str| {
            format!("test: this is compressed: unpack it first, `{with} FILE | pyruse … --input -`")
        };
        for (input, message) in [
            (b"\n[1]".as_slice(), format!("test: line 2: {neither}")),
            (
                b"192.0.2.1 - - [18/Nov/2026:12:06:40 +0100] \"GET / HTTP/1.1\" 200 5\n",
                format!("test: line 1: {neither}"),
            ),
            (b"Nov 18 12:06:40 server sshd[7]: Connection closed\n", format!("test: line 1: {neither}")),
            (b"time=2026-11-18 level=info msg=started\n", format!("test: line 1: {neither}")),
            (b"nothing of the kind", format!("test: line 1: {neither}")),
            (b"=\n", format!("test: line 1: {neither}")),
            (b"\x1f\x8b\x08", packed("zcat")),
            (b"\x28\xb5\x2f\xfd\0", packed("zstdcat")),
            (b"LPKSHHRH\0\0", "test: this is a journal file: read it with --file".to_owned()),
        ] {
            assert_eq!(read(input).1, Some(message), "{input:?}");
        }
    }

    #[test]
    fn a_long_first_line_is_read_whole() {
        let input = format!("A={}\n\n", "x".repeat(1000));
        assert_eq!(read(input.as_bytes()), (vec![vec![field("A", "x".repeat(1000).as_bytes())]], None));
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

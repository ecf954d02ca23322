//! The formats of recordings, and how they are distinguished.
//!
//! The first line shows which of `journalctl`'s formats it is: JSON begins with `{`, an export with a field's name. Plain
//! lines may contain anything, so they are only accepted if the operator asks for them. All formats fill a record through
//! [`super::intake::Intake`], which limits its size.

use std::io::{BufRead, Cursor, Read};

use anyhow::{Context, bail};
use pyruse_core::entry::MemoryRecord;
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

use super::export::ExportReader;
use super::intake::Input;
use super::json::{JsonReader, ObjectReader};
use super::lines::{GivenFields, LineReader};
use crate::journal::JOURNAL_FILE;

/// The first bytes of compressed files, and the program that decompresses them.
const COMPRESSED: &[(&[u8], &str)] =
    &[(b"\x1f\x8b", "zcat"), (b"\x28\xb5\x2f\xfd", "zstdcat"), (b"\xfd7zXZ\0", "xzcat"), (b"BZh", "bzcat")];

/// How much of the first line is read to detect the format, in bytes.
const FIRST_LINE: u64 = 256;

/// The format of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(super) enum Form {
    /// `export` or `json`, decided by the first line.
    #[default]
    Auto,
    /// The journal export format: `journalctl -o export`.
    Export,
    /// One JSON object per line: `journalctl -o json --all`.
    Json,
    /// One JSON object for a single entry; it may have several lines.
    Object,
    /// Plain lines: each is the `MESSAGE` of an entry, which has no time of its own.
    Text,
}

/// A reader of one format.
pub(super) enum Format {
    Export(ExportReader),
    Json(JsonReader),
    Object(ObjectReader),
    Text(LineReader),
}

impl Format {
    /// Starts to read `input`; errors call it `name`. Plain lines get these fields.
    pub(super) fn open(
        input: Input,
        name: String,
        form: Form,
        fields: &GivenFields,
    ) -> anyhow::Result<Format> {
        Ok(match form {
            Form::Auto => Format::detect(input, name)?,
            Form::Export => Format::Export(ExportReader::new(input, name, 0)),
            Form::Json => Format::Json(JsonReader::new(input, name, 0, 0)),
            Form::Object => Format::Object(ObjectReader::new(input, name)),
            Form::Text => Format::Text(LineReader::new(input, name, 0, fields.clone())),
        })
    }

    /// Continues with an input from which this many bytes were read before.
    pub(super) fn continue_with(&mut self, input: Input, name: String, offset: u64, fields: &GivenFields) {
        *self = match self {
            Format::Export(_) => Format::Export(ExportReader::new(input, name, offset)),
            Format::Json(_) => Format::Json(JsonReader::new(input, name, offset, 0)),
            Format::Object(_) => Format::Object(ObjectReader::new(input, name)),
            Format::Text(_) => Format::Text(LineReader::new(input, name, offset, fields.clone())),
        };
    }

    /// Reads the next entry into `record`; `false` at the end.
    pub(super) fn next(&mut self, record: &mut MemoryRecord) -> anyhow::Result<bool> {
        record.clear();
        match self {
            Format::Export(reader) => reader.next(record),
            Format::Json(reader) => reader.next(record),
            Format::Object(reader) => reader.next(record),
            Format::Text(reader) => reader.next(record),
        }
    }

    /// Returns how many bytes have been read.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Format::Export(reader) => reader.offset(),
            Format::Json(reader) => reader.offset(),
            Format::Object(reader) => reader.offset(),
            Format::Text(reader) => reader.offset(),
        }
    }

    /// Detects the format by the first line that is not blank.
    pub(super) fn detect(mut input: Input, name: String) -> anyhow::Result<Format> {
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
            bail!("{name}: this is compressed: decompress it first, `{program} FILE | pyruse … --input -`");
        }
        bail!(
            "{name}: line {}: this is neither the journal export format (`journalctl -o export`) nor one JSON object \
             per line (`journalctl -o json --all`); if it is a log file, read it with `--file F --format text` (or `syslog`, \
             `json`, `docker`, `access`)",
            lines + 1
        );
    }
}

/// Returns an input of `first`, and then of the rest.
fn behind(first: Vec<u8>, input: Input) -> Input {
    Box::new(Cursor::new(first).chain(input))
}

/// Returns `true` for `NAME=value`, or the name of a binary field alone, as in exports.
fn begins_with_a_field(line: &[u8]) -> bool {
    let is_name = |byte: &u8| matches!(byte, b'_' | b'0'..=b'9' | b'A'..=b'Z');
    let name = line.iter().take_while(|byte| is_name(byte)).count();
    name > 0 && matches!(line.get(name), None | Some(b'=' | b'\n'))
}

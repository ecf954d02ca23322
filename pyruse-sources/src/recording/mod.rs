//! The source `source_recording`: reads entries from a file or from standard input, in one of the formats that
//! `journalctl` writes, or as plain lines.

mod export;
mod format;
mod intake;
mod json;
mod lines;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pyruse_core::access;
use pyruse_core::entry::{FieldTable, MemoryRecord, Record};
use pyruse_core::losses::Losses;
use pyruse_core::plugin::{
    Begin, Begun, Compile, Example, Expected, Inspection, Invalid, Module, Next, Plugin, Reader, Severity,
    Source, SourceError, SourceModule,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Position;

use self::format::{Form, Format};
use self::intake::Input;
use self::lines::GivenFields;
use crate::journal::JournalFields;

/// The size of the buffer, in bytes.
const BUFFER: usize = 128 * 1024;

/// The recording.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The file; `-` is standard input.
    file: PathBuf,
    /// The format of the file.
    #[serde(default)]
    format: Form,
    /// With the format `text`: fields of every line, as `NAME=value`.
    #[serde(default)]
    fields: Vec<String>,
}

/// A recording that the configuration, or a command, names.
struct Recording {
    file: PathBuf,
    form: Form,
    fields: GivenFields,
}

impl Module for Recording {
    const NAME: &'static str = "source_recording";
    const DOC: &'static str = "Reads entries from a file (`journalctl -o export`, `-o json`, or plain lines), up to \
                               its end.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        let mut fields = Vec::new();
        for (n, text) in args.fields.iter().enumerate() {
            match text.split_once('=') {
                Some((name, value)) if !name.is_empty() => fields.push((name.to_owned(), value.to_owned())),
                _ => return Err(cx.error(&format!("fields.{n}"), "a field is written `NAME=value`")),
            }
        }
        if !fields.is_empty() && args.format != Form::Text {
            return Err(cx.error("fields", "only plain lines get fields: add `\"format\": \"text\"`"));
        }
        Ok(Recording { file: args.file, form: args.format, fields })
    }

    fn examples() -> Vec<Example> {
        let of = |title, args| Example { title, args, entry: &[], expected: Expected::Nothing };
        vec![
            of("what `journalctl -o export` wrote", r#"{"file": "/srv/logs/yesterday.export"}"#),
            of(
                "an access log",
                r#"{"file": "/var/log/nginx/access.log", "format": "text", "fields": ["_SYSTEMD_UNIT=nginx.service"]}"#,
            ),
        ]
    }
}

impl SourceModule for Recording {
    // The writer of a recording may have forged every field: the operator must know where it comes from.
    const FIELDS: &'static dyn FieldTable = &JournalFields;
}

impl Source for Recording {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        let opened = Opened::open(self).map_err(SourceError::of)?;
        Ok(Box::new(opened))
    }

    fn describe(&self) -> Option<String> {
        let file = self.file.to_string_lossy();
        Some(if file == "-" { "standard input".into() } else { format!("the recording {file}") })
    }

    fn inspect(&self, inspection: &mut Inspection) {
        // Opening a pipe takes data from it.
        let is_pipe = std::fs::metadata(&self.file).is_ok_and(|found| !found.is_file());
        if self.file == Path::new("-") || is_pipe {
            return;
        }
        if let Err(e) = Opened::open(self) {
            let help = "name a file that the user that runs Pyruse may read, in one of the formats";
            inspection.argument(
                "file",
                Severity::Error,
                format!("the recording cannot be read: {e:#}"),
                help,
            );
        }
    }
}

/// An open recording.
struct Opened {
    file: PathBuf,
    name: String,
    fields: GivenFields,
    format: Format,
    /// The size of a regular file, in bytes.
    length: Option<u64>,
    record: MemoryRecord,
    /// Where the record begins that was found, if it is not read yet; and where the next one begins.
    before: Option<u64>,
    time: pyruse_core::time::Timestamp,
    losses: Losses,
}

impl Opened {
    fn open(Recording { file, form, fields }: &Recording) -> anyhow::Result<Opened> {
        let (input, length) = open_input(file, 0)?;
        let name = name_of(file);
        let format = Format::open(input, name.clone(), *form, fields)?;
        Ok(Opened {
            file: file.clone(),
            name,
            fields: fields.clone(),
            format,
            length,
            record: MemoryRecord::default(),
            before: None,
            time: pyruse_core::time::Timestamp::default(),
            losses: Losses::default(),
        })
    }

    /// Continues at this byte.
    fn seek(&mut self, offset: u64) -> anyhow::Result<()> {
        let Some(length) = self.length else {
            bail!("{}: this is no regular file: it can be read once, from where it is", self.name)
        };
        if offset > length {
            bail!(
                "{}: it has {length} bytes, and reading stopped at byte {offset}: it is another file, or was cut",
                self.name
            );
        }
        let (input, length) = open_input(&self.file, offset)?;
        self.length = length;
        self.format.continue_with(input, self.name.clone(), offset, &self.fields);
        Ok(())
    }
}

fn name_of(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Opens the file, or standard input for `-`, at this byte; returns also the length of a regular file.
fn open_input(file: &Path, offset: u64) -> anyhow::Result<(Input, Option<u64>)> {
    let name = || name_of(file);
    let mut opened = if file == Path::new("-") {
        File::from(std::io::stdin().as_fd().try_clone_to_owned().with_context(name)?)
    } else {
        File::open(file).map_err(|e| anyhow::Error::msg(access::failure(file, &e)))?
    };
    let metadata = opened.metadata().with_context(name)?;
    let length = metadata.is_file().then_some(metadata.len());
    if offset > 0 {
        opened.seek(SeekFrom::Start(offset)).with_context(name)?;
    }
    Ok((Box::new(BufReader::with_capacity(BUFFER, opened)), length))
}

impl Reader for Opened {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.before = None;
        let sought = match begin {
            // Records are in any order: to find those since a time, all must be read.
            Begin::Head | Begin::Since(_) => Ok(()),
            // A pipe has no position to go back to: reading continues where it is.
            Begin::Tail => self.length.map_or(Ok(()), |length| self.seek(length)),
            Begin::Behind(position) => {
                let offset = std::str::from_utf8(&position.place).ok().and_then(|text| text.parse().ok());
                match offset {
                    Some(offset) if self.length.is_some() => self.seek(offset),
                    _ => Ok(()),
                }
            }
        };
        sought.map(|()| Begun::Exactly).map_err(SourceError::of)
    }

    fn next(&mut self) -> Result<Next, SourceError> {
        let before = self.format.offset();
        if !self.format.next(&mut self.record).map_err(SourceError::of)? {
            return Ok(Next::End);
        }
        self.before = Some(before);
        Ok(Next::Record(self.record.realtime))
    }

    fn record(&mut self) -> &mut dyn Record {
        self.before = None;
        self.time = self.record.realtime;
        self.record.rewind();
        &mut self.record
    }

    fn position(&mut self) -> Position {
        let offset = self.before.unwrap_or_else(|| self.format.offset());
        Position { place: offset.to_string().into_bytes(), time: self.time }
    }

    fn progress(&self) -> Option<(u64, Option<u64>)> {
        Some((self.format.offset(), self.length))
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}

pyruse_core::inventory::submit!(Plugin::source::<Recording>());

//! `source_spool`: reads a spool directory, in which another program puts one file for each entry.
//!
//! A source for Pyruse in a crate of its own, which depends only on `pyruse-core`. One file is one module, in this order:
//! its arguments, its fields, the configured source, the open source, registration, tests.
//!
//! The name of a file begins with the time of its entry, in microseconds since 1970, with 16 digits: so the order of
//! the names is the order of time. Each line of the file is a field, `NAME=value`. The program that writes a file gives
//! it a name that begins with a dot first, and renames it when it is complete. Files are not removed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyruse_core::entry::{FieldTable, MemoryRecord, Origin, Record, ValueType};
use pyruse_core::losses::{LossKind, Losses};
use pyruse_core::plugin::{
    Begin, Begun, Compile, Example, Expected, Inspection, Invalid, Module, Next, Plugin, Reader, Readiness,
    Severity, Source, SourceError, SourceModule,
};
use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;

/// How often to look for new files.
const INTERVAL: Duration = Duration::from_secs(1);

/// The largest file that is read, in bytes.
const FILE_LIMIT: u64 = 256 * 1024;

/// The number of names that are kept in memory at most.
const NAMES_LIMIT: usize = 1000;

// ─── The arguments, as in the configuration ───

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", deny_unknown_fields)]
#[schemars(crate = "pyruse_core::schemars")]
struct Args {
    /// The directory. Nobody but its owner may have the permission to write there.
    directory: PathBuf,
}

/// The configured source; nothing is open yet.
struct Spool {
    directory: PathBuf,
}

impl Module for Spool {
    // The name in the configuration; a source's name begins with `source_`.
    const NAME: &'static str = "source_spool";
    const DOC: &'static str = "Reads a directory in which another program puts one file for each entry.";
    type Args = Args;

    // Checks the arguments and opens nothing: `pyruse check` runs it, too, perhaps on another machine.
    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        if args.directory.is_relative() {
            return Err(cx.error_with_help("directory", "this path is relative", "begin it with `/`"));
        }
        Ok(Spool { directory: args.directory })
    }

    // Shown by `pyruse modules source_spool`. A test compiles them, but opens nothing.
    fn examples() -> Vec<Example> {
        let args = r#"{"directory": "/var/spool/honeypot"}"#;
        vec![Example { title: "what a honeypot notes", args, entry: &[], expected: Expected::Nothing }]
    }
}

// ─── Its fields ───

struct SpoolFields;

impl FieldTable for SpoolFields {
    // For suggestions, when a name is misspelt.
    fn names(&self) -> Vec<&'static str> {
        vec!["ADDRESS", "MESSAGE", "PORT"]
    }

    fn value_type(&self, name: &str) -> ValueType {
        if name == "PORT" { ValueType::Integer } else { ValueType::Text }
    }

    // Exactly these fields must get into a record. A name that begins with `_` is one that rules trust: in the journal,
    // no program can write it.
    fn may_hold(&self, name: &str) -> bool {
        let is_valid = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(is_valid)
    }

    fn origin(&self, _name: &str) -> Origin {
        Origin::Writer
    }

    // Only the owner of the directory can write there (`open` checks that). So a filter on `_SOURCE` proves who wrote an
    // entry, and a ban behind it cannot be forged.
    fn has_one_writer(&self) -> bool {
        true
    }
}

impl SourceModule for Spool {
    const FIELDS: &'static dyn FieldTable = &SpoolFields;
}

// ─── The configured source: it can be opened any number of times ───

impl Source for Spool {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        let directory = self.directory.clone();
        let metadata = fs::metadata(&directory).map_err(|e| failure(&directory, &e))?;
        if metadata.permissions().mode() & 0o022 != 0 {
            let text = format!("{}: not only its owner may write there: chmod go-w", directory.display());
            return Err(SourceError(text));
        }
        fs::read_dir(&directory).map_err(|e| failure(&directory, &e))?;
        Ok(Box::new(OpenSpool {
            directory,
            progress: Progress::Since(Timestamp::default()),
            names: BTreeSet::new(),
            record: MemoryRecord::default(),
            losses: Losses::default(),
        }))
    }

    // `pyruse check --live`: can it be read on this machine?
    fn inspect(&self, inspection: &mut Inspection) {
        if let Err(e) = self.open() {
            let help = "create the directory; its owner is the user that runs the program that writes there";
            inspection.argument("directory", Severity::Error, e.to_string(), help);
        }
    }

    // For `pyruse status`.
    fn show(&self, position: &Position) -> Option<String> {
        match Progress::of(position) {
            Progress::Behind(name) => Some(name),
            Progress::Since(_) => None,
        }
    }
}

fn failure(path: &Path, error: &std::io::Error) -> SourceError {
    SourceError(format!("{}: {error}", path.display()))
}

// ─── The open source ───

/// Where reading continues.
#[derive(Clone, Debug, PartialEq)]
enum Progress {
    /// Behind the file with this name.
    Behind(String),
    /// At the first file of this time or later.
    Since(Timestamp),
}

impl Progress {
    // A position consists of bytes of our own, which only we read, and a time. Our next version must be able to read
    // them, too. The core also makes positions, from only a time: then the bytes are empty.
    fn of(position: &Position) -> Progress {
        match std::str::from_utf8(&position.place) {
            Ok(name) if time_of(name).is_some() => Progress::Behind(name.to_owned()),
            _ => Progress::Since(position.time),
        }
    }

    fn to_position(&self) -> Position {
        match self {
            Progress::Behind(name) => {
                Position { place: name.clone().into_bytes(), time: time_of(name).unwrap_or_default() }
            }
            Progress::Since(time) => Position { place: Vec::new(), time: *time },
        }
    }

    fn is_before(&self, name: &str) -> bool {
        match self {
            Progress::Behind(read) => name > read.as_str(),
            Progress::Since(time) => time_of(name) >= Some(*time),
        }
    }
}

/// Returns the time at which the name of a file begins; `None` if the file is not an entry.
fn time_of(name: &str) -> Option<Timestamp> {
    let digits = name.get(..16).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().map(Timestamp)
}

struct OpenSpool {
    directory: PathBuf,
    progress: Progress,
    /// The names of the next files.
    names: BTreeSet<String>,
    record: MemoryRecord,
    losses: Losses,
}

/// Files that were passed over.
static UNREADABLE: LossKind = LossKind {
    name: "unreadable",
    text: |count, range| {
        let files = if count == 1 { "file is" } else { "files are" };
        format!("{count} {files} passed over, written {range}: unreadable, or too large")
    },
};

impl OpenSpool {
    /// Calls `see` for the name of each file that is an entry.
    fn for_each_name(&self, mut see: impl FnMut(String)) -> Result<(), SourceError> {
        let failed = |e: std::io::Error| failure(&self.directory, &e);
        for file in fs::read_dir(&self.directory).map_err(failed)? {
            let file = file.map_err(failed)?;
            // Not a link or a pipe: opening a pipe would wait.
            let is_file = file.file_type().is_ok_and(|kind| kind.is_file());
            match file.file_name().into_string() {
                Ok(name) if is_file && time_of(&name).is_some() => see(name),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lists the next files, but no more than the limit: there may be any number of files.
    fn list(&mut self) -> Result<(), SourceError> {
        let mut names = BTreeSet::new();
        self.for_each_name(|name| {
            if self.progress.is_before(&name) {
                names.insert(name);
            }
            if names.len() > NAMES_LIMIT {
                names.pop_last();
            }
        })?;
        self.names = names;
        Ok(())
    }

    /// Reads the fields of a file into the record.
    fn load(&mut self, name: &str, time: Timestamp) -> std::io::Result<()> {
        let mut content = Vec::new();
        let file = File::open(self.directory.join(name))?;
        if file.take(FILE_LIMIT + 1).read_to_end(&mut content)? as u64 > FILE_LIMIT {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.record.clear();
        self.record.realtime = time;
        // Shown as `cursor` in effects.
        self.record.cursor = Some(name.to_owned());
        for line in content.split(|byte| *byte == b'\n') {
            let Some(equals) = line.iter().position(|byte| *byte == b'=') else { continue };
            let (field, value) = (&line[..equals], &line[equals + 1..]);
            if std::str::from_utf8(field).is_ok_and(|name| SpoolFields.may_hold(name)) {
                self.record.push(field, value);
            }
        }
        Ok(())
    }
}

impl Reader for OpenSpool {
    fn resume(&mut self, begin: Begin<'_>) -> Result<Begun, SourceError> {
        self.progress = match begin {
            Begin::Behind(position) => Progress::of(position),
            Begin::Since(time) => Progress::Since(time),
            Begin::Head => Progress::Since(Timestamp::default()),
            Begin::Tail => {
                let mut last = None;
                self.for_each_name(|name| last = last.take().max(Some(name)))?;
                // Nothing is there: all that comes is new. The time of now would be wrong, because clocks differ.
                last.map_or(Progress::Since(Timestamp::default()), Progress::Behind)
            }
        };
        self.names.clear();
        Ok(Begun::Exactly)
    }

    // Never waits: one thread reads all sources. It finds the same file again until `record` is called.
    fn next(&mut self) -> Result<Next, SourceError> {
        if self.names.is_empty() {
            self.list()?;
        }
        while let Some(name) = self.names.first().cloned() {
            let time = time_of(&name).unwrap_or_default();
            if self.load(&name, time).is_ok() {
                return Ok(Next::Record(time));
            }
            // One bad file must not stop the ones behind it. But what is lost is counted, and logged; once, so the place
            // is behind it from here on.
            self.losses.note(&UNREADABLE, 1, time, time);
            self.names.pop_first();
            self.progress = Progress::Behind(name);
        }
        Ok(Next::End)
    }

    // From here on, the record counts as read: `position` is behind it.
    fn record(&mut self) -> &mut dyn Record {
        if let Some(name) = self.names.pop_first() {
            self.progress = Progress::Behind(name);
        }
        &mut self.record
    }

    fn position(&mut self) -> Position {
        self.progress.to_position()
    }

    fn is_in_order(&self) -> bool {
        true
    }

    // A directory is not readable in the sense of poll(2), so we look again from time to time. A source with a socket, a
    // pipe or inotify returns its descriptor, and does not wake anybody in vain.
    fn readiness(&self) -> Readiness<'_> {
        Readiness { timeout: Some(INTERVAL), ..Readiness::default() }
    }

    fn tend(&mut self, _is_drained: bool) -> bool {
        self.losses.tend();
        false
    }

    fn losses(&mut self) -> &mut Losses {
        &mut self.losses
    }
}

// ─── Registration: the registry finds everything that is linked ───

pyruse_core::inventory::submit!(Plugin::source::<Spool>());

// ─── Tests that need no configuration; the others are in tests/ ───

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_stored() {
        for progress in [Progress::Behind("1795000000000000-1".to_owned()), Progress::Since(Timestamp(7))] {
            assert_eq!(Progress::of(&progress.to_position()), progress);
        }
        let damaged = Position { place: b"\xff".to_vec(), time: Timestamp(7) };
        assert_eq!(Progress::of(&damaged), Progress::Since(Timestamp(7)));
    }

    #[test]
    fn a_name_begins_with_its_time() {
        assert_eq!(time_of("1795000000000000"), Some(Timestamp(1_795_000_000_000_000)));
        assert_eq!(time_of("1795000000000000-ssh"), Some(Timestamp(1_795_000_000_000_000)));
        for other in ["179500000000000", ".1795000000000000", "+795000000000000", "entry", ""] {
            assert_eq!(time_of(other), None, "{other}");
        }
    }
}

//! The source `source_file`: text log files.
//!
//! `globs` finds the files, `watch` notices what happens to them. `followed` reads one path through all rotations: its
//! `part`s are the files that it named, whose `lines` become entries in `assembly` and `format`. `reader` puts the
//! entries of all paths in the order of time. The position (`place`) has, for each path, the files that are still read:
//! how each is recognised (`identity`), and how far it was read.

mod assembly;
mod date;
mod directories;
mod entry;
mod fields;
mod followed;
mod format;
mod globs;
mod identity;
mod input;
mod lines;
mod losses;
mod part;
mod place;
mod reader;
mod refused;
mod settings;
mod shared;
mod siblings;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use pyruse_core::access;
use pyruse_core::config::Severity;
use pyruse_core::entry::FieldTable;
use pyruse_core::plugin::{
    Compile, Example, Expected, Inspection, Invalid, Module, Plugin, Reader, Source, SourceError,
    SourceModule,
};
use pyruse_core::state::Position;

use self::fields::{OF_ALL, fields_of};
use self::reader::LogReader;
use self::settings::{Args, Settings};
use crate::writable::writable;

/// The log files that the configuration, or a command, names.
struct LogFiles {
    settings: Rc<Settings>,
}

impl LogFiles {
    /// Can the directory of rotated files be read?
    fn inspect_rotated(&self, files: &BTreeSet<PathBuf>, inspection: &mut Inspection) {
        let Some(rotated) = &self.settings.rotated else { return };
        let directories: BTreeSet<PathBuf> =
            files.iter().filter_map(|file| Some(file.parent()?.join(rotated))).collect();
        for directory in directories {
            let obstacle = match directory.read_dir() {
                Ok(_) => inspection.service_user().and_then(|reader| {
                    Some(reader.denied_with_fix(&directory, &reader.obstacle(&directory)?))
                }),
                Err(e) => Some(access::failure(&directory, &e)),
            };
            if let Some(message) = obstacle {
                let help = "logrotate makes it at the first rotation; Pyruse must be able to read it";
                inspection.argument("rotated", Severity::Warning, message, help);
            }
        }
    }
}

impl Module for LogFiles {
    const NAME: &'static str = "source_file";
    const DOC: &'static str =
        "Reads text log files: every line once, through rotation, truncation and compression.";
    type Args = Args;

    fn compile(args: Args, cx: &mut Compile<'_>) -> Result<Self, Invalid> {
        Ok(LogFiles { settings: Rc::new(Settings::compile(args, cx)?) })
    }

    fn examples() -> Vec<Example> {
        let of = |title, args| Example { title, args, entry: &[], expected: Expected::Nothing };
        vec![
            of(
                "the access logs of a web server",
                r#"{"paths": ["/var/log/nginx/*access.log"], "format": "access", "identifier": "nginx"}"#,
            ),
            of("what a syslog daemon writes", r#"{"paths": ["/var/log/auth.log"], "format": "syslog"}"#),
            of(
                "an application whose entries have several lines",
                r#"{"paths": ["/var/log/app/app.log"], "first_line": "^\\d{4}-\\d\\d-\\d\\d ", "zone": "UTC"}"#,
            ),
        ]
    }
}

impl SourceModule for LogFiles {
    const FIELDS: &'static dyn FieldTable = &OF_ALL;
}

impl Source for LogFiles {
    fn open(&self) -> Result<Box<dyn Reader>, SourceError> {
        Ok(Box::new(LogReader::open(self.settings.clone())?))
    }

    fn fields(&self) -> Option<&'static dyn FieldTable> {
        Some(fields_of(self.settings.form))
    }

    fn inspect(&self, inspection: &mut Inspection) {
        if self.settings.reads_standard_input {
            return;
        }
        let matches = globs::expand(&self.settings.patterns);
        self.inspect_rotated(&matches.files, inspection);
        for (path, e) in &matches.failures {
            let help = "Pyruse reads regular files, and looks for them in directories that it may list";
            inspection.argument("paths", Severity::Warning, input::failure(path, e), help);
        }
        // What cannot be looked at is there.
        let is_there = |path: &PathBuf| path.try_exists().unwrap_or(true);
        for (n, pattern) in self.settings.patterns.iter().enumerate() {
            let argument = format!("paths.{n}");
            let files: Vec<_> = matches.files.iter().filter(|path| pattern.matches(path)).collect();
            if !files.iter().any(|path| is_there(path)) {
                let message = format!("there is no file {}", pattern.text());
                inspection.argument(
                    &argument,
                    Severity::Warning,
                    message,
                    "Pyruse waits for it; check the name",
                );
                continue;
            }
            for path in files.into_iter().filter(|path| is_there(path)) {
                let reader = inspection.service_user();
                let obstacle =
                    reader.and_then(|reader| Some(reader.denied_with_fix(path, &reader.obstacle(path)?)));
                let (severity, message, help) = match (input::open(path), obstacle) {
                    (Err(e), _) => (Severity::Error, input::failure(path, &e), "Pyruse reads regular files"),
                    (Ok(_), Some(message)) => (Severity::Error, message, "Pyruse runs as that user"),
                    (Ok((_, metadata)), None) => match writable(path, &metadata) {
                        Some(message) => (Severity::Warning, message, "chmod o-w"),
                        None => continue,
                    },
                };
                inspection.argument(&argument, severity, message, help);
            }
        }
    }

    fn describe(&self) -> Option<String> {
        if self.settings.reads_standard_input {
            return Some("standard input".to_owned());
        }
        Some(format!("log files: {}", self.settings.pattern_texts().join(", ")))
    }

    fn show(&self, position: &Position) -> Option<String> {
        let place = place::read(&position.place)?;
        let file = place.files.first()?;
        let mark = file.marks.first()?;
        Some(format!("{}:{}", file.path().display(), mark.offset))
    }
}

pyruse_core::inventory::submit!(Plugin::source::<LogFiles>());

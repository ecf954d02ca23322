//! Past entries: of this machine's journal, of journal files, of a recording, or of log files.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use pyruse_core::entry::Record;
use pyruse_core::plugin::{Begin, Registry, SourceError};
use pyruse_core::sources::{ConfiguredSource, Sources, readers};
use pyruse_core::time::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::progress::{Amount, Progress};
use super::values;
use crate::ending::WrongUsage;
use crate::when;

/// The format of a recording, or of log files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Of --input: export or JSON, decided by the first line. Of --file: a journal file
    #[default]
    Auto,
    /// The journal export format: `journalctl -o export`
    Export,
    /// One JSON object per line. Of --input: `journalctl -o json --all`; of --file: of any program
    Json,
    /// Lines of a log file; MESSAGE is the line without its date
    Text,
    /// A log file of a syslog daemon
    Syslog,
    /// A log file of Docker (json-file)
    Docker,
    /// An access log of a web server
    Access,
}

impl Form {
    /// Returns the arguments of the source that reads these log files; their last line may have no end.
    pub(crate) fn log_files(
        self,
        files: &[PathBuf],
        fields: &[(String, String)],
        lines: &LineArgs,
    ) -> io::Result<serde_json::Value> {
        let absolute = |file: &PathBuf| match file.to_str() {
            Some("-") => Ok(file.clone()),
            _ => std::path::absolute(file),
        };
        let paths: Vec<PathBuf> = files.iter().map(absolute).collect::<Result<_, _>>()?;
        let fields = fields.iter().filter(|(name, _)| name != SOURCE);
        let fields: BTreeMap<_, _> = fields.map(|(name, value)| (name, value)).collect();
        let mut args =
            json!({"paths": paths, "format": self, "fields": fields, "once": true, "literal": true});
        for (name, value) in lines.given() {
            args[name] = json!(value);
        }
        Ok(args)
    }
}

/// How the lines of log files are read: arguments of `source_file`, with the same names and meanings.
#[derive(clap::Args)]
pub(crate) struct LineArgs {
    /// How the time of a line is written: `auto` (the default), `iso`, `syslog`, `clf`, `ctime`, `rfc2822`, `epoch`,
    /// `tai64n`, a format of strptime(3) such as `%d.%m.%Y %H:%M:%S`, or `arrival`
    #[arg(long, value_name = "HOW", requires = "format", add = values::ways_of_time())]
    time: Option<String>,
    /// The time zone of times that do not say theirs, such as `UTC` or `Europe/Paris`
    #[arg(long, value_name = "ZONE", requires = "format")]
    zone: Option<String>,
    /// With the format `json`: the member that has the time, if it has an unusual name
    #[arg(long, value_name = "NAME", requires = "format")]
    time_field: Option<String>,
    /// With the formats `text` and `syslog`: an entry begins at a line in which this expression is found
    #[arg(long, value_name = "RE", requires = "format")]
    first_line: Option<String>,
    /// SYSLOG_IDENTIFIER of entries that do not say which program wrote them
    #[arg(long, value_name = "NAME", requires = "format")]
    identifier: Option<String>,
}

impl LineArgs {
    /// The arguments that were given, each with its name in the configuration.
    fn given(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all = [
            ("time", &self.time),
            ("zone", &self.zone),
            ("time_field", &self.time_field),
            ("first_line", &self.first_line),
            ("identifier", &self.identifier),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)))
    }
}

/// The field with the name of the source: with --field, entries count as those of that source.
const SOURCE: &str = "_SOURCE";

/// Which entries to read; the default is the whole journal that the configuration names
#[derive(clap::Args)]
pub(crate) struct PastArgs {
    /// Read the journal files of this directory
    #[arg(long, value_name = "DIR", group = "source")]
    directory: Option<PathBuf>,
    /// Read these journal files; with --format, these log files, which may be compressed (`.gz`, `.zst`), or standard
    /// input (`-`)
    #[arg(long, value_name = "F", num_args = 1.., group = "source")]
    file: Vec<PathBuf>,
    /// Read the output of `journalctl -o export` or `journalctl -o json --all`, from this file or standard input (`-`)
    #[arg(long, value_name = "F", group = "source")]
    input: Option<PathBuf>,
    /// The format of the input, or of the log files
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "source")]
    format: Form,
    /// For log files: a field of every entry, such as _SYSTEMD_UNIT=nginx.service, or _SOURCE=web for the source of that
    /// name; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_field, requires = "source")]
    field: Vec<(String, String)>,
    #[command(flatten)]
    lines: LineArgs,
    /// Skip entries before this time: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    since: Option<Timestamp>,
    /// Stop at entries after this time
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    until: Option<Timestamp>,
}

/// Returns the name of the source that fields say.
pub(super) fn source_of(fields: &[(String, String)]) -> Option<&str> {
    fields.iter().find(|(name, _)| name == SOURCE).map(|(_, value)| value.as_str())
}

/// Parses a field with its value.
pub(super) fn parse_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write a field as NAME=VALUE, such as PRIORITY=3".to_owned()),
    }
}

impl PastArgs {
    /// Returns the source that the arguments name, if any.
    pub(crate) fn source(&self, registry: &Registry) -> Result<Option<ConfiguredSource>, SourceError> {
        let default = registry.default_source().map_or("journal", |(name, _)| name);
        let name = source_of(&self.field).unwrap_or(default);
        let of = |module, args| ConfiguredSource::of(registry, name, module, &args).map(Some);
        if !self.file.is_empty() && self.format != Form::Auto {
            return of(
                "source_file",
                self.format.log_files(&self.file, &self.field, &self.lines).map_err(SourceError::of)?,
            );
        }
        if let Some(input) = &self.input {
            if self.format == Form::Text {
                tracing::warn!(
                    "the times in plain lines are not read: all of them count as written now, at the same time"
                );
            }
            let fields: Vec<_> = self.field.iter().map(|(name, value)| format!("{name}={value}")).collect();
            of("source_recording", json!({"file": input, "format": self.format, "fields": fields}))
        } else if let Some(directory) = &self.directory {
            of("source_journal", json!({"directory": directory}))
        } else if self.file.is_empty() {
            Ok(None)
        } else {
            of("source_journal", json!({"files": self.file}))
        }
    }

    /// Returns `true` if the arguments say where the entries are.
    pub(crate) fn names_a_source(&self) -> bool {
        self.directory.is_some() || !self.file.is_empty() || self.input.is_some()
    }

    /// Returns `true` if entries may come one at a time, while they are written: from standard input or a named pipe.
    pub(super) fn is_stream(&self) -> bool {
        let is_file = |path: &PathBuf| path.to_str() != Some("-") && path.is_file();
        !self.input.iter().chain(&self.file).all(is_file)
    }

    /// Checks what the parser cannot.
    pub(crate) fn check(&self, command: &'static str) -> Result<(), WrongUsage> {
        let is_text = self.format == Form::Text && self.input.is_some();
        let is_log = !self.file.is_empty() && self.format != Form::Auto;
        let what = if self.directory.is_some() && self.format != Form::Auto {
            "--format is for --file and --input"
        } else if !self.file.is_empty() && self.format == Form::Export {
            "--file reads journal files and log files: give an export with --input"
        } else if self.input.is_some() && matches!(self.format, Form::Syslog | Form::Docker | Form::Access) {
            "--input reads recordings of the journal: give a log file with --file"
        } else if self.since.zip(self.until).is_some_and(|(since, until)| since > until) {
            "--since is later than --until: there is nothing between them"
        } else if is_text && self.since.or(self.until).is_some() {
            "--since and --until need times, but times in plain lines are not read"
        } else if !is_text && !is_log && !self.field.is_empty() {
            "--field is for log files: add `--format text` or another format of theirs, or leave it out"
        } else if !is_log && self.lines.given().next().is_some() {
            "--time, --zone, --time-field, --first-line and --identifier are for log files: give these with --file"
        } else {
            return Ok(());
        };
        Err(WrongUsage { command, what })
    }
}

/// The reason why there may be no entries.
pub const MAY_NOT_READ: &str =
    "or you may not read them (root and the group systemd-journal may read a journal)";

/// Opened past entries.
pub(super) struct Past {
    sources: Sources,
    since: Option<Timestamp>,
    until: Timestamp,
    /// Whether they are in a recording or in log files, which may be empty.
    is_recording: bool,
}

impl Past {
    /// Opens the source that the arguments name, or else those of the configuration.
    pub(super) fn open(
        args: &PastArgs,
        registry: &Registry,
        configured: &[ConfiguredSource],
    ) -> anyhow::Result<Past> {
        let readers = match args.source(registry)? {
            Some(source) => readers(&[source])?,
            None => readers(configured)?,
        };
        let until = args.until.unwrap_or(Timestamp::NEVER);
        let sources = Sources::of_readers(readers);
        let is_recording = args.input.is_some() || args.format != Form::Auto;
        Ok(Past { sources, since: args.since, until, is_recording })
    }

    /// Calls `see` with each entry and the name of its source.
    pub(super) fn read(
        mut self,
        mut progress: Progress,
        mut show: impl FnMut(&str, &mut dyn Record) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let sources = &mut self.sources;
        let is_in_order = sources.is_in_order();
        let mut last = self.until;
        if is_in_order && progress.is_wanted() {
            sources.resume(Begin::Tail)?;
            last = sources.last_time().unwrap_or(last).min(last);
        }
        let since = self.since.unwrap_or(Timestamp(i64::MIN));
        sources.resume(self.since.map_or(Begin::Head, Begin::Since))?;
        let mut first = None;
        loop {
            let Some(source) = sources.advance()? else {
                // Waits for an entry that is not complete yet; otherwise this is the end.
                let Some(wait) = sources.later() else { break };
                std::thread::sleep(wait);
                continue;
            };
            let (name, record) = sources.record(source);
            let time = record.realtime();
            if (since..=self.until).contains(&time) {
                show(name, record)?;
            }
            let first = *first.get_or_insert(time);
            progress.entry(time, || match sources.progress() {
                Some((done, total)) => Amount { done, total },
                None => Amount::of_time(first, time, last),
            });
            // A recording may mix several journals: an entry that is too late is not the end.
            if time > self.until {
                sources.finish_in_order(source);
            }
        }
        sources.flush_losses();
        if first.is_none() && !self.is_recording {
            tracing::warn!("no entries of that time were found there, {MAY_NOT_READ}");
        }
        Ok(())
    }
}

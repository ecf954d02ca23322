//! Past entries: of this machine's journal, of journal files, or of a recording.

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

/// The format of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// Export or JSON, decided by the first line
    #[default]
    Auto,
    /// The journal export format: `journalctl -o export`
    Export,
    /// One JSON object per line: `journalctl -o json --all`
    Json,
    /// Plain lines: each is the MESSAGE of an entry, which has no time of its own
    Text,
}

/// Which entries to read; the default is the whole journal that the configuration names
#[derive(clap::Args)]
pub(crate) struct PastArgs {
    /// Read the journal files of this directory
    #[arg(long, value_name = "DIR", group = "source")]
    directory: Option<PathBuf>,
    /// Read these journal files
    #[arg(long, value_name = "F", num_args = 1.., group = "source")]
    file: Vec<PathBuf>,
    /// Read the output of `journalctl -o export` or `journalctl -o json --all`, from this file or standard input (`-`)
    #[arg(long, value_name = "F", group = "source")]
    input: Option<PathBuf>,
    /// The format of the input
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, requires = "input")]
    format: Form,
    /// With --format text: a field of every line, such as _SYSTEMD_UNIT=nginx.service; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_field, requires = "input")]
    field: Vec<(String, String)>,
    /// Skip entries before this time: `2026-11-18 11:00`, `yesterday`, `2h ago`, `@1795000000`
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    since: Option<Timestamp>,
    /// Stop at entries after this time
    #[arg(long, value_name = "T", value_parser = when::parse, add = values::times())]
    until: Option<Timestamp>,
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
        let name = registry.default_source().map_or("journal", |(name, _)| name);
        let of = |module, args| ConfiguredSource::of(registry, name, module, &args).map(Some);
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

    /// Checks what the parser cannot.
    pub(crate) fn check(&self, command: &'static str) -> Result<(), WrongUsage> {
        let is_text = self.format == Form::Text;
        let what = if self.since.zip(self.until).is_some_and(|(since, until)| since > until) {
            "--since is later than --until: there is nothing between them"
        } else if is_text && self.since.or(self.until).is_some() {
            "--since and --until need times, but times in plain lines are not read"
        } else if !is_text && !self.field.is_empty() {
            "--field is for plain lines: add `--format text`, or leave it out"
        } else {
            return Ok(());
        };
        Err(WrongUsage { command, what })
    }
}

/// The reason why there may be no entries.
pub const MAY_NOT_READ: &str = "or you may not read them: use root or the group systemd-journal";

/// Opened past entries.
pub(super) struct Past {
    sources: Sources,
    since: Option<Timestamp>,
    until: Timestamp,
    /// Whether they are in a recording, which may be empty.
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
        Ok(Past { sources, since: args.since, until, is_recording: args.input.is_some() })
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
            tracing::warn!("no journal entries of that time were found there, {MAY_NOT_READ}");
        }
        Ok(())
    }
}

//! `pyruse explain`: prints one entry's path through the graph, step by step.
//!
//! The entry comes from the journal, from options, or as JSON. For each step, the output has what it read, its
//! arguments, the exit taken, and the result. It observes the daemon's own workflow: nothing here depends on what a
//! filter does.

mod entry;
mod path;
mod show;

use std::path::{Path, PathBuf};

use super::json;
use super::loaded::Loaded;
use super::paint::Paint;
use super::past::{Form, LineArgs, parse_field};
use super::text::terminal_columns;
use crate::configuration;
use crate::ending::Ending;
use crate::storage;
use pyruse_core::plugin::Registry;

/// Follows one entry through the workflow, and prints what each step did with it
///
/// For each step on the entry's path: the fields that it read, with their values, and the arguments that it compared
/// them with; what it saved; the effects it would have had; the exit that the entry took, and where that leads; and at
/// the end, where and why the entry stopped. Nothing is delivered, and no state is written.
///
/// The entry comes from the journal (`--cursor`), from options (`--field`), or from standard input: one object of
/// `journalctl -o json`, or with `--format` the first entry of a log file. An entry from options has the current time,
/// unless `__REALTIME_TIMESTAMP` is given.
///
/// Counters and other state start empty, so a single entry never reaches a threshold; with `--state`, they are as the
/// daemon last wrote them.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The entry with this cursor, as `journalctl --show-cursor` and `replay --json` print it
    #[arg(long, value_name = "C", conflicts_with = "field", group = "place")]
    cursor: Option<String>,
    /// Look for the cursor in the journal files of this directory
    #[arg(long, value_name = "DIR", requires = "cursor", conflicts_with = "file")]
    directory: Option<PathBuf>,
    /// Look for the cursor in these journal files; with --format, take the first entry of this log file
    #[arg(long, value_name = "F", num_args = 1.., requires = "place")]
    file: Vec<PathBuf>,
    /// The format of the line: `text`, `syslog`, `json`, `docker` or `access`
    #[arg(long, value_name = "FORMAT", value_enum, group = "place")]
    format: Option<Form>,
    /// A field of an invented entry, or with --format of the line; may be repeated, also with the same name
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_field)]
    field: Vec<(String, String)>,
    #[command(flatten)]
    lines: LineArgs,
    /// Start with a copy of the daemon's state instead of an empty one
    #[arg(long)]
    state: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  journalctl -u ssh -n 1 -o json | pyruse explain
  tail -n 1 /var/log/nginx/access.log | pyruse explain --format access --field _SOURCE=web
  pyruse explain --field SYSLOG_IDENTIFIER=sshd --field _UID=0 \\
      --field 'MESSAGE=Failed password for root from 192.0.2.1 port 50000 ssh2'
  pyruse explain --state --cursor 's=0639…;i=4d2;b=…;m=…;t=…;x=…'";

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let loaded = Loaded::open(config)?;
    configuration::show(&loaded.source, &loaded.diagnostics);
    let file = loaded.source.name().to_owned();
    // An invented entry counts as one of the first source.
    let source = loaded.plan.engine().sources.first().map(|source| source.name.clone()).unwrap_or_default();
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let (engine, state) = if args.state {
        let file = storage::file(&loaded.config().storage);
        loaded.with_state_of(&file)?
    } else {
        loaded.for_dry_run()?
    };
    let tracer = path::Tracer { file, engine, state, real_state: args.state };
    let path = if let Some(cursor) = &args.cursor {
        let configured = &tracer.engine.sources;
        let journals = entry::open_journals(args.directory.as_deref(), &args.file, &registry, configured)?;
        let (name, mut journal) = entry::find(journals, cursor)?;
        tracer.trace(&name, journal.record())
    } else if let Some(format) = args.format {
        let (name, mut reader) =
            entry::of_log_file(format, &args.file, &args.field, &args.lines, &registry, &source)?;
        tracer.trace(&name, reader.record())
    } else if args.field.is_empty() {
        tracer.trace(&source, entry::from_standard_input(&registry)?.record())
    } else {
        tracer.trace(&source, &mut entry::made_up(&args.field)?)
    };
    if args.json {
        json::print(&path)?;
    } else {
        show::write(&mut std::io::stdout().lock(), &path, terminal_columns(), Paint::for_stdout())?;
    }
    Ok(Ending::Good)
}

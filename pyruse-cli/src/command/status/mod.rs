//! `pyruse status`: shows whether Pyruse runs and works, and how far it is behind its sources.

mod lists;
mod source;

pub(super) use self::source::Found;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pyruse_core::operation::Overview;
use pyruse_core::sources::{ConfiguredSource, SourceStatus};
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use self::source::Lag;
use super::json;
use super::operate::{Unanswered, ask};
use super::table::{length, local};
use super::target::Target;
use super::text::{counted, grouped, printable, terminal_columns, wrapped};
use crate::ending::Ending;
use crate::request::{DaemonStatus, Reply, Request};
use crate::storage::{self, Holder};

/// A working daemon answers at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Shows whether Pyruse runs and works, and how far it is behind the journal
///
/// Exit code 0: it runs, answers, and can write its state; 1: one of these is not true.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The state of the daemon.
pub(super) enum Daemon {
    Answers(Box<DaemonStatus>),
    /// It runs, but does not answer, and why.
    Silent {
        pid: i32,
        why: String,
    },
    Stopped,
}

pub(super) struct Status {
    pub(super) daemon: Daemon,
    directory: PathBuf,
    /// In bytes; `None`: there is no state yet.
    size: Option<u64>,
    overview: Overview,
    pub(super) sources: Vec<Found>,
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let status = find(Target::open(config)?)?;
    let mut out = io::stdout().lock();
    if args.json {
        json::write_line(&mut out, &status.as_json())?;
    } else {
        status.write(&mut out)?;
    }
    let is_well = matches!(&status.daemon, Daemon::Answers(daemon) if daemon.unwritten.is_none() && daemon.without_state.is_none());
    Ok(if is_well { Ending::Good } else { Ending::Failed })
}

/// Asks the daemon, or else reads the state.
pub(super) fn find(target: Target) -> anyhow::Result<Status> {
    let Target { directory, loaded } = target;
    let daemon = find_daemon(&directory)?;
    let (overview, configured, positions);
    if let Daemon::Answers(daemon) = &daemon {
        overview = daemon.overview.clone();
        configured = loaded.ok().map(|loaded| loaded.for_dry_run().map(|(engine, _)| engine.sources));
        positions = Vec::new();
    } else {
        let mut state = storage::read(&directory)?.unwrap_or_else(State::in_memory);
        let mut engine = loaded?.plan.bind(&mut state)?;
        overview = engine.services.overview(&state, Timestamp::now());
        positions = state.positions().map(|(name, at)| (name.to_owned(), at.clone())).collect();
        configured = Some(Ok(engine.sources));
    }
    let configured: Vec<ConfiguredSource> = configured.transpose()?.unwrap_or_default();
    let of = |name: &str| configured.iter().find(|source| source.name == name);
    let count = if let Daemon::Answers(daemon) = &daemon { daemon.sources.len() } else { configured.len() };
    let counting = source::COUNTING / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let sources = if let Daemon::Answers(daemon) = &daemon {
        let status = |status: &SourceStatus| {
            Found::of(&status.name, of(&status.name), status.position.clone(), Some(status.clone()), counting)
        };
        daemon.sources.iter().map(status).collect()
    } else {
        let position = |name: &str| positions.iter().find(|(known, _)| known == name);
        let found = |source: &ConfiguredSource| {
            let position = position(&source.name).map(|(_, position)| position.clone());
            Found::of(&source.name, Some(source), position, None, counting)
        };
        configured.iter().map(found).collect()
    };
    Ok(Status { daemon, size: size(&directory), directory, overview, sources })
}

fn find_daemon(directory: &Path) -> anyhow::Result<Daemon> {
    let Some(Holder { pid, socket }) = storage::holder(directory)? else { return Ok(Daemon::Stopped) };
    let Some(socket) = socket else {
        let why = "it accepts no requests: it is starting or stopping, or is another command".to_owned();
        return Ok(Daemon::Silent { pid, why });
    };
    let why = match ask(directory, &socket, &Request::Status, ANSWER_TIMEOUT) {
        Ok(Reply::Status(status)) => return Ok(Daemon::Answers(status)),
        Ok(Reply::Refused(why) | Reply::Rejected(why)) => why,
        Ok(_) => "its answer does not match the request".into(),
        Err(Unanswered::TimedOut) => format!("it does not answer within {} s", ANSWER_TIMEOUT.as_secs()),
        Err(Unanswered::NotListening | Unanswered::Closed) => "it is starting or stopping".into(),
        Err(Unanswered::Failed(e)) => e.to_string(),
    };
    Ok(Daemon::Silent { pid, why })
}

/// Returns the size of the state's files in bytes.
fn size(directory: &Path) -> Option<u64> {
    let file = storage::file(directory);
    let of = |end: &str| {
        let mut name = file.clone().into_os_string();
        name.push(end);
        std::fs::metadata(name).ok().map(|found| found.len())
    };
    of("").map(|size| size + of("-wal").unwrap_or(0) + of("-shm").unwrap_or(0))
}

/// The number of columns for the names.
const NAMES: usize = 14;

/// Writes a name and its text, in lines of at most `width` columns. A name that is too long gets its own line.
pub(super) fn write_field(out: &mut dyn Write, name: &str, text: &str, width: usize) -> io::Result<()> {
    let is_long = name.len() >= NAMES;
    if is_long {
        writeln!(out, "{name}")?;
    }
    for (n, line) in wrapped(&printable(text), width.saturating_sub(NAMES)).iter().enumerate() {
        let name = if n == 0 && !is_long { name } else { "" };
        writeln!(out, "{name:<NAMES$}{line}")?;
    }
    Ok(())
}

impl Status {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let now = Timestamp::now();
        let ago = |time: Timestamp| length(time.until(now).as_secs());
        let width = terminal_columns();
        let mut line = |name: &str, text: &str| write_field(out, name, text, width);
        match &self.daemon {
            Daemon::Answers(daemon) => {
                let DaemonStatus { pid, since, version, config, loaded, entries, errors, .. } = &**daemon;
                line(
                    "pyruse",
                    &format!("{version}, running since {} ({}), process {pid}", local(*since), ago(*since)),
                )?;
                line("configuration", &format!("{}, loaded {}", config.display(), local(*loaded)))?;
                let errors = counted(*errors, "error", "errors");
                line("entries", &format!("{} read since the start, {errors}", grouped(*entries)))?;
                if let Some(why) = &daemon.unwritten {
                    line("TROUBLE", &format!("the state cannot be written, reading waits: {why}"))?;
                }
                if let Some(why) = &daemon.without_state {
                    line(
                        "TROUBLE",
                        &format!("it runs without its state, and loses everything when it stops: {why}"),
                    )?;
                }
            }
            Daemon::Silent { pid, why } => {
                line("pyruse", &format!("running (process {pid}), but {why}; this is the stored state"))?;
            }
            Daemon::Stopped => line("pyruse", "not running")?,
        }
        for source in &self.sources {
            line(&source.name, &source.text())?;
            for trouble in source.trouble() {
                line("TROUBLE", &trouble)?;
            }
            for total in source.status.iter().flat_map(|status| &status.losses) {
                line("LOST", &total.text(local))?;
            }
            if let Some(excluded) = &source.excluded {
                line("not read", &excluded.text)?;
            }
        }
        for (list, parts) in lists::by_name(&self.overview.lists) {
            line(&format!("list {list}"), &lists::text(parts, now))?;
            for problem in lists::problems(parts) {
                line("TROUBLE", &problem)?;
            }
        }
        line("bans", &format!("{} in force", grouped(self.overview.bans)))?;
        line("counters", &counted(self.overview.counters, "key", "keys"))?;
        let (waiting, given_up) = (grouped(self.overview.waiting), grouped(self.overview.given_up));
        line("outbox", &format!("{waiting} waiting, {given_up} given up"))?;
        if let Some(report) = &self.overview.report {
            let shown = |time: Option<Timestamp>, none: &str| time.map_or_else(|| none.to_owned(), local);
            let (last, next) = (shown(report.last, "never"), shown(report.next, "none"));
            line("report", &format!("last due {last}, next {next}"))?;
            for news in &report.news {
                line("news", news)?;
            }
        }
        line(
            "state",
            &match self.size {
                Some(size) => format!("{} KiB in {}", grouped(size.div_ceil(1024)), self.directory.display()),
                None => format!("none yet in {}", self.directory.display()),
            },
        )
    }

    /// Returns how far all sources together are behind.
    fn behind(&self) -> Option<Lag> {
        let lags = self.sources.iter().map(Found::behind).collect::<Option<Vec<_>>>()?;
        let first = Lag { entries: 0, at_least: false, seconds: 0, gap: false };
        (!lags.is_empty()).then(|| {
            lags.into_iter().fold(first, |sum, lag| Lag {
                entries: sum.entries + lag.entries,
                at_least: sum.at_least || lag.at_least,
                seconds: sum.seconds.max(lag.seconds),
                gap: sum.gap || lag.gap,
            })
        })
    }

    fn as_json(&self) -> Value {
        let time = |time: Timestamp| time.to_string();
        let (daemon, silent) = match &self.daemon {
            Daemon::Answers(daemon) => (Some(daemon), None),
            Daemon::Silent { pid, why } => (None, Some((pid, why))),
            Daemon::Stopped => (None, None),
        };
        let of_daemon = || self.sources.iter().filter_map(|source| source.status.as_ref());
        let positions = || self.sources.iter().filter_map(|source| source.position.as_ref());
        let unknown = self.sources.iter().find_map(|source| source.lag.as_ref()?.as_ref().err());
        let excluded = self.sources.iter().filter_map(|source| source.excluded.as_ref());
        json!({
            "running": !matches!(self.daemon, Daemon::Stopped),
            "answers": daemon.is_some(),
            "silence": silent.map(|(_, why)| why),
            "pid": daemon.map(|daemon| i64::from(daemon.pid)).or(silent.map(|(pid, _)| i64::from(*pid))),
            "version": daemon.map(|daemon| &daemon.version),
            "since": daemon.map(|daemon| time(daemon.since)),
            "config": daemon.map(|daemon| daemon.config.display().to_string()),
            "loaded": daemon.map(|daemon| time(daemon.loaded)),
            "entries": daemon.map(|daemon| daemon.entries),
            "errors": daemon.map(|daemon| daemon.errors),
            "unwritten": daemon.and_then(|daemon| daemon.unwritten.as_ref()),
            "withoutState": daemon.and_then(|daemon| daemon.without_state.as_ref()),
            "journalMissing": daemon.map(|_| of_daemon().any(|source| source.is_missing)),
            "behind": self.behind().map(|lag| lag.as_json()),
            "losses": daemon.map(|_| of_daemon().flat_map(source::losses).collect::<Vec<_>>()),
            "leftOut": self.sources.iter().flat_map(|found| source::left_out(&found.left_out)).collect::<Vec<_>>(),
            "unitsNotRead": excluded.flat_map(|excluded| &excluded.names).collect::<Vec<_>>(),
            "behindUnknown": unknown,
            "readUpTo": positions().map(|position| position.time).min().map(time),
            "cursor": self.sources.first().and_then(|source| source.shown.as_ref()),
            "sources": self.sources.iter().map(Found::as_json).collect::<Vec<_>>(),
            "lists": lists::by_name(&self.overview.lists).map(|(list, parts)| lists::as_json(list, parts)).collect::<Vec<_>>(),
            "bans": self.overview.bans,
            "counters": self.overview.counters,
            "outbox": {"waiting": self.overview.waiting, "givenUp": self.overview.given_up},
            "report": self.overview.report.as_ref().map(|report| json!({
                "last": report.last.map(time),
                "next": report.next.map(time),
                "news": report.news,
            })),
            "storage": self.directory.display().to_string(),
            "stateBytes": self.size,
        })
    }
}

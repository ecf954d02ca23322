//! `pyruse status`: is it running, is it well, and how far behind the journal is it?
//!
//! How far behind is counted here, by reading the journal from where the daemon has come to. So it is right also when the
//! daemon is stopped, hangs, or has ended.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyruse_core::operation::Overview;
use pyruse_core::state::{Position, State};
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use super::desk::Desk;
use super::json;
use super::loaded::Loaded;
use super::operate::{Unanswered, ask};
use super::table::{length, local};
use super::text::{counted, grouped, printable, terminal_columns, wrapped};
use crate::ending::Ending;
use crate::request::{DaemonStatus, Reply, Request};
use crate::storage::{self, Holder};
use pyruse_sources::journal::losses::{Total, range};
use pyruse_sources::journal::{
    JournalSettings, LeftOut, Resumed, Source, left_out, units_unheard, words_for_units,
};

/// A daemon that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// So many waiting entries are counted at most …
const COUNTED: u64 = 1_000_000;

/// … and for so long.
const COUNTING: Duration = Duration::from_secs(5);

/// Tells whether Pyruse runs, whether it is well, and how far behind the journal it is
///
/// Exit code 0: it runs, answers, and can write its state; 1: one of these is not so.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was found of a daemon.
enum Daemon {
    Answers(Box<DaemonStatus>),
    /// It runs, but does not say how it is, and why.
    Silent {
        pid: i32,
        why: String,
    },
    Stopped,
}

/// How far behind the journal.
struct Lag {
    entries: u64,
    /// There may be more.
    at_least: bool,
    seconds: u64,
    /// What was read last is not in the journal any more.
    gap: bool,
}

struct Status {
    daemon: Daemon,
    directory: PathBuf,
    /// In bytes; none: there is no state yet.
    size: Option<u64>,
    position: Option<Position>,
    overview: Overview,
    lag: Result<Option<Lag>, String>,
    /// Files of the journal that are not read.
    left_out: Vec<LeftOut>,
    /// Units of the system whose entries are in files that the scope leaves out.
    not_read: BTreeSet<String>,
}

pub(crate) fn run(config: Option<&Path>, args: &Args) -> anyhow::Result<Ending> {
    let status = find(Desk::open(config)?)?;
    let mut out = io::stdout().lock();
    if args.json {
        json::write_line(&mut out, &status.as_json())?;
    } else {
        status.write(&mut out)?;
    }
    let is_well = matches!(&status.daemon, Daemon::Answers(daemon) if daemon.unwritten.is_none() && daemon.without_state.is_none());
    Ok(if is_well { Ending::Good } else { Ending::Failed })
}

fn find(desk: Desk) -> anyhow::Result<Status> {
    let Desk { directory, loaded } = desk;
    let settings = loaded.as_ref().ok().map(Loaded::settings::<JournalSettings>);
    let daemon = find_daemon(&directory)?;
    let (position, overview) = if let Daemon::Answers(daemon) = &daemon {
        (daemon.position.clone(), daemon.overview.clone())
    } else {
        let mut state = storage::read(&directory)?.unwrap_or_else(State::in_memory);
        let mut engine = loaded?.plan.bind(&mut state)?;
        let overview = engine.services.overview(&state, Timestamp::now());
        (state.position().cloned(), overview)
    };
    let lag = position.as_ref().map(|position| match &settings {
        Some(settings) => lag(settings, position).map_err(|e| format!("{e:#}")),
        None => Err("the configuration, which names the journal, cannot be used".into()),
    });
    // Who asks may read other files than the daemon may.
    let left_out = match &daemon {
        Daemon::Answers(daemon) => daemon.left_out.clone(),
        _ => settings.as_ref().map(|settings| left_out(settings)).unwrap_or_default(),
    };
    let not_read = settings.map(|settings| units_unheard(&settings)).unwrap_or_default();
    Ok(Status {
        daemon,
        size: size(&directory),
        directory,
        position,
        overview,
        lag: lag.transpose(),
        left_out,
        not_read,
    })
}

fn find_daemon(directory: &Path) -> anyhow::Result<Daemon> {
    let Some(Holder { pid, socket }) = storage::holder(directory)? else { return Ok(Daemon::Stopped) };
    let Some(socket) = socket else {
        let why = "it takes no requests: it is about to start or to end, or another command".to_owned();
        return Ok(Daemon::Silent { pid, why });
    };
    let why = match ask(directory, &socket, &Request::Status, PATIENCE) {
        Ok(Reply::Status(status)) => return Ok(Daemon::Answers(status)),
        Ok(Reply::Refused(why) | Reply::Rejected(why)) => why,
        Ok(_) => "its answer is another one than was asked for".into(),
        Err(Unanswered::Late) => format!("it does not answer within {} s", PATIENCE.as_secs()),
        Err(Unanswered::Nobody | Unanswered::HungUp) => "it is about to start or to end".into(),
        Err(Unanswered::Failed(e)) => e.to_string(),
    };
    Ok(Daemon::Silent { pid, why })
}

/// Reads from there to the end, entries only: what is in them does not matter.
fn lag(settings: &JournalSettings, position: &Position) -> anyhow::Result<Lag> {
    let mut journal = Source::open(settings)?;
    if journal.is_nowhere() {
        anyhow::bail!("there is no journal where the configuration says");
    }
    let newest = journal.seek_tail()?.realtime;
    let gap = journal.resume(position)? != Resumed::Exactly;
    let end = Instant::now() + COUNTING;
    let mut entries = 0;
    let mut more = journal.advance();
    while more {
        entries += 1;
        let tired = entries >= COUNTED || (entries % 1000 == 0 && Instant::now() >= end);
        more = journal.advance();
        if tired {
            break;
        }
    }
    let seconds = if entries == 0 { 0 } else { position.realtime.until(newest).as_secs() };
    Ok(Lag { entries, at_least: more, seconds, gap })
}

/// The bytes of the state's files.
fn size(directory: &Path) -> Option<u64> {
    let file = storage::file(directory);
    let of = |end: &str| {
        let mut name = file.clone().into_os_string();
        name.push(end);
        std::fs::metadata(name).ok().map(|found| found.len())
    };
    of("").map(|size| size + of("-wal").unwrap_or(0) + of("-shm").unwrap_or(0))
}

impl Lag {
    fn shown(&self) -> String {
        let more = if self.at_least { "more than " } else { "" };
        let waits = if self.entries == 1 && !self.at_least { "waits" } else { "wait" };
        let entries = counted(self.entries, "entry", "entries");
        match self.entries {
            0 => "nothing waits".into(),
            _ => format!("{more}{entries} {waits}, {} behind", length(self.seconds)),
        }
    }
}

/// The columns of the names of what is said.
const NAMES: usize = 14;

/// A name, and what is said of it, in lines of so many columns.
fn write_field(out: &mut dyn Write, name: &str, text: &str, width: usize) -> io::Result<()> {
    for (n, line) in wrapped(&printable(text), width.saturating_sub(NAMES)).iter().enumerate() {
        let name = if n == 0 { name } else { "" };
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
                        &format!("it works without its state, and forgets all when it ends: {why}"),
                    )?;
                }
                if daemon.journal_missing {
                    line("TROUBLE", "there is no journal where the configuration says; waiting for it")?;
                }
            }
            Daemon::Silent { pid, why } => {
                line("pyruse", &format!("running (process {pid}), but {why}; this is what is stored"))?;
            }
            Daemon::Stopped => line("pyruse", "not running")?,
        }
        line("journal", &self.journal())?;
        for Total { kind, count, from, until } in self.losses() {
            line("LOST", &kind.words(*count, &range(&local(*from), &local(*until))))?;
        }
        for left_out in &self.left_out {
            line("TROUBLE", &left_out.words())?;
        }
        if let Some(words) = words_for_units(&self.not_read) {
            line("not read", &words)?;
        }
        line("bans", &format!("{} in force", grouped(self.overview.bans)))?;
        line("counters", &counted(self.overview.counters, "key", "keys"))?;
        let (waiting, given_up) = (grouped(self.overview.waiting), grouped(self.overview.given_up));
        line("outbox", &format!("{waiting} waiting, {given_up} given up"))?;
        if let Some(report) = self.overview.report {
            let shown = |time: Option<Timestamp>, none: &str| time.map_or_else(|| none.to_owned(), local);
            let (last, next) = (shown(report.last, "never"), shown(report.next, "none"));
            line("report", &format!("last due {last}, next {next}"))?;
        }
        line(
            "state",
            &match self.size {
                Some(size) => format!("{} KiB in {}", grouped(size.div_ceil(1024)), self.directory.display()),
                None => format!("none yet in {}", self.directory.display()),
            },
        )
    }

    /// What was lost since the daemon's start.
    fn losses(&self) -> &[Total] {
        if let Daemon::Answers(daemon) = &self.daemon { &daemon.losses } else { &[] }
    }

    fn journal(&self) -> String {
        let lag = match &self.lag {
            Ok(Some(lag)) => lag.shown(),
            Ok(None) => return "nothing was read yet".into(),
            Err(why) => format!("how far behind is not known: {why}"),
        };
        let gap = matches!(&self.lag, Ok(Some(lag)) if lag.gap);
        let read = self.position.as_ref().map(|position| local(position.realtime)).unwrap_or_default();
        let gap = if gap { ", which is no longer in the journal" } else { "" };
        format!("{lag}; read up to {read}{gap}")
    }

    fn as_json(&self) -> Value {
        let time = |time: Timestamp| time.to_string();
        let (daemon, silent) = match &self.daemon {
            Daemon::Answers(daemon) => (Some(daemon), None),
            Daemon::Silent { pid, why } => (None, Some((pid, why))),
            Daemon::Stopped => (None, None),
        };
        let lag = self.lag.as_ref().ok().and_then(Option::as_ref);
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
            "journalMissing": daemon.map(|daemon| daemon.journal_missing),
            "behind": lag.map(|lag| json!({
                "entries": lag.entries,
                "atLeast": lag.at_least,
                "seconds": lag.seconds,
                "gap": lag.gap,
            })),
            "losses": daemon.map(|daemon| {
                let object = |total: &Total| json!({
                    "kind": total.kind,
                    "count": total.count,
                    "from": time(total.from),
                    "until": time(total.until),
                });
                daemon.losses.iter().map(object).collect::<Vec<_>>()
            }),
            "leftOut": self.left_out,
            "unitsNotRead": self.not_read,
            "behindUnknown": self.lag.as_ref().err(),
            "readUpTo": self.position.as_ref().map(|position| time(position.realtime)),
            "cursor": self.position.as_ref().and_then(|position| position.cursor.as_ref()),
            "bans": self.overview.bans,
            "counters": self.overview.counters,
            "outbox": {"waiting": self.overview.waiting, "givenUp": self.overview.given_up},
            "report": self.overview.report.map(|report| json!({
                "last": report.last.map(time),
                "next": report.next.map(time),
            })),
            "storage": self.directory.display().to_string(),
            "stateBytes": self.size,
        })
    }
}

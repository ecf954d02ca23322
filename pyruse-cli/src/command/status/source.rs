//! How a source is doing: what it says itself, and how far behind its end reading is.
//!
//! How far behind is counted here, by reading from where the daemon has come to. So it is right also when the daemon is
//! stopped, hangs, or has ended.

use std::time::{Duration, Instant};

use pyruse_core::plugin::{Begin, Begun, Excluded, LeftOut, Next, SourceError};
use pyruse_core::sources::{ConfiguredSource, SourceStatus};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use serde_json::{Value, json};

use crate::command::table::{length, local};
use crate::command::text::counted;

/// The largest number of waiting entries that are counted.
const COUNTED: u64 = 1_000_000;

/// The longest time for counting them, of all sources together.
pub(super) const COUNTING: Duration = Duration::from_secs(5);

/// How far behind the end of a source.
pub(in crate::command) struct Lag {
    pub(in crate::command) entries: u64,
    /// There may be more.
    pub(super) at_least: bool,
    pub(super) seconds: u64,
    /// What was read last is no longer in the source.
    pub(super) gap: bool,
}

/// What was found of a source.
pub(in crate::command) struct Found {
    pub(in crate::command) name: String,
    /// The name of its module.
    pub(in crate::command) module: Option<&'static str>,
    /// What it reads, for people.
    pub(in crate::command) reads: Option<String>,
    /// `None`: no daemon has said how it is.
    pub(in crate::command) status: Option<SourceStatus>,
    pub(in crate::command) position: Option<Position>,
    /// The position, as the source shows it.
    pub(super) shown: Option<String>,
    /// `None`: nothing was read yet.
    pub(super) lag: Option<Result<Lag, String>>,
    pub(in crate::command) left_out: Vec<LeftOut>,
    pub(in crate::command) excluded: Option<Excluded>,
}

impl Found {
    /// `configured` is missing if the configuration, which names the source, cannot be used. `counting` is the longest
    /// time for counting the entries that wait.
    pub(super) fn of(
        name: &str,
        configured: Option<&ConfiguredSource>,
        position: Option<Position>,
        status: Option<SourceStatus>,
        counting: Duration,
    ) -> Found {
        let source = configured.map(|configured| &configured.source);
        let lag = position.as_ref().map(|position| match configured {
            Some(configured) => Lag::count(configured, position, counting).map_err(|e| e.to_string()),
            None => Err("the configuration, which names the source, cannot be used".into()),
        });
        // The user may have access to other files than the daemon.
        let left_out = match &status {
            Some(status) => status.left_out.clone(),
            None => source.map(|source| source.left_out()).unwrap_or_default(),
        };
        Found {
            name: name.to_owned(),
            module: configured.map(ConfiguredSource::module),
            reads: source.and_then(|source| source.describe()),
            shown: source.zip(position.as_ref()).and_then(|(source, position)| source.show(position)),
            status,
            position,
            lag,
            left_out,
            excluded: source.and_then(|source| source.excluded()),
        }
    }

    pub(in crate::command) fn text(&self) -> String {
        let lag = match &self.lag {
            None => return "nothing was read yet".into(),
            Some(Ok(lag)) => lag.text(),
            Some(Err(why)) => format!("unknown how far behind: {why}"),
        };
        let is_gone = matches!(&self.lag, Some(Ok(lag)) if lag.gap);
        let read = self.position.as_ref().map(|position| local(position.time)).unwrap_or_default();
        let gap = if is_gone { ", which is no longer there" } else { "" };
        format!("{lag}; read up to {read}{gap}")
    }

    /// Returns the time of the last entry, if none waits.
    pub(in crate::command) fn silent_since(&self) -> Option<Timestamp> {
        let position = self.position.as_ref()?;
        self.behind().is_some_and(|lag| lag.entries == 0).then_some(position.time)
    }

    /// Returns `false` if reading it from its position has just failed.
    pub(in crate::command) fn can_be_read(&self) -> bool {
        !matches!(self.lag, Some(Err(_)))
    }

    /// Returns what keeps it from being read, or from being read whole.
    pub(in crate::command) fn trouble(&self) -> Vec<String> {
        let mut trouble = Vec::new();
        if let Some(status) = &self.status {
            if status.is_missing {
                trouble.push(format!("the configured source `{}` does not exist; waiting for it", self.name));
            }
            if let Some(error) = &status.error {
                trouble.push(format!("the source {} cannot be read: {error}", self.name));
            }
        }
        trouble.extend(self.left_out.iter().map(|left_out| left_out.text.clone()));
        trouble
    }

    pub(in crate::command) fn as_json(&self) -> Value {
        let status = self.status.as_ref();
        json!({
            "name": self.name,
            "module": self.module,
            "reads": self.reads,
            "missing": status.map(|status| status.is_missing),
            "error": status.and_then(|status| status.error.as_ref()),
            "behind": self.behind().map(Lag::as_json),
            "behindUnknown": self.lag.as_ref().and_then(|lag| lag.as_ref().err()),
            "readUpTo": self.position.as_ref().map(|position| position.time.to_string()),
            "silentSince": self.silent_since().map(|time| time.to_string()),
            "cursor": self.shown,
            "losses": status.map(losses),
            "leftOut": left_out(&self.left_out),
            "notRead": self.excluded.as_ref().map(|excluded| &excluded.names),
        })
    }

    pub(super) fn behind(&self) -> Option<&Lag> {
        self.lag.as_ref()?.as_ref().ok()
    }
}

pub(super) fn losses(status: &SourceStatus) -> Vec<Value> {
    let object = |total: &pyruse_core::losses::LossTotal| {
        json!({
            "kind": total.kind,
            "count": total.count,
            "from": total.from.to_string(),
            "until": total.until.to_string(),
        })
    };
    status.losses.iter().map(object).collect()
}

pub(super) fn left_out(files: &[LeftOut]) -> Vec<Value> {
    files.iter().map(|left_out| json!({"file": left_out.file, "why": left_out.why})).collect()
}

impl Lag {
    /// Reads from there to the end, entries only: what is in them does not matter.
    fn count(source: &ConfiguredSource, position: &Position, longest: Duration) -> Result<Lag, SourceError> {
        let mut reader = source.source.open()?;
        if reader.is_missing() {
            return Err(SourceError("it does not exist".to_owned()));
        }
        reader.resume(Begin::Tail)?;
        let newest = reader.position().time;
        let gap = reader.resume(Begin::Behind(position))? != Begun::Exactly;
        let end = Instant::now() + longest;
        let mut lag = Lag { entries: 0, at_least: false, seconds: 0, gap };
        let mut looks: u64 = 0;
        loop {
            looks += 1;
            let is_late = looks.is_multiple_of(1000) && Instant::now() >= end;
            match reader.next()? {
                Next::End => break,
                _ if is_late || lag.entries >= COUNTED => {
                    lag.at_least = true;
                    break;
                }
                Next::Record(_) => {
                    reader.record();
                    lag.entries += 1;
                }
                Next::Later(wait) => std::thread::sleep(wait),
            }
        }
        if lag.entries > 0 {
            lag.seconds = position.time.until(newest).as_secs();
        }
        Ok(lag)
    }

    fn text(&self) -> String {
        let more = if self.at_least { "more than " } else { "" };
        let waits = if self.entries == 1 && !self.at_least { "waits" } else { "wait" };
        let entries = counted(self.entries, "entry", "entries");
        match self.entries {
            0 => "up to date".into(),
            _ => format!("{more}{entries} {waits}, {} behind", length(self.seconds)),
        }
    }

    pub(super) fn as_json(&self) -> Value {
        json!({"entries": self.entries, "atLeast": self.at_least, "seconds": self.seconds, "gap": self.gap})
    }
}

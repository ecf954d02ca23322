//! What a daemon is asked over its control socket, and what it answers: one line of JSON each.

use std::path::PathBuf;

use pyruse_core::operation::{Answer, Operation, Overview};
use pyruse_core::state::Position;
use pyruse_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use pyruse_sources::journal::LeftOut;
use pyruse_sources::journal::losses::Total;

/// A request is at most so long.
pub(crate) const LONGEST: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Request {
    /// How the daemon is.
    Status,
    /// Something about the state.
    Operate(Operation),
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Reply {
    /// How the daemon is.
    Status(Box<DaemonStatus>),
    /// It is done, and on the disk if it changed anything.
    Done(Answer),
    /// It is done in memory, but the state cannot be written, and why.
    Unwritten(Answer, String),
    /// It is not done, and why.
    Refused(String),
    /// The daemon is about to end, and has done nothing of it.
    Ending,
    /// This is no request, or not from one who may ask, and why.
    Rejected(String),
}

/// How a daemon is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DaemonStatus {
    pub(crate) pid: u32,
    pub(crate) version: String,
    pub(crate) since: Timestamp,
    /// The configuration in use, and since when.
    pub(crate) config: PathBuf,
    pub(crate) loaded: Timestamp,
    /// Entries read, and errors of steps, since the start.
    pub(crate) entries: u64,
    pub(crate) errors: u64,
    /// Why the state cannot be written, if it cannot.
    pub(crate) unwritten: Option<String>,
    /// Why it works without its state, if it does.
    #[serde(default)]
    pub(crate) without_state: Option<String>,
    /// There is no journal where the configuration says.
    pub(crate) journal_missing: bool,
    pub(crate) position: Option<Position>,
    /// What was lost since the start.
    pub(crate) losses: Vec<Total>,
    /// Files of the journal that are not read.
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) overview: Overview,
}

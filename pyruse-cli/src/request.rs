//! What a daemon is asked over its control socket, and what it answers: one line of JSON each.

use std::path::PathBuf;

use pyruse_core::operation::{Answer, Operation, Overview};
use pyruse_core::sources::SourceStatus;
use pyruse_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A request is at most so long.
pub const LONGEST: usize = 64 * 1024;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// How the daemon is.
    Status,
    /// Something about the state.
    Operate(Operation),
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
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
pub struct DaemonStatus {
    /// Its process.
    pub pid: u32,
    /// The version of the program.
    pub version: String,
    /// When it started.
    pub since: Timestamp,
    /// The configuration in use.
    pub config: PathBuf,
    /// When the configuration was loaded.
    pub loaded: Timestamp,
    /// Entries read since the start.
    pub entries: u64,
    /// Errors of steps since the start.
    pub errors: u64,
    /// Why the state cannot be written, if it cannot.
    pub unwritten: Option<String>,
    /// Why it works without its state, if it does.
    #[serde(default)]
    pub without_state: Option<String>,
    /// How the sources are doing.
    #[serde(default)]
    pub sources: Vec<SourceStatus>,
    /// What the services hold.
    pub overview: Overview,
}

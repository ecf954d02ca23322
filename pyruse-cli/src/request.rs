//! Requests over a daemon's control socket, and its answers: one line of JSON each.

use std::path::PathBuf;

use pyruse_core::operation::{Answer, Operation, Overview};
use pyruse_core::sources::SourceStatus;
use pyruse_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The maximum size of a request, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Request {
    /// Asks for the daemon's status.
    Status,
    /// An operation on the state.
    Operate(Operation),
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// The daemon's status.
    Status(Box<DaemonStatus>),
    /// The operation is done, and on the disk if it changed anything.
    Done(Answer),
    /// The operation is done in memory, but the state cannot be written, and why.
    Unwritten(Answer, String),
    /// The operation was refused, and why.
    Refused(String),
    /// The daemon is about to end, and has done nothing.
    Ending,
    /// The request is invalid, or the client has no permission, and why.
    Rejected(String),
}

/// The status of a daemon.
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
    /// Why it runs without its state, if it does.
    #[serde(default)]
    pub without_state: Option<String>,
    /// The status of the sources.
    #[serde(default)]
    pub sources: Vec<SourceStatus>,
    /// The counts from the services.
    pub overview: Overview,
}

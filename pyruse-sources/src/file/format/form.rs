//! The formats that a configuration names.

use pyruse_core::schemars::JsonSchema;
use pyruse_core::serde::Deserialize;

/// The format of a log file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "pyruse_core::serde", rename_all = "lowercase")]
#[schemars(crate = "pyruse_core::schemars")]
pub(in crate::file) enum Form {
    /// Lines of any kind: MESSAGE is the line without its date.
    #[default]
    Text,
    /// What a syslog daemon writes (RFC 3164 or RFC 5424): HOSTNAME, SYSLOG_IDENTIFIER, SYSLOG_PID, MESSAGE, and what
    /// else there is.
    Syslog,
    /// One JSON object per line: its members are fields, those of objects within it joined by dots.
    Json,
    /// What the driver json-file of Docker writes.
    Docker,
    /// The common or combined log format of web servers: REMOTE_ADDR, METHOD, PATH, STATUS, and so on.
    Access,
}

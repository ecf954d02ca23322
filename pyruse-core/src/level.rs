//! How urgent a line is: in the journal, and in the daily report.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A priority of syslog(3), the most urgent first.
#[expect(missing_docs, reason = "syslog(3) says what each means")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

impl Level {
    /// Returns its number, as in the journal's field `PRIORITY`: from 0, the most urgent, to 7.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Emerg => "EMERG",
            Level::Alert => "ALERT",
            Level::Crit => "CRIT",
            Level::Err => "ERR",
            Level::Warning => "WARNING",
            Level::Notice => "NOTICE",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        })
    }
}

/// The section of a report line.
#[expect(missing_docs, reason = "the documentation of the daily report says what each holds")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReportLevel {
    Warn,
    Info,
    Other,
}

impl ReportLevel {
    /// All sections, in the order of the report.
    pub const ALL: [ReportLevel; 3] = [ReportLevel::Warn, ReportLevel::Info, ReportLevel::Other];
}

impl fmt::Display for ReportLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReportLevel::Warn => "WARN",
            ReportLevel::Info => "INFO",
            ReportLevel::Other => "OTHER",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_written_in_json_as_for_people_and_numbered_as_in_syslog() {
        let levels: Vec<Level> = (0..8)
            .zip(["EMERG", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG"])
            .map(|(number, name)| {
                let level: Level = serde_json::from_value(name.into()).unwrap();
                assert_eq!((level.number(), level.to_string().as_str()), (number, name));
                assert_eq!(serde_json::to_value(level).unwrap(), name);
                level
            })
            .collect();
        assert!(levels.is_sorted());
        for level in ReportLevel::ALL {
            assert_eq!(serde_json::to_value(level).unwrap(), level.to_string());
        }
    }
}

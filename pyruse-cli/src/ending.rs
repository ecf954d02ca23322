//! How a command ends.

use std::fmt;
use std::process::ExitCode;

/// The result of a command, which determines its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 0
    Good,
    /// 1: it failed, or found problems.
    Failed,
    /// 78 (`EX_CONFIG`): the configuration cannot be used.
    BadConfiguration,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Good => ExitCode::SUCCESS,
            Ending::Failed => ExitCode::FAILURE,
            Ending::BadConfiguration => ExitCode::from(78),
        }
    }
}

/// A command line that the parser accepted, but that makes no sense.
#[derive(Debug)]
pub(crate) struct WrongUsage {
    /// The command.
    pub(crate) command: &'static str,
    /// What is wrong.
    pub(crate) what: &'static str,
}

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for WrongUsage {}

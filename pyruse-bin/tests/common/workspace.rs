//! A directory with a configuration, in which commands that change nothing are run for their output.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A directory with a configuration.
pub struct Workspace {
    pub directory: tempfile::TempDir,
}

impl Workspace {
    pub fn new(config: &str) -> Workspace {
        let workspace = Workspace { directory: tempfile::tempdir().unwrap() };
        fs::write(workspace.path("pyruse.json"), config).unwrap();
        workspace
    }

    pub fn with_actions(actions: &serde_json::Value) -> Workspace {
        Workspace::new(&serde_json::json!({"actions": actions, "storage": "state"}).to_string())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
        command.args(["--config", "pyruse.json"]).args(args).current_dir(self.directory.path());
        command.env_remove("JOURNAL_STREAM").env_remove("PYRUSE_EXTRA").env("TZ", "Europe/Paris");
        command.env_remove("COLUMNS").env_remove("NO_COLOR");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&str]) -> Printed {
        Printed::of(self.command(args).output().unwrap())
    }

    pub fn run_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Printed {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // A command that fails before it reads closes the pipe.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        Printed::of(child.wait_with_output().unwrap())
    }
}

/// The output of a command.
pub struct Printed {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

impl Printed {
    pub fn of(output: Output) -> Printed {
        Printed {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// Its standard output; fails if it did not succeed, or printed something on standard error.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!((self.err.as_str(), self.code), ("", Some(0)));
        self.out
    }
}

/// The whole output, for snapshots.
impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.out)?;
        if !self.err.is_empty() {
            write!(f, "--- standard error\n{}", self.err)?;
        }
        writeln!(f, "--- exit code {:?}", self.code)
    }
}

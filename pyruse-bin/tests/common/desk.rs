//! A directory with a configuration, and the program under test run there for its output: for commands that only look.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A directory with a configuration.
pub struct Desk {
    pub directory: tempfile::TempDir,
}

impl Desk {
    pub fn new(config: &str) -> Desk {
        let desk = Desk { directory: tempfile::tempdir().unwrap() };
        fs::write(desk.path("pyruse.json"), config).unwrap();
        desk
    }

    pub fn with_actions(actions: &serde_json::Value) -> Desk {
        Desk::new(&serde_json::json!({"actions": actions, "storage": "state"}).to_string())
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

    pub fn tell(&self, args: &[&str]) -> Told {
        Told::of(self.command(args).output().unwrap())
    }

    pub fn tell_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Told {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // Whoever is refused before it reads closes its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_ref());
        Told::of(child.wait_with_output().unwrap())
    }
}

/// What a command said.
pub struct Told {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

impl Told {
    pub fn of(output: Output) -> Told {
        Told {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// What it said, of a command that had to succeed without a word on standard error.
    #[track_caller]
    pub fn good(self) -> String {
        assert_eq!((self.err.as_str(), self.code), ("", Some(0)));
        self.out
    }
}

/// The whole, for snapshots.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.out)?;
        if !self.err.is_empty() {
            write!(f, "--- standard error\n{}", self.err)?;
        }
        writeln!(f, "--- exit code {:?}", self.code)
    }
}

//! The installed fail2ban, with a copy of its configuration that a test may change.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The version that the page has numbers for.
pub const VERSION: &str = "1.0.2";

/// Where the package has the logs for its own tests.
pub const SAMPLES: &str = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs";

/// The version that is installed.
pub fn version() -> String {
    let output = Command::new("fail2ban-client").arg("-V").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The page for those who come from fail2ban, as one line.
pub fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-fail2ban.md");
    fs::read_to_string(page).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A copy of the configuration of the package, with other jails.
pub struct Copy(TempDir);

impl Copy {
    /// `jails` is the text of `jail.local`; `LOGS` in it is the directory for logs.
    pub fn with(jails: &str) -> Copy {
        let copy = Copy(tempfile::tempdir().unwrap());
        let made = Command::new("cp").args(["-r", "/etc/fail2ban"]).arg(copy.directory()).status().unwrap();
        assert!(made.success(), "fail2ban is not installed: .ci/install test");
        // Debian enables a jail there.
        fs::remove_dir_all(copy.directory().join("jail.d")).unwrap();
        fs::create_dir(copy.logs()).unwrap();
        let jails = jails.replace("LOGS", copy.logs().to_str().unwrap());
        fs::write(copy.directory().join("jail.local"), jails).unwrap();
        copy
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn directory(&self) -> PathBuf {
        self.path("fail2ban")
    }

    pub fn logs(&self) -> PathBuf {
        self.path("logs")
    }

    /// Imports it; returns what is printed, and the exit code.
    pub fn import(&self, out: &Path, more: &[&str]) -> (String, Option<i32>) {
        let directory = self.directory();
        let args = ["import", "fail2ban", directory.to_str().unwrap(), "--output", out.to_str().unwrap()];
        pyruse(&[&args, more].concat())
    }
}

/// Runs the program; returns what it prints, and the exit code.
pub fn pyruse(args: &[&str]) -> (String, Option<i32>) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_pyruse")).args(args).env("COLUMNS", "200").output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

/// The members of `sources`, in a file that has comments.
pub fn sources(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("fail2ban.json")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let whole: Value = serde_json::from_str(&lines.join("\n")).unwrap();
    whole["sources"].clone()
}

/// Runs nft in a network namespace of its own.
pub fn nft(args: &[&str]) {
    let output = Command::new("unshare").args(["-n", "/usr/sbin/nft"]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// fail2ban itself, in a network namespace of its own; it ends when this is dropped.
pub struct Server<'c>(&'c Copy);

impl Server<'_> {
    pub fn start<'c>(copy: &'c Copy, database: Option<&Path>) -> Server<'c> {
        Server::start_logging(copy, database, &copy.path("fail2ban.log"))
    }

    /// The same, with the file that it logs to.
    pub fn start_logging<'c>(copy: &'c Copy, database: Option<&Path>, log: &Path) -> Server<'c> {
        let path = |name: &str| copy.path(name).display().to_string();
        let settings = format!(
            "[Definition]\nlogtarget = {}\nsocket = {}\npidfile = {}\ndbfile = {}\n",
            log.display(),
            path("socket"),
            path("pid"),
            database.map_or("None".into(), |path| path.display().to_string())
        );
        fs::write(copy.directory().join("fail2ban.local"), settings).unwrap();
        let server = Server(copy);
        server.ask(&["start"]);
        server
    }

    /// Asks it something, or to start.
    pub fn ask(&self, words: &[&str]) {
        assert!(self.client().args(words).status().unwrap().success(), "fail2ban-client {words:?}");
    }

    fn client(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["-n", "fail2ban-client", "-c"]).arg(self.0.directory()).env("TZ", "UTC");
        command.arg("-s").arg(self.0.path("socket")).arg("-p").arg(self.0.path("pid"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.client().arg("stop").status();
    }
}

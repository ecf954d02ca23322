//! Tests of the source in the program: the real daemon and the real commands, on a spool of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use pyruse_core::config::ModuleKind;
use pyruse_core::plugin::{Registry, run_examples};
use pyruse_spool as _;

/// A directory with a spool, a configuration that mails each entry, and a mailbox.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let site = Site(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&site.0);
        fs::create_dir_all(site.path("spool")).unwrap();
        fs::set_permissions(site.path("spool"), PermissionsExt::from_mode(0o755)).unwrap();
        site.configure(&format!(r#"{{"directory": {:?}}}"#, site.path("spool")));
        site
    }

    fn configure(&self, args: &str) {
        let (state, mails) = (self.path("state"), self.path("mails"));
        let config = format!(
            r#"{{
    "sources": {{"honeypot": {{"source": "source_spool", "args": {args}}}}},
    "actions": {{"all": [
        {{"action": "action_email", "args": {{"message": "{{_SOURCE}} {{ADDRESS}} {{PORT:05}} {{_UID}}"}}}}
    ]}},
    "storage": {state:?},
    "email": {{"to": ["root"], "maxPerHour": 0, "sendmail": ["sh", "-c", "grep ^honeypot >>{}"]}}
}}"#,
            mails.display()
        );
        fs::write(self.path("pyruse.json"), config).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes an entry as the honeypot does.
    fn spool(&self, name: &str, fields: &str) {
        let hidden = self.path("spool").join(format!(".{name}"));
        fs::write(&hidden, fields).unwrap();
        fs::rename(hidden, self.path("spool").join(name)).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse-spool"));
        command.arg("--config").arg(self.path("pyruse.json")).args(args);
        command.env("TZ", "UTC").env("COLUMNS", "500").env_remove("JOURNAL_STREAM");
        command
    }

    fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts the daemon.
    fn start(&self) -> Daemon {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        Daemon(self.command(&["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Waits until the file has this many lines.
    fn wait_for(&self, file: &str, lines: usize) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.read(file).lines().count() < lines {
            assert!(Instant::now() < end, "{}: {}", self.read(file), self.read("log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_default()
    }
}

/// A running daemon; killed when dropped.
struct Daemon(Child);

impl Daemon {
    fn terminate(mut self) {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_daemon_reads_each_file_once_and_continues_where_it_stopped() {
    let site = Site::new("daemon");
    site.spool("1795000000000000", "ADDRESS=192.0.2.1\nPORT=22\n");
    // The first start reads what comes from then on.
    let daemon = site.start();
    site.wait_for("log", 2);
    site.spool("1795000001000000-a", "ADDRESS=192.0.2.2\nPORT=22\n");
    site.wait_for("mails", 1);
    daemon.terminate();
    // While it is down, one comes at the same microsecond, and another one later.
    site.spool("1795000001000000-b", "ADDRESS=192.0.2.3\nPORT=23\n");
    site.spool("1795000002000000", "ADDRESS=192.0.2.4\nPORT=23\n");
    let daemon = site.start();
    site.wait_for("mails", 3);
    daemon.terminate();
    assert_eq!(
        site.read("mails"),
        "honeypot 192.0.2.2 00022 None\nhoneypot 192.0.2.3 00023 None\nhoneypot 192.0.2.4 00023 None\n"
    );
    let status = site.output(&["status", "--json"]);
    assert!(text(&status.stdout).contains(r#""cursor":"1795000002000000""#), "{status:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_counted_once() {
    let site = Site::new("too-large");
    let daemon = site.start();
    site.wait_for("log", 2);
    site.spool("1795000000000000", "ADDRESS=192.0.2.1\nPORT=22\n");
    // It is the last one: each listing sees it, once a second.
    site.spool("1795000001000000", &"x".repeat(300_000));
    site.wait_for("mails", 1);
    site.wait_for("log", 3);
    let listings = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < listings {
        std::thread::sleep(Duration::from_millis(100));
    }
    let status = site.output(&["status", "--json"]);
    assert!(text(&status.stdout).contains(r#""count":1,"#), "{status:?}");
    daemon.terminate();
    assert_eq!(site.read("log").matches("passed over").count(), 1, "{}", site.read("log"));
}

#[test]
fn a_replay_reads_all_files_in_the_order_of_their_names_and_takes_no_field_that_it_must_not_have() {
    let site = Site::new("replay");
    site.spool("1795000001000000", "ADDRESS=192.0.2.2\nPORT=23\n_UID=0\n_SOURCE=journal\nno field\n");
    site.spool("1795000000000000", "PORT=22\nADDRESS=192.0.2.1");
    site.spool("1795000000500000", &"x".repeat(300_000));
    site.spool("README", "ADDRESS=192.0.2.3\nPORT=24\n");
    let output = site.output(&["replay", "--json"]);
    let bodies =
        text(&output.stdout).split("\"body\":\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert_eq!(
        bodies.collect::<Vec<_>>(),
        ["honeypot 192.0.2.1 00022 None", "honeypot 192.0.2.2 00023 None"]
    );
    assert_eq!(
        text(&output.stderr),
        " WARN 1 file is passed over, written at 2026-11-18 11:06:40+00:00: unreadable, or too large\n"
    );
}

#[test]
fn the_example_has_no_error_and_no_warning() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("pyruse.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse-spool"));
    let output = command.arg("check").arg(config).env("COLUMNS", "500").output().unwrap();
    assert!(text(&output.stdout).ends_with(": 3 chains, 5 steps; 0 errors, 0 warnings\n"), "{output:?}");
}

#[test]
fn mistakes_are_reported() {
    let site = Site::new("mistakes");
    site.configure(r#"{"directory": "spool"}"#);
    let output = site.output(&["check"]);
    let errors = text(&output.stderr);
    assert!(errors.starts_with("error: this path is relative\n --> "), "{errors}");
    assert!(errors.contains(":2:78\n"), "{errors}");
    // A spool in which others can write: everybody could have every address banned.
    let site = Site::new("writable");
    fs::set_permissions(site.path("spool"), PermissionsExt::from_mode(0o777)).unwrap();
    let refusal = "spool: not only its owner may write there: chmod go-w";
    for command in [&["run"][..], &["check", "--live"]] {
        let output = site.output(command);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(refusal), "{output:?}");
    }
}

#[test]
fn all_examples_have_their_stated_outcome() {
    let registry = Registry::linked().unwrap();
    assert!(registry.plugin(ModuleKind::Source, "source_spool").is_some());
    assert_eq!(run_examples(&registry), [] as [String; 0]);
}

//! A journald that writes at full speed, the system's journal and a user's in turn, and is rotated meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use pyruse_core::plugin::Begin;

use super::*;

/// A user whose entries have a file of their own.
const USER: &str = "1000";

struct Journald {
    namespace: String,
    child: Child,
}

impl Journald {
    fn start() -> Journald {
        let namespace = format!("pyrsplit{}", std::process::id());
        fs::create_dir_all("/var/log/journal").unwrap();
        let conf = "[Journal]\nStorage=persistent\nSplitMode=uid\nRateLimitIntervalSec=0\nSystemMaxUse=2G\nSystemKeepFree=64M\n\
                    ForwardToSyslog=no\nForwardToWall=no\nForwardToConsole=no\nForwardToKMsg=no\n";
        fs::write(format!("/etc/systemd/journald@{namespace}.conf"), conf).unwrap();
        let child = Command::new("unshare")
            .args(["--net", "/lib/systemd/systemd-journald", &namespace])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journald is needed");
        let journald = Journald { namespace, child };
        let until = Instant::now() + Duration::from_secs(60);
        while !Path::new(&journald.socket()).exists() || journald.directory().is_none() {
            assert!(Instant::now() < until, "journald does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        journald
    }

    fn socket(&self) -> String {
        format!("/run/systemd/journal.{}/dev-log", self.namespace)
    }

    fn directory(&self) -> Option<PathBuf> {
        let mut all = fs::read_dir("/var/log/journal").unwrap().map(|entry| entry.unwrap().path());
        all.find(|path| path.to_string_lossy().ends_with(&format!(".{}", self.namespace)))
    }

    /// A program of that user that logs these lines.
    fn log(&self, user: &str, text: String) -> std::thread::JoinHandle<()> {
        let mut child = Command::new("setpriv")
            .args([
                &format!("--reuid={user}"),
                "--clear-groups",
                "logger",
                "--tag",
                "prog",
                "--socket",
                &self.socket(),
            ])
            .stdin(Stdio::piped())
            .spawn()
            .expect("setpriv and logger are needed");
        std::thread::spawn(move || {
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        })
    }

    fn journalctl(&self, arg: &str) {
        let mut command = Command::new("journalctl");
        assert!(command.arg(format!("--namespace={}", self.namespace)).arg(arg).status().unwrap().success());
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(format!("/etc/systemd/journald@{}.conf", self.namespace));
        let _ = fs::remove_dir_all(format!("/run/systemd/journal.{}", self.namespace));
        if let Some(directory) = self.directory() {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

#[test]
fn two_files_that_are_written_in_turn_are_read_once_and_no_number_is_taken_for_lost() {
    let journald = Journald::start();
    let lines = 3000;
    let text = |of: &str| {
        let lines: Vec<_> = (0..lines).map(|n| format!("line {n} of {of}")).collect();
        lines.join("\n") + "\n"
    };
    let settings = of_directory(&journald.directory().unwrap());
    let mut reader = opened(&settings, Begin::Head);
    let writers = [journald.log("0", text("root")), journald.log(USER, text("the user"))];
    let is_line = |read: &&Read| read.fields.iter().any(|field| field.starts_with(b"MESSAGE=line "));
    let (mut all, mut found, mut restarts) = (Vec::new(), 0, 0);
    let until = Instant::now() + Duration::from_secs(120);
    while found < 2 * lines {
        assert!(Instant::now() < until, "{found} lines; {:?}", losses(&mut reader));
        let new = rest(&mut reader);
        found += new.iter().filter(is_line).count();
        all.extend(new);
        if found / 1000 > restarts {
            restarts += 1;
            journald.journalctl("--rotate");
            assert_eq!(losses(&mut reader), []);
            // As after a kill.
            let position = reader.position();
            reader = opened(&settings, Begin::Behind(&position));
        }
    }
    for writer in writers {
        writer.join().unwrap();
    }
    journald.journalctl("--sync");
    all.extend(rest(&mut reader));
    assert_eq!(losses(&mut reader), []);
    let is_split = fs::read_dir(journald.directory().unwrap()).unwrap().flatten();
    assert!(is_split.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("user-")));
    let by_cursor = |mut all: Vec<Read>| {
        all.sort_unstable_by(|one, other| one.cursor.cmp(&other.cursor));
        all
    };
    assert_same(&by_cursor(all), &by_cursor(by_libsystemd(&settings)), "live");
}

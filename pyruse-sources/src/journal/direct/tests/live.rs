//! A journald that writes at full speed, the system's journal and a user's in turn, and is rotated meanwhile.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
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
    /// `mode`: whether users have files of their own.
    fn start(mode: &str) -> Journald {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("pyrsplit{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir_all("/var/log/journal").unwrap();
        let conf = format!(
            "[Journal]\nStorage=persistent\nSplitMode={mode}\nRateLimitIntervalSec=0\nSystemMaxUse=2G\n\
             SystemKeepFree=64M\nForwardToSyslog=no\nForwardToWall=no\nForwardToConsole=no\nForwardToKMsg=no\n"
        );
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

    /// Its entries, as far as they are in files.
    fn written(&self) -> Vec<Read> {
        self.journalctl("--sync");
        by_libsystemd(&of_directory(&self.directory().unwrap()))
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
    let journald = Journald::start("uid");
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

/// Up to systemd 252, the files of one journald share numbers, but not the identifier of the sequence.
#[test]
fn what_a_user_logs_between_two_entries_of_the_system_is_not_missing_however_far_apart_they_are() {
    let journald = Journald::start("uid");
    let settings = of_directory(&journald.directory().unwrap());
    let mut reader = opened(&settings, Begin::Head);
    let log = |user: &str, count| {
        journald.log(user, lines(count, user)).join().unwrap();
        journald.journalctl("--sync");
    };
    log("0", 3);
    for _ in 0..2 {
        log(USER, 20);
        assert!(!rest(&mut reader).is_empty());
        // Times of different files may differ by a second.
        std::thread::sleep(Duration::from_millis(1500));
        log("0", 3);
        assert!(!rest(&mut reader).is_empty());
    }
    let until = Instant::now() + Duration::from_secs(60);
    while reader.are_holes_open() {
        assert!(Instant::now() < until);
        reader.tend(true);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(losses(&mut reader), []);
}

fn lines(count: u64, of: &str) -> String {
    (0..count).fold(String::new(), |text, n| text + &format!("line {n} of {of}\n"))
}

#[test]
fn in_a_backlog_a_file_that_was_rotated_since_it_was_looked_at_is_read_before_the_next_one() {
    let journald = Journald::start("none");
    let log = |count, of: &str| {
        journald.log("0", lines(count, of)).join().unwrap();
        journald.journalctl("--sync");
    };
    log(3000, "the backlog");
    let settings = of_directory(&journald.directory().unwrap());
    let mut reader = opened(&settings, Begin::Head);
    let mut all = Vec::new();
    while all.len() < 10 {
        let Next::Record(time) = reader.next().unwrap() else { panic!("there are {} entries", all.len()) };
        all.push(read(&mut reader, time.0));
    }
    // More than what is read between two looks at the directory is still to be read.
    log(200, "the same file");
    for file in ["a second file", "a third file"] {
        journald.journalctl("--rotate");
        log(200, file);
    }
    all.extend(rest(&mut reader));
    assert_eq!(losses(&mut reader), []);
    assert_same(&all, &by_libsystemd(&settings), "backlog");
}

/// The numbers of entries, in order.
fn numbers(read: &[Read]) -> Vec<u64> {
    let number = |read: &Read| {
        let (_, rest) = read.cursor.as_ref().unwrap().split_once(";i=").unwrap();
        u64::from_str_radix(rest.split(';').next().unwrap(), 16).unwrap()
    };
    let mut numbers: Vec<_> = read.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn what_is_deleted_while_it_is_not_read_is_counted_and_all_else_is_read_once() {
    let journald = Journald::start("none");
    let settings = of_directory(&journald.directory().unwrap());
    let mut reader = opened(&settings, Begin::Head);
    let mut all = Vec::new();
    for round in 0..6 {
        journald.log("0", lines(500, &round.to_string())).join().unwrap();
        journald.journalctl("--sync");
        // It lags: some entries of each file are read, and then the file is deleted.
        for _ in 0..200 {
            if let Next::Record(time) = reader.next().unwrap() {
                all.push(read(&mut reader, time.0));
            }
        }
        journald.journalctl("--rotate");
        if round % 2 == 1 {
            journald.journalctl("--vacuum-files=1");
            let position = reader.position();
            reader = opened(&settings, Begin::Behind(&position));
        }
    }
    journald.log("0", lines(5, "the end")).join().unwrap();
    journald.journalctl("--sync");
    // A reader that was started again counts only what it has missed itself.
    let before = losses(&mut reader);
    assert_eq!(before, []);
    all.extend(rest(&mut reader));
    let numbers = numbers(&all);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "a number was read twice");
    let missing = numbers.last().unwrap() + 1 - numbers[0] - numbers.len() as u64;
    assert!(missing > 500, "{missing} are missing: this tests nothing");
    assert!(all.len() >= 1200, "{} were read", all.len());
}

#[test]
fn between_entries_of_users_that_are_not_read_only_what_was_deleted_is_missing() {
    let journald = Journald::start("uid");
    let scope = Some(crate::journal::settings::Scope::System);
    let settings = JournalSettings { scope, ..of_directory(&journald.directory().unwrap()) };
    let mut reader = opened(&settings, Begin::Head);
    let settle = |reader: &mut FilesReader| {
        let until = Instant::now() + Duration::from_secs(60);
        while reader.are_holes_open() {
            assert!(Instant::now() < until);
            reader.tend(true);
            std::thread::sleep(Duration::from_millis(20));
        }
        losses(reader)
    };
    for n in 0..20 {
        for user in ["0", USER] {
            journald.log(user, format!("line {n} of {user}\n")).join().unwrap();
        }
    }
    journald.journalctl("--sync");
    let read = rest(&mut reader);
    assert!(numbers(&read).windows(2).any(|pair| pair[0] + 1 < pair[1]), "no user's entries were between");
    assert_eq!(settle(&mut reader), []);
    // A file that was not read is deleted.
    let position = reader.position();
    let before = journald.written().len() as u64;
    journald.log("0", lines(300, "root")).join().unwrap();
    let deleted = journald.written().len() as u64 - before;
    let is_archive = |path: &PathBuf| path.to_string_lossy().contains("system@");
    journald.journalctl("--rotate");
    for file in fs::read_dir(journald.directory().unwrap()).unwrap().map(|file| file.unwrap().path()) {
        if is_archive(&file) {
            fs::remove_file(file).unwrap();
        }
    }
    for user in [USER, "0"] {
        journald.log(user, format!("the last line of {user}\n")).join().unwrap();
    }
    journald.journalctl("--sync");
    let mut reader = opened(&settings, Begin::Behind(&position));
    assert!(!rest(&mut reader).is_empty());
    assert_eq!(settle(&mut reader), [("missingAtMost".to_owned(), deleted)]);
}

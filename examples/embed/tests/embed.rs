//! Tests of the whole program: entries in, effects out, and a state that survives any end of the program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A new directory with the configuration of the example.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("pyruse.json"), include_str!("../pyruse.json")).unwrap();
        Site(directory)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embed"));
        command.args(["pyruse.json", "state.sqlite"]).current_dir(&self.0).env("TZ", "UTC");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program on these lines until it exits.
    fn run(&self, lines: &str) -> Output {
        let mut child = self.command().spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn announcements(&self) -> String {
        fs::read_to_string(self.0.join("announcements.jsonl")).unwrap_or_default()
    }
}

fn entry(minute: i64, user: &str) -> String {
    let time = 1_795_000_000_000_000 + minute * 60_000_000;
    let fields = format!(r#""__CURSOR":"c{minute}","__REALTIME_TIMESTAMP":"{time}","MESSAGE":"hello""#);
    if user.is_empty() { format!("{{{fields}}}\n") } else { format!("{{{fields},\"USER\":\"{user}\"}}\n") }
}

fn texts(output: &Output) -> [&str; 2] {
    [&output.stdout, &output.stderr].map(|bytes| std::str::from_utf8(bytes).unwrap())
}

#[test]
fn effects_are_printed_and_delivered() {
    let site = Site::new("effects");
    let lines = [
        entry(0, "alice"),
        entry(1, "alice"),
        entry(2, ""),
        "not JSON\n".into(),
        r#"{"__REALTIME_TIMESTAMP":"1795000180000000","USER":[98,255,98],"MESSAGE":["one","two\nthree"]}"#
            .into(),
        "\n".into(),
        entry(60, "alice"),
    ];
    let output = site.run(&lines.concat());
    let [printed, errors] = texts(&output);
    assert!(output.status.success(), "{errors}");
    assert_eq!(
        printed,
        r#"{"effect":"custom","at":"2026-11-18T11:06:40.000000Z","cursor":"c0","chain":"who","step":1,"action":"action_announce","details":{"key":"alice","message":"alice is here: hello"}}
{"effect":"custom","at":"2026-11-18T11:09:40.000000Z","cursor":null,"chain":"who","step":1,"action":"action_announce","details":{"key":"bÿb","message":"bÿb is here: one, two\nthree"}}
{"effect":"custom","at":"2026-11-18T12:06:40.000000Z","cursor":"c60","chain":"who","step":1,"action":"action_announce","details":{"key":"alice","message":"alice is here: hello"}}
"#
    );
    assert_eq!(errors, "not an entry: expected ident at line 1 column 2\n");
    assert_eq!(
        site.announcements(),
        r#"{"message":"alice is here: hello","number":0}
{"message":"bÿb is here: one, two\nthree","number":1}
{"message":"alice is here: hello","number":2}
"#
    );
}

#[test]
fn nothing_is_lost_when_the_program_is_killed() {
    let site = Site::new("killed");
    // The courier's directory does not exist yet.
    let config =
        include_str!("../pyruse.json").replace("\"announcements.jsonl\"", "\"later/announcements.jsonl\"");
    fs::write(site.0.join("pyruse.json"), config).unwrap();
    let mut child = site.command().spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(entry(0, "alice").as_bytes()).unwrap();
    // An effect that is printed has been committed.
    let mut printed = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut printed).unwrap();
    assert!(printed.contains("alice is here"), "{printed}");
    child.kill().unwrap();
    child.wait().unwrap();

    fs::create_dir(site.0.join("later")).unwrap();
    let mut child = site.command().spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all([entry(1, "alice"), entry(2, "bob")].concat().as_bytes()).unwrap();
    // A delivery that failed is retried after a second; the two messages may come in any order.
    let file = site.0.join("later/announcements.jsonl");
    let end = Instant::now() + Duration::from_secs(60);
    let delivered = loop {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if text.lines().count() == 2 {
            break text;
        }
        assert!(Instant::now() < end, "only this was delivered: {text}");
        std::thread::sleep(Duration::from_millis(5));
    };
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let [printed, errors] = texts(&output);
    assert_eq!(errors, "stopped behind c0\n");
    // Alice was announced before, Bob was not.
    assert!(!printed.contains("alice") && printed.contains("bob is here"), "{printed}");
    let mut delivered: Vec<&str> = delivered.lines().collect();
    delivered.sort_unstable();
    assert_eq!(
        delivered,
        [
            r#"{"message":"alice is here: hello","number":0}"#,
            r#"{"message":"bob is here: hello","number":1}"#
        ]
    );
}

#[test]
fn errors_of_the_configuration_are_printed_with_their_places() {
    let site = Site::new("broken");
    let config = r#"{"actions": {"who": [{"filter": "filter_equals"}, {"action": "action_announce", "args": {
    "for": "USER", "mesage": "{USER", "onceInSeconds": "1h"}}]}, "announce": {"file": ""}}"#;
    fs::write(site.0.join("pyruse.json"), config).unwrap();
    let output = site.run("");
    let [printed, diagnostics] = texts(&output);
    assert_eq!((output.status.code(), printed), (Some(1), ""));
    // A long message continues below its first word.
    let diagnostics = diagnostics.replace("\n       ", " ");
    let errors: Vec<&str> = diagnostics.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(
        errors,
        [
            "error: there is no filter `filter_equals`",
            "error: missing from the arguments of `action_announce`: `message`",
            "error: `mesage` is not one of the arguments of `action_announce`",
            "error: `onceInSeconds`: must not be the text \"1h\", but a whole number, 0 or more",
            "error: announcements need a file name",
        ]
    );
    assert!(diagnostics.contains("= help: did you mean `message`?"), "{diagnostics}");
}

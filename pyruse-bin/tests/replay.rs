//! What `replay` says of past entries: in numbers, line by line, from every source, and when its input is no good.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{Journald, Site};
use serde_json::{Value, json};

const RULES: &str = include_str!("replay/rules.json");
const INPUT: &str = include_str!("replay/input.jsonl");

/// A directory with a configuration.
struct Workspace {
    directory: tempfile::TempDir,
}

impl Workspace {
    fn new(config: &str) -> Workspace {
        let workspace = Workspace { directory: tempfile::tempdir().unwrap() };
        fs::write(workspace.path("pyruse.json"), config).unwrap();
        workspace
    }

    fn with_actions(actions: &Value) -> Workspace {
        Workspace::new(&json!({"actions": actions}).to_string())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
        command.arg("--config").arg(self.path("pyruse.json")).arg("replay").args(args);
        command.current_dir(self.directory.path());
        command.env_remove("JOURNAL_STREAM").env_remove("PYRUSE_EXTRA").env("TZ", "Europe/Paris");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Replays that input.
    fn replay(&self, input: impl AsRef<[u8]>, args: &[&str]) -> Printed {
        fs::write(self.path("input"), input).unwrap();
        Printed::of(self.command(args).args(["--input", "input"]).output().unwrap())
    }
}

struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Printed {
    fn of(output: Output) -> Printed {
        Printed {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// The output without the line that differs in each run.
    fn summary(&self) -> String {
        let (first, rest) = self.out.split_once('\n').unwrap();
        let (entries, speed) = first.split_once(" in ").unwrap();
        assert!(speed.contains(" s (") && speed.ends_with("/s)"), "{first}");
        format!("{entries} in … s (…/s)\n{rest}")
    }
}

fn effects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An entry as a line of JSON, that many seconds after a fixed time.
fn line(seconds: i64, identifier: &str, message: &str) -> String {
    let time = (1_795_000_000 + seconds) * 1_000_000;
    let entry = json!({"__REALTIME_TIMESTAMP": time.to_string(), "SYSLOG_IDENTIFIER": identifier,
        "_HOSTNAME": "server", "MESSAGE": message});
    format!("{entry}\n")
}

#[test]
fn the_summary_shows_what_would_have_happened() {
    let printed = Workspace::new(RULES).replay(INPUT, &[]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
    insta::assert_snapshot!(printed.summary());
    let widths = printed.out.lines().map(unicode_width::UnicodeWidthStr::width);
    assert!(widths.max().unwrap() <= 80);
}

#[test]
fn spread_guessing_bans_all_addresses_also_those_before_the_threshold() {
    let workspace = Workspace::with_actions(&json!({
        "users": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<user>\\w+) fails from (?P<ip>\\S+)$"}},
            {"action": "action_counterRaise", "args": {"counter": "users", "for": "user", "distinct": "ip",
                "keepSeconds": 600, "save": "addresses", "saveValues": "guessing"}},
            {"filter": "filter_greaterOrEquals", "args": {"field": "addresses", "value": 4}},
            {"action": "action_nftBan", "args": {"IP": "guessing", "banSeconds": 3600,
                "nftSetIPv4": "inet pyruse mail_ban4", "nftSetIPv6": "inet pyruse mail_ban6"}},
            {"action": "action_log", "args": {"message": "{addresses}: {guessing}"}},
        ],
    }));
    let fails = |seconds, user: &str, ip: &str| line(seconds, "auth", &format!("{user} fails from {ip}"));
    // One that mistypes; and many, of which one is over when the fourth comes, and one is no address.
    let mut input: String = (0..6).map(|n| fails(n, "alice", "203.0.113.1")).collect();
    let guessing =
        [(0, "192.0.2.1"), (500, "192.0.2.2"), (550, "2001:db8::3"), (600, "nobody"), (650, "192.0.2.5")];
    for (seconds, ip) in guessing {
        input += &fails(seconds, "bob", ip);
    }
    let found = effects(&workspace.replay(input, &["--json"]).out);
    let banned: Vec<&str> = found.iter().filter_map(|effect| effect["ip"].as_str()).collect();
    assert_eq!(banned, ["192.0.2.2", "2001:db8::3", "192.0.2.5"]);
    let error = found.iter().find(|effect| effect["effect"] == "error").unwrap();
    assert_eq!(error["message"], "`nobody` is not an IP address: nothing is banned");
}

#[test]
fn the_summary_counts_lines_that_come_back() {
    let printed = Workspace::new(RULES).replay(INPUT, &["--feedback"]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
    insta::assert_snapshot!(printed.summary());
}

#[test]
fn the_summary_of_nothing_is_short() {
    let printed = Workspace::new(RULES).replay("", &[]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
    insta::assert_snapshot!(printed.summary());
}

#[test]
fn every_effect_is_a_line_of_json() {
    let printed = Workspace::new(RULES).replay(INPUT, &["--json"]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
    insta::assert_snapshot!(printed.out);
}

#[test]
fn lines_that_come_back_follow_the_entry_that_caused_them() {
    let printed = Workspace::new(RULES).replay(INPUT, &["--json", "--feedback"]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(0)));
    insta::assert_snapshot!(printed.out);
}

#[test]
fn a_line_that_is_read_again_has_the_fields_that_journald_would_add() {
    let fields = "PRIORITY SYSLOG_IDENTIFIER _TRANSPORT _UID _GID _COMM _EXE _SYSTEMD_UNIT _HOSTNAME \
                  __REALTIME_TIMESTAMP __MONOTONIC_TIMESTAMP __CURSOR MESSAGE";
    let shown: Vec<String> = fields.split(' ').map(|name| format!("{{{name}}}")).collect();
    let workspace = Workspace::with_actions(&json!({
        "first": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "pyruse"}, "else": "others"},
            {"action": "action_email", "args": {"message": shown.join(" ")}}
        ],
        "others": [{"action": "action_log", "args": {"level": "ERR", "message": "two\nlines: {MESSAGE}"}}],
    }));
    let entry = "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795000000450000\n__MONOTONIC_TIMESTAMP=7\n\
                 _HOSTNAME=server\n_UID=1000\n_PID=42\nSYSLOG_IDENTIFIER=x\nMESSAGE=m\n";
    let effects = effects(&workspace.replay(entry, &["--json", "--feedback"]).out);
    assert_eq!(effects.len(), 2);
    assert_eq!((&effects[0]["at"], &effects[0]["cursor"]), (&effects[1]["at"], &json!("s=1")));
    assert_eq!(effects[1]["cursor"], Value::Null);
    assert_eq!(
        effects[1]["body"],
        "3 pyruse journal 0 0 pyruse /usr/bin/pyruse pyruse.service server 2026-11-18 12:06:40.450000+01:00 7 None two\nlines: m"
    );
}

#[test]
fn all_lines_of_an_entry_are_written_before_the_first_is_read() {
    let workspace = Workspace::with_actions(&json!({
        "start": [
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "start"}, "else": "a"},
            {"action": "action_log", "args": {"message": "a"}},
            {"action": "action_log", "args": {"message": "b"}},
        ],
        "a": [
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "a"}, "else": "b"},
            {"action": "action_log", "args": {"message": "of a"}},
        ],
        "b": [
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "b"}},
            {"action": "action_log", "args": {"message": "of b"}},
        ],
    }));
    let input = line(0, "x", "start") + &line(1, "x", "b");
    let messages = |args: &[&str]| -> Vec<String> {
        let effects = effects(&workspace.replay(&input, args).out);
        effects.iter().map(|effect| effect["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(messages(&["--json", "--feedback"]), ["a", "b", "of a", "of b", "of b"]);
    assert_eq!(messages(&["--json"]), ["a", "b", "of b"]);
}

#[test]
fn a_line_that_logs_itself_is_cut_off_and_reported_once_per_entry() {
    let once = Workspace::with_actions(
        &json!({"loop": [{"action": "action_log", "args": {"message": "x{MESSAGE}"}}]}),
    );
    let found = effects(&once.replay(line(0, "x", "") + &line(1, "x", ""), &["--json", "--feedback"]).out);
    let of_one: Vec<_> = found[..found.len() / 2].iter().collect();
    assert_eq!((of_one.len(), &of_one[16]["message"]), (18, &json!("x".repeat(17))));
    assert_eq!(
        of_one[17].to_string(),
        json!({"effect": "error", "at": "2026-11-18T11:06:40.000000Z", "cursor": null, "chain": "loop", "step": 0,
            "message": "this line is not read as an entry: it is line 17 of a series caused by one entry"})
        .to_string()
    );
    let step = json!({"action": "action_log", "args": {"message": "x"}});
    let tenfold = Workspace::with_actions(&json!({"loop": vec![step; 10]}));
    let found = effects(&tenfold.replay(line(0, "x", ""), &["--json", "--feedback"]).out);
    let errors: Vec<_> = found.iter().filter(|effect| effect["effect"] == "error").collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["message"], "this line is not read as an entry: one entry has caused 1000 lines");
    assert_eq!(found.len(), 1001 * 10 + 1);
}

#[test]
fn effects_before_a_broken_line_are_shown_and_the_exit_code_is_a_failure() {
    let workspace = Workspace::new(RULES);
    let good = line(0, "sshd", "hello");
    for (input, message) in [
        (
            format!("{good}{{\"MESSAGE\": \n{good}"),
            "line 2, column 12: EOF while parsing a value (one complete object per line, as `journalctl -o json` writes)",
        ),
        (
            format!("{good}\n\n{}", &good[..20]),
            "line 4, column 20: EOF while parsing a string (one complete object per line, as `journalctl -o json` writes)",
        ),
        (
            "SYSLOG_IDENTIFIER=sshd\nMESSAGE=x\n\nno field\n".to_owned(),
            "byte 34: the input ends within this field",
        ),
    ] {
        let printed = workspace.replay(&input, &["--json"]);
        assert_eq!((effects(&printed.out).len(), printed.code), (1, Some(1)), "{input}");
        assert!(printed.err.starts_with(&format!("pyruse: input: {message}")), "{}", printed.err);
        let printed = workspace.replay(&input, &[]);
        assert!(printed.out.starts_with("1 entry in "), "{}", printed.out);
        assert_eq!(printed.code, Some(1));
    }
}

#[test]
fn input_that_cannot_be_read_is_a_failure_without_a_summary() {
    let workspace = Workspace::new(RULES);
    fs::write(workspace.path("file.journal"), "LPKSHHRH and no more").unwrap();
    for (args, message) in [
        (["--input", "nowhere"], "pyruse: nowhere: No such file or directory (os error 2)\n"),
        (["--input", "."], "pyruse: .: Is a directory (os error 21)\n"),
        (["--input", "file.journal"], "pyruse: file.journal: this is a journal file: read it with --file\n"),
        (["--file", "nowhere"], "pyruse: nowhere: No such file or directory (os error 2)\n"),
        (
            ["--directory", "nowhere"],
            "pyruse: opening the journal in nowhere: No such file or directory (os error 2)\n",
        ),
    ] {
        let printed = Printed::of(workspace.command(&args).output().unwrap());
        assert_eq!(
            (printed.out.as_str(), printed.err.as_str(), printed.code),
            ("", message, Some(1)),
            "{args:?}"
        );
    }
}

#[test]
fn a_range_that_ends_before_it_begins_is_wrong_usage() {
    let workspace = Workspace::new(RULES);
    let printed = workspace.replay(INPUT, &["--since", "2026-11-19", "--until", "2026-11-18"]);
    assert_eq!(
        (printed.out.as_str(), printed.err.lines().next(), printed.code),
        ("", Some("error: --since is later than --until: there is nothing between them"), Some(2))
    );
    assert!(printed.err.contains("Usage: pyruse replay "), "{}", printed.err);
    // Both ends are within.
    let printed = workspace.replay(line(5, "x", ""), &["--since", "@1795000005", "--until", "@1795000005"]);
    assert!(printed.out.starts_with("1 entry in "), "{}", printed.out);
}

#[test]
fn only_entries_within_the_range_count_in_any_order() {
    let workspace =
        Workspace::with_actions(&json!({"a": [{"action": "action_log", "args": {"message": "{MESSAGE}"}}]}));
    let input: String = [5, 1, 9, 3, 7].map(|at| line(at, "x", &at.to_string())).concat();
    let printed = workspace.replay(input, &["--json", "--since", "@1795000003", "--until", "@1795000007"]);
    let messages: Vec<_> = effects(&printed.out).iter().map(|effect| effect["message"].clone()).collect();
    assert_eq!(messages, ["5", "3", "7"]);
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let workspace =
        Workspace::with_actions(&json!({"a": [{"action": "action_log", "args": {"message": "{MESSAGE}"}}]}));
    let lines: String = (0..20_000).map(|at| line(at, "x", "a message of some length")).collect();
    fs::write(workspace.path("input"), lines).unwrap();
    let mut child = workspace.command(&["--json", "--input", "input"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    drop(out);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str(), effects(&first).len()), (Some(0), "", 1));
}

#[test]
fn standard_input_is_an_input_too() {
    let workspace = Workspace::new(RULES);
    let mut child = workspace.command(&["--json", "--input", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(INPUT.as_bytes()).unwrap();
    let printed = Printed::of(child.wait_with_output().unwrap());
    assert_eq!((printed.out, printed.code), (workspace.replay(INPUT, &["--json"]).out, Some(0)));
}

/// What every odd entry looks like to a rule.
fn show_all() -> Value {
    json!({"all": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "odd"}},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(?s)^(?P<head>.{0,30})"}, "else": "without"},
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(?s)(?P<tail>.?.?.?)\\Z"}},
        {"action": "action_log", "args": {
            "message": "{PRIORITY} {head!r} {tail!r} {REPEATED!r} {BINARY!r} {__MONOTONIC_TIMESTAMP} {_BOOT_ID} {_TRANSPORT}"}},
        {"filter": "filter_in", "args": {"field": "REPEATED", "values": ["two"]}},
        {"action": "action_email", "args": {"message": "{__CURSOR} {__REALTIME_TIMESTAMP}"}},
    ], "without": [
        {"action": "action_counterRaise", "args": {"counter": "c", "for": "REPEATED"}},
    ]})
}

fn write_odd_entries(journald: &Journald) {
    // Longer than what is kept of a field; together less than what fits into a datagram.
    let huge = "ä".repeat(40_000);
    let huge_binary = vec![0xe4; 80_000];
    let odd: [&[(&str, &[u8])]; 14] = [
        &[("MESSAGE", b"ordinary")],
        &[("MESSAGE", b"")],
        &[("PRIORITY", b"6")],
        &[("MESSAGE", b"two\nlines\n\nand\tmore\r\n"), ("PRIORITY", b"3")],
        &[("MESSAGE", b"caf\xe9 \xff\0\x01"), ("PRIORITY", b"six")],
        &[("MESSAGE", b"\xff")],
        &[("MESSAGE", b"\x07")],
        &[("MESSAGE", "\u{1b}[31m \u{202e}日本 \"quoted\" \\ / 😀 \u{7f}\u{80}".as_bytes())],
        &[("MESSAGE", b"r"), ("REPEATED", b"one"), ("REPEATED", b"two"), ("REPEATED", b"")],
        &[("MESSAGE", b"rb"), ("REPEATED", b"\xff\xfe"), ("REPEATED", b"two"), ("REPEATED", b"\0")],
        &[
            ("MESSAGE", b"one"),
            ("MESSAGE", b"two"),
            ("BINARY", b"\0\x01\x02"),
            ("PRIORITY", b"1"),
            ("PRIORITY", b"2"),
        ],
        &[("MESSAGE", huge.as_bytes()), ("BINARY", &huge_binary)],
        &[("BINARY", huge.as_bytes()), ("MESSAGE", &huge_binary)],
        &[("MESSAGE", b"x"), ("REPEATED", b"two"), ("REPEATED", huge.as_bytes()), ("REPEATED", &huge_binary)],
    ];
    for fields in odd {
        journald.write(&[&[("SYSLOG_IDENTIFIER", b"odd".as_slice())], fields].concat());
    }
}

#[test]
fn the_journal_and_both_of_its_written_forms_say_the_same() {
    let journald = Journald::start();
    write_odd_entries(&journald);
    journald.sync();
    let workspace = Workspace::with_actions(&show_all());
    let directory = journald.directory();
    let written = |args: &[&str]| {
        let output = Command::new("journalctl")
            .arg(format!("--namespace={}", journald.namespace))
            .args(["-q", "--all"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    };
    let journal =
        workspace.command(&["--json", "--directory", &directory.display().to_string()]).output().unwrap();
    let journal = Printed::of(journal);
    let files =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // By their bare names.
    let mut command = workspace.command(&["--json", "--file"]);
    let files = Printed::of(command.args(files).current_dir(&directory).output().unwrap());
    assert_eq!((files.err.as_str(), &files.out), ("", &journal.out));
    let json = workspace.replay(written(&["-o", "json"]), &["--json"]);
    let export = workspace.replay(written(&["-o", "export"]), &["--json"]);
    assert_eq!((journal.err.as_str(), json.err.as_str(), export.err.as_str()), ("", "", ""));
    assert_eq!(journal.out, export.out);
    assert_eq!(journal.out, json.out);
    let found = effects(&journal.out);
    let kinds = |kind: &str| found.iter().filter(|effect| effect["effect"] == kind).count();
    assert_eq!((kinds("log"), kinds("email"), kinds("error")), (13, 3, 1), "{}", journal.out);
    assert!(journal.out.contains(r"six 'café ÿ\\x00\\x01'"), "{}", journal.out);
}

#[test]
fn a_dry_run_prints_what_a_replay_does() {
    let journald = Journald::start();
    write_odd_entries(&journald);
    journald.sync();
    let site = Site::new();
    site.configure(&journald, &show_all());
    let replay = site.pyruse(None, &["replay", "--json"]);
    let expected = String::from_utf8(replay.stdout).unwrap();
    let mut child = site
        .command(None, &["run", "--dry-run", "--json", "--since", "@0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    for _ in 0..expected.lines().count() {
        out.read_line(&mut printed).unwrap();
    }
    assert_eq!(printed, expected);
    common::run(Command::new("kill").arg(child.id().to_string()));
    out.read_to_string(&mut printed).unwrap();
    assert_eq!((printed, child.wait().unwrap().code()), (expected, Some(0)));
    assert!(!site.path("state").exists());
}

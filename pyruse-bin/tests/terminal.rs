//! What a person sees at a terminal: lines as wide as it is, colours unless they are refused, local times with their
//! zone, the page of a finding, and errors about missing permissions.

mod common;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::workspace::{Printed, Workspace};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// Rules with something to say about them, in lines of any length.
fn doubtful() -> String {
    let long = "x".repeat(300);
    format!(
        r#"{{"actions": {{
    "a chain with a name that is rather long, and with 日本語 in it": [
        {{"filter": "filter_pcre", "args": {{"field": "MESSAGE", "re": "Failed .* from (?P<thatIP>\\S+) {long}"}}}},
        {{"filter": "filter_equals", "args": {{"field": "PRIORITY", "value": "3"}}}},
        {{"action": "action_nftBan", "args": {{"IP": "thatIP", "nftSetIPv4": "ip filter {long}", "nftSetIPv6": "ip6 filter ban"}}}}
    ]
}}, "storrage": "somewhere"}}"#
    )
}

/// No line is wider, but for the place of a finding, which is one word.
fn fits(text: &str, columns: usize) {
    for line in text.lines().filter(|line| !line.trim_start().starts_with("--> ")) {
        assert!(line.width() <= columns, "{columns}: {} columns: {line}", line.width());
    }
}

#[test]
fn findings_fit_any_width() {
    for config in [&doubtful(), include_str!("check/mistakes.json"), include_str!("check/unreachable.json")] {
        let workspace = Workspace::new(config);
        for columns in [40, 60, 80, 120, 200] {
            let output = workspace.command(&["check"]).env("COLUMNS", columns.to_string()).output().unwrap();
            fits(&Printed::of(output).err, columns);
        }
        // Output that is not a terminal is as wide as a page.
        fits(&workspace.run(&["check"]).err, 80);
    }
    let wide = Workspace::new(&doubtful()).command(&["check"]).env("COLUMNS", "200").output().unwrap();
    assert!(Printed::of(wide).err.lines().any(|line| line.width() > 120));
}

/// The output of a command on a real terminal with this many columns.
fn on_terminal(workspace: &Workspace, columns: usize, command: &str, environment: &[(&str, &str)]) -> String {
    let program = env!("CARGO_BIN_EXE_pyruse");
    let line = format!("stty cols {columns} rows 50; exec {program} --config pyruse.json {command}");
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(workspace.directory.path()).stdin(Stdio::null());
    script.env_remove("COLUMNS").env_remove("NO_COLOR").env("TERM", "xterm").env("TZ", "Europe/Paris");
    script.env_remove("JOURNAL_STREAM").envs(environment.iter().copied());
    String::from_utf8(script.output().unwrap().stdout).unwrap().replace("\r\n", "\n")
}

/// Without colours.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn the_width_is_the_terminals() {
    let workspace = Workspace::new(&doubtful());
    for columns in [40, 80, 200] {
        let shown = plain(&on_terminal(&workspace, columns, "check", &[]));
        assert!(shown.contains("P011"), "{shown}");
        fits(&shown, columns);
        if columns == 200 {
            assert!(shown.lines().any(|line| line.width() > 120), "{shown}");
        }
    }
}

#[test]
fn no_color_is_honoured_by_all_that_is_coloured() {
    let mistaken = Workspace::new(include_str!("check/mistakes.json"));
    let good = Workspace::new(r#"{"actions": {"a": [{"action": "action_noop"}]}, "storage": "state"}"#);
    for (workspace, command) in [
        (&mistaken, "check"),
        (&mistaken, "run"),
        (&good, "explain --field A=1 --field __REALTIME_TIMESTAMP=1795000000000000"),
        // Its log.
        (&good, "report show"),
    ] {
        let shown = |environment: &[(&str, &str)]| on_terminal(workspace, 80, command, environment);
        let coloured = shown(&[]);
        assert!(coloured.contains("\u{1b}["), "{command}: {coloured}");
        // no-color.org: any value, unless it is empty.
        for value in ["1", "0", "no"] {
            assert_eq!(shown(&[("NO_COLOR", value)]), plain(&coloured), "{command}");
        }
        assert!(!shown(&[("TERM", "dumb")]).contains('\u{1b}'), "{command}");
        assert!(shown(&[("NO_COLOR", "")]).contains('\u{1b}'), "{command}");
    }
}

#[test]
fn lists_fit_eighty_columns_and_keep_addresses_whole() {
    let config = r#"{"actions": {"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^from (?P<ip>\\S+)$"}},
        {"action": "action_nftBan", "args": {"IP": "ip", "banSeconds": 60,
            "nftSetIPv4": "inet filter a_set_for_those_who_try_passwords", "nftSetIPv6": "ip6 filter and_another_one_for_ipv6"}}
    ]}, "storage": "state", "journal": {"directory": "journal"}, "nftBan": {"nft": ["/bin/sh", "-c", "case $0 in *203.0.113*) exit 0;; esac; echo a complaint that takes its time to be made, and does not end soon >&2; exit 1"]}}"#;
    let workspace = Workspace::new(config);
    fs::create_dir(workspace.path("journal")).unwrap();
    // The state is the daemon's to make.
    let mut daemon = workspace.command(&["run"]).spawn().unwrap();
    common::wait_for("the daemon", || workspace.run(&["status"]).out.contains("running since").then_some(()));
    common::run(Command::new("kill").arg(daemon.id().to_string()));
    daemon.wait().unwrap();
    let (v6, v4) = ("2001:db8:1111:2222:3333:4444:5555:6666", "203.0.113.199");
    for ip in [v4, v6] {
        workspace.run(&["bans", "add", ip, "--for", "1d"]);
    }
    for command in [&["bans", "list"][..], &["outbox", "list"]] {
        for columns in ["40", "80", "200"] {
            let shown = Printed::of(workspace.command(command).env("COLUMNS", columns).output().unwrap());
            fits(&shown.out, columns.parse().unwrap());
            assert!(shown.out.contains("complaint"), "{}", shown.out);
            assert!(
                command[0] == "outbox" || (shown.out.contains(v6) && shown.out.contains(v4)),
                "{}",
                shown.out
            );
        }
    }
    let shown = workspace.run(&["bans", "list"]);
    fits(&shown.out, 80);
    // Local time with its zone for people, UTC for programs.
    assert!(shown.out.contains("+01:00") || shown.out.contains("+02:00"), "{}", shown.out);
    let listed: Value = serde_json::from_str(&workspace.run(&["bans", "list", "--json"]).out).unwrap();
    assert!(listed["bans"][0]["until"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn the_page_of_a_finding_is_shown_by_its_code_or_name() {
    let workspace = Workspace::new("{");
    let page = workspace.run(&["check", "--explain", "P005"]).good();
    insta::assert_snapshot!("explain_p005", page);
    for twin in ["p005", "unknown-field", "Unknown-Field"] {
        assert_eq!(workspace.run(&["check", "--explain", twin]).good(), page);
    }
    let object: Value =
        serde_json::from_str(&workspace.run(&["check", "--explain", "P005", "--json"]).good()).unwrap();
    assert_eq!((&object["code"], &object["name"]), (&"P005".into(), &"unknown-field".into()));
    let printed = workspace.run(&["check", "--explain", "P05"]);
    assert_eq!(printed.code, Some(1));
    assert_eq!(
        printed.err,
        "pyruse: there is no finding `P05`; did you mean `P005`? (`pyruse check --explain` lists all of them)\n"
    );
    let list = workspace.run(&["check", "--explain"]).good();
    fits(&list, 80);
    for lint in pyruse_core::review::lints() {
        assert!(list.contains(lint.code) && list.contains(lint.name), "{list}");
        let page = workspace.run(&["check", "--explain", lint.code]).good();
        assert!(page.starts_with(&format!("{}: {}", lint.code, lint.name)), "{page}");
    }
}

#[test]
fn the_check_before_the_start_does_not_repeat_what_run_reports() {
    let broken = Workspace::new(include_str!("check/mistakes.json"));
    let printed = broken.run(&["check", "--review"]);
    assert_eq!((printed.err.as_str(), printed.code), ("", Some(1)));
    assert!(!broken.run(&["run"]).err.is_empty());
    // A spelling mistake in a top-level key is found by both; only what the review alone finds is printed.
    let doubtful = Workspace::new(&doubtful());
    let (whole, review) = (doubtful.run(&["check"]).err, doubtful.run(&["check", "--review"]).err);
    assert!(whole.contains("P001") && whole.contains("P011"), "{whole}");
    assert!(!review.contains("P001") && review.contains("P011"), "{review}");
    let gone = doubtful.run(&["check", "--review", "no-such-file.json"]);
    assert_eq!((gone.err.as_str(), gone.code), ("", Some(78)));
}

/// Makes the directory readable for everybody, with a copy of the program in it.
fn for_everybody(directory: &Path) -> std::path::PathBuf {
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    let program = directory.join("pyruse");
    fs::copy(env!("CARGO_BIN_EXE_pyruse"), &program).unwrap();
    program
}

#[test]
fn an_unreadable_file_is_reported_with_the_user_and_the_reason() {
    let workspace = Workspace::new(r#"{"actions": {"a": [{"action": "action_noop"}]}}"#);
    let program = for_everybody(workspace.directory.path());
    let file = workspace.path("pyruse.json");
    let shown = file.canonicalize().unwrap().display().to_string();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(&program).args(args);
        Printed::of(
            command.current_dir(workspace.directory.path()).env_remove("JOURNAL_STREAM").output().unwrap(),
        )
    };
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let printed = as_nobody(&["check", &shown]);
    let expected = format!(
        "pyruse: user nobody cannot read {shown}: it belongs to root:root and has mode 0600; run this as root, or give \
         the group nogroup access with: chgrp nogroup '{shown}' && chmod 640 '{shown}'\n"
    );
    assert_eq!((printed.err, printed.code), (expected, Some(78)));
    let printed = as_nobody(&["stats", "--input", &shown]);
    assert!(printed.err.contains("user nobody cannot read"), "{}", printed.err);
    // A directory on the way.
    let inner = workspace.path("inner");
    fs::create_dir(&inner).unwrap();
    fs::rename(&file, inner.join("pyruse.json")).unwrap();
    fs::set_permissions(&inner, Permissions::from_mode(0o700)).unwrap();
    let printed = as_nobody(&["check", "inner/pyruse.json"]);
    assert!(printed.err.contains("/inner belongs to root:root and has mode 0700"), "{}", printed.err);
}

#[test]
fn root_is_warned_that_the_services_user_cannot_read_the_configuration() {
    let workspace = Workspace::new(r#"{"actions": {"a": [{"action": "action_noop"}]}, "storage": "state"}"#);
    for_everybody(workspace.directory.path());
    let file = workspace.path("pyruse.json");
    fs::create_dir(workspace.path("state")).unwrap();
    std::os::unix::fs::chown(workspace.path("state"), Some(65534), Some(65534)).unwrap();
    let said = || workspace.run(&["check", "--live"]).err;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let printed = said().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        printed.contains("error[P101]: user nobody cannot read pyruse.json: it belongs to root:root"),
        "{printed}"
    );
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert!(!said().contains("cannot read"), "{}", said());
}

#[test]
fn an_effect_comes_out_of_a_pipe_as_it_happens() {
    let workspace = Workspace::new(
        r#"{"actions": {"a": [{"action": "action_log", "args": {"message": "seen {MESSAGE}"}}]}, "storage": "state"}"#,
    );
    for (args, entry) in [
        (&["replay", "--json", "--input", "-"][..], "MESSAGE=NNN\n\n"),
        (&["replay", "--json", "--input", "-", "--format", "text"], "NNN\n"),
    ] {
        let mut child = workspace.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for n in ["one", "two"] {
            input.write_all(entry.replace("NNN", n).as_bytes()).unwrap();
            // The input stays open: nothing else would bring the line out.
            let effect: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(effect["message"], format!("seen {n}"));
        }
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn plain_lines_are_replayed_on_request_and_otherwise_refused_with_advice() {
    let workspace = Workspace::new(
        r#"{"actions": {"web": [
            {"filter": "filter_equals", "args": {"field": "_SYSTEMD_UNIT", "value": "nginx.service"}},
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<ip>\\S+) - - .* 404 "}},
            {"action": "action_counterRaise", "args": {"counter": "web", "for": "ip", "keepSeconds": 60, "save": "n"}},
            {"filter": "filter_greaterOrEquals", "args": {"field": "n", "value": 2}},
            {"action": "action_nftBan", "args": {"IP": "ip", "banSeconds": 60, "nftSetIPv4": "ip a b", "nftSetIPv6": "ip6 a b"}}
        ]}, "storage": "state"}"#,
    );
    let line = |ip: &str| format!("{ip} - - [18/Nov/2026:12:06:40 +0100] \"GET /x HTTP/1.1\" 404 5\n");
    fs::write(
        workspace.path("access.log"),
        [line("192.0.2.1"), line("192.0.2.2"), line("192.0.2.1")].concat(),
    )
    .unwrap();
    let text = ["replay", "--input", "access.log", "--format", "text"];
    let with = |more: &[&str]| workspace.run(&[&text[..], more].concat());
    let printed = with(&["--json", "--field", "_SYSTEMD_UNIT=nginx.service"]);
    let effect: Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!((&effect["effect"], &effect["ip"]), (&"ban".into(), &"192.0.2.1".into()));
    assert!(printed.err.contains("the times in plain lines are not read"), "{}", printed.err);
    let printed = with(&["--json"]);
    assert_eq!(printed.out, "", "no line says that nginx wrote it");
    let printed = workspace.run(&["replay", "--input", "access.log"]);
    assert_eq!(
        printed.err,
        "pyruse: access.log: line 1: this is neither the journal export format (`journalctl -o export`) nor one JSON object per line (`journalctl -o json --all`); if it is a log file, read it with `--file F --format text` (or `syslog`, `json`, `docker`, `access`)\n"
    );
    let printed = workspace.run(&["replay", "--file", "access.log"]);
    assert_eq!(
        printed.err,
        "pyruse: access.log: this is not a journal file; read log files with --file and --format (text, syslog, json, docker, access), exports with --input\n"
    );
    for (more, why) in [
        (&["--since", "yesterday"][..], "times in plain lines are not read"),
        (&["--format", "export", "--field", "A=1"], "--field is for log files"),
    ] {
        let mut args = text.to_vec();
        args.truncate(if more[0] == "--format" { 3 } else { 5 });
        let printed = workspace.run(&[&args, more].concat());
        assert_eq!(printed.code, Some(2));
        assert!(printed.err.contains(why), "{}", printed.err);
    }
    let printed = workspace.run_with(&["explain"], line("192.0.2.1"));
    assert!(printed.err.contains("--field 'MESSAGE=…'"), "{}", printed.err);
}

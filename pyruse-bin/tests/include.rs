//! A configuration of several files: rules in a directory, with variables.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use common::{Journald, Site, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), files);
    directory
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Runs the program there; returns what it prints, and its exit code.
fn pyruse(directory: &TempDir, args: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    let output = command.args(args).current_dir(directory.path()).output().unwrap();
    let text = [output.stderr, output.stdout].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

fn check(files: &[(&str, &str)]) -> (String, Option<i32>) {
    pyruse(&directory(files), &["check", "pyruse.json"])
}

const NOOP: &str = r#"[{"action": "action_noop"}]"#;

/// A file with one chain.
fn chain(label: &str) -> String {
    format!(r#"{{"actions": {{"{label}": {NOOP}}}}}"#)
}

/// The labels, in the order in which entries reach the chains.
fn order(directory: &TempDir) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    command.args(["--config", "pyruse.json", "graph", "--json"]).current_dir(directory.path());
    let graph: Value = serde_json::from_str(&common::run(&mut command)).unwrap();
    let chains = graph["chains"].as_array().unwrap().iter();
    chains.map(|chain| chain["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn chains_stand_where_the_include_stands_in_alphabetical_order_and_each_file_is_read_once() {
    let files = directory(&[
        (
            "pyruse.json",
            &format!(r#"{{"include": ["rules.d/m.json", "rules.d/*.json"], "actions": {{"main": {NOOP}}}}}"#),
        ),
        ("rules.d/b.json", &chain("b")),
        ("rules.d/a.json", &format!(r#"{{"actions": {{"a": {NOOP}}}, "include": "deep/x.json"}}"#)),
        ("rules.d/m.json", &chain("m")),
        ("rules.d/deep/x.json", &chain("x")),
        ("rules.d/.hidden.json", &chain("hidden")),
        ("rules.d/b.json~", &chain("a copy")),
    ]);
    assert_eq!(order(&files), ["m", "a", "x", "b", "main"]);
    let text = format!(r#"{{"actions": {{"main": {NOOP}}}, "include": "./*.json"}}"#);
    let files = directory(&[("pyruse.json", &text), ("also.json", &chain("also"))]);
    assert_eq!(order(&files), ["main", "also"], "the wildcard matches the main file, too");
    let absolute = files.path().join("also.json").display().to_string();
    write(files.path(), &[("pyruse.json", &json!({"include": absolute}).to_string())]);
    assert_eq!(order(&files), ["also"]);
    // A directory for files that may come.
    write(files.path(), &[("pyruse.json", &text.replace("./*.json", "rules.d/*.json"))]);
    assert_eq!(order(&files), ["main"]);
}

#[test]
fn errors_name_their_file_and_line() {
    let (printed, code) = check(&[
        (
            "pyruse.json",
            "{\n  \"include\": [\"rules.d/*.json\"],\n  \"debug\": true,\n  \"actions\": {\n    \"one\": [{\"action\": \
             \"action_noop\"}]\n  }\n}\n",
        ),
        (
            "rules.d/ssh.json",
            "{\n  \"debug\": false,\n  \"actions\": {\n    \"one\": [{\"action\": \"action_noop\"}],\n    \"two\": \
             [{\"action\": \"action_log\", \"args\": {\"level\": \"LOUD\", \"message\": \"m\"}}]\n  }\n}\n",
        ),
    ]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(printed);
}

#[test]
fn a_file_that_cannot_be_used_is_an_error_at_the_place_that_names_it() {
    let main = |include: &str| format!(r#"{{"include": {include}, "actions": {{"main": {NOOP}}}}}"#);
    for (name, include, other, expected) in [
        ("missing", r#""ssh.json""#, ("x.json", "{}"), "ssh.json: No such file or directory"),
        ("itself", r#""pyruse.json""#, ("x.json", "{}"), "pyruse.json includes itself"),
        ("a loop", r#""x.json""#, ("x.json", r#"{"include": "pyruse.json"}"#), "pyruse.json includes itself"),
        (
            "twice",
            r#"["x.json", "./x.json"]"#,
            ("x.json", "{}"),
            "x.json is included already, in pyruse.json, line 1",
        ),
        ("a directory", r#""d""#, ("d/x.json", "{}"), "d: it is not a file"),
        ("a number", "[3]", ("x.json", "{}"), "a file is named by its path, not by a number"),
        ("no path", r#""""#, ("x.json", "{}"), "this is not the path of a file"),
        (
            "half written",
            r#""x.json""#,
            ("x.json", r#"{"actions": {"#),
            "opened here, not closed before the end",
        ),
        ("not an object", r#""x.json""#, ("x.json", "[]"), "a configuration must be an object, not a list"),
        ("a pattern", r#""[""#, ("x.json", "{}"), "this is not a pattern"),
    ] {
        let (printed, code) = check(&[("pyruse.json", &main(include)), other]);
        assert_eq!(code, Some(1), "{name}: {printed}");
        assert!(printed.contains(expected), "{name}: {printed}");
        assert!(printed.contains("1 error, 0 warnings"), "{name}: no consequence is reported: {printed}");
    }
}

#[test]
fn ten_thousand_files_are_refused_with_the_bound() {
    let files =
        directory(&[("pyruse.json", r#"{"include": "rules.d/*.json"}"#), ("rules.d/a.json", &chain("a"))]);
    for n in 0..10_000 {
        fs::write(files.path().join(format!("rules.d/{n}.json")), "{}").unwrap();
    }
    let (printed, code) = pyruse(&files, &["check", "pyruse.json"]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("1,000 files") || printed.contains("1000 files"), "{printed}");
    assert!(printed.len() < 10_000, "{}", printed.len());
}

#[test]
fn a_pipe_among_the_files_does_not_stop_the_program() {
    let files =
        directory(&[("pyruse.json", r#"{"include": "rules.d/*.json"}"#), ("rules.d/a.json", &chain("a"))]);
    assert!(Command::new("mkfifo").arg(files.path().join("rules.d/b.json")).status().unwrap().success());
    let (printed, code) = pyruse(&files, &["check", "pyruse.json"]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("rules.d/b.json: it is not a file"), "{printed}");
}

#[test]
fn variables_have_defaults_that_the_including_file_overrides() {
    let rules = r#"{
    "vars": {"ssh.ban": "1h", "ssh.text": ["Failed password"]},
    "actions": {"ssh": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "from (?P<IP>\\S+)"}},
        {"action": "action_nftBan", "args": {
            "IP": "IP", "nftSetIPv4": "ip a b", "nftSetIPv6": "ip6 a b", "banSeconds": {"$var": "ssh.ban"}}}
    ]}}"#
        .replace(r#", "ssh.text": ["Failed password"]"#, "");
    let explained = |main: &str| {
        let files = directory(&[("pyruse.json", main), ("ssh.json", &rules)]);
        let (printed, code) =
            pyruse(&files, &["--config", "pyruse.json", "explain", "--field", "MESSAGE=from 192.0.2.1"]);
        assert_eq!(code, Some(0), "{printed}");
        printed
    };
    assert!(
        explained(r#"{"include": "ssh.json"}"#).contains("3600"),
        "{}",
        explained(r#"{"include": "ssh.json"}"#)
    );
    // Before and behind the include.
    for main in [
        r#"{"vars": {"ssh.ban": 77}, "include": "ssh.json"}"#,
        r#"{"include": "ssh.json", "vars": {"ssh.ban": 77}}"#,
    ] {
        assert!(explained(main).contains("77"), "{}", explained(main));
    }
}

#[test]
fn mistakes_with_variables_are_shown_where_they_are() {
    let main = "{\n  \"include\": \"*.rules\",\n  \"vars\": {\"level\": \"LOUD\", \"unused\": 1}\n}\n";
    let rules = r#"{
  "actions": {"a": [
    {"action": "action_log", "args": {"level": {"$var": "level"}, "message": {"$var": "text"}}},
    {"action": "action_log", "args": {"level": {"$var": "levle"}, "message": {"$var": 3}}},
    {"action": "action_log", "args": {"level": {"$var": "level", "or": 1}, "message": "m"}}
  ]},
  "vars": {"text": {"$var": "level"}}
}
"#;
    let (printed, code) = check(&[("pyruse.json", main), ("a.rules", rules)]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("variables", printed);
    // A value of the wrong kind is shown where it was written.
    let rules = r#"{"actions": {"a": [{"action": "action_log", "args": {"level": {"$var": "level"}, "message": "m"}}]}}"#;
    let main = main.replace(", \"unused\": 1", "");
    let (printed, code) = check(&[("pyruse.json", &main), ("a.rules", rules)]);
    assert_eq!(code, Some(1));
    assert!(printed.contains("pyruse.json:3:21") && printed.contains("in chain `a`, step 0"), "{printed}");
    // Two files of the same rank.
    let two = [
        ("pyruse.json", r#"{"include": "*.rules"}"#),
        ("a.rules", rules),
        ("b.rules", r#"{"vars": {"level": 1}}"#),
    ];
    let (printed, _) = check(&[two[0], two[1], two[2], ("c.rules", r#"{"vars": {"level": "INFO"}}"#)]);
    assert!(
        printed.contains("the variable `level` is set twice")
            && printed.contains("the first one is in b.rules, line 1"),
        "{printed}"
    );
}

#[test]
fn a_comment_allows_a_finding_in_its_file_only() {
    let main = "{\"include\": \"*.rules\"}\n// allow P001: no file has it here\n";
    let rules = "{\n// allow P001: another program reads it\n\"strange\": 1,\n\"actions\": {\"a\": [{\"action\": \"action_noop\"}]}}";
    let (printed, code) = check(&[("pyruse.json", main), ("a.rules", rules)]);
    assert_eq!(code, Some(0));
    assert!(printed.contains("this comment is not needed: `P001` is not found here"), "{printed}");
    assert!(!printed.contains("strange"), "{printed}");
}

/// Root must not act on what another user has written.
#[test]
fn each_file_must_be_trusted_before_the_daemon_acts_on_it() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(
        &journald,
        &json!({"a": [{"action": "action_noop"}]}),
        &json!({"include": "rules.d/*.json"}),
    );
    let rules = site.path("rules.d/b.json");
    write(site.directory.path(), &[("rules.d/b.json", &chain("b"))]);
    let refusal = |expected: &str| {
        let output = site.pyruse(None, &["run"]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains(expected), "{printed}");
    };
    fs::set_permissions(&rules, fs::Permissions::from_mode(0o666)).unwrap();
    refusal("rules.d/b.json can be written by others (mode 0666)");
    fs::set_permissions(&rules, fs::Permissions::from_mode(0o644)).unwrap();
    chown(&rules, Some(1234), None).unwrap();
    refusal("rules.d/b.json belongs to user 1234");
    chown(&rules, Some(0), None).unwrap();
    assert!(site.start(None).terminate().success());
    // A link to a file of somebody else.
    fs::rename(&rules, site.path("elsewhere")).unwrap();
    chown(site.path("elsewhere"), Some(1234), None).unwrap();
    symlink(site.path("elsewhere"), &rules).unwrap();
    refusal("rules.d/b.json belongs to user 1234");
}

#[test]
fn a_file_that_was_dropped_in_is_in_force_after_a_reload_and_a_bad_one_changes_nothing() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(
        &journald,
        &json!({"a": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "old"}},
            {"action": "action_email", "args": {"message": "old"}},
        ]}),
        &json!({"include": "rules.d/*.json"}),
    );
    let pyruse = site.start(None);
    let rules = r#"{"actions": {"new": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "new"}},
        {"action": "action_email", "args": {"message": "new"}}
    ]}}"#;
    write(site.directory.path(), &[("rules.d/new.json", &rules[..rules.len() / 2])]);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_for("the refusal", || site.log().contains("the old configuration stays in force").then_some(()));
    journald.line("old", 6, "x");
    wait_for("the mail of the old rules", || (site.mails().len() == 1).then_some(()));
    write(site.directory.path(), &[("rules.d/new.json", rules)]);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    journald.line("new", 6, "x");
    wait_for("the mail of the new rules", || (site.mails().len() == 2).then_some(()));
    assert!(pyruse.terminate().success());
}

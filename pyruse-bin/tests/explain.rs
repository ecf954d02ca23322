//! `explain`: the path of an entry from each source, and the errors for input that is not an entry.

mod common;

use std::fmt::Write as _;

use common::make_journal;
use common::workspace::{Printed, Workspace};

const RULES: &str = include_str!("explain/rules.json");

const TIME: &str = "__REALTIME_TIMESTAMP=1795000000450000";
const FAILED: &str = "MESSAGE=Failed password for root from 203.0.113.9 port 50000 ssh2";

/// `explain` of a made-up entry.
fn made_up(fields: &[&str], options: &[&str]) -> Printed {
    let mut args = vec!["explain"];
    for field in fields {
        args.extend(["--field", field]);
    }
    args.extend(options);
    Workspace::new(RULES).run(&args)
}

#[test]
fn each_step_shows_what_it_read_what_it_was_asked_and_where_it_led() {
    insta::assert_snapshot!(made_up(&[TIME, "SYSLOG_IDENTIFIER=sshd", "_UID=0", FAILED], &[]).good());
}

#[test]
fn the_same_is_data_with_json() {
    let printed = made_up(&[TIME, "SYSLOG_IDENTIFIER=sshd", "_UID=0", FAILED], &["--json"]).good();
    assert_eq!(printed.lines().count(), 1);
    let way: serde_json::Value = serde_json::from_str(&printed).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&way).unwrap());
}

#[test]
fn effects_are_shown_with_their_step() {
    insta::assert_snapshot!(made_up(&[TIME, "SYSLOG_IDENTIFIER=sshd", "_UID=1000", FAILED], &[]).good());
}

#[test]
fn a_field_that_a_step_overwrites_is_shown_as_it_was_before_and_an_error_ends_the_path() {
    insta::assert_snapshot!(made_up(&[TIME, "SYSLOG_IDENTIFIER=nginx", "REMOTE=10.0.0.3"], &[]).good());
}

#[test]
fn a_filter_that_errs_has_not_passed_and_says_why() {
    insta::assert_snapshot!(made_up(&[TIME, "PRIORITY=6", "MESSAGE=x"], &[]).good());
}

#[test]
fn a_repeated_name_is_a_field_with_several_values() {
    let fields = [TIME, "SYSLOG_IDENTIFIER=cron", "SYSLOG_IDENTIFIER=sshd", "_UID=0", "MESSAGE=other"];
    insta::assert_snapshot!(made_up(&fields, &[]).good());
}

#[test]
fn nothing_of_an_entry_reaches_the_terminal_as_a_command_and_long_values_are_cut() {
    let hostile = format!("MESSAGE=\u{1b}[2J\u{202e}\n{}", "x".repeat(10_000));
    let fields = [TIME, "SYSLOG_IDENTIFIER=sshd", "_UID=0", hostile.as_str()];
    insta::assert_snapshot!(made_up(&fields, &[]).good());
    let json = made_up(&fields, &["--json"]).good();
    assert!(json.len() > 10_000 && !json.trim_end().contains(['\u{1b}', '\u{202e}', '\n']));
}

#[test]
fn our_own_diagnostics_never_have_consequences() {
    let fields = [TIME, "SYSLOG_IDENTIFIER=sshd", "_UID=5", "PYRUSE_DIAGNOSTIC=1"];
    insta::assert_snapshot!(made_up(&fields, &[]).good());
}

#[test]
fn an_entry_may_come_as_json_on_one_line_or_several() {
    let workspace = Workspace::new(RULES);
    let line = r#"{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795000000450000","SYSLOG_IDENTIFIER":["cron","sshd"],"_UID":"5","MESSAGE":[255,0]}"#;
    let printed = workspace.run_with(&["explain"], line).good();
    insta::assert_snapshot!(printed);
    let pretty: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        workspace.run_with(&["explain"], serde_json::to_string_pretty(&pretty).unwrap()).good(),
        printed
    );
}

#[test]
fn an_entry_of_a_journal_is_found_by_its_cursor() {
    let workspace = Workspace::new(RULES);
    let mut export = String::new();
    for (n, identifier) in ["cron", "sshd", "nginx"].into_iter().enumerate() {
        let _ = write!(
            export,
            "__CURSOR=s=5c0bbe8ee5ae4ac5b5a0d34f5ef7a7d6;i={n};b=6f8d0d5a3f6f4f0f8a3a6c1f0d9b8e77;m={n};t=660a5a5a5a5a{n};x={n}\n\
             __REALTIME_TIMESTAMP=179500000045000{n}\n__MONOTONIC_TIMESTAMP={n}\n\
             _BOOT_ID=6f8d0d5a3f6f4f0f8a3a6c1f0d9b8e77\nSYSLOG_IDENTIFIER={identifier}\n_UID=5\n\n"
        );
    }
    std::fs::create_dir(workspace.path("journal")).unwrap();
    make_journal(export.as_bytes(), &workspace.path("journal/test.journal"));
    let output = std::process::Command::new("journalctl")
        .args(["-o", "json", "SYSLOG_IDENTIFIER=sshd", "--file"])
        .arg(workspace.path("journal/test.journal"))
        .output()
        .unwrap();
    let entry: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cursor = entry["__CURSOR"].as_str().unwrap();
    let printed = workspace.run(&["explain", "--cursor", cursor, "--file", "journal/test.journal"]).good();
    assert_eq!(workspace.run(&["explain", "--cursor", cursor, "--directory", "journal"]).good(), printed);
    // The machine's number is in it.
    insta::assert_snapshot!(printed.replace(cursor, "CURSOR"));

    let gone = format!("{}x=1", cursor.rsplit_once("x=").unwrap().0);
    for (cursor, message) in [
        (
            gone.as_str(),
            "that journal has no entry with this cursor: it is from another journal, or was deleted",
        ),
        ("soon", "`soon` is not a cursor of the journal"),
    ] {
        let printed = workspace.run(&["explain", "--cursor", cursor, "--directory", "journal"]);
        assert_eq!((printed.err, printed.code), (format!("pyruse: {message}\n"), Some(1)));
    }
}

#[test]
fn with_state_counters_are_as_the_daemon_left_them_and_stay_so() {
    let journald = common::Journald::start();
    let site = common::Site::new();
    let places = format!(
        "\"storage\": {:?}, \"journal\": {{\"namespace\": {:?}}}",
        site.path("state"),
        journald.namespace
    );
    std::fs::write(site.path("pyruse.json"), RULES.replace("\"storage\": \"state\"", &places)).unwrap();
    let running = site.start(None);
    for _ in 0..2 {
        journald.write(&[
            ("SYSLOG_IDENTIFIER", b"sshd"),
            ("MESSAGE", FAILED.split_once('=').unwrap().1.as_bytes()),
        ]);
    }
    let entry = ["--field", "SYSLOG_IDENTIFIER=sshd", "--field", "_UID=0", "--field", FAILED];
    let explain = |option: &[&str]| site.pyruse(None, &[&["explain", "--state"], option, &entry].concat());
    common::wait_for("the second entry", || {
        let way: serde_json::Value = serde_json::from_slice(&explain(&["--json"]).stdout).ok()?;
        let mut steps = way["steps"].as_array()?.iter();
        let tries =
            steps.find(|step| step["module"] == "action_counterRaise")?["saves"][0]["value"].as_u64()?;
        assert!(tries <= 3, "the state was changed by looking at it: {tries}");
        (tries == 3).then_some(())
    });
    assert!(running.terminate().success());
    let printed = explain(&[]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("saved   tries = 3\n"), "{printed}");
    assert!(printed.contains("effect  ban 203.0.113.9 in `ip Inet4 ssh_ban` for 86400 s\n"), "{printed}");
    assert!(!printed.contains("began empty"), "{printed}");
}

#[test]
fn input_that_is_not_an_entry_is_an_error() {
    let workspace = Workspace::new(RULES);
    let mut printed = String::new();
    for (input, args) in [
        ("", &["explain"] as &[&str]),
        ("[1]", &["explain"]),
        ("{\"A\":\n\"1\",}", &["explain"]),
        ("{\"A\": {}}", &["explain"]),
        ("{} {}", &["explain"]),
        ("MESSAGE=x", &["explain"]),
        ("{}", &["explain", "--field", "MESSAGE"]),
        ("{}", &["explain", "--field", "=x"]),
        ("{}", &["explain", "--field", "__REALTIME_TIMESTAMP=soon"]),
        ("{}", &["explain", "--field", "A=1", "--cursor", "x"]),
        ("{}", &["explain", "--directory", "."]),
        ("{}", &["explain", "--state"]),
    ] {
        let _ = writeln!(
            printed,
            "$ pyruse {} <<< {input:?}\n{}",
            args.join(" "),
            workspace.run_with(args, input)
        );
    }
    insta::assert_snapshot!(printed);
}

#[test]
fn a_broken_configuration_is_refused() {
    let printed = Workspace::new("{\"actions\": {\"a\": []}}").run_with(&["explain"], "{}");
    assert_eq!(printed.code, Some(78));
    insta::assert_snapshot!(printed);
}

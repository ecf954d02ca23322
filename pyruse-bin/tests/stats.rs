//! What `stats` counts, from which sources, and that no configuration is needed for it.

mod common;

use std::fmt::Write as _;

use common::make_journal;
use common::workspace::Workspace;

/// Entries of three programs, of users, and some that are odd.
fn input() -> String {
    let mut input = String::new();
    for n in 0..2000_u32 {
        let identifier = match n % 20 {
            0..=11 => "nginx",
            12..=17 => "sshd",
            18 => "ein Programm mit einem Namen, der länger ist, als irgendein Terminal breit sein wird",
            _ => "cron",
        };
        let priority = if n % 100 == 0 { 3 } else { 6 - u32::from(n % 25 == 0) * 2 };
        let time = 1_795_000_000_000_000 + u64::from(n) * 1_000_000;
        let _ = writeln!(
            input,
            r#"{{"__REALTIME_TIMESTAMP":"{time}","SYSLOG_IDENTIFIER":"{identifier}","PRIORITY":"{priority}","_UID":"{}"}}"#,
            n % 30
        );
    }
    input
        .push_str("{\"MESSAGE\":\"without anything\"}\n{\"SYSLOG_IDENTIFIER\":\"\",\"PRIORITY\":\"nine\"}\n");
    input.push_str("{\"SYSLOG_IDENTIFIER\":[\"first\",\"second\"],\"PRIORITY\":\"9\"}\n");
    input.push_str("{\"SYSLOG_IDENTIFIER\":\"\\u001b[2J\\u202e\",\"PRIORITY\":\"0\"}\n");
    input
}

fn workspace() -> Workspace {
    let workspace = Workspace::new("this is no configuration");
    std::fs::write(workspace.path("input"), input()).unwrap();
    workspace
}

#[test]
fn the_most_frequent_values_come_first_with_shares_and_priorities() {
    insta::assert_snapshot!(workspace().run(&["stats", "--input", "input"]).good());
}

#[test]
fn values_beyond_the_top_are_counted_together() {
    insta::assert_snapshot!(
        workspace().run(&["stats", "--input", "input", "--by", "_UID", "--top", "3"]).good()
    );
}

#[test]
fn the_counts_are_data_with_json() {
    let printed = workspace().run(&["stats", "--input", "input", "--top", "2", "--json"]).good();
    assert_eq!(printed.lines().count(), 1);
    let counts: serde_json::Value = serde_json::from_str(&printed).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&counts).unwrap());
    let hostile = workspace().run(&["stats", "--input", "input", "--json"]).good();
    assert!(hostile.contains("\\u001b[2J\\u202e") && !hostile.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_time_bounds_what_is_counted() {
    let printed = workspace()
        .run(&["stats", "--input", "input", "--since", "@1795000100", "--until", "@1795000199"])
        .good();
    assert!(
        printed.starts_with(
            "100 entries by SYSLOG_IDENTIFIER\n2026-11-18 12:08:20+01:00 to 2026-11-18 12:09:59+01:00\n"
        ),
        "{printed}"
    );
}

#[test]
fn a_flood_of_values_is_counted_in_bounded_memory() {
    let workspace = workspace();
    let mut input = String::new();
    for n in 0..60_000_u32 {
        let _ = writeln!(input, "{{\"A\":\"{n}\"}}");
        if n % 3 == 0 {
            input.push_str("{\"A\":\"frequent\",\"PRIORITY\":\"6\"}\n");
        }
    }
    let printed = workspace.run_with(&["stats", "--by", "A", "--top", "1", "--input", "-"], input).good();
    insta::assert_snapshot!(printed);
}

#[test]
fn journal_files_and_directories_are_read() {
    let workspace = workspace();
    std::fs::create_dir(workspace.path("journal")).unwrap();
    let export = "__REALTIME_TIMESTAMP=1795000000000000\n__MONOTONIC_TIMESTAMP=1\n\
                  _BOOT_ID=6f8d0d5a3f6f4f0f8a3a6c1f0d9b8e77\nSYSLOG_IDENTIFIER=sshd\nPRIORITY=4\n\n";
    make_journal(export.as_bytes(), &workspace.path("journal/test.journal"));
    let expected = "1 entry by SYSLOG_IDENTIFIER\n2026-11-18 12:06:40+01:00 to 2026-11-18 12:06:40+01:00\n\n\
                    VALUE  ENTRIES    SHARE   SO FAR  ERRORS  WARNINGS  LESS\n\
                    sshd         1  100.0 %  100.0 %       -         1     -\n";
    assert_eq!(workspace.run(&["stats", "--directory", "journal"]).good(), expected);
    assert_eq!(workspace.run(&["stats", "--file", "journal/test.journal"]).good(), expected);
    // The journal that a configuration names.
    std::fs::write(
        workspace.path("pyruse.json"),
        "{\"actions\": {\"a\": [{\"action\": \"action_noop\"}]}, \"journal\": {\"directory\": \"journal\"}}",
    )
    .unwrap();
    assert_eq!(workspace.run(&["stats"]).good(), expected);
}

#[test]
fn lines_before_a_broken_line_are_counted_and_the_exit_code_is_a_failure() {
    let printed = workspace().run_with(&["stats", "--input", "-"], "{\"SYSLOG_IDENTIFIER\":\"a\"}\n{\"B\n");
    assert_eq!(printed.code, Some(1));
    insta::assert_snapshot!(printed);
}

#[test]
fn invalid_arguments_are_errors() {
    let workspace = workspace();
    let mut printed = String::new();
    for args in [
        &["stats", "--since", "soon", "--input", "input"] as &[&str],
        &["stats", "--since", "today", "--until", "yesterday", "--input", "input"],
        &["stats", "--by", "", "--input", "input"],
        &["stats", "--by", "A=1", "--input", "input"],
        &["stats", "--top", "0", "--input", "input"],
        &["stats", "--input", "nothing"],
        &["stats", "--directory", "nothing"],
        &["stats"],
    ] {
        let _ = writeln!(printed, "$ pyruse {}\n{}", args.join(" "), workspace.run(args));
    }
    insta::assert_snapshot!(printed);
}

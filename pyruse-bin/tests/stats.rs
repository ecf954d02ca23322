//! What `stats` counts, from which sources, and that no configuration is needed for it.

mod common;

use std::fmt::Write as _;

use common::desk::Desk;
use common::make_journal;

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

fn desk() -> Desk {
    let desk = Desk::new("this is no configuration");
    std::fs::write(desk.path("input"), input()).unwrap();
    desk
}

#[test]
fn the_most_frequent_values_come_first_with_shares_and_priorities() {
    insta::assert_snapshot!(desk().tell(&["stats", "--input", "input"]).good());
}

#[test]
fn values_beyond_the_top_are_counted_together() {
    insta::assert_snapshot!(desk().tell(&["stats", "--input", "input", "--by", "_UID", "--top", "3"]).good());
}

#[test]
fn the_counts_are_data_with_json() {
    let told = desk().tell(&["stats", "--input", "input", "--top", "2", "--json"]).good();
    assert_eq!(told.lines().count(), 1);
    let counts: serde_json::Value = serde_json::from_str(&told).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&counts).unwrap());
    let hostile = desk().tell(&["stats", "--input", "input", "--json"]).good();
    assert!(hostile.contains("\\u001b[2J\\u202e") && !hostile.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn a_time_bounds_what_is_counted() {
    let told = desk()
        .tell(&["stats", "--input", "input", "--since", "@1795000100", "--until", "@1795000199"])
        .good();
    assert!(
        told.starts_with(
            "100 entries by SYSLOG_IDENTIFIER\n2026-11-18 12:08:20+01:00 to 2026-11-18 12:09:59+01:00\n"
        ),
        "{told}"
    );
}

#[test]
fn a_flood_of_values_is_counted_in_bounded_memory() {
    let desk = desk();
    let mut input = String::new();
    for n in 0..60_000_u32 {
        let _ = writeln!(input, "{{\"A\":\"{n}\"}}");
        if n % 3 == 0 {
            input.push_str("{\"A\":\"frequent\",\"PRIORITY\":\"6\"}\n");
        }
    }
    let told = desk.tell_with(&["stats", "--by", "A", "--top", "1", "--input", "-"], input).good();
    insta::assert_snapshot!(told);
}

#[test]
fn journal_files_and_directories_are_read() {
    let desk = desk();
    std::fs::create_dir(desk.path("journal")).unwrap();
    let export = "__REALTIME_TIMESTAMP=1795000000000000\n__MONOTONIC_TIMESTAMP=1\n\
                  _BOOT_ID=6f8d0d5a3f6f4f0f8a3a6c1f0d9b8e77\nSYSLOG_IDENTIFIER=sshd\nPRIORITY=4\n\n";
    make_journal(export.as_bytes(), &desk.path("journal/test.journal"));
    let expected = "1 entry by SYSLOG_IDENTIFIER\n2026-11-18 12:06:40+01:00 to 2026-11-18 12:06:40+01:00\n\n\
                    VALUE  ENTRIES    SHARE   SO FAR  ERRORS  WARNINGS  LESS\n\
                    sshd         1  100.0 %  100.0 %       -         1     -\n";
    assert_eq!(desk.tell(&["stats", "--directory", "journal"]).good(), expected);
    assert_eq!(desk.tell(&["stats", "--file", "journal/test.journal"]).good(), expected);
    // The journal that a configuration names.
    std::fs::write(
        desk.path("pyruse.json"),
        "{\"actions\": {\"a\": [{\"action\": \"action_noop\"}]}, \"journal\": {\"directory\": \"journal\"}}",
    )
    .unwrap();
    assert_eq!(desk.tell(&["stats"]).good(), expected);
}

#[test]
fn lines_before_a_broken_line_are_counted_and_the_exit_code_is_a_failure() {
    let told = desk().tell_with(&["stats", "--input", "-"], "{\"SYSLOG_IDENTIFIER\":\"a\"}\n{\"B\n");
    assert_eq!(told.code, Some(1));
    insta::assert_snapshot!(told);
}

#[test]
fn invalid_arguments_are_errors() {
    let desk = desk();
    let mut told = String::new();
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
        let _ = writeln!(told, "$ pyruse {}\n{}", args.join(" "), desk.tell(args));
    }
    insta::assert_snapshot!(told);
}

//! The messages for a broken configuration, complete, with places and suggestions.

mod common;

use std::fs;
use std::process::Command;

struct Printed {
    text: String,
    code: Option<i32>,
}

/// The output of `check` for a configuration in `pyruse.json`, and its exit code.
fn check(config: &str) -> Printed {
    pyruse(config, &["check", "pyruse.json"])
}

fn pyruse(config: &str, args: &[&str]) -> Printed {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("pyruse.json"), config).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_pyruse")).args(args).current_dir(directory.path()).output().unwrap();
    let text = [output.stderr, output.stdout].concat();
    Printed { text: String::from_utf8(text).unwrap(), code: output.status.code() }
}

#[test]
fn all_mistakes_are_reported_in_one_run() {
    let printed = check(include_str!("check/mistakes.json"));
    assert_eq!(printed.code, Some(1));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn what_cannot_run_is_warned_of() {
    let printed = check(include_str!("check/unreachable.json"));
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn findings_are_data_with_json() {
    let printed = pyruse(include_str!("check/unreachable.json"), &["check", "--json", "pyruse.json"]);
    assert_eq!(printed.code, Some(0));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn a_text_that_is_not_json_is_an_error_with_its_place() {
    for (name, config) in [
        ("empty", ""),
        ("two commas", "{\"actions\": {\"a\": [{\"action\": \"action_noop\",, }]}}"),
        ("no end", "{\"actions\": {\"a\": ["),
        ("one backslash", "{\"actions\": \"\\d\"}"),
        ("not an object", "[]"),
        ("nothing to do", "{}"),
        ("single quotes", "{'actions': {}}"),
    ] {
        let printed = check(config);
        assert_eq!(printed.code, Some(1), "{name}");
        insta::assert_snapshot!(name.replace(' ', "_"), printed.text);
    }
}

#[test]
fn places_are_counted_behind_a_byte_order_mark() {
    let printed = check("\u{feff}[]");
    insta::assert_snapshot!("not_an_object", printed.text);
}

#[test]
fn no_text_of_a_configuration_is_executed_by_a_terminal() {
    let text = r#"{"actions": {"a\u001b[31mb": [
        {"filter": "filter_equals", "args": {"field": "_U\u001b[2JID", "value": 0}, "then": "a\u001b[31mc"},
        {"filter": "filter_no\u009bpe"}
    ]}, "stor\u001bage": 1}"#;
    for args in [&["check", "pyruse.json"][..], &["--config", "pyruse.json", "run"]] {
        let printed = pyruse(text, args);
        assert!(printed.text.contains(r"in chain `a\u{1b}[31mb`"), "{}", printed.text);
        assert!(!printed.text.contains(|c: char| c.is_control() && c != '\n'), "{:?}", printed.text);
    }
    let printed = pyruse("{\"actions\": {}}", &["--config", "no\u{1b}[2Jthing", "counters", "list"]);
    assert!(printed.text.starts_with("pyruse: ") && !printed.text.contains('\u{1b}'), "{:?}", printed.text);
}

#[test]
fn run_does_not_start_with_a_broken_configuration() {
    let printed =
        pyruse("{\"actions\": {\"a\": []}, \"storage\": \"state\"}", &["--config", "pyruse.json", "run"]);
    assert_eq!(printed.code, Some(78));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn comments_and_trailing_commas_are_accepted() {
    let printed = check("{\n// why\n\"actions\": {\"a\": [{\"action\": \"action_noop\", /* so */},],},}");
    assert_eq!(
        (printed.text.as_str(), printed.code),
        ("pyruse.json: 1 chain, 1 step; 0 errors, 0 warnings\n", Some(0))
    );
}

#[test]
fn two_thousand_chains_are_checked_at_once() {
    let chains: Vec<String> = (0..2000)
        .map(|n| {
            format!(
                "\"c{n}\": [{{\"filter\": \"filter_pcre\", \"args\": {{\"field\": \"MESSAGE\", \"re\": \"^x{n} (?P<a>.*)$\"}}, \
                 \"then\": \"c{}\", \"else\": \"c{}\"}}]",
                (n + 1).min(2000),
                (n + 2).min(2000)
            )
        })
        .collect();
    let config =
        format!("{{\"actions\": {{{}, \"c2000\": [{{\"action\": \"action_noop\"}}]}}}}", chains.join(","));
    let printed = check(&config);
    assert_eq!(printed.text, "pyruse.json: 2001 chains, 2001 steps; 0 errors, 0 warnings\n");
}

#[test]
fn a_mistake_deep_within_the_settings_is_reported_with_a_similar_name() {
    let printed = check(
        r#"{
    "actions": {"a": [{"action": "action_noop"}]},
    "email": {"smtp": {"hots": "mail.example.org", "host": "a", "tls": "startls"}}
}"#,
    );
    assert_eq!(printed.code, Some(1));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn with_strict_a_warning_is_a_failure_and_a_note_is_not() {
    let warning = include_str!("check/unreachable.json");
    assert_eq!(pyruse(warning, &["check", "pyruse.json"]).code, Some(0));
    assert_eq!(pyruse(warning, &["check", "--strict", "pyruse.json"]).code, Some(1));
    let note = r#"{"actions": {"a": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "(a)\\1"}},
        {"action": "action_dailyReport", "args": {"message": "{MESSAGE}", "level": "WARN"}}]}}"#;
    let printed = pyruse(note, &["check", "--strict", "pyruse.json"]);
    assert!(printed.text.contains("note[P020]"), "{}", printed.text);
    assert_eq!(printed.code, Some(0));
}

#[test]
fn run_reports_what_cannot_work_and_not_the_review() {
    let config = r#"{"actions": {
        "a": [{"filter": "filter_equals", "args": {"field": "PRIORITY", "value": "3"}, "then": "b"},
            // allow P003: kept for next year
            {"action": "action_noop"},
            {"action": "action_noop"}],
        "b": [{"action": "action_noop"}]},
        "storrage": "/nowhere"}"#;
    let printed = pyruse(config, &["--config", "pyruse.json", "replay", "--input", "/dev/null"]);
    assert!(printed.text.contains("warning[P001]"), "{}", printed.text);
    assert!(!printed.text.contains("P003") && !printed.text.contains("P006"), "{}", printed.text);
}

#[test]
fn an_unknown_time_zone_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("pyruse.json"),
        "{\"actions\": {\"a\": [{\"action\": \"action_noop\"}]}}",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .args(["--config", "pyruse.json", "run"])
        .env("TZ", "Nowhere/Atall")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(printed.starts_with("error: unknown time zone `TZ=Nowhere/Atall`"), "{printed}");
}

#[test]
fn syntax_of_other_programs_is_reported_with_what_to_write_instead() {
    let printed = check(
        r#"{"actions": {"a": [
    {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^é from (?<ip>\\S+)$"}},
    {"filter": "filter_pcreAny", "args": {"field": "MESSAGE", "re": ["^%(__prefix_line)sFailed for <F-USER>.*</F-USER> from <HOST>$"]}},
    {"action": "action_email", "args": {"subject": "{thatIP} is banned", "message": "é\" {thatIP is banned. See {MESSAGE}"}},
    {"action": "action_counterRaise", "args": {"counter": "a", "for": "ip", "keepSeconds": "10 bananas"}},
    {"action": "action_counterReset", "args": {"counter": "a", "for": "ip", "graceSeconds": true}},
    {"action": "action_counterReset", "args": {"counter": "a", "for": "ip", "graceSeconds": "3600"}}
]}, "email": {"subject": "Report of {_HOSTNAME}"}}"#,
    );
    assert_eq!(printed.code, Some(1));
    insta::assert_snapshot!(printed.text);
}

#[test]
fn a_length_of_time_is_a_number_of_seconds_or_a_text() {
    let rules = |ban: &str, keep: &str| {
        format!(
            r#"{{"actions": {{"a": [
    {{"action": "action_counterRaise", "args": {{"counter": "a", "for": "ip", "keepSeconds": {keep}}}}},
    {{"action": "action_nftBan", "args": {{"IP": "ip", "banSeconds": {ban}, "nftSetIPv4": "ip a b", "nftSetIPv6": "ip6 a b"}}}}
]}}}}"#
        )
    };
    for (ban, keep) in [("3600", "600"), ("\"1h\"", "\"10m\""), ("\"7d\"", "\"1h30m\"")] {
        let printed = check(&rules(ban, keep));
        assert_eq!(printed.code, Some(0), "{ban}: {}", printed.text);
    }
}

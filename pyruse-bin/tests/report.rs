//! The daily report in the form of the first program, end to end: recorded, sent when it is due, once, and harmless.

mod common;

use std::fmt::Write as _;
use std::process::Command;

use common::{Journald, Site, wait_for};
use serde_json::{Value, json};

fn rules() -> Value {
    json!({
        "a warnings": [
            {"filter": "filter_lowerOrEquals", "args": {"field": "PRIORITY", "value": 3}},
            {"action": "action_dailyReport", "args": {
                "level": "WARN", "message": "{SYSLOG_IDENTIFIER}: {MESSAGE}", "details": "FIRSTLAST"}},
        ],
        "b mails": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "mail"}},
            {"action": "action_email", "args": {"message": "{MESSAGE}"}},
        ],
        "c rest": [
            {"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}},
        ],
    })
}

/// The local time of day (UTC in these tests) that many seconds ahead.
fn soon(seconds: u32) -> String {
    let output =
        Command::new("date").args(["-u", "-d", &format!("{seconds} seconds"), "+%H:%M:%S"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Some time today or tomorrow that no test waits for.
fn far() -> Value {
    let noon = soon(12 * 3600);
    json!({"dailyReport": {"group": false, "at": noon}})
}

/// The reports that have arrived, without the soft line ends of quoted-printable.
fn reports(site: &Site) -> Vec<String> {
    let mails = site.mails().into_iter().filter(|mail| mail.contains("Subject: Pyruse Report"));
    mails.map(|mail| mail.replace("=\n", "")).collect()
}

fn shown(site: &Site, args: &[&str]) -> String {
    String::from_utf8(site.pyruse(None, args).stdout).unwrap()
}

/// Waits until what was written last is in the report.
fn wait_recorded(site: &Site, text: &str) -> String {
    wait_for(text, || Some(shown(site, &["report", "show"])).filter(|report| report.contains(text)))
}

/// The report for programs, its times replaced.
fn as_object(site: &Site) -> String {
    fn replace_times(value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(replace_times),
            Value::Object(values) => values.values_mut().for_each(replace_times),
            Value::String(text) if text.starts_with("20") && text.ends_with('Z') => *text = "TIME".into(),
            _ => {}
        }
    }
    let line = shown(site, &["report", "show", "--json"]);
    assert_eq!(line.lines().count(), 1, "{line}");
    let mut report: Value = serde_json::from_str(&line).unwrap();
    // Its texts have times in them; `digest` and `report_mail.rs` are about it.
    assert!(report["report"]["digest"]["verdict"].is_string(), "{report}");
    report["report"].as_object_mut().unwrap().remove("digest");
    replace_times(&mut report);
    serde_json::to_string_pretty(&report).unwrap()
}

#[test]
fn it_is_sent_on_time_without_any_entry_at_that_moment_and_only_once() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(&journald, &rules(), &far());
    let pyruse = site.start(None);
    journald.line("disk", 3, "failing");
    journald.line("disk", 3, "failing");
    journald.line("odd", 6, "never seen before");
    wait_recorded(&site, "never seen before");

    // From here on nothing is written, and the report falls due.
    site.configure_with(&journald, &rules(), &json!({"dailyReport": {"group": false, "at": soon(2)}}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    let report = wait_for("the report", || reports(&site).pop());
    assert!(report.contains("multipart/alternative"), "{report}");
    assert!(report.contains("\n     2  disk: failing\n"), "{report}");
    assert!(report.contains("never seen before"), "{report}");
    assert_eq!(report.matches("Content-Transfer-Encoding: quoted-printable").count(), 2);

    // Nothing more is due today, over restarts too; and nothing recorded makes no mail.
    journald.line("odd", 6, "of the next day");
    wait_recorded(&site, "of the next day");
    assert!(pyruse.terminate().success());
    let again = site.start(None);
    wait_recorded(&site, "of the next day");
    again.kill();
    let again = site.start(None);
    assert!(again.terminate().success());
    assert_eq!(reports(&site).len(), 1, "{}", site.log());
}

#[test]
fn a_report_that_was_due_while_the_machine_was_off_is_sent_late_and_once() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(&journald, &rules(), &far());
    let pyruse = site.start(None);
    journald.line("disk", 3, "before it was off");
    wait_recorded(&site, "before it was off");
    pyruse.kill();

    // As if the last report had been due three days ago.
    let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
    let changed = state
        .execute(
            "UPDATE rows SET value = CAST(CAST(CAST(value AS TEXT) AS INTEGER) - 3 * 86400 * 1000000 AS BLOB) WHERE key = CAST('d' AS BLOB)
             AND part = (SELECT id FROM parts WHERE name = 'action_dailyReport/day')",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(state);

    let pyruse = site.start(None);
    let report = wait_for("the late report", || reports(&site).pop());
    assert!(report.contains("before it was off"), "{report}");
    journald.line("odd", 6, "after it");
    wait_recorded(&site, "after it");
    assert!(pyruse.terminate().success());
    assert_eq!(reports(&site).len(), 1);
}

#[test]
fn it_can_be_shown_and_sent_at_once_with_a_daemon_and_without() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(&journald, &rules(), &far());
    let pyruse = site.start(None);
    journald.line("mail", 6, "urgent");
    journald.line("disk", 3, "<script>alert(1)</script>\r\nBcc: everybody@example.org");
    let text = wait_recorded(&site, "<script>");
    assert!(text.contains("mails 1"), "{text}");
    assert!(text.contains("mail: 1"), "{text}");
    let html = shown(&site, &["report", "show", "--html"]);
    assert!(html.starts_with("<!DOCTYPE html>") && !html.contains("<script"), "{html}");

    insta::assert_snapshot!(as_object(&site));

    assert!(site.pyruse(None, &["report", "send"]).status.success());
    let report = wait_for("the report, by the daemon", || reports(&site).pop());
    let head = report.split("\n\n").next().unwrap();
    assert!(!head.contains("Bcc") && !report.contains("\nBcc"), "{report}");
    wait_for("an empty report", || shown(&site, &["report", "show"]).is_empty().then_some(()));
    assert_eq!(shown(&site, &["report", "show", "--json"]), "{\"report\":null}\n");

    journald.line("odd", 6, "second");
    wait_recorded(&site, "second");
    assert!(pyruse.terminate().success());
    assert!(site.pyruse(None, &["report", "send"]).status.success());
    let sent =
        wait_for("the report, by the command", || Some(reports(&site)).filter(|reports| reports.len() == 2));
    assert!(sent.iter().any(|report| report.contains("second")));
}

#[test]
fn a_flood_of_lines_makes_a_bounded_report() {
    let (journald, site) = (Journald::start(), Site::new());
    // The sample is read from a file: writing 150,000 entries live would only test journald.
    let mut export = String::new();
    for n in 0..100_000 {
        let time = 1_795_000_000_000_000_i64 + n * 1000;
        let _ = write!(
            export,
            "__REALTIME_TIMESTAMP={time}\nSYSLOG_IDENTIFIER=odd\nPRIORITY=6\nMESSAGE=other line {n}\n\n"
        );
        if n % 2 == 0 {
            let _ = write!(
                export,
                "__REALTIME_TIMESTAMP={time}\nSYSLOG_IDENTIFIER=x{n}\nPRIORITY=2\nMESSAGE=distinct {n}\n\n"
            );
        }
    }
    std::fs::create_dir(site.path("journal")).unwrap();
    common::make_journal(export.as_bytes(), &site.path("journal/flood.journal"));
    let mut more = far();
    more["journal"] = json!({"directory": site.path("journal")});
    site.configure_with(&journald, &rules(), &more);
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    pyruse.wait_ready();
    wait_for("all entries", || {
        // The daemon answers at once; showing the report takes the processor from it.
        let status: Value = serde_json::from_str(&shown(&site, &["status", "--json"])).unwrap();
        (status["entries"] == 150_000).then_some(())
    });
    assert!(site.pyruse(None, &["report", "send"]).status.success());
    let report = wait_for("the report", || reports(&site).pop());
    assert!(pyruse.terminate().success());
    assert!(report.len() < 512 * 1024, "{} bytes", report.len());
    // What is not shown is counted.
    let more = |what: &str| -> usize {
        let rest = report.lines().find_map(|line| line.split_once("and ")?.1.split_once(what)).unwrap();
        rest.0.replace(',', "").parse().unwrap()
    };
    let (text, _) = report.split_once("text/html").unwrap();
    let rows = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!(rows(": other line ") + more(" more lines, from 2026-11-18 11:06:4"), 100_000);
    assert_eq!(rows(": distinct ") + more(" more messages"), 50_000);
}

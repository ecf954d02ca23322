//! Several sources: each is read exactly once, whatever happens to the others, and every entry has the name of its source.

mod common;

use common::{Journald, Site, wait_for};
use serde_json::{Value, json};

/// Mails the source and the text of each entry of the program `prog`.
fn rules() -> Value {
    json!({"mail": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "prog"}},
        {"action": "action_email", "args": {"subject": "x", "message": "{_SOURCE}: {MESSAGE}"}},
    ]})
}

fn journal(journald: &Journald) -> Value {
    json!({"source": "source_journal", "args": {"namespace": journald.namespace}})
}

/// The usual configuration, with other sources.
fn configure(site: &Site, journald: &Journald, sources: &Value) {
    site.configure(journald, &rules());
    let file = site.path("pyruse.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("journal").unwrap();
    config["sources"] = sources.clone();
    std::fs::write(file, config.to_string()).unwrap();
}

/// The texts of all mails so far, sorted.
fn mailed(site: &Site) -> Vec<String> {
    let text = |mail: String| mail.lines().find(|line| line.contains(": line ")).map(str::to_owned);
    let mut mails: Vec<_> = site.mails().into_iter().filter_map(text).collect();
    mails.sort();
    mails
}

fn wait_for_mails(site: &Site, expected: &[&str]) {
    wait_for("these mails", || (mailed(site).len() >= expected.len()).then_some(()));
    assert_eq!(mailed(site), expected);
}

#[test]
fn two_journals_are_followed_and_each_continues_where_it_stopped() {
    let (one, two, site) = (Journald::start(), Journald::start(), Site::new());
    configure(&site, &one, &json!({"one": journal(&one), "two": journal(&two)}));
    let pyruse = site.start(None);
    one.line("prog", 6, "line 1");
    two.line("prog", 6, "line 2");
    wait_for_mails(&site, &["one: line 1", "two: line 2"]);
    assert!(pyruse.terminate().success());
    // While it is down, one of them gets more.
    two.line("prog", 6, "line 3");
    let pyruse = site.start(None);
    one.line("prog", 6, "line 4");
    wait_for_mails(&site, &["one: line 1", "one: line 4", "two: line 2", "two: line 3"]);
    // A mail that was sent but is not recorded as sent would be sent again.
    wait_for("all to be delivered", || {
        let status = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
        status.contains("0 waiting, 0 given up").then_some(())
    });
    pyruse.kill();
    let pyruse = site.start(None);
    two.line("prog", 6, "line 5");
    wait_for_mails(&site, &["one: line 1", "one: line 4", "two: line 2", "two: line 3", "two: line 5"]);
    assert!(pyruse.terminate().success());
}

#[test]
fn a_reload_adds_and_removes_sources_and_leaves_the_others_alone() {
    let (one, two, site) = (Journald::start(), Journald::start(), Site::new());
    configure(&site, &one, &json!({"one": journal(&one)}));
    let pyruse = site.start(None);
    two.line("prog", 6, "line 0, which nobody reads");
    two.sync();
    configure(&site, &one, &json!({"one": journal(&one), "two": journal(&two)}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    one.line("prog", 6, "line 1");
    two.line("prog", 6, "line 2");
    wait_for_mails(&site, &["one: line 1", "two: line 2"]);
    // One that cannot be opened: the reload is refused, and both are read on.
    let missing = json!({"source": "source_journal", "args": {"directory": site.path("nowhere")}});
    configure(&site, &one, &json!({"one": journal(&one), "other": missing}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    assert!(
        site.log().contains("not reloaded; the old configuration stays in force: source `other`:"),
        "{}",
        site.log()
    );
    two.line("prog", 6, "line 3");
    wait_for_mails(&site, &["one: line 1", "two: line 2", "two: line 3"]);
    // The first one goes, and is forgotten.
    configure(&site, &one, &json!({"two": journal(&two)}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    one.line("prog", 6, "line 4, which nobody reads");
    two.line("prog", 6, "line 5");
    wait_for_mails(&site, &["one: line 1", "two: line 2", "two: line 3", "two: line 5"]);
    for printed in ["source `two` is new: it is read from ", "source `one` is no longer configured"] {
        assert!(site.log().contains(printed), "{}", site.log());
    }
    assert!(!site.log().contains("source `one` is new"), "{}", site.log());
    configure(&site, &one, &json!({"one": journal(&one), "two": journal(&two)}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    one.line("prog", 6, "line 6");
    wait_for_mails(&site, &["one: line 1", "one: line 6", "two: line 2", "two: line 3", "two: line 5"]);
    assert!(pyruse.terminate().success());
}

#[test]
fn the_reader_of_files_reads_every_line_once_through_rotations_and_kills() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut source = journal(&journald);
    source["args"]["reader"] = json!("files");
    configure(&site, &journald, &json!({"one": source}));
    let mut expected = Vec::new();
    for round in 0..3 {
        let pyruse = site.start(None);
        for n in 0..3 {
            let line = format!("line {round}.{n}");
            journald.line("prog", 6, &line);
            expected.push(format!("one: {line}"));
            if n == round {
                journald.rotate();
            }
        }
        wait_for_mails(&site, &expected.iter().map(String::as_str).collect::<Vec<_>>());
        wait_for("all to be delivered", || {
            let status = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
            status.contains("0 waiting, 0 given up").then_some(())
        });
        pyruse.kill();
        // While it is down, the file that it read is archived.
        let line = format!("line {round}.9");
        journald.line("prog", 6, &line);
        expected.push(format!("one: {line}"));
        journald.rotate();
    }
    let pyruse = site.start(None);
    wait_for_mails(&site, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!site.log().contains("lost"), "{}", site.log());
    let replay = || String::from_utf8(site.pyruse(None, &["replay", "--json"]).stdout).unwrap();
    let replayed = replay();
    assert!(replayed.contains("line 2.9"), "{replayed}");
    // Another reader takes the position over.
    configure(&site, &journald, &json!({"one": journal(&journald)}));
    assert_eq!(replay(), replayed);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    journald.line("prog", 6, "line 9");
    expected.push("one: line 9".to_owned());
    wait_for_mails(&site, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(pyruse.terminate().success());
}

/// Writes entries of `prog`, each with its second and its text, as `journalctl -o export` does.
fn record(site: &Site, name: &str, entries: &[(i64, &str)]) -> Value {
    let mut text = String::new();
    for (second, message) in entries {
        let time = (1_795_000_000 + second) * 1_000_000;
        let head = format!("__REALTIME_TIMESTAMP={time}\nSYSLOG_IDENTIFIER=prog\n_SOURCE=forged\n");
        text.extend([head.as_str(), "MESSAGE=", message, "\n\n"]);
    }
    std::fs::write(site.path(name), text).unwrap();
    json!({"source": "source_recording", "args": {"file": site.path(name), "format": "export"}})
}

#[test]
fn a_replay_reads_all_sources_in_order_of_time_and_no_entry_forges_its_source() {
    let (journald, site) = (Journald::start(), Site::new());
    let odd = record(&site, "odd", &[(1, "a"), (3, "b"), (5, "c")]);
    let even = record(&site, "even", &[(2, "d"), (4, "e"), (6, "f")]);
    configure(&site, &journald, &json!({"odd": odd, "even": even}));
    let output = site.pyruse(None, &["replay", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let bodies: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].as_str().unwrap().trim().to_owned())
        .collect();
    assert_eq!(bodies, ["odd: a", "even: d", "odd: b", "even: e", "odd: c", "even: f"]);
}

#[test]
fn a_recording_is_read_on_from_where_it_ended() {
    let (journald, site) = (Journald::start(), Site::new());
    let recording = record(&site, "recording", &[(1, "line 1"), (2, "line 2")]);
    configure(&site, &journald, &json!({"r": recording}));
    // The first start reads from the given time on.
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    wait_for_mails(&site, &["r: line 1", "r: line 2"]);
    assert!(pyruse.terminate().success());
    let mut more = std::fs::read_to_string(site.path("recording")).unwrap();
    more += &more.replace("line 1", "line 3").replace("line 2", "line 4");
    std::fs::write(site.path("recording"), more).unwrap();
    let pyruse = site.start(None);
    wait_for_mails(&site, &["r: line 1", "r: line 2", "r: line 3", "r: line 4"]);
    assert!(pyruse.terminate().success());
    // A file that became shorter is another one.
    std::fs::write(site.path("recording"), "MESSAGE=x\n").unwrap();
    let output = site.pyruse(None, &["run"]);
    assert!(!output.status.success());
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("it is another file, or was cut"), "{printed}");
}

#[test]
fn mistakes_in_sources_are_reported_with_their_places() {
    let site = Site::new();
    let mut printed = String::new();
    for text in [
        r#"{"sources": {"a": {"source": "source_jurnal"}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "filter_equals"}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "source_journal"}, "a": {"source": "source_journal"}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a b": {"source": "source_journal", "arg": 1}, "c": []}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"args": {}}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "source_journal"}}, "journal": {}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "source_journal", "args": {"scop": "all"}}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "source_journal", "args": {"directory": "/a", "namespace": "b"}}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"sources": {"a": {"source": "source_recording", "args": {"file": "x", "fields": ["A=1"]}}}, "actions": {"x": [{"action": "action_noop"}]}}"#,
        r#"{"actions": {"x": [{"action": "source_journal"}]}}"#,
    ] {
        std::fs::write(site.path("pyruse.json"), text).unwrap();
        let output = site.pyruse(None, &["check"]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        printed += &String::from_utf8(output.stderr).unwrap();
    }
    insta::assert_snapshot!(printed.replace(&site.path("").display().to_string(), "SITE/"));
}

#[test]
fn status_shows_the_status_of_each_source() {
    let (one, two, site) = (Journald::start(), Journald::start(), Site::new());
    configure(&site, &one, &json!({"one": journal(&one), "two": journal(&two)}));
    let pyruse = site.start(None);
    one.line("prog", 6, "line 1");
    wait_for_mails(&site, &["one: line 1"]);
    pyruse.signal("-STOP");
    two.line("prog", 6, "line 2");
    two.line("prog", 6, "line 3");
    two.sync();
    let status = || -> Value {
        let output = site.pyruse(None, &["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    };
    let hanging = status();
    assert_eq!(hanging["behind"]["entries"], 2, "{hanging:#}");
    let behind = |status: &Value, n: usize| {
        (status["sources"][n]["name"].clone(), status["sources"][n]["behind"]["entries"].clone())
    };
    assert_eq!(
        [behind(&hanging, 0), behind(&hanging, 1)],
        [(json!("one"), json!(0)), (json!("two"), json!(2))]
    );
    pyruse.signal("-CONT");
    wait_for_mails(&site, &["one: line 1", "two: line 2", "two: line 3"]);
    wait_for("the end", || (status()["behind"]["entries"] == 0).then_some(()));
    let output = site.pyruse(None, &["status"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["one", "two"] {
        assert!(text.contains(&format!("\n{name:<14}up to date; read up to ")), "{text}");
    }
    assert!(pyruse.terminate().success());
}

#[test]
fn the_command_sources_shows_what_each_source_reads_and_how_far() {
    let (one, site) = (Journald::start(), Site::new());
    let recording = record(&site, "recording", &[(1, "line 1"), (2, "line 2")]);
    let only = json!({"source": "source_journal",
        "args": {"namespace": one.namespace, "matches": ["SYSLOG_IDENTIFIER=prog"]}});
    let whole =
        json!({"source": "source_journal", "args": {"directory": one.directory(), "scope": "system"}});
    configure(&site, &one, &json!({"one": only, "system": whole, "recording": recording}));
    // A position is shown by time, and how long ago that was.
    let sources = |status: i32| {
        let output = site.pyruse(None, &["sources"]);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text
            .replace(&one.directory().display().to_string(), "DIRECTORY")
            .replace(&one.namespace, "NAMESPACE")
            .replace(&site.path("").display().to_string(), "SITE/");
        let without_time = |line: &str| match line.split_once("read up to ").or(line.split_once("since 2")) {
            Some((before, _)) => format!("{before}…"),
            None => line.to_owned(),
        };
        text.split_inclusive('\n').map(|line| without_time(line.trim_end()) + "\n").collect::<String>()
    };
    let before = sources(0);
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    pyruse.wait_ready();
    one.line("prog", 6, "line 3");
    wait_for_mails(&site, &["one: line 3", "recording: line 1", "recording: line 2", "system: line 3"]);
    wait_for("the end", || sources(0).matches("up to date").count().eq(&3).then_some(()));
    let running = sources(0);
    let output = site.pyruse(None, &["sources", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["running"], true);
    let recording = &json["sources"][1];
    assert_eq!(recording["name"], "recording");
    assert_eq!(recording["module"], "source_recording");
    assert_eq!(recording["silentSince"], recording["readUpTo"]);
    assert_eq!(recording["losses"], json!([]));
    assert!(pyruse.terminate().success());
    std::fs::remove_file(site.path("recording")).unwrap();
    insta::assert_snapshot!(format!("{before}\n{running}\n{}", sources(1)));
}

#[test]
fn a_source_whose_directory_disappears_is_reported_once_and_read_again_when_it_returns() {
    let (one, two, site) = (Journald::start(), Journald::start(), Site::new());
    let (here, gone) = (site.path("two"), site.path("gone"));
    std::os::unix::fs::symlink(two.directory(), &here).unwrap();
    let directory = json!({"source": "source_journal", "args": {"directory": here}});
    configure(&site, &one, &json!({"one": journal(&one), "two": directory}));
    let pyruse = site.start(None);
    two.line("prog", 6, "line 1");
    wait_for_mails(&site, &["two: line 1"]);
    std::fs::rename(&here, &gone).unwrap();
    let printed = "source `two`: the journal's directory was replaced, but cannot be opened";
    wait_for("the error", || site.log().contains(printed).then_some(()));
    let status = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
    assert!(
        status.contains("the source two cannot be read: the journal's directory was replaced"),
        "{status}"
    );
    one.line("prog", 6, "line 2");
    wait_for_mails(&site, &["one: line 2", "two: line 1"]);
    two.line("prog", 6, "line 3");
    std::fs::rename(&gone, &here).unwrap();
    wait_for("the end of the error", || {
        (!site.pyruse(None, &["status"]).stdout.windows(7).any(|word| word == b"TROUBLE")).then_some(())
    });
    two.line("prog", 6, "line 4");
    wait_for_mails(&site, &["one: line 2", "two: line 1", "two: line 3", "two: line 4"]);
    assert_eq!(site.log().matches(printed).count(), 1, "{}", site.log());
    assert!(pyruse.terminate().success());
}

#[test]
fn a_recording_beside_a_journal_hides_no_entry_from_explain_and_is_checked_live() {
    let (one, site) = (Journald::start(), Site::new());
    let recording = record(&site, "recording", &[(1, "line 1")]);
    configure(&site, &one, &json!({"a": recording, "b": journal(&one)}));
    one.line("prog", 6, "line 2");
    one.sync();
    let last = one.journalctl(&["--lines=1", "--output=json"]);
    let cursor = serde_json::from_str::<Value>(&last).unwrap()["__CURSOR"].as_str().unwrap().to_owned();
    let output = site.pyruse(None, &["explain", "--cursor", &cursor]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("b: line 2"), "{output:?}");
    let check = || String::from_utf8(site.pyruse(None, &["check", "--live"]).stderr).unwrap();
    assert!(!check().contains("P101"), "{}", check());
    std::fs::remove_file(site.path("recording")).unwrap();
    let found = check();
    assert!(found.contains("P101") && found.contains("the recording cannot be read"), "{found}");
}

#[test]
fn a_long_name_has_a_line_of_its_own_in_the_status() {
    let (one, site) = (Journald::start(), Site::new());
    configure(&site, &one, &json!({"the-journal-of-one": journal(&one)}));
    let output = site.pyruse(None, &["status"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nthe-journal-of-one\n              nothing was read yet\n"), "{text}");
}

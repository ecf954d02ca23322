//! Losses are counted, logged, and shown in `status` and in the report. What is not lost is not reported.

mod common;
mod operator;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use common::journal_file::JournalFile;
use common::{Journald, Running, Site, make_journal, wait_for};
use operator::json;
use serde_json::{Value, json};

/// What the program logs in verbose mode when it has compared what was read with the content of the files.
const SETTLED: &str = "everything is accounted for after";

/// Every entry of priority 3 is a line of the report.
fn rules() -> Value {
    json!({"all": [
        {"filter": "filter_equals", "args": {"field": "PRIORITY", "value": 3}},
        {"action": "action_dailyReport", "args": {"message": "<{MESSAGE}>", "level": "OTHER"}},
    ]})
}

fn start(site: &Site, journal: &Value, args: &[&str]) -> Running {
    // The reader of files is tested beside its code.
    let mut journal = journal.clone();
    journal["reader"] = json!("libsystemd");
    site.configure_for("none", &rules(), &json!({"debug": true, "journal": journal}));
    let daemon = site.launch(None, args);
    daemon.wait_ready();
    daemon
}

fn status(site: &Site) -> Value {
    json(site, None, &["status", "--json"])
}

/// Waits until everything is accounted for, with at least this many entries read.
fn settled(site: &Site, entries: u64) {
    let read = |line: &str| line.split_once(SETTLED)?.1.split(' ').nth(1)?.parse::<u64>().ok();
    wait_for("accounts", || site.log().lines().filter_map(read).any(|read| read >= entries).then_some(()));
}

/// The losses that `status` speaks of: kinds and counts.
fn losses(site: &Site) -> Vec<(String, u64)> {
    let status = status(site);
    let one = |loss: &Value| (loss["kind"].as_str().unwrap().to_owned(), loss["count"].as_u64().unwrap());
    status["losses"]
        .as_array()
        .unwrap_or_else(|| panic!("{status}: {}", site.log()))
        .iter()
        .map(one)
        .collect()
}

/// The number of the entry that was read last, and how many were read.
fn accounted(site: &Site) -> (u64, u64) {
    let status = status(site);
    let number = status["cursor"].as_str().unwrap().split(";i=").nth(1).unwrap().split(';').next().unwrap();
    (u64::from_str_radix(number, 16).unwrap(), status["entries"].as_u64().unwrap())
}

fn entry(time: u64, fields: &str) -> String {
    format!("__REALTIME_TIMESTAMP={time}\n{fields}\n\n")
}

/// Waits until the journal holds an entry with that message.
fn written(journald: &Journald, message: &str) {
    wait_for("the entry", || journald.journalctl(&["-o", "cat"]).contains(message).then_some(()));
}

#[test]
fn entries_that_were_deleted_before_they_were_read_are_counted_and_reported() {
    let (journald, site) = (Journald::start(), Site::new());
    let daemon = start(&site, &json!({"namespace": journald.namespace}), &["run"]);
    journald.line("prog", 3, "before");
    settled(&site, 1);
    let before = accounted(&site);

    daemon.signal("-STOP");
    for round in 0..2 {
        for n in 0..1500 {
            journald.line("prog", 6, &format!("line {round} {n}"));
        }
        journald.sync();
        journald.rotate();
    }
    journald.vacuum();
    journald.line("prog", 3, "after");
    written(&journald, "after");
    daemon.signal("-CONT");

    let lost = wait_for("the loss", || Some(losses(&site)).filter(|losses| !losses.is_empty()));
    let status = status(&site);
    // journald numbers its entries, and writes some of its own.
    let after = accounted(&site);
    let number = (after.0 - before.0) - (after.1 - before.1);
    assert!(number > 0, "nothing was lost: this tests nothing: {status}");
    assert_eq!(lost, [("missing".to_owned(), number)], "{status}");
    let range = &status["losses"][0];
    assert!(range["from"].as_str() < range["until"].as_str(), "{status}");
    assert_eq!(site.log().matches(" lost: deleted").count(), 1, "{}", site.log());
    let report = wait_for("the report", || {
        let report = json(&site, None, &["report", "show", "--json"])["report"].take();
        (report["digest"]["losses"] != json!([])).then_some(report)
    });
    let in_report = &report["digest"]["losses"][0];
    assert_eq!(
        (&in_report["source"], &in_report["kind"]),
        (&json!("journal"), &json!("missing")),
        "{report:#}"
    );
    assert_eq!(in_report["count"], number, "{report:#}");
    assert_eq!((&in_report["from"], &in_report["until"]), (&range["from"], &range["until"]), "{report:#}");
    let text = String::from_utf8(site.pyruse(None, &["report", "show"]).stdout).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("PYRUSE ITSELF - {number} entries written ")), "{text}");
    let shown = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
    assert!(shown.contains(&format!("LOST          {number} entries written ")), "{shown}");
    assert!(daemon.terminate().success());

    // The same while it is down.
    (0..10).for_each(|n| journald.line("prog", 6, &format!("down {n}")));
    journald.line("prog", 6, "last of these");
    written(&journald, "last of these");
    journald.rotate();
    journald.vacuum();
    journald.line("prog", 3, "again");
    let daemon = site.start(None);
    let lost = wait_for("the loss", || Some(losses(&site)).filter(|losses| !losses.is_empty()));
    assert!(matches!(&lost[..], [(kind, 11..)] if kind == "missing"), "{lost:?}");
    assert!(daemon.terminate().success());
}

#[test]
fn a_flood_over_many_small_files_that_is_read_whole_is_no_loss() {
    let journald = Journald::start_with(common::unique("pyr"), "SystemMaxFileSize=512K\n");
    let site = Site::new();
    let daemon = start(&site, &json!({"namespace": journald.namespace}), &["run"]);
    journald.line("prog", 3, "before");
    settled(&site, 1);
    let before = accounted(&site);
    for n in 0..6000_u64 {
        let words: Vec<String> =
            (0..40).map(|at| ((n * 40 + at) * 2_654_435_761 % 99_991).to_string()).collect();
        journald.line("prog", 6, &words.join(" "));
    }
    settled(&site, 6001);
    let after = accounted(&site);
    assert_eq!(after.0 - before.0, after.1 - before.1);
    assert_eq!(losses(&site), [], "{}", site.log());
    let files = fs::read_dir(journald.directory()).unwrap().count();
    assert!(files > 5, "{files} files: this tests nothing");
    assert!(daemon.terminate().success());
}

/// A line by a process of a user account: journald puts it into that user's journal.
fn line_of_user(journald: &Journald, message: &str) {
    let socket = format!("/run/systemd/journal.{}/dev-log", journald.namespace);
    let status = Command::new("setpriv")
        .args(["--reuid=54321", "--regid=54321", "--clear-groups"])
        .args(["logger", "--socket", &socket, "-p", "user.err", "-t", "prog", message])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn numbers_of_entries_of_users_or_of_excluded_entries_are_not_losses() {
    for journal in [json!({"scope": "system"}), json!({"matches": ["PRIORITY=3"]}), json!({"scope": "all"})] {
        let (journald, site) = (Journald::start(), Site::new());
        let mut settings = journal.clone();
        settings["directory"] = json!(journald.directory());
        let daemon = start(&site, &settings, &["run"]);
        for n in 0..30 {
            line_of_user(&journald, &format!("user {n}"));
            journald.line("prog", 3, &format!("wanted {n}"));
            journald.line("prog", 6, &format!("noise {n}"));
        }
        journald.rotate();
        line_of_user(&journald, "user last");
        journald.line("prog", 3, "wanted last");
        let user = journald.directory().join("user-54321.journal");
        wait_for("the user's journal", || user.exists().then_some(()));
        settled(&site, 31);
        assert_eq!(losses(&site), [], "{journal}: {}", site.log());
        assert!(daemon.terminate().success());
    }
}

/// The offset in a journal file's header of the last assigned number.
const LAST_NUMBER: u64 = 160;

#[test]
fn a_number_of_an_entry_that_went_to_the_next_file_is_no_loss_and_one_more_is() {
    for (numbers, expected) in [(1, vec![]), (2, vec![("missing".to_owned(), 1)])] {
        let (journald, site) = (Journald::start(), Site::new());
        let daemon = start(&site, &json!({"namespace": journald.namespace}), &["run"]);
        journald.line("prog", 3, "before");
        settled(&site, 1);
        // As journald leaves it when an entry does not fit into a file: it has a number, and no place in the array.
        let file = JournalFile::open(&journald.directory().join("system.journal"));
        file.set(LAST_NUMBER, file.u64(LAST_NUMBER) + numbers);
        journald.rotate();
        journald.line("prog", 3, "after");
        written(&journald, "after");
        settled(&site, 2);
        assert_eq!(losses(&site), expected, "{}", site.log());
        assert!(daemon.terminate().success());
    }
}

#[test]
fn entries_that_arrive_late_and_sort_before_the_position_are_reported() {
    let site = Site::new();
    fs::create_dir(site.path("journal")).unwrap();
    let now = 1_795_000_000_000_000_u64;
    let fields = "PRIORITY=3\nMESSAGE=x";
    make_journal(entry(now, fields).as_bytes(), &site.path("journal/remote-one.journal"));
    let daemon = start(&site, &json!({"directory": site.path("journal")}), &["run", "--since", "@0"]);
    settled(&site, 1);
    let late: String = (1..=3).map(|n| entry(now - n * 1_000_000, fields)).collect();
    make_journal(late.as_bytes(), &site.path("late.journal"));
    fs::rename(site.path("late.journal"), site.path("journal/remote-two.journal")).unwrap();
    let lost = wait_for("the loss", || Some(losses(&site)).filter(|losses| !losses.is_empty()));
    assert_eq!(lost, [("passedOver".to_owned(), 3)]);
    // Entries that arrive in time are read, and nothing is logged.
    make_journal(entry(now + 5_000_000, fields).as_bytes(), &site.path("journal/remote-three.journal"));
    settled(&site, 2);
    assert_eq!(losses(&site), [("passedOver".to_owned(), 3)]);
    assert!(daemon.terminate().success());
}

#[test]
fn a_damaged_entry_that_libsystemd_skips_is_reported() {
    let (journald, site) = (Journald::start(), Site::new());
    let daemon = start(&site, &json!({"namespace": journald.namespace}), &["run"]);
    journald.line("prog", 3, "one");
    settled(&site, 1);
    daemon.signal("-STOP");
    for message in ["two", "three", "four"] {
        journald.line("prog", 3, message);
    }
    written(&journald, "four");
    let file = JournalFile::open(&journald.directory().join("system.journal"));
    let entries = file.entries();
    // No entry has the number 0.
    file.set(entries[entries.len() - 2] + 16, 0);
    daemon.signal("-CONT");
    let lost = wait_for("the loss", || Some(losses(&site)).filter(|losses| !losses.is_empty()));
    assert_eq!(lost, [("passedOver".to_owned(), 1)]);
    let report = String::from_utf8(site.pyruse(None, &["report", "show"]).stdout).unwrap();
    assert!(report.contains("<two>") && !report.contains("<three>") && report.contains("<four>"), "{report}");
    assert!(daemon.terminate().success());
}

#[test]
fn an_entry_with_an_unreadable_field_is_read_and_the_loss_is_reported() {
    let site = Site::new();
    let path = site.path("one.journal");
    let export: String =
        (0..3_u64).map(|n| entry(1_795_000_000_000_000 + n * 1_000_000, "PRIORITY=3\nMESSAGE=x")).collect();
    make_journal(export.as_bytes(), &path);
    let more = entry(1_795_000_100_000_000, "PRIORITY=3\nMESSAGE=whole");
    make_journal(more.as_bytes(), &site.path("two.journal"));
    // It says that it is compressed, and is not.
    let message = JournalFile::open(&path).data_of_last("MESSAGE=");
    patch(&path, message + 1, &[1]);
    let journal = json!({"files": [path, site.path("two.journal")], "reader": "libsystemd"});
    site.configure_for("none", &rules(), &json!({"journal": journal}));
    let output = site.pyruse(None, &["replay", "--json", "--since", "@0"]);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!((out.matches("<None>").count(), out.matches("<whole>").count()), (3, 1), "{out}");
    assert_eq!(err.matches(" read without all fields").count(), 2, "{err}");
    assert!(err.contains("1 entry written at"), "{err}");
    assert!(err.contains("in all, 3 entries written between"), "{err}");
}

#[test]
fn files_that_cannot_be_read_or_exceed_the_limit_are_named() {
    let site = Site::new();
    fs::create_dir(site.path("journal")).unwrap();
    for n in 0..4 {
        let path = site.path(&format!("journal/file{n}.journal"));
        make_journal(entry(1_795_000_000_000_000 + n, "PRIORITY=3\nMESSAGE=x").as_bytes(), &path);
        fs::set_permissions(&path, fs::Permissions::from_mode(if n == 2 { 0o600 } else { 0o644 })).unwrap();
    }
    let journal = json!({"directory": site.path("journal"), "reader": "libsystemd"});
    site.configure_for("none", &rules(), &json!({"journal": journal}));
    for path in [site.path(""), site.path("journal"), site.path("pyruse.json")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // The program under test may be in a directory that other users cannot access.
    let program = std::env::temp_dir().join(common::unique("pyruse-copy"));
    fs::copy(env!("CARGO_BIN_EXE_pyruse"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let check = |by: &[&str]| {
        let mut command = Command::new(by[0]);
        command.args(&by[1..]).arg(&program).arg("--config").arg(site.path("pyruse.json"));
        String::from_utf8(command.args(["check", "--live", "--json"]).output().unwrap().stdout).unwrap()
    };
    let as_nobody = check(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    let with_few_descriptors = check(&["prlimit", "--nofile=67:67"]);
    fs::remove_file(&program).unwrap();
    let named = "journal/file2.journal is left out: permission denied";
    assert!(as_nobody.contains(named), "{as_nobody}");
    assert_eq!(as_nobody.matches("is left out").count(), 1, "{as_nobody}");
    let named = "is left out: as to 1 of its files: the limit of open files allows no more than 3";
    assert!(with_few_descriptors.contains(named), "{with_few_descriptors}");
}

/// Writes at that place of a file.
fn patch(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn files_that_libsystemd_leaves_out_are_named_with_the_reason() {
    let site = Site::new();
    fs::create_dir(site.path("journal")).unwrap();
    let path = |name: &str| site.path(&format!("journal/{name}.journal"));
    for name in ["good", "damaged", "truncated", "modern"] {
        make_journal(entry(1_795_000_000_000_000, "PRIORITY=3\nMESSAGE=x").as_bytes(), &path(name));
    }
    patch(&path("damaged"), 0, b"garbage!");
    File::options().write(true).open(path("truncated")).unwrap().set_len(500).unwrap();
    patch(&path("modern"), 14, &[0xff]);
    let expected = |name: &str, why: &str| json!({"file": path(name), "why": why});
    let expected = json!([
        expected("damaged", "it is damaged"),
        expected("modern", "it uses a feature that this version of libsystemd does not support"),
        expected("truncated", "it is truncated"),
    ]);
    let daemon = start(&site, &json!({"directory": site.path("journal")}), &["run", "--since", "@0"]);
    let known =
        wait_for("the files", || Some(status(&site)["leftOut"].clone()).filter(|all| *all != json!([])));
    assert_eq!(known, expected);
    for left_out in expected.as_array().unwrap() {
        let [file, why] = ["file", "why"].map(|key| left_out[key].as_str().unwrap());
        let words = format!("the journal file {file} is left out: {why}");
        assert_eq!(site.log().matches(&words).count(), 1, "{}", site.log());
        let check = site.pyruse(None, &["check", "--live", "--json"]);
        let found = String::from_utf8(check.stdout).unwrap();
        assert!(found.contains(&words), "{found}");
    }
    // One that is damaged later.
    make_journal(entry(1_795_000_001_000_000, "MESSAGE=y").as_bytes(), &site.path("later.journal"));
    patch(&site.path("later.journal"), 0, b"garbage!");
    fs::rename(site.path("later.journal"), path("later")).unwrap();
    wait_for("the file", || (status(&site)["leftOut"].as_array().unwrap().len() == 4).then_some(()));
    // Its entries are reported by its name, once.
    assert_eq!(losses(&site), []);
    assert!(daemon.terminate().success());
    assert_eq!(status(&site)["leftOut"].as_array().unwrap().len(), 4);
}

#[test]
fn reading_continues_when_the_stored_entry_is_gone_and_its_time_is_ahead_of_the_clock() {
    let (journald, site) = (Journald::start(), Site::new());
    let settings = json!({"namespace": journald.namespace});
    let daemon = start(&site, &settings, &["run"]);
    journald.line("prog", 3, "before");
    settled(&site, 1);
    assert!(daemon.terminate().success());
    let known: String = {
        let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
        state
            .query_row("SELECT CAST(place AS TEXT) FROM sources WHERE name = 'journal'", [], |row| row.get(0))
            .unwrap()
    };
    journald.line("prog", 3, "while it was down");
    written(&journald, "while it was down");
    let [_, number, boot, mono, ..] = known.split(';').collect::<Vec<_>>()[..] else { panic!("{known}") };
    let far = "t=ffffffffffff0;x=1";
    let other_boot = "b=0123456789abcdef0123456789abcdef";
    let other = "s=0123456789abcdef0123456789abcdef";
    for (case, cursor, reads_before) in [
        ("another boot", Some(format!("{other};{number};{other_boot};{mono};{far}")), true),
        ("this boot", Some(format!("{other};{number};{boot};{mono};{far}")), false),
        ("no cursor", None, true),
    ] {
        let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
        state
            .execute(
                "UPDATE sources SET place = CAST(coalesce(?1, '') AS BLOB), time = ?2 WHERE name = 'journal'",
                rusqlite::params![cursor, 0x000f_ffff_ffff_fff0_i64],
            )
            .unwrap();
        drop(state);
        site.pyruse(None, &["report", "send"]);
        let daemon = site.start(None);
        let message = format!("after {case}");
        journald.line("prog", 3, &message);
        let report = wait_for("the report", || {
            let report = site.pyruse(None, &["report", "show"]);
            Some(String::from_utf8(report.stdout).unwrap()).filter(|report| report.contains(&message))
        });
        assert!(report.contains("<while it was down>"), "{case}: {report}");
        assert_eq!(report.contains("<before>"), reads_before, "{case}: {report}");
        assert!(site.log().contains("is later than the journal or the clock"), "{case}");
        assert!(daemon.terminate().success());
        fs::write(site.path("log"), "").unwrap();
    }
}

#[test]
fn a_journal_by_files_is_followed_over_rotations_live_and_while_it_was_down() {
    let (journald, site) = (Journald::start(), Site::new());
    let file = journald.directory().join("system.journal");
    let daemon = start(&site, &json!({"files": [file]}), &["run"]);
    let mut expected = Vec::new();
    let mut write = |message: &str| {
        journald.line("prog", 3, message);
        written(&journald, message);
        expected.push(format!("<{message}>"));
    };
    write("one");
    settled(&site, 1);
    daemon.signal("-STOP");
    write("still in the old file");
    journald.rotate();
    write("in a file between");
    journald.rotate();
    write("in the new file");
    daemon.signal("-CONT");
    let has = |message: &str| {
        let report = site.pyruse(None, &["report", "show"]);
        String::from_utf8(report.stdout).unwrap().contains(message)
    };
    wait_for("the new file", || has("<in the new file>").then_some(()));
    assert!(daemon.terminate().success());
    write("down");
    journald.rotate();
    write("up again");
    let daemon = site.start(None);
    wait_for("the newest file", || has("<up again>").then_some(()));
    let report = String::from_utf8(site.pyruse(None, &["report", "show"]).stdout).unwrap();
    for message in &expected {
        assert_eq!(report.matches(message.as_str()).count(), 1, "{message}: {report}\n{}", site.log());
    }
    assert_eq!(losses(&site), []);
    assert!(daemon.terminate().success());
}

#[test]
fn services_that_write_into_the_journal_of_a_user_are_named() {
    let site = Site::new();
    fs::create_dir(site.path("journal")).unwrap();
    let mut export = String::new();
    let units = ["myapp.service", "ssh.service", "user@1000.service", "session-3.scope"];
    for (n, unit) in units.iter().enumerate() {
        let _ = write!(
            export,
            "{}",
            entry(1_795_000_000_000_000 + n as u64, &format!("MESSAGE=x\n_SYSTEMD_UNIT={unit}"))
        );
    }
    make_journal(export.as_bytes(), &site.path("journal/user-1000.journal"));
    make_journal(
        entry(1_795_000_000_000_000, "MESSAGE=y\n_SYSTEMD_UNIT=ssh.service").as_bytes(),
        &site.path("journal/system.journal"),
    );
    let words = "wrote entries under a user account";
    for (scope, is_told) in [("system", true), ("all", false)] {
        let journal = json!({"directory": site.path("journal"), "scope": scope});
        site.configure_for("none", &rules(), &json!({"journal": journal}));
        let check = site.pyruse(None, &["check", "--live", "--json"]);
        let found = String::from_utf8(check.stdout).unwrap();
        assert_eq!(
            found.contains(&format!("myapp.service, ssh.service {words}")),
            is_told,
            "{scope}: {found}"
        );
        // That of which other entries are read is no reason for an alert.
        let units = if is_told { json!(["myapp.service"]) } else { json!([]) };
        assert_eq!(status(&site)["unitsNotRead"], units, "{scope}");
        let shown = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
        assert_eq!(shown.contains(&format!(" myapp.service {words}")), is_told, "{scope}: {shown}");
    }
}

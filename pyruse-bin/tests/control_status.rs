//! `status`: right about the daemon, and about how far behind the journal it is, in every situation.

mod common;
mod operator;

use std::fmt::Write as _;
use std::time::Duration;

use common::{Firewall, Journald, LONG, Site, failed_login, make_journal, ssh_rules, wait_for};
use operator::{json, plain, said, stop, without_pid};
use serde_json::{Value, json};

const START: i64 = 1_795_000_000;

/// Writes journal files with this many entries, one second apart.
fn write_journal(site: &Site, name: &str, from: i64, count: i64) {
    let mut export = String::new();
    for n in from..from + count {
        let time = (START + n) * 1_000_000;
        let _ = write!(
            export,
            "__REALTIME_TIMESTAMP={time}\nSYSLOG_IDENTIFIER=x\nPRIORITY=6\nMESSAGE=line {n}\n\n"
        );
    }
    make_journal(export.as_bytes(), &site.path(&format!("journal/{name}.journal")));
}

fn status(site: &Site) -> Value {
    json(site, None, &["status", "--json"])
}

#[test]
fn how_far_behind_the_journal_is_right_while_fifty_thousand_entries_wait() {
    let (journald, site) = (Journald::start(), Site::new());
    std::fs::create_dir(site.path("journal")).unwrap();
    let rules = json!({"count": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(?P<word>\\S+) (?P<n>\\d+)$"}},
        {"action": "action_counterRaise", "args": {"counter": "words", "for": "word", "keepSeconds": 60}},
    ]});
    let files = json!({"journal": {"directory": site.path("journal")}});
    site.configure_with(&journald, &rules, &files);
    write_journal(&site, "first", 0, 10);
    let daemon = site.launch(None, &["run", "--since", "@0"]);
    daemon.wait_ready();
    wait_for("ten entries", || (status(&site)["entries"] == 10).then_some(()));
    assert_eq!(status(&site)["behind"], json!({"entries": 0, "atLeast": false, "seconds": 0, "gap": false}));

    // It hangs.
    daemon.signal("-STOP");
    write_journal(&site, "second", 10, 50_000);
    let hanging = status(&site);
    let all = json!({"entries": 50_000, "atLeast": false, "seconds": 50_000, "gap": false});
    assert_eq!((&hanging["running"], &hanging["answers"]), (&json!(true), &json!(false)));
    assert_eq!(hanging["pid"], daemon.child.id());
    assert_eq!(hanging["silence"], "it does not answer within 3 s");
    assert_eq!(hanging["behind"], all);

    // It catches up: what it has read and what waits are all there is, at every moment.
    let mut seen = 0;
    let mut behind = Vec::new();
    while seen < 50_010 {
        daemon.signal("-CONT");
        let status = status(&site);
        let (read, waits) =
            (status["entries"].as_i64().unwrap(), status["behind"]["entries"].as_i64().unwrap());
        let seconds = status["behind"]["seconds"].as_i64().unwrap();
        assert_eq!((read + waits, seconds), (50_010, waits), "{status}");
        assert!(read >= seen);
        seen = read;
        behind.push(waits);
        // Held back, so that there are such moments.
        daemon.signal("-STOP");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(behind.iter().any(|waits| *waits > 0), "{behind:?}");
    daemon.signal("-CONT");
    stop(daemon, &site);

    // It is stopped.
    write_journal(&site, "third", 50_010, 50_000);
    let stopped = status(&site);
    assert_eq!((&stopped["running"], &stopped["behind"]), (&json!(false), &all));
    let output = site.pyruse(None, &["status"]);
    let printed = plain(&site, &said(&output));
    let printed: Vec<&str> = printed.lines().filter(|line| !line.starts_with("state ")).collect();
    insta::assert_snapshot!(printed.join("\n"));
}

#[test]
fn a_live_journal_is_followed_to_its_end_and_the_end_is_seen() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let mut rules = ssh_rules(3600);
    rules["z report"] = json!([{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "m"}}]);
    site.configure(&journald, &rules);
    let daemon = site.start(Some(&firewall));
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.7"]).status.success());
    failed_login(&journald, "192.0.2.1");
    wait_for("it", || (status(&site)["counters"] == 1).then_some(()));
    daemon.signal("-STOP");
    for n in 0..3000 {
        journald.line("x", 6, &format!("line {n}"));
    }
    journald.sync();
    journald.rotate();
    // journald itself may say a word about rotating.
    let waits = wait_for("the lines", || {
        let waits = status(&site)["behind"]["entries"].as_u64().unwrap();
        (waits >= 3000).then_some(waits)
    });
    assert!(waits < 3010, "{waits}");
    daemon.signal("-CONT");
    wait_for("it to catch up", || (status(&site)["behind"]["entries"] == 0).then_some(()));
    let output = site.pyruse(Some(&firewall), &["status"]);
    assert!(output.status.success());
    let printed = without_pid(&plain(&site, &said(&output)), daemon.child.id());
    let printed: Vec<String> = printed
        .lines()
        .map(|line| match line.split_whitespace().next() {
            Some("state") => "state         … KiB in SITE/state".to_owned(),
            Some("entries") => "entries       … read since the start, 0 errors".to_owned(),
            Some("pyruse") => {
                format!("pyruse        VERSION, running since …{}", &line[line.find("), ").unwrap()..])
            }
            _ => line.to_owned(),
        })
        .collect();
    stop(daemon, &site);
    insta::assert_snapshot!(printed.join("\n"));
}

#[test]
fn a_daemon_that_hangs_is_reported_even_if_its_socket_is_flooded() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &ssh_rules(3600));
    let daemon = site.start(None);
    daemon.signal("-STOP");
    let socket = site.path("state/control");
    // Until its queue is full: a further connection would wait.
    let mut besiegers = Vec::new();
    while let Ok(stream) = {
        let socket = socket.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(std::os::unix::net::UnixStream::connect(socket)));
        receiver.recv_timeout(Duration::from_millis(500))
    } {
        besiegers.push(stream.unwrap());
    }
    assert!(besiegers.len() > 60, "{}", besiegers.len());
    let start = std::time::Instant::now();
    let status = status(&site);
    assert_eq!((&status["running"], &status["answers"]), (&json!(true), &json!(false)));
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    drop(besiegers);
    daemon.signal("-CONT");
    wait_for("an answer", || site.pyruse(None, &["status"]).status.success().then_some(()));
    stop(daemon, &site);
}

#[test]
fn a_missing_state_and_a_missing_journal_are_reported() {
    let site = Site::new();
    let namespace = common::unique("pyr");
    site.configure_for(&namespace, &ssh_rules(3600), &json!({}));
    let mut printed = vec![plain(&site, &said(&site.pyruse(None, &["status"])))];
    let daemon = site.start(None);
    let output = site.pyruse(None, &["status"]);
    let text = without_pid(&plain(&site, &said(&output)), daemon.child.id());
    printed.extend(
        text.lines()
            .filter(|line| line.starts_with("TROUBLE") || line.starts_with("journal"))
            .map(str::to_owned),
    );
    assert!(json(&site, None, &["status", "--json"])["journalMissing"].as_bool().unwrap());
    stop(daemon, &site);
    insta::assert_snapshot!(printed.join("\n"));
}

#[test]
fn status_is_right_if_the_last_read_entry_is_gone_from_the_journal() {
    let (journald, site) = (Journald::start(), Site::new());
    std::fs::create_dir(site.path("journal")).unwrap();
    let files = json!({"journal": {"directory": site.path("journal")}});
    site.configure_with(&journald, &ssh_rules(3600), &files);
    write_journal(&site, "first", 0, 10);
    let daemon = site.launch(None, &["run", "--since", "@0"]);
    daemon.wait_ready();
    wait_for("ten entries", || (status(&site)["entries"] == 10).then_some(()));
    stop(daemon, &site);
    write_journal(&site, "second", 20, 30);
    std::fs::remove_file(site.path("journal/first.journal")).unwrap();
    let status = status(&site);
    assert_eq!(status["behind"], json!({"entries": 30, "atLeast": false, "seconds": 40, "gap": true}));
    let printed = plain(&site, &said(&site.pyruse(None, &["status"])));
    let expected = "journal       30 entries wait, 40s behind; read up to YYYY-MM-DD hh:mm:ss+zz:zz, which is no longer there\n";
    assert!(printed.contains(expected), "{printed}");
}

#[test]
fn a_state_that_a_command_holds_is_no_running_daemon_that_answers() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &ssh_rules(3600));
    stop(site.start(None), &site);
    // A process that is killed leaves its number behind, and no lock.
    std::fs::write(site.path("state/lock"), format!("{}\n", std::process::id())).unwrap();
    assert_eq!(status(&site)["running"], false);
    let lock = std::fs::File::open(site.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let held = status(&site);
    assert_eq!((&held["running"], &held["answers"]), (&json!(true), &json!(false)));
    let output = site.pyruse(None, &["bans", "add", "192.0.2.1"]);
    assert_eq!(
        without_pid(&plain(&site, &said(&output)), std::process::id()),
        "exit code 1\npyruse: process PID holds the state in SITE/state, but accepts no requests; \
         if it is another Pyruse command, try again when it has finished\n"
    );
    drop(lock);
}

//! Log files as a source, with the real program: every line is read exactly once through rotations and kills; every
//! format is read; and bad files neither stop nor fill anything.
//!
//! `make log-campaign` writes for a minute instead of seconds. `PYRUSE_LOG_SECONDS` and `PYRUSE_KILL_SEED` set how long,
//! and repeat a run as far as the machine's timing allows.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::workspace::Workspace;
use common::{Journald, Site, run, unique, wait_for};
use serde_json::{Value, json};

/// The number of lines that are counted under one key.
const BUCKET: u64 = 50;

/// The directory of log files, within the site.
fn logs(site: &Site) -> PathBuf {
    site.path("logs")
}

/// Configures log files as the only source, `log`.
fn configure(site: &Site, args: &Value, actions: &Value) {
    configure_with(site, args, actions, None);
}

/// The same, with the source `journal` beside it.
fn configure_with(site: &Site, args: &Value, actions: &Value, journal: Option<&Journald>) {
    fs::create_dir_all(logs(site)).unwrap();
    let mut args = args.clone();
    if args.get("paths").is_none() {
        args["paths"] = json!([logs(site).join("app.log")]);
    }
    let mut sources = json!({"log": {"source": "source_file", "args": args}});
    if let Some(journald) = journal {
        let namespace = json!({"namespace": journald.namespace});
        sources["journal"] = json!({"source": "source_journal", "args": namespace});
    }
    let config = json!({
        "actions": actions,
        "storage": site.path("state"),
        "debug": true,
        "sources": sources,
        // A key for every few lines.
        "counter": {"maxKeys": 1_000_000},
        "email": {
            "from": "pyruse@example.org",
            "to": ["hostmaster@example.org"],
            "sendmail": [site.path("sendmail"), "-t"],
            "maxPerHour": 0,
        },
    });
    fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
}

/// Counts each line once.
fn counting() -> Value {
    json!({"count": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^line (?P<bucket>\\d+)\\.\\d+$"}},
        {"action": "action_set", "args": {"field": "key", "value": "{_SOURCE} {bucket}"}},
        {"action": "action_counterRaise", "args": {"counter": "lines", "for": "key", "save": "n"}},
    ]})
}

/// The count of each key: the source and the number of the bucket.
fn counts(site: &Site) -> BTreeMap<String, u64> {
    let output = site.pyruse(None, &["counters", "list", "--json"]);
    let Ok(listed) = serde_json::from_slice::<Value>(&output.stdout) else { return BTreeMap::new() };
    let counters = listed["counters"].as_array().or(listed.as_array()).cloned().unwrap_or_default();
    let count =
        |counter: &Value| (counter["key"].as_str().unwrap().to_owned(), counter["count"].as_u64().unwrap());
    counters.iter().map(count).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rotation {
    Rename,
    Copy,
}

/// Rotates as logrotate does, and compresses what is older.
fn rotate(site: &Site, rotation: Rotation) {
    let path = |name: &str| logs(site).join(name);
    for n in (1..900).rev() {
        for ending in ["", ".gz", ".zst"] {
            let _ = fs::rename(
                path(&format!("app.log.{n}{ending}")),
                path(&format!("app.log.{}{ending}", n + 1)),
            );
        }
    }
    let (log, first) = (path("app.log"), path("app.log.1"));
    match rotation {
        Rotation::Rename => {
            fs::rename(&log, &first).unwrap();
            File::create(&log).unwrap();
        }
        Rotation::Copy => {
            fs::copy(&log, &first).unwrap();
            File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
        }
    }
    if path("app.log.2").exists() {
        run(Command::new("gzip").arg("--fast").arg(path("app.log.2")));
    }
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// A number below the bound.
fn random(state: &mut u64, bound: u64) -> u64 {
    for shift in [13_i32, -7, 17] {
        *state ^= if shift > 0 { *state << shift } else { *state >> -shift };
    }
    *state % bound
}

fn write_to_journal(journald: &Journald, written: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..BUCKET {
            let n = written.fetch_add(1, Ordering::Relaxed);
            journald.line("app", 6, &format!("line {}.{}", n / BUCKET, n % BUCKET));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until exactly these are counted.
fn wait_for_counts(site: &Site, expected: &BTreeMap<String, u64>) {
    let mut start = Instant::now();
    let mut before = 0;
    loop {
        let found = counts(site);
        if found == *expected {
            return;
        }
        // As long as it reads, it is only slow.
        let total: u64 = found.values().sum();
        if total != std::mem::replace(&mut before, total) {
            start = Instant::now();
        }
        if start.elapsed() > common::LONG {
            let keys = expected.keys().chain(found.keys());
            let wrong: Vec<_> = keys
                .filter(|key| found.get(*key) != expected.get(*key))
                .map(|key| (key, found.get(key)))
                .collect();
            let (first, last) = (wrong.first(), wrong.last());
            let script =
                "for f in *; do echo $f $(stat -c '%i %s %.9Y' $f) $(zcat -f $f | sed -n '1p;$p'); done";
            let files = run(Command::new("sh").current_dir(logs(site)).args(["-c", script]));
            panic!("{} keys: {first:?} to {last:?}\n{files}\n{}", wrong.len(), site.log());
        }
        std::thread::sleep(Duration::from_millis(if expected.len() > 10_000 { 2000 } else { 50 }));
    }
}

/// Writes lines without a pause, rotates, and kills the program at random moments; then all lines are counted, once. With
/// a journal, the same happens to a second source.
fn every_line_is_counted_once(rotation: Rotation, journal: Option<&Journald>) {
    let seconds = from_environment("PYRUSE_LOG_SECONDS", 4);
    // How many lines are written every two milliseconds.
    let batch = from_environment("PYRUSE_LOG_BATCH", 100);
    let mut seed = from_environment("PYRUSE_KILL_SEED", u64::from(std::process::id())) | 1;
    println!("{rotation:?}: PYRUSE_KILL_SEED={seed}");
    let site = Site::new();
    configure_with(&site, &json!({}), &counting(), journal);
    File::create(logs(&site).join("app.log")).unwrap();
    // The first start begins at the end of the file.
    assert!(site.start(None).terminate().success());
    let (written, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let in_journal = AtomicU64::new(0);
    // What is written between a copy and the truncation is lost for everybody.
    let file = Mutex::new(());
    let reopen = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Some(journald) = journal {
                write_to_journal(journald, &in_journal, &stop);
            }
        });
        scope.spawn(|| {
            let mut log = None;
            while !stop.load(Ordering::Relaxed) {
                let guard = file.lock().unwrap();
                if reopen.swap(false, Ordering::Relaxed) || log.is_none() {
                    log = File::options().append(true).create(true).open(logs(&site).join("app.log")).ok();
                }
                let mut text = String::new();
                for _ in 0..batch {
                    let n = written.fetch_add(1, Ordering::Relaxed);
                    writeln!(text, "2026-11-18 12:06:40 line {}.{}", n / BUCKET, n % BUCKET).unwrap();
                }
                // Lines do not end where writes do.
                let (one, two) = text.split_at(text.len() / 3);
                for part in [one, two] {
                    log.as_mut().unwrap().write_all(part.as_bytes()).unwrap();
                }
                drop(guard);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        // What is compressed must have no writer any more.
        let reopened = || {
            reopen.store(true, Ordering::Relaxed);
            while reopen.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut running = Some(site.launch(None, &["run"]));
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(random(&mut seed, 120)));
            if let Some(journald) = journal.filter(|_| random(&mut seed, 5) == 0) {
                journald.rotate();
            }
            match random(&mut seed, 4) {
                0 => {
                    if let Some(running) = running.take() {
                        running.kill();
                    }
                    // Sometimes it is down while the file is rotated, more than once.
                    for _ in 0..random(&mut seed, 3) {
                        let guard = (rotation == Rotation::Copy).then(|| file.lock().unwrap());
                        rotate(&site, rotation);
                        drop(guard);
                        reopened();
                        std::thread::sleep(Duration::from_millis(random(&mut seed, 30)));
                    }
                    running = Some(site.launch(None, &["run"]));
                }
                1 => {
                    let guard = (rotation == Rotation::Copy).then(|| file.lock().unwrap());
                    rotate(&site, rotation);
                    drop(guard);
                    // The writer learns of it later.
                    std::thread::sleep(Duration::from_millis(random(&mut seed, 20)));
                    reopened();
                }
                _ => {}
            }
        }
        stop.store(true, Ordering::Relaxed);
        drop(running);
    });
    let written = written.load(Ordering::Relaxed);
    let running = site.start(None);
    let of = |source: &'static str, lines: u64| {
        (0..lines / BUCKET).map(move |bucket| (format!("{source} {bucket}"), BUCKET))
    };
    let in_journal = in_journal.load(Ordering::Relaxed);
    println!("{written} lines in {seconds} s, {in_journal} entries of a journal");
    let expected: BTreeMap<String, u64> = of("log", written).chain(of("journal", in_journal)).collect();
    wait_for_counts(&site, &expected);
    assert!(!site.log().contains("lost"), "{}", site.log());
    assert!(running.terminate().success());
}

#[test]
fn every_line_is_counted_once_through_kills_and_rotations_by_renaming() {
    every_line_is_counted_once(Rotation::Rename, None);
}

#[test]
fn every_line_is_counted_once_through_kills_and_rotations_by_copying() {
    every_line_is_counted_once(Rotation::Copy, None);
}

#[test]
fn every_line_and_every_entry_of_a_journal_beside_it_is_counted_once_through_kills_and_rotations() {
    // Nothing is deleted: that would be a loss, rightly.
    let journald = Journald::start_with(unique("log"), "SystemMaxFiles=100000\n");
    every_line_is_counted_once(Rotation::Rename, Some(&journald));
}

/// Mails each entry: its source, its file, its text.
fn mailing() -> Value {
    json!({"mail": [
        {"action": "action_email", "args": {"subject": "x", "message": "{_SOURCE} {_FILE} {_FILE_UID}: {MESSAGE}"}},
    ]})
}

fn mailed(site: &Site) -> Vec<String> {
    let text = |mail: String| mail.lines().find(|line| line.starts_with("log ")).map(str::to_owned);
    let mut mails: Vec<_> = site.mails().into_iter().filter_map(text).collect();
    mails.sort();
    mails
}

#[test]
fn files_that_come_are_followed_and_bad_ones_hinder_nothing() {
    let site = Site::new();
    configure(&site, &json!({"paths": [logs(&site).join("*.log")]}), &mailing());
    let log = |name: &str| logs(&site).join(name);
    run(Command::new("mkfifo").arg(log("pipe.log")));
    std::os::unix::fs::symlink("/dev/zero", log("zero.log")).unwrap();
    fs::write(log("a.log"), "old\n").unwrap();
    fs::set_permissions(log("a.log"), fs::Permissions::from_mode(0o666)).unwrap();
    let running = site.start(None);
    fs::write(log("b.log"), b"b \0\xff\xe9\n").unwrap();
    File::options().append(true).open(log("a.log")).unwrap().write_all(b"new\nwithout its end").unwrap();
    let expected = |name: &str, text: &str| format!("log {} 0: {text}", log(name).display());
    wait_for("two mails", || (mailed(&site).len() == 2).then_some(()));
    let mails = mailed(&site);
    assert_eq!(mails[0], expected("a.log", "new"));
    assert!(mails[1].starts_with(&expected("b.log", "b ")), "{mails:?}");
    File::options().append(true).open(log("a.log")).unwrap().write_all(b"\n").unwrap();
    wait_for("the third mail", || (mailed(&site).len() == 3).then_some(()));
    assert_eq!(mailed(&site)[1], expected("a.log", "without its end"));
    let status: Value = serde_json::from_slice(&site.pyruse(None, &["status", "--json"]).stdout).unwrap();
    let left_out = status["sources"][0]["leftOut"].to_string();
    assert!(left_out.contains("pipe.log") && left_out.contains("zero.log"), "{status:#}");
    let open =
        format!("every user may write to {} (mode 0666): its entries prove nothing", log("a.log").display());
    assert_eq!(site.log().matches(&open).count(), 1, "{}", site.log());
    assert_eq!(status["sources"][0]["behind"]["entries"], 0, "{status:#}");
    assert!(running.terminate().success());
}

/// Replays a log file by rules that mail this; returns what the mails say.
fn replayed(content: &[u8], args: &[&str], message: &str) -> (Vec<String>, String) {
    let workspace =
        Workspace::with_actions(&json!({"mail": [{"action": "action_email", "args": {"message": message}}]}));
    fs::write(workspace.path("log"), content).unwrap();
    let printed = workspace.run(&[&["replay", "--json", "--file", "log"], args].concat());
    let body = |line: &str| {
        let effect: Value = serde_json::from_str(line).unwrap();
        effect["body"].as_str().unwrap().trim_end().to_owned()
    };
    (printed.out.lines().map(body).collect(), printed.err)
}

#[test]
fn every_format_is_replayed() {
    let time = "{__REALTIME_TIMESTAMP:%Y-%m-%d %H:%M:%S}";
    for (format, content, message, expected) in [
        (
            "text",
            "2026-11-18 12:06:40 a\n2026-11-18 12:06:41 b",
            "{MESSAGE}",
            &["2026-11-18 12:06:40 a", "2026-11-18 12:06:41 b"][..],
        ),
        (
            "syslog",
            "2026-11-18T11:06:40Z server sshd[7]: hello\n",
            "{HOSTNAME} {SYSLOG_IDENTIFIER} {SYSLOG_PID} {MESSAGE}",
            &["2026-11-18 12:06:40 server sshd 7 hello"],
        ),
        (
            "json",
            "{\"time\":\"2026-11-18T11:06:40Z\",\"msg\":\"hello\",\"request\":{\"ip\":\"192.0.2.1\"},\"status\":404}\n",
            "{request.ip} {status} {MESSAGE}",
            &["2026-11-18 12:06:40 192.0.2.1 404 hello"],
        ),
        (
            "docker",
            "{\"log\":\"hel\",\"stream\":\"stdout\",\"time\":\"2026-11-18T11:06:40.1Z\"}\n{\"log\":\"lo\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-18T11:06:40.2Z\"}\n",
            "{STREAM} {MESSAGE}",
            &["2026-11-18 12:06:40 stdout hello"],
        ),
        (
            "access",
            "192.0.2.1 - alice [18/Nov/2026:12:06:40 +0100] \"GET /x HTTP/1.1\" 404 5 \"-\" \"curl\"\n",
            "{REMOTE_ADDR} {REMOTE_USER} {METHOD} {PATH} {STATUS} {BYTES} {USER_AGENT}",
            &["2026-11-18 12:06:40 192.0.2.1 alice GET /x 404 5 curl"],
        ),
    ] {
        let (found, said) = replayed(content.as_bytes(), &["--format", format], &format!("{time} {message}"));
        assert_eq!(found, expected, "{format}: {said}");
    }
}

#[test]
fn compressed_files_and_standard_input_are_replayed() {
    let workspace = Workspace::with_actions(&json!({"mail": [
        {"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "web"}},
        {"action": "action_email", "args": {"message": "{MESSAGE}"}},
    ]}));
    let lines = "2026-11-18 12:06:40 one\n2026-11-18 12:06:41 two\n";
    fs::write(workspace.path("log"), lines).unwrap();
    run(Command::new("gzip").arg("-k").arg(workspace.path("log")));
    run(Command::new("zstd").arg("-q").arg(workspace.path("log")));
    let args = ["replay", "--json", "--format", "text", "--field", "_SOURCE=web", "--file"];
    let plain = workspace.run(&[&args[..], &["log"]].concat()).good();
    assert_eq!(plain.lines().count(), 2, "{plain}");
    for file in ["log.gz", "log.zst"] {
        let packed = workspace.run(&[&args[..], &[file]].concat()).good();
        assert_eq!(packed.replace(file, "log"), plain);
    }
    let piped = workspace.run_with(&[&args[..], &["-"]].concat(), lines).good();
    assert_eq!(piped.lines().count(), 2, "{piped}");
    let two =
        workspace.run(&[&args[..], &["log", "log.gz", "--since", "2026-11-18 12:06:41"]].concat()).good();
    assert_eq!(two.lines().count(), 2, "{two}");
    // One line, explained.
    let explained =
        workspace.run_with(&["explain", "--format", "text", "--field", "_SOURCE=web"], lines).good();
    assert!(explained.contains("one") && !explained.contains("two"), "{explained}");
}

#[test]
fn a_file_is_tried_with_the_arguments_that_a_source_has() {
    for (content, format, args) in [
        ("18.11.2026 12:06:40 a\n18.11.2026 12:06:41 b\n", "text", &[("time", "%d.%m.%Y %H:%M:%S")][..]),
        (
            "2026-11-18 12:06:40 a\n  more\n2026-11-18 12:06:41 b\n",
            "text",
            &[("first_line", "^\\d{4}-"), ("zone", "Asia/Tokyo")],
        ),
        ("1795000001 a\n1795000002 2026-11-18 12:06:40 b\n", "text", &[("time", "epoch")]),
        (
            "{\"at\":\"2026-11-18T11:06:40Z\",\"time\":5,\"msg\":\"a\"}\n",
            "json",
            &[("time_field", "at"), ("identifier", "app")],
        ),
    ] {
        let configured = |sources: Value| {
            let message = "{__REALTIME_TIMESTAMP} {MESSAGE}";
            let actions = json!({"mail": [{"action": "action_email", "args": {"message": message}}]});
            let workspace = Workspace::new(
                &json!({"actions": actions, "sources": sources, "storage": "state"}).to_string(),
            );
            fs::write(workspace.path("log"), content).unwrap();
            workspace
        };
        let bodies = |printed: &str| -> Vec<Value> {
            let line = |line: &str| {
                let mut effect: Value = serde_json::from_str(line).unwrap();
                effect["body"].take()
            };
            printed.lines().map(line).collect()
        };
        let tried = configured(json!({"log": {"source": "source_file", "args": {"paths": ["/nothing"]}}}));
        let mut command = vec!["--file", "log", "--format", format];
        let options: Vec<_> = args.iter().map(|(name, _)| format!("--{}", name.replace('_', "-"))).collect();
        for (option, (_, value)) in options.iter().zip(args) {
            command.extend([option.as_str(), value]);
        }
        let found = bodies(&tried.run(&[&["replay", "--json"], &command[..]].concat()).good());
        let explained: Value =
            serde_json::from_str(&tried.run(&[&["explain", "--json"], &command[..]].concat()).good())
                .unwrap();

        let configured_one = configured(json!({}));
        let mut source = json!({"paths": [configured_one.path("log")], "format": format});
        for (name, value) in args {
            source[*name] = json!(value);
        }
        let sources = json!({"log": {"source": "source_file", "args": source}});
        let config = fs::read_to_string(configured_one.path("pyruse.json")).unwrap();
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["sources"] = sources;
        fs::write(configured_one.path("pyruse.json"), config.to_string()).unwrap();
        let expected = bodies(&configured_one.run(&["replay", "--json"]).good());
        assert!(!expected.is_empty() && expected == found, "{args:?}: {expected:?}, {found:?}");
        let first = explained["steps"][0]["effects"][0]["body"].clone();
        assert_eq!(first, expected[0], "{explained:#}");
    }
}

#[test]
fn mistakes_say_what_to_write_instead() {
    let workspace = Workspace::with_actions(&json!({"x": [{"action": "action_noop"}]}));
    fs::write(workspace.path("log"), "2026-11-18 12:06:40 one\n").unwrap();
    for (args, why) in [
        (&["replay", "--input", "log"][..], "read it with `--file F --format text`"),
        (&["replay", "--file", "log"], "read log files with --file and --format"),
        (&["replay", "--input", "log", "--format", "access"], "give a log file with --file"),
        (&["replay", "--file", "log", "--format", "export"], "give an export with --input"),
        (&["replay", "--file", "nothing", "--format", "text"], "No such file"),
        (&["replay", "--file", ".", "--format", "text"], "it is a directory"),
        (&["explain", "--format", "export"], "text, syslog, json, docker or access"),
        (&["explain", "--format", "text"], "there is no line to explain"),
        (
            &["replay", "--file", "log", "--format", "text", "--zone", "Mars"],
            "argument `zone`: there is no time zone `Mars`; write a name such as `UTC`",
        ),
        (
            &["replay", "--file", "log", "--format", "text", "--time", "soon"],
            "argument `time`: `soon` is not a form of dates: write `auto`",
        ),
        (
            &["explain", "--file", "log", "--format", "access", "--first-line", "^x"],
            "argument `first_line`: in this format, every line is an entry",
        ),
        (&["replay", "--file", "log", "--format", "text", "--first-line", "(x"], "argument `first_line`: "),
        (&["replay", "--file", "log", "--zone", "UTC"], "--format <FORMAT>"),
        (&["explain", "--zone", "UTC"], "--format <FORMAT>"),
        (&["replay", "--input", "log", "--format", "json", "--zone", "UTC"], "give these with --file"),
    ] {
        let printed = workspace.run(args);
        assert!(printed.code != Some(0) && printed.err.contains(why), "{args:?}: {}", printed.err);
    }
}

#[test]
fn bad_input_is_read_in_bounded_time_and_said() {
    let mut content = b"2026-11-18 12:06:40 first\n".to_vec();
    content.extend(vec![b'x'; 20 << 20]);
    content.extend(
        b"\n2099-01-01 00:00:00 future\n1970-01-01 00:00:01 past\n\0\0\n\xff\xfe\n2026-11-18 12:06:42 last",
    );
    let (found, said) = replayed(&content, &["--format", "text"], "{__REALTIME_TIMESTAMP:%Y} {MESSAGE}");
    assert_eq!(found.len(), 7);
    let now = jiff::ZonedDateTime::now().year();
    assert_eq!((found[0].as_str(), found[3].as_str()), ("2026 first", "1970 past"));
    assert_eq!((found[2].clone(), found[6].as_str()), (format!("{now} future"), "2026 last"));
    for loss in [
        "1 entry of log files, written at 2026-11-18 12:06:40+01:00, was cut: longer than 64 KiB",
        "1 line of log files",
    ] {
        assert!(said.contains(loss), "{said}");
    }
}

#[test]
fn check_knows_what_lines_can_forge() {
    let check = |args: Value, filter: Value| {
        let config = json!({
            "sources": {"web": {"source": "source_file", "args": args}},
            "storage": "state",
            "nets": [],
            "actions": {"x": [
                filter,
                {"action": "action_nftBan", "args": {"IP": "REMOTE_ADDR", "banSeconds": 60, "nftSetIPv4": "ip a b", "nftSetIPv6": "ip6 a b"}},
            ]},
        });
        let workspace = Workspace::new(&config.to_string());
        let printed = workspace.run(&["check"]);
        (printed.err.contains("P007"), printed.err.contains("P005"), printed.err)
    };
    let args = |format: &str| json!({"paths": ["/var/log/x.log"], "format": format});
    let equals = |field: &str, value: Value| json!({"filter": "filter_equals", "args": {"field": field, "value": value}});
    for (format, filter, is_forgeable, is_unknown) in [
        ("access", equals("_SOURCE", json!("web")), false, false),
        ("access", equals("_FILE", json!("/var/log/x.log")), false, false),
        ("access", equals("PATH", json!("/")), true, false),
        ("access", equals("path", json!("/")), true, true),
        ("access", equals("_SYSTEMD_UNIT", json!("nginx.service")), true, true),
        ("syslog", equals("_SOURCE", json!("web")), true, false),
        ("json", equals("request.path", json!("/")), true, false),
    ] {
        let (forgeable, unknown, said) = check(args(format), filter.clone());
        assert_eq!((forgeable, unknown), (is_forgeable, is_unknown), "{format} {filter}: {said}");
    }
}

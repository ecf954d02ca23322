//! Nothing is lost and nothing is counted twice, however the program ends and whatever happens to the journal's files.
//!
//! `cargo test` kills the program a few times; the long campaign is
//! `PYRUSE_KILLS=100 cargo test -p pyruse-bin --test crash --release -- --nocapture`.
//! `PYRUSE_KILL_SEED` repeats a campaign, as far as the machine's own timing allows.

mod common;
mod kills;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{BanBackend, Firewall, Journald, Running, Site, both_ways, wait_for};
use kills::{
    DAY, Random, addresses, bodies, body, both_families, interrupted, kills, messages, repeated_lines, seed,
    site, wait_mail, wait_settled,
};
use serde_json::{Value, json};

// The rules under attack: each kind of state, and lines that come back.

/// Ten failures ban, and write a line to the journal; three such lines ban for ever, and mail.
fn rules() -> Value {
    let chain = |re: &str, names: &[&str], next: &str, steps: Vec<Value>| {
        let mut chain = vec![
            json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re, "save": names}, "else": next}),
        ];
        chain.extend(steps);
        chain
    };
    let raise = |counter: &str, keep: u32, save: &str| {
        json!({"action": "action_counterRaise",
               "args": {"counter": counter, "for": "ip", "keepSeconds": keep, "save": save}})
    };
    let equals = |field: &str, value: &Value| json!({"filter": "filter_equals", "args": {"field": field, "value": value}});
    let ban = |set: &str, seconds: u32| {
        json!({"action": "action_nftBan", "args": {"IP": "ip", "banSeconds": seconds,
               "nftSetIPv4": format!("ip Inet4 {set}"), "nftSetIPv6": format!("ip6 Inet6 {set}")}})
    };
    let mail = |text: &str| json!({"action": "action_email", "args": {"message": text}});
    let log = |text: &str| json!({"action": "action_log", "args": {"message": text}});
    let on_ip = |action: &str, more: Value| {
        let mut args = json!({"counter": "tries", "for": "ip"});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"action": action, "args": args})
    };
    // Chains are in the order of their labels here.
    json!({
        "1": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "app"}, "else": "ours"},
            {"action": "action_noop", "then": "fail"},
        ],
        "fail": chain("^fail (\\S+) #(\\d+)$", &["ip", "n"], "forgive", vec![
            raise("total", 0, "total"), raise("tries", DAY, "tries"), equals("tries", &json!(10)),
            ban("ban", DAY), log("BANNED {ip} #{n}"), on_ip("action_counterReset", json!({})),
        ]),
        "forgive": chain("^forgive (\\S+)$", &["ip"], "forget", vec![on_ip("action_counterLower", json!({}))]),
        "forget": chain("^forget (\\S+)$", &["ip"], "pardon", vec![on_ip("action_counterReset", json!({}))]),
        "pardon": chain("^pardon (\\S+)$", &["ip"], "alert",
                        vec![on_ip("action_counterReset", json!({"graceSeconds": DAY}))]),
        "alert": chain("^(alert #\\d+)$", &["alert"], "probe", vec![mail("{alert}")]),
        "probe": chain("^probe (\\S+)$", &["ip"], "end", vec![
            raise("total", 0, "total"), raise("tries", DAY, "tries"), raise("again", 0, "again"),
            log("COUNT {ip} {total} {tries} {again}"),
        ]),
        "ours": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "pyruse"}, "else": "end"},
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^BANNED (\\S+) #", "save": ["ip"]}, "else": "end"},
            raise("again", 0, "again"), equals("again", &json!(3)),
            ban("again", 0), mail("again: {ip}"),
        ],
        "end": [{"action": "action_noop"}],
    })
}

const ENTRIES: usize = 20_000;

/// The journal to work through: always the same.
fn entries() -> Vec<String> {
    let (addresses, mut random) = (addresses(), Random::new(1));
    let mut entry = |n: usize| {
        let ip = &addresses[usize::try_from(random.below(addresses.len() as u64)).unwrap()];
        match random.below(1000) {
            0..700 => format!("fail {ip} #{n}"),
            700..760 => format!("forgive {ip}"),
            760..770 => format!("forget {ip}"),
            770..771 => format!("pardon {ip}"),
            771..791 => format!("alert #{n}"),
            _ => format!("nothing of interest, #{n}"),
        }
    };
    (0..ENTRIES).map(&mut entry).collect()
}

/// What must come of it: the rules once more, without a program, a journal or a crash.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    banned: BTreeSet<String>,
    banned_again: BTreeSet<String>,
    mails: Vec<String>,
    lines: BTreeSet<String>,
    counts: BTreeSet<String>,
}

fn expected(entries: &[String]) -> Expected {
    #[derive(Default)]
    struct Counts {
        total: u32,
        tries: u32,
        again: u32,
        grace: bool,
    }
    let mut expected = Expected::default();
    let mut all: BTreeMap<String, Counts> =
        addresses().into_iter().map(|ip| (ip, Counts::default())).collect();
    for entry in entries {
        let mut words = entry.split(' ');
        let (word, ip) = (words.next().unwrap(), words.next().unwrap());
        let Some(counts) = all.get_mut(ip) else {
            if word == "alert" {
                expected.mails.push(entry.clone());
            }
            continue;
        };
        match word {
            "fail" => {
                counts.total += 1;
                counts.tries += u32::from(!counts.grace);
                if counts.tries == 10 {
                    counts.tries = 0;
                    counts.again += 1;
                    expected.banned.insert(ip.to_owned());
                    expected.lines.insert(entry.replace("fail", "BANNED"));
                    if counts.again == 3 {
                        expected.banned_again.insert(ip.to_owned());
                        expected.mails.push(format!("again: {ip}"));
                    }
                }
            }
            "forgive" => counts.tries = counts.tries.saturating_sub(1),
            "forget" => counts.tries = 0,
            "pardon" => (counts.tries, counts.grace) = (0, true),
            _ => unreachable!("{entry}"),
        }
    }
    for (ip, counts) in &all {
        let tries = if counts.grace { 0 } else { counts.tries + 1 };
        expected.counts.insert(format!("COUNT {ip} {} {tries} {}", counts.total + 1, counts.again + 1));
    }
    expected.mails.sort();
    expected
}

/// Works through the entries, ended by `end` as often as `times` at random moments, and looks at what came of it.
fn work_through(test: &str, way: BanBackend, times: usize, ready: bool, mut end: impl FnMut(Running, &Site)) {
    let mut random = Random::new(seed(test));
    let begin = Instant::now();
    let (journald, firewall, site) =
        (Journald::start(), Firewall::with_sets(&["ban", "again"]), site().by(way));
    site.configure(&journald, &rules());
    let entries = entries();
    let launch = |args: &[&str]| site.launch(Some(&firewall), args);
    let running = interrupted(&journald, &entries, times, ready, launch, |running| {
        std::thread::sleep(random.moment_of_work());
        end(running, &site);
    });
    wait_settled(&journald, &site);
    let worked = begin.elapsed();

    let expected = expected(&entries);
    let lines = messages(&journald, "BANNED");
    for ip in addresses() {
        journald.line("app", 6, &format!("probe {ip}"));
    }
    wait_settled(&journald, &site);
    let found = Expected {
        banned: both_families(&firewall, "ban"),
        banned_again: both_families(&firewall, "again"),
        mails: bodies(&site),
        lines: lines.iter().cloned().collect(),
        counts: messages(&journald, "COUNT").into_iter().collect(),
    };
    assert_eq!(found, expected, "{}", site.log());
    for (address, timeout) in
        firewall.elements("ip Inet4 ban").into_iter().chain(firewall.elements("ip6 Inet6 ban"))
    {
        assert!(timeout.is_some_and(|seconds| seconds <= u64::from(DAY)), "{address}: {timeout:?}");
    }
    assert!(running.terminate().success(), "{}", site.log());

    // What the state holds shows in a firewall that holds nothing.
    let empty = Firewall::with_sets(&["ban", "again"]);
    let output = site.pyruse(Some(&empty), &["boot", "action_nftBan"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(both_families(&empty, "ban"), expected.banned);
    assert_eq!(both_families(&empty, "again"), expected.banned_again);

    println!(
        "{test}: {times} ends in {ENTRIES} entries, {worked:.1?}; {} lines came back, {} of them twice in the journal; \
         {} mails, {} of them delivered twice",
        lines.len(),
        repeated_lines(&journald),
        expected.mails.len(),
        site.mails().len() - expected.mails.len(),
    );
}

fn kills_at_any_moment_change_nothing(way: BanBackend) {
    work_through("kills", way, kills(), false, |running, _| running.kill());
}

fn sigterm_under_load_ends_it_soon_and_changes_nothing(way: BanBackend) {
    let mut longest = Duration::ZERO;
    work_through("terminations", way, 5, true, |running, site| {
        let begin = Instant::now();
        let status = running.terminate();
        longest = longest.max(begin.elapsed());
        assert_eq!(status.code(), Some(0), "{}", site.log());
    });
    // Quickly: `terminate` does not wait for ever.
    println!("terminations: the slowest took {longest:.3?}");
}

/// Takes what is sent to journald, and passes it on.
struct Between {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Between {
    fn new(site: &Site) -> Between {
        let path = site.path("between");
        // The kernel takes the length of the queue from the network namespace of the thread that makes the socket. In
        // one of its own, it is made as long as systemd makes journald's.
        let bind = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            fs::write("/proc/sys/net/unix/max_dgram_qlen", "512").unwrap();
            UnixDatagram::bind(&path).unwrap()
        };
        let socket = std::thread::scope(|scope| scope.spawn(bind).join().unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Between { socket, path }
    }

    /// The next datagram, if one comes soon.
    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 1 << 17];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(buffer[..length].to_vec()),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(e) => panic!("{}: {e}", self.path.display()),
        }
    }

    fn pass_on(&self, journald: &Journald) -> bool {
        self.receive().inspect(|datagram| journald.send(datagram)).is_some()
    }
}

/// The worst moment for a kill: lines have reached journald, and the commit that would say so has not happened.
#[test]
fn lines_that_were_sent_but_not_recorded_as_sent_count_once() {
    let mut random = Random::new(seed("lines"));
    let (journald, site) = (Journald::start(), site());
    let between = Between::new(&site);
    site.configure_with(
        &journald,
        &counting_rules(Some("line #{number}")),
        &json!({"log": {"socket": between.path}}),
    );
    let each = 80;

    let mut running = site.launch(None, &["run", "--since", "@0"]);
    running.wait_ready();
    let (mut rounds, mut repeated) = (0, 0);
    // On a busy machine it may have finished before this is called; then the test repeats until it hits.
    while rounds < kills() || (repeated == 0 && rounds < 20 * kills()) {
        (0..each).for_each(|n| journald.line("app", 6, &format!("#{}", rounds * each + n)));
        // Ends it with a few of them just sent, and lets those reach the journal.
        wait_for("the first of the lines", || between.pass_on(&journald).then_some(()));
        for _ in 0..random.below(2) * random.below(20) {
            between.pass_on(&journald);
        }
        running.kill();
        while between.pass_on(&journald) {}
        rounds += 1;
        if rounds >= kills() {
            journald.sync();
            repeated = repeated_lines(&journald);
        }
        running = site.launch(None, &["run"]);
    }
    let lines = rounds * each;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                between.pass_on(&journald);
            }
        });
        let settled = std::panic::catch_unwind(AssertUnwindSafe(|| wait_settled(&journald, &site)));
        done.store(true, Ordering::Relaxed);
        settled.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    journald.line("app", 6, "probe lines");
    // The entries, or their lines, and the probe itself.
    wait_mail(&site, &format!("lines app {}", lines + 1));
    journald.line("pyruse", 6, "probe lines");
    wait_mail(&site, &format!("lines pyruse {}", lines + 1));
    assert_eq!(bodies(&site).len(), 2, "{:?}", bodies(&site));
    let repeated = repeated_lines(&journald);
    println!("lines: killed {rounds} times; {lines} lines, {repeated} of them twice in the journal");
    assert!(repeated > 0, "the attack never hit");
    running.kill();
}

/// Counts entries by identifier; mails when a number occurs twice, and mails the count when probed.
fn counting_rules(line: Option<&str>) -> Value {
    let raise = |counter: &str, key: &str, save: &str| json!({"action": "action_counterRaise", "args": {"counter": counter, "for": key, "save": save}});
    let pcre = |re: &str, save: &str, next: &str| json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re, "save": [save]}, "else": next});
    let at_least_2 = json!({"filter": "filter_greaterOrEquals", "args": {"field": "seen", "value": 2}});
    let mail = |text: &str| json!({"action": "action_email", "args": {"message": text}});
    let apps = json!({"field": "SYSLOG_IDENTIFIER", "values": ["app", "pyruse"]});
    let who = json!({"filter": "filter_in", "args": apps});
    let twice = json!([at_least_2, mail("twice: {SYSLOG_IDENTIFIER} {number}")]);
    let app = json!({"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "app"}, "else": "twice"});
    let mut entry = vec![who, raise("all", "SYSLOG_IDENTIFIER", "all"), pcre("#(\\d+)$", "number", "probe")];
    // An entry and the line that it leaves have the same number.
    let key =
        json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^(.*)$", "save": ["text"]}});
    entry.extend([key, raise("each", "text", "seen"), app]);
    entry.extend(line.map(|line| json!({"action": "action_log", "args": {"message": line}})));
    entry.push(json!({"action": "action_noop", "then": "twice"}));
    json!({
        "1": entry,
        "probe": [pcre("^probe (.*)$", "probe", "stop"), mail("{probe} {SYSLOG_IDENTIFIER} {all}")],
        "stop": [{"action": "action_noop"}],
        "twice": twice,
    })
}

fn archived(journald: &Journald) -> BTreeSet<PathBuf> {
    let files = fs::read_dir(journald.directory()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains('@')).collect()
}

#[test]
fn each_entry_is_seen_exactly_once_while_files_are_rotated_and_vacuumed() {
    const CHUNKS: usize = 10;
    const CHUNK: usize = 3000;
    let begin = Instant::now();
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    let running = site.start(None);
    let mut rotations = 0;
    for chunk in 0..CHUNKS {
        let written = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..CHUNK {
                    journald.line("app", 6, &format!("#{}", chunk * CHUNK + n));
                }
                journald.line("app", 6, &format!("probe {chunk}"));
                written.store(true, Ordering::Relaxed);
            });
            // Archived files of the chunks before have been read: they go while the program reads others.
            let mut old = archived(&journald).into_iter();
            while !written.load(Ordering::Relaxed) {
                journald.rotate();
                rotations += 1;
                old.by_ref().take(3).for_each(|file| fs::remove_file(file).unwrap());
            }
        });
        // Vacuumed before they are read, entries would be lost, rightly.
        wait_mail(&site, &format!("{chunk} app {}", (chunk + 1) * (CHUNK + 1)));
        if chunk % 2 == 1 {
            journald.vacuum();
        }
    }
    assert_eq!(bodies(&site).len(), CHUNKS, "{:?}", bodies(&site));
    println!("rotation: {} entries, {rotations} rotations, {:.1?}", CHUNKS * CHUNK, begin.elapsed());
    assert!(running.terminate().success(), "{}", site.log());
}

#[test]
fn a_file_that_is_vacuumed_while_it_is_read_loses_only_its_unread_entries() {
    let (journald, site) = (Journald::start(), site());
    // journald's own messages at a rotation must not give the reader another current entry.
    let journal = json!({"namespace": journald.namespace, "matches": ["SYSLOG_IDENTIFIER=app"]});
    site.configure_with(&journald, &counting_rules(None), &json!({"journal": journal}));
    (0..10_000).for_each(|n| journald.line("app", 6, &format!("#{n}")));
    journald.sync();
    journald.rotate();
    let running = site.launch(None, &["run", "--since", "@0"]);
    running.wait_ready();
    for file in archived(&journald) {
        fs::remove_file(file).unwrap();
    }
    // The file of its current entry is closed, with no entry behind it …
    let maps = format!("/proc/{}/maps", running.child.id());
    wait_for("the file to be let go", || {
        (!fs::read_to_string(&maps).unwrap_or_default().contains("(deleted)")).then_some(())
    });
    // … it runs, keeps its position, and continues to read.
    for start in ["same", "next"] {
        journald.line("app", 6, &format!("probe {start}"));
        wait_for("the mail", || site.mails().iter().any(|mail| body(mail).starts_with(start)).then_some(()));
    }
    assert!(running.terminate().success(), "{}", site.log());
    assert_eq!(bodies(&site).len(), 2, "{:?}", bodies(&site));
    println!("vacuumed while it was read: {:?}", bodies(&site));
}

#[test]
fn if_the_stored_entry_was_vacuumed_reading_continues_behind_its_time_and_that_is_logged() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    let running = site.start(None);
    journald.line("app", 6, "probe before");
    wait_mail(&site, "before app 1");
    assert!(running.terminate().success());

    // With entries behind the gap …
    journald.line("app", 6, "#0");
    journald.rotate();
    (1..=50).for_each(|n| journald.line("app", 6, &format!("#{n}")));
    journald.sync();
    journald.vacuum();
    let running = site.start(None);
    let gap = "the journal no longer contains the last read entry";
    assert_eq!(site.log().matches(gap).count(), 1, "{}", site.log());
    journald.line("app", 6, "probe after");
    // The first of them lay in the file that is gone.
    wait_mail(&site, "after app 52");
    assert!(running.terminate().success());

    // … and with none: new entries are read.
    journald.rotate();
    journald.vacuum();
    let running = site.start(None);
    assert_eq!(site.log().matches(gap).count(), 2, "{}", site.log());
    journald.line("app", 6, "#100");
    journald.line("app", 6, "probe later");
    wait_mail(&site, "later app 54");
    assert!(running.terminate().success());
    assert_eq!(bodies(&site).len(), 3, "{:?}", bodies(&site));
}

#[test]
fn a_first_start_reads_from_now_on_and_the_next_one_where_the_last_ended() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    // The tail must be found over several files.
    for n in 0..60 {
        journald.line("app", 6, &format!("#{n}"));
        if n % 20 == 19 {
            journald.rotate();
        }
    }
    for (first, text) in [(100, "first app 21"), (200, "second app 42"), (300, "third app 63")] {
        let running = site.start(None);
        if first == 100 {
            // What comes after the first start, it sees; what comes before the others, they see.
            (100..120).for_each(|n| journald.line("app", 6, &format!("#{n}")));
        }
        journald.line("app", 6, &format!("probe {}", text.split(' ').next().unwrap()));
        wait_mail(&site, text);
        assert!(running.terminate().success());
        (first + 100..first + 120).for_each(|n| journald.line("app", 6, &format!("#{n}")));
        journald.rotate();
    }
    assert_eq!(bodies(&site).len(), 3, "{:?}", bodies(&site));
}

#[test]
fn a_first_start_on_an_empty_journal_sees_the_first_entry() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    journald.rotate();
    journald.vacuum();
    let running = site.start(None);
    journald.line("app", 6, "#0");
    journald.line("app", 6, "probe first");
    wait_mail(&site, "first app 2");
    assert!(running.terminate().success());
}

#[test]
fn sighup_puts_a_valid_configuration_in_force_and_keeps_the_counters() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    let running = site.start(None);
    journald.line("app", 6, "#0");
    journald.line("app", 6, "probe old");
    wait_mail(&site, "old app 2");

    let mut rules = counting_rules(None);
    rules["probe"][1]["args"]["message"] = json!("the new rule: {SYSLOG_IDENTIFIER} {all}");
    site.configure(&journald, &rules);
    running.signal("-HUP");
    running.wait_notice("RELOADING=1");
    running.wait_ready();
    journald.line("app", 6, "#0");
    journald.line("app", 6, "probe new");
    wait_mail(&site, "the new rule: app 4");
    wait_mail(&site, "twice: app 0");
    assert!(running.terminate().success());
    assert_eq!(bodies(&site).len(), 3, "{:?}", bodies(&site));
}

#[test]
fn sighup_with_a_broken_configuration_logs_the_place_and_keeps_the_old_one() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    let running = site.start(None);
    journald.line("app", 6, "#0");
    let good = fs::read_to_string(site.path("pyruse.json")).unwrap();
    for (broken, place) in [
        ("{\n  \"actions\": {\n    \"a\": [{\"filter\": \"filter_equal\"}]}}", ":3:"),
        ("{\n  \"actions\": ", ":2:"),
    ] {
        fs::write(site.path("pyruse.json"), broken).unwrap();
        let known = site.log().len();
        running.signal("-HUP");
        running.wait_notice("RELOADING=1");
        running.wait_ready();
        let logged = site.log()[known..].to_owned();
        let place = format!("{}{place}", site.path("pyruse.json").display());
        assert!(
            logged.contains(&place) && logged.contains("the old configuration stays in force"),
            "{logged}"
        );
        // A column follows the line.
        let column = logged.split(&place).nth(1).unwrap();
        assert!(column.starts_with(|c: char| c.is_ascii_digit()), "{logged}");
    }
    journald.line("app", 6, "probe still");
    wait_mail(&site, "still app 2");

    fs::write(site.path("pyruse.json"), good).unwrap();
    running.signal("-HUP");
    running.wait_notice("RELOADING=1");
    running.wait_ready();
    journald.line("app", 6, "probe again");
    wait_mail(&site, "again app 3");
    assert!(running.terminate().success());
}

#[test]
fn a_second_daemon_on_the_same_state_does_not_start_and_says_why() {
    let (journald, site) = (Journald::start(), site());
    site.configure(&journald, &counting_rules(None));
    let running = site.start(None);
    let second = site.pyruse(None, &["run"]);
    let expected = format!(
        "pyruse: another Pyruse is running with the state in {} (process {})\n",
        site.path("state").display(),
        running.child.id()
    );
    assert_eq!(
        (second.status.code(), String::from_utf8_lossy(&second.stderr).as_ref()),
        (Some(1), expected.as_str())
    );
    // The first has not noticed.
    journald.line("app", 6, "probe first");
    wait_mail(&site, "first app 1");
    // A lock without an owner delays nobody.
    running.kill();
    let running = site.start(None);
    journald.line("app", 6, "probe after");
    wait_mail(&site, "after app 2");
    assert!(running.terminate().success());
}

both_ways! {
    kills_at_any_moment_change_nothing,
    sigterm_under_load_ends_it_soon_and_changes_nothing,
}

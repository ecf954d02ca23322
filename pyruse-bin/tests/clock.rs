//! The real daemon, whose wall clock is set while it runs (by libfaketime: the machine's own clock is left alone). Entries
//! have the times of that clock, as on a real machine.

mod common;

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Firewall, Running, Site, wait_for};
use serde_json::{Value, json};

const SET: &str = "ip Inet4 ssh_ban";

/// The wall clock of programs that run with it: the machine's, plus this many seconds.
struct WallClock {
    file: PathBuf,
    offset: RefCell<i64>,
}

impl WallClock {
    fn new(directory: &Path, offset: i64) -> WallClock {
        let clock = WallClock { file: directory.join("clock"), offset: RefCell::new(offset) };
        clock.set(offset);
        clock
    }

    /// In microseconds.
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(since.as_micros()).unwrap() + *self.offset.borrow() * 1_000_000
    }

    fn set(&self, offset: i64) {
        *self.offset.borrow_mut() = offset;
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{offset:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn apply(&self, command: &mut Command) {
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
        assert!(Path::new(&library).exists(), "the package `libfaketime` is needed");
        command.env("LD_PRELOAD", library);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.file);
        // The file is looked at again for each reading, and waits are real.
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// A journal of entries whose times the test chooses.
struct Journal {
    writer: Child,
    /// Entries so far.
    count: RefCell<u64>,
}

impl Journal {
    fn new(directory: &Path) -> Journal {
        fs::create_dir(directory).unwrap();
        let writer = Command::new("/lib/systemd/systemd-journal-remote")
            .arg(format!("--output={}", directory.join("test.journal").display()))
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journal-remote is needed");
        Journal { writer, count: RefCell::new(0) }
    }

    fn write(&self, micros: i64, identifier: &str, message: &str) {
        *self.count.borrow_mut() += 1;
        let monotonic = *self.count.borrow() * 1000;
        let entry = format!(
            "__REALTIME_TIMESTAMP={micros}\n__MONOTONIC_TIMESTAMP={monotonic}\n\
             _BOOT_ID=22222222222222222222222222222222\nSYSLOG_IDENTIFIER={identifier}\nMESSAGE={message}\n\n"
        );
        self.writer.stdin.as_ref().unwrap().write_all(entry.as_bytes()).unwrap();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.writer.kill();
        let _ = self.writer.wait();
    }
}

/// The parts of a test.
struct Machine {
    site: Site,
    journal: Journal,
    firewall: Firewall,
    clock: WallClock,
}

const HOUR: i64 = 3600;

const YEARS: i64 = 40 * 365 * 24 * HOUR;

impl Machine {
    fn new(offset: i64) -> Machine {
        let site = Site::new();
        let clock = WallClock::new(site.directory.path(), offset);
        let journal = Journal::new(&site.path("journal"));
        let machine = Machine { site, journal, firewall: Firewall::with_sets(&[]), clock };
        machine.configure(&rules());
        machine.line("test", "first");
        wait_for("the journal", || machine.site.path("journal/test.journal").exists().then_some(()));
        machine
    }

    fn configure(&self, rules: &Value) {
        let directory = self.site.path("journal");
        self.site.configure_for("", rules, &json!({"journal": {"directory": directory}}));
    }

    fn line(&self, identifier: &str, message: &str) {
        self.journal.write(self.clock.now(), identifier, message);
    }

    fn failed_login(&self, address: &str) {
        self.line("sshd", &format!("Failed password for root from {address} port 50000 ssh2"));
    }

    fn start(&self) -> Running {
        let mut command = self.site.command(Some(&self.firewall), &["run"]);
        self.clock.apply(&mut command);
        let running = self.site.launch_command(command);
        running.wait_ready();
        running
    }

    /// What a command prints.
    fn asked(&self, args: &[&str]) -> Value {
        let mut command = self.site.command(Some(&self.firewall), args);
        self.clock.apply(&mut command);
        let output = command.arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How far ahead of the clock a time is, in seconds.
    fn ahead(&self, time: &Value) -> i64 {
        let time: pyruse_core::jiff::Timestamp =
            time.as_str().unwrap_or_else(|| panic!("{time}")).parse().unwrap();
        (time.as_microsecond() - self.clock.now()).div_euclid(1_000_000)
    }

    fn guess(&self, address: &str) {
        for _ in 0..3 {
            self.failed_login(address);
        }
    }

    fn deliveries(&self, what: &str) -> Vec<Value> {
        let list = self.asked(&["outbox", "list"]);
        let all = list["deliveries"].as_array().unwrap_or_else(|| panic!("{list}"));
        all.iter().filter(|delivery| delivery["what"].as_str().unwrap().starts_with(what)).cloned().collect()
    }

    fn wait_log(&self, text: &str) {
        wait_for(&format!("`{text}` in the log"), || self.site.log().contains(text).then_some(()));
    }

    /// Makes the daemon's loop go round.
    fn stir(&self) {
        self.asked(&["status"]);
    }
}

/// Three failures within ten minutes: an hour's ban, an hour of grace, a mail.
fn rules() -> Value {
    json!({
        "ssh": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}},
            {"filter": "filter_pcre", "args": {
                "field": "MESSAGE", "re": "^Failed password for (.*) from (\\S+) port", "save": ["user", "thatIP"]}},
            {"action": "action_counterRaise", "args": {
                "counter": "ssh", "for": "thatIP", "keepSeconds": 600, "save": "tries"}},
            {"filter": "filter_equals", "args": {"field": "tries", "value": 3}},
            {"action": "action_counterReset", "args": {"counter": "ssh", "for": "thatIP", "graceSeconds": 3600}},
            {"action": "action_nftBan", "args": {
                "IP": "thatIP", "banSeconds": 3600,
                "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}},
            {"action": "action_email", "args": {"subject": "ban", "message": "banned {thatIP}"}},
        ],
    })
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_leaves_nothing_behind() {
    let machine = Machine::new(YEARS);
    machine.site.script("sendmail", "exit 1");
    let pyruse = machine.start();
    machine.guess("192.0.2.1");
    machine.failed_login("192.0.2.2");
    machine.failed_login("192.0.2.2");
    wait_for("a mail and a ban that wait", || {
        let wait =
            |what| machine.deliveries(what).first().is_some_and(|delivery| !delivery["next"].is_null());
        (wait("mail") && wait("ban")).then_some(())
    });
    machine.clock.set(0);
    machine.stir();
    machine.wait_log("the clock was set back by");
    let right = |when: &str| {
        for delivery in machine.deliveries("") {
            if !delivery["next"].is_null() {
                assert!(machine.ahead(&delivery["next"]) <= 300, "{when}: {delivery}");
            }
            assert!(machine.ahead(&delivery["queued"]) <= 0, "{when}: {delivery}");
        }
        let bans = machine.asked(&["bans", "list"]);
        let until = machine.ahead(&bans["bans"][0]["until"]);
        assert!(until > HOUR / 2 && until <= HOUR, "{when}: {bans}");
        assert!(machine.ahead(&bans["bans"][0]["since"]) <= 0, "{when}: {bans}");
        let counters = machine.asked(&["counters", "list"]);
        for counter in counters["counters"].as_array().unwrap() {
            let (time, most) = match &counter["graceUntil"] {
                Value::Null => (&counter["ends"], 600),
                grace => (grace, HOUR),
            };
            assert!(machine.ahead(time) <= most, "{when}: {counters}");
        }
        assert_eq!(counters["counters"].as_array().unwrap().len(), 2, "{when}: {counters}");
    };
    right("after the step");
    assert!(pyruse.terminate().success());
    right("without a daemon");
    let pyruse = machine.start();
    right("after a restart");
    pyruse.kill();
    let pyruse = machine.start();
    right("after a kill");
    // The clock is right again: an attacker is banned, for an hour.
    machine.firewall.add_sets(&["ssh_ban"]);
    machine.guess("192.0.2.3");
    wait_for("the bans", || {
        let addresses = machine.firewall.addresses(SET);
        ["192.0.2.1", "192.0.2.3"].iter().all(|ip| addresses.iter().any(|known| known == ip)).then_some(())
    });
    for (address, seconds) in machine.firewall.elements(SET) {
        assert!(seconds.is_some_and(|seconds| seconds <= 3600), "{address}: {seconds:?}");
    }
    assert!(pyruse.terminate().success());
}

/// The clock of a machine without one, after an hour.
fn an_hour_after_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    HOUR - i64::try_from(since.as_secs()).unwrap()
}

/// Bans wait for a set, the clock is set, the set is made: they go within their next try.
fn bans_wait_for_their_set(before: i64, after: i64) {
    let machine = Machine::new(before);
    let pyruse = machine.start();
    let addresses: Vec<String> = (1..=5).map(|n| format!("192.0.2.{n}")).collect();
    for address in &addresses {
        machine.guess(address);
    }
    wait_for("bans that wait", || {
        let bans = machine.deliveries("ban");
        (bans.len() == 5 && bans.iter().all(|ban| ban["tries"] != 0)).then_some(())
    });
    machine.clock.set(after);
    machine.stir();
    machine.wait_log("the clock was set");
    machine.firewall.add_sets(&["ssh_ban"]);
    wait_for("the bans", || (machine.firewall.addresses(SET) == addresses).then_some(()));
    for (address, seconds) in machine.firewall.elements(SET) {
        assert!(seconds.is_some_and(|seconds| seconds > 3000 && seconds <= 3600), "{address}: {seconds:?}");
    }
    assert!(pyruse.terminate().success());
}

#[test]
fn bans_wait_no_longer_for_a_clock_that_is_set_back() {
    bans_wait_for_their_set(0, -HOUR);
}

#[test]
fn waiting_bans_do_not_expire_when_the_clock_is_set_forward() {
    bans_wait_for_their_set(0, 2 * HOUR);
}

#[test]
fn waiting_bans_do_not_expire_when_the_clock_is_set_for_the_first_time() {
    bans_wait_for_their_set(an_hour_after_1970(), 0);
}

#[test]
fn mails_that_wait_are_not_given_up_when_a_clock_is_set_for_the_first_time() {
    let machine = Machine::new(an_hour_after_1970());
    machine.site.script("sendmail", "exit 1");
    let pyruse = machine.start();
    for n in 1..=5 {
        machine.guess(&format!("192.0.2.{n}"));
    }
    let wait_tries = |more: u64| {
        wait_for("mails that are tried again", || {
            let mails = machine.deliveries("mail");
            let tried = |mail: &Value| mail["state"] == "waiting" && mail["tries"].as_u64() >= Some(more);
            (mails.len() == 5 && mails.iter().all(tried)).then_some(())
        });
    };
    wait_tries(1);
    machine.clock.set(0);
    machine.stir();
    wait_tries(2);
    assert!(!machine.site.log().contains("given up"), "{}", machine.site.log());
    // The same over a restart.
    assert!(pyruse.terminate().success());
    machine.clock.set(an_hour_after_1970());
    let pyruse = machine.start();
    pyruse.kill();
    machine.clock.set(YEARS);
    let pyruse = machine.start();
    wait_tries(3);
    let mailbox = machine.site.path("mails").display().to_string();
    machine.site.script("sendmail", &format!("t=$(mktemp {mailbox}/.XXXXXXXX) && cat > $t && mv $t $t.mail"));
    wait_for("the mails", || (machine.site.mails().len() == 5).then_some(()));
    assert!(pyruse.terminate().success());
}

#[test]
fn a_ban_that_was_made_before_a_start_without_a_clock_is_still_in_force_when_it_is_set() {
    let machine = Machine::new(0);
    machine.firewall.add_sets(&["ssh_ban"]);
    let pyruse = machine.start();
    machine.guess("192.0.2.1");
    wait_for("the ban", || (machine.firewall.addresses(SET).len() == 1).then_some(()));
    assert!(pyruse.terminate().success());
    machine.clock.set(an_hour_after_1970());
    let pyruse = machine.start();
    machine.clock.set(60);
    machine.stir();
    machine.wait_log("the clock was set forward by");
    let bans = machine.asked(&["bans", "list"]);
    let until = machine.ahead(&bans["bans"][0]["until"]);
    assert!(until > HOUR / 2 && until <= HOUR - 60, "{bans}");
    assert!(pyruse.terminate().success());
}

#[test]
fn the_loop_sleeps_when_the_clock_is_set_back_by_days_and_the_report_is_sent() {
    let machine = Machine::new(30 * HOUR);
    let mut actions = rules();
    actions["report"] =
        json!([{"action": "action_dailyReport", "args": {"level": "OTHER", "message": "{MESSAGE}"}}]);
    machine.configure(&actions);
    let pyruse = machine.start();
    machine.line("test", "before");
    machine.clock.set(0);
    machine.stir();
    machine.wait_log("the clock was set back by");
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pyruse.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        // utime and stime, in hundredths of a second.
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    // A busy loop would be busy for all of these two seconds.
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    let spent = ticks() - before;
    assert!(spent < 100, "{spent} hundredths of a second in two seconds");
    let status = machine.asked(&["status"]);
    let next = machine.ahead(&status["report"]["next"]);
    assert!(next > 0 && next <= 24 * HOUR, "{status}");
    machine.line("test", "after");
    wait_for("the line", || {
        let report = machine.site.pyruse(Some(&machine.firewall), &["report", "show"]);
        String::from_utf8_lossy(&report.stdout).contains("after").then_some(())
    });
    // The next midnight.
    machine.clock.set(24 * HOUR);
    machine.stir();
    wait_for("the report", || machine.site.mails().pop());
    assert!(pyruse.terminate().success());
}

//! The imported rules beside fail2ban itself: both read the same logs and the same journal, which real programs wrote,
//! and ban the same addresses. fail2ban runs in a network namespace of its own, and its action only records.

#[path = "fail2ban/mod.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod fail2ban;
#[path = "fail2ban/logs.rs"]
mod logs;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fail2ban::{Copy, SAMPLES, Server};
use logs::{LAST, LOGS, TRIES};
use serde_json::{Value, json};

/// Jails that fail2ban and the imported rules judge differently, the address, and why.
const DIFFERENCES: [(&str, &str, &str); 1] =
    [("apache-auth", "127.0.0.1", "an address of this machine, which no rule bans")];

/// Banned by hand, after everything else.
const BY_HAND: &str = "198.51.100.98";

/// A jail and an address.
type Bans = BTreeSet<(String, String)>;

/// What is in `jail.local`, and the number of jails without `recidive`.
fn jails() -> (String, usize) {
    let mut text = "[DEFAULT]\nignoreself = false\nusedns = no\nbantime = 1d\nbantime.increment = true\n\
                    action = record\n"
        .to_owned();
    let mut number = 0;
    for log in &LOGS {
        for jail in log.jails {
            number += 1;
            let _ = writeln!(
                text,
                "[{}]\nenabled = true\nmaxretry = {TRIES}\nfilter = {}",
                jail.name, jail.filter
            );
            let _ = writeln!(text, "backend = polling\nlogpath = LOGS/{}", log.name);
            if jail.filter.is_empty() {
                text += "failregex = ^\\s*\\S+ doord\\[\\d+\\]: refused <F-USER>.+</F-USER> from <ADDR>$\n";
            }
            let Some(journal) = &log.journal else { continue };
            number += 1;
            let _ = writeln!(text, "[{}-journal]\nenabled = true\nmaxretry = {TRIES}", jail.name);
            let _ = writeln!(
                text,
                "filter = {}\nbackend = systemd[journalfiles=\"LOGS/a.journal\"]",
                jail.filter
            );
            if !journal.matches.is_empty() {
                let _ = writeln!(text, "journalmatch = {}", journal.matches);
            }
        }
    }
    text += "[recidive]\nenabled = true\nbackend = polling\nlogpath = LOGS/fail2ban.log\nmaxretry = 3\nfindtime = 1d\n\
             bantime = 1w\n";
    (text, number)
}

/// What fail2ban bans.
fn theirs(copy: &Copy, jails: usize) -> Bans {
    let server = Server::start_logging(copy, Some(&copy.path("database")), &copy.logs().join("fail2ban.log"));
    let end = Instant::now() + Duration::from_secs(120);
    let wait = |what: &str, done: &dyn Fn(&Bans) -> bool| loop {
        let recorded = fs::read_to_string(copy.path("banned")).unwrap_or_default();
        let bans = recorded.lines().filter_map(|line| line.split_once(' '));
        let bans: Bans = bans.map(|(jail, ip)| (jail.to_owned(), ip.to_owned())).collect();
        if done(&bans) {
            return bans;
        }
        let log = fs::read_to_string(copy.logs().join("fail2ban.log")).unwrap_or_default();
        let head: Vec<&str> = log.lines().filter(|line| !line.contains(" Found ")).take(200).collect();
        let read: Vec<&String> = bans.iter().filter(|(_, ip)| ip == LAST).map(|(jail, _)| jail).collect();
        assert!(Instant::now() < end, "fail2ban has not read {what}; read: {read:?}\n{}", head.join("\n"));
        std::thread::sleep(Duration::from_millis(100));
    };
    let of = |bans: &Bans, address: &str| bans.iter().filter(|(_, ip)| ip == address).count();
    wait("all logs", &|bans| of(bans, LAST) == jails + 1);
    // `recidive` has read its log up to the end when it has banned this one.
    for jail in ["sshd", "dovecot", "exim"] {
        server.ask(&["set", jail, "banip", BY_HAND]);
    }
    let bans = wait("its own log", &|bans| bans.contains(&("recidive".into(), BY_HAND.into())));
    bans.into_iter().filter(|(_, ip)| ip != BY_HAND).collect()
}

/// What the imported rules ban: one replay of all logs and of the journal, in which `recidive` reads what the other
/// jails log.
fn ours(copy: &Copy, out: &Path) -> Bans {
    let config = json!({
        "include": out.join("fail2ban.json"),
        // The journal of the machine, which is empty here.
        "sources": {"journal": {"source": "source_journal", "args": {"directory": copy.path("journal")}}},
    });
    let main = copy.path("pyruse.json");
    fs::create_dir(copy.path("journal")).unwrap();
    fs::write(&main, config.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .arg("--config")
        .arg(&main)
        .args(["replay", "--json", "--feedback", "--since", "1h ago"])
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    let effects = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let bans = effects.filter(|effect| effect["effect"] == "ban");
    bans.map(|ban| {
        let chain = ban["chain"].as_str().unwrap();
        (chain.split(':').next().unwrap().to_owned(), ban["ip"].as_str().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn the_imported_rules_ban_the_same_addresses_as_fail2ban_itself() {
    assert!(Path::new(SAMPLES).is_dir(), "the package fail2ban has no logs in {SAMPLES}");
    let (jails, number) = jails();
    let copy = Copy::with(&jails);
    let record = format!(
        "[Definition]\nactionban = echo '<name> <ip>' >> {0}\nactionunban = true <ip>\n",
        copy.path("banned").display()
    );
    fs::write(copy.directory().join("action.d/record.conf"), record).unwrap();
    for log in &LOGS {
        log.write(&copy.logs());
    }
    logs::write_journal(&copy.logs().join("a.journal"));
    fs::write(copy.logs().join("fail2ban.log"), "").unwrap();
    let out = copy.path("out");
    let (printed, _) = copy.import(&out, &[]);
    println!("{printed}");
    let ours = ours(&copy, &out);
    let theirs = theirs(&copy, number);
    println!(
        "{number} jails and recidive: {} bans by fail2ban, {} by the imported rules",
        theirs.len(),
        ours.len()
    );
    let recidive = theirs.iter().filter(|(jail, _)| jail == "recidive").count();
    assert!(theirs.len() > 800 && recidive > 50, "{theirs:?}");
    if fail2ban::version() == fail2ban::VERSION {
        // Rounded down: a log may be recorded again.
        let (jails, bans) = (number + 1, ours.intersection(&theirs).count() / 100 * 100);
        let words = format!("with {jails} jails, ban the same, more than {bans} times");
        assert!(fail2ban::page().contains(&words), "{words}");
    }
    let named: Bans =
        DIFFERENCES.iter().map(|(jail, ip, _)| ((*jail).to_owned(), (*ip).to_owned())).collect();
    let differ: Bans = ours.symmetric_difference(&theirs).cloned().collect();
    let only = |of: &Bans| differ.intersection(of).cloned().collect::<Vec<_>>();
    assert!(differ == named, "only ours: {:?}\nonly fail2ban's: {:?}", only(&ours), only(&theirs));
}

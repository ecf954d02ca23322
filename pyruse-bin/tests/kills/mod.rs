//! Ends the program at random moments while it reads a journal that is always the same, and compares the result.
//!
//! The input is a journal and a function that ends the program. Afterwards the deliveries and the content of the state are
//! compared. Mails are counted by their Message-ID: a mail may arrive twice, and counts as one.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod report_text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::Value;

use crate::common::{Firewall, Journald, LONG, Running, Site};

/// Marsaglia's xorshift: a seed gives the same numbers again, which is all that is needed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    /// How long to wait before ending the program: at the start, or well into the work.
    pub fn moment_of_work(&mut self) -> Duration {
        let longest = if self.below(2) == 0 { 30 } else { 150 };
        self.moment(Duration::from_millis(longest))
    }

    pub fn moment(&mut self, within: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(within.as_micros()).unwrap() + 1))
    }
}

fn number_from_environment(name: &str, default: impl FnOnce() -> u64) -> u64 {
    std::env::var(name).map_or_else(|_| default(), |text| text.parse().unwrap())
}

pub fn kills() -> usize {
    usize::try_from(number_from_environment("PYRUSE_KILLS", || 12)).unwrap()
}

/// The seed for the moments of killing; printed, so that a failure can be reproduced.
pub fn seed(test: &str) -> u64 {
    let anew = || u64::from(UNIX_EPOCH.elapsed().unwrap().subsec_micros());
    let seed = number_from_environment("PYRUSE_KILL_SEED", anew);
    println!("{test}: PYRUSE_KILL_SEED={seed}");
    seed
}

// What a mail says.

pub fn body(mail: &str) -> &str {
    mail.split_once("\n\n").expect("a mail has a head and a body").1.trim()
}

pub fn message_id(mail: &str) -> &str {
    mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a mail has an identity")
}

pub fn wait_mail(site: &Site, text: &str) {
    let end = Instant::now() + LONG;
    while !site.mails().iter().any(|mail| body(mail) == text) {
        assert!(Instant::now() < end, "no mail `{text}`, but {:?}; {}", bodies(site), site.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The bodies of all mails, each mail once however often it arrived.
pub fn bodies(site: &Site) -> Vec<String> {
    bodies_of(&site.mails())
}

/// The bodies of these mails, each mail once however often it arrived.
pub fn bodies_of(mails: &[String]) -> Vec<String> {
    distinct(mails, |mail| body(mail).to_owned())
}

/// The content of these mails, sorted; each mail once however often it arrived, by its Message-ID.
pub fn distinct<T: Clone + Ord + std::fmt::Debug>(mails: &[String], read: impl Fn(&str) -> T) -> Vec<T> {
    let mut of_id = BTreeMap::new();
    for mail in mails {
        let (id, content) = (message_id(mail), read(mail));
        if let Some(first) = of_id.insert(id, content.clone()) {
            assert_eq!(first, content, "two mails are named {id}");
        }
    }
    let mut contents: Vec<T> = of_id.into_values().collect();
    contents.sort();
    contents
}

/// A site whose sendmail refuses an empty mail, as the real ones do: a program that is killed may have started it
/// and not given it any input.
pub fn site() -> Site {
    let site = Site::new();
    let mailbox = site.path("mails").display().to_string();
    site.script("sendmail", &format!("t={mailbox}/.$$-$PPID; cat > $t; test -s $t && mv $t $t.mail"));
    site
}

// What the state holds, as its file says.

/// The time of the entry that was read last, and how many messages wait for their couriers, both at one moment.
fn progress(site: &Site) -> Option<(i64, i64)> {
    let query = "SELECT time, (SELECT count(*) FROM rows JOIN parts ON part = id WHERE name IN \
                 ('action_log', 'action_email', 'action_http', 'action_run', 'action_nftBan/orders', \
                 'action_ipsetBan/orders', 'action_runBan/orders')) FROM sources WHERE name = 'journal'";
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let state = rusqlite::Connection::open_with_flags(site.path("state/state.sqlite"), flags).ok()?;
    // No row, or a writer has locked it: try again.
    state.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?))).ok()
}

/// The time of the journal's last entry, after everything was written to it.
fn tail(journald: &Journald) -> i64 {
    journald.sync();
    let last: Value = serde_json::from_str(&journald.journalctl(&["-q", "-n", "1", "-o", "json"])).unwrap();
    last["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap()
}

/// Waits until everything is read and delivered, including our own lines.
pub fn wait_settled(journald: &Journald, site: &Site) {
    let mut before = None;
    let end = Instant::now() + LONG;
    loop {
        let (tail, progress) = (tail(journald), progress(site));
        let settled = progress.as_ref().is_some_and(|(time, waiting)| *time == tail && *waiting == 0);
        // A line may have been written to the journal in between. Then the tail has changed.
        if settled && before.as_ref() == Some(&tail) {
            return;
        }
        assert!(Instant::now() < end, "the journal ends at {tail}, we are at {progress:?}; {}", site.log());
        before = settled.then_some(tail);
    }
}

/// Entries of one kind, in order.
pub fn messages(journald: &Journald, start: &str) -> Vec<String> {
    let text =
        journald.journalctl(&["-q", "-o", "cat", "--output-fields=MESSAGE", "SYSLOG_IDENTIFIER=pyruse"]);
    text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

/// How many of our lines the journal holds more than once.
pub fn repeated_lines(journald: &Journald) -> usize {
    let text = journald.journalctl(&[
        "-q",
        "-o",
        "json",
        "--output-fields=PYRUSE_LOG_ID",
        "SYSLOG_IDENTIFIER=pyruse",
    ]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<&str> = lines.iter().filter_map(|line| line["PYRUSE_LOG_ID"].as_str()).collect();
    ids.len() - ids.iter().collect::<BTreeSet<_>>().len()
}

// The work.

/// Longer than any test: no window ends while it runs, so that the result depends on the entries alone.
pub const DAY: u32 = 86_400;

/// The addresses of failed logins.
pub fn addresses() -> Vec<String> {
    let v4 = (1..=40).map(|n| format!("198.51.100.{n}"));
    v4.chain((1..=40).map(|n| format!("2001:db8::{n:x}"))).collect()
}

pub fn both_families(firewall: &Firewall, set: &str) -> BTreeSet<String> {
    let elements = |family: &str| firewall.addresses(&format!("{family} {set}"));
    elements("ip Inet4").into_iter().chain(elements("ip6 Inet6")).collect()
}

/// Has the entries read by programs that `launch` starts and `end` ends, `times` times; the last one is still running.
/// With `ready`, each is ended only when it has notified that it is ready: before that, it may not handle signals yet.
pub fn interrupted(
    journald: &Journald,
    entries: &[String],
    times: usize,
    ready: bool,
    mut launch: impl FnMut(&[&str]) -> Running,
    mut end: impl FnMut(Running),
) -> Running {
    let write = |entries: &[String]| entries.iter().for_each(|entry| journald.line("app", 6, entry));
    let start = |n: usize| n * entries.len() / (times + 1);
    write(&entries[..start(1)]);
    let mut start_with = |args: &[&str]| {
        let running = launch(args);
        // If it ends before the position is stored, the next start rightly begins at the journal's tail.
        if ready || args.len() > 1 {
            running.wait_ready();
        }
        running
    };
    let mut running = start_with(&["run", "--since", "@0"]);
    for n in 1..=times {
        let slice = &entries[start(n)..start(n + 1)];
        // Some entries are written while the program runs, or just after it; the rest wait for the next start.
        let (live, backlog) = slice.split_at(slice.len() / 2);
        std::thread::scope(|scope| {
            scope.spawn(|| write(live));
            end(running);
        });
        write(backlog);
        running = start_with(&["run"]);
    }
    running
}

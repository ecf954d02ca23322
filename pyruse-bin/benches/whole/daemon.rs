//! `pyruse run` on the generated journal, with a large configuration, a durable state, and all deliveries: to a firewall
//! in a network namespace of its own, to a program that takes mails and forgets them, and to a socket in the place of
//! journald's.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pyruse_core::time::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::measure::{Cost, children, median};
use crate::common::{Firewall, LONG, Running, Site};

/// The large configuration.
pub const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/conf/full.json");

/// Names in it that depend on the machine, and their replacements.
fn full(site: &Site, files: &[PathBuf]) -> String {
    let sendmail = site.script("sendmail", "cat >/dev/null");
    let files = serde_json::to_string(files).unwrap();
    let place = |name: &str| site.path(name).display().to_string();
    let mut text = fs::read_to_string(FULL).unwrap();
    for (old, new) in [
        (
            r#""storage": "/var/lib/pyruse""#,
            format!(
                r#""storage": "{}", "journal": {{"files": {files}}}, "log": {{"socket": "{}"}}"#,
                place("state"),
                place("journald")
            ),
        ),
        (r#"["/usr/bin/env", "sendmail", "-t"]"#, format!(r#"["{}"]"#, sendmail.display())),
        (r#"["/usr/bin/nsenter", "--net=/run/netns/front", "/usr/sbin/nft"]"#, r#"["nft"]"#.to_owned()),
        (r#""/usr/sbin/ipset""#, r#""ipset""#.to_owned()),
    ] {
        assert_eq!(text.matches(old).count(), 1, "{old} in {FULL}");
        text = text.replace(old, &new);
    }
    text
}

/// Where the daemon runs.
pub struct Ground {
    site: Site,
    firewall: Firewall,
    /// In the place of journald's socket; emptied by a thread.
    journald: UnixDatagram,
}

impl Ground {
    pub fn new(files: &[PathBuf]) -> Ground {
        let site = Site::new();
        let text = full(&site, files);
        fs::write(site.path("pyruse.json"), &text).unwrap();
        let journald = UnixDatagram::bind(site.path("journald")).unwrap();
        let drain = journald.try_clone().unwrap();
        std::thread::spawn(move || while drain.recv(&mut [0; 4096]).is_ok_and(|length| length > 0) {});
        let firewall = Firewall::with_sets(&sets(&text, r#""nftSetIPv4": "ip Inet4 "#));
        for set in sets(&text, r#""ipSetIPv4": ""#) {
            firewall.add_ipsets(set.trim_end_matches('4'));
        }
        Ground { site, firewall, journald }
    }

    /// Starts the daemon at the first entry not before `since`.
    pub fn start(&self, since: Option<Timestamp>) -> Running {
        let since = since.map(|time| format!("@{}", time.0 / 1_000_000));
        let mut args = vec!["run"];
        if let Some(since) = &since {
            args.extend(["--since", since]);
        }
        self.site.launch(Some(&self.firewall), &args)
    }

    pub fn log(&self) -> String {
        self.site.log()
    }

    pub fn forget(&self) {
        let _ = fs::remove_dir_all(self.site.path("state"));
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Ends the thread that empties it.
        let _ = self.journald.shutdown(std::net::Shutdown::Both);
    }
}

/// The sets that a configuration names, each once.
fn sets<'t>(text: &'t str, before: &str) -> Vec<&'t str> {
    let mut sets: Vec<&str> = text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    sets.sort_unstable();
    sets.dedup();
    sets
}

/// What catching up cost.
pub struct CaughtUp {
    /// The daemon alone, until its position was at the end.
    pub own: Cost,
    /// Resident memory in KiB once it is quiet: all, and what is not the journal's own pages.
    pub resident: [u64; 2],
    /// Likewise without those pages, at each tenth of the way.
    pub on_the_way: Vec<u64>,
    /// Until it had stopped, together with all programs that it ran: processor time.
    pub with_deliveries: f64,
}

/// Reads from `first` to `last`, waits until all is delivered that can be, and stops.
pub fn catch_up(ground: &Ground, first: Timestamp, last: Timestamp) -> CaughtUp {
    ground.forget();
    let before = children();
    let start = Instant::now();
    let running = ground.start(Some(first));
    let pid = running.child.id();
    let mut position = Position::of(&ground.site.path("state/state.sqlite"));
    let mut on_the_way = Vec::new();
    let own = loop {
        let at = position.read();
        let wall = start.elapsed().as_secs_f64();
        if at >= Some(last) {
            break Cost { cpu: own_cpu(pid), wall };
        }
        if at.is_some_and(|at| tenths(first, at, last) > on_the_way.len()) {
            on_the_way.push(anonymous(pid));
        }
        assert!(start.elapsed() < 5 * LONG, "it does not catch up: {}", ground.log());
        std::thread::sleep(Duration::from_millis(2));
    };
    let resident = settle(pid);
    assert!(running.terminate().success(), "{}", ground.log());
    CaughtUp { own, resident, on_the_way, with_deliveries: children() - before }
}

fn tenths(first: Timestamp, at: Timestamp, last: Timestamp) -> usize {
    let (way, done) = (last.0.abs_diff(first.0), at.0.abs_diff(first.0));
    usize::try_from(done * 10 / way.max(1)).unwrap_or(0)
}

/// Waits until it has had nothing to do for a second; its memory then.
fn settle(pid: u32) -> [u64; 2] {
    let end = Instant::now() + LONG;
    let mut before = own_cpu(pid);
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = own_cpu(pid);
        if now - before < 0.02 || Instant::now() > end {
            return [memory(pid, "VmRSS:"), anonymous(pid)];
        }
        before = now;
    }
}

fn memory(pid: u32, of: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

fn anonymous(pid: u32) -> u64 {
    memory(pid, "RssAnon:")
}

/// The processor time of the process itself, all threads that still are.
fn own_cpu(pid: u32) -> f64 {
    let nanos = |stat: String| stat.split(' ').next().and_then(|n| n.parse::<u64>().ok());
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let all = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok().and_then(nanos));
    Duration::from_nanos(all.sum()).as_secs_f64()
}

/// How often the process has gone to sleep, all threads.
fn sleeps(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("status")).ok())
        .filter_map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<u64>().ok()
        })
        .sum()
}

/// How often it wakes up in a minute in which nothing happens.
pub fn idle_wake_ups(ground: &Ground) -> u64 {
    ground.forget();
    let running = ground.start(None);
    running.wait_ready();
    settle(running.child.id());
    std::thread::sleep(Duration::from_secs(3));
    let before = sleeps(running.child.id());
    std::thread::sleep(Duration::from_secs(60));
    let woken = sleeps(running.child.id()) - before;
    assert!(running.terminate().success());
    woken
}

/// From its start until it says that it is ready, in seconds.
pub fn start_to_ready(ground: &Ground) -> f64 {
    let once = || {
        ground.forget();
        let start = Instant::now();
        let running = ground.start(None);
        running.wait_ready();
        let taken = start.elapsed().as_secs_f64();
        assert!(running.terminate().success());
        taken
    };
    median((0..9).map(|_| once()).collect())
}

/// Reads how far the daemon has come, from its state.
struct Position {
    file: PathBuf,
    connection: Option<Connection>,
}

impl Position {
    fn of(file: &Path) -> Position {
        Position { file: file.to_owned(), connection: None }
    }

    fn read(&mut self) -> Option<Timestamp> {
        if self.connection.is_none() {
            self.connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
        }
        let mut statement = self
            .connection
            .as_ref()?
            .prepare_cached("SELECT time FROM sources WHERE name IS NOT NULL")
            .ok()?;
        statement.query_row([], |row| row.get(0)).ok().map(Timestamp)
    }
}

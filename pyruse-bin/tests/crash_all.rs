//! Kills at random moments over a journal that produces every kind of effect, with reports falling due in between: what
//! is delivered, and what the state holds in the end, is the same as without them.
//!
//! `cargo test` kills the program a few times; the long campaign is
//! `PYRUSE_KILLS=200 cargo test -p pyruse-bin --test crash_all --release -- --nocapture`.
//! `PYRUSE_KILL_SEED` repeats a campaign, as far as the machine's own timing allows.

mod common;
mod kills;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::http_server::HttpServer;
use common::{BanBackend, Firewall, Journald, Running, Site, both_ways, wait_for};
use kills::report_text::{ReportText, is_report, reports};
use kills::{
    DAY, Random, addresses, bodies_of, both_families, distinct, interrupted, kills, messages, repeated_lines,
    seed, site, wait_settled,
};
use serde_json::{Value, json};

/// Enough for each kind of effect to come between two kills.
const ENTRIES: usize = 20_000;

/// How many entries are read when all reports have arrived.
const LAST: usize = 500;

/// Fewer than there are alerts: the others come as one mail.
const SINGLE_MAILS: usize = 150;

/// The proxy, as the service behind it sees it.
const PROXY: &str = "10.0.0.1";

// The rules under attack.

/// This many failures ban.
const TRIES: u32 = 20;

/// For how long the n-th ban of an address lasts, in seconds: most end while the program is killed again and again.
const LONGER: [i64; 3] = [1, 2, 1];

/// The same for the last ban of each address: they are all in force in the end.
fn last_longer() -> Vec<u32> {
    (1..=100).map(|nth| DAY + nth).collect()
}

fn action(name: &str, args: Value) -> Value {
    let mut step = json!({"action": name});
    step["args"] = args;
    step
}

fn raise(counter: &str, keep: u32, save: &str) -> Value {
    action("action_counterRaise", json!({"counter": counter, "for": "ip", "keepSeconds": keep, "save": save}))
}

fn longer(durations: &Value) -> Value {
    action(
        "action_nftBan",
        json!({"IP": "ip", "banSeconds": durations, "nftSetIPv4": "ip Inet4 longer", "nftSetIPv6": "ip6 Inet6 longer"}),
    )
}

/// Counts the distinct numbers of an address's entries.
fn numbers(name: &str, more: &Value) -> Value {
    let mut args = json!({"counter": "numbers", "for": "ip", "save": "numbers"});
    args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    action(name, args)
}

/// Failures ban, in both firewalls, and say so in the journal; three such lines ban for ever, and mail. The clients
/// behind the proxy are known from the proxy's own entries. Each entry that is reported has a number, or is counted.
fn rules(url: &str) -> Value {
    let chain = |re: &str, names: &[&str], next: &str, steps: Vec<Value>| {
        let mut chain = vec![
            json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re, "save": names}, "else": next}),
        ];
        chain.extend(steps);
        chain
    };
    let equals = |field: &str, value: u32| json!({"filter": "filter_equals", "args": {"field": field, "value": value}});
    let nft = |set: &str, seconds: u32| {
        action(
            "action_nftBan",
            json!({"IP": "ip", "banSeconds": seconds,
                   "nftSetIPv4": format!("ip Inet4 {set}"), "nftSetIPv6": format!("ip6 Inet6 {set}")}),
        )
    };
    let nets = |prefixes: Value| {
        let mut ban = nft("nets", DAY);
        ban["args"].as_object_mut().unwrap().extend(prefixes.as_object().unwrap().clone());
        ban
    };
    let ipset = |set: &str, seconds: u32| {
        action(
            "action_ipsetBan",
            json!({"IP": "ip", "banSeconds": seconds, "ipSetIPv4": format!("{set}4"), "ipSetIPv6": format!("{set}6")}),
        )
    };
    let by_program = |set: &str, seconds: u32| {
        action("action_runBan", json!({"IP": "ip", "banSeconds": seconds, "set": set}))
    };
    let report = |level: &str, details: &str, message: &str| {
        action("action_dailyReport", json!({"level": level, "details": details, "message": message}))
    };
    let mail =
        |subject: &str, text: &str| action("action_email", json!({"subject": subject, "message": text}));
    let log = |text: &str| action("action_log", json!({"message": text}));
    let go_on = |to: &str| json!({"action": "action_noop", "then": to});
    let reset = |grace: u32| {
        action("action_counterReset", json!({"counter": "tries", "for": "ip", "graceSeconds": grace}))
    };
    let lower = action("action_counterLower", json!({"counter": "tries", "for": "ip"}));
    let capture = action(
        "action_dnatCapture",
        json!({"saddr": "client", "sport": "clientPort", "addr": "proxy", "port": "proxyPort", "keepSeconds": DAY}),
    );
    let replace = action(
        "action_dnatReplace",
        json!({"addr": "ip", "port": "proxyPort", "saddrInto": "ip", "sportInto": "clientPort"}),
    );
    // Chains are in the order of their labels here.
    json!({
        "1": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "app"}, "else": "ours"},
            go_on("capture"),
        ],
        "capture": chain("^proxy (\\S+) (\\d+) as (\\S+) (\\d+)$", &["client", "clientPort", "proxy", "proxyPort"], "via",
                         vec![capture]),
        "via": chain("^via (\\S+) (\\d+) #(\\d+)$", &["ip", "proxyPort", "n"], "fail", vec![
            replace, report("OTHER", "ALL", "via #{n}: {ip} {clientPort}"), go_on("count"),
        ]),
        "fail": chain("^fail (\\S+) #(\\d+)$", &["ip", "n"], "forgive", vec![go_on("count")]),
        "count": [
            numbers("action_counterRaise", &json!({"distinct": "n", "saveValues": "all", "keepSeconds": DAY})),
            raise("total", 0, "total"), raise("tries", DAY, "tries"), report("INFO", "FIRSTLAST", "fail {ip}"),
            equals("tries", TRIES),
            // The ban of the network contains that of the address.
            nft("ban", DAY), longer(&json!(LONGER)), ipset("ban", DAY), by_program("long", DAY), by_program("short", 1), nets(json!({})), nets(json!({"prefix4": 24, "prefix6": 64})), log("BANNED {ip} #{n}"), reset(0),
        ],
        "forgive": chain("^forgive (\\S+)$", &["ip"], "forget", vec![lower]),
        "forget": chain("^forget (\\S+)$", &["ip"], "pardon", vec![reset(0)]),
        "pardon": chain("^pardon (\\S+)$", &["ip"], "alert", vec![reset(DAY)]),
        "alert": chain("^(alert #\\d+)$", &["alert"], "warning", vec![
            report("WARN", "ALL", "{alert}"), mail("alert", "{alert}"),
            action("action_http", json!({"url": url, "text": "{alert}"})),
        ]),
        "warning": chain("^(warning .*)$", &["warning"], "odd", vec![report("WARN", "ALL", "{warning}")]),
        "odd": chain("^(odd #\\d+)$", &["odd"], "login", vec![report("OTHER", "NONE", "{odd}")]),
        "login": chain("^login (\\d+) from (\\S+)$", &["session", "ip"], "logout", vec![
            action("action_remember",
                json!({"memory": "sessions", "for": "session", "fields": ["ip"], "keepSeconds": DAY})),
        ]),
        "logout": chain("^logout (\\d+) #(\\d+)$", &["session", "n"], "probe", vec![
            action("action_recall", json!({"memory": "sessions", "for": "session", "fields": ["ip"]})),
            report("OTHER", "ALL", "logout #{n}: {ip}"),
        ]),
        "probe": chain("^probe (\\S+)$", &["ip"], "end", vec![
            raise("total", 0, "total"), raise("tries", DAY, "tries"), raise("again", 0, "again"),
            numbers("action_counterRead", &json!({})),
            log("COUNT {ip} {total} {tries} {again} {numbers}"), longer(&json!(last_longer())),
        ]),
        "ours": chain("^(BANNED (\\S+) #\\d+)$", &["line", "ip"], "end", vec![
            {
                let own = json!({"field": "SYSLOG_IDENTIFIER", "value": "pyruse"});
                json!({"filter": "filter_equals", "args": own, "else": "end"})
            },
            report("WARN", "FIRST", "came back: {line}"),
            raise("again", 0, "again"), equals("again", 3),
            nft("again", 0), ipset("again", 0), mail("again", "again: {ip}"),
        ]),
        "end": [{"action": "action_noop"}],
    })
}

/// The journal to work through: always the same.
fn entries() -> Vec<String> {
    let (addresses, mut random) = (addresses(), Random::new(1));
    let mut entry = |n: usize| {
        let ip = &addresses[usize::try_from(random.below(addresses.len() as u64)).unwrap()];
        // Some ports get a client late, most get many.
        let port = 40_000 + random.below(60);
        match random.below(1000) {
            0..100 => format!("proxy {ip} {n} as {PROXY} {port}"),
            100..300 => format!("via {PROXY} {port} #{n}"),
            300..650 => format!("fail {ip} #{n}"),
            650..700 => format!("forgive {ip}"),
            700..710 => format!("forget {ip}"),
            710..711 => format!("pardon {ip}"),
            711..731 => format!("alert #{n}"),
            731..781 => format!("warning of kind {}", random.below(10)),
            781..831 => format!("odd #{n}"),
            831..851 => format!("login {port} from {ip}"),
            851..881 => format!("logout {port} #{n}"),
            _ => format!("nothing of interest, #{n}"),
        }
    };
    (0..ENTRIES).map(&mut entry).collect()
}

// What must come of it: the rules once more, without a program, a journal or a crash.

/// What is delivered, and what the state and the firewalls hold.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    banned: BTreeSet<String>,
    banned_again: BTreeSet<String>,
    mails: Vec<String>,
    requests: Vec<String>,
    lines: BTreeSet<String>,
    counts: BTreeSet<String>,
    /// The last ban of each address in the set whose bans become longer: which one it is, and its seconds.
    longer: BTreeMap<String, (u64, i64)>,
    reported: ReportText,
}

/// The bans of an address that become longer.
#[derive(Clone, Copy, Default)]
struct Longer {
    nth: u64,
    /// In microseconds since the epoch.
    until: i64,
}

impl Longer {
    /// A ban while another one is in force is the same one.
    fn ban(&mut self, at: i64) {
        self.nth += u64::from(at >= self.until);
        let last = LONGER.len() as u64;
        self.until = at + 1_000_000 * LONGER[usize::try_from(self.nth.min(last)).unwrap() - 1];
    }
}

#[derive(Default)]
struct Counts {
    total: u32,
    tries: u32,
    again: u32,
    grace: bool,
    longer: Longer,
}

impl Outcome {
    fn report(&mut self, line: String) {
        self.reported.warnings += u64::from(line.starts_with("WARN"));
        *self.reported.lines.entry(line).or_default() += 1;
    }

    fn ban(&mut self, ip: &str, set: &str) {
        let family = if ip.contains(':') { 6 } else { 4 };
        let nft = if family == 6 { "ip6 Inet6" } else { "ip Inet4" };
        for set in [format!("{nft} {set}"), format!("{set}{family}")] {
            self.reported.bans += 1;
            *self.reported.banned.entry(format!("{ip} in {set}")).or_default() += 1;
        }
    }

    /// In two sets of programs.
    fn ban_by_programs(&mut self, ip: &str) {
        for set in ["long", "short"] {
            self.reported.bans += 1;
            *self.reported.banned.entry(format!("{ip} in {set}")).or_default() += 1;
        }
    }

    fn ban_longer(&mut self, ip: &str) {
        let set = if ip.contains(':') { "ip6 Inet6 longer" } else { "ip Inet4 longer" };
        self.reported.bans += 1;
        *self.reported.banned.entry(format!("{ip} in {set}")).or_default() += 1;
    }

    /// The address in a set of nftables, and then its network.
    fn ban_network(&mut self, ip: &str) {
        let set = if ip.contains(':') { "ip6 Inet6 nets" } else { "ip Inet4 nets" };
        let net = network(ip);
        for banned in [ip, &net] {
            self.reported.bans += 1;
            *self.reported.banned.entry(format!("{banned} in {set}")).or_default() += 1;
        }
    }

    fn mail(&mut self, text: String) {
        self.reported.mails += 1;
        self.mails.push(text);
    }

    fn fail(&mut self, ip: &str, n: &str, at: i64, counts: &mut Counts) {
        self.report(format!("INFO fail {ip}"));
        counts.total += 1;
        counts.tries += u32::from(!counts.grace);
        if counts.tries < TRIES {
            return;
        }
        counts.tries = 0;
        counts.again += 1;
        self.ban(ip, "ban");
        self.ban_longer(ip);
        counts.longer.ban(at);
        self.banned.insert(ip.to_owned());
        self.ban_by_programs(ip);
        self.ban_network(ip);
        let line = format!("BANNED {ip} {n}");
        self.report(format!("WARN came back: {line}"));
        self.lines.insert(line);
        if counts.again == 3 {
            self.ban(ip, "again");
            self.banned_again.insert(ip.to_owned());
            self.mail(format!("again: {ip}"));
        }
    }
}

/// The network of 24 or 64 bits.
fn network(ip: &str) -> String {
    match ip.rsplit_once('.') {
        Some((start, _)) => format!("{start}.0/24"),
        None => format!("{}::/64", ip.split("::").next().unwrap()),
    }
}

/// All keys that are counted; without a client, it is the proxy.
fn counted() -> Vec<String> {
    addresses().into_iter().chain([PROXY.to_owned()]).collect()
}

/// `times` has those of the entries, and then those of the probes of all that is counted.
fn expected(entries: &[String], times: &[i64]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut all: BTreeMap<String, Counts> = counted().into_iter().map(|ip| (ip, Counts::default())).collect();
    let mut clients: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let mut sessions: BTreeMap<&str, &str> = BTreeMap::new();
    let (times, probed) = times.split_at(entries.len());
    for (entry, at) in entries.iter().zip(times) {
        let words: Vec<&str> = entry.split(' ').collect();
        match words[..] {
            ["proxy", client, client_port, "as", PROXY, port] => {
                clients.insert(port, (client, client_port));
            }
            ["login", session, "from", ip] => {
                sessions.insert(session, ip);
            }
            ["logout", session, n] => {
                let ip = sessions.get(session).copied().unwrap_or("None");
                outcome.report(format!("OTHER logout {n}: {ip}"));
            }
            ["via", PROXY, port, n] => {
                let (ip, client_port) = clients.get(port).copied().unwrap_or((PROXY, "None"));
                outcome.report(format!("OTHER via {n}: {ip} {client_port}"));
                outcome.fail(ip, n, *at, all.get_mut(ip).unwrap());
            }
            ["fail", ip, n] => outcome.fail(ip, n, *at, all.get_mut(ip).unwrap()),
            ["forgive", ip] => {
                let counts = all.get_mut(ip).unwrap();
                counts.tries = counts.tries.saturating_sub(1);
            }
            ["forget", ip] => all.get_mut(ip).unwrap().tries = 0,
            ["pardon", ip] => {
                let counts = all.get_mut(ip).unwrap();
                (counts.tries, counts.grace) = (0, true);
            }
            ["alert", _] => {
                outcome.report(format!("WARN {entry}"));
                outcome.mail(entry.clone());
                outcome.requests.push(entry.clone());
            }
            ["warning", ..] => outcome.report(format!("WARN {entry}")),
            ["odd", _] => outcome.report(format!("OTHER {entry}")),
            ["nothing", ..] => {}
            _ => unreachable!("{entry}"),
        }
    }
    for (ip, at) in counted().iter().zip(probed) {
        let longer = &mut all.get_mut(ip).unwrap().longer;
        longer.ban(*at);
        outcome.ban_longer(ip);
        let seconds = i64::from(DAY) + i64::try_from(longer.nth).unwrap();
        outcome.longer.insert(ip.clone(), (longer.nth, seconds));
    }
    for (ip, counts) in &all {
        let tries = if counts.grace { 0 } else { counts.tries + 1 };
        // Each entry has a number of its own.
        let numbers = counts.total;
        outcome.counts.insert(format!(
            "COUNT {ip} {} {tries} {} {numbers}",
            counts.total + 1,
            counts.again + 1
        ));
    }
    outcome.mails.sort();
    outcome.requests.sort();
    outcome
}

/// All mails but reports; those that came as one, too.
fn mails(site: &Site) -> Vec<String> {
    let mails: Vec<String> = site.mails().into_iter().filter(|mail| !is_report(mail)).collect();
    let is_digest = |mail: &&String| mail.contains(" more)\n");
    let digests: Vec<String> = mails.iter().filter(is_digest).cloned().collect();
    let single: Vec<String> = mails.iter().filter(|mail| !is_digest(mail)).cloned().collect();
    let mut all = bodies_of(&single);
    for digest in bodies_of(&digests) {
        assert_eq!(digest.matches("\nonce, at ").count(), digest.matches("\n    ").count(), "{digest}");
        all.extend(digest.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned));
    }
    all.sort();
    all
}

/// The texts of all requests; each request once however often it came, by its identity.
fn requests(server: &HttpServer) -> Vec<String> {
    let mut of_id = BTreeMap::new();
    for request in server.requests() {
        let first = of_id.entry(request.id().to_owned()).or_insert_with(|| request.body.clone());
        assert_eq!(*first, request.body);
    }
    let mut texts: Vec<String> = of_id.into_values().collect();
    texts.sort();
    texts
}

// The campaign.

/// Lets a report fall due now and then, and kills the program at that moment.
struct Clock<'a> {
    journald: &'a Journald,
    site: &'a Site,
    /// Of the web service.
    url: String,
    random: Random,
    /// Since the epoch; in whole seconds, as a time of day can be written.
    due: Duration,
    due_times: usize,
    killed_when_due: usize,
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

impl Clock<'_> {
    /// No report falls due before the first start is done: it would begin with the next day's, rightly.
    fn set_far(&mut self) {
        self.due = Duration::from_secs(now().as_secs() + 12 * 3600);
        self.configure();
    }

    /// When all reports that were due have come, another one falls due: soon.
    fn set(&mut self) {
        if self.due_times > 0 && (now() < self.due || reports(self.site).len() < self.due_times) {
            return;
        }
        // Not before the program has read what was set.
        self.due = Duration::from_secs((now() + Duration::from_millis(500)).as_secs() + 1);
        self.due_times += 1;
        self.configure();
    }

    /// A set whose bans are files in a directory of its name.
    fn programs(&self, set: &str) -> Value {
        let directory = self.site.path(set).display().to_string();
        std::fs::create_dir_all(&directory).unwrap();
        json!({"ban": ["/usr/bin/touch", format!("{directory}/{{ip}}")], "unban": ["/bin/rm", "-f", format!("{directory}/{{ip}}")]})
    }

    fn configure(&self) {
        let second = self.due.as_secs() % u64::from(DAY);
        let at = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let more = json!({
            "dailyReport": {"group": false, "at": at, "maxLines": 100_000, "maxMessages": 100_000, "maxBytes": 64 << 20},
            "ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]},
            "http": {"maxPerMinute": 0},
            "runBan": {"sets": {"long": self.programs("long"), "short": self.programs("short")}},
            "email": {
                "from": "pyruse@example.org",
                "to": ["hostmaster@example.org"],
                "sendmail": [self.site.path("sendmail"), "-t"],
                "maxPerHour": SINGLE_MAILS,
            },
        });
        self.site.configure_with(self.journald, &rules(&self.url), &more);
    }

    /// At any moment; or, if a report falls due soon, around that.
    fn kill(&mut self, running: Running) {
        let around = self.due.saturating_sub(Duration::from_millis(5)).saturating_sub(now());
        let soon = self.due_times > 0 && !around.is_zero();
        let moment = if soon && self.random.below(2) == 0 {
            self.killed_when_due += 1;
            around + self.random.moment(Duration::from_millis(60))
        } else {
            self.random.moment_of_work()
        };
        std::thread::sleep(moment);
        running.kill();
    }
}

/// The times of the entries that the rules are about, in microseconds since the epoch.
fn entry_times(journald: &Journald) -> Vec<i64> {
    let text =
        journald.journalctl(&["-q", "-o", "json", "--output-fields=PRIORITY", "SYSLOG_IDENTIFIER=app"]);
    let time = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap()
    };
    text.lines().map(time).collect()
}

/// The bans in force in the set whose bans become longer: which one it is, and its seconds.
fn longer_bans(site: &Site) -> BTreeMap<String, (u64, i64)> {
    let listed = site.pyruse(None, &["bans", "list", "--json"]).stdout;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let is_longer = |ban: &&Value| ban["set"].as_str().unwrap().ends_with(" longer");
    let read = |ban: &Value| {
        let second = |key: &str| {
            ban[key].as_str().unwrap().parse::<pyruse_core::jiff::Timestamp>().unwrap().as_second()
        };
        let ip = ban["ip"].as_str().unwrap().to_owned();
        (ip, (ban["nth"].as_u64().unwrap(), second("until") - second("since")))
    };
    listed["bans"].as_array().unwrap().iter().filter(is_longer).map(read).collect()
}

/// All entries of the journal.
fn count(journald: &Journald) -> u64 {
    journald.journalctl(&["-q", "-o", "json", "--output-fields=PRIORITY"]).lines().count() as u64
}

fn both_ipsets(firewall: &Firewall, set: &str) -> BTreeSet<String> {
    let elements = |family: &str| firewall.ipset_elements(&format!("{set}{family}"));
    elements("4").into_iter().chain(elements("6")).map(|(address, _)| address).collect()
}

/// What programs have banned.
fn by_programs(site: &Site, set: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(site.path(set)).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// The same in both firewalls.
fn assert_banned(firewall: &Firewall, expected: &Outcome, site: &Site) {
    assert_eq!(
        both_families(firewall, "longer"),
        expected.longer.keys().cloned().collect(),
        "{}",
        site.log()
    );
    for (set, banned) in [("ban", &expected.banned), ("again", &expected.banned_again)] {
        assert_eq!(&both_families(firewall, set), banned, "nft {set}; {}", site.log());
        assert_eq!(&both_ipsets(firewall, set), banned, "ipset {set}; {}", site.log());
    }
    assert_eq!(by_programs(site, "long"), expected.banned, "{}", site.log());
    let nets: BTreeSet<String> = expected.banned.iter().map(|ip| network(ip)).collect();
    assert_eq!(both_families(firewall, "nets"), nets, "{}", site.log());
    let mut timeouts = firewall.ipset_elements("ban4");
    timeouts.extend(firewall.ipset_elements("ban6"));
    for set in ["ip Inet4 ban", "ip6 Inet6 ban"] {
        let elements = firewall.elements(set).into_iter();
        timeouts.extend(elements.map(|(address, timeout)| (address, timeout.unwrap_or(0))));
    }
    for (address, timeout) in timeouts {
        assert!((1..=u64::from(DAY)).contains(&timeout), "{address}: {timeout}");
    }
}

fn firewall() -> Firewall {
    let firewall = Firewall::with_sets(&["ban", "again", "longer"]);
    for set in ["ban", "again"] {
        firewall.add_ipsets(set);
    }
    firewall.nft(&["add set ip Inet4 nets { type ipv4_addr; flags interval, timeout; }; \
        add set ip6 Inet6 nets { type ipv6_addr; flags interval, timeout; }"]);
    firewall
}

/// What the state holds shows in firewalls that hold nothing.
fn assert_put_back(site: &Site, expected: &Outcome) {
    let empty = firewall();
    for ip in by_programs(site, "long") {
        std::fs::remove_file(site.path("long").join(ip)).unwrap();
    }
    for module in ["action_nftBan", "action_ipsetBan", "action_runBan"] {
        let output = site.pyruse(Some(&empty), &["boot", module]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_banned(&empty, expected, site);
}

/// Lets the hour end in which alerts were too many.
fn end_hours(site: &Site) {
    let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
    let earlier =
        |key: &str| format!("'$.{key}', json_extract(CAST(value AS TEXT), '$.{key}') - 2 * 3600 * 1000000");
    let changed = state.execute(
        &format!(
            "UPDATE rows SET value = CAST(json_set(CAST(value AS TEXT), {}, {}) AS BLOB)
             WHERE substr(key, 1, 1) = CAST('h' AS BLOB)
             AND part = (SELECT id FROM parts WHERE name = 'action_email/flood')",
            earlier("at"),
            earlier("seen"),
        ),
        [],
    );
    assert_eq!(changed.unwrap(), 2, "hours of two subjects");
}

/// Kinds, which are counted beside the lines, agree with them; and the kept reports are those that were sent, with the
/// same numbers.
fn assert_kinds_and_kept_reports(site: &Site, expected: &Outcome, due_times: usize) {
    let object =
        |args: &[&str]| -> Value { serde_json::from_slice(&site.pyruse(None, args).stdout).unwrap() };
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value}"));
    let shown = &object(&["report", "show", "--json"])["report"];
    let lines = |counts: &Value| counts["lines"].as_object().unwrap().values().map(number).sum::<u64>();
    let kinds = shown["kinds"]["known"].as_array().unwrap().iter().map(|kind| number(&kind["count"]));
    assert_eq!(kinds.sum::<u64>(), lines(&shown["counts"]), "{shown:#}");
    let kept = &object(&["report", "list", "--json"])["reports"];
    let kept = kept.as_array().unwrap();
    assert_eq!(kept.len(), due_times.min(30), "{kept:#?}");
    if due_times <= 30 {
        let all = || kept.iter().map(|report| &report["counts"]).chain([&shown["counts"]]);
        let entries: u64 = all().map(|counts| number(&counts["entries"])).sum();
        let recorded: u64 = all().map(lines).sum();
        let reported = &expected.reported;
        assert_eq!((entries, recorded), (reported.entries, reported.lines.values().sum()), "{kept:#?}");
    }
}

fn kills_change_no_effect_of_any_kind_and_no_report(way: BanBackend) {
    let begin = Instant::now();
    let (journald, firewall, site) = (Journald::start(), firewall(), site().by(way));
    let server = HttpServer::start_in(&firewall);
    let clock = RefCell::new(Clock {
        journald: &journald,
        site: &site,
        url: server.url(),
        random: Random::new(seed("every effect")),
        due: Duration::ZERO,
        due_times: 0,
        killed_when_due: 0,
    });
    let entries = entries();
    let (most, last) = entries.split_at(ENTRIES - LAST);
    let kill_count = kills();
    let launch = |args: &[&str]| {
        let is_first = args.len() > 1;
        if is_first {
            clock.borrow_mut().set_far();
        } else {
            clock.borrow_mut().set();
        }
        site.launch(Some(&firewall), args)
    };
    let running =
        interrupted(&journald, most, kill_count, false, launch, |running| clock.borrow_mut().kill(running));
    let clock = clock.into_inner();
    wait_for("the last report", || (reports(&site).len() >= clock.due_times).then_some(()));
    for entry in last {
        journald.line("app", 6, entry);
    }
    wait_settled(&journald, &site);
    let worked = begin.elapsed();
    let lines = messages(&journald, "BANNED");
    for ip in counted() {
        journald.line("app", 6, &format!("probe {ip}"));
    }
    wait_settled(&journald, &site);
    assert!(running.terminate().success(), "{}", site.log());

    // One more start, with nothing due but the mail of alerts that were too many.
    end_hours(&site);
    let singly = mails(&site).len();
    let running = site.start(Some(&firewall));
    wait_for("the mail of the others", || (mails(&site).len() > singly).then_some(()));
    wait_settled(&journald, &site);

    let mut expected = expected(&entries, &entry_times(&journald));
    expected.reported.entries = count(&journald);
    let all_lines = messages(&journald, "").len() as u64;
    let app = ENTRIES + counted().len();
    let known = [("app".to_owned(), app as u64), ("pyruse".to_owned(), all_lines)];
    expected.reported.identifiers.extend(known);
    let shown = site.pyruse(None, &["report", "show"]);
    let shown = ReportText::read(&String::from_utf8(shown.stdout).unwrap());
    assert_kinds_and_kept_reports(&site, &expected, clock.due_times);
    let sent = reports(&site);
    assert_eq!(sent.len(), clock.due_times, "a report for each time; {}", site.log());
    assert!(!shown.lines.is_empty(), "nothing came after the last report");
    let mut reported = sent.into_iter().fold(shown, ReportText::add);
    if reported.unlisted_bans {
        // With few kills, reports are few.
        (reported.unlisted_bans, reported.banned) = (false, expected.reported.banned.clone());
    }
    reported.identifiers.retain(|name, _| expected.reported.identifiers.contains_key(name));
    let found = Outcome {
        banned: both_families(&firewall, "ban"),
        banned_again: both_families(&firewall, "again"),
        mails: mails(&site),
        requests: requests(&server),
        lines: lines.iter().cloned().collect(),
        counts: messages(&journald, "COUNT").into_iter().collect(),
        longer: longer_bans(&site),
        reported,
    };
    assert_eq!(found, expected, "{}", site.log());
    assert_banned(&firewall, &expected, &site);
    wait_for("the end of the short bans", || by_programs(&site, "short").is_empty().then_some(()));
    assert!(running.terminate().success(), "{}", site.log());

    assert_put_back(&site, &expected);

    let all_mails = site.mails();
    let ids = distinct(&all_mails, |mail| kills::message_id(mail).to_owned());
    let all_reports = all_mails.iter().filter(|mail| is_report(mail)).count();
    let highest = expected.longer.values().map(|(nth, _)| nth).max();
    println!(
        "every effect: {kill_count} kills in {ENTRIES} entries, {worked:.1?}; {} reports, {} of them delivered twice, {} kills \
         around their times; {} lines of reports; {} bans, the longest one of its address \
         the {}th; {} lines came back, {} of them twice in the journal; {} mails \
         delivered, {} of them twice",
        clock.due_times,
        all_reports - clock.due_times,
        clock.killed_when_due,
        expected.reported.lines.values().sum::<u64>(),
        expected.reported.bans,
        highest.unwrap_or(&0),
        lines.len(),
        repeated_lines(&journald),
        ids.len(),
        all_mails.len() - ids.len(),
    );
}

both_ways! {
    kills_change_no_effect_of_any_kind_and_no_report,
}

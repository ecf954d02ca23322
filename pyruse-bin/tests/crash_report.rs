//! What the report remembers of earlier days is the same with kills and without.
//!
//! Two sites read the same journal. One program is killed at random moments, the other one never. Reports are made when
//! both have read the same entries: at a time of day, around which the first program is killed, or by hand. Both reports
//! say the same, which depends on what the programs remember: what is new, and the trends. After each report, the stored
//! shapes and the numbers of earlier days are the same, row by row.
//!
//! `cargo test` kills the program a few times; the long campaign is
//! `PYRUSE_KILLS=100 cargo test -p pyruse-bin --test crash_report --release -- --nocapture`.

mod common;
mod kills;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Journald, Running, Site, run, wait_for};
use kills::{DAY, Random, kills, seed, site, wait_settled};
use serde_json::{Value, json};

/// How many entries there are before each report.
const ENTRIES: usize = 400;

/// Longer than shapes are remembered, in microseconds.
const FORGOTTEN: i64 = 31 * 86_400 * 1_000_000;

const MEMORY: &str = "action_dailyReport/memory";
const HISTORY: &str = "action_dailyReport/history";

const IDENTIFIERS: [&str; 6] = ["backup", "cron", "mail", "sshd", "units", "web"];

/// Chains with one effect for each entry that begins with their names; but `broken`, whose step always fails. They are in
/// the order of their names, as in the configuration.
const CHAINS: [&str; 6] = ["ban", "broken", "info", "mail", "other", "warn"];

fn rules() -> Value {
    let report = |level: &str| json!({"action": "action_dailyReport", "args": {"level": level, "message": "{MESSAGE}"}});
    let ban =
        |ip: &str| json!({"action": "action_runBan", "args": {"IP": ip, "banSeconds": DAY, "set": "banned"}});
    let step = |chain: &str| match chain {
        "mail" => json!({"action": "action_email", "args": {"subject": "mail", "message": "{MESSAGE}"}}),
        "ban" | "broken" => ban("rest"),
        section => report(&section.to_uppercase()),
    };
    let next = CHAINS.iter().skip(1).chain(&["end"]);
    let chain = |(name, next): (&&str, &&str)| {
        let re = format!("^{name} (.*)$");
        let filter = json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re, "save": ["rest"]}, "else": next});
        ((*name).to_owned(), json!([filter, step(name)]))
    };
    let mut rules: serde_json::Map<String, Value> = CHAINS.iter().zip(next).map(chain).collect();
    rules.insert("end".to_owned(), json!([{"action": "action_noop"}]));
    Value::Object(rules)
}

/// Entries with their identifiers. Some shapes occur before each report, and some before a few in a row.
fn entries(round: usize) -> Vec<(&'static str, String)> {
    const VERBS: [&str; 10] =
        ["opened", "closed", "refused", "lost", "moved", "checked", "renewed", "started", "stopped", "read"];
    const NOUNS: [&str; 10] =
        ["disk", "session", "queue", "key", "volume", "socket", "table", "lease", "worker", "zone"];
    let mut random = Random::new(round as u64 + 1);
    let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let mut entry = |n: usize| {
        let identifier = IDENTIFIERS[below(IDENTIFIERS.len())];
        let (verb, noun) = (VERBS[(round + below(5)) % 10], NOUNS[(round / 2 + below(4)) % 10]);
        let chain = CHAINS[below(CHAINS.len())];
        let message = match chain {
            "mail" => format!("mail #{n}"),
            "ban" => format!("ban 198.51.100.{}", below(40)),
            "broken" => "broken address".to_owned(),
            // Lines that differ in one word become one kind.
            section if n.is_multiple_of(8) => {
                format!("{section} user {verb}{noun} has logged in after {n} ms")
            }
            section => format!("{section} {noun} {n} was {verb} for 192.0.2.{}", n % 250),
        };
        (identifier, message)
    };
    (0..ENTRIES).map(&mut entry).collect()
}

/// A site and the times of its reports.
struct Reader<'a> {
    journald: &'a Journald,
    site: Site,
    /// In microseconds since the epoch, the first one first.
    reports: Vec<i64>,
}

impl<'a> Reader<'a> {
    /// Its first report is due long after the test.
    fn new(journald: &'a Journald) -> Reader<'a> {
        let reader = Reader { journald, site: site(), reports: Vec::new() };
        std::fs::create_dir(reader.site.path("banned")).unwrap();
        reader.configure(now() + Duration::from_secs(12 * 3600));
        reader
    }

    /// Has the next report fall due at this time, in whole seconds.
    fn configure(&self, due: Duration) {
        let second = due.as_secs() % u64::from(DAY);
        let at = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let file = format!("{}/{{ip}}", self.site.path("banned").display());
        let more = json!({
            "dailyReport": {"at": at},
            "runBan": {"sets": {"banned": {"ban": ["/usr/bin/touch", file], "unban": ["/bin/rm", "-f", file]}}},
        });
        self.site.configure_with(self.journald, &rules(), &more);
    }

    fn launch(&self) -> Running {
        self.site.launch(None, &["run"])
    }

    fn command(&self, args: &[&str]) -> Vec<u8> {
        let output = self.site.pyruse(None, args);
        assert!(output.status.success(), "{}; {}", String::from_utf8_lossy(&output.stderr), self.site.log());
        output.stdout
    }

    /// A report without its end.
    fn report(&self, args: &[&str]) -> Value {
        let mut shown: Value = serde_json::from_slice(&self.command(args)).unwrap();
        let mut report = shown["report"].take();
        report.as_object_mut().expect("lines are recorded").remove("until").unwrap();
        report["digest"].as_object_mut().unwrap().remove("until").unwrap();
        report
    }

    /// What is recorded, and what is known of it, as the state has them stored.
    fn recorded(&self) -> Value {
        self.report(&["report", "show", "--json"])
    }

    /// The last report that was sent: what the daemon remembered.
    fn sent(&self) -> Value {
        let kept: Value = serde_json::from_slice(&self.command(&["report", "list", "--json"])).unwrap();
        let date = kept["reports"][0]["date"].as_str().expect("a report was sent");
        self.report(&["report", "show", "--date", date, "--json"])
    }

    fn state(&self) -> PathBuf {
        self.site.path("state/state.sqlite")
    }

    /// The stored rows of a part.
    fn rows(&self, part: &str) -> BTreeMap<Vec<u8>, Value> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let read = || -> rusqlite::Result<BTreeMap<Vec<u8>, Value>> {
            let state = rusqlite::Connection::open_with_flags(self.state(), flags)?;
            let mut rows = state.prepare(
                "SELECT key, value FROM rows JOIN parts ON part = id WHERE name = ?1 ORDER BY key",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
            let rows: rusqlite::Result<Vec<_>> = rows.query_map([part], read)?.collect();
            Ok(rows?.into_iter().map(|(key, value)| (key, serde_json::from_slice(&value).unwrap())).collect())
        };
        // The writer may have locked it.
        wait_for("the stored rows", || read().ok())
    }

    /// Whether the report of this time was made.
    fn is_made(&self, due: Duration) -> Option<()> {
        let day = self.rows("action_dailyReport/day");
        (day.get(b"d".as_slice())? == u64::try_from(due.as_micros()).unwrap()).then_some(())
    }

    /// The remembered shapes after a report. Instead of the time when a shape was last reported, each has the number of
    /// that report. `kinds`: how many kinds of lines the last report had.
    fn memory(&mut self, kinds: usize) -> BTreeMap<Vec<u8>, Value> {
        let mut rows = self.rows(MEMORY);
        let times = || rows.values().filter_map(|row| row["t"].as_i64());
        let last = times().max().expect("shapes are remembered");
        assert_eq!(times().filter(|time| *time == last).count(), kinds, "{}", self.site.log());
        assert!(self.reports.last().is_none_or(|before| *before < last), "no report; {}", self.site.log());
        self.reports.push(last);
        for row in rows.values_mut().filter(|row| row.is_object()) {
            let report = self.reports.iter().position(|time| row["t"] == *time);
            row["t"] = json!(report.unwrap_or_else(|| panic!("{row} is of no report; {}", self.site.log())));
        }
        rows
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// How many remembered shapes were evicted.
const EVICTED: &[u8] = b"e";

/// An identifier that has not written for as many days as are kept.
const GONE: &[u8] = b"igone";

/// Has what is stored happen long ago, so that the next report forgets it.
fn age(reader: &Reader<'_>) {
    let state = rusqlite::Connection::open(reader.state()).unwrap();
    let aged = state.execute(
        "UPDATE rows SET value = CAST(json_set(CAST(value AS TEXT), '$.t',
             json_extract(CAST(value AS TEXT), '$.t') - ?1) AS BLOB)
         WHERE substr(key, 1, 1) = CAST('s' AS BLOB) AND part = (SELECT id FROM parts WHERE name = ?2)",
        rusqlite::params![FORGOTTEN, MEMORY],
    );
    assert!(aged.unwrap() > 10, "few shapes");
    let mut days = vec![0; 36];
    days.push(1);
    for (part, key, value) in [(MEMORY, EVICTED, json!(5)), (HISTORY, GONE, json!({"d": days}))] {
        let put = "INSERT INTO rows SELECT id, ?2, ?3 FROM parts WHERE name = ?1";
        let put = state.execute(put, rusqlite::params![part, key, value.to_string().into_bytes()]);
        assert_eq!(put.unwrap(), 1);
    }
}

/// The rows that are not the same in both.
fn assert_same(what: &str, killed: &BTreeMap<Vec<u8>, Value>, never: &BTreeMap<Vec<u8>, Value>, site: &Site) {
    let keys = killed.keys().chain(never.keys());
    let differ = keys.filter(|key| killed.get(*key) != never.get(*key));
    let shown = differ.map(|key| {
        format!(
            "{}: {:?}, but without kills {:?}\n",
            String::from_utf8_lossy(key),
            killed.get(key),
            never.get(key)
        )
    });
    let shown: String = shown.collect();
    assert!(shown.is_empty(), "{what}:\n{shown}{}", site.log());
}

/// Each chain has acted on its entries, and each identifier has written them: in days that ended, or since.
fn assert_counted(history: &BTreeMap<Vec<u8>, Value>, written: &[(&str, String)]) {
    let counted = |row: &Value| -> usize {
        let days = row["d"].as_array().unwrap().iter().map(|day| day.as_u64().unwrap()).sum::<u64>();
        usize::try_from(days + row["n"].as_u64().unwrap()).unwrap()
    };
    let mut expected = BTreeMap::new();
    for (identifier, message) in written {
        *expected.entry(format!("i{identifier}")).or_default() += 1;
        let (chain, _) = message.split_once(' ').unwrap();
        if chain != "broken" {
            *expected.entry(format!("r{chain}")).or_default() += 1;
        }
    }
    let named = |key: &Vec<u8>| String::from_utf8(key.clone()).unwrap();
    let found = history.iter().map(|(key, row)| (named(key), counted(row)));
    // journald has an identifier, too.
    let found: BTreeMap<String, usize> =
        found.filter(|(key, _)| !key.starts_with('t') && expected.contains_key(key)).collect();
    assert_eq!(found, expected);
    let totals = (0..7).map(|n| counted(&history[format!("t{n}").as_bytes()]));
    assert!(totals.clone().all(|total| total > 0), "{:?}", totals.collect::<Vec<_>>());
}

/// Kills at random moments.
struct Campaign {
    random: Random,
    kills: usize,
}

impl Campaign {
    fn kill(&mut self, running: Running, after: Duration) {
        self.kills += 1;
        std::thread::sleep(after);
        running.kill();
    }
}

/// Has a report made at a time of day; the first program is killed around it. Returns the one that runs then.
fn fall_due(
    killed: &Reader<'_>,
    never: &Reader<'_>,
    unharmed: &Running,
    campaign: &mut Campaign,
    running: Running,
) -> Running {
    // Not before the programs have read what is set.
    let due = Duration::from_secs((now() + Duration::from_millis(500)).as_secs() + 1);
    never.configure(due);
    unharmed.signal("-HUP");
    unharmed.wait_ready();
    killed.configure(due);
    running.kill();
    for _ in 0..2 {
        let running = killed.launch();
        let around = due.saturating_sub(Duration::from_millis(5)).saturating_sub(now());
        let moment = campaign.random.moment(Duration::from_millis(60));
        campaign.kill(running, around + moment);
    }
    campaign.kills += 1;
    let running = killed.launch();
    for reader in [killed, never] {
        wait_for("the report", || reader.is_made(due));
    }
    running
}

#[test]
fn what_is_remembered_of_earlier_days_is_the_same_with_kills_and_without() {
    let journald = Journald::start();
    let (mut killed, mut never) = (Reader::new(&journald), Reader::new(&journald));
    let mut campaign = Campaign { random: Random::new(seed("the report's memory")), kills: 0 };

    // The past of both.
    let mut written = entries(0);
    let running = never.site.launch(None, &["run", "--since", "@0"]);
    running.wait_ready();
    let write = |entries: &[(&str, String)]| {
        for (identifier, message) in entries {
            journald.line(identifier, 6, message);
        }
    };
    write(&written);
    wait_settled(&journald, &never.site);
    never.command(&["report", "send"]);
    assert!(running.terminate().success(), "{}", never.site.log());
    age(&never);
    run(Command::new("cp").arg("-a").arg(never.site.path("state")).arg(killed.site.path("state")));

    let unharmed = never.site.start(None);
    let (mut rounds, mut shapes) = (0, 0);
    while campaign.kills < kills() {
        rounds += 1;
        let batch = entries(rounds);
        for half in batch.chunks(batch.len() / 2) {
            let running = killed.launch();
            std::thread::scope(|scope| {
                scope.spawn(|| write(half));
                let moment = campaign.random.moment_of_work();
                campaign.kill(running, moment);
            });
        }
        written.extend(batch);
        let mut running = killed.launch();
        running.wait_ready();
        wait_settled(&journald, &never.site);
        wait_settled(&journald, &killed.site);
        let recorded = never.recorded();
        assert_eq!(killed.recorded(), recorded, "{}", killed.site.log());

        if rounds % 2 == 1 {
            running = fall_due(&killed, &never, &unharmed, &mut campaign, running);
        } else {
            killed.command(&["report", "send"]);
            running.kill();
            never.command(&["report", "send"]);
            running = killed.launch();
            campaign.kills += 1;
        }
        running.wait_ready();
        assert_eq!(killed.sent(), never.sent(), "{}", killed.site.log());
        let kinds = recorded["kinds"]["known"].as_array().unwrap().len();
        let (memory, others) = (killed.memory(kinds), never.memory(kinds));
        assert_same("shapes", &memory, &others, &killed.site);
        assert_eq!(memory[EVICTED], 0);
        shapes = memory.len();
        let (history, others) = (killed.rows(HISTORY), never.rows(HISTORY));
        assert_same("earlier days", &history, &others, &killed.site);
        assert!(!history.contains_key(GONE), "its last day is too long ago");
        assert_counted(&history, &written);
        running.kill();
        campaign.kills += 1;
    }
    assert!(unharmed.terminate().success(), "{}", never.site.log());
    println!(
        "the report's memory: {} kills, {rounds} reports, {shapes} shapes of {} lines",
        campaign.kills,
        written.len()
    );
}

//! `source_crowdsec`: decisions become bans in the kernel's set.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::http_server::{HttpServer, status};
use super::common::{BanBackend, Firewall, Journald, LONG, Running, Site, run, wait_for};
use super::lapi::Lapi;

const SET: &str = "ip Inet4 crowdsec";
const SET6: &str = "ip6 Inet6 crowdsec";

/// Decisions that are made ban, and those that end lift.
fn rules() -> Value {
    let ban = |more: &Value| {
        let mut args =
            json!({"IP": "DECISION_IP", "nftSetIPv4": SET, "nftSetIPv6": SET6, "allowNetworks": true});
        for (key, value) in more.as_object().unwrap() {
            args[key] = value.clone();
        }
        json!({"action": "action_nftBan", "args": args})
    };
    json!({
        "crowdsec": [
            {"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "crowdsec"}},
            {"filter": "filter_equals", "args": {"field": "DECISION", "value": "added"}, "else": "deleted"},
            ban(&json!({"banSeconds": {"field": "DECISION_SECONDS"}})),
        ],
        "deleted": [ban(&json!({"lift": true}))],
    })
}

struct Parts {
    journald: Journald,
    site: Site,
    firewall: Firewall,
}

impl Parts {
    fn new() -> Parts {
        let firewall = Firewall::with_sets(&[]);
        run(firewall.command("ip").args(["link", "set", "lo", "up"]));
        for (family, table, kind) in [("ip", "Inet4", "ipv4_addr"), ("ip6", "Inet6", "ipv6_addr")] {
            let set =
                format!("add set {family} {table} crowdsec {{ type {kind}; flags interval, timeout; }}");
            firewall.nft(&[&set]);
        }
        let site = Site::new().by(BanBackend::Netlink);
        let parts = Parts { journald: Journald::start(), site, firewall };
        parts.write_key("the-key");
        parts.configure(&json!({}));
        parts
    }

    fn write_key(&self, key: &str) {
        fs::write(self.site.path("key"), key).unwrap();
        fs::set_permissions(self.site.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn configure(&self, more: &Value) {
        let mut args = json!({"apiKeyFile": self.site.path("key"), "pollSeconds": 1});
        for (key, value) in more.as_object().unwrap() {
            args[key] = value.clone();
        }
        let sources = json!({
            "journal": {"source": "source_journal", "args": {"namespace": self.journald.namespace}},
            "crowdsec": {"source": "source_crowdsec", "args": args},
        });
        self.site.configure_with(&self.journald, &rules(), &json!({"sources": sources}));
    }

    fn start(&self) -> Running {
        self.site.start(Some(&self.firewall))
    }

    fn pyruse(&self, args: &[&str]) -> String {
        let output = self.site.pyruse(Some(&self.firewall), args);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn wait_log(&self, text: &str) {
        let end = Instant::now() + LONG;
        while !self.site.log().contains(text) {
            assert!(Instant::now() < end, "`{text}` in the log: {}", self.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_banned(&self, set: &str, wanted: &[&str]) {
        let end = Instant::now() + LONG;
        while self.firewall.addresses(set) != wanted {
            let found = self.firewall.addresses(set);
            assert!(Instant::now() < end, "{wanted:?}; {found:?}: {}", self.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How many entries were read since the start. Nobody writes to the journal.
    fn entries(&self) -> u64 {
        let printed = self.site.pyruse(Some(&self.firewall), &["status", "--json"]).stdout;
        let status: Value = serde_json::from_slice(&printed).unwrap();
        status["entries"].as_u64().unwrap_or_else(|| panic!("{status}"))
    }
}

#[test]
fn a_decision_is_in_the_kernels_set_and_its_end_lifts_it() {
    let parts = Parts::new();
    let lapi = Lapi::start(&parts.firewall);
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.1", "-d", "1h"]);
    let pyruse = parts.start();
    // What was in force before.
    parts.wait_banned(SET, &["192.0.2.1"]);
    let begin = Instant::now();
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.2", "-d", "2h"]);
    lapi.cscli(&["decisions", "add", "-r", "198.51.100.0/24", "-d", "4h"]);
    lapi.cscli(&["decisions", "add", "-r", "2001:db8:1::/48", "-d", "4h"]);
    parts.wait_banned(SET, &["192.0.2.1", "192.0.2.2", "198.51.100.0/24"]);
    parts.wait_banned(SET6, &["2001:db8:1::/48"]);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    let elements = parts.firewall.elements(SET);
    for ((address, timeout), wanted) in elements.into_iter().zip([3600, 7200, 14_400]) {
        let timeout = timeout.unwrap();
        assert!((wanted - 60..=wanted).contains(&timeout), "{address}: {timeout}");
    }
    let begin = Instant::now();
    lapi.cscli(&["decisions", "delete", "-i", "192.0.2.1"]);
    lapi.cscli(&["decisions", "delete", "-r", "198.51.100.0/24"]);
    parts.wait_banned(SET, &["192.0.2.2"]);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    let listed = parts.pyruse(&["bans", "list"]);
    assert!(listed.contains("192.0.2.2") && !listed.contains("192.0.2.1 "), "{listed}");
    assert!(pyruse.terminate().success(), "{}", parts.site.log());

    // While nothing runs, one is deleted and one is made. What was read is not read again.
    lapi.cscli(&["decisions", "delete", "-i", "192.0.2.2"]);
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.3", "-d", "1h"]);
    // A command that looks back takes nothing away from the service.
    let replayed = parts.pyruse(&["replay", "--since", "1 hour ago"]);
    assert!(!replayed.contains("192.0.2.3"), "{replayed}");
    let pyruse = parts.start();
    parts.wait_banned(SET, &["192.0.2.3"]);
    parts.wait_banned(SET6, &["2001:db8:1::/48"]);
    assert_eq!(parts.entries(), 2, "one was deleted, and one made");
    let status = parts.pyruse(&["sources"]);
    assert!(status.contains("decisions of CrowdSec's Local API at http://127.0.0.1:8080"), "{status}");
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn other_scopes_and_hostile_texts_ban_nobody_and_our_own_decisions_do_not_come_back() {
    let parts = Parts::new();
    let lapi = Lapi::start(&parts.firewall);
    parts.configure(&json!({"scopes": ["Ip", "Range", "Country", "AS", "Session"]}));
    let pyruse = parts.start();
    for (scope, value) in [("Country", "FR"), ("AS", "64496"), ("Session", "x'; drop \u{1b}[31m\n{MESSAGE}")]
    {
        lapi.cscli(&["decisions", "add", "--scope", scope, "--value", value, "-d", "3h59m57.1s"]);
    }
    for range in ["0.0.0.0/0", "127.0.0.0/8", "224.0.0.0/8"] {
        lapi.cscli(&["decisions", "add", "-r", range, "-d", "1h"]);
    }
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.9", "-d", "1h", "-R", "pyruse/ssh"]);
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.1", "-d", "1h", "-R", "{MESSAGE}\u{1b}[31m"]);
    parts.wait_banned(SET, &["192.0.2.1"]);
    assert!(parts.site.log().contains("127.0.0.0/8 contains"), "{}", parts.site.log());
    assert!(!parts.site.log().contains('\u{1b}'));
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn an_api_that_is_away_refuses_us_or_is_none_is_named_and_the_rest_goes_on() {
    let parts = Parts::new();
    let mut lapi = Lapi::new(&parts.firewall);
    lapi.register_pyruse();
    lapi.cscli(&["bouncers", "list"]);
    let pyruse = parts.start();
    parts.wait_log("http://127.0.0.1:8080: ");
    let live = parts.pyruse(&["check", "--live"]);
    assert!(live.contains("error[P101]: http://127.0.0.1:8080: "), "{live}");
    assert!(live.contains("no decision is read until the API can be used"), "{live}");
    let status = parts.pyruse(&["status"]);
    assert!(status.contains("http://127.0.0.1:8080: "), "{status}");
    parts.write_key("wrong");
    lapi.launch();
    parts.wait_log(
        "answers 403: {\"message\":\"access forbidden\"}; make a key with `cscli bouncers add pyruse`",
    );
    let live = parts.pyruse(&["check", "--live"]);
    assert!(live.contains("access forbidden"), "{live}");
    fs::remove_file(parts.site.path("key")).unwrap();
    parts.wait_log("No such file or directory");
    parts.write_key("the-key");
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.1", "-d", "1h"]);
    parts.wait_banned(SET, &["192.0.2.1"]);
    let live = parts.pyruse(&["check", "--live"]);
    assert!(!live.contains("127.0.0.1:8080"), "{live}");
    wait_for("a status without an error", || {
        (!parts.pyruse(&["status"]).contains("127.0.0.1:8080")).then_some(())
    });

    // An empty database, in which the numbers begin again.
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.2", "-d", "1h"]);
    parts.wait_banned(SET, &["192.0.2.1", "192.0.2.2"]);
    lapi.stop();
    lapi.wipe();
    lapi.register_pyruse();
    lapi.cscli(&["machines", "list"]);
    lapi.launch();
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.3", "-d", "1h"]);
    parts.wait_banned(SET, &["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert!(parts.site.log().contains("it has another database"), "{}", parts.site.log());
    lapi.cscli(&["decisions", "delete", "-i", "192.0.2.3"]);
    parts.wait_banned(SET, &["192.0.2.1", "192.0.2.2"]);
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn an_answer_that_is_not_of_an_api_is_refused_and_bounded() {
    let parts = Parts::new();
    let server = HttpServer::start_in(&parts.firewall);
    parts.configure(&json!({"url": server.url()}));
    server.answer(status("200 OK", "Content-Type: text/html\r\n", "<html>\u{1b}[31mhello</html>"));
    let pyruse = parts.start();
    parts.wait_log("does not answer like a Local API of CrowdSec");
    let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let long = "x".repeat(10 * 1024 * 1024);
    server.answer(status("200 OK", "", leaked(format!(r#"{{"new": [{{"id": 1, "value": "{long}"}}]}}"#))));
    parts.wait_log("a text of more than 65536 bytes");
    server.answer(status(
        "200 OK",
        "",
        r#"{"new": [{"id": 1, "value": "192.0.2.1", "duration": "1h", "scope": "Ip", "#,
    ));
    parts.wait_log("EOF while parsing");
    server.answer(status(
        "200 OK",
        "",
        r#"{"deleted": null, "new": [
            {"id": 1, "value": "192.0.2.1", "duration": "soon", "scope": "Ip", "type": "ban"},
            {"id": 2, "value": "192.0.2.2", "duration": "-1h", "scope": "Ip", "type": "ban"},
            {"id": 3, "value": "192.0.2.3", "duration": "3h59m57.1s", "scope": "ip", "type": "ban"}]}"#,
    ));
    parts.wait_banned(SET, &["192.0.2.3"]);
    parts.wait_log("1 decision is passed over");
    let status = parts.pyruse(&["sources"]);
    assert!(status.contains("passed over"), "{status}");
    // The rest goes on.
    parts.journald.line("test", 6, "a line");
    assert!(!parts.site.log().contains('\u{1b}'));
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

/// A blocklist is read as a whole, in bounded memory, and not again after a restart.
#[test]
fn fifty_thousand_decisions_are_read_once() {
    let parts = Parts::new();
    let server = HttpServer::start_in(&parts.firewall);
    parts.configure(&json!({"url": server.url()}));
    let decisions: Vec<String> = (1..=50_000_u32)
        .rev()
        .map(|n| {
            let [_, _, high, low] = n.to_be_bytes();
            format!(
                r#"{{"duration":"167h59m57.1s","id":{n},"origin":"CAPI","scenario":"crowdsecurity/http-bad-user-agent","scope":"Ip","type":"ban","value":"45.77.{high}.{low}"}}"#
            )
        })
        .collect();
    let list = format!(r#"{{"deleted":null,"new":[{}]}}"#, decisions.join(","));
    let list: &'static str = Box::leak(list.into_boxed_str());
    server.answer(Box::new(move |request, out| {
        let text =
            if request.path.contains("startup=true") { list } else { r#"{"deleted":null,"new":null}"# };
        write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
    }));
    let begin = Instant::now();
    let pyruse = parts.start();
    wait_for("50,000 entries", || (parts.entries() >= 50_000).then_some(()));
    wait_for("50,000 elements", || (parts.firewall.addresses(SET).len() == 50_000).then_some(()));
    let took = begin.elapsed();
    // `nsenter` became the program.
    let memory = fs::read_to_string(format!("/proc/{}/status", pyruse.child.id())).unwrap();
    let peak = memory.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    println!("50,000 decisions in {took:?}, {peak}");
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 200 * 1024, "{peak}");
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
    let pyruse = parts.start();
    let asked = server.requests().len();
    server.wait(asked + 3, || parts.site.log());
    assert_eq!(parts.entries(), 0);
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

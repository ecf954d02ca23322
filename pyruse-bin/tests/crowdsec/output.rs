//! `action_crowdsec`: our bans are decisions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::common::http_server::{HttpServer, status};
use super::common::{Firewall, Journald, LONG, Running, Site, run, wait_for};
use super::lapi::Lapi;

/// Each line `SET SECONDS ADDRESS` bans.
fn rules() -> Value {
    let chain = |set: &str| {
        json!([
            {"filter": "filter_pcre", "args": {
                "field": "MESSAGE", "re": format!("^{set} (\\d+\\w*) (.*)"), "save": ["seconds", "thatIP"]}},
            {"action": "action_crowdsec", "args": {
                "IP": "thatIP", "banSeconds": {"field": "seconds"}, "set": set, "prefix6": 64}},
        ])
    };
    json!({"ssh": chain("ssh"), "web": chain("web")})
}

struct Parts {
    journald: Journald,
    site: Site,
    firewall: Firewall,
}

impl Parts {
    fn new() -> Parts {
        let parts =
            Parts { journald: Journald::start(), site: Site::new(), firewall: Firewall::with_sets(&[]) };
        run(parts.firewall.command("ip").args(["link", "set", "lo", "up"]));
        parts.write_password("good");
        parts.configure(&json!({}));
        parts
    }

    fn write_password(&self, password: &str) {
        fs::write(self.site.path("password"), password).unwrap();
        fs::set_permissions(self.site.path("password"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn configure(&self, more: &Value) {
        let mut settings = json!({"machine": "pyruse", "passwordFile": self.site.path("password")});
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        self.site.configure_with(&self.journald, &rules(), &json!({"crowdsec": settings}));
    }

    fn start(&self) -> Running {
        self.site.start(Some(&self.firewall))
    }

    fn line(&self, text: &str) {
        self.journald.line("test", 6, text);
    }

    fn pyruse(&self, args: &[&str]) -> String {
        let output = self.site.pyruse(Some(&self.firewall), args);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn wait_log(&self, text: &str) {
        wait_for(&format!("`{text}` in the log: {}", self.site.log()), || {
            self.site.log().contains(text).then_some(())
        });
    }

    /// Waits until nothing is to be done.
    fn wait_idle(&self) {
        wait_for(&format!("the last delivery: {}", self.site.log()), || {
            self.pyruse(&["outbox", "list"]).contains("nothing is pending").then_some(())
        });
    }
}

fn wait_decisions(lapi: &Lapi<'_>, wanted: &[&str], parts: &Parts) {
    let end = Instant::now() + LONG;
    while lapi.names() != wanted {
        assert!(Instant::now() < end, "{wanted:?}; {:?}: {}", lapi.names(), parts.site.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_ban_is_a_decision_and_lifting_it_deletes_the_decision() {
    let parts = Parts::new();
    let lapi = Lapi::start(&parts.firewall);
    let pyruse = parts.start();
    parts.line("ssh 3600 192.0.2.1");
    parts.line("web 1h 192.0.2.2");
    parts.line("ssh 7200 2001:db8:1:2:3::4");
    let [first, second, net] =
        ["Ip 192.0.2.1 pyruse/ssh", "Ip 192.0.2.2 pyruse/web", "Range 2001:db8:1:2::/64 pyruse/ssh"];
    wait_decisions(&lapi, &[first, second, net], &parts);
    for ((name, left), wanted) in lapi.decisions().into_iter().zip([3600, 3600, 7200]) {
        assert!((wanted - 60..=wanted).contains(&left), "{name}: {left}");
    }
    // By hand: for ever, and of a network.
    parts.pyruse(&["bans", "add", "198.51.100.0/24", "--set", "web"]);
    let by_hand = "Range 198.51.100.0/24 pyruse/web";
    wait_decisions(&lapi, &[first, second, by_hand, net], &parts);
    let ever = lapi.decisions().into_iter().find(|(name, _)| name == by_hand).unwrap().1;
    assert!(ever > 50 * 365 * 86_400, "{ever}");
    assert_eq!(parts.pyruse(&["bans", "list"]).matches("192.0.2.").count(), 2);

    // Renewed, to end later: one decision is left.
    parts.line("ssh 9000 192.0.2.1");
    wait_for("the new end", || {
        let all = lapi.decisions();
        all.iter().any(|(name, left)| name == first && *left > 8000).then_some(())
    });
    parts.wait_idle();
    let alerts = lapi.cscli(&["alerts", "list", "--ip", "192.0.2.1"]);
    let alerts: Value = serde_json::from_str(&alerts).unwrap();
    let decisions =
        alerts.as_array().unwrap().iter().flat_map(|alert| alert["decisions"].as_array().unwrap());
    let in_force = decisions.filter(|it| !it["duration"].as_str().unwrap().starts_with('-'));
    assert_eq!(in_force.count(), 1, "{alerts}");

    parts.pyruse(&["bans", "remove", "192.0.2.1"]);
    parts.pyruse(&["bans", "remove", "198.51.100.0/24"]);
    wait_decisions(&lapi, &[second, net], &parts);
    // A decision that somebody else has made of the same address, with the same scenario, stays.
    lapi.cscli(&["decisions", "add", "-i", "192.0.2.2", "-d", "10h", "-R", "pyruse/web"]);
    parts.pyruse(&["bans", "remove", "192.0.2.2"]);
    parts.wait_idle();
    wait_decisions(&lapi, &[second, net], &parts);
    assert!(lapi.decisions()[0].1 > 9 * 3600);
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn what_the_api_lost_is_put_back_once_and_what_it_has_is_not_doubled() {
    let parts = Parts::new();
    let mut lapi = Lapi::start(&parts.firewall);
    let pyruse = parts.start();
    for n in 0..150 {
        parts.line(&format!("ssh 3600 192.0.2.{n}"));
    }
    let count = |lapi: &Lapi<'_>| {
        let listed: Value = serde_json::from_str(&lapi.cscli(&["decisions", "list", "-l", "0"])).unwrap();
        listed.as_array().map_or(0, Vec::len)
    };
    wait_for("150 decisions", || (count(&lapi) >= 150).then_some(()));
    parts.wait_idle();
    assert_eq!(count(&lapi), 150);
    assert!(pyruse.terminate().success());
    lapi.cscli(&["decisions", "delete", "-i", "192.0.2.7"]);
    assert_eq!(count(&lapi), 149);
    let pyruse = parts.start();
    wait_for("the lost one", || (count(&lapi) == 150).then_some(()));
    parts.wait_idle();
    assert_eq!(count(&lapi), 150, "those that were there are not made again");

    // An empty database: nobody is registered, which is said, and all is put back by a reload.
    lapi.stop();
    lapi.wipe();
    lapi.launch();
    parts.line("ssh 3600 203.0.113.1");
    parts.wait_log("register the machine with `cscli machines add pyruse");
    lapi.register_pyruse();
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_for(&format!("all are back: {}", parts.site.log()), || (count(&lapi) == 151).then_some(()));
    parts.wait_idle();
    assert_eq!(count(&lapi), 151);
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn an_api_that_is_away_or_refuses_us_gets_the_bans_later() {
    let parts = Parts::new();
    let mut lapi = Lapi::new(&parts.firewall);
    lapi.register_pyruse();
    let pyruse = parts.start();
    parts.line("ssh 3600 192.0.2.1");
    parts.wait_log("http://127.0.0.1:8080: ");
    assert!(parts.pyruse(&["outbox", "list"]).contains("ban 192.0.2.1 in ssh"));
    let live = parts.pyruse(&["check", "--live"]);
    assert!(live.contains("http://127.0.0.1:8080: "), "{live}");
    parts.write_password("wrong");
    lapi.launch();
    parts.wait_log(
        "answers 401: {\"code\":401,\"message\":\"incorrect Username or Password\"}; register the machine",
    );
    let live = parts.pyruse(&["check", "--live"]);
    assert_eq!(live.matches("incorrect Username or Password").count(), 1, "{live}");
    parts.write_password("good");
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_decisions(&lapi, &["Ip 192.0.2.1 pyruse/ssh"], &parts);
    let live = parts.pyruse(&["check", "--live"]);
    assert!(!live.contains("crowdsec."), "{live}");
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

#[test]
fn a_server_that_is_not_an_api_is_named_and_the_rest_goes_on() {
    let parts = Parts::new();
    let server = HttpServer::start_in(&parts.firewall);
    parts.configure(&json!({"url": server.url()}));
    let pyruse = parts.start();
    server.answer(status("200 OK", "Content-Type: text/html\r\n", "<html>\u{1b}[31mhello</html>"));
    parts.line("ssh 3600 192.0.2.1");
    parts.wait_log("does not answer like a Local API of CrowdSec");
    assert!(!parts.site.log().contains('\u{1b}'));
    let live = parts.pyruse(&["check", "--live"]);
    assert!(
        live.contains("does not answer like a Local API of CrowdSec") && live.contains("is the URL right?"),
        "{live}"
    );
    let long: &'static str = Box::leak("x".repeat(10 * 1024 * 1024).into_boxed_str());
    server.answer(status("200 OK", "", long));
    parts.line("ssh 3600 192.0.2.2");
    parts.wait_log("answers with more than 1048576 bytes");
    server.answer(status("200 OK", "", "{\"token\": \"a\\r\\nb\"}"));
    parts.line("ssh 3600 192.0.2.3");
    parts.wait_log("answers with a bad token");
    let status = parts.pyruse(&["outbox", "list"]);
    assert!(status.contains("ban 192.0.2.1 in ssh"), "{status}");
    assert!(pyruse.terminate().success(), "{}", parts.site.log());
}

//! The recipes of the page about fail2ban's actions that are on no other page, as they are there, with real programs and
//! a local server.

mod common;
#[path = "docs/page.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod page;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use common::http_server::HttpServer;
use common::{Journald, Site, wait_for};
use page::Page;
use serde_json::{Value, json};

const IP: &str = "192.0.2.7";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/fail2ban-actions.md")
}

/// The step of the page that uses this action.
fn step(action: &str) -> Value {
    let blocks = Page::read(&path()).blocks.into_iter().filter(|block| block.info == "steps");
    let mut steps = blocks.map(|block| serde_json::from_str::<Value>(&block.text).unwrap());
    steps.find(|step| step["action"] == action).expect(action)
}

/// Runs the step for a line, and returns when `done` does.
fn run_step<T>(journald: &Journald, site: &Site, step: &Value, done: impl Fn() -> Option<T>) -> T {
    let find =
        json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^Failed .* (?P<thatIP>\\S+)$"}});
    site.configure(journald, &json!({"ban": [find, step]}));
    let pyruse = site.start(None);
    journald.line("sshd", 6, &format!("Failed password for root from {IP}"));
    journald.sync();
    let result = wait_for(&format!("the effect; {}", site.log()), done);
    assert!(pyruse.terminate().success(), "{}", site.log());
    assert!(!site.log().contains("fail"), "{}", site.log());
    result
}

#[test]
fn a_mail_names_the_address_and_has_its_line() {
    let (journald, site) = (Journald::start(), Site::new());
    let mail = run_step(&journald, &site, &step("action_email"), || site.mails().pop());
    assert!(mail.contains(&format!("{IP} is banned for an hour.")), "{mail}");
    assert!(mail.contains(&format!("Failed password for root from {IP}")), "{mail}");
}

#[test]
fn a_mail_has_what_whois_says_and_the_lines() {
    let (journald, site) = (Journald::start(), Site::new());
    // A server of the protocol: a line is asked, text is the answer.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let (mut stream, mut asked) = (stream.unwrap(), [0; 100]);
            let length = stream.read(&mut asked).unwrap();
            let asked = String::from_utf8_lossy(&asked[..length]).trim().to_owned();
            let _ = write!(stream, "netname: TEST-NET for {asked}\r\n");
        }
    });
    let block = Page::read(&path()).blocks.into_iter().find(|block| block.language == "sh").unwrap();
    let body = block
        .text
        .replace("whois -- ", &format!("whois -h 127.0.0.1 -p {port} -- "))
        .replace("journalctl ", &format!("journalctl --namespace={} ", journald.namespace))
        .replace("/usr/sbin/sendmail", &site.path("sendmail").display().to_string());
    let program = site.script("mail-whois", body.strip_prefix("#!/bin/sh\n").unwrap());
    let mut step = step("action_run");
    step["args"]["argv"][0] = json!(program);
    let mail = run_step(&journald, &site, &step, || site.mails().pop());
    assert!(mail.contains(&format!("Subject: ssh: {IP} is banned\n")), "{mail}");
    assert!(mail.contains(&format!("netname: TEST-NET for {IP}")), "{mail}");
    assert!(
        mail.contains(&format!("sshd[{}]: Failed password for root from {IP}", std::process::id())),
        "{mail}"
    );
}

#[test]
fn blocklist_de_gets_the_report() {
    let (journald, site) = (Journald::start(), Site::new());
    let server = HttpServer::start();
    let mut step = step("action_http");
    let url = step["args"]["url"].as_str().unwrap().replace("https://www.blocklist.de", &server.url());
    step["args"]["url"] = json!(url);
    fs::write(site.path("key"), "k&y\n").unwrap();
    common::run(std::process::Command::new("chmod").arg("600").arg(site.path("key")));
    step["args"]["secretFile"] = json!(site.path("key"));
    let request = run_step(&journald, &site, &step, || server.requests().pop());
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/en/httpreports.html"));
    let mut pairs: Vec<&str> = request.body.split('&').collect();
    pairs.sort_unstable();
    let logs = format!("logs=Failed%20password%20for%20root%20from%20{IP}");
    let ip = format!("ip={IP}");
    assert_eq!(
        pairs,
        ["apikey=k%26y", "format=text", &ip, &logs, "server=you%40example.org", "service=ssh"],
        "{}",
        request.body
    );
}

#[test]
fn the_table_has_at_least_twenty_actions_and_each_leads_to_a_recipe() {
    let text = fs::read_to_string(path()).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() >= 20, "{}", rows.len());
    for row in rows {
        let recipe = row.split(" | ").nth(1).unwrap();
        assert!(recipe.contains("]("), "{row}");
    }
}

//! The recipes of the page about web services, as they are there: only the server and the place of the secret are
//! replaced. Each service gets what its documentation asks for.

mod common;
#[path = "docs/page.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod page;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::http_server::{HttpServer, Request};
use common::{Journald, Site, run, wait_for};
use serde_json::{Value, json};

const SECRET: &str = "T0ken/of-the:service";
const IP: &str = "2001:db8::7";

/// The recipes by their headings.
fn recipes() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/web-services.md");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let heading =
        |line: usize| lines[..line].iter().rev().find_map(|line| line.strip_prefix("### ")).unwrap();
    let blocks = page::Page::read(&path).blocks.into_iter().filter(|block| block.info == "steps");
    blocks.map(|block| (heading(block.line).to_owned(), block.text)).collect()
}

/// Configures the recipe for this server, and has it run once.
fn run_recipe(recipe: &str, server: &str) -> (Journald, Site, common::Running) {
    let (journald, site) = (Journald::start(), Site::new());
    let mut step: Value = serde_json::from_str(recipe).unwrap();
    let url = step["args"]["url"].as_str().unwrap().to_owned();
    let origin: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
    step["args"]["url"] = json!(url.replacen(&origin, server, 1));
    if !step["args"]["secretFile"].is_null() {
        fs::write(site.path("secret"), format!("{SECRET}\n")).unwrap();
        run(Command::new("chmod").arg("600").arg(site.path("secret")));
        step["args"]["secretFile"] = json!(site.path("secret"));
    }
    let find = json!({"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^ban (?P<thatIP>\\S+)$"}});
    site.configure(&journald, &json!({"ban": [find, step]}));
    let pyruse = site.start(None);
    journald.line("app", 6, &format!("ban {IP}"));
    (journald, site, pyruse)
}

/// What a service gets: method, path, the headers that matter, and the body.
fn expected(service: &str, request: &Request) -> (&'static str, String, Vec<(&'static str, String)>, Value) {
    let bearer = || ("authorization", format!("Bearer {SECRET}"));
    let path = |text: &str| text.replace("SECRET", SECRET);
    let text = format!("ssh: {IP} is banned");
    match service {
        "ntfy" => (
            "POST",
            path("/"),
            vec![bearer()],
            json!({"topic": "my-server", "title": "ssh",
            "message": format!("{IP} is banned"), "priority": 4, "tags": ["no_entry"]}),
        ),
        "Gotify" => (
            "POST",
            path("/message"),
            vec![("x-gotify-key", SECRET.into())],
            json!({"title": "ssh", "message": format!("{IP} is banned"), "priority": 5}),
        ),
        "Slack" => (
            "POST",
            path("/services/SECRET"),
            vec![],
            json!({"text": "ssh: an address is banned",
            "blocks": [{"type": "section", "text": {"type": "plain_text", "text": text}}]}),
        ),
        "Mattermost" => ("POST", path("/hooks/SECRET"), vec![], json!({"username": "pyruse", "text": text})),
        "Matrix" => {
            let room = "%21abcdef%3Aexample.org";
            let path = format!("/_matrix/client/v3/rooms/{room}/send/m.room.message/{}", request.id());
            ("PUT", path, vec![bearer()], json!({"msgtype": "m.text", "body": text}))
        }
        "Telegram" => (
            "POST",
            path("/botSECRET/sendMessage"),
            vec![],
            json!({"chat_id": "-1001234567890", "text": text}),
        ),
        "Discord" => (
            "POST",
            path("/api/webhooks/SECRET"),
            vec![],
            json!({"content": text, "allowed_mentions": {"parse": []}}),
        ),
        "Cloudflare" => (
            "POST",
            path("/client/v4/accounts/0123456789abcdef/rules/lists/fedcba9876543210/items"),
            vec![bearer()],
            json!([{"ip": IP, "comment": "ssh"}]),
        ),
        other => panic!("what does {other} expect?"),
    }
}

#[test]
fn each_service_gets_what_its_documentation_asks_for() {
    let mut tried = Vec::new();
    for (service, recipe) in recipes() {
        if ["Alertmanager", "AbuseIPDB"].contains(&service.as_str()) {
            continue;
        }
        let server = HttpServer::start();
        let (_journald, site, pyruse) = run_recipe(&recipe, &server.url());
        let request = server.wait(1, || site.log()).remove(0);
        let (method, path, headers, body) = expected(&service, &request);
        assert_eq!((request.method.as_str(), &request.path), (method, &path), "{service}");
        for (name, value) in headers {
            assert_eq!(request.header(name), Some(&*value), "{service}");
        }
        assert_eq!(request.header("content-type"), Some("application/json"), "{service}");
        assert_eq!(request.json(), body, "{service}");
        assert!(pyruse.terminate().success());
        tried.push(service);
    }
    assert_eq!(
        tried,
        ["Cloudflare", "Discord", "Gotify", "Matrix", "Mattermost", "Slack", "Telegram", "ntfy"]
    );
}

#[test]
fn an_address_is_reported_to_abuseipdb_by_a_form() {
    let server = HttpServer::start();
    let (_journald, site, _pyruse) = run_recipe(&recipes()["AbuseIPDB"], &server.url());
    let request = server.wait(1, || site.log()).remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v2/report"));
    assert_eq!(request.header("key"), Some(SECRET));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(request.body, "categories=18%2C22&comment=ssh%3A%20guessed%20passwords&ip=2001%3Adb8%3A%3A7");
}

/// The real Alertmanager.
struct Alertmanager {
    child: Child,
    url: String,
}

impl Alertmanager {
    fn start(directory: &Path) -> Alertmanager {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("am.yml"), "route: {receiver: none}\nreceivers: [{name: none}]\n").unwrap();
        // Closed at once; nobody else uses a port by its number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", directory.join("am.yml").display()))
            .arg(format!("--storage.path={}", directory.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus-alertmanager is needed");
        let started = Alertmanager { child, url: format!("http://127.0.0.1:{port}") };
        wait_for("Alertmanager", || started.alerts());
        started
    }

    fn alerts(&self) -> Option<Value> {
        let url = format!("{}/api/v2/alerts", self.url);
        let output =
            Command::new("curl").args(["--silent", "--fail", &url]).output().expect("curl is needed");
        serde_json::from_slice(&output.stdout).ok()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn alertmanager_takes_the_alert() {
    let directory = tempfile::tempdir().unwrap();
    let alertmanager = Alertmanager::start(directory.path());
    let (_journald, site, _pyruse) = run_recipe(&recipes()["Alertmanager"], &alertmanager.url);
    let alerts = wait_for("the alert", || {
        assert!(!site.log().contains("failed"), "{}", site.log());
        alertmanager.alerts().filter(|alerts| alerts[0].is_object())
    });
    let expected = json!({"alertname": "ssh_ban", "severity": "info", "address": IP});
    assert_eq!(alerts[0]["labels"], expected);
    let summary = alerts[0]["annotations"]["summary"].as_str().unwrap();
    assert!(summary.starts_with(&format!("{IP} is banned for ssh on ")), "{summary}");
}

//! The recipes of the page about bans by programs, as they are there, with the real programs: in network and mount
//! namespaces of their own, so that the machine's firewall is not touched. Only places of files and servers are replaced.

mod common;
#[path = "docs/page.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod page;

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use common::http_server::{HttpServer, Request};
use common::{Journald, Running, Site, run, wait_for};
use page::Page;
use serde_json::{Value, json};

/// Network and mount namespaces with processes of their own, which end with it.
struct Machine {
    holder: Option<Child>,
}

impl Machine {
    /// Prepared by these shell commands, with `$1` as a directory for copies.
    fn new(site: &Site, prepare: &str) -> Machine {
        let script = format!(
            "mount --make-rprivate /; ip link set lo up; set -e; copy() {{ cp -a \"$1\" \"$2\"; mount --bind \"$2\" \"$1\"; }}\n\
             {prepare}\necho ready; exec sleep 1000000"
        );
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", &script, "sh"]);
        command.arg(site.directory.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut lines = std::io::BufReader::new(holder.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"), "the machine is not prepared");
        // Its programs may write more.
        std::thread::spawn(move || lines.for_each(drop));
        Machine { holder: Some(holder) }
    }

    /// This machine: nothing of it is changed.
    fn this() -> Machine {
        Machine { holder: None }
    }

    fn command(&self, program: &str) -> Command {
        let Some(holder) = &self.holder else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.args(["--net", "--mount", "--target", &holder.id().to_string(), "--", program]);
        command
    }

    fn run(&self, line: &str) -> String {
        run(self.command("sh").args(["-c", line]))
    }

    /// The program under test on this machine.
    fn pyruse(&self, site: &Site, args: &[&str]) -> Command {
        let plain = site.command(None, args);
        let mut command = self.command(plain.get_program().to_str().unwrap());
        command.args(plain.get_args()).stdin(Stdio::null());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn start(&self, site: &Site) -> Running {
        let running = site.launch_command(self.pyruse(site, &["run"]));
        running.wait_ready();
        running
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(holder) = &mut self.holder {
            let _ = holder.kill();
            let _ = holder.wait();
        }
    }
}

/// A daemon that ends on request.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn page() -> Page {
    Page::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/ban-programs.md"))
}

/// The sets of the recipes, by their names, with these texts replaced.
fn sets(replaced: &[(&str, String)]) -> Value {
    let mut sets = json!({});
    for block in page().blocks.into_iter().filter(|block| block.info == "settings") {
        let settings: Value =
            serde_json::from_str(&format!("{{{}}}", replace(&block.text, replaced))).unwrap();
        let found = settings["runBan"]["sets"].as_object().unwrap().clone();
        sets.as_object_mut().unwrap().extend(found);
    }
    sets
}

fn replace(text: &str, replaced: &[(&str, String)]) -> String {
    replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Writes a program of the page, with these texts replaced.
fn write_program(site: &Site, name: &str, replaced: &[(&str, String)]) -> String {
    let head = format!("#!/bin/sh\n# {name} ");
    let block = page().blocks.into_iter().find(|block| block.text.starts_with(&head)).expect(name);
    let body = replace(&block.text, replaced);
    site.script(name, body.strip_prefix("#!/bin/sh\n").unwrap()).display().to_string()
}

const V4: &str = "192.0.2.7";
const V6: &str = "2001:db8::7";

/// Bans, starts again, lifts and lets end, each seen in the real thing by `is_banned`.
fn try_out(
    machine: &Machine,
    site: &Site,
    (all, set, set_v6): (&Value, &str, Option<&str>),
    ips: &[&str],
    is_banned: impl Fn(&str) -> bool,
) {
    let journald = Journald::start();
    let re = "^ban (?P<seconds>\\d+) (?P<ip>\\S+)$";
    let args = json!({"IP": "ip", "banSeconds": {"field": "seconds"}, "set": set, "setIPv6": set_v6});
    let rules = json!({"ban": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": re}},
        {"action": "action_runBan", "args": args},
    ]});
    let names = [set].into_iter().chain(set_v6);
    let used: serde_json::Map<String, Value> =
        names.map(|name| (name.to_owned(), all[name].clone())).collect();
    site.configure_with(&journald, &rules, &json!({"runBan": {"sets": used}}));
    let checked = machine.pyruse(site, &["check", "--live"]).output().unwrap();
    let checked = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
    assert!(!checked.contains("runBan") && !checked.contains("P101"), "{checked}");
    let wait = |ip: &str, wanted: bool| {
        wait_for(&format!("{set}, {ip}: {wanted}; {}", site.log()), || {
            (is_banned(ip) == wanted).then_some(())
        });
    };
    let settled = || {
        wait_for("the deliveries", || {
            let listed = machine.pyruse(site, &["outbox", "list"]).output().unwrap().stdout;
            String::from_utf8(listed).unwrap().contains("nothing is pending").then_some(())
        });
    };
    let mut pyruse = machine.start(site);
    for ip in ips {
        assert!(!is_banned(ip), "{set}, {ip}");
        journald.line("test", 6, &format!("ban 3600 {ip}"));
        wait(ip, true);
    }
    settled();
    pyruse.kill();
    pyruse = machine.start(site);
    settled();
    for ip in ips {
        wait(ip, true);
        let removed = machine.pyruse(site, &["bans", "remove", ip]).output().unwrap();
        // The command does not wait for long, and firewall-cmd takes a second.
        assert!(String::from_utf8_lossy(&removed.stdout).contains("is lifted"), "{removed:?}");
        wait(ip, false);
        journald.line("test", 6, &format!("ban 3 {ip}"));
        wait(ip, true);
    }
    for ip in ips {
        wait(ip, false);
    }
    settled();
    assert!(pyruse.terminate().success(), "{}", site.log());
    assert!(!site.log().contains("fail"), "{set}: {}", site.log());
}

/// Whether a line of this text contains the address; never twice.
fn once(text: &str, ip: &str) -> bool {
    let there = |line: &&str| line.split([' ', '/', '"', ',']).any(|word| word == ip);
    let count = text.lines().filter(there).count();
    assert!(count <= 1, "{ip} twice: {text}");
    count == 1
}

#[test]
fn routes() {
    let site = Site::new();
    let machine = Machine::new(&site, "");
    let is_banned = |ip: &str| {
        let text = machine.run("ip route show type blackhole; ip -6 route show type blackhole");
        once(&text, ip)
    };
    try_out(&machine, &site, (&sets(&[]), "routes", Some("routes6")), &[V4, V6], is_banned);
}

#[test]
fn iptables_and_ip6tables() {
    let site = Site::new();
    let machine = Machine::new(&site, "");
    let block = page().blocks.into_iter().find(|block| block.text.starts_with("iptables -N")).unwrap();
    machine.run(&format!("set -e\n{}", block.text));
    let is_banned = |ip: &str| once(&machine.run("iptables -S pyruse; ip6tables -S pyruse"), ip);
    try_out(&machine, &site, (&sets(&[]), "iptables", Some("ip6tables")), &[V4, V6], is_banned);
}

#[test]
fn ufw() {
    let site = Site::new();
    let copies = "copy /etc/ufw $1/ufw; copy /etc/default/ufw $1/ufw-default";
    let machine = Machine::new(&site, &format!("{copies}; ufw --force enable"));
    let is_banned = |ip: &str| {
        let rules = machine.run("iptables -S ufw-user-input; ip6tables -S ufw6-user-input");
        once(&rules, ip)
    };
    try_out(&machine, &site, (&sets(&[]), "ufw", None), &[V4, V6], is_banned);
}

/// A machine with firewalld and the bus that it needs.
fn firewalld(site: &Site) -> Machine {
    Machine::new(
        site,
        "mount -t tmpfs none /run/dbus 2>/dev/null || { mkdir -p /run/dbus; mount -t tmpfs none /run/dbus; }
         copy /etc/firewalld $1/firewalld
         dbus-daemon --system --nopidfile --nofork >/dev/null 2>&1 &
         until test -S /run/dbus/system_bus_socket; do sleep 0.05; done
         firewalld --nofork --nopid --log-target=console >/dev/null 2>&1 &
         until firewall-cmd --state >/dev/null 2>&1; do sleep 0.1; done",
    )
}

#[test]
fn rich_rules_of_firewalld() {
    let site = Site::new();
    let machine = firewalld(&site);
    let is_banned = |ip: &str| once(&machine.run("firewall-cmd --list-rich-rules"), ip);
    try_out(&machine, &site, (&sets(&[]), "rich", None), &[V4, V6], is_banned);
}

#[test]
fn ipsets_of_firewalld() {
    let site = Site::new();
    let machine = firewalld(&site);
    let page = page();
    let block = page.blocks.iter().find(|block| block.text.contains("--new-ipset")).unwrap();
    for line in block.text.lines() {
        machine.run(line.strip_prefix("# ").unwrap());
    }
    let is_banned = |ip: &str| {
        let both = ["pyruse4", "pyruse6"].map(|set| format!("firewall-cmd --ipset={set} --get-entries"));
        once(&machine.run(&both.join("; ")), ip)
    };
    try_out(&machine, &site, (&sets(&[]), "ipset", Some("ipset6")), &[V4, V6], is_banned);
    assert!(machine.run("nft list ruleset").contains("saddr @pyruse6"), "the zone uses the set");
}

#[test]
fn hosts_deny_as_tcp_wrappers_read_it() {
    let site = Site::new();
    for file in ["hosts.deny", "hosts.allow"] {
        fs::write(site.path(file), "# a comment\nsshd: 198.51.100.1\n").unwrap();
    }
    let line = write_program(&site, "line", &[]);
    let deny = site.path("hosts.deny").display().to_string();
    let all = sets(&[("/usr/local/sbin/line", line), ("/etc/hosts.deny", deny)]);
    let is_banned = |ip: &str| {
        let mut command = Command::new("tcpdmatch");
        let said = run(command.args(["-d", "imapd", ip]).current_dir(site.directory.path()));
        assert!(said.contains("access:"), "{said}");
        said.contains("denied")
    };
    try_out(&Machine::this(), &site, (&all, "hosts", Some("hosts6")), &[V4, V6], is_banned);
    let left = fs::read_to_string(site.path("hosts.deny")).unwrap();
    assert_eq!(left, "# a comment\nsshd: 198.51.100.1\n");
}

#[test]
fn nginx_denies() {
    let site = Site::new();
    let here = site.directory.path().display().to_string();
    let addresses = format!("ip addr add {V4}/32 dev lo; ip addr add {V6}/128 dev lo nodad");
    fs::write(site.path("banned"), "").unwrap();
    fs::create_dir(site.path("html")).unwrap();
    fs::write(site.path("html/index.html"), "hello").unwrap();
    let config = format!(
        "pid {here}/nginx.pid; error_log {here}/nginx.log; events {{}}
         http {{ access_log off; include {here}/banned; server {{ listen 8080; listen [::]:8080; root {here}/html; }} }}"
    );
    fs::write(site.path("nginx.conf"), config).unwrap();
    run(Command::new("chmod").args(["-R", "a+rX", &here]));
    let machine = Machine::new(&site, &addresses);
    // It is asked to reload by its number, so it must not be in the machine's own process namespace.
    let mut nginx = machine.command("nginx");
    nginx.args(["-c", &format!("{here}/nginx.conf"), "-g", "daemon off;"]);
    let _nginx = Daemon(nginx.spawn().unwrap());
    wait_for("nginx", || {
        let asked = machine.command("curl").args(["-s", "http://127.0.0.1:8080/"]).output().unwrap();
        (asked.stdout == b"hello").then_some(())
    });
    let mut places = vec![("/etc/nginx/banned", format!("{here}/banned"))];
    places.push(("/usr/local/sbin/line", write_program(&site, "line", &[])));
    places.push(("nginx -s", format!("nginx -c {here}/nginx.conf -s")));
    let nginx_line = write_program(&site, "nginx-line", &places);
    let all = sets(&[("/usr/local/sbin/nginx-line", nginx_line)]);
    let is_banned = |ip: &str| {
        let server = if ip.contains(':') { "[::1]" } else { "127.0.0.1" };
        let status = machine
            .run(&format!("curl -s -o /dev/null -w '%{{http_code}}' --interface {ip} http://{server}:8080/"));
        assert!(["200", "403"].contains(&status.as_str()), "{status}");
        status == "403"
    };
    try_out(&machine, &site, (&all, "nginx", None), &[V4, V6], is_banned);
    assert_eq!(fs::read_to_string(site.path("banned")).unwrap(), "");
}

/// Answers as the access rules of Cloudflare do; keeps the rules by their numbers.
fn cloudflare(rules: &Mutex<BTreeMap<String, (String, String)>>, request: &Request) -> (&'static str, Value) {
    let mut rules = rules.lock().unwrap();
    if request.header("authorization") != Some("Bearer T0ken") {
        return ("403 Forbidden", json!({"success": false}));
    }
    let base = "/client/v4/zones/ZONE/firewall/access_rules/rules";
    let rest = request.path.strip_prefix(base).expect("the path of the zone");
    let result = match request.method.as_str() {
        "GET" => {
            let query: BTreeMap<&str, String> = rest[1..]
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name, value.replace("%3A", ":").replace("%3a", ":")))
                .collect();
            let wanted = (query["configuration.target"].clone(), query["configuration.value"].clone());
            assert_eq!(query["mode"], "block");
            let found = rules.iter().filter(|(_, rule)| **rule == wanted);
            found.map(|(id, _)| json!({"id": id})).collect()
        }
        "POST" => {
            let body = request.json();
            assert_eq!(body["mode"], "block");
            let text = |name: &str| body["configuration"][name].as_str().unwrap().to_owned();
            let id = format!("rule-{}", text("value").replace([':', '.'], "-"));
            let before = rules.insert(id.clone(), (text("target"), text("value")));
            assert_eq!(before, None, "twice");
            json!({"id": id})
        }
        "DELETE" => {
            assert!(rules.remove(&rest[1..]).is_some(), "{rest}");
            json!({"id": rest[1..]})
        }
        other => panic!("{other}"),
    };
    ("200 OK", json!({"success": true, "result": result}))
}

#[test]
fn access_rules_of_cloudflare() {
    let site = Site::new();
    let rules: Arc<Mutex<BTreeMap<String, (String, String)>>> = Arc::default();
    let server = HttpServer::start();
    let kept = rules.clone();
    server.answer(Box::new(move |request, out| {
        let (status, body) = cloudflare(&kept, request);
        let body = body.to_string();
        write!(out, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }));
    fs::write(site.path("curl"), "header = \"Authorization: Bearer T0ken\"\n").unwrap();
    let places = [
        ("https://api.cloudflare.com", server.url()),
        ("/etc/pyruse/cloudflare.curl", site.path("curl").display().to_string()),
    ];
    let program = write_program(&site, "cloudflare", &places);
    let all = sets(&[("/usr/local/sbin/cloudflare", program)]);
    let is_banned = |ip: &str| {
        let rules = rules.lock().unwrap();
        let target = if ip.contains(':') { "ip6" } else { "ip" };
        let count =
            rules.values().filter(|(kind, value)| (kind.as_str(), value.as_str()) == (target, ip)).count();
        assert!(count <= 1, "{rules:?}");
        count == 1
    };
    try_out(&Machine::this(), &site, (&all, "cloudflare", None), &[V4, V6], is_banned);
}

#[test]
fn every_recipe_is_tried_here() {
    let tried = [
        "routes",
        "routes6",
        "iptables",
        "ip6tables",
        "ufw",
        "rich",
        "ipset",
        "ipset6",
        "hosts",
        "hosts6",
        "nginx",
        "cloudflare",
    ];
    let mut names: Vec<String> = sets(&[]).as_object().unwrap().keys().cloned().collect();
    names.sort();
    let mut wanted: Vec<&str> = tried.to_vec();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
}

//! Named lists, live: files that change, a real name server (dnsmasq) in a network namespace, the machine's addresses,
//! and what operators add.

mod common;
mod operator;

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{Journald, Running, Site, run, unique, wait_for};
use operator::{Session, plain, said};
use serde_json::{Value, json};

/// Mails `friend ADDRESS` or `stranger ADDRESS`.
fn rules(filter: &Value) -> Value {
    let mail =
        |word: &str| json!([{"action": "action_email", "args": {"message": format!("{word} {{thatIP}}.")}}]);
    json!({
        "entries": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^from (?P<thatIP>\\S+)$"}, "then": "judge"},
        ],
        "judge": [{"filter": filter["filter"], "args": filter["args"], "then": "friend", "else": "stranger"}],
        "friend": mail("friend"),
        "stranger": mail("stranger"),
    })
}

fn in_list() -> Value {
    json!({"filter": "filter_inList", "args": {"field": "thatIP", "list": "friends"}})
}

/// Writes an entry; returns the word of its mail.
fn judge(journald: &Journald, site: &Site, ip: &str) -> String {
    let before = site.mails();
    journald.line("test", 6, &format!("from {ip}"));
    let mail = wait_for(&format!("the mail about {ip}: {}", site.log()), || {
        site.mails().into_iter().find(|mail| !before.contains(mail) && mail.contains(&format!(" {ip}.")))
    });
    mail.lines().find_map(|line| line.strip_suffix(&format!(" {ip}."))).unwrap().to_owned()
}

fn is_in(site: &Site, ip: &str) -> bool {
    site.pyruse(None, &["lists", "test", ip]).status.success()
}

fn wait_until(site: &Site, ip: &str, expected: bool) {
    wait_for(&format!("{ip} to be listed: {expected}: {}", site.log()), || {
        (is_in(site, ip) == expected).then_some(())
    });
}

fn parts(site: &Site) -> Vec<Value> {
    operator::json(site, None, &["lists", "show", "--json"])["parts"].as_array().unwrap().clone()
}

/// How often the log says this.
fn count(site: &Site, text: &str) -> usize {
    site.log().lines().filter(|line| line.contains(text)).count()
}

fn wait_said(site: &Site, text: &str, times: usize) {
    wait_for(&format!("{times} × {text}: {}", site.log()), || (count(site, text) >= times).then_some(()));
    assert_eq!(count(site, text), times, "{}", site.log());
}

/// A network namespace whose programs ask a name server in it.
struct Network {
    name: String,
    hosts: PathBuf,
    server: Option<Child>,
}

impl Network {
    fn new(site: &Site, hosts: &str) -> Network {
        let name = unique("pyr");
        run(Command::new("ip").args(["netns", "add", &name]));
        // `ip netns exec` puts these in the place of the machine's own.
        let etc = format!("/etc/netns/{name}");
        fs::create_dir_all(&etc).unwrap();
        fs::write(format!("{etc}/resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
            .unwrap();
        fs::write(format!("{etc}/hosts"), "127.0.0.1 localhost\n192.0.2.30 gate.test gate\n").unwrap();
        let mut network = Network { name, hosts: site.path("hosts"), server: None };
        run(network.command("ip").args(["link", "set", "lo", "up"]));
        fs::write(&network.hosts, hosts).unwrap();
        network.serve();
        network
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn serve(&mut self) {
        // The lifetime of an answer is 0, unless it is said.
        self.serve_with(&[]);
    }

    fn serve_with(&mut self, more: &[&str]) {
        let server = self
            .command("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--local=/test/",
                "--user=root",
            ])
            .args(["--listen-address=127.0.0.1", "--bind-interfaces", "--pid-file=", "--log-facility=-"])
            .arg(format!("--addn-hosts={}", self.hosts.display()))
            .args(more)
            .stderr(Stdio::null())
            .spawn()
            .expect("dnsmasq is needed");
        self.server = Some(server);
        wait_for("the name server", || {
            let sockets = self.command("ss").args(["-Hlun", "sport = :53"]).output().unwrap();
            (!sockets.stdout.is_empty()).then_some(())
        });
    }

    /// Changes what the server answers.
    fn set_hosts(&self, hosts: &str) {
        fs::write(&self.hosts, hosts).unwrap();
        let server = self.server.as_ref().unwrap().id();
        run(Command::new("kill").args(["-HUP", &server.to_string()]));
    }

    fn stop_serving(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// The program with these arguments, in the namespace.
    fn pyruse(&self, site: &Site, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_pyruse"));
        command
            .arg("--config")
            .arg(site.path("pyruse.json"))
            .args(args)
            .env("TZ", "UTC")
            .env("COLUMNS", "500");
        command.env_remove("JOURNAL_STREAM").env_remove("PYRUSE_EXTRA").stdin(Stdio::null());
        command
    }

    fn start(&self, site: &Site) -> Running {
        let running = site.launch_command(self.pyruse(site, &["run"]));
        running.wait_ready();
        running
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.stop_serving();
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
        let _ = fs::remove_dir_all(format!("/etc/netns/{}", self.name));
    }
}

/// Replaces a file as an editor does.
fn replace(path: &PathBuf, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn files_names_and_own_addresses_are_followed() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut network = Network::new(&site, "192.0.2.10 home.test\n2001:db8::10 home.test\n");
    let file = site.path("friends.txt");
    fs::write(&file, "198.51.100.0/24 # the office\n").unwrap();
    let lists = json!({"friends": {
        "nets": ["203.0.113.0/24"], "files": [file], "names": ["home.test", "gate.test"], "self": true,
    }});
    site.configure_with(&journald, &rules(&in_list()), &json!({"lists": lists}));
    // Written before the start: what comes before names are resolved must wait for them.
    let pyruse = network.start(&site);
    for (ip, word) in [
        ("192.0.2.10", "friend"),
        ("2001:db8::10", "friend"),
        ("::ffff:192.0.2.30", "friend"),
        ("203.0.113.7", "friend"),
        ("198.51.100.7", "friend"),
        ("127.0.0.2", "friend"),
        ("192.0.2.11", "stranger"),
        ("2001:db8::11", "stranger"),
    ] {
        assert_eq!(judge(&journald, &site, ip), word, "{ip}: {}", site.log());
    }

    replace(&file, "192.0.2.77\n198.51.100.0/24\n");
    wait_until(&site, "192.0.2.77", true);
    assert_eq!(judge(&journald, &site, "192.0.2.77"), "friend");

    run(network.command("ip").args(["addr", "add", "192.0.2.99/32", "dev", "lo"]));
    wait_until(&site, "192.0.2.99", true);
    run(network.command("ip").args(["addr", "del", "192.0.2.99/32", "dev", "lo"]));
    wait_until(&site, "192.0.2.99", false);

    network.set_hosts("192.0.2.20 home.test\n");
    wait_until(&site, "192.0.2.20", true);
    assert!(!is_in(&site, "192.0.2.10") && !is_in(&site, "2001:db8::10"));
    assert_eq!(judge(&journald, &site, "192.0.2.10"), "stranger");

    // Without a server, the name keeps its address; this is said once.
    network.stop_serving();
    let keeps = "`home.test` cannot be resolved, and keeps the addresses that it had: 127.0.0.1: ";
    wait_said(&site, keeps, 1);
    assert_eq!(judge(&journald, &site, "192.0.2.20"), "friend");
    let problem = || parts(&site).into_iter().find_map(|part| part["problem"].as_str().map(str::to_owned));
    assert!(problem().unwrap().starts_with("it cannot be resolved: 127.0.0.1: "));
    let status = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
    let status = status.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "list friends ",
        " networks: 1 nets, 2 file /",
        " 1 name home.test (",
        "TROUBLE the list friends, name home.test: it cannot be resolved: 127.0.0.1: ",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let status = site.pyruse(None, &["status", "--json"]).stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    assert_eq!(status["lists"][0]["list"], "friends");
    assert_eq!(status["lists"][0]["parts"], json!(parts(&site)));
    // So does a daemon that starts without one.
    pyruse.kill();
    let pyruse = network.start(&site);
    assert_eq!(judge(&journald, &site, "192.0.2.20"), "friend");
    wait_said(&site, keeps, 2);
    network.serve();
    wait_said(&site, "`home.test` can be resolved again", 1);
    wait_for("no problem", || problem().is_none().then_some(()));
    operator::stop(pyruse, &site);
}

#[test]
fn a_name_server_that_lies_puts_nothing_harmful_into_a_list() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut hosts = String::from("0.0.0.0 zero.test\n0.0.0.0 half.test\n192.0.2.5 half.test\n");
    // More than fit into a datagram: the answer comes by TCP. And more than a list takes.
    for n in 0..600 {
        let (name, ip) = if n < 200 { ("some.test", n) } else { ("many.test", n) };
        writeln!(hosts, "10.0.{}.{} {name}", ip / 250, 1 + ip % 250).unwrap();
    }
    let network = Network::new(&site, &hosts);
    let names = ["zero.test", "half.test", "some.test", "many.test", "none.test"];
    let more = json!({"lists": {"friends": {"names": names}}});
    site.configure_with(&journald, &rules(&in_list()), &more);
    let pyruse = network.start(&site);
    for (ip, word) in [
        ("192.0.2.5", "friend"),
        ("10.0.0.200", "friend"),
        ("10.0.1.200", "stranger"),
        ("0.0.0.0", "stranger"),
    ] {
        assert_eq!(judge(&journald, &site, ip), word, "{ip}: {}", site.log());
    }
    for words in [
        "list `friends`: `zero.test` cannot be resolved, and never was, so its addresses are missing: its address is \
         0.0.0.0, which no other host has",
        "list `friends`: an address of `half.test` is 0.0.0.0, which is left out",
        "list `friends`: `many.test` cannot be resolved, and never was, so its addresses are missing: it has 400 \
         addresses; at most 256 are taken from one name",
        "list `friends`: `none.test` cannot be resolved, and never was",
    ] {
        wait_said(&site, words, 1);
    }
    let some = parts(&site).into_iter().find(|part| part["origin"]["name"] == "some.test").unwrap();
    assert_eq!(some["networks"], 200);
    operator::stop(pyruse, &site);
}

/// The value of a line of `/proc/PID/status`.
fn process_status(pyruse: &Running, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pyruse.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("{key}:"))).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_names_delay_the_start_by_seconds_and_need_one_thread_and_little_memory() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut hosts = String::new();
    let names: Vec<String> = (0..10_000).map(|n| format!("host{n:04}.test")).collect();
    for (n, name) in names.iter().enumerate() {
        writeln!(hosts, "10.1.{}.{} {name}", n / 250, 1 + n % 250).unwrap();
    }
    let mut network = Network::new(&site, &hosts);
    // A list takes 100 names. The last list is the one that is asked.
    let list = |n: usize| if n == 99 { "friends".to_owned() } else { format!("others{n}") };
    let configure = |count: usize| {
        let lists =
            names.chunks(100).enumerate().map(|(n, names)| (list(n), json!({"names": &names[..count]})));
        let lists: serde_json::Map<String, Value> = lists.collect();
        site.configure_with(&journald, &rules(&in_list()), &json!({"lists": lists}));
    };
    configure(1);
    let pyruse = network.start(&site);
    assert_eq!(judge(&journald, &site, "10.1.39.151"), "friend");
    let [threads, memory] = ["Threads", "VmRSS"].map(|key| process_status(&pyruse, key));
    operator::stop(pyruse, &site);

    configure(100);
    let begin = Instant::now();
    let pyruse = network.start(&site);
    assert_eq!(judge(&journald, &site, "10.1.39.250"), "friend", "the last; {}", site.log());
    assert_eq!(judge(&journald, &site, "10.1.40.1"), "stranger");
    // Entries wait for 10 seconds at most.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(process_status(&pyruse, "Threads"), threads);
    let more = process_status(&pyruse, "VmRSS") - memory;
    println!("10,000 names: {:?} until the last is known, {more} KiB more", begin.elapsed());
    assert!(more < 30_000, "{more} KiB");
    // The lifetime of 0 counts as some seconds; then all are asked for again.
    network.set_hosts("192.0.2.9 host9999.test\n");
    wait_until(&site, "192.0.2.9", true);
    operator::stop(pyruse, &site);

    // A lifetime of many years is no reason to wait for it when the next start asks.
    network.stop_serving();
    network.serve_with(&["--local-ttl=2147483647"]);
    let pyruse = network.start(&site);
    assert_eq!(judge(&journald, &site, "192.0.2.9"), "friend");
    operator::stop(pyruse, &site);
}

#[test]
fn a_file_that_cannot_be_used_leaves_the_list_as_it_was() {
    let (journald, site) = (Journald::start(), Site::new());
    let [file, other] = ["friends.txt", "other.txt"].map(|name| site.path(name));
    let good = "192.0.2.1\n";
    fs::write(&file, good).unwrap();
    let lists = json!({"friends": {"files": [file]}, "other": {"optionalFiles": [other]}});
    let filter =
        json!({"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["friends", "other"]}});
    site.configure_with(&journald, &rules(&filter), &json!({"lists": lists}));
    let pyruse = site.start(None);
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "friend");
    let kept = "list `friends`: what was read before stays in force: ";
    let shown = file.display();
    let mode = |bits| fs::set_permissions(&file, Permissions::from_mode(bits)).unwrap();
    let huge = || File::options().write(true).open(&file).unwrap().set_len(1 << 30).unwrap();
    let remove = || fs::remove_file(&file).unwrap();
    let nonsense = "192.0.2.2\n".to_owned() + &"nonsense\n".repeat(3000);
    let cases: [(&dyn Fn(), String); 5] = [
        (
            &|| replace(&file, &nonsense),
            format!("{kept}{shown}:2: `nonsense` is not a network, and 2999 further lines"),
        ),
        (&|| replace(&file, "0.0.0.0/0\n"), format!("{kept}{shown}:1: `0.0.0.0/0` is every address")),
        (&|| mode(0o666), format!("{kept}{shown} can be written by others (mode 0666)")),
        (&huge, format!("{kept}{shown} is larger than 32 MiB")),
        (&remove, format!("{kept}{shown}: No such file or directory")),
    ];
    for (round, (spoil, words)) in (1..).zip(&cases) {
        spoil();
        wait_said(&site, words, 1);
        assert_eq!(judge(&journald, &site, "192.0.2.1"), "friend", "{words}");
        assert_eq!(judge(&journald, &site, "192.0.2.2"), "stranger", "{words}");
        replace(&file, good);
        wait_said(&site, &format!("list `friends`: {shown} can be used again"), round);
    }

    // A writer that has not finished: the list stays. The other file, which came later, is read.
    let mut half = File::create(&file).unwrap();
    half.write_all(b"192.0.2.1\n192.0.2.").unwrap();
    replace(&other, "198.51.100.1\n");
    wait_until(&site, "198.51.100.1", true);
    assert!(is_in(&site, "192.0.2.1"));
    half.write_all(b"33\n").unwrap();
    drop(half);
    wait_until(&site, "192.0.2.33", true);
    assert_eq!(count(&site, kept), cases.len(), "{}", site.log());
    // An optional file may go.
    fs::remove_file(&other).unwrap();
    wait_until(&site, "198.51.100.1", false);
    operator::stop(pyruse, &site);
}

#[test]
fn a_reload_with_a_bad_list_changes_nothing_and_a_good_one_changes_all() {
    let (journald, site) = (Journald::start(), Site::new());
    let lists = |lists: Value| site.configure_with(&journald, &rules(&in_list()), &json!({"lists": lists}));
    lists(json!({"friends": {"nets": ["192.0.2.1"]}}));
    let pyruse = site.start(None);
    assert_eq!(judge(&journald, &site, "192.0.2.2"), "stranger");
    let missing = site.path("missing");
    lists(json!({"friends": {"nets": ["192.0.2.2"]}, "feed": {"files": [missing]}}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_said(&site, "has errors; the old configuration stays in force", 1);
    assert_eq!(judge(&journald, &site, "192.0.2.2"), "stranger");
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "friend");
    lists(json!({"friends": {"nets": ["192.0.2.2"]}, "feed": {"optionalFiles": [missing]}}));
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    assert_eq!(judge(&journald, &site, "192.0.2.2"), "friend");
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "stranger");
    operator::stop(pyruse, &site);
    // A start does not begin without a list.
    lists(json!({"friends": {"files": [missing]}}));
    let started = site.pyruse(None, &["run"]);
    assert_eq!(started.status.code(), Some(78), "{}", said(&started));
}

#[test]
fn what_an_operator_allows_outlives_a_kill_and_ends_by_itself() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(
        &journald,
        &rules(&in_list()),
        &json!({"lists": {"friends": {"nets": ["203.0.113.0/24"]}, "others": {"nets": ["192.0.2.128/25"]}}}),
    );
    let mut session = Session::new(&site, None);
    session.note("before the first start");
    session.run(&["lists", "allow", "192.0.2.1", "--for", "1d", "--list", "friends"]);
    let pyruse = site.start(None);
    session.note("a daemon runs");
    session.run(&["lists", "allow", "192.0.2.1", "--for", "1d"]);
    session.run(&["lists", "allow", "192.0.2.1", "--for", "1d", "--list", "freinds"]);
    session.run(&["lists", "allow", "0.0.0.0/0", "--for", "1d", "--list", "friends"]);
    session.run(&["lists", "allow", "192.0.2.1", "--for", "1d", "--list", "friends"]);
    session.run(&["lists", "allow", "2001:db8::/64", "--for", "2w", "--list", "friends", "--json"]);
    session.run(&["lists", "test", "192.0.2.1"]);
    session.run(&["lists", "test", "192.0.2.129", "--json"]);
    session.run(&["lists", "test", "198.51.100.1"]);
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "friend");
    assert_eq!(judge(&journald, &site, "2001:db8::5"), "friend");
    assert_eq!(judge(&journald, &site, "192.0.2.2"), "stranger");
    pyruse.kill();
    session.note("killed");
    session.run(&["lists", "show"]);
    let pyruse = site.start(None);
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "friend");
    session.note("started again");
    session.run(&["lists", "remove", "192.0.2.1"]);
    session.run(&["lists", "remove", "192.0.2.1"]);
    assert_eq!(judge(&journald, &site, "192.0.2.1"), "stranger");
    // It ends by itself.
    assert!(
        site.pyruse(None, &["lists", "allow", "192.0.2.9", "--for", "2s", "--list", "friends"])
            .status
            .success()
    );
    wait_until(&site, "192.0.2.9", false);
    assert_eq!(judge(&journald, &site, "192.0.2.9"), "stranger");
    operator::stop(pyruse, &site);
    session.note("stopped");
    session.run(&["lists", "allow", "192.0.2.3", "--for", "1h", "--list", "friends"]);
    session.run(&["lists", "show", "friends"]);
    insta::assert_snapshot!(session.text());
}

#[test]
fn commands_that_look_back_use_files_and_resolve_names_once() {
    let (journald, site) = (Journald::start(), Site::new());
    let mut network = Network::new(&site, "192.0.2.10 home.test\n");
    let file = site.path("friends.txt");
    fs::write(&file, "198.51.100.0/24\n").unwrap();
    let lists = json!({"friends": {"files": [file], "names": ["home.test"]}});
    site.configure_with(&journald, &rules(&in_list()), &json!({"lists": lists}));
    for ip in ["192.0.2.10", "198.51.100.9", "192.0.2.11"] {
        journald.line("test", 6, &format!("from {ip}"));
    }
    journald.sync();
    let messages = |output: &Output| -> Vec<String> {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let effects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        effects.map(|effect| effect["body"].as_str().unwrap().trim().to_owned()).collect()
    };
    let replay = |network: &Network| network.pyruse(&site, &["replay", "--json"]).output().unwrap();
    let replayed = replay(&network);
    assert_eq!(
        messages(&replayed),
        ["friend 192.0.2.10.", "friend 198.51.100.9.", "stranger 192.0.2.11."],
        "{}",
        said(&replayed)
    );
    network.stop_serving();
    let replayed = replay(&network);
    assert_eq!(messages(&replayed)[0], "stranger 192.0.2.10.");
    let err = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert_eq!(
        err.matches("the addresses of `home.test` are missing: it cannot be resolved: 127.0.0.1: ").count(),
        1,
        "{err}"
    );
    let explained = site.pyruse(None, &["explain", "--field", "MESSAGE=from 198.51.100.9"]);
    assert!(
        String::from_utf8_lossy(&explained.stdout).contains("friend 198.51.100.9"),
        "{}",
        said(&explained)
    );
}

#[test]
fn check_points_at_what_is_wrong_with_a_list_and_live_shows_sizes() {
    let site = Site::new();
    let network = Network::new(&site, "192.0.2.10 home.test\n");
    let [bad, open, good] = ["bad.txt", "open.txt", "good.txt"].map(|name| site.path(name));
    fs::write(&bad, "192.0.2.1\n192.0.2.256\n").unwrap();
    fs::write(&open, "192.0.2.1\n").unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
    fs::write(&good, "192.0.2.1\n192.0.2.2\n").unwrap();
    let configure = |rules: &Value, lists: &Value| {
        let config = json!({"actions": rules, "lists": lists, "storage": site.path("state")});
        fs::write(site.path("pyruse.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    };
    let mut broken =
        rules(&json!({"filter": "filter_inList", "args": {"field": "thatIP", "list": "freinds"}}));
    broken["nets"] = json!([{"filter": "filter_inNetworks", "args": {"field": "thatIP", "nets": ["friend", "10.0.0.0/33"]}}]);
    let lists = json!({
        "friends": {"nets": ["10.0.0.0/8", "10.0.0/8"], "names": ["home test", "192.0.2.1"], "file": ["/x"]},
        "files": {"files": [bad, open, "relative", "/no/such/file"], "optionalFiles": ["/no/such/file"]},
        "1st": {"nets": ["::1"]},
    });
    let mut session = Session::new(&site, None);
    configure(&broken, &json!({"friends": {"nets": ["10.0.0.0/8"]}, "others": {"nets": ["::1"]}}));
    session.run(&["check"]);
    // Without further errors: what the lists would be is not known.
    configure(&broken, &lists);
    session.run(&["check"]);
    let everything = json!({"friends": {"nets": ["0.0.0.0/0"]}, "empty": {}});
    configure(&rules(&in_list()), &everything);
    session.run(&["check"]);
    let lists =
        json!({"friends": {"nets": ["10.0.0.0/8"], "files": [good], "names": ["home.test", "gone.test"]}});
    configure(&rules(&in_list()), &lists);
    let live = network.pyruse(&site, &["check", "--live"]).output().unwrap();
    let live = plain(&site, &said(&live));
    for line in [
        "list `friends`: nets: 1 network\n",
        "list `friends`: file SITE/good.txt: 2 networks, changed ",
        "list `friends`: name home.test: 1 network, resolved now, valid for ",
        "list `friends`, name gone.test: it cannot be resolved: it has no address",
    ] {
        assert!(live.contains(line), "{line}: {live}");
    }
    insta::assert_snapshot!(session.text());
}

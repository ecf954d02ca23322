//! A fleet of real parts, made from the files of `examples/fleet`: hosts and an aggregator, each with its own journal and
//! network namespace, and the broker's servers, all on a bridge in one more namespace. Only names, addresses, paths and
//! thresholds are changed in the files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use async_nats::{Client, ConnectOptions, HeaderMap};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};

use super::nats_server::{program, python};
use super::{BanBackend, Firewall, Journald, Running, Site, run, unique, wait_for};

pub const SET: &str = "inet pyruse fleet_ban4";
pub const LOCAL_SET: &str = "inet pyruse ssh_ban4";

/// What a test wants.
pub struct Plan<'a> {
    pub servers: usize,
    pub hosts: usize,
    /// The names of others that have keys of hosts.
    pub senders: &'a [String],
    /// Changes in the text of the aggregator's configuration.
    pub aggregator: &'a [(&'a str, &'a str)],
    /// Changes in the text of the hosts' configuration.
    pub host: &'a [(&'a str, &'a str)],
}

pub struct Fleet {
    pub aggregator: Member,
    pub hosts: Vec<Member>,
    pub servers: Vec<Server>,
    /// With the bridge, and with the clients of the test.
    net: Firewall,
    directory: tempfile::TempDir,
}

/// A machine that runs Pyruse.
pub struct Member {
    pub name: String,
    pub firewall: Firewall,
    pub journald: Journald,
    pub site: Site,
    pub running: Option<Running>,
}

/// A server of the broker.
pub struct Server {
    firewall: Firewall,
    config: PathBuf,
    child: Option<Child>,
}

fn example(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet").join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Changes a text; each change must be possible.
fn changed(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {text}");
        text = text.replace(from, to);
    }
    text
}

fn server_address(n: usize) -> String {
    format!("10.77.0.{}", 11 + n)
}

impl Fleet {
    /// Starts the broker, and creates the streams; the aggregator and the hosts are configured.
    pub fn new(plan: &Plan<'_>) -> Fleet {
        let directory = tempfile::tempdir().unwrap();
        let net = Firewall::with_sets(&[]);
        for args in
            ["link set lo up", "link add br0 type bridge", "addr add 10.77.0.1/16 dev br0", "link set br0 up"]
        {
            ip(&net, args);
        }
        let script = example("fleet.py");
        fs::write(directory.path().join("fleet.py"), script).unwrap();
        fs::write(directory.path().join("accounts.conf"), example("accounts.conf")).unwrap();
        let names: Vec<String> = (1..=plan.hosts).map(|n| format!("web-{n}")).collect();
        let addresses: Vec<String> = (0..plan.servers).map(server_address).collect();
        let fleet_py = |args: &[String]| {
            let mut command = Command::new("nsenter");
            command.arg(format!("--net=/run/netns/{}", net.name)).arg(python()).arg("fleet.py").args(args);
            command.current_dir(directory.path());
            command
        };
        let args = |first: &str, more: &[String]| [&[first.to_owned()], more].concat();
        run(&mut fleet_py(&args("keys", &[&names[..], plan.senders].concat())));
        run(&mut fleet_py(&args("certificates", &addresses)));
        let servers: Vec<Server> =
            (0..plan.servers).map(|n| Server::new(n, plan.servers, &net, directory.path())).collect();
        let urls: Vec<String> = addresses.iter().map(|address| format!("tls://{address}:4222")).collect();
        // The servers must elect a leader first.
        let mut said = String::new();
        let created = |said: &mut String| {
            let output = fleet_py(&args("streams", &urls)).output().unwrap();
            *said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(())
        };
        for _ in 0..10 {
            if created(&mut said).is_some() {
                said.clear();
                break;
            }
        }
        assert_eq!(said, "", "the streams");
        let servers_of_example = "\n                \"tls://nats-1.example.org:4222\", \"tls://nats-2.example.org:4222\", \"tls://nats-3.example.org:4222\"\n            ";
        let urls = urls.iter().map(|url| json!(url).to_string()).collect::<Vec<_>>().join(", ");
        let configure = |member: &Member, file: &str, changes: &[(&str, &str)]| {
            let ca = directory.path().join("keys/ca.pem").display().to_string();
            let key = directory.path().join(format!("keys/{}.nk", member.name)).display().to_string();
            let journal =
                json!({"source": "source_journal", "args": {"namespace": member.journald.namespace}});
            let state = json!(member.site.path("state"));
            let mails = json!({"from": "pyruse@example.org", "to": ["hostmaster@example.org"], "maxPerHour": 0,
                "sendmail": [member.site.path("sendmail"), "-t"]});
            let mut text = changed(
                example(file),
                &[
                    (servers_of_example, urls.as_str()),
                    ("/etc/pyruse/nats-ca.pem", &ca),
                    ("/etc/pyruse/fleet.nk", &key),
                ],
            );
            if file == "host.json" {
                let journal = [("{\"source\": \"source_journal\"}", journal.to_string())];
                text = changed(text, &[("web-1", &member.name), (journal[0].0, &journal[0].1)]);
                text = changed(
                    text,
                    &[("\n    \"vars\":", &format!("\n    \"email\": {mails},\n    \"vars\":"))],
                );
            } else {
                let own =
                    "{\"to\": [\"root@localhost\"], \"smtp\": {\"host\": \"localhost\", \"tls\": \"none\"}}";
                text = changed(text, &[(own, &mails.to_string())]);
            }
            text =
                changed(text, &[("\n    \"nats\":", &format!("\n    \"storage\": {state},\n    \"nats\":"))]);
            fs::write(member.site.path("pyruse.json"), changed(text, changes)).unwrap();
        };
        let aggregator = Member::new("aggregator", "10.77.0.20", &net);
        configure(&aggregator, "aggregator.json", plan.aggregator);
        let mut hosts = Vec::new();
        for (n, name) in names.iter().enumerate() {
            let host = Member::new(name, &format!("10.77.1.{}", n + 1), &net);
            configure(&host, "host.json", plan.host);
            hosts.push(host);
        }
        Fleet { aggregator, hosts, servers, net, directory }
    }

    /// Starts the aggregator and all hosts, and waits until they are ready and connected.
    pub fn start(&mut self) {
        for member in self.hosts.iter_mut().chain([&mut self.aggregator]) {
            member.start();
        }
        for member in self.hosts.iter().chain([&self.aggregator]) {
            member.wait_connected();
        }
    }

    /// The argument of nsenter for the namespace with the bridge.
    pub fn namespace(&self) -> String {
        format!("--net=/run/netns/{}", self.net.name)
    }

    /// Where fleet.py has its directory `keys`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn urls(&self) -> Vec<String> {
        (0..self.servers.len()).map(|n| format!("tls://{}:4222", server_address(n))).collect()
    }

    /// How somebody logs in who has the key of this name.
    pub fn login(&self, name: &str) -> ConnectOptions {
        let keys = self.directory.path().join("keys");
        let seed = fs::read_to_string(keys.join(format!("{name}.nk"))).unwrap();
        let prefix = format!("inbox.{name}");
        let options = ConnectOptions::new().nkey(seed.trim().to_owned()).custom_inbox_prefix(prefix);
        options.add_root_certificates(keys.join("ca.pem")).ignore_discovered_servers()
    }

    /// Runs work in the namespace with the bridge.
    pub fn within<T: Send>(&self, work: impl AsyncFnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.net.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(work())
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs work with a client that has the key of this name.
    pub fn with<T: Send>(&self, name: &str, work: impl AsyncFnOnce(Client) -> T + Send) -> T {
        let (options, urls) = (self.login(name), self.urls());
        self.within(async move || work(options.connect(urls).await.unwrap()).await)
    }

    /// Has another host say that an address failed to log in; once, however often it must be sent.
    pub fn fail(&self, sender: &str, address: &str) {
        let (subject, payload) = (format!("fail.{sender}.ssh"), json!({"thatIP": address}).to_string());
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{}/1", unique(sender)));
        self.with(sender, async |client| {
            let context = async_nats::jetstream::new(client);
            for _ in 0..10 {
                let (subject, headers, payload) = (subject.clone(), headers.clone(), payload.clone());
                let sent = context.publish_with_headers(subject, headers, payload.into()).await.unwrap();
                // It takes a while if there is much to store.
                if sent.await.is_ok() {
                    return;
                }
            }
            panic!("{sender} cannot publish");
        });
    }

    /// Has another host say that of each of these addresses.
    pub fn fail_all(&self, sender: &str, addresses: &[String]) {
        let subject = format!("fail.{sender}.ssh");
        self.with(sender, async |client| {
            let context = async_nats::jetstream::new(client);
            for addresses in addresses.chunks(500) {
                let mut stored = Vec::new();
                for address in addresses {
                    let payload = json!({"thatIP": address}).to_string();
                    stored.push(context.publish(subject.clone(), payload.into()).await.unwrap());
                }
                for stored in stored {
                    stored.await.unwrap();
                }
            }
        });
    }

    /// The messages of a stream, with their subjects.
    pub fn messages(&self, stream: &str) -> Vec<(String, String, Value)> {
        self.with("admin", async |client| {
            let stream = async_nats::jetstream::new(client).get_stream(stream).await.unwrap();
            let state = &stream.cached_info().state;
            let mut messages = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                if let Ok(message) = stream.get_raw_message(sequence).await {
                    let identity = message.headers.get("Nats-Msg-Id").map(|id| id.as_str().to_owned());
                    let payload = serde_json::from_slice(&message.payload).unwrap_or_default();
                    messages.push((message.subject.to_string(), identity.unwrap_or_default(), payload));
                }
            }
            messages
        })
    }

    /// Waits until each host's kernel has exactly these addresses in the set of the fleet.
    pub fn wait_banned(&self, addresses: &[String]) {
        for host in &self.hosts {
            wait_for(&format!("{} bans on {}: {}", addresses.len(), host.name, host.site.log()), || {
                (host.firewall.addresses(SET) == addresses).then_some(())
            });
        }
    }
}

impl Member {
    fn new(name: &str, address: &str, net: &Firewall) -> Member {
        let firewall = joined(address, net);
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet/bans.nft");
        firewall.nft(&["-f", rules.to_str().unwrap()]);
        let site = Site::new().by(BanBackend::Netlink);
        Member { name: name.to_owned(), firewall, journald: Journald::start(), site, running: None }
    }

    pub fn start(&mut self) {
        self.running = Some(self.site.start(Some(&self.firewall)));
    }

    /// Starts it with a clock that is wrong by this much, such as `+1d`.
    pub fn start_at(&mut self, offset: &str) {
        let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
        assert!(Path::new(&library).exists(), "the package `libfaketime` is needed");
        let mut command = self.site.command(Some(&self.firewall), &["run"]);
        command.env("LD_PRELOAD", library).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let running = self.site.launch_command(command);
        running.wait_ready();
        self.running = Some(running);
    }

    /// Kills it, as a power cut would, and starts it again.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
        self.start();
    }

    pub fn stop(&mut self) {
        let status = self.running.take().unwrap().terminate();
        assert!(status.success(), "{}: {}", self.name, self.site.log());
    }

    /// Waits until all sources of the program can be read, to their ends.
    pub fn wait_connected(&self) {
        wait_for(&format!("the sources of {}: {}", self.name, self.site.log()), || {
            let output = self.site.pyruse(Some(&self.firewall), &["status", "--json"]);
            let status: Value = serde_json::from_slice(&output.stdout).ok()?;
            (status["behind"]["entries"] == 0).then_some(())
        });
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.site.pyruse(Some(&self.firewall), &[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
            panic!("{args:?}: {e}: {} {}", String::from_utf8_lossy(&output.stderr), self.site.log())
        })
    }

    /// How often each line was recorded for the report that is not sent yet.
    pub fn report(&self) -> BTreeMap<String, usize> {
        let shown = self.json(&["report", "show"]);
        let mut lines = BTreeMap::new();
        for line in shown["report"]["lines"].as_array().into_iter().flatten() {
            *lines.entry(line["message"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        lines
    }

    pub fn failed_login(&self, address: &str) {
        super::failed_login(&self.journald, address);
    }
}

impl Server {
    fn new(n: usize, count: usize, net: &Firewall, directory: &Path) -> Server {
        let address = server_address(n);
        let path = |name: &str| directory.join(name).display().to_string();
        let mut text = changed(
            example("nats.conf"),
            &[
                ("server_name: \"nats-1\"", &format!("server_name: \"nats-{n}\"")),
                ("/etc/nats/ca.pem", &path("keys/ca.pem")),
                ("/etc/nats/nats-1.pem", &path(&format!("keys/{address}.pem"))),
                ("/etc/nats/nats-1-key.pem", &path(&format!("keys/{address}-key.pem"))),
                ("/var/lib/nats", &path(&format!("store-{n}"))),
            ],
        );
        if count == 1 {
            // Everything from there on, but the accounts.
            text.truncate(text.find("# The servers trust each other").unwrap());
            text += "include \"accounts.conf\"\n";
        } else {
            assert_eq!(count, 3);
            for n in 0..3 {
                text = changed(text, &[(&format!("nats-{}.example.org", n + 1), &server_address(n))]);
            }
        }
        let config = directory.join(format!("nats-{n}.conf"));
        fs::write(&config, text).unwrap();
        let mut server = Server { firewall: joined(&address, net), config, child: None };
        server.start();
        server
    }

    pub fn start(&mut self) {
        let log = File::options().create(true).append(true).open(self.config.with_extension("log")).unwrap();
        let mut command = self.firewall.command(program().to_str().unwrap());
        command.arg("-c").arg(&self.config).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("nats-server is needed"));
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ip(namespace: &Firewall, args: &str) {
    run(Command::new("ip").args(["-n", &namespace.name]).args(args.split(' ')));
}

/// Makes a namespace with an address on the bridge.
fn joined(address: &str, net: &Firewall) -> Firewall {
    let namespace = Firewall::with_sets(&[]);
    let port = format!("p{}", address.replace('.', ""));
    ip(net, &format!("link add {port} type veth peer name eth0 netns {}", namespace.name));
    ip(net, &format!("link set {port} master br0 up"));
    ip(&namespace, "link set lo up");
    ip(&namespace, &format!("addr add {address}/16 dev eth0"));
    ip(&namespace, "link set eth0 up");
    namespace
}

//! The real parts of end-to-end tests: a private journald, a network namespace with nftables, programs in place of
//! sendmail, and the program under test. Every test has its own, which are removed with it.

#![allow(dead_code, reason = "each test file uses a part of this")]

#[cfg(feature = "nats")]
pub mod fleet;
pub mod http_server;
pub mod journal_file;
pub mod mail_server;
#[cfg(feature = "nats")]
pub mod nats_server;
pub mod workspace;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a slow machine; only a test that fails waits that long.
pub const LONG: Duration = Duration::from_secs(60);

/// Returns a name that no other test and no other run uses.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Waits until `done` returns a value; fails with `what` if that takes too long.
pub fn wait_for<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LONG;
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(Instant::now() < end, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command that must succeed; its standard output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A private journald, with a namespace for its journal.
pub struct Journald {
    pub namespace: String,
    child: Child,
    socket: UnixDatagram,
}

impl Journald {
    pub fn start() -> Journald {
        Journald::start_in(unique("pyr"))
    }

    /// Starts one with this namespace.
    pub fn start_in(namespace: String) -> Journald {
        Journald::start_with(namespace, "")
    }

    /// The same, with further lines of configuration.
    pub fn start_with(namespace: String, more: &str) -> Journald {
        fs::create_dir_all("/var/log/journal").unwrap();
        // On a nearly full disk, journald would delete archives that a test needs.
        let conf = "[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nSystemMaxUse=2G\nSystemKeepFree=64M\n\
                    ForwardToSyslog=no\nForwardToWall=no\nForwardToConsole=no\nForwardToKMsg=no\n";
        fs::write(format!("/etc/systemd/journald@{namespace}.conf"), format!("{conf}{more}")).unwrap();
        // Its socket's queue is as long as systemd makes it: the kernel's own default is 10 datagrams.
        let child = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo 512 > /proc/sys/net/unix/max_dgram_qlen; exec \"$@\"", "sh"])
            .args(["/lib/systemd/systemd-journald", &namespace])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-journald is needed");
        let journald = Journald { namespace, child, socket: UnixDatagram::unbound().unwrap() };
        wait_for("journald", || journald.try_write(b"MESSAGE=first\n").ok());
        wait_for("the first entry", || (journald.count() > 0).then_some(()));
        journald
    }

    fn socket_path(&self) -> String {
        format!("/run/systemd/journal.{}/socket", self.namespace)
    }

    fn try_write(&self, datagram: &[u8]) -> std::io::Result<()> {
        self.socket.send_to(datagram, self.socket_path()).map(drop)
    }

    /// Sends a datagram as a program would.
    pub fn send(&self, datagram: &[u8]) {
        self.try_write(datagram).unwrap();
    }

    /// Writes an entry, in journald's native protocol.
    pub fn write(&self, fields: &[(&str, &[u8])]) {
        let mut datagram = Vec::new();
        for (name, value) in fields {
            datagram.extend_from_slice(name.as_bytes());
            datagram.push(b'\n');
            datagram.extend((value.len() as u64).to_le_bytes());
            datagram.extend_from_slice(value);
            datagram.push(b'\n');
        }
        self.try_write(&datagram).unwrap();
    }

    /// Writes a line as a program would.
    pub fn line(&self, identifier: &str, priority: u8, message: &str) {
        let priority = priority.to_string();
        self.write(&[
            ("SYSLOG_IDENTIFIER", identifier.as_bytes()),
            ("PRIORITY", priority.as_bytes()),
            ("MESSAGE", message.as_bytes()),
        ]);
    }

    pub fn journalctl(&self, args: &[&str]) -> String {
        run(Command::new("journalctl").arg(format!("--namespace={}", self.namespace)).args(args))
    }

    /// How many entries the journal holds.
    pub fn count(&self) -> usize {
        let output = Command::new("journalctl")
            .arg(format!("--namespace={}", self.namespace))
            .args(["-q", "-o", "cat", "--output-fields=PRIORITY"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).lines().count()
    }

    pub fn rotate(&self) {
        self.journalctl(&["--rotate"]);
    }

    /// Deletes all archived files.
    pub fn vacuum(&self) {
        self.journalctl(&["--vacuum-files=1"]);
    }

    /// Waits until everything written so far is on the disk.
    pub fn sync(&self) {
        self.journalctl(&["--sync"]);
    }

    /// The directory of its files.
    pub fn directory(&self) -> PathBuf {
        let suffix = format!(".{}", self.namespace);
        let directories = fs::read_dir("/var/log/journal").unwrap().map(|entry| entry.unwrap().path());
        directories
            .into_iter()
            .find(|path| path.to_string_lossy().ends_with(&suffix))
            .expect("the journal's directory")
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(format!("/etc/systemd/journald@{}.conf", self.namespace));
        let _ = fs::remove_dir_all(format!("/run/systemd/journal.{}", self.namespace));
        for base in ["/var/log/journal", "/run/log/journal"] {
            for entry in fs::read_dir(base).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().ends_with(&format!(".{}", self.namespace)) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
    }
}

/// A network namespace with nftables sets of its own.
pub struct Firewall {
    pub name: String,
}

/// An element of a set: address, and its time-out in seconds, if it has one.
pub type Element = (String, Option<u64>);

impl Firewall {
    /// With the sets `ip Inet4 NAME` and `ip6 Inet6 NAME` for each name.
    pub fn with_sets(sets: &[&str]) -> Firewall {
        let firewall = Firewall { name: unique("pyr") };
        run(Command::new("ip").args(["netns", "add", &firewall.name]));
        firewall.add_sets(sets);
        firewall
    }

    pub fn add_sets(&self, sets: &[&str]) {
        let mut rules = String::from("add table ip Inet4\nadd table ip6 Inet6\n");
        for set in sets {
            for (family, table, kind) in [("ip", "Inet4", "ipv4_addr"), ("ip6", "Inet6", "ipv6_addr")] {
                let _ = writeln!(rules, "add set {family} {table} {set} {{ type {kind}; flags timeout; }}");
            }
        }
        self.nft(&[&rules]);
    }

    /// Starts a program in the namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg(program);
        command
    }

    pub fn nft(&self, args: &[&str]) -> String {
        run(self.command("nft").args(args))
    }

    /// The elements of a set, sorted; empty for a set that does not exist.
    pub fn elements(&self, set: &str) -> Vec<Element> {
        let mut command = self.command("nft");
        let output = command.args(["-j", "list", "set"]).args(set.split(' ')).output().unwrap();
        if !output.status.success() {
            return Vec::new();
        }
        let listing: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let sets = listing["nftables"].as_array().unwrap();
        let elements = sets.iter().filter_map(|item| item["set"]["elem"].as_array()).flatten();
        let mut found: Vec<Element> = elements
            .map(|element| {
                let timeout = element["elem"]["timeout"].as_u64();
                let value = if element["elem"].is_null() { element } else { &element["elem"]["val"] };
                let network = || {
                    let (address, bits) =
                        (value["prefix"]["addr"].as_str()?, value["prefix"]["len"].as_u64()?);
                    Some(format!("{address}/{bits}"))
                };
                (value.as_str().map(str::to_owned).or_else(network).unwrap(), timeout)
            })
            .collect();
        found.sort();
        found
    }

    /// Makes the sets `NAME4` and `NAME6` of ipset.
    pub fn add_ipsets(&self, name: &str) {
        for (set, family) in [("4", "inet"), ("6", "inet6")] {
            let set = format!("{name}{set}");
            self.ipset(&["create", &set, "hash:ip", "family", family, "timeout", "0"]);
        }
    }

    pub fn ipset(&self, args: &[&str]) -> String {
        run(self.command("ipset").args(args))
    }

    /// The elements of a set of ipset with their time-outs, 0 for none; sorted.
    pub fn ipset_elements(&self, set: &str) -> Vec<(String, u64)> {
        let listing = self.ipset(&["save", set]);
        let adds = listing.lines().filter_map(|line| line.strip_prefix(&format!("add {set} ")));
        let mut found: Vec<(String, u64)> = adds
            .map(|element| {
                let (address, timeout) = element.split_once(" timeout ").expect("a set with time-outs");
                (address.to_owned(), timeout.trim().parse().unwrap())
            })
            .collect();
        found.sort();
        found
    }

    /// The addresses of a set, sorted.
    pub fn addresses(&self, set: &str) -> Vec<String> {
        self.elements(set).into_iter().map(|(address, _)| address).collect()
    }
}

impl Drop for Firewall {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

/// How bans reach nftables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanBackend {
    /// By a program that the configuration names.
    Nft,
    /// By netlink, because the configuration names no program; the test checks that nft was never run.
    Netlink,
    /// By netlink, or by nft for what netlink cannot do.
    NetlinkOrNft,
}

/// Runs each of these tests both ways: with bans by nft, and by netlink.
#[allow(unused_macros, reason = "each test file uses a part of this")]
macro_rules! both_ways {
    ($($test:ident),+ $(,)?) => {
        mod by_nft {
            $(#[test] fn $test() { super::$test(super::common::BanBackend::Nft); })+
        }
        mod by_netlink {
            $(#[test] fn $test() { super::$test(super::common::BanBackend::Netlink); })+
        }
    };
}
#[allow(unused_imports, reason = "each test file uses a part of this")]
pub(crate) use both_ways;

/// A directory with a configuration, a state and a mailbox, and the program that runs on them.
pub struct Site {
    pub directory: tempfile::TempDir,
    way: BanBackend,
}

impl Site {
    pub fn new() -> Site {
        let site = Site { directory: tempfile::tempdir().unwrap(), way: BanBackend::Nft };
        fs::create_dir(site.path("mails")).unwrap();
        let mailbox = site.path("mails").display().to_string();
        // A mail appears whole or not at all.
        site.script("sendmail", &format!("t=$(mktemp {mailbox}/.XXXXXXXX) && cat > $t && mv $t $t.mail"));
        site
    }

    /// The same, whose bans go this way.
    pub fn by(mut self, way: BanBackend) -> Site {
        self.way = way;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A shell script as a program.
    pub fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        let new = self.path(&format!(".{name}.new"));
        fs::write(&new, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        // Replaced atomically: no incomplete script is run, and a running one does not prevent it.
        fs::rename(new, &path).unwrap();
        path
    }

    /// Writes the configuration: these chains, the journal of that namespace, and all paths within this site.
    pub fn configure(&self, journald: &Journald, actions: &serde_json::Value) {
        self.configure_with(journald, actions, &serde_json::json!({}));
    }

    /// The same, with further top-level keys.
    pub fn configure_with(&self, journald: &Journald, actions: &serde_json::Value, more: &serde_json::Value) {
        self.configure_for(&journald.namespace, actions, more);
    }

    /// The same, for a namespace that may have no journald yet.
    pub fn configure_for(&self, namespace: &str, actions: &serde_json::Value, more: &serde_json::Value) {
        let mut config = serde_json::json!({
            "actions": actions,
            "storage": self.path("state"),
            "journal": {"namespace": namespace},
            "email": {
                "from": "pyruse@example.org",
                "to": ["hostmaster@example.org"],
                "sendmail": [self.path("sendmail"), "-t"],
                // Tests count mails.
                "maxPerHour": 0,
            },
        });
        if self.way == BanBackend::Nft {
            config["nftBan"] = serde_json::json!({"nft": ["nft"]});
        }
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        if more.get("sources").is_some() {
            config.as_object_mut().unwrap().remove("journal");
        }
        fs::write(self.path("pyruse.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    }

    /// The mails that have arrived.
    pub fn mails(&self) -> Vec<String> {
        let mut mails: Vec<String> = fs::read_dir(self.path("mails"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "mail"))
            .map(|path| fs::read_to_string(path).unwrap())
            .collect();
        mails.sort();
        mails
    }

    /// The program under test with these arguments, in the firewall's namespace if there is one.
    pub fn command(&self, firewall: Option<&Firewall>, args: &[&str]) -> Command {
        let mut command = match firewall {
            Some(firewall) => firewall.command(env!("CARGO_BIN_EXE_pyruse")),
            None => Command::new(env!("CARGO_BIN_EXE_pyruse")),
        };
        command.arg("--config").arg(self.path("pyruse.json")).args(args);
        command.env_remove("JOURNAL_STREAM").env_remove("PYRUSE_EXTRA").env("TZ", "UTC").stdin(Stdio::null());
        // Messages are on one line, however long they are.
        command.env("COLUMNS", "500");
        command
    }

    /// Runs a command to its end.
    pub fn pyruse(&self, firewall: Option<&Firewall>, args: &[&str]) -> Output {
        self.command(firewall, args).output().unwrap()
    }

    /// Starts `run`, and waits until it says that it is ready.
    pub fn start(&self, firewall: Option<&Firewall>) -> Running {
        let running = self.launch(firewall, &["run"]);
        running.wait_ready();
        running
    }

    /// Starts the program without waiting; its standard error goes to the file `log`.
    pub fn launch(&self, firewall: Option<&Firewall>, args: &[&str]) -> Running {
        self.launch_command(self.command(firewall, args))
    }

    /// The same, for a command of the test's own, which may become any user.
    pub fn launch_command(&self, mut command: Command) -> Running {
        let name = unique("notify");
        let notify = UnixDatagram::bind(self.path(&name)).unwrap();
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o777)).unwrap();
        notify.set_read_timeout(Some(LONG)).unwrap();
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let child =
            command.env("NOTIFY_SOCKET", self.path(&name)).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Running { child, notify, log: self.path("log") }
    }

    /// The program's standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if self.way == BanBackend::Netlink && !std::thread::panicking() {
            assert!(!self.log().contains("nft is run"), "{}", self.log());
        }
    }
}

/// A running program; killed when dropped.
pub struct Running {
    pub child: Child,
    notify: UnixDatagram,
    log: PathBuf,
}

impl Running {
    /// Waits until it sends this notification to systemd.
    pub fn wait_notice(&self, notice: &str) {
        let mut buffer = [0; 4096];
        loop {
            let length = match self.notify.recv(&mut buffer) {
                Ok(length) => length,
                // A wait with a limit is not resumed by itself.
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let said = fs::read_to_string(&self.log).unwrap_or_default();
                    panic!("no {notice}: {e}; it said: {said}")
                }
            };
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == notice) {
                return;
            }
        }
    }

    pub fn wait_ready(&self) {
        self.wait_notice("READY=1");
    }

    pub fn signal(&self, signal: &str) {
        run(Command::new("kill").args([signal, &self.child.id().to_string()]));
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Terminates it, as systemd would.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    pub fn wait(&mut self) -> ExitStatus {
        wait_for("the program's end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a journal file from the export format.
pub fn make_journal(export: &[u8], file: &Path) {
    make_journal_with(&[], export, file);
}

/// The same, with variables of the environment that say which of the file formats to write.
pub fn make_journal_with(environment: &[(&str, &str)], export: &[u8], file: &Path) {
    use std::io::Write;
    let mut child = Command::new("/lib/systemd/systemd-journal-remote")
        .envs(environment.iter().copied())
        .arg(format!("--output={}", file.display()))
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("systemd-journal-remote is needed");
    child.stdin.take().unwrap().write_all(export).unwrap();
    assert!(child.wait().unwrap().success());
}

/// The rules of most tests: three failed logins ban, and mail.
pub fn ssh_rules(ban_seconds: u64) -> serde_json::Value {
    serde_json::json!({
        "ssh": [
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "sshd"}},
            {"filter": "filter_pcre", "args": {
                "field": "MESSAGE", "re": "^Failed password for (.*) from (\\S+) port", "save": ["user", "thatIP"]}},
            {"action": "action_counterRaise", "args": {
                "counter": "ssh", "for": "thatIP", "keepSeconds": 3600, "save": "tries"}},
            {"filter": "filter_equals", "args": {"field": "tries", "value": 3}},
            {"action": "action_nftBan", "args": {
                "IP": "thatIP", "banSeconds": ban_seconds,
                "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}},
            {"action": "action_email", "args": {"subject": "ban", "message": "banned {thatIP} after {tries}"}},
        ],
    })
}

/// One failed login.
pub fn failed_login(journald: &Journald, address: &str) {
    journald.line("sshd", 6, &format!("Failed password for root from {address} port 50000 ssh2"));
}

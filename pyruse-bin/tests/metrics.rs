//! Metrics: the file for node_exporter and the answers over HTTP, as Prometheus' own programs read them.

mod common;
#[path = "metrics/flood.rs"]
mod flood;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{Firewall, Journald, LONG, Running, Site, failed_login, run, ssh_rules, wait_for};
use serde_json::{Value, json};

const BANNED: &str = r#"pyruse_bans{module="action_nftBan",set="ip Inet4 ssh_ban"} 1"#;

/// A label that the text formats must escape.
const ODD: &str = "z, an \"odd\" \\ chain,\nof two lines";

/// The usual rules, and a step with errors in a chain with an odd name.
fn rules() -> Value {
    let mut rules = ssh_rules(600);
    rules[ODD] = json!([
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "prog"}},
        {"action": "action_nftBan", "args": {
            "IP": "MESSAGE", "banSeconds": 600,
            "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}},
    ]);
    rules["ssh"][0]["else"] = json!(ODD);
    rules
}

fn configure(site: &Site, journald: &Journald, metrics: &Value) {
    site.configure_with(journald, &rules(), &json!({"metrics": metrics}));
}

fn reload(pyruse: &Running) {
    pyruse.signal("-HUP");
    pyruse.wait_ready();
}

/// Makes a ban, an error, and a delivery.
fn attack(journald: &Journald, firewall: &Firewall) {
    journald.line("prog", 6, "not an address");
    (0..3).for_each(|_| failed_login(journald, "198.51.100.1"));
    wait_for("the ban", || (!firewall.addresses("ip Inet4 ssh_ban").is_empty()).then_some(()));
}

/// Has `promtool` check a text; it must find nothing.
fn promtool(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed: the package prometheus");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && found.is_empty(), "{found}\n{text}");
}

/// Waits until the file has this line; its text.
fn wait_for_line(file: &Path, line: &str) -> String {
    wait_for(line, || fs::read_to_string(file).ok().filter(|text| text.lines().any(|found| found == line)))
}

/// The names of the metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[test]
fn the_file_for_node_exporter_is_clean_whole_and_documented() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    let file = site.path("pyruse.prom");
    configure(&site, &journald, &json!({"textfile": file}));
    let pyruse = site.start(Some(&firewall));
    let first = wait_for_line(&file, r#"pyruse_bans{module="action_nftBan",set="ip Inet4 ssh_ban"} 0"#);
    promtool(&first);
    attack(&journald, &firewall);
    wait_for("the mail to be recorded as sent", || {
        let status = String::from_utf8(site.pyruse(None, &["status"]).stdout).unwrap();
        status.contains("0 waiting, 0 given up").then_some(())
    });
    // Counts go on through reloads, of which each writes the file.
    reload(&pyruse);
    let text = wait_for_line(&file, BANNED);
    promtool(&text);
    let odd = r#"z, an \"odd\" \\ chain,\nof two lines"#;
    for line in [
        format!("pyruse_step_errors_total{{chain=\"{odd}\",step=\"1\"}} 1"),
        r#"pyruse_deliveries_waiting{module="action_email"} 0"#.into(),
        r#"pyruse_deliveries_given_up{module="action_email"} 0"#.into(),
        r#"pyruse_source_up{source="journal"} 1"#.into(),
        r#"pyruse_source_lag_seconds{source="journal"} 0.0"#.into(),
        "pyruse_counted_keys 1".into(),
        "pyruse_state_stored 1".into(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).parse().unwrap()
    };
    let read = value(r#"pyruse_entries_total{source="journal"}"#);
    assert!(read >= 4.0, "{text}");
    assert!((value(r#"pyruse_chain_hits_total{chain="ssh"}"#) - read).abs() < 0.5, "{text}");
    assert!(
        (value(&format!("pyruse_chain_hits_total{{chain=\"{odd}\"}}")) - (read - 3.0)).abs() < 0.5,
        "{text}"
    );
    assert!(value("pyruse_state_commit_duration_seconds_count") >= 1.0, "{text}");
    assert!(value("pyruse_state_commit_duration_seconds_sum") > 0.0, "{text}");

    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    let manual = include_str!("../../docs/operating.md");
    let documented: BTreeSet<&str> =
        manual.lines().filter_map(|line| line.strip_prefix("| `pyruse_")?.split(['`', '{']).next()).collect();
    let published: BTreeSet<&str> = names(&text).into_iter().map(|name| &name["pyruse_".len()..]).collect();
    assert_eq!(documented, published);
    assert!(pyruse.terminate().success());
}

#[test]
fn a_missing_directory_and_a_full_disk_are_logged_and_the_old_file_stays() {
    let (journald, site) = (Journald::start(), Site::new());
    let directory = site.path("disk");
    configure(&site, &journald, &json!({"textfile": directory.join("pyruse.prom")}));
    fs::create_dir(&directory).unwrap();
    // A small disk of its own, which only the daemon has.
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=64k none \"$1\" && shift && exec \"$@\"",
        "sh",
    ]);
    let run = site.command(None, &["run"]);
    command.arg(&directory).arg(run.get_program()).args(run.get_args()).env("TZ", "UTC");
    let pyruse = site.launch_command(command);
    pyruse.wait_ready();
    let mounted = Path::new("/proc").join(pyruse.child.id().to_string()).join("root");
    let mounted = mounted.join(directory.strip_prefix("/").unwrap());
    let file = mounted.join("pyruse.prom");
    let old = wait_for_line(&file, "pyruse_state_stored 1");
    assert!(fs::write(mounted.join("filler"), vec![0; 128 * 1024]).is_err(), "the disk is full");
    reload(&pyruse);
    wait_for("the message", || site.log().contains("the metrics cannot be written to ").then_some(()));
    assert!(site.log().contains("No space left on device"), "{}", site.log());
    assert_eq!(fs::read_to_string(&file).unwrap(), old);
    let left: BTreeSet<_> = fs::read_dir(&mounted).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, BTreeSet::from(["filler".into(), "pyruse.prom".into()]));
    fs::remove_file(mounted.join("filler")).unwrap();
    reload(&pyruse);
    wait_for("the message", || site.log().contains("pyruse.prom again").then_some(()));
    assert_ne!(fs::read_to_string(&file).unwrap(), old);
    // Another file, in a directory that does not exist: Pyruse works on, and writes when it does.
    configure(&site, &journald, &json!({"textfile": site.path("later/pyruse.prom")}));
    reload(&pyruse);
    wait_for("the message", || {
        site.log().contains("later/pyruse.prom, and are tried again each minute: No such file").then_some(())
    });
    fs::create_dir(site.path("later")).unwrap();
    reload(&pyruse);
    wait_for_line(&site.path("later/pyruse.prom"), "pyruse_state_stored 1");
    assert!(pyruse.terminate().success());
}

/// A program that is killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn prometheus_scrapes_the_address() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    // The addresses of another network namespace are all free.
    run(firewall.command("ip").args(["link", "set", "lo", "up"]));
    configure(&site, &journald, &json!({"listen": "[::1]:9469"}));
    let pyruse = site.start(Some(&firewall));
    let config = site.path("prometheus.yml");
    let scrape = "global:\n  scrape_interval: 200ms\nscrape_configs:\n- job_name: pyruse\n  static_configs:\n  - targets: \
                  ['[::1]:9469']\n";
    fs::write(&config, scrape).unwrap();
    let mut prometheus = firewall.command("prometheus");
    prometheus
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", site.path("tsdb").display()))
        .args(["--web.listen-address=127.0.0.1:9090", "--log.level=error"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(site.path("prometheus.log")).unwrap());
    let _prometheus = Program(prometheus.spawn().expect("prometheus is needed"));
    let query = |query: &str| -> Value {
        let mut curl = firewall.command("curl");
        curl.args([
            "-sG",
            "http://127.0.0.1:9090/api/v1/query",
            "--data-urlencode",
            &format!("query={query}"),
        ]);
        let answer = curl.output().unwrap().stdout;
        serde_json::from_slice(&answer).unwrap_or_default()
    };
    let value = |text: &str| query(text)["data"]["result"][0]["value"][1].as_str().map(str::to_owned);
    wait_for("a scrape", || value(r#"up{job="pyruse"}"#).filter(|up| up == "1"));
    attack(&journald, &firewall);
    let odd = json!(ODD).to_string();
    for (text, expected) in [
        (r#"pyruse_bans{set="ip Inet4 ssh_ban"}"#.to_owned(), "1"),
        (format!("pyruse_step_errors_total{{chain={odd}}}"), "1"),
        (
            format!("pyruse_chain_hits_total{{chain=\"ssh\"}} - on() pyruse_chain_hits_total{{chain={odd}}}"),
            "3",
        ),
        (r#"pyruse_source_lag_seconds{source="journal"}"#.to_owned(), "0"),
        (r#"pyruse_state_commit_duration_seconds_bucket{le="+Inf"} > bool 0"#.to_owned(), "1"),
    ] {
        wait_for(&text, || value(&text).filter(|found| found == expected));
    }
    assert_eq!(fs::read_to_string(site.path("prometheus.log")).unwrap(), "");
    assert!(pyruse.terminate().success());
}

/// The lines of a text that give values; each line's labels sorted, and its value as a number.
fn samples(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with("pyruse_"));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
            let labels: BTreeSet<&str> =
                labels.split("\",").map(|label| label.trim_end_matches('"')).collect();
            format!("{name} {labels:?} {}", value.parse::<f64>().unwrap())
        })
        .collect()
}

#[test]
fn node_exporter_reads_the_file() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    run(firewall.command("ip").args(["link", "set", "lo", "up"]));
    let directory = site.path("node-exporter");
    fs::create_dir(&directory).unwrap();
    let file = directory.join("pyruse.prom");
    configure(&site, &journald, &json!({"textfile": file}));
    let pyruse = site.start(Some(&firewall));
    let mut exporter = firewall.command("prometheus-node-exporter");
    exporter
        .args(["--collector.disable-defaults", "--collector.textfile", "--web.listen-address=127.0.0.1:9100"])
        .arg(format!("--collector.textfile.directory={}", directory.display()))
        .args(["--log.level=error", "--web.disable-exporter-metrics"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(site.path("exporter.log")).unwrap());
    let _exporter = Program(exporter.spawn().expect("prometheus-node-exporter is needed"));
    let scrape = || {
        let output = firewall.command("curl").args(["-s", "http://127.0.0.1:9100/metrics"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for banned in [false, true] {
        if banned {
            attack(&journald, &firewall);
            reload(&pyruse);
        }
        let text = wait_for_line(&file, if banned { BANNED } else { "pyruse_state_stored 1" });
        let read = wait_for("the exporter", || Some(scrape()).filter(|read| !read.is_empty()));
        assert!(read.lines().any(|line| line == "node_textfile_scrape_error 0"), "{read}");
        let modified = format!("node_textfile_mtime_seconds{{file=\"{}\"}} ", file.display());
        assert!(read.lines().any(|line| line.starts_with(&modified)), "{read}");
        assert_eq!(samples(&read), samples(&text));
        for kind in read.lines().filter(|line| line.starts_with("# TYPE pyruse_")) {
            assert!(text.lines().any(|line| line == kind), "{kind}\n{text}");
        }
    }
    assert_eq!(fs::read_to_string(site.path("exporter.log")).unwrap(), "");
    assert!(pyruse.terminate().success());
}

/// Sends a request; the answer.
fn ask(mut client: impl Read + Write, request: &[u8]) -> String {
    client.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A client that has sent too much may be cut off after the answer.
    let _ = client.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

const GET: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

fn connect(socket: &Path) -> UnixStream {
    let client = UnixStream::connect(socket).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    client
}

#[test]
fn slow_and_garbage_clients_hold_up_nothing() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    let socket = site.path("metrics.sock");
    configure(&site, &journald, &json!({"listen": socket}));
    let pyruse = site.start(Some(&firewall));
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    // More than are served at once; none of them ever ends its request.
    let mut slow: Vec<UnixStream> = (0..8).map(|_| connect(&socket)).collect();
    for client in &mut slow {
        client.write_all(b"GET /met").unwrap();
    }
    attack(&journald, &firewall);
    let answer = ask(connect(&socket), GET);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text;"), "{answer}");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", text.len())), "{head}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    for mut client in slow {
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "it was disconnected without an answer");
    }
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
        (b"GET /metrics/x HTTP/1.1\r\n\r\n", "404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "405"),
        (b"\x16\x03\x01\xff\x00 \xff\r\n\r\n", "400"),
        (&vec![b'x'; 9000], "431"),
    ] {
        let answer = ask(connect(&socket), request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
    assert!(ask(connect(&socket), GET).starts_with("HTTP/1.1 200 OK"));
    assert!(pyruse.terminate().success());
    assert!(!socket.exists());
}

#[test]
fn what_is_in_use_refuses_a_reload_and_not_a_start() {
    let (journald, site) = (Journald::start(), Site::new());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let in_use = format!("the metrics cannot be served at {address}: Address already in use");
    // Otherwise any user could keep the machine unprotected.
    configure(&site, &journald, &json!({"listen": address}));
    let pyruse = site.start(None);
    assert!(site.log().contains(&in_use), "{}", site.log());
    assert!(pyruse.terminate().success());

    let socket = site.path("metrics.sock");
    drop(UnixListener::bind(&socket).unwrap());
    // One that a crash has left.
    configure(&site, &journald, &json!({"listen": socket}));
    let pyruse = site.start(None);
    assert!(ask(connect(&socket), GET).starts_with("HTTP/1.1 200 OK"));
    let file = site.path("a file");
    fs::write(&file, "mine").unwrap();
    let other = site.path("other.sock");
    let _other = UnixListener::bind(&other).unwrap();
    for (listen, why) in [
        (address.as_str(), in_use.clone()),
        (file.to_str().unwrap(), format!("at {}: something that is not a socket is there", file.display())),
        (other.to_str().unwrap(), format!("at {}: another process listens there", other.display())),
        ("/nowhere/metrics.sock", "at /nowhere/metrics.sock: No such file or directory".into()),
    ] {
        configure(&site, &journald, &json!({"listen": listen}));
        let before = site.log().len();
        reload(&pyruse);
        let said = site.log()[before..].to_owned();
        assert!(said.contains("not reloaded; the old configuration stays in force: "), "{said}");
        assert!(said.contains(&why), "{said}");
        assert!(ask(connect(&socket), GET).starts_with("HTTP/1.1 200 OK"));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    // The address is free now; the former one is given up.
    drop(taken);
    configure(&site, &journald, &json!({"listen": address}));
    reload(&pyruse);
    assert!(ask(TcpStream::connect(&address).unwrap(), GET).starts_with("HTTP/1.1 200 OK"), "{}", site.log());
    assert!(!socket.exists());
    site.configure(&journald, &rules());
    reload(&pyruse);
    assert!(TcpStream::connect(&address).is_err());
    assert!(pyruse.terminate().success());
}

#[test]
fn check_says_what_is_wrong() {
    let (journald, site) = (Journald::start(), Site::new());
    let check = |metrics: &Value| {
        configure(&site, &journald, metrics);
        let output = site.pyruse(None, &["check"]);
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    for listen in ["localhost:9469", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "metrics.sock", ""] {
        let (good, said) = check(&json!({"listen": listen}));
        assert!(!good && said.contains(&format!("`{listen}` is not where to listen")), "{said}");
    }
    let (good, said) = check(&json!({"textfile": "pyruse.prom"}));
    assert!(!good && said.contains("the file needs an absolute path"), "{said}");
    for (metrics, warning) in [
        (json!({"listen": "0.0.0.0:9469"}), "`0.0.0.0:9469` is not a loopback address"),
        (json!({"listen": "[2001:db8::1]:9469"}), "`[2001:db8::1]:9469` is not a loopback address"),
        (
            json!({"textfile": site.path("pyruse.txt")}),
            "node_exporter reads only files whose names end in `.prom`",
        ),
    ] {
        let (_, said) = check(&metrics);
        assert!(said.contains(warning), "{said}");
    }
    for metrics in [json!({"listen": "127.0.0.1:9469"}), json!({"listen": "[::1]:9469"}), json!({})] {
        let (_, said) = check(&metrics);
        assert!(!said.contains("loopback") && !said.contains("metrics"), "{said}");
    }
}

//! What can go wrong with NATS: servers that are away or refuse us, streams that do not exist or are created again, and
//! messages that are not ours. Each is reported, and the rest of the program goes on.

#![cfg(feature = "nats")]

mod common;

use std::time::Duration;

use async_nats::jetstream::stream;
use common::nats_server::{NatsServer, free_port};
use common::{Journald, Running, Site, wait_for};
use serde_json::{Value, json};

/// A site that reads the stream FAIL of the connection, and mails each entry; and the lines of its journal, too.
struct Reader {
    journald: Journald,
    site: Site,
}

impl Reader {
    fn new(connection: &Value) -> Reader {
        let reader = Reader { journald: Journald::start(), site: Site::new() };
        reader.configure(connection);
        reader
    }

    fn configure(&self, connection: &Value) {
        self.site.configure_with(
            &self.journald,
            &json!({
                "stream": [
                    {"filter": "filter_equals", "args": {"field": "_SOURCE", "value": "fails"}},
                    {"action": "action_email", "args": {"subject": "Stream", "message": "found {_SENDER} {n}"}},
                ],
                "journal": [
                    {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^line (?P<n>.*)$"}},
                    {"action": "action_email", "args": {"subject": "Journal", "message": "found journal {n}"}},
                ],
            }),
            &json!({
                "nats": {"fleet": connection},
                "sources": {
                    "journal": {"source": "source_journal", "args": {"namespace": self.journald.namespace}},
                    "fails": {"source": "source_nats", "args": {
                        "connection": "fleet", "stream": "FAIL", "senderToken": 2}},
                },
            }),
        );
    }

    /// What was found, in the order of the words.
    fn found(&self) -> Vec<String> {
        let mails = self.site.mails();
        let lines = mails.iter().filter_map(|mail| mail.lines().find_map(|line| line.strip_prefix("found ")));
        let mut found: Vec<String> = lines.map(str::to_owned).collect();
        found.sort();
        found
    }

    fn wait(&self, expected: &[&str]) {
        wait_for(&format!("{expected:?}, not {:?}: {}", self.found(), self.site.log()), || {
            (self.found() == expected).then_some(())
        });
    }

    fn wait_said(&self, words: &str) {
        wait_for(&format!("`{words}` in {}", self.site.log()), || {
            self.site.log().contains(words).then_some(())
        });
    }

    /// The error of the source, as `status` shows it.
    fn error(&self) -> Option<String> {
        let status = self.site.pyruse(None, &["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let sources = status["sources"].as_array().unwrap();
        let source = sources.iter().find(|source| source["name"] == "fails").unwrap();
        source["error"].as_str().map(str::to_owned)
    }

    /// What `check --live` says.
    fn live(&self) -> String {
        let output = self.site.pyruse(None, &["check", "--live"]);
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn stop(&self, running: Running) {
        assert!(running.terminate().success(), "{}", self.site.log());
    }
}

fn connection(server: &NatsServer) -> Value {
    json!({"servers": [server.url()]})
}

fn failure(server: &NatsServer, sender: &str, n: u32) {
    server.publish(&format!("fail.{sender}"), json!({"n": n}).to_string().as_bytes());
}

#[test]
fn a_server_that_is_away_is_told_and_read_when_it_comes() {
    let mut server = NatsServer::stopped("");
    let reader = Reader::new(&connection(&server));
    let said = reader.live();
    assert!(said.contains("the connection `fleet`: nats://127.0.0.1:"), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
    let running = reader.site.start(None);
    reader.journald.line("test", 6, "line 1");
    reader.wait(&["journal 1"]);
    wait_for("the error", || reader.error().filter(|error| error.contains("Connection refused")));
    server.start_again();
    wait_for("the missing stream", || reader.error().filter(|error| error.contains("stream not found")));
    server.stream("FAIL", &["fail.>"]);
    failure(&server, "web-1", 2);
    reader.wait(&["journal 1", "web-1 2"]);
    wait_for("no error", || reader.error().is_none().then_some(()));
    // A broker that ends while it is read; nothing is read twice.
    server.kill();
    reader.wait_said("the connection to the server is lost");
    server.start_again();
    failure(&server, "web-1", 3);
    reader.wait(&["journal 1", "web-1 2", "web-1 3"]);
    let lines =
        reader.site.log().lines().filter(|line| line.contains("fleet") || line.contains("fails")).count();
    assert!(lines < 20, "{}", reader.site.log());
    reader.stop(running);
}

#[test]
fn a_stream_that_is_deleted_and_made_anew_is_told_and_read_from_its_first_message_on() {
    let server = NatsServer::start();
    server.stream("FAIL", &["fail.>"]);
    let reader = Reader::new(&connection(&server));
    let running = reader.site.start(None);
    for n in 1..=3 {
        failure(&server, "web-1", n);
    }
    reader.wait(&["web-1 1", "web-1 2", "web-1 3"]);
    server.delete_stream("FAIL");
    wait_for("the missing stream", || reader.error().filter(|error| error.contains("stream not found")));
    server.stream("FAIL", &["fail.>"]);
    failure(&server, "web-1", 4);
    reader.wait(&["web-1 1", "web-1 2", "web-1 3", "web-1 4"]);
    reader.wait_said("the stream FAIL was deleted and made anew");
    reader.stop(running);
    // The same while nobody reads.
    server.delete_stream("FAIL");
    server.stream("FAIL", &["fail.>"]);
    for n in 5..=9 {
        failure(&server, "web-1", n);
    }
    let running = reader.site.start(None);
    let all: Vec<String> = (1..=9).map(|n| format!("web-1 {n}")).collect();
    reader.wait(&all.iter().map(String::as_str).collect::<Vec<_>>());
    reader.stop(running);
}

#[test]
fn after_a_reload_the_stream_of_another_server_is_read() {
    let (first, second) = (NatsServer::start(), NatsServer::start());
    for server in [&first, &second] {
        server.stream("FAIL", &["fail.>"]);
    }
    let reader = Reader::new(&connection(&first));
    let running = reader.site.start(None);
    failure(&first, "web-1", 1);
    reader.wait(&["web-1 1"]);
    reader.configure(&connection(&second));
    running.signal("-HUP");
    failure(&second, "web-1", 2);
    reader.wait(&["web-1 1", "web-1 2"]);
    failure(&first, "web-1", 3);
    failure(&second, "web-1", 4);
    reader.wait(&["web-1 1", "web-1 2", "web-1 4"]);
    reader.stop(running);
}

#[test]
fn messages_that_were_removed_before_they_were_read_are_told() {
    let server = NatsServer::start();
    server.stream_with(stream::Config {
        name: "FAIL".into(),
        subjects: vec!["fail.>".into()],
        max_messages: 5,
        ..stream::Config::default()
    });
    let reader = Reader::new(&connection(&server));
    let running = reader.site.start(None);
    failure(&server, "web-1", 1);
    reader.wait(&["web-1 1"]);
    reader.stop(running);
    for n in 2..=10 {
        failure(&server, "web-1", n);
    }
    let running = reader.site.start(None);
    reader.wait(&["web-1 1", "web-1 10", "web-1 6", "web-1 7", "web-1 8", "web-1 9"]);
    reader.wait_said("4 messages of the stream, stored");
    reader.stop(running);
}

#[test]
fn messages_that_are_not_ours_are_counted_and_passed_over() {
    let server = NatsServer::start();
    server.stream("FAIL", &["fail.>"]);
    let reader = Reader::new(&connection(&server));
    let running = reader.site.start(None);
    for payload in [&b""[..], b"hello", b"[1]", b"{\"n\": 1", b"\xff\xfe", b"\0"] {
        server.publish("fail.web-1", payload);
    }
    // Its sender could be taken for `web-1`.
    server.publish("fail.web%2D1", br#"{"n": 1}"#);
    server.publish("fail.web-1", &vec![b' '; 300 * 1024]);
    failure(&server, "web-1", 2);
    // Two senders for which `senderToken` is the same word.
    server.publish("fail.web-1.more.tokens", br#"{"n": 3, "_SENDER": "web-9", "_SOURCE": "journal"}"#);
    reader.wait(&["web-1 2", "web-1 3"]);
    reader.wait_said("passed over: not a JSON object");
    reader.wait_said("passed over: longer than 256 KiB");
    reader.stop(running);
}

const USERS: &str = r#"authorization { users: [
    {user: admin, password: admin}
    {user: reader, password: "pa:ss", permissions: {
        publish: ["$JS.API.STREAM.INFO.FAIL", "$JS.API.CONSUMER.CREATE.FAIL.>", "$JS.API.CONSUMER.MSG.NEXT.FAIL.>"]
        subscribe: ["_INBOX.>"]}}
    {user: other, password: other, permissions: {publish: ["fail.other.>"], subscribe: ["_INBOX.>"]}}
]}"#;

fn admin() -> async_nats::ConnectOptions {
    async_nats::ConnectOptions::with_user_and_password("admin".into(), "admin".into())
}

#[test]
fn wrong_credentials_and_missing_permissions_are_told() {
    let server = NatsServer::start_with(USERS);
    server.with_options(admin(), async |client| {
        let config = stream::Config {
            name: "FAIL".into(),
            subjects: vec!["fail.>".into()],
            ..stream::Config::default()
        };
        async_nats::jetstream::new(client).create_stream(config).await.map(drop).unwrap();
    });
    let password = tempfile::NamedTempFile::new().unwrap();
    let with = |line: &str| {
        std::fs::write(&password, line).unwrap();
        json!({"servers": [server.url()], "passwordFile": password.path()})
    };
    let reader = Reader::new(&with("reader:wrong"));
    let said = reader.live();
    assert!(said.contains("authorization violation"), "{said}");
    let running = reader.site.start(None);
    wait_for("the error", || reader.error().filter(|error| error.contains("authorization violation")));
    // The file is read again; no restart is needed.
    with("reader:pa:ss");
    wait_for(&format!("no error: {:?} {}", reader.error(), reader.site.log()), || {
        reader.error().is_none().then_some(())
    });
    reader.stop(running);
    let said = reader.live();
    assert!(said.contains("0 errors"), "{said}");
    for warning in ["stored on one server only", "has no limit", "of any size that the server allows"] {
        assert!(said.contains(warning), "{said}");
    }
    // One who may not ask for the stream.
    reader.configure(&with("other:other"));
    let said = reader.live();
    assert!(said.contains("the stream FAIL cannot be asked for"), "{said}");
    assert!(said.contains("Permissions Violation for Publish to \"$JS.API.STREAM.INFO.FAIL\""), "{said}");
    let running = reader.site.start(None);
    wait_for("the error", || {
        reader.error().filter(|error| error.contains("Permissions Violation for Publish"))
    });
    reader.stop(running);
}

#[test]
fn the_monitoring_of_the_server_says_whether_it_syncs_each_message() {
    let port = free_port();
    for (interval, words) in
        [("1m", "acknowledges messages that are not on its disk yet"), ("always", "0 errors, 1 warning")]
    {
        let mut server = NatsServer::stopped(&format!("http: \"127.0.0.1:{port}\""));
        let config = std::fs::read_to_string(server.path("nats.conf")).unwrap();
        let config = config.replace("sync_interval: always", &format!("sync_interval: {interval}"));
        std::fs::write(server.path("nats.conf"), config).unwrap();
        server.start_again();
        server.stream("FAIL", &["fail.>"]);
        let reader = Reader::new(&json!({"servers": [server.url()], "monitor": format!("127.0.0.1:{port}")}));
        let said = reader.live();
        assert!(said.contains(words), "{said}");
    }
    let server = NatsServer::start();
    server.stream("FAIL", &["fail.>"]);
    for (monitor, words) in [
        (format!("127.0.0.1:{port}"), "does not answer"),
        (format!("127.0.0.1:{}", server.port), "is not the monitoring of a NATS server"),
    ] {
        let said = Reader::new(&json!({"servers": [server.url()], "monitor": monitor})).live();
        assert!(said.contains(words), "{said}");
    }
}

/// Makes an authority, and a certificate of it for 127.0.0.1; returns the name of the directory.
fn certificates() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let script = r#"set -e
for ca in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $ca.key -out $ca.pem -days 2 -subj "/CN=$ca"
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=server
echo subjectAltName=IP:127.0.0.1 > san
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem
"#;
    common::run(std::process::Command::new("sh").args(["-c", script]).current_dir(&directory));
    directory
}

#[test]
fn a_server_whose_certificate_is_from_another_authority_is_not_used() {
    let certificates = certificates();
    let path = |name: &str| certificates.path().join(name);
    let tls = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        path("server.pem").display(),
        path("server.key").display(),
        path("ca.pem").display()
    );
    let server = NatsServer::start_with(&tls);
    let url = server.url().replace("nats://", "tls://");
    let with = |ca: &str| json!({"servers": [url], "caFile": path(ca), "certificateFile": path("server.pem"), "keyFile": path("server.key")});
    let reader = Reader::new(&with("other.pem"));
    let said = reader.live();
    assert!(said.contains("invalid peer certificate: UnknownIssuer"), "{said}");
    reader.configure(&with("ca.pem"));
    let said = reader.live();
    assert!(said.contains("stream not found"), "{said}");
    // A certificate that the server wants to see.
    reader.configure(&json!({"servers": [url], "caFile": path("ca.pem")}));
    let said = reader.live();
    assert!(said.contains("the connection `fleet`"), "{said}");
}

#[test]
fn what_is_published_waits_bounded_and_comes_in_order_once() {
    let mut server = NatsServer::start();
    server.stream("FAIL", &["fail.>"]);
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(
        &journald,
        &json!({
            "keyed": [
                {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^word (?P<key>\\S+) (?P<n>.*)$"}},
                {"action": "action_publish", "args": {
                    "to": "fleet", "subject": "fail.word", "fields": ["n", "key"], "key": "key"}},
            ],
            "all": [
                {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^failure (?P<n>.*)$"}},
                {"action": "action_publish", "args": {"to": "fleet", "subject": "fail.web", "fields": ["n"]}},
            ],
        }),
        &json!({"nats": {"fleet": {"servers": [server.url()], "maxWaiting": 50}}}),
    );
    let mut running = site.start(None);
    journald.line("test", 6, "failure 0");
    let published = |count: usize| {
        wait_for("published messages", || {
            let messages = server.messages("FAIL");
            (messages.len() == count).then(|| {
                let n = |(_, payload): &(String, Value)| payload["n"].as_str().unwrap().to_owned();
                messages.iter().map(n).collect::<Vec<String>>()
            })
        })
    };
    assert_eq!(published(1), ["0"]);
    server.kill();
    for n in 1..=40 {
        journald.line("test", 6, &format!("failure {n}"));
    }
    for n in 1..=30 {
        journald.line("test", 6, &format!("word a {n}"));
        journald.line("test", 6, &format!("word b {n}"));
    }
    let waiting = |site: &Site| {
        let outbox = site.pyruse(None, &["outbox", "list", "--json"]);
        let outbox: Value = serde_json::from_slice(&outbox.stdout).unwrap();
        outbox["deliveries"].as_array().unwrap().len()
    };
    wait_for(&format!("42 waiting: {} {}", waiting(&site), site.log()), || {
        (waiting(&site) == 42).then_some(())
    });
    // A crash; what waits is still there.
    running.signal("-KILL");
    running.wait();
    running = site.start(None);
    for n in 41..=60 {
        journald.line("test", 6, &format!("failure {n}"));
    }
    wait_for("50 waiting", || (waiting(&site) == 50).then_some(()));
    wait_for("the loss", || site.log().contains("the oldest message to `fleet` is lost").then_some(()));
    server.start_again();
    let messages = {
        let server = &server;
        wait_for("published messages", || {
            let messages = server.messages("FAIL");
            (messages.len() == 51).then_some(messages)
        })
    };
    let found: Vec<String> =
        messages.iter().map(|(_, payload)| payload["n"].as_str().unwrap().to_owned()).collect();
    // The newest word of each key; and of the others the newest, but for the few that the courier had.
    let (words, failures): (Vec<_>, Vec<_>) =
        messages.iter().zip(found).partition(|((subject, _), _)| subject == "fail.word");
    let words: Vec<_> = words.into_iter().map(|((_, payload), n)| (payload["key"].clone(), n)).collect();
    assert_eq!(words, [(json!("a"), "30".to_owned()), (json!("b"), "30".to_owned())]);
    let numbers: Vec<u32> = failures.into_iter().map(|(_, n)| n.parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers[0] == 0 && numbers[48] == 60, "{numbers:?}");
    assert_eq!(numbers.iter().collect::<std::collections::BTreeSet<_>>().len(), 49, "{numbers:?}");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.messages("FAIL").len(), 51, "nothing comes twice");
    assert!(running.terminate().success(), "{}", site.log());
}

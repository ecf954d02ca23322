//! Mails through a real SMTP server, which is late, strict, broken or gone: they wait and arrive once, or are given up
//! and seen. `smtp/server.py` is the server; Python's `aiosmtpd` speaks the protocol for it.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{Firewall, Journald, Running, Site, mail_server, make_journal, run, wait_for};
use serde_json::{Value, json};

const USER: &str = "pyruse";

/// A server that runs until it is dropped. Its certificate is made out to `localhost` by an authority of its own.
struct Server {
    directory: PathBuf,
    port: u16,
    tls: &'static str,
    child: Option<Child>,
}

impl Server {
    fn start(site: &Site, tls: &'static str) -> Server {
        let directory = site.path("smtp");
        fs::create_dir_all(directory.join("mails")).unwrap();
        if tls != "none" {
            make_certificates(&directory);
        }
        // Closed at once; nobody else uses a port by its number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Server { directory, port, tls, child: None };
        server.restart("right");
        server
    }

    /// With this password.
    fn restart(&mut self, password: &str) {
        self.stop();
        let port = self.port.to_string();
        let [certificate, key] = ["server.pem", "server.key"].map(|name| self.directory.join(name));
        let args = [&port, self.tls, certificate.to_str().unwrap(), key.to_str().unwrap(), USER, password];
        self.child = Some(mail_server::start(&self.directory, &args));
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn set(&self, name: &str, text: &str) {
        let new = self.directory.join(".new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.directory.join(name)).unwrap();
    }

    /// The settings `email` for it.
    fn settings(&self, password_file: &Path) -> Value {
        let mut smtp = json!({
            "host": "localhost", "port": self.port, "tls": self.tls, "user": USER, "passwordFile": password_file});
        if self.tls != "none" {
            smtp["caFile"] = json!(self.directory.join("ca.pem"));
        }
        email(&smtp)
    }

    /// What it was asked, and what it answered.
    fn dialogue(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("dialogue")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn answers(&self, code: &str) -> usize {
        self.dialogue().iter().filter(|line| line.starts_with(code)).count()
    }

    /// The mails that it has taken, in their order.
    fn mails(&self) -> Vec<Mail> {
        let files = fs::read_dir(self.directory.join("mails")).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "mail"));
        let mut mails: Vec<(SystemTime, Mail)> = files
            .map(|path| {
                (path.metadata().unwrap().modified().unwrap(), Mail::read(&fs::read_to_string(path).unwrap()))
            })
            .collect();
        mails.sort_by_key(|(time, _)| *time);
        mails.into_iter().map(|(_, mail)| mail).collect()
    }

    fn wait_mails(&self, count: usize, site: &Site) -> Vec<Mail> {
        wait_for(&format!("{count} mails; {}", site.log()), || {
            Some(self.mails()).filter(|mails| mails.len() >= count)
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Mail {
    session: String,
    recipients: Vec<String>,
    subject: String,
    identity: String,
    body: String,
}

impl Mail {
    fn read(text: &str) -> Mail {
        let (head, body) = text.split_once("\n\n").unwrap();
        let all = |name: &str| {
            let values = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            values.map(str::to_owned).collect::<Vec<_>>()
        };
        let one = |name: &str| all(name).into_iter().next().unwrap_or_default();
        Mail {
            session: one("X-Session"),
            recipients: all("X-Recipient"),
            subject: one("Subject"),
            identity: one("Message-ID"),
            body: body.trim_end().to_owned(),
        }
    }
}

/// An authority, and by it a certificate for `localhost`.
fn make_certificates(directory: &Path) {
    if directory.join("server.pem").exists() {
        return;
    }
    let openssl = |args: &str| run(Command::new("openssl").args(args.split(' ')).current_dir(directory));
    fs::write(
        directory.join("san"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {new_key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    openssl(&format!("req {new_key} -keyout server.key -out server.csr -subj /CN=localhost"));
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem",
    );
}

fn email(smtp: &Value) -> Value {
    json!({"email": {
        "from": "pyruse@example.org",
        "to": ["hostmaster@example.org", "second@example.org"],
        "smtp": smtp,
        "timeoutSeconds": 20,
        "maxPerHour": 0,
    }})
}

fn password_file(site: &Site, text: &str) -> PathBuf {
    let path = site.path("password");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Each line of the program `SUBJECT` is mailed with that subject.
fn mail_rules(subjects: &[&str]) -> Value {
    let chains = subjects.iter().map(|subject| {
        let steps = json!([
            {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": subject}},
            {"action": "action_email", "args": {"subject": subject, "message": "{MESSAGE}"}},
        ]);
        ((*subject).to_owned(), steps)
    });
    Value::Object(chains.collect())
}

fn parts(tls: &'static str) -> (Journald, Site, Server) {
    let (journald, site) = (Journald::start(), Site::new());
    let server = Server::start(&site, tls);
    (journald, site, server)
}

fn wait_log(site: &Site, text: &str) {
    wait_for(&format!("`{text}` in the log: {}", site.log()), || site.log().contains(text).then_some(()));
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn bodies(mails: &[Mail]) -> Vec<&str> {
    mails.iter().map(|mail| mail.body.as_str()).collect()
}

#[test]
fn a_mail_is_sent_by_starttls_to_a_server_with_a_login() {
    let (journald, site, server) = parts("starttls");
    let password = password_file(&site, "right\n");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "Grüße\n.\n..dots");
    let mails = server.wait_mails(1, &site);
    stop(pyruse, &site);
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(mail.session.starts_with("tls pyruse "), "{mail:?}");
    assert_eq!(mail.recipients, ["hostmaster@example.org", "second@example.org"]);
    assert_eq!((mail.subject.as_str(), mail.body.as_str()), ("alert", "Gr=C3=BC=C3=9Fe\n=2E\n=2E.dots"));
    assert_eq!(server.answers("235"), 1);
    assert!(!site.log().contains("right"), "{}", site.log());
}

#[test]
fn a_mail_is_sent_over_a_connection_with_implicit_tls() {
    let (journald, site, server) = parts("implicit");
    let password = password_file(&site, "right");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    let mails = server.wait_mails(1, &site);
    stop(pyruse, &site);
    assert!(mails[0].session.starts_with("tls pyruse "), "{mails:?}");
    assert_eq!(bodies(&mails), ["one"]);
}

#[test]
fn a_password_goes_in_the_clear_to_this_machine_only() {
    let (journald, site, server) = parts("none");
    let password = password_file(&site, "right");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    let mails = server.wait_mails(1, &site);
    stop(pyruse, &site);
    assert!(mails[0].session.starts_with("clear pyruse "), "{mails:?}");
}

#[test]
fn a_server_with_an_untrusted_certificate_gets_neither_password_nor_mail() {
    for tls in ["starttls", "implicit"] {
        let (journald, site, server) = parts(tls);
        let password = password_file(&site, "right");
        let mut settings = server.settings(&password);
        settings["email"]["smtp"].as_object_mut().unwrap().remove("caFile");
        site.configure_with(&journald, &mail_rules(&["alert"]), &settings);
        let pyruse = site.start(None);
        journald.line("alert", 6, "one");
        wait_log(&site, "invalid peer certificate: UnknownIssuer");
        assert_eq!(server.dialogue(), [""; 0]);
        // The operator corrects it.
        site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
        pyruse.signal("-HUP");
        assert_eq!(bodies(&server.wait_mails(1, &site)), ["one"]);
        stop(pyruse, &site);
    }
}

#[test]
fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let (journald, site, server) = parts("none");
    let password = password_file(&site, "right");
    let mut settings = server.settings(&password);
    settings["email"]["smtp"]["tls"] = json!("starttls");
    site.configure_with(&journald, &mail_rules(&["alert"]), &settings);
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    wait_log(&site, "STARTTLS is not supported");
    stop(pyruse, &site);
    assert_eq!(server.dialogue(), [""; 0]);
}

#[test]
fn with_a_wrong_password_mails_wait_until_it_is_corrected() {
    let (journald, site, server) = parts("starttls");
    let password = password_file(&site, "wrong");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    journald.line("alert", 6, "two");
    wait_log(&site, "logging in: permanent error (535)");
    wait_for("more tries", || (server.answers("535") >= 3).then_some(()));
    assert_eq!(server.mails(), []);
    password_file(&site, "right");
    let mails = server.wait_mails(2, &site);
    stop(pyruse, &site);
    assert_eq!(bodies(&mails).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["one", "two"]));
    assert!(!site.log().contains("given up"), "{}", site.log());
}

#[test]
fn a_password_that_is_changed_on_both_sides_needs_no_restart() {
    let (journald, site, mut server) = parts("starttls");
    let password = password_file(&site, "right");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    server.wait_mails(1, &site);
    server.restart("rotated");
    password_file(&site, "rotated\n");
    journald.line("alert", 6, "two");
    let mails = server.wait_mails(2, &site);
    // While it does not run, nothing can be sent, and that is logged.
    fs::remove_file(&password).unwrap();
    journald.line("alert", 6, "three");
    wait_log(&site, &format!("{}: No such file or directory", password.display()));
    password_file(&site, "rotated\n");
    server.wait_mails(3, &site);
    stop(pyruse, &site);
    assert_eq!(bodies(&mails), ["one", "two"]);
    assert_eq!(server.answers("535"), 0);
}

#[test]
fn a_mail_that_is_greylisted_comes_back_and_arrives_once() {
    let (journald, site, server) = parts("starttls");
    let password = password_file(&site, "right");
    // Both recipients of the first try, the first of the second.
    server.set("greylist", "3");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    wait_log(&site, "hostmaster@example.org: transient error (450): 4.2.0 greylisted, come back");
    wait_for("all to be served", || {
        let recipients = server.mails().into_iter().flat_map(|mail| mail.recipients);
        (recipients.count() >= 2).then_some(())
    });
    stop(pyruse, &site);
    let mails = server.mails();
    let sent_to: Vec<&[String]> = mails.iter().map(|mail| mail.recipients.as_slice()).collect();
    assert_eq!(sent_to, [["second@example.org".to_owned()], ["hostmaster@example.org".to_owned()]]);
    assert_eq!(mails[0].identity, mails[1].identity);
    assert_eq!(bodies(&mails), ["one", "one"]);
}

#[test]
fn a_mail_that_is_refused_temporarily_after_its_data_is_the_same_at_each_try() {
    let (journald, site, server) = parts("starttls");
    let password = password_file(&site, "right");
    server.set("full", "");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    wait_for("two tries", || (server.answers("452") >= 2).then_some(()));
    wait_log(&site, "transient error (452): 4.3.1 the disk is full");
    fs::remove_file(server.directory.join("full")).unwrap();
    let mails = server.wait_mails(1, &site);
    stop(pyruse, &site);
    assert_eq!(mails.len(), 1);
    let about = |code: &str| -> BTreeSet<String> {
        let lines = server.dialogue().into_iter();
        lines.filter_map(|line| Some(line.strip_prefix(code)?.trim().to_owned())).collect()
    };
    assert_eq!(about("452"), BTreeSet::from([mails[0].identity.clone()]));
}

#[test]
fn mails_for_a_server_that_is_down_arrive_once_when_it_is_up_also_after_a_restart() {
    let (journald, site, mut server) = parts("starttls");
    let password = password_file(&site, "right");
    site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
    server.stop();
    let pyruse = site.start(None);
    for text in ["one", "two", "three"] {
        journald.line("alert", 6, text);
    }
    wait_log(&site, "connecting: Connection error: Connection refused");
    stop(pyruse, &site);
    let queued = identities(&site);
    assert_eq!(queued.len(), 3);

    let pyruse = site.start(None);
    journald.line("alert", 6, "four");
    wait_for("the fourth mail", || (identities(&site).len() == 4).then_some(()));
    pyruse.kill();
    let pyruse = site.start(None);
    server.restart("right");
    let mails = server.wait_mails(4, &site);
    wait_for("an empty queue", || identities(&site).is_empty().then_some(()));
    stop(pyruse, &site);
    assert_eq!(server.mails().len(), 4, "each once");
    assert_eq!(
        bodies(&mails).into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from(["one", "two", "three", "four"])
    );
    let arrived: BTreeSet<&String> = mails.iter().map(|mail| &mail.identity).collect();
    assert!(queued.iter().all(|identity| arrived.contains(identity)), "{queued:?} {arrived:?}");
}

/// What waits in the queue: the messages as they are stored.
fn queued(site: &Site) -> Vec<Value> {
    let query = "import sqlite3, sys\n\
        rows = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True).execute(\
        \"SELECT value FROM rows WHERE part = (SELECT id FROM parts WHERE name = 'action_email') ORDER BY key\")\n\
        print('\\n'.join(bytes(row[0]).decode() for row in rows))";
    let files = fs::read_dir(site.path("state")).unwrap().map(|entry| entry.unwrap().path());
    let mut files = files.filter(|path| path.extension().is_some_and(|end| end == "sqlite"));
    let file = files.next().expect("the state's file");
    let rows = run(Command::new("/usr/bin/python3").args(["-c", query]).arg(file));
    rows.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// How often the mail was tried that was tried most. The daemon is asked: tries that fail as before are not stored.
fn tries(site: &Site) -> u64 {
    let output = site.pyruse(None, &["outbox", "list", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let deliveries = list["deliveries"].as_array().into_iter().flatten();
    deliveries.filter_map(|delivery| delivery["tries"].as_u64()).max().unwrap_or(0)
}

fn identities(site: &Site) -> Vec<String> {
    let payloads = queued(site).into_iter().map(|message| message["payload"].as_str().unwrap().to_owned());
    let mails = payloads.map(|payload| serde_json::from_str::<Value>(&payload).unwrap());
    mails.map(|mail| mail["message_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_permanently_refused_mail_is_given_up_and_listed_and_delays_no_other() {
    let (journald, site, server) = parts("starttls");
    let password = password_file(&site, "right");
    server.set("spam", "spam");
    site.configure_with(&journald, &mail_rules(&["spam", "alert"]), &server.settings(&password));
    let pyruse = site.start(None);
    journald.line("spam", 6, "one");
    journald.line("alert", 6, "two");
    assert_eq!(bodies(&server.wait_mails(1, &site)), ["two"]);
    wait_log(&site, "is given up: SMTP server localhost port");
    wait_log(&site, "the mail: permanent error (554): 5.7.1 this is spam");

    // Of two recipients one is unknown: the other gets it.
    server.set("unknown", "hostmaster@example.org");
    journald.line("alert", 6, "three");
    let mails = server.wait_mails(2, &site);
    assert_eq!(
        (bodies(&mails)[1], mails[1].recipients.join(" ")),
        ("three", "second@example.org".to_owned())
    );
    wait_log(
        &site,
        "hostmaster@example.org: permanent error (550): 5.1.1 no such user (it has reached 1 other)",
    );
    // Both are.
    server.set("unknown", "hostmaster@example.org second@example.org");
    journald.line("alert", 6, "four");
    wait_log(&site, "no such user; second@example.org: permanent error (550): 5.1.1 no such user");
    server.set("unknown", "");
    journald.line("alert", 6, "five");
    let mails = server.wait_mails(3, &site);
    stop(pyruse, &site);
    assert_eq!(bodies(&mails), ["two", "three", "five"]);
    assert_eq!(site.log().matches("is given up").count(), 3, "{}", site.log());

    // They stay to be looked at, and are not tried again.
    let pyruse = site.start(None);
    journald.line("alert", 6, "six");
    server.wait_mails(4, &site);
    stop(pyruse, &site);
    let left = queued(&site);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|message| message["status"] == "givenup"), "{left:?}");
    assert!(left[0]["error"].as_str().unwrap().contains("this is spam"), "{left:?}");
    assert_eq!(server.answers("554"), 1);
}

#[test]
fn a_refused_sender_or_relay_is_a_setting_and_mails_wait_until_it_is_changed() {
    for (file, answer, setting) in [
        ("sender", "553 5.7.1 not your address", "from"),
        ("sender", "550 sender verify failed", "from"),
        ("relay", "554 5.7.1 Relay access denied", "smtp.user"),
        ("relay", "550 relay not permitted", "smtp.user"),
        ("relay", "553 sorry, not in my list of allowed hosts", "smtp.user"),
    ] {
        let (journald, site, server) = parts("starttls");
        let password = password_file(&site, "right");
        server.set(file, answer);
        site.configure_with(&journald, &mail_rules(&["alert"]), &server.settings(&password));
        let pyruse = site.start(None);
        journald.line("alert", 6, "one");
        wait_log(
            &site,
            "ERROR action_email: a delivery failed because of a setting; change it and reload: SMTP server",
        );
        assert!(site.log().contains(&format!("`email.{setting}`")), "{answer}: {}", site.log());
        wait_for("a second try", || (tries(&site) >= 2).then_some(()));
        // The operator changes it. A reload does not wait for the next try.
        server.set(file, "");
        pyruse.signal("-HUP");
        assert_eq!(bodies(&server.wait_mails(1, &site)), ["one"], "{answer}");
        stop(pyruse, &site);
        assert!(!site.log().contains("given up"), "{answer}: {}", site.log());
    }
}

#[test]
fn a_self_signed_certificate_is_accepted_if_it_is_the_one_in_the_file_and_no_other() {
    for tls in ["starttls", "implicit"] {
        let (journald, site, mut server) = parts(tls);
        let password = password_file(&site, "right");
        let mut settings = server.settings(&password);
        // As everybody makes one: an authority (CA:TRUE), without the name of the host in its subjectAltName.
        let make = |name: &str| {
            let args = format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.pem \
                 -days 2 -subj /CN=mail.example.org"
            );
            run(Command::new("openssl").args(args.split_whitespace()).current_dir(&server.directory));
        };
        make("server");
        make("other");
        let pinned = server.directory.join("pinned.pem");
        fs::copy(server.directory.join("other.pem"), &pinned).unwrap();
        settings["email"]["smtp"]["caFile"] = json!(pinned);
        server.restart("right");
        site.configure_with(&journald, &mail_rules(&["alert"]), &settings);
        let pyruse = site.start(None);
        journald.line("alert", 6, "one");
        // The file holds another certificate with the same name.
        wait_log(&site, "invalid peer certificate: ");
        wait_for("a second try", || (tries(&site) >= 2).then_some(()));
        assert_eq!(server.dialogue(), [""; 0]);
        fs::copy(server.directory.join("server.pem"), &pinned).unwrap();
        pyruse.signal("-HUP");
        let mails = server.wait_mails(1, &site);
        stop(pyruse, &site);
        assert!(mails[0].session.starts_with("tls pyruse "), "{mails:?}");
    }
}

#[test]
fn a_host_that_does_not_resolve_is_retried_and_listed_and_delays_no_ban() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    let smtp = email(&json!({"host": "nonexistent.invalid"}));
    site.configure_with(&journald, &common::ssh_rules(600), &smtp);
    let pyruse = site.start(Some(&firewall));
    for n in 1..=3 {
        for _ in 0..3 {
            common::failed_login(&journald, &format!("192.0.2.{n}"));
        }
    }
    wait_for("the bans", || (firewall.addresses("ip Inet4 ssh_ban").len() == 3).then_some(()));
    wait_log(&site, "SMTP server nonexistent.invalid port 587: connecting: Connection error: ");
    wait_for("a second try", || (tries(&site) >= 2).then_some(()));
    stop(pyruse, &site);
    assert_eq!(queued(&site).len(), 3);
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_abandoned_at_the_timeout() {
    let (journald, site) = (Journald::start(), Site::new());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut smtp = email(&json!({"host": "127.0.0.1", "port": port, "tls": "none"}));
    smtp["email"]["timeoutSeconds"] = json!(1);
    site.configure_with(&journald, &mail_rules(&["alert"]), &smtp);
    let pyruse = site.start(None);
    journald.line("alert", 6, "one");
    wait_for("a second try", || (tries(&site) >= 2).then_some(()));
    stop(pyruse, &site);
    assert!(
        site.log()
            .contains("port {port}: connecting: network error".replace("{port}", &port.to_string()).as_str()),
        "{}",
        site.log()
    );
}

/// What `check` says of these settings `email`, with the paths of this test taken out.
fn logged(site: &Site, email: &str) -> String {
    let config =
        format!("{{\n\"actions\": {{\"a\": [{{\"action\": \"action_noop\"}}]}},\n\"email\": {email}\n}}\n");
    fs::write(site.path("pyruse.json"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .args(["check", "pyruse.json"])
        .current_dir(site.directory.path())
        .env("COLUMNS", "500")
        .output()
        .unwrap();
    format!("{email}\n{}", String::from_utf8([output.stderr, output.stdout].concat()).unwrap())
}

#[test]
fn settings_that_cannot_work_are_refused_with_their_place() {
    let site = Site::new();
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(site.path(name), text).unwrap();
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("good", "secret\n", 0o600);
    write("open", "secret\n", 0o644);
    write("empty", "\n", 0o600);
    write("no.pem", "no certificate\n", 0o644);
    write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    let mut all = String::new();
    for email in [
        r#"{"sendmail": ["/bin/true"], "smtp": {"host": "mail"}}"#,
        r#"{"smtp": {}}"#,
        r#"{"smtp": {"host": "smtp://mail:25"}}"#,
        r#"{"smtp": {"host": "mail", "port": 0}}"#,
        r#"{"smtp": {"host": "mail", "port": 70000}}"#,
        r#"{"smtp": {"host": "mail", "tls": "ssl"}}"#,
        r#"{"smtp": {"host": "mail", "user": "me"}}"#,
        r#"{"smtp": {"host": "mail", "passwordFile": "good"}}"#,
        r#"{"smtp": {"host": "mail", "user": "me", "passwordFile": "gone"}}"#,
        r#"{"smtp": {"host": "mail", "user": "me", "passwordFile": "empty"}}"#,
        r#"{"smtp": {"host": "mail", "user": "me", "passwordFile": "open"}}"#,
        r#"{"smtp": {"host": "mail", "user": "me", "passwordFile": "good", "tls": "none"}}"#,
        r#"{"smtp": {"host": "mail", "caFile": "gone"}}"#,
        r#"{"smtp": {"host": "mail", "caFile": "no.pem"}}"#,
        r#"{"smtp": {"host": "mail", "caFile": "bad.pem"}}"#,
        r#"{"smtp": {"host": "mail", "pasword": "secret"}}"#,
        r#"{"maxPerHour": -1}"#,
        r#"{"smtp": {"host": "localhost", "user": "me", "passwordFile": "good", "tls": "none"}, "maxPerHour": 0}"#,
    ] {
        let _ = writeln!(all, "{}", logged(&site, email));
    }
    insta::assert_snapshot!(all);
}

/// 200 entries of one subject within 20 minutes, and one of another, that long ago.
fn old_flood(site: &Site, seconds_ago: u64) -> PathBuf {
    let first = SystemTime::now().checked_sub(Duration::from_secs(seconds_ago)).unwrap();
    let first = first.duration_since(UNIX_EPOCH).unwrap();
    let mut export = String::new();
    for n in 0..200_u64 {
        let time = (first + Duration::from_secs(6 * n)).as_micros();
        let subject = if n == 150 { "other" } else { "alert" };
        let _ = write!(
            export,
            "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={n}\n_BOOT_ID={:032x}\nSYSLOG_IDENTIFIER={subject}\n\
             MESSAGE=text {}\n\n",
            7,
            n % 70,
        );
    }
    let file = site.path("old.journal");
    make_journal(export.as_bytes(), &file);
    file
}

/// The program on that journal, with sendmail; at most 60 mails a subject and hour.
fn configure_flood(site: &Site, file: &Path) {
    // Like the real ones, it refuses an empty mail: a killed daemon may have started it without any input.
    let mailbox = site.path("mails").display().to_string();
    site.script("sendmail", &format!("t={mailbox}/.$$-$PPID; cat > $t; test -s $t && mv $t $t.mail"));
    let config = json!({
        "actions": mail_rules(&["alert", "other"]),
        "storage": site.path("state"),
        "journal": {"files": [file]},
        "email": {
            "from": "pyruse@example.org", "to": ["hostmaster@example.org"],
            "sendmail": [site.path("sendmail"), "-t"],
        },
    });
    fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
}

fn flood_mails(site: &Site) -> Vec<Mail> {
    site.mails().iter().map(|mail| Mail::read(mail)).collect()
}

/// Waits until this many different mails have the subject.
fn wait_count(site: &Site, subject: &str, wanted: usize) {
    let mut rounds = 0;
    wait_for(&format!("{wanted} mails `{subject}`"), || {
        let mails = flood_mails(site);
        rounds += 1;
        if rounds % 2000 == 0 {
            let subjects: BTreeSet<&String> = mails.iter().map(|mail| &mail.subject).collect();
            eprintln!("{} mails, {subjects:?}; {}", mails.len(), site.log());
        }
        (count(&mails, subject) >= wanted).then_some(())
    });
}

fn count(mails: &[Mail], subject: &str) -> usize {
    let identities = mails.iter().filter(|mail| mail.subject == subject).map(|mail| &mail.identity);
    identities.collect::<BTreeSet<_>>().len()
}

#[test]
fn a_flood_makes_60_single_mails_and_one_digest() {
    let site = Site::new();
    configure_flood(&site, &old_flood(&site, 7200));
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    pyruse.wait_ready();
    wait_for("all mails", || (site.mails().len() >= 62).then_some(()));
    stop(pyruse, &site);
    let mails = flood_mails(&site);
    assert_eq!(mails.len(), 62, "{}", site.log());
    assert_eq!((count(&mails, "alert"), count(&mails, "other")), (60, 1));
    let digest = mails.iter().find(|mail| mail.subject == "alert (139 more)").expect("the digest");
    assert!(digest.body.starts_with("139 more with the subject"), "{digest:?}");
    // Each of the 70 texts is there once, and the counts add up to all held mails.
    let logged = |body: &str| {
        let lines: Vec<&str> = body.lines().collect();
        let texts = lines.iter().filter(|line| line.starts_with("    text ")).count();
        let times = lines.iter().filter_map(|line| match line.split_once(' ')? {
            ("once,", _) => Some(1),
            (count, rest) if rest.starts_with("times, ") => count.parse().ok(),
            _ => None,
        });
        (texts, times.sum::<usize>())
    };
    assert_eq!(logged(&unquoted(&digest.body)), (70, 139));
}

/// Quoted-printable, of which the tests need no more than the line ends.
fn unquoted(body: &str) -> String {
    body.replace("=\n", "")
}

#[test]
fn a_digest_is_sent_once_at_the_end_of_its_hour_however_often_the_daemon_is_killed() {
    let site = Site::new();
    // The hour ends 20 seconds from now.
    configure_flood(&site, &old_flood(&site, 3600 - 20));
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    pyruse.wait_ready();
    wait_count(&site, "alert", 60);
    pyruse.kill();
    for _ in 0..3 {
        let pyruse = site.start(None);
        assert_eq!(count(&flood_mails(&site), "alert (139 more)"), 0, "it is early");
        pyruse.kill();
    }
    // A configuration in which no step uses this subject, with a higher limit, also sends the held mails.
    let text = fs::read_to_string(site.path("pyruse.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["actions"] = mail_rules(&["other"]);
    config["email"]["maxPerHour"] = json!(1000);
    fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
    let pyruse = site.start(None);
    wait_count(&site, "alert (139 more)", 1);
    pyruse.kill();
    for _ in 0..3 {
        site.start(None).kill();
    }
    let pyruse = site.start(None);
    wait_for("an empty queue", || queued(&site).is_empty().then_some(()));
    stop(pyruse, &site);
    let mails = flood_mails(&site);
    assert_eq!((count(&mails, "alert"), count(&mails, "alert (139 more)")), (60, 1));
    assert_eq!(mails.iter().map(|mail| &mail.identity).collect::<BTreeSet<_>>().len(), 62);
}

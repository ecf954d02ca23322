//! How a mail is sent if the configuration names neither a program nor a server: in a service whose programs cannot become
//! another user, and in one where they can. The tests have networks and a `/usr/bin` of their own: a
//! sendmail of this machine is never run.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};

use common::{Journald, Site, mail_server, run, wait_for};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use serde_json::{Value, json};

/// Gives this thread, and the programs it starts, a network without a server and a `/usr/bin` with this test's sendmail.
fn move_out(site: &Site) {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).expect("tests are run as root");
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    run(Command::new("ip").args(["link", "set", "lo", "up"]));
    let top = site.path("bin");
    fs::create_dir(&top).unwrap();
    mount(None::<&str>, &top, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    let (upper, work) = (top.join("upper"), top.join("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    fs::copy(site.path("sendmail"), upper.join("sendmail")).unwrap();
    let layers = format!("lowerdir=/usr/bin,upperdir={},workdir={}", upper.display(), work.display());
    mount(Some("overlay"), "/usr/bin", Some("overlay"), MsFlags::empty(), Some(layers.as_str())).unwrap();
    // The layers hold it; and where it was mounted can be removed with the rest of the site.
    umount2(&top, MntFlags::MNT_DETACH).unwrap();
}

/// A server on port 25, which takes mails from anybody.
struct Server {
    directory: PathBuf,
    child: Child,
}

impl Server {
    fn start(site: &Site) -> Server {
        let directory = site.path("smtp");
        fs::create_dir_all(directory.join("mails")).unwrap();
        let child = mail_server::start(&directory, &["25", "none"]);
        Server { directory, child }
    }

    fn mails(&self) -> Vec<String> {
        let files = fs::read_dir(self.directory.join("mails")).unwrap().map(|entry| entry.unwrap().path());
        let taken = files.filter(|path| path.extension().is_some_and(|extension| extension == "mail"));
        taken.map(|path| fs::read_to_string(path).unwrap()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn rules() -> Value {
    json!({"a": [
        {"filter": "filter_equals", "args": {"field": "SYSLOG_IDENTIFIER", "value": "alert"}},
        {"action": "action_email", "args": {"message": "{MESSAGE}"}},
    ]})
}

/// A journal, and a site whose configuration does not say how mails are sent, moved out.
fn parts() -> (Journald, Site) {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure_with(&journald, &rules(), &json!({"email": {"to": ["hostmaster@example.org"]}}));
    move_out(&site);
    (journald, site)
}

#[test]
fn without_set_uid_the_default_is_the_server_on_localhost() {
    let (journald, site) = parts();
    let server = Server::start(&site);
    prctl::set_no_new_privs().unwrap();
    let pyruse = site.start(None);
    journald.line("alert", 6, "by SMTP");
    let mail = wait_for("the mail", || server.mails().pop());
    assert!(mail.starts_with("X-Session: clear nobody ") && mail.contains("\nby SMTP"), "{mail}");
    assert!(pyruse.terminate().success());
    assert_eq!(site.mails(), [""; 0], "{}", site.log());
}

#[test]
fn without_a_server_on_localhost_the_default_is_sendmail() {
    let (journald, site) = parts();
    prctl::set_no_new_privs().unwrap();
    let pyruse = site.start(None);
    journald.line("alert", 6, "by a pipe");
    let mail = wait_for("the mail", || site.mails().pop());
    assert!(mail.contains("\nby a pipe"), "{mail}");
    assert!(pyruse.terminate().success());
}

#[test]
fn when_both_refuse_both_errors_are_reported_and_the_mail_waits() {
    let (journald, site) = parts();
    site.script("sendmail", "echo no spool here >&2; exit 75");
    fs::copy(site.path("sendmail"), "/usr/bin/sendmail").unwrap();
    prctl::set_no_new_privs().unwrap();
    let pyruse = site.start(None);
    journald.line("alert", 6, "later");
    wait_for("both reasons", || {
        let log = site.log();
        let line = log.lines().find(|line| line.contains("SMTP server localhost port 25: "))?.to_owned();
        line.ends_with("; /usr/bin/sendmail: exit status 75: no spool here").then_some(())
    });
    let server = Server::start(&site);
    let mail = wait_for("the mail", || server.mails().pop());
    assert!(mail.contains("\nlater"), "{mail}");
    assert!(pyruse.terminate().success());
}

#[test]
fn if_the_server_refuses_sendmail_is_not_run() {
    let (journald, site) = parts();
    let server = Server::start(&site);
    fs::write(server.directory.join("unknown"), "hostmaster@example.org").unwrap();
    prctl::set_no_new_privs().unwrap();
    let pyruse = site.start(None);
    journald.line("alert", 6, "refused");
    wait_for("its answer", || {
        site.log()
            .contains("is given up: SMTP server localhost port 25: hostmaster@example.org: ")
            .then_some(())
    });
    assert!(pyruse.terminate().success());
    assert_eq!((site.mails(), server.mails()), (vec![], vec![]), "{}", site.log());
}

/// What `check --live` finds about mails: code, message, help.
fn found(site: &Site) -> Vec<String> {
    let output = site.pyruse(None, &["check", "--live", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter();
    let word = |found: &Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let found =
        found.filter(|found| found["message"].as_str().is_some_and(|text| text.contains("mail server")));
    found.map(|found| ["code", "message", "help"].map(|key| word(found, key)).join(" | ")).collect()
}

#[test]
fn check_live_warns_if_no_server_listens_and_reports_recipients_that_a_server_does_not_know() {
    let (_journald, site) = parts();
    assert_eq!(
        found(&site),
        [
            "P102 | no mail server listens on localhost port 25 (connecting: Connection error: Connection refused (os error \
          111)), and /usr/bin/sendmail may not work in the service's sandbox | start the mail server, or name one in \
          `email.smtp`; if that program works in the sandbox (msmtp does), name it in `email.sendmail`"
        ]
    );
    let server = Server::start(&site);
    assert_eq!(found(&site), [""; 0]);
    fs::write(server.directory.join("unknown"), "hostmaster@example.org").unwrap();
    assert_eq!(
        found(&site),
        [
            "P101 | the mail server localhost port 25 refuses hostmaster@example.org: permanent error (550): 5.1.1 no such \
          user | no mail will reach this recipient: write an address that exists; or, on your own mail server, \
         define an alias in /etc/aliases and run newaliases"
        ]
    );
}

#[test]
fn outside_of_a_sandbox_the_default_is_sendmail() {
    let (journald, site) = parts();
    let server = Server::start(&site);
    let pyruse = site.start(None);
    journald.line("alert", 6, "by a pipe");
    wait_for("the mail", || site.mails().pop());
    assert!(pyruse.terminate().success());
    assert_eq!(server.mails(), [""; 0]);
}

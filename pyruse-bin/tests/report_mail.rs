//! The digest as a mail, and the reports that are kept: through a real SMTP server, the real commands, and a checker of
//! HTML.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

use common::{Journald, Site, mail_server, run, wait_for};
use serde_json::{Value, json};

fn rules() -> Value {
    json!({"all": [{"action": "action_dailyReport", "args": {"level": "WARN", "message": "{MESSAGE}"}}]})
}

/// Letters that differ for each number.
fn letters(n: usize) -> String {
    n.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server, and configures the site for it.
fn with_server(journald: &Journald, site: &Site, report: &Value) -> Server {
    let directory = site.path("smtp");
    fs::create_dir_all(directory.join("mails")).unwrap();
    // Closed at once; nobody else uses a port by its number.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server(mail_server::start(&directory, &[&port.to_string(), "none"]));
    let more = json!({
        "dailyReport": report,
        "email": {
            "from": "pyruse@example.org",
            "to": ["root@example.org"],
            "smtp": {"host": "localhost", "port": port, "tls": "none"},
        },
    });
    site.configure_with(journald, &rules(), &more);
    server
}

/// The mails that the server has taken, the first one first.
fn mails(site: &Site) -> Vec<String> {
    let files = fs::read_dir(site.path("smtp/mails")).unwrap().map(|entry| entry.unwrap().path());
    let mut mails: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "mail"))
        .map(|path| (path.metadata().unwrap().modified().unwrap(), fs::read_to_string(&path).unwrap()))
        .collect();
    mails.sort();
    mails.into_iter().map(|(_, mail)| mail.replace("=\n", "")).collect()
}

fn shown(site: &Site, args: &[&str]) -> String {
    let output = site.pyruse(None, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Writes lines, and sends the report when they are all in it.
fn report(journald: &Journald, site: &Site, lines: &[String]) {
    let before = mails(site).len();
    queue_report(journald, site, lines);
    wait_for("the mail", || (mails(site).len() > before).then_some(()));
}

fn queue_report(journald: &Journald, site: &Site, lines: &[String]) {
    for line in lines {
        journald.line("app", 4, line);
    }
    let last = lines.last().unwrap();
    wait_for("the lines", || {
        let object: Value = serde_json::from_str(&shown(site, &["report", "show", "--json"])).unwrap();
        let recorded = object["report"]["lines"].as_array()?;
        recorded.iter().any(|line| line["message"] == json!(last)).then_some(())
    });
    assert!(site.pyruse(None, &["report", "send"]).status.success());
}

/// Checks a page of HTML with `tidy`.
fn assert_valid(page: &Path) {
    let checked = Command::new("tidy").args(["-q", "-e"]).arg(page).output().expect("tidy is needed");
    assert!(checked.status.success(), "{}: {}", page.display(), String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn a_report_that_is_too_large_for_the_server_arrives_in_short_form_at_once_and_is_kept_whole() {
    let (journald, site) = (Journald::start(), Site::new());
    let _server = with_server(&journald, &site, &json!({}));
    let pyruse = site.start(None);
    report(&journald, &site, &["the first".to_owned()]);
    let first = mails(&site).remove(0);
    assert!(first.contains("\nSubject: ") && first.contains(": first report\n"), "{first}");
    assert!(first.contains("\nAuto-Submitted: auto-generated\n"), "{first}");
    assert!(first.contains("\nList-Id: <pyruse-report."), "{first}");

    fs::write(site.path("smtp/limit"), "14000").unwrap();
    let many: Vec<String> = (0..100).map(|n| format!("{} {}", letters(n), "long ".repeat(70))).collect();
    report(&journald, &site, &many);
    let second = mails(&site).remove(1);
    assert!(second.contains("The mail server refused the whole report as too large."), "{second}");
    assert!(!second.contains("text/html") && second.len() < 14_000, "{second}");
    assert!(site.log().contains("a mail is too large for the server"), "{}", site.log());
    let list: Value = serde_json::from_str(&shown(&site, &["report", "list", "--json"])).unwrap();
    let date = list["reports"][0]["date"].as_str().unwrap().to_owned();
    let whole = shown(&site, &["report", "show", "--date", &date]);
    assert!(whole.lines().count() > second.lines().count() / 2 && whole.contains("\nNEW\n"), "{whole}");

    assert!(pyruse.terminate().success());
}

#[test]
fn kept_reports_are_listed_shown_and_exported_as_valid_pages() {
    let (journald, site) = (Journald::start(), Site::new());
    let _server = with_server(&journald, &site, &json!({"attach": "all"}));
    assert_eq!(shown(&site, &["report", "list"]), "");
    let pyruse = site.start(None);
    report(&journald, &site, &["one <script>alert(1)</script> & \"two\"".to_owned()]);
    report(&journald, &site, &["two".to_owned(), "three".to_owned()]);
    assert!(pyruse.terminate().success());

    let list = shown(&site, &["report", "list"]);
    let (date, verdict) = list.lines().next().unwrap().split_once("  ").unwrap();
    assert_eq!((list.lines().count(), verdict), (2, "2 new"), "{list}");
    assert!(shown(&site, &["report", "show", "--date", date]).contains("three"));
    let object: Value =
        serde_json::from_str(&shown(&site, &["report", "show", "--date", date, "--json"])).unwrap();
    let digest = &object["report"]["digest"];
    assert_eq!(digest["verdict"], "2 new", "{object:#}");
    assert_eq!(digest["sections"][0]["rows"][0]["message"], "three", "{object:#}");
    let output = site.pyruse(None, &["report", "show", "--date", "2001-01-01"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("no report of `2001-01-01` is kept"), "{error}");

    let pages = site.path("pages");
    fs::create_dir(&pages).unwrap();
    let other = site.path("other");
    fs::write(&other, "mine").unwrap();
    std::os::unix::fs::symlink(&other, pages.join("index.html")).unwrap();
    shown(&site, &["report", "export", pages.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
    let mut names: Vec<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, [format!("{date}-2.html"), format!("{date}.html"), "index.html".to_owned()]);
    for name in &names {
        assert_valid(&pages.join(name));
        let page = fs::read_to_string(pages.join(name)).unwrap();
        assert!(!page.contains("<script") && !page.contains("src="), "{page}");
    }
    let index = fs::read_to_string(pages.join("index.html")).unwrap();
    assert!(index.contains(&format!("<a href=\"{date}-2.html\">{date}</a> 2 new")), "{index}");

    // The attachment is what was recorded.
    let mail = site.path("mail");
    fs::write(
        &mail,
        fs::read_dir(site.path("smtp/mails"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.metadata().unwrap().modified().unwrap(), fs::read(path).unwrap())
            })
            .max()
            .unwrap()
            .1,
    )
    .unwrap();
    let script = "import sys,email,gzip\nfor part in email.message_from_file(open(sys.argv[1])).walk():\n \
                  if part.get_filename(): print(part.get_filename(), gzip.decompress(part.get_payload(decode=True)).decode())";
    let attached = run(Command::new("python3").args(["-c", script]).arg(&mail));
    assert!(attached.starts_with("lines.txt.gz ") && attached.contains(" WARN two\n"), "{attached}");
    assert!(attached.contains(" WARN three\n"), "{attached}");
}

#[test]
fn a_report_that_was_given_up_is_named_in_the_next_one_and_can_still_be_read() {
    let (journald, site) = (Journald::start(), Site::new());
    let _server = with_server(&journald, &site, &json!({}));
    let pyruse = site.start(None);
    fs::write(site.path("smtp/spam"), "report").unwrap();
    queue_report(&journald, &site, &["a line of the first".to_owned()]);
    wait_for("the refusal", || shown(&site, &["outbox", "list"]).contains("given up").then_some(()));
    let date = shown(&site, &["report", "list"]).split("  ").next().unwrap().to_owned();
    fs::remove_file(site.path("smtp/spam")).unwrap();
    report(&journald, &site, &["a line of the second".to_owned()]);
    let mail = mails(&site).remove(0);
    let words = mail.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("PYRUSE ITSELF - email: 1 delivery was given up"), "{mail}");
    assert!(words.contains(&format!("- The report of {date} did not arrive")), "{mail}");
    let command = format!("pyruse report show --date {date}");
    assert!(words.contains(&format!("`{command}` shows it.")), "{mail}");
    let args: Vec<&str> = command.split(' ').skip(1).collect();
    assert!(shown(&site, &args).contains("a line of the first"), "{}", shown(&site, &args));
    assert!(pyruse.terminate().success());
}

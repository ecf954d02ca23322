//! The imported rules beside fail2ban itself: both read the same logs, which real programs wrote, and ban the same
//! addresses. fail2ban runs in a network namespace of its own, and its action only records.

#[path = "fail2ban/mod.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod fail2ban;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fail2ban::{Copy, Server};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

/// Jails that fail2ban and the imported rules judge differently, the address, and why.
const DIFFERENCES: [(&str, &str, &str); 0] = [];

/// A log: its jails, the recording, the identifiers of the lines, where a line's own date is, and a failure that every
/// jail must ban: fail2ban has read the log when it has banned its address.
struct Log {
    name: &'static str,
    jails: &'static [(&'static str, &'static str)],
    recording: &'static str,
    identifiers: &'static [&'static str],
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `Nov 18 12:06:40 host name[1]: text`.
    Syslog,
    /// The text begins with a date of that form.
    Own(&'static str),
    /// A date in brackets, as in the access log of a web server.
    Access,
}

const LAST: &str = "198.51.100.99";

const LOGS: [Log; 8] = [
    Log {
        name: "auth.log",
        jails: &[
            ("sshd", "sshd[9]: Failed password for root from LAST port 1 ssh2"),
            ("sshd-aggressive", "sshd[9]: Failed password for root from LAST port 1 ssh2"),
        ],
        recording: "sshd",
        identifiers: &["sshd"],
        form: Form::Syslog,
    },
    Log {
        name: "mail.log",
        jails: &[
            (
                "postfix",
                "postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[LAST]: 554 5.7.1 <a@b>: Relay access denied; \
                 from=<a@b> to=<c@d> proto=SMTP helo=<x>",
            ),
            ("postfix-sasl", "postfix/smtpd[9]: warning: unknown[LAST]: SASL LOGIN authentication failed: x"),
        ],
        recording: "postfix",
        identifiers: &[],
        form: Form::Syslog,
    },
    Log {
        name: "dovecot.log",
        jails: &[(
            "dovecot",
            "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<a>, \
             method=PLAIN, rip=LAST, lip=10.0.0.1, session=<x>",
        )],
        recording: "dovecot",
        identifiers: &[],
        form: Form::Syslog,
    },
    Log {
        name: "vsftpd.log",
        jails: &[(
            "vsftpd",
            "vsftpd[9]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=a rhost=LAST",
        )],
        recording: "vsftpd",
        identifiers: &[],
        form: Form::Syslog,
    },
    Log {
        name: "proftpd.log",
        jails: &[(
            "proftpd",
            "proftpd[9]: host (LAST[LAST]) - USER a: no such user found from LAST [LAST] to 10.0.0.1:21",
        )],
        recording: "proftpd",
        identifiers: &[],
        form: Form::Syslog,
    },
    Log {
        name: "exim.log",
        jails: &[(
            "exim",
            "login authenticator failed for (x) [LAST]: 535 Incorrect authentication data (set_id=a)",
        )],
        recording: "exim",
        identifiers: &["exim"],
        form: Form::Own("%Y-%m-%d %H:%M:%S"),
    },
    Log {
        name: "error.log",
        jails: &[(
            "nginx-http-auth",
            "[error] 1#1: *1 user \"a\": password mismatch, client: LAST, server: x, request: \"GET / HTTP/1.1\", host: \
             \"x\"",
        )],
        recording: "nginx",
        identifiers: &["nginx"],
        form: Form::Own("%Y/%m/%d %H:%M:%S"),
    },
    Log {
        name: "access.log",
        jails: &[("nginx-botsearch", "LAST - - [] \"GET /phpmyadmin/ HTTP/1.1\" 404 1 \"-\" \"-\"")],
        recording: "nginx",
        identifiers: &["nginx_access"],
        form: Form::Access,
    },
];

/// A line with that date.
fn line(form: Form, time: Timestamp, head: &str, text: &str) -> String {
    let zoned = time.to_zoned_datetime(TimeZone::UTC);
    match form {
        Form::Syslog => format!("{} host {head}{text}", zoned.strftime("%b %d %H:%M:%S")),
        Form::Own(date) => format!("{} {text}", zoned.strftime(date)),
        Form::Access => {
            let date = zoned.strftime("%d/%b/%Y:%H:%M:%S +0000");
            match (text.find('['), text.find(']')) {
                (Some(open), Some(close)) if open < close => {
                    format!("{}{date}{}", &text[..=open], &text[close..])
                }
                _ => text.to_owned(),
            }
        }
    }
}

/// Writes the recording as a log that ends just now, with failures of the last address behind it.
fn write(log: &Log, path: &Path) {
    let recording = format!("../examples/rules/{}/recorded/bookworm.jsonl", log.recording);
    let recording = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(recording)).unwrap();
    let entries: Vec<Value> = recording.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let time = |entry: &Value| -> i64 { entry["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap() };
    let last = entries.iter().map(time).max().unwrap();
    let now = Timestamp::now();
    let mut lines = Vec::new();
    for entry in &entries {
        let identifier = entry["SYSLOG_IDENTIFIER"].as_str().unwrap_or_default();
        let Some(text) = entry["MESSAGE"].as_str() else { continue };
        if !log.identifiers.is_empty() && !log.identifiers.contains(&identifier) {
            continue;
        }
        let text = text.replace('\n', " ");
        let head =
            entry["_PID"].as_str().map_or(format!("{identifier}: "), |pid| format!("{identifier}[{pid}]: "));
        let at = now - SignedDuration::from_micros(last - time(entry));
        // Without its own date. The zone behind it is that of the date before.
        let text = if matches!(log.form, Form::Own(_)) { text.get(20..).unwrap_or_default() } else { &text };
        let text = text.replace("+0100 ", "+0000 ");
        lines.push(line(log.form, at, &head, &text));
    }
    for (_, failure) in log.jails {
        lines.extend((0..9).map(|_| line(log.form, now, "", &failure.replace("LAST", LAST))));
    }
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// What fail2ban bans, as jail and address.
fn theirs(copy: &Copy, jails: usize) -> BTreeSet<(String, String)> {
    let _server = Server::start(copy, None);
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let recorded = fs::read_to_string(copy.path("banned")).unwrap_or_default();
        let bans: BTreeSet<(String, String)> = recorded
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(jail, ip)| (jail.to_owned(), ip.to_owned()))
            .collect();
        if bans.iter().filter(|(_, ip)| ip == LAST).count() == jails {
            return bans;
        }
        let log = fs::read_to_string(copy.path("fail2ban.log")).unwrap_or_default();
        assert!(Instant::now() < end, "fail2ban has not read all: {bans:?}\n{log}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What the imported rules ban.
fn ours(out: &Path, sources: &Value, log: &Path) -> BTreeSet<(String, String)> {
    let named = sources.as_object().unwrap().iter();
    let path = log.to_str().unwrap();
    let (name, _) = named.clone().find(|(_, source)| source["args"]["paths"][0] == path).expect(path);
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .arg("--config")
        .arg(out.join("pyruse.json"))
        .args(["replay", "--json", "--format", "text", "--field", &format!("_SOURCE={name}"), "--file", path])
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let effects = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let bans = effects.filter(|effect| effect["effect"] == "ban");
    bans.map(|ban| {
        let chain = ban["chain"].as_str().unwrap();
        (chain.split(':').next().unwrap().to_owned(), ban["ip"].as_str().unwrap().to_owned())
    })
    .collect()
}

#[test]
fn the_imported_rules_ban_the_same_addresses_as_fail2ban_itself() {
    let mut jails =
        "[DEFAULT]\nbackend = polling\nignoreself = false\nusedns = no\nbantime = 1d\naction = record\n"
            .to_owned();
    for log in &LOGS {
        for (jail, _) in log.jails {
            let filter = match *jail {
                "sshd-aggressive" => "sshd[mode=aggressive]",
                "postfix-sasl" => "postfix[mode=auth]",
                other => other,
            };
            let _ = writeln!(jails, "[{jail}]\nenabled = true\nmaxretry = 5\nfilter = {filter}");
            let _ = writeln!(jails, "logpath = LOGS/{}", log.name);
        }
    }
    let copy = Copy::with(&jails);
    let record = format!(
        "[Definition]\nactionban = echo '<name> <ip>' >> {0}\nactionunban = true <ip>\n",
        copy.path("banned").display()
    );
    fs::write(copy.directory().join("action.d/record.conf"), record).unwrap();
    for log in &LOGS {
        write(log, &copy.logs().join(log.name));
    }
    let out = copy.path("out");
    let (printed, _) = copy.import(&out, &[]);
    assert!(printed.contains("10 jails: 0 the same, 10 with differences, 0 in part, 0 not"), "{printed}");
    let sources = fail2ban::sources(&out);
    let logs: Vec<PathBuf> = LOGS.iter().map(|log| copy.logs().join(log.name)).collect();
    let ours: BTreeSet<(String, String)> = logs.iter().flat_map(|log| ours(&out, &sources, log)).collect();
    let theirs = theirs(&copy, LOGS.iter().map(|log| log.jails.len()).sum());
    println!("{} bans by fail2ban, {} by the imported rules", theirs.len(), ours.len());
    assert!(theirs.len() > 100, "{theirs:?}");
    let named: BTreeSet<(String, String)> =
        DIFFERENCES.iter().map(|(jail, ip, _)| ((*jail).to_owned(), (*ip).to_owned())).collect();
    let differ: BTreeSet<_> = ours.symmetric_difference(&theirs).cloned().collect();
    let only = |of: &BTreeSet<_>| differ.intersection(of).cloned().collect::<Vec<(String, String)>>();
    assert!(differ == named, "only ours: {:?}\nonly fail2ban's: {:?}", only(&ours), only(&theirs));
}

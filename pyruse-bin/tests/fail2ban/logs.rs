//! Logs for fail2ban and for the imported rules: what real programs wrote, as log files and as a journal that end just
//! now.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::fail2ban::SAMPLES;

/// A log: its jails, where its lines come from, and how a line begins.
pub struct Log {
    pub name: &'static str,
    /// Each with its filter, and a failure that it must ban: fail2ban has read the log when it has banned its address.
    pub jails: &'static [Jail],
    text: Text,
    form: Form,
    /// Who writes the entries of a journal, if a journal has them, too.
    pub journal: Option<Journal>,
}

pub struct Jail {
    pub name: &'static str,
    pub filter: &'static str,
    last: &'static str,
}

const fn jail(name: &'static str, filter: &'static str, last: &'static str) -> Jail {
    Jail { name, filter, last }
}

/// The fields of an entry that a program of that unit writes, and how a jail names it; empty: the filter does.
pub struct Journal {
    unit: &'static str,
    command: &'static str,
    pub matches: &'static str,
}

/// Where lines come from.
enum Text {
    /// The recording of a library's rules: those with one of these identifiers, or all.
    Recorded(&'static str, &'static [&'static str]),
    /// The log that fail2ban's package has for its own tests.
    Sample(&'static str),
    /// Only the last failures.
    Nothing,
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

/// The address of the last failures of every log.
pub const LAST: &str = "198.51.100.99";

/// How often a jail must see an address.
pub const TRIES: usize = 5;

const SSHD: &str = "sshd[9]: Failed password for root from LAST port 1 ssh2";

pub const LOGS: [Log; 11] = [
    Log {
        name: "auth.log",
        jails: &[jail("sshd", "sshd", SSHD), jail("sshd-aggressive", "sshd[mode=aggressive]", SSHD)],
        text: Text::Recorded("sshd", &["sshd"]),
        form: Form::Syslog,
        journal: Some(Journal { unit: "ssh.service", command: "sshd", matches: "" }),
    },
    Log {
        name: "mail.log",
        jails: &[
            jail(
                "postfix",
                "postfix",
                "postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[LAST]: 554 5.7.1 <a@b>: Relay access denied; \
                 from=<a@b> to=<c@d> proto=SMTP helo=<x>",
            ),
            jail(
                "postfix-sasl",
                "postfix[mode=auth]",
                "postfix/smtpd[9]: warning: unknown[LAST]: SASL LOGIN authentication failed: x",
            ),
        ],
        text: Text::Recorded("postfix", &[]),
        form: Form::Syslog,
        journal: Some(Journal {
            unit: "postfix@-.service",
            command: "smtpd",
            matches: "_SYSTEMD_UNIT=postfix@-.service",
        }),
    },
    Log {
        name: "dovecot.log",
        jails: &[jail(
            "dovecot",
            "dovecot",
            "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<a>, \
             method=PLAIN, rip=LAST, lip=10.0.0.1, session=<x>",
        )],
        text: Text::Recorded("dovecot", &[]),
        form: Form::Syslog,
        journal: Some(Journal { unit: "dovecot.service", command: "log", matches: "" }),
    },
    Log {
        name: "vsftpd.log",
        jails: &[jail(
            "vsftpd",
            "vsftpd",
            "vsftpd[9]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=a rhost=LAST",
        )],
        text: Text::Recorded("vsftpd", &[]),
        form: Form::Syslog,
        journal: Some(Journal {
            unit: "vsftpd.service",
            command: "vsftpd",
            matches: "_SYSTEMD_UNIT=vsftpd.service + SYSLOG_IDENTIFIER=vsftpd _UID=0",
        }),
    },
    Log {
        name: "proftpd.log",
        jails: &[jail(
            "proftpd",
            "proftpd",
            "proftpd[9]: host (LAST[LAST]) - USER a: no such user found from LAST [LAST] to 10.0.0.1:21",
        )],
        text: Text::Recorded("proftpd", &[]),
        form: Form::Syslog,
        journal: Some(Journal { unit: "proftpd.service", command: "proftpd", matches: "" }),
    },
    Log {
        name: "exim.log",
        jails: &[jail(
            "exim",
            "exim",
            "login authenticator failed for (x) [LAST]: 535 Incorrect authentication data (set_id=a)",
        )],
        text: Text::Recorded("exim", &["exim"]),
        form: Form::Own("%Y-%m-%d %H:%M:%S"),
        journal: None,
    },
    Log {
        name: "error.log",
        jails: &[jail(
            "nginx-http-auth",
            "nginx-http-auth",
            "[error] 1#1: *1 user \"a\": password mismatch, client: LAST, server: x, request: \"GET / HTTP/1.1\", host: \
             \"x\"",
        )],
        text: Text::Recorded("nginx", &["nginx"]),
        form: Form::Own("%Y/%m/%d %H:%M:%S"),
        // The expressions of this filter find nothing in the journal.
        journal: None,
    },
    Log {
        name: "access.log",
        jails: &[jail(
            "nginx-botsearch",
            "nginx-botsearch",
            "LAST - - [] \"GET /phpmyadmin/ HTTP/1.1\" 404 1 \"-\" \"-\"",
        )],
        text: Text::Recorded("nginx", &["nginx_access"]),
        form: Form::Access,
        journal: None,
    },
    Log {
        name: "apache.log",
        jails: &[jail("apache-auth", "apache-auth", "[error] [client LAST] user a not found: /")],
        text: Text::Sample("apache-auth"),
        form: Form::Own("[%a %b %d %H:%M:%S %Y]"),
        journal: None,
    },
    Log {
        name: "slapd.log",
        jails: &[jail(
            "slapd",
            "slapd",
            "slapd[9]: conn=7 fd=1 ACCEPT from IP=LAST:1 (IP=0.0.0.0:636)\nslapd[9]: conn=7 op=1 RESULT tag=97 err=49 \
             text=",
        )],
        text: Text::Sample("slapd"),
        form: Form::Syslog,
        journal: None,
    },
    Log {
        name: "door.log",
        jails: &[jail("door", "", "doord[9]: refused a b from LAST")],
        text: Text::Nothing,
        form: Form::Syslog,
        journal: None,
    },
];

impl Form {
    /// A line with that date.
    fn line(self, time: Timestamp, head: &str, text: &str) -> String {
        let zoned = time.to_zoned_datetime(TimeZone::UTC);
        match self {
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
}

impl Log {
    /// Writes it into that directory.
    pub fn write(&self, directory: &Path) {
        let now = Timestamp::now();
        let mut lines = Vec::new();
        match &self.text {
            Text::Recorded(..) => {
                let entries = self.entries(now);
                lines.extend(entries.iter().map(|(at, entry)| self.recorded(*at, entry)));
            }
            Text::Sample(name) => {
                let sample = fs::read_to_string(Path::new(SAMPLES).join(name)).expect("a log of the package");
                let texts = sample.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
                    // Behind the date; that of syslog has the name of the host behind it.
                    let (_, text) =
                        line.split_once(if self.form == Form::Syslog { "-server " } else { "] " })?;
                    Some(self.form.line(now, "", text))
                });
                let texts: Vec<String> = texts.collect();
                lines.extend((0..TRIES).flat_map(|_| texts.clone()));
            }
            Text::Nothing => {}
        }
        for jail in self.jails {
            let failure = jail.last.replace("LAST", LAST);
            let failures = (0..TRIES + 4).flat_map(|_| failure.lines());
            lines.extend(failures.map(|text| self.form.line(now, "", text)));
        }
        fs::write(directory.join(self.name), lines.join("\n") + "\n").unwrap();
    }

    /// The recorded entries, as if the last of them was written just now.
    fn entries(&self, now: Timestamp) -> Vec<(Timestamp, Value)> {
        let Text::Recorded(program, identifiers) = self.text else { return Vec::new() };
        let path = format!("../examples/rules/{program}/recorded/bookworm.jsonl");
        let recording = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let entries: Vec<Value> = recording.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let time =
            |entry: &Value| -> i64 { entry["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap() };
        let last = entries.iter().map(time).max().unwrap();
        let is_ours = |entry: &Value| {
            let identifier = entry["SYSLOG_IDENTIFIER"].as_str().unwrap_or_default();
            entry["MESSAGE"].is_string() && (identifiers.is_empty() || identifiers.contains(&identifier))
        };
        let ours = entries.into_iter().filter(is_ours);
        ours.map(|entry| (now - SignedDuration::from_micros(last - time(&entry)), entry)).collect()
    }

    /// A recorded entry as a line.
    fn recorded(&self, at: Timestamp, entry: &Value) -> String {
        let identifier = entry["SYSLOG_IDENTIFIER"].as_str().unwrap_or_default();
        let text = entry["MESSAGE"].as_str().unwrap().replace('\n', " ");
        let head =
            entry["_PID"].as_str().map_or(format!("{identifier}: "), |pid| format!("{identifier}[{pid}]: "));
        // Without its own date. The zone behind it is that of the date before.
        let text = if matches!(self.form, Form::Own(_)) { text.get(20..).unwrap_or_default() } else { &text };
        self.form.line(at, &head, &text.replace("+0100 ", "+0000 "))
    }

    /// The entries of a journal.
    fn journal(&self, journal: &Journal, now: Timestamp) -> Vec<(Timestamp, Value)> {
        let mut entries = self.entries(now);
        for jail in self.jails {
            let failure = jail.last.replace("LAST", LAST);
            let (head, message) = failure.split_once(": ").unwrap();
            let entry = json!({
                "_SYSTEMD_UNIT": journal.unit, "_COMM": journal.command, "_PID": "9", "_UID": "0",
                "SYSLOG_IDENTIFIER": head.trim_end_matches("[9]"), "MESSAGE": message,
            });
            entries.extend((0..TRIES + 4).map(|_| (now, entry.clone())));
        }
        entries
    }
}

/// Writes a journal file with the entries of all logs that have some.
pub fn write_journal(path: &Path) {
    let now = Timestamp::now();
    let logs = LOGS.iter().filter_map(|log| log.journal.as_ref().map(|journal| log.journal(journal, now)));
    let mut entries: Vec<(Timestamp, Value)> = logs.flatten().collect();
    entries.sort_by_key(|(at, _)| *at);
    let mut export = Vec::new();
    for (n, (at, entry)) in entries.iter().enumerate() {
        let mut field = |name: &str, value: &str| {
            export.extend_from_slice(format!("{name}\n").as_bytes());
            export.extend((value.len() as u64).to_le_bytes());
            export.extend_from_slice(format!("{value}\n").as_bytes());
        };
        for (name, value) in entry.as_object().unwrap() {
            if !name.starts_with("__") {
                field(name, value.as_str().unwrap());
            }
        }
        field("_HOSTNAME", "host");
        let head = format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID=11111111111111111111111111111111\n\n",
            at.as_microsecond(),
            n + 1
        );
        export.extend_from_slice(head.as_bytes());
    }
    let exported = path.with_extension("export");
    fs::write(&exported, export).unwrap();
    let made = Command::new("/lib/systemd/systemd-journal-remote")
        .arg(format!("--output={}", path.display()))
        .arg(exported)
        .stderr(Stdio::null())
        .status()
        .expect("systemd-journal-remote is needed");
    assert!(made.success());
}

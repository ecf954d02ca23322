//! The daily report as a digest: what an administrator must see of a busy day is on the first screen, whatever else is
//! written.

mod server;
mod size;

use pyruse_core::plugin::ReportForm;
use serde_json::json;

use server::{DAY, Server};

/// The lines of the first screen of a terminal.
const SCREEN: usize = 36;

impl Server {
    /// What a busy server writes on every day.
    fn noise(&mut self) {
        let start = self.now;
        for n in 0..4000 {
            self.now = start + n * 20;
            let (a, b) = (n % 251, n % 240);
            self.entry("33", "nginx", 3, &format!(
                "{n}#{n}: *{n} open() \"/var/www/html/x{n}/wp-login.php\" failed (2: No such file or directory), client: \
                 198.51.100.{a}, server: _, request: \"GET /x{n}/wp-login.php HTTP/1.1\", host: \"192.0.2.1\""
            ));
            if n % 2 == 0 {
                self.entry("101", "named", 5, &format!(
                    "client @0x7f{n:08x} 203.0.113.{b}#{n} (n{n}.example.com): query (cache) 'n{n}.example.com/ANY/IN' denied"
                ));
            }
            if n % 3 == 0 {
                self.entry("33", "php-fpm", 4, &format!(
                    "[pool www] child {n} said into stderr: \"NOTICE: PHP message: Undefined index in /srv/app/p{b}.php\""
                ));
            }
            if n % 5 == 0 {
                self.entry("0", "sshd", 6, &format!("Invalid user u{n} from 198.51.100.{a} port {n}"));
                self.entry(
                    "0",
                    "sshd",
                    6,
                    &format!(
                        "Failed password for invalid user u{n} from 198.51.100.{} port {n} ssh2",
                        n / 5 % 3 * 7
                    ),
                );
            }
            if n % 40 == 0 {
                self.entry("0", "CRON", 6, &format!("(root) CMD (run-parts --report /etc/cron.hourly/{n})"));
            }
        }
    }

    /// What an administrator must see.
    fn trouble(&mut self, start: i64) {
        for (minute, user, identifier, priority, message) in TROUBLE {
            self.now = start + minute * 60;
            self.entry(user, identifier, *priority, message);
        }
        for n in 0..40 {
            self.now = start + 3 * 3600 + n * 60;
            let sector = 1_950_000 + n * 8;
            self.entry(
                "",
                "kernel",
                3,
                &format!("blk_update_request: I/O error, dev sdb, sector {sector} op 0x0:(READ)"),
            );
        }
    }
}

/// Minute of the day, user, identifier, priority, message.
const TROUBLE: &[(i64, &str, &str, u8, &str)] = &[
    (192, "", "kernel", 2, "md/raid1:md0: Disk failure on sdb1, disabling device."),
    (193, "0", "mdadm", 2, "Fail event detected on md device /dev/md0, component device /dev/sdb1"),
    (194, "0", "smartd", 2, "Device: /dev/sdb [SAT], 8 Currently unreadable (pending) sectors"),
    (
        241,
        "",
        "kernel",
        3,
        "Out of memory: Killed process 4711 (mysqld) total-vm:4194304kB, anon-rss:2097152kB",
    ),
    (
        250,
        "0",
        "certbot",
        3,
        "Failed to renew certificate example.org with error: Some challenges have failed.",
    ),
    (250, "0", "systemd", 4, "certbot.service: Failed with result 'exit-code'."),
    (300, "0", "borg", 3, "Failed to create/acquire the lock /backup/lock.exclusive (timeout)."),
    (
        420,
        "0",
        "useradd",
        6,
        "new user: name=toor, UID=0, GID=0, home=/root, shell=/bin/bash, from=/dev/pts/0",
    ),
    (421, "0", "sshd", 6, "Accepted password for toor from 203.0.113.66 port 50022 ssh2"),
    (
        500,
        "102",
        "systemd-resolved",
        6,
        "Using degraded feature set UDP instead of UDP+EDNS0 for DNS server 192.0.2.53.",
    ),
];

#[test]
fn the_first_screen_of_a_busy_day_shows_what_matters() {
    let mut server = Server::new(&json!({}));
    for _ in 0..8 {
        server.noise();
        server.end_day();
    }
    let start = server.now;
    server.noise();
    server.trouble(start);
    server.now = start + DAY - 1;
    let text = server.shown(ReportForm::Text);
    let screen: Vec<&str> = text.lines().take(SCREEN).collect();
    let first = screen.iter().flat_map(|line| line.split_whitespace()).collect::<Vec<_>>().join(" ");
    for (_, _, identifier, _, message) in TROUBLE {
        let begin = format!("{identifier}: {}", &message[..40.min(message.len())]);
        assert!(first.contains(&begin), "{begin}\n{text}");
    }
    assert!(first.contains("blk_update_request: I/O error"), "{text}");
    assert!(text.lines().count() < 200, "{} lines", text.lines().count());
    for line in text.lines() {
        assert!(pyruse_core::text::columns(line) <= 80, "{line}");
    }
    let html = server.shown(ReportForm::Html);
    assert!(html.len() < 100 * 1024, "{} bytes", html.len());
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(directory.join("digest.html"), &html).unwrap();
    insta::assert_snapshot!(text);
    let [subject, sent, _] = server.sent();
    assert_eq!(subject, "server: 11 new, 3 critical, 1 failing unit, 788 bans");
    assert!(sent.starts_with(&subject), "{sent}");
}

/// The contrast of two colours (WCAG 2).
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| {
        let part = |n: usize| {
            let value = f64::from(u8::from_str_radix(&colour[n..n + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn everybody_can_read_the_page() {
    let mut server = Server::new(&json!({}));
    server.trouble(0);
    let html = server.shown(ReportForm::Html);
    let (light, dark) = html.split_once("@media (prefers-color-scheme: dark)").unwrap();
    for (style, text, background) in [
        (light, "#1f2937", "#f3f4f6"),
        (light, "#1f2937", "#ffffff"),
        (light, "#4b5563", "#f3f4f6"),
        (light, "#4b5563", "#ffffff"),
        (light, "#ffffff", "#b91c1c"),
        (dark, "#e5e7eb", "#111827"),
        (dark, "#e5e7eb", "#1f2937"),
        (dark, "#c4cad4", "#111827"),
        (dark, "#c4cad4", "#1f2937"),
    ] {
        assert!(
            style.contains(&format!("color: {text}")) && style.contains(&format!("background: {background}"))
        );
        assert!(contrast(text, background) >= 4.5, "{text} on {background}");
    }
    assert_eq!(html.matches("<h1>").count(), 1);
    let heads: Vec<&str> = html.match_indices("<h").map(|(at, _)| &html[at..at + 3]).collect();
    assert!(heads.iter().all(|head| ["<he", "<ht", "<h1", "<h2"].contains(head)), "{heads:?}");
    let tables: Vec<&str> = html.split("<table").skip(1).collect();
    for table in tables {
        let is_bar = table.starts_with(" class=\"bar\" role=\"presentation\"");
        assert!(is_bar || table.contains("<th scope=\"col\""), "{table}");
    }
}

#[test]
fn the_first_report_says_once_that_everything_is_new() {
    let mut server = Server::new(&json!({}));
    server.trouble(0);
    let text = server.shown(ReportForm::Text);
    assert_eq!(text.matches("This is the first report").count(), 1, "{text}");
    assert!(!text.contains("NEW\n") && text.contains("CRITICAL\n"), "{text}");
    server.end_day();
    server.trouble(server.now);
    server.entry("0", "app", 6, "never seen before");
    let text = server.shown(ReportForm::Text);
    assert!(text.starts_with("server: 1 new, 3 critical, 1 failing unit\n"), "{text}");
}

#[test]
fn a_writer_of_ever_new_lines_neither_hides_others_nor_grows_the_report() {
    let letters = |n: u32| -> String { n.to_string().bytes().map(|digit| char::from(digit + 49)).collect() };
    let mut server = Server::new(&json!({}));
    server.noise();
    server.end_day();
    server.now += 3600;
    let start = server.now;
    for n in 0..30_000 {
        // A local user chooses identifier, priority and text; a remote one the text.
        server.entry("1000", &letters(n), 0, &format!("{} {} emergency", letters(n), letters(n * 7)));
        server.entry("33", "nginx", 3, &format!("{} is {}", letters(n), letters(n * 3)));
    }
    server.trouble(start);
    let text = server.shown(ReportForm::Text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (_, _, identifier, _, message) in TROUBLE {
        assert!(
            words.contains(&format!("{identifier}: {}", &message[..30.min(message.len())])),
            "{message}\n{text}"
        );
    }
    assert!(text.lines().count() < 300 && text.len() < 32 * 1024, "{text}");
    assert!(words.contains("There were too many kinds of lines."), "{text}");
}

#[test]
fn what_a_message_contains_is_shown_harmlessly() {
    let mut server = Server::new(&json!({}));
    let evil = "<script>alert('x')</script> &amp; \u{1b}[31m\r\nSubject: x \u{202e}\u{61c}\u{ad}\u{2060}\u{fff9}\u{e0041} 👩\u{200d}🚒";
    server.entry("0", evil, 3, evil);
    server.entry("0", "long", 3, &"ä ".repeat(32 * 1024));
    server.entry("0", "dense", 3, &"x".repeat(64 * 1024));
    for form in [ReportForm::Text, ReportForm::Html] {
        let shown = server.shown(form);
        for bad in [
            "\u{1b}",
            "\u{202e}",
            "\u{61c}",
            "\u{ad}",
            "\u{2060}",
            "\u{fff9}",
            "\u{e0041}",
            "\r",
            "\nSubject",
        ] {
            assert!(!shown.contains(bad), "{bad:?}: {shown}");
        }
        assert!(shown.contains("👩\u{200d}🚒"), "{shown}");
        assert!(shown.len() < 32 * 1024);
    }
    assert!(!server.shown(ReportForm::Html).contains("<script"));
    for line in server.shown(ReportForm::Text).lines() {
        assert!(pyruse_core::text::columns(line) <= 80, "{line}");
    }
}

#[test]
fn an_identifier_that_fell_silent_and_a_rule_that_went_blind_are_news() {
    let mut server = Server::new(&json!({}));
    for day in 0..12 {
        server.now += 60;
        server.entry("0", "cron", 6, "run");
        if day < 8 {
            server.entry("0", "backup", 6, "done");
        }
        for n in 0..6 {
            let wording = if day < 8 { "Failed password for bob" } else { "Password failed for bob" };
            server.entry("0", "sshd", 6, &format!("{wording} from 192.0.2.{day} port {n}"));
        }
        server.now += DAY - 120;
        let text = server.shown(ReportForm::Text);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let silent = "backup fell silent: no entry today, 1.0 a day in the week before.";
        assert_eq!(words.contains(silent), day == 8, "{day}: {text}");
        let blind = "The rule “a failed logins” has done nothing for 3 days, although sshd still writes.";
        assert_eq!(words.contains(blind), day == 10, "{day}: {text}");
        let news = server.news();
        assert_eq!(news.iter().any(|news| news == silent), day == 8, "{day}: {news:?}");
        assert_eq!(news.iter().any(|news| news.starts_with(blind)), day == 10, "{day}: {news:?}");
        server.end_day();
    }
}

//! The size of the mail: below its bound whatever is written, whatever its form.
//!
//! `make report-campaign` runs this with as many lines as a flood has.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Instant;

use pyruse_core::plugin::ReportForm;
use serde_json::{Value, json};

use crate::server::Server;

/// The default of `dailyReport.maxBytes`.
const BOUND: usize = 512 * 1024;

/// How many lines are written.
fn lines() -> u32 {
    std::env::var("PYRUSE_REPORT_LINES").map_or(3_000, |text| text.parse().unwrap())
}

/// How many bytes a text takes as quoted-printable, at least.
fn encoded(text: &str) -> usize {
    text.bytes().map(|byte| if byte.is_ascii() && byte != b'=' { 1 } else { 3 }).sum()
}

/// How many bytes a mail takes, at least.
fn size(mail: &Value) -> usize {
    let text = |part: &str| encoded(mail[part].as_str().unwrap_or_default());
    text("body") + text("html") + mail["attachment"]["base64"].as_str().map_or(0, str::len)
}

fn letters(n: u32) -> String {
    n.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
}

/// The same with characters of three bytes.
fn wide(n: u32) -> String {
    n.to_string().chars().map(|digit| char::from_u32(digit as u32 + 0x3041).unwrap()).collect()
}

/// How much memory this process has, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Writes lines that are all different: two thirds are short, one third has characters of three bytes.
fn flood(server: &mut Server, lines: Range<u32>) {
    for n in lines {
        let priority = [4, 6][n as usize % 2];
        match n % 3 {
            0 => server.entry(
                "33",
                "nginx",
                priority,
                &format!("{} {} {}", wide(n), wide(n * 7), wide(n * 13).repeat(20)),
            ),
            1 => server.entry("0", "app", priority, &letters(n)),
            _ => server.entry(&(n % 300).to_string(), &letters(n), priority, &format!("{} {n}", letters(n))),
        }
        if n % 2000 == 0 {
            server.settle();
        }
    }
}

#[test]
fn however_many_lines_are_written_in_whatever_form_the_mail_stays_below_its_bound() {
    let template = tempfile::NamedTempFile::new().unwrap();
    let every_line = "{% for row in warn.rows %}{{ row.message }}\n{{ row.message }}\n{% endfor %}\
                      {% for row in info.rows %}{{ row.message }}\n{% endfor %}… and {{ warn.more_messages }}";
    std::fs::write(&template, every_line).unwrap();
    for report in [
        json!({}),
        json!({"attach": "cut"}),
        json!({"attach": "all"}),
        json!({"group": false, "maxMessages": 1_000_000, "maxLines": 1_000_000}),
        json!({"group": false, "maxMessages": 1_000_000, "attach": "cut"}),
        json!({"maxMessages": 1_000_000, "textTemplate": template.path(), "htmlTemplate": template.path()}),
    ] {
        let mut server = Server::new(&json!({"dailyReport": report}));
        server.entry("0", "app", 6, "first");
        server.end_day();
        let start = Instant::now();
        flood(&mut server, 0..lines());
        let (recorded, start) = (start.elapsed(), Instant::now());
        let mail = server.mail();
        println!(
            "{report}: {} lines in {recorded:.1?}, the mail in {:.1?}: {} bytes",
            lines(),
            start.elapsed(),
            size(&mail)
        );
        assert!((4096..BOUND).contains(&size(&mail)), "{report}: {}", size(&mail));
        assert!(!mail["body"].as_str().unwrap().contains("bytes and the HTML part are"), "{report}");
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_lines() {
    let mut server = Server::new(&json!({}));
    let (lines, mut before) = (lines() / 10, 0);
    for tenth in 0..10 {
        let start = Instant::now();
        flood(&mut server, tenth * lines..(tenth + 1) * lines);
        println!("{} lines: {:.1?} for a tenth, {} KiB", (tenth + 1) * lines, start.elapsed(), resident());
        if tenth == 4 {
            before = resident();
        }
    }
    assert!(resident() < before + 32 * 1024, "{before} KiB, {} KiB", resident());
}

#[test]
fn rows_are_left_out_until_a_mail_of_wide_characters_fits() {
    for bound in [32 * 1024, BOUND] {
        let mut server = Server::new(&json!({"dailyReport": {"maxBytes": bound}}));
        server.entry("0", "app", 6, "first");
        server.end_day();
        for n in 0..3000_u32 {
            let mut message = String::new();
            for word in 0..15 {
                let _ = write!(message, "{} ", wide(n * 41 + word));
            }
            server.entry(&(n % 300).to_string(), &wide(n % 3000), (n % 7) as u8, &message);
        }
        let [_, text, html] = server.sent();
        let size = encoded(&text) + encoded(&html);
        assert!(size < bound, "{size}");
        assert!(size > bound / 16 && text.contains(" more kinds, with "), "{size}\n{text}");
    }
}

#[test]
fn a_template_of_the_user_is_used_and_one_that_fails_is_not() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "{{ totals.warnings }} on {{ warn.rows[0].message }}").unwrap();
    let mut server = Server::new(&json!({"dailyReport": {"textTemplate": file.path()}}));
    server.entry("0", "app", 4, "m");
    assert_eq!(server.shown(ReportForm::Text), "1 on app: m");
    std::fs::write(&file, "{{ no_such.thing }}").unwrap();
    let text = server.shown(ReportForm::Text);
    assert!(text.starts_with("server: first report\n"), "{text}");
}

#[test]
fn a_template_that_is_large_whatever_its_rows_is_cut_between_characters_and_that_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // One line of 1.5 MB; the same in characters of three bytes; many lines; HTML of which no part is a page.
    for (key, template) in [
        (
            "textTemplate",
            "{% for n in range(15000) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}",
        ),
        (
            "textTemplate",
            "a{% for n in range(15000) %}日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日{% endfor %}",
        ),
        ("textTemplate", "{% for n in range(90000) %}{{ warn.rows[0].message }}\n{% endfor %}"),
        (
            "htmlTemplate",
            "<p>{% for n in range(15000) %}===================================================================================================={% endfor %}</p>",
        ),
    ] {
        std::fs::write(&file, template).unwrap();
        let mut server = Server::new(&json!({"dailyReport": {"attach": "cut", key: file.path()}}));
        server.entry("0", "app", 4, "m");
        let mail = server.mail();
        let body = mail["body"].as_str().unwrap();
        assert!(size(&mail) < BOUND && mail["html"].is_null(), "{}", size(&mail));
        let (shown, said) = body
            .trim_end()
            .rsplit_once('\n')
            .map(|(rest, last)| (rest.rsplit_once('\n').unwrap(), last))
            .unwrap();
        assert_eq!(said, "the mail would be larger than `dailyReport.maxBytes`.");
        if key == "htmlTemplate" {
            assert_eq!(shown.1, "The HTML part is left out:");
            assert!(shown.0.starts_with("server: first report\n"), "{body}");
        } else {
            let left = shown
                .1
                .strip_prefix("… ")
                .unwrap()
                .strip_suffix(" more bytes and the HTML part are left out:")
                .unwrap();
            let left: usize = left.replace(',', "").parse().unwrap();
            let all = [15000 * 100, 1 + 15000 * 90, 90000 * 7];
            assert!(all.contains(&(shown.0.len() + left)), "{} {left}", shown.0.len());
            assert!(encoded(shown.0) > BOUND / 3, "{}", shown.0.len());
        }
        assert_eq!(mail["attachment"]["name"], "report.txt.gz");
    }
}

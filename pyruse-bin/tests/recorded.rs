//! The shipped rules against what real programs have written.
//!
//! Beside the rules of a program, `recorded/SUITE.jsonl` (`SUITE.FORMAT.log`, if the program writes to a file) is what
//! the program of that release of Debian wrote while it was attacked, and `SUITE.cases.json` says who did what, each
//! from an address of its own, and what the rules owe them (`examples/rules/recording.py`; `make record` records them
//! again, and `make rules-campaign` tests what it has recorded). A case that must be banned makes as many tries as the rules allow, and must be banned by the last of them:
//! neither later nor before. So a try is one tick, however many lines it has.

#[path = "docs/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use page::Page;
use pyruse_core::time::Timestamp;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folders that may have recordings.
fn programs() -> Vec<PathBuf> {
    let directories =
        ["examples/conf", "examples/rules"].map(|name| fs::read_dir(root().join(name)).unwrap());
    directories.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

/// The recordings of a program: those in the tree, or in the directory that `PYRUSE_RECORDED` names.
fn recordings(program: &Path) -> Vec<PathBuf> {
    let directory = match std::env::var_os("PYRUSE_RECORDED") {
        Some(fresh) => Path::new(&fresh).join(program.file_name().unwrap()),
        None => program.join("recorded"),
    };
    let Ok(files) = fs::read_dir(directory) else { return Vec::new() };
    let files = files.map(|file| file.unwrap().path());
    let mut found: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl" || ending == "log"))
        .collect();
    found.sort();
    found
}

/// The format of a log file; none, if the recording is one of a journal.
fn format(recording: &Path) -> Option<&str> {
    recording.file_name().unwrap().to_str().unwrap().strip_suffix(".log")?.split('.').nth(1)
}

/// Who did what in a recording.
fn cases(recording: &Path) -> String {
    let suite = recording.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
    fs::read_to_string(recording.with_file_name(format!("{suite}.cases.json"))).unwrap()
}

/// Whom a case is about: an address, or for the rules that mail and do not ban, the number of a user.
fn whom(case: &Value) -> String {
    case["address"].as_str().map_or_else(|| case["user"].to_string(), str::to_owned)
}

/// The number of the user that a mail names, if it names one.
fn user(mail: &str) -> Option<String> {
    let (_, rest) = mail.split_once("ser number ")?;
    Some(rest.chars().take_while(char::is_ascii_digit).collect())
}

/// What the rules do with a recording.
fn effects(config: &Path, recording: &Path) -> Vec<Value> {
    let mut replay = Command::new(env!("CARGO_BIN_EXE_pyruse"));
    replay.arg("--config").arg(config).args(["replay", "--json"]);
    if let Some(format) = format(recording) {
        let mut names = recording.ancestors().skip(1).filter_map(Path::file_name);
        let program = names.find(|name| *name != "recorded").unwrap().to_str().unwrap();
        let file = recording.file_name().unwrap().to_str().unwrap();
        let path = match program {
            "packages" => "/var/log/dpkg.log".to_owned(),
            _ => format!("/var/log/{program}/{file}"),
        };
        let field = format!("_FILE={path}");
        replay.args(["--zone", "UTC", "--format", format, "--field", &field, "--file"]).arg(recording);
    } else {
        replay.arg("--input").arg(recording);
    }
    let output = replay.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The first ban of each address, or mail about each user, and when it was.
fn bans(config: &Path, recording: &Path) -> BTreeMap<String, i64> {
    // Other rules have mails that name a user, too.
    let are_users = cases(recording).contains("\"user\": ");
    let mut bans = BTreeMap::new();
    for effect in effects(config, recording) {
        let whom = match effect["effect"].as_str().unwrap() {
            "ban" => effect["ip"].as_str().map(str::to_owned),
            "email" if are_users => user(effect["body"].as_str().unwrap()),
            _ => None,
        };
        if let Some(whom) = whom {
            let at: jiff::Timestamp = effect["at"].as_str().unwrap().parse().unwrap();
            bans.entry(whom).or_insert(at.as_microsecond());
        }
    }
    bans
}

/// What these rules do not do as the cases say, but for the cases with these names.
fn complaints(config: &Path, recording: &Path, but: &[&str]) -> Vec<String> {
    let cases: Vec<Value> = serde_json::from_str(&cases(recording)).unwrap();
    assert!(cases.len() >= 10, "{}", recording.display());
    let mut bans = bans(config, recording);
    let mut complaints = Vec::new();
    for case in cases {
        let (name, address) = (case["case"].as_str().unwrap(), whom(&case));
        let banned = bans.remove(&address);
        if but.contains(&name) {
            continue;
        }
        // Log files may have seconds, and no parts of them.
        let resolution = if format(recording).is_some() { 1_000_000 } else { 1 };
        let complaint = match (case["expect"].as_str().unwrap(), banned) {
            ("ban" | "mail", None) => "is not banned, or has no mail",
            ("ban" | "mail", Some(at)) if at < case["last"].as_i64().unwrap() / resolution * resolution => {
                "is banned, or has a mail, too early"
            }
            // `either`: what no rule can distinguish, or what the program does not log.
            ("ban" | "mail", Some(_)) | ("no ban" | "no mail", None) | ("either", _) => continue,
            ("no ban" | "no mail", Some(_)) => "is banned, or has a mail",
            (other, _) => panic!("{name}: expect `{other}`?"),
        };
        complaints.push(format!("{name}: {address} {complaint}"));
    }
    complaints.extend(bans.keys().map(|address| format!("{address}, which has done nothing, is banned")));
    complaints
}

/// Whether the cases of a recording say what is in the report.
fn is_section(recording: &Path) -> bool {
    cases(recording).contains("\"rows\": ")
}

/// Whether a text is as a row says, in which `*` is any text.
fn is_row(row: &str, text: &str) -> bool {
    let parts: Vec<&str> = row.split('*').collect();
    let [first, between @ .., last] = &parts[..] else { return row == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in between {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// What is reported and no case says, and what a case says and is not reported.
fn wrong_rows(config: &Path, recording: &Path) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut reported: Vec<String> = Vec::new();
    for effect in effects(config, recording) {
        match effect["effect"].as_str().unwrap() {
            "report" => reported.push(format!("{} {}", text(&effect["level"]), text(&effect["message"]))),
            "email" => reported.push(format!("MAIL {}", text(&effect["subject"]))),
            _ => {}
        }
    }
    let cases: Vec<Value> = serde_json::from_str(&cases(recording)).unwrap();
    assert!(cases.len() >= 10, "{}", recording.display());
    let mut wrong = Vec::new();
    for case in cases {
        for row in case["rows"].as_array().unwrap().iter().map(text) {
            match reported.iter().position(|reported| is_row(&row, reported)) {
                Some(place) => drop(reported.remove(place)),
                None => wrong.push(format!("{}: not reported: {row}", text(&case["case"]))),
            }
        }
    }
    wrong.extend(reported.into_iter().map(|row| format!("no case has: {row}")));
    wrong
}

#[test]
fn each_section_reports_what_happened_and_nothing_else() {
    let mut seen = 0;
    for program in programs() {
        for recording in recordings(&program).into_iter().filter(|recording| is_section(recording)) {
            let wrong = wrong_rows(&program.join("pyruse.json"), &recording);
            assert!(wrong.is_empty(), "{}:\n{}", recording.display(), wrong.join("\n"));
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} recordings");
}

#[test]
fn each_program_s_rules_ban_by_the_last_try_and_nobody_else() {
    let mut seen = 0;
    for program in programs() {
        for recording in recordings(&program).into_iter().filter(|recording| !is_section(recording)) {
            let complaints = complaints(&program.join("pyruse.json"), &recording, &[]);
            assert!(complaints.is_empty(), "{}:\n{}", recording.display(), complaints.join("\n"));
            seen += 1;
        }
    }
    assert!(seen >= 39, "{seen} recordings");
}

#[test]
fn the_rules_for_a_whole_server_do_the_same() {
    for recording in recordings(&root().join("examples/rules/sshd")) {
        let complaints = complaints(&root().join("examples/conf/server/pyruse.json"), &recording, &[]);
        assert!(complaints.is_empty(), "{}:\n{}", recording.display(), complaints.join("\n"));
    }
}

#[test]
fn the_rules_for_ssh_in_the_pages_ban_as_the_readme_says() {
    // They are short, and forgive nobody.
    let but = ["login by password after a mistake"];
    for page in ["docs/getting-started.md", "docs/from-fail2ban.md"] {
        let page = Page::read(&root().join(page));
        let is_about_ssh = |text: &str| text.contains("sshd-session") && text.contains("nftSetIPv4");
        let block = page.blocks.iter().find(|block| {
            (block.language.as_str(), block.info.as_str()) == ("json", "") && is_about_ssh(&block.text)
        });
        let block = block.unwrap_or_else(|| panic!("{}: no rules for ssh", page.path.display()));
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("pyruse.json");
        fs::write(&config, &block.text).unwrap();
        for recording in recordings(&root().join("examples/rules/sshd")) {
            let complaints = complaints(&config, &recording, &but);
            let place = format!("{}, {}", page.place(block), recording.display());
            assert!(complaints.is_empty(), "{place}:\n{}", complaints.join("\n"));
        }
    }
}

/// Of mail and web, the rules for a whole server know the guesses, with thresholds of their own; and nobody else is
/// banned.
#[test]
fn the_rules_for_a_whole_server_ban_those_who_guess_by_mail_and_web_and_nobody_else() {
    for program in ["postfix", "dovecot", "nginx"] {
        for recording in recordings(&root().join("examples/rules").join(program)) {
            let banned = bans(&root().join("examples/conf/server/pyruse.json"), &recording);
            let cases: Vec<Value> = serde_json::from_str(&cases(&recording)).unwrap();
            let may_be_banned = |ip: &String| {
                cases.iter().any(|case| case["address"] == ip.as_str() && case["expect"] != "no ban")
            };
            let wrong: Vec<_> = banned.keys().filter(|ip| !may_be_banned(ip)).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", recording.display());
            let attacks = cases.iter().filter(|case| case["expect"] == "ban").count();
            assert!(banned.len() * 2 > attacks, "{}: {} of {attacks}", recording.display(), banned.len());
        }
    }
}

/// It has other thresholds; but all attackers are banned, and no address that others have written.
#[test]
fn the_large_example_bans_nobody_who_did_nothing() {
    for recording in recordings(&root().join("examples/rules/sshd")) {
        let bans = bans(&root().join("examples/conf/full.json"), &recording);
        assert!(bans.len() > 20, "{bans:?}");
        let recorded = cases(&recording);
        let strangers: Vec<_> = bans.keys().filter(|ip| !recorded.contains(&format!("\"{ip}\""))).collect();
        assert!(strangers.is_empty(), "{}: {strangers:?}", recording.display());
    }
}

#[test]
fn the_large_example_bans_nobody_else_by_mail_or_web() {
    for program in ["postfix", "dovecot", "exim", "nginx"] {
        for recording in recordings(&root().join("examples/rules").join(program)) {
            let bans = bans(&root().join("examples/conf/full.json"), &recording);
            let recorded = cases(&recording);
            let strangers: Vec<_> =
                bans.keys().filter(|ip| !recorded.contains(&format!("\"{ip}\""))).collect();
            assert!(strangers.is_empty(), "{}: {strangers:?}", recording.display());
        }
    }
}

/// What is recorded says when it was, and from where.
#[test]
fn recordings_are_in_order_and_have_no_addresses_in_common() {
    for recording in programs().iter().flat_map(|program| recordings(program)) {
        let lines = fs::read_to_string(&recording).unwrap();
        let mut last = Timestamp(0);
        for line in lines.lines().filter(|_| format(&recording).is_none()) {
            let entry: Value = serde_json::from_str(line).unwrap();
            let at = Timestamp(entry["__REALTIME_TIMESTAMP"].as_str().unwrap().parse().unwrap());
            assert!(at >= last, "{}: {line}", recording.display());
            last = at;
        }
        if is_section(&recording) {
            continue;
        }
        let cases: Vec<Value> = serde_json::from_str(&cases(&recording)).unwrap();
        let mut addresses: Vec<_> = cases.iter().map(whom).collect();
        addresses.sort_unstable();
        addresses.dedup();
        assert_eq!(addresses.len(), cases.len(), "{}: two cases share an address", recording.display());
    }
}

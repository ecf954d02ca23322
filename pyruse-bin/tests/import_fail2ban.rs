//! `pyruse import fail2ban`, with the fail2ban that is installed: its package is read, and nothing of it is copied into
//! the tree.

#[path = "fail2ban/mod.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod fail2ban;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use fail2ban::{Copy, pyruse};
use serde_json::Value;

/// Twelve jails: those of the package, one with an action of its own, one with `maxlines`, longer bans each time.
const TWELVE: &str = "
[DEFAULT]
bantime.increment = true
bantime.maxtime = 1w
ignoreip = 127.0.0.0/8 ::1 192.0.2.0/24
banaction = nftables-multiport
banaction_allports = iptables-allports
[sshd]
enabled = true
backend = systemd
mode = aggressive
action = %(action_mwl)s
[postfix]
enabled = true
backend = systemd
[postfix-sasl]
enabled = true
backend = systemd
bantime = -1
bantime.increment = false
[dovecot]
enabled = true
backend = systemd
[nginx-http-auth]
enabled = true
logpath = LOGS/error.log
[nginx-botsearch]
enabled = true
logpath = LOGS/access.log
[apache-auth]
enabled = true
logpath = LOGS/error.log
[vsftpd]
enabled = true
logpath = LOGS/vsftpd.log
[exim]
enabled = true
logpath = LOGS/vsftpd.log
[recidive]
enabled = true
logpath = LOGS/fail2ban.log
[slapd]
enabled = true
logpath = LOGS/slapd.log
[door]
enabled = true
filter =
failregex = ^door: <F-USER>\\S+</F-USER> refused from <ADDR>$
logpath = LOGS/door.log
action = door[port=\"22,80\"]
";

const DOOR: &str = "
[Definition]
actionban = printf '%%s\\n' \"<ip>\" >> <file>
actionunban = sed -i \"/^<ip>$/d\" <file>
[Init]
file = /var/lib/pyruse/door
";

fn twelve() -> Copy {
    let copy = Copy::with(TWELVE);
    for log in ["error.log", "access.log", "vsftpd.log", "fail2ban.log", "slapd.log", "door.log"] {
        fs::write(copy.logs().join(log), "").unwrap();
    }
    fs::write(copy.directory().join("action.d/door.conf"), DOOR).unwrap();
    copy
}

#[test]
fn twelve_jails_of_the_package_come_over_and_check_finds_nothing() {
    let copy = twelve();
    let out = copy.path("out");
    let (printed, code) = copy.import(&out, &[]);
    assert!(printed.contains("12 jails: 8 the same, 4 with differences, 0 in part, 0 not"), "{printed}");
    assert_eq!(code, Some(0), "{printed}");
    for jail in
        ["sshd", "postfix", "postfix-sasl", "dovecot", "nginx-http-auth", "nginx-botsearch", "apache-auth"]
    {
        let line = printed.lines().find(|line| line.starts_with(&format!("{jail}:"))).unwrap();
        assert!(line.ends_with(": the same") || line.ends_with(": with differences"), "{line}");
    }
    let config = out.join("pyruse.json");
    let (checked, code) = pyruse(&["--config", config.to_str().unwrap(), "check", "--strict", "--json"]);
    let checked: Value = serde_json::from_str(&checked).expect(&checked);
    assert_eq!((checked["findings"].as_array().unwrap().len(), code), (0, Some(0)), "{checked:#}");
    // The ruleset is one for nft, which is asked in a network namespace.
    let ruleset = out.join("fail2ban.nft");
    for _ in 0..2 {
        fail2ban::nft(&["-f", ruleset.to_str().unwrap()]);
    }
    let page = fs::read_to_string(out.join("README.md")).unwrap();
    for words in
        ["| `door` | with differences |", "P011", "### recidive", "it reads the bans that Pyruse logs"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let sshd = fs::read_to_string(out.join("jails/sshd.json")).unwrap();
    assert!(sshd.contains(r#""banSeconds": [600, 1200, 2400, "#) && sshd.contains(", 604800]"), "{sshd}");
    assert!(sshd.contains(r#""message": "[sshd] Ban {sshd_ip}""#), "{sshd}");
    let main = fs::read_to_string(&config).unwrap();
    assert!(main.contains(r#""email": {"to": ["root@localhost"]}"#), "{main}");
    let shared = fs::read_to_string(out.join("fail2ban.json")).unwrap();
    assert!(shared.contains(r#"printf '%s\\n' \"{ip}\" >> /var/lib/pyruse/door"#), "{shared}");
    assert!(shared.contains(r#""self": true"#), "{shared}");
}

#[test]
fn nothing_is_overwritten_and_a_dry_run_writes_nothing() {
    let copy = twelve();
    let out = copy.path("out");
    let (printed, _) = copy.import(&out, &["--dry-run"]);
    assert!(printed.contains("==> jails/sshd.json <==") && !out.exists(), "{printed}");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "x").unwrap();
    let (printed, code) = copy.import(&out, &[]);
    assert!(printed.contains("exists, and nothing is overwritten") && code == Some(1), "{printed}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
}

#[test]
fn what_is_wrong_with_a_jail_is_said_and_the_others_come_over() {
    let copy = Copy::with(
        "
[good]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/a.log
banaction = nftables-allports
[broken]
enabled = true
filter =
failregex = ^(refused <HOST>$
logpath = LOGS/a.log
[nolog]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/missing.log tail
          LOGS/new/*.log
[nologpath]
enabled = true
filter =
failregex = ^refused <HOST>$
[nofilter]
enabled = true
filter = nosuchfilter
logpath = LOGS/a.log
[../../evil]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/a.log
action = evil
",
    );
    fs::write(copy.logs().join("a.log"), "").unwrap();
    let evil = "[Definition]\nactionban = report '<ip-host>' <ip>\nactionunban = report <matches>\n";
    fs::write(copy.directory().join("action.d/evil.conf"), evil).unwrap();
    let out = copy.path("out");
    let (printed, code) = copy.import(&out, &[]);
    assert_eq!(code, Some(1), "{printed}");
    for line in [
        "good: the same",
        "broken: not: `failregex` 1 cannot be used: missing ), unterminated subpattern",
        "nolog: with differences",
        "nologpath: not: it has no `logpath`",
        "fail2ban itself cannot use it: Jail 'nofilter' skipped",
        "../../evil: in part: the action evil uses <ip-host>",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let mut files: Vec<String> = fs::read_dir(out.join("jails"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["good.json", "jail_______evil_b0432885.json", "nolog.json"]);
    // A log that comes later is read.
    let logs = copy.logs();
    let paths = serde_json::json!([logs.join("missing.log"), logs.join("new/*.log")]);
    assert_eq!(fail2ban::sources(&out)["nolog"]["args"]["paths"], paths);
    let page = fs::read_to_string(out.join("README.md")).unwrap();
    assert!(page.contains("none of its log files is there now"), "{page}");
    let config = out.join("pyruse.json");
    let (checked, code) = pyruse(&["--config", config.to_str().unwrap(), "check", "--strict"]);
    assert_eq!(code, Some(0), "{checked}");
    // A directory that is none of fail2ban's.
    let (printed, code) = pyruse(&["import", "fail2ban", "/nosuch", "--output", "/nosuch-out"]);
    assert!(printed.contains("/nosuch is not a directory") && code == Some(1), "{printed}");
    assert!(!Path::new("/nosuch-out").exists());
}

/// The names of the jails of the package.
fn shipped(copy: &Copy) -> Vec<String> {
    let text = fs::read_to_string(copy.directory().join("jail.conf")).unwrap();
    let sections = text.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    sections.filter(|name| !["DEFAULT", "INCLUDES"].contains(name)).map(str::to_owned).collect()
}

#[test]
fn without_fail2ban_client_the_files_of_all_shipped_jails_say_the_same() {
    let copy = Copy::with("");
    let names = shipped(&copy);
    let mut jails =
        "[DEFAULT]\nbantime.increment = true\nignoreip = 192.0.2.0/24 home.example.org\n".to_owned();
    for (n, name) in names.iter().enumerate() {
        let log = copy.logs().join(format!("{name}.log"));
        fs::write(&log, "").unwrap();
        let banaction =
            ["nftables-multiport", "iptables-multiport", "firewallcmd-ipset", "route", "hostsdeny"][n % 5];
        let action = ["action_", "action_mw", "action_mwl"][n % 3];
        let _ = writeln!(jails, "[{name}]\nenabled = true\nlogpath = {}", log.display());
        let _ = writeln!(jails, "banaction = {banaction}\naction = %({action})s");
    }
    fs::write(copy.directory().join("jail.local"), jails).unwrap();
    let (by_client, by_files) = (copy.path("client"), copy.path("files"));
    let (printed, _) = copy.import(&by_client, &[]);
    assert!(printed.lines().count() > 60, "{printed}");
    // Where there is no such program.
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .args(["import", "fail2ban"])
        .arg(copy.directory())
        .arg("--output")
        .arg(&by_files)
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("fail2ban-client is not there: the files are read"), "{said}");
    let mut different = Vec::new();
    for file in fs::read_dir(by_client.join("jails")).unwrap() {
        let name = format!("jails/{}", file.unwrap().file_name().into_string().unwrap());
        if fs::read_to_string(by_client.join(&name)).unwrap()
            != fs::read_to_string(by_files.join(&name)).unwrap_or_default()
        {
            different.push(name);
        }
    }
    assert!(different.is_empty(), "{different:?}");
    for name in ["fail2ban.json", "fail2ban.nft", "pyruse.json"] {
        let of = |directory: &Path| fs::read_to_string(directory.join(name)).unwrap();
        assert_eq!(of(&by_client), of(&by_files), "{name}");
    }
}

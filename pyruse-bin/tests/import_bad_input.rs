//! What is wrong with a fail2ban, its database, or the directory to write to is said, and everything else comes over.

#[path = "fail2ban/mod.rs"]
#[allow(dead_code, reason = "this uses a part of it")]
mod fail2ban;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use fail2ban::{Copy, nft, pyruse};
use rusqlite::Connection;
use serde_json::Value;

const GOOD: &str = "
[good]
enabled = true
filter =
failregex = ^refused <HOST>$
logpath = LOGS/a.log
backend = polling
banaction = nftables-allports
";

/// A program without `fail2ban-client` in its path reads the files.
fn import_files(copy: &Copy, out: &Path) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_pyruse"))
        .args(["import", "fail2ban"])
        .arg(copy.directory())
        .arg("--output")
        .arg(out)
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

/// What `check` and nft say to the imported files.
fn is_usable(out: &Path) {
    let config = out.join("pyruse.json");
    let (checked, code) = pyruse(&["--config", config.to_str().unwrap(), "check", "--strict"]);
    assert_eq!(code, Some(0), "{checked}");
    nft(&["-f", out.join("fail2ban.nft").to_str().unwrap()]);
}

#[test]
fn a_file_that_does_not_parse_is_left_out_and_so_is_a_jail_whose_filter_does_not() {
    let jail = |name: &str, options: &str| {
        format!(
            "[{name}]\nenabled = true\nbackend = polling\nlogpath = LOGS/a.log\nbanaction = nftables-allports\n{options}\n"
        )
    };
    let mut jails = GOOD.to_owned();
    for (name, _, _) in FILTERS {
        jails += &jail(name, &format!("filter = {name}"));
    }
    jails += &jail("loop", "filter =\nfailregex = %(a)s <HOST>\na = %(b)s\nb = %(a)s");
    let copy = Copy::with(&jails);
    for (name, text, _) in FILTERS {
        fs::write(copy.directory().join(format!("filter.d/{name}.conf")), text).unwrap();
    }
    fs::create_dir(copy.directory().join("jail.d")).unwrap();
    fs::write(copy.directory().join("jail.d/broken.conf"), "[good]\nthis is nothing\n").unwrap();
    // fail2ban itself reads nothing of it then.
    let (by_client, by_files) = (copy.path("client"), copy.path("files"));
    for (out, (printed, code)) in
        [(&by_client, copy.import(&by_client, &[])), (&by_files, import_files(&copy, &by_files))]
    {
        assert_eq!(code, Some(1), "{printed}");
        let broken = copy.directory().join("jail.d/broken.conf");
        let left_out = format!(
            "a file was left out: {}:2: this is neither a section nor `option = value`",
            broken.display()
        );
        for (name, _, why) in FILTERS {
            let line = printed.lines().find(|line| line.starts_with(&format!("{name}: "))).expect(&printed);
            assert!(line.contains(why), "{line}");
        }
        let loops = "loop: not: options of [loop] name each other without end";
        for words in ["good: with differences", &left_out, loops] {
            assert!(printed.contains(words), "{words}: {printed}");
        }
        is_usable(out);
    }
}

/// Filters: the name, the text, and what is said about the jail.
const FILTERS: [(&str, &[u8], &str); 6] = [
    ("nothing", b"[Definition]\nthis is nothing\n", "nothing.conf:2: this is neither a section nor"),
    (
        "circle",
        b"[INCLUDES]\nbefore = circle.conf\n[Definition]\nfailregex = x <HOST>\n",
        "include each other",
    ),
    ("expression", b"[Definition]\nfailregex = ^(x <HOST>$\n", "missing ), unterminated subpattern"),
    ("empty", b"", "it has no `failregex`"),
    ("latin", b"[Definition]\nfailregex = ^caf\xe9 <HOST>$\n", ": with differences"),
    ("lines", b"[Definition]\nfailregex = ^a <HOST>\\nb\\nc$\n", ": with differences"),
];

#[test]
fn hostile_names_and_values_of_jails_are_usable_or_left_out() {
    let names = [
        "../x",
        "q\"uo'te",
        "$(id)`id`",
        "a b|c\\d",
        "{x}",
        "<b>",
        "journal",
        "a-b",
        "a_b",
        "a b",
        "x: count",
        "x",
    ];
    let long = "x".repeat(300);
    let mut jails = GOOD.to_owned();
    let jail = |name: &str, options: &str| {
        format!(
            "[{name}]\nenabled = true\nfilter =\nfailregex = ^refused <HOST>$\nbackend = polling\nlogpath = LOGS/a.log\nbanaction = nftables-multiport\n{options}\n"
        )
    };
    for name in names.iter().copied().chain([long.as_str()]) {
        jails += &jail(name, "");
    }
    let values = [
        ("ignored", "ignoreip = 127.0.0.1/8 nonsense!! 192.0.2.1/99 300.1.1.1 $(id) a..b -x 2001:db8::/129"),
        ("ever", "bantime = -1"),
        ("durations", "findtime = 1d 2h\nbantime = 1h30m"),
        ("wrong", "bantime = soon\nfindtime = -5\nmaxretry = 99999999999999999999"),
        ("ports", "port = ssh,99999,8000:8010,9-5,nosuch"),
        ("noport", "port = 22;flush"),
        ("protocols", "protocol = tcp,udp"),
        ("noprotocol", "protocol = bogus; flush ruleset"),
        ("icmp", "protocol = icmp\nport = 22"),
        ("huge", &format!("failregex = ^{} <HOST>$", "(a|b)*".repeat(20_000))),
        ("deep", &format!("failregex = ^{}a{} <HOST>$", "(".repeat(5000), ")".repeat(5000))),
    ];
    for (name, options) in values {
        jails += &jail(name, options);
    }
    let copy = Copy::with(&jails);
    let out = copy.path("out");
    // Which fail2ban itself cannot read.
    let (printed, code) = import_files(&copy, &out);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("25 jails: 0 the same, 23 with differences, 0 in part, 2 not"), "{printed}");
    for line in [
        "huge: not: `failregex` 1 cannot be used: it is longer",
        "deep: not: `failregex` 1 cannot be used: nested",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    let page = fs::read_to_string(out.join("README.md")).unwrap();
    for words in [
        "`a..b` in `ignoreip` is neither an address nor a name",
        "`300.1.1.1` in `ignoreip`",
        "`bantime` is `soon`, which cannot be read",
        "the port `9-5` is not known",
        "none of its protocols is known",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let rules = |jail: &str| fs::read_to_string(out.join(format!("jails/{jail}.json"))).unwrap();
    assert!(
        rules("durations").contains("\"keepSeconds\": 93600")
            && rules("durations").contains("\"banSeconds\": 5400")
    );
    assert!(!rules("ever").contains("banSeconds"));
    // All files are in the directory, and each jail has one.
    assert_eq!(fs::read_dir(out.join("jails")).unwrap().count(), 23);
    is_usable(&out);
}

#[test]
fn five_hundred_jails_come_over() {
    let mut jails = "[DEFAULT]\nbackend = polling\nfilter =\nfailregex = ^refused <HOST>$\nbanaction = nftables-allports\n".to_owned();
    for n in 0..500 {
        let _ =
            writeln!(jails, "[j{n}]\nenabled = true\nlogpath = LOGS/{n}.log\nignoreip = 192.0.2.{}", n % 250);
    }
    let copy = Copy::with(&jails);
    let (printed, code) = import_files(&copy, &copy.path("out"));
    assert!(printed.contains("500 jails: 0 the same, 500 with differences"), "{printed}");
    assert_eq!(code, Some(0));
}

/// Imports a good jail into a directory below a file system that is mounted with these options, in a mount namespace of
/// its own.
fn onto(options: &str) -> (String, Vec<String>) {
    let copy = Copy::with(GOOD);
    let mount = copy.path("mount");
    fs::create_dir(&mount).unwrap();
    let script =
        "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && \"$@\"; echo \"code $?\"; ls -A \"$MOUNT\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", options])
        .arg(&mount)
        .args([env!("CARGO_BIN_EXE_pyruse"), "import", "fail2ban"])
        .arg(copy.directory())
        .arg("--output")
        .arg(mount.join("out"))
        .env("MOUNT", &mount)
        .output()
        .unwrap();
    let printed = String::from_utf8([output.stderr, output.stdout].concat()).unwrap();
    let (said, left) = printed.split_once("code 1\n").expect(&printed);
    (said.to_owned(), left.lines().map(str::to_owned).collect())
}

#[test]
fn a_full_disk_and_one_that_is_read_only_are_errors_that_leave_nothing() {
    for (options, why) in [("size=16k", "No space left on device"), ("ro", "Read-only file system")] {
        let (said, left) = onto(options);
        assert!(said.contains("writing ") && said.contains(why), "{options}: {said}");
        assert_eq!(left, [""; 0], "{options}");
    }
    let (printed, code) = pyruse(&["import", "fail2ban", "/etc/fail2ban", "--output", "/nonexistent/import"]);
    assert!(printed.contains("writing /nonexistent/") && code == Some(1), "{printed}");
    let (printed, code) = pyruse(&["import", "fail2ban", "/etc/fail2ban/jail.conf"]);
    assert!(printed.contains("/etc/fail2ban/jail.conf is not a directory") && code == Some(1), "{printed}");
}

#[test]
fn a_database_that_cannot_be_used_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fail2ban.sqlite3");
    let import = || pyruse(&["import", "fail2ban-bans", path.to_str().unwrap(), "--dry-run"]);
    let says = |words: &str| {
        let (printed, code) = import();
        assert!(printed.contains(words) && code == Some(1), "{words}: {printed}");
    };
    says("No such file or directory");
    fs::write(&path, "no database").unwrap();
    says("is not a database");
    fs::write(&path, "").unwrap();
    says("no such table: fail2banDb");
    fs::remove_file(&path).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE fail2banDb(version INTEGER); INSERT INTO fail2banDb VALUES (4);
             CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER);",
        )
        .unwrap();
    for n in 0..2000 {
        let ban = "INSERT INTO bips VALUES ('192.0.2.' || (?1 % 250), 'j' || ?1, unixepoch(), 600)";
        connection.execute(ban, [n]).unwrap();
    }
    let (printed, code) = import();
    assert!(printed.contains("2,000 bans in force") && code == Some(0), "{printed}");
    // Cut off within the bans.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    says("database disk image is malformed");
    fs::write(&path, &whole).unwrap();
    connection.execute("UPDATE fail2banDb SET version = 3", ()).unwrap();
    says("has version 3, and only 4 is known");
    drop(connection);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    says("who could choose what is banned");
}

#[test]
fn the_pages_command_for_allowed_hosts_makes_networks() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-other-tools.md"))
        .unwrap();
    let sed = page.lines().find_map(|line| line.strip_prefix("# sed ")).expect("the line with sed");
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("allowed-hosts");
    fs::write(&hosts, "192.0.2.*\n198.51.100.7\n\n# 203.0.113.*\n10.1.2.* \n2001:db8::1\n").unwrap();
    let command = format!("sed {}", sed.replace("/var/lib/denyhosts/allowed-hosts", "allowed-hosts"));
    let made = Command::new("sh").args(["-c", &command]).current_dir(&directory).status().unwrap();
    assert!(made.success(), "{command}");
    let input = directory.path().join("friends.in");
    let (printed, _) = pyruse(&["import", "text", input.to_str().unwrap()]);
    let addresses: Vec<&str> = printed.lines().filter(|line| line.parse::<Value>().is_err()).collect();
    println!("{addresses:?}");
    for address in ["192.0.2.0/24", "198.51.100.7", "10.1.2.0/24", "2001:db8::1"] {
        assert!(printed.lines().any(|line| line == address), "{address}: {printed}");
    }
}

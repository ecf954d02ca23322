//! `check --live` against real sets of nftables and ipset, real programs, sockets and directories.

mod common;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use common::{Firewall, Journald, Site, mail_server};
use serde_json::{Value, json};

/// Bans in these sets: action, set for IPv4, set for IPv6, seconds.
fn banning(bans: &[(&str, &str, &str, Option<u64>)]) -> Value {
    let steps = bans.iter().map(|(action, v4, v6, seconds)| {
        let (name4, name6) = if *action == "action_nftBan" {
            ("nftSetIPv4", "nftSetIPv6")
        } else {
            ("ipSetIPv4", "ipSetIPv6")
        };
        json!({"action": action, "args": {"IP": "OBJECT_PID", "banSeconds": seconds, name4: v4, name6: v6}})
    });
    json!({"bans": steps.collect::<Vec<_>>()})
}

/// What is found live: code, message, what to do; and the exit code. The site's own paths are called `SITE`.
fn inspect(site: &Site, firewall: Option<&Firewall>) -> (Vec<[String; 3]>, Option<i32>) {
    printed(site, &mut site.command(firewall, &["check", "--json", "--live"]))
}

fn printed(site: &Site, command: &mut Command) -> (Vec<[String; 3]>, Option<i32>) {
    let output = command.output().unwrap();
    let here = site.path("").display().to_string();
    let text = String::from_utf8(output.stdout).unwrap().replace(&here, "SITE/");
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let found = report["findings"].as_array().unwrap().iter();
    let found = found.filter(|found| found["code"].as_str().is_some_and(|code| code > "P100"));
    let word = |found: &Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let found = found.map(|found| ["code", "message", "help"].map(|key| word(found, key)));
    (found.collect(), output.status.code())
}

/// As [`inspect`], for what is to be found alone: `CODE message`.
fn messages(site: &Site, firewall: Option<&Firewall>) -> Vec<String> {
    inspect(site, firewall).0.into_iter().map(|[code, message, _]| format!("{code} {message}")).collect()
}

#[test]
fn a_machine_that_has_everything_gives_no_findings() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["good"]), Site::new());
    firewall.nft(&[
        "add chain ip Inet4 input { type filter hook input priority 0; }; add chain ip6 Inet6 input { type filter hook input priority 0; }",
    ]);
    firewall
        .nft(&["add rule ip Inet4 input ip saddr @good drop; add rule ip6 Inet6 input ip6 saddr @good drop"]);
    firewall.add_ipsets("old");
    // A list of sets refers to its members, as a rule would.
    firewall.ipset(&["create", "all", "list:set"]);
    firewall.ipset(&["add", "all", "old4"]);
    firewall.ipset(&["add", "all", "old6"]);
    site.configure(
        &journald,
        &banning(&[
            ("action_nftBan", "ip Inet4 good", "ip6 Inet6 good", Some(60)),
            ("action_nftBan", "Inet4 good", "ip6 Inet6 good", None),
            ("action_ipsetBan", "old4", "old6", Some(60)),
        ]),
    );
    fs::create_dir(site.path("state")).unwrap();
    let (found, code) = inspect(&site, Some(&firewall));
    assert_eq!((found, code), (vec![], Some(0)));
}

#[test]
fn sets_that_cannot_hold_bans_are_reported() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["good"]), Site::new());
    firewall.nft(&["add set ip Inet4 endless { type ipv4_addr; }; \
        add set ip Inet4 ranges { type ipv4_addr; flags interval,timeout; timeout 1h; auto-merge; }; \
        add set ip Inet4 ports { type ipv4_addr . inet_service; flags timeout; }"]);
    firewall.ipset(&["create", "endless4", "hash:ip"]);
    firewall.ipset(&["create", "short6", "hash:ip", "family", "inet6", "timeout", "60"]);
    firewall.ipset(&["create", "ports4", "hash:ip,port", "timeout", "0"]);
    site.configure(
        &journald,
        &banning(&[
            ("action_nftBan", "ip Inet4 none", "ip6 Nowhere none", Some(60)),
            ("action_nftBan", "ip Inet4 endless", "ip Inet4 good", Some(60)),
            ("action_nftBan", "ip Inet4 ranges", "ip6 Inet6 good", None),
            ("action_nftBan", "ip Inet4 ports", "ip6 Inet6 good", None),
            ("action_ipsetBan", "endless4", "none6", Some(60)),
            ("action_ipsetBan", "ports4", "short6", None),
            ("action_ipsetBan", "short6", "endless4", Some(60)),
        ]),
    );
    let (found, code) = inspect(&site, Some(&firewall));
    assert_eq!(code, Some(1));
    let found: Vec<String> = found.iter().map(|parts| parts.join("\n    ")).collect();
    insta::assert_snapshot!("sets", found.join("\n"));
    let output = site.pyruse(Some(&firewall), &["check", "--live"]);
    let text = String::from_utf8(output.stderr).unwrap();
    let (_, text) = text.split_once("error[P101]").unwrap();
    let (text, _) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!("as_text", text.replace(&site.path("").display().to_string(), "SITE/"));
}

#[test]
fn a_missing_set_in_the_packages_table_is_reported_with_the_unit_that_creates_it() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["good"]), Site::new());
    site.configure(
        &journald,
        &banning(&[("action_nftBan", "inet pyruse ssh_ban4", "ip6 Inet6 good", Some(60))]),
    );
    let (found, code) = inspect(&site, Some(&firewall));
    assert_eq!(code, Some(1));
    let printed = found.concat().join(" ");
    let help = "if it is one of the package's: systemctl start pyruse-nft-sets; else create it with: nft 'add table inet pyruse; ";
    assert!(printed.contains(help), "{printed}");
}

#[test]
fn without_permission_the_set_is_unknown_and_not_reported_as_wrong() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["good"]), Site::new());
    let bans = [
        ("action_nftBan", "ip Inet4 good", "ip6 Inet6 good", Some(60)),
        ("action_ipsetBan", "good4", "good6", Some(60)),
    ];
    site.configure(&journald, &banning(&bans));
    for path in [site.path(""), site.path("pyruse.json")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // The program under test may be in a directory that other users cannot access.
    let program = std::env::temp_dir().join(common::unique("pyruse-copy"));
    fs::copy(env!("CARGO_BIN_EXE_pyruse"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = firewall.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.arg("--config").arg(site.path("pyruse.json")).args(["check", "--json", "--live"]);
    let (found, _) = printed(&site, &mut command);
    fs::remove_file(&program).unwrap();
    let sets: Vec<_> = found.iter().filter(|[_, message, _]| message.contains("the set")).collect();
    assert_eq!(sets.len(), 4, "{found:?}");
    for [code, message, _] in &sets {
        assert_eq!(code, "P103", "{message}");
        assert!(message.contains("Operation not permitted"), "{message}");
    }
}

#[test]
fn programs_that_are_missing_or_not_a_firewall_are_reported_once() {
    let (journald, site) = (Journald::start(), Site::new());
    let answers_nonsense = site.script("nonsense", "echo 'all is well'");
    let bans =
        [("action_nftBan", "ip Inet4 a", "ip6 Inet6 a", Some(60)), ("action_ipsetBan", "a4", "a6", Some(60))];
    let with = |nft: &[PathBuf], ipset: &[PathBuf]| {
        site.configure_with(
            &journald,
            &banning(&bans),
            &json!({"nftBan": {"nft": nft}, "ipsetBan": {"ipset": ipset}}),
        );
        messages(&site, None)
    };
    insta::assert_snapshot!(
        "no_program",
        with(&["/no/such/nft".into()], &["/no/such/ipset".into()]).join("\n")
    );
    let program = std::slice::from_ref(&answers_nonsense);
    insta::assert_snapshot!("no_firewall", with(program, program).join("\n"));
}

#[test]
fn a_table_or_set_is_queried_once_however_many_steps_use_it() {
    let (journald, site) = (Journald::start(), Site::new());
    let asked = site.path("asked");
    let counts = site.script("counts", &format!("echo \"$@\" >> {}; exit 1", asked.display()));
    let bans: Vec<_> = ["ip t a", "ip t b", "t c"]
        .map(|set| ("action_nftBan", set, "ip6 t a", Some(60)))
        .into_iter()
        .chain([60, 70].map(|seconds| ("action_ipsetBan", "a4", "a6", Some(seconds))))
        .collect();
    let program = json!([counts]);
    let programs = json!({"nftBan": {"nft": &program}, "ipsetBan": {"ipset": &program}});
    site.configure_with(&journald, &banning(&bans), &programs);
    inspect(&site, None);
    assert_eq!(
        fs::read_to_string(asked).unwrap(),
        "-j -t list table ip t\n-j -t list table ip6 t\nlist a4 -t\nlist a6 -t\n"
    );
}

#[test]
fn a_mail_program_or_server_that_does_not_work_is_reported() {
    let (journald, site) = (Journald::start(), Site::new());
    let rules = json!({"mails": [
        {"action": "action_email", "args": {"message": "{MESSAGE}"}},
        {"action": "action_dailyReport", "args": {"message": "{MESSAGE}", "level": "WARN"}},
    ]});
    let with = |email: Value| {
        site.configure_with(&journald, &rules, &json!({"email": email}));
        messages(&site, None)
    };
    fs::write(site.path("plain"), "no program").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let smtp = |port: u16| {
        json!({
            "from": "pyruse@example.org",
            "to": ["hostmaster@example.org", "second@example.org"],
            "smtp": {"host": "127.0.0.1", "port": port, "tls": "none"},
        })
    };
    let directory = site.path("smtp");
    fs::create_dir_all(directory.join("mails")).unwrap();
    let mut server = mail_server::start(&directory, &[&port.to_string(), "none"]);
    assert_eq!(with(json!({"sendmail": [site.path("sendmail"), "-t"]})), [""; 0]);
    assert_eq!(with(json!({"sendmail": ["sh", "-c", "true"]})), [""; 0]);
    assert_eq!(with(smtp(port)), [""; 0]);
    let mut printed: Vec<String> = Vec::new();
    let refusals = [
        ("sender", "553 5.7.1 not your address"),
        ("relay", "554 5.7.1 Relay access denied"),
        ("unknown", "second@example.org"),
        ("greylist", "99"),
    ];
    for (file, text) in refusals {
        fs::write(directory.join(file), text).unwrap();
        printed.extend(with(smtp(port)).into_iter().map(|text| text.replace(&port.to_string(), "PORT")));
        fs::remove_file(directory.join(file)).unwrap();
    }
    let mut secured = smtp(port);
    secured["smtp"]["tls"] = json!("starttls");
    printed.extend(with(secured).into_iter().map(|text| text.replace(&port.to_string(), "PORT")));
    assert!(fs::read_dir(directory.join("mails")).unwrap().next().is_none(), "no mail is sent");
    server.kill().unwrap();
    server.wait().unwrap();
    printed.extend(with(json!({"sendmail": ["/no/such/sendmail", "-t"]})));
    printed.extend(with(json!({"sendmail": [site.path("plain"), "-t"]})));
    printed.extend(with(json!({"sendmail": ["no-such-sendmail", "-t"]})));
    printed.extend(with(smtp(port)).into_iter().map(|text| text.replace(&port.to_string(), "PORT")));
    insta::assert_snapshot!("mail", printed.join("\n"));
    // Without a mail or a report, there is no finding.
    site.configure_with(
        &journald,
        &json!({"a": [{"action": "action_noop"}]}),
        &json!({"email": {"sendmail": ["/no/such/sendmail"]}}),
    );
    assert_eq!(messages(&site, None), [""; 0]);
}

#[test]
fn an_unusable_storage_directory_is_reported_and_nothing_is_created() {
    let (journald, site) = (Journald::start(), Site::new());
    let with = |storage: PathBuf| {
        site.configure_with(
            &journald,
            &json!({"a": [{"action": "action_noop"}]}),
            &json!({"storage": storage}),
        );
        messages(&site, None)
    };
    fs::write(site.path("file"), "in the way").unwrap();
    fs::create_dir(site.path("broken")).unwrap();
    fs::write(
        site.path("broken/state.sqlite"),
        "no database, though long enough to look like one".repeat(100),
    )
    .unwrap();
    assert_eq!(with(site.path("new/deep")), [""; 0]);
    assert!(!site.path("new").exists());
    let mut printed = with(site.path("file/state"));
    printed.extend(with(site.path("broken")));
    insta::assert_snapshot!("storage", printed.join("\n"));
}

#[test]
fn a_journal_without_entries_or_directory_is_reported() {
    let site = Site::new();
    let rules = json!({"a": [{"action": "action_noop"}]});
    let with = |journal: Value| {
        let config = json!({"actions": rules, "storage": site.path("state"), "journal": journal});
        fs::write(site.path("pyruse.json"), config.to_string()).unwrap();
        messages(&site, None)
    };
    fs::create_dir(site.path("empty")).unwrap();
    let mut printed = with(json!({"directory": site.path("nowhere")}));
    printed.extend(with(json!({"directory": site.path("empty")})));
    printed.extend(with(json!({"namespace": "no-such-namespace-at-all"})));
    insta::assert_snapshot!("journal", printed.join("\n"));
}

#[test]
fn root_is_warned_of_a_journal_that_the_services_user_cannot_read() {
    let (journald, site) = (Journald::start(), Site::new());
    fs::create_dir(site.path("journal")).unwrap();
    journald.sync();
    let file = site.path("journal/system.journal");
    fs::copy(journald.directory().join("system.journal"), &file).unwrap();
    let journal = json!({"directory": site.path("journal")});
    site.configure_with(&journald, &json!({"a": [{"action": "action_noop"}]}), &json!({"journal": journal}));
    fs::create_dir(site.path("state")).unwrap();
    std::os::unix::fs::chown(site.path("state"), Some(65534), Some(65534)).unwrap();
    for path in ["", "journal", "pyruse.json"] {
        fs::set_permissions(site.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut printed = Vec::new();
    for mode in [0o644, 0o640, 0o600] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        printed.extend(messages(&site, None));
    }
    let denied = "user nobody cannot read SITE/journal/system.journal: it belongs to root:root and has mode";
    // An access control list might open what has rights for a group.
    assert_eq!(printed, [format!("P102 {denied} 0640"), format!("P101 {denied} 0600")]);
}

#[test]
fn check_live_changes_nothing() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["good"]), Site::new());
    firewall.add_ipsets("old");
    let bans = [
        ("action_nftBan", "ip Inet4 good", "ip6 Inet6 good", Some(60)),
        ("action_ipsetBan", "old4", "old6", Some(60)),
    ];
    site.configure(&journald, &banning(&bans));
    let state = || [firewall.nft(&["list", "ruleset"]), firewall.ipset(&["save"])];
    let before = state();
    inspect(&site, Some(&firewall));
    assert_eq!(state(), before);
    assert!(!site.path("state").exists());
    assert_eq!(site.mails().len(), 0);
}

//! Bans, counters and deliveries by hand: with a daemon and without, on real firewalls, and so that it lasts.

mod common;

use std::process::Output;

use common::{Firewall, Journald, Running, Site, failed_login, ssh_rules, wait_for};
use serde_json::Value;

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "exit code {}\n{}{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

/// What a command says, with times and numbers of processes replaced.
fn plain(site: &Site, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.replace(&site.path("").display().to_string(), "SITE/");
    // 2026-11-21 22:00:00, and the same in RFC 3339.
    while let Some(at) = rest.find("20") {
        let stamp: String = rest[at..].chars().take(19).collect();
        let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if shape == "0000-00-00 00:00:00" {
            out.push_str(&rest[..at]);
            out.push_str("DATE       TIME...");
            rest = rest[at + 19..].to_owned();
        } else {
            out.push_str(&rest[..at + 2]);
            rest = rest[at + 2..].to_owned();
        }
    }
    out + &rest
}

fn bans(site: &Site, firewall: &Firewall) -> Vec<(String, String)> {
    let output = site.pyruse(Some(firewall), &["bans", "list", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |ban: &Value, key: &str| ban[key].as_str().unwrap().to_owned();
    listed["bans"].as_array().unwrap().iter().map(|ban| (text(ban, "set"), text(ban, "ip"))).collect()
}

#[test]
fn bans_are_listed_made_and_lifted_with_a_daemon_and_without() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let pyruse = |args: &[&str]| plain(&site, &said(&site.pyruse(Some(&firewall), args)));
    let daemon = site.start(Some(&firewall));
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.1");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    wait_for("the order to be done", || pyruse(&["outbox", "list"]).contains("nothing waits").then_some(()));
    let mut told = Vec::new();
    let mut tell = |args: &[&str]| told.push(format!("$ pyruse {}\n{}", args.join(" "), pyruse(args)));
    tell(&["bans", "add", "192.0.2.2", "--for", "1d 30s"]);
    tell(&["bans", "add", "2001:DB8::1"]);
    tell(&["bans", "add", "::ffff:192.0.2.3", "--seconds", "7230", "--set", "ip Inet4 ssh_ban"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(firewall.elements("ip6 Inet6 ssh_ban"), [("2001:db8::1".to_owned(), None)]);
    tell(&["bans", "list"]);
    tell(&["bans", "remove", "192.0.2.1"]);
    tell(&["bans", "remove", "192.0.2.3", "--set", "ip Inet4 ssh_ban"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.2"]);
    // What is lifted does not come back, whatever happens.
    daemon.signal("-HUP");
    daemon.wait_ready();
    stop(daemon, &site);
    assert!(site.pyruse(Some(&firewall), &["boot", "action_nftBan"]).status.success());
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.2"]);

    // The same without a daemon.
    tell(&["bans", "add", "192.0.2.4", "--for", "2h 30m 30s"]);
    tell(&["bans", "remove", "192.0.2.2"]);
    tell(&["bans", "remove", "2001:db8:0:0::1"]);
    tell(&["bans", "list"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.4"]);
    assert_eq!(firewall.addresses("ip6 Inet6 ssh_ban"), [""; 0]);
    let daemon = site.start(Some(&firewall));
    assert_eq!(bans(&site, &firewall), [("ip Inet4 ssh_ban".to_owned(), "192.0.2.4".to_owned())]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.4"]);
    stop(daemon, &site);
    insta::assert_snapshot!(told.join("\n"));
}

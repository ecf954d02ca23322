//! Bans that become longer for repeat offenders, over a kill; and bans whose duration is in the entry.

mod common;
mod operator;

use common::{BanBackend, Firewall, Journald, Site, wait_for};
use operator::{bans, json};
use serde_json::{Value, json};

fn rules(duration: &Value) -> Value {
    json!({"all": [
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^trapped (?P<ip>\\S+)(?: for (?P<seconds>\\S+))?$"}},
        {"action": "action_nftBan", "args": {"IP": "ip", "banSeconds": duration,
            "nftSetIPv4": "ip Inet4 ban", "nftSetIPv6": "ip6 Inet6 ban"}},
    ]})
}

/// The bans as the list has them: address, which one it is, duration in seconds.
fn listed(site: &Site) -> Vec<(String, Value, i64)> {
    let listed = json(site, None, &["bans", "list", "--json"]);
    let seconds = |ban: &Value, key: &str| {
        ban[key].as_str().unwrap().parse::<pyruse_core::jiff::Timestamp>().unwrap().as_second()
    };
    let mut bans: Vec<_> = listed["bans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ban| {
            (
                ban["ip"].as_str().unwrap().to_owned(),
                ban["nth"].clone(),
                seconds(ban, "until") - seconds(ban, "since"),
            )
        })
        .collect();
    bans.sort_by(|a, b| a.0.cmp(&b.0));
    bans
}

#[test]
fn each_ban_of_an_address_is_longer_also_after_a_kill() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ban"]);
    site.configure(&journald, &rules(&json!([3, "4s", "1h"])));
    let daemon = site.start(Some(&firewall));
    for nth in 1..=2 {
        journald.line("test", 6, "trapped 192.0.2.1");
        wait_for("the ban", || {
            (listed(&site) == [("192.0.2.1".to_owned(), json!(nth), nth + 2)]).then_some(())
        });
        wait_for("its end", || listed(&site).is_empty().then_some(()));
    }
    daemon.signal("-KILL");
    drop(daemon);
    let daemon = site.start(Some(&firewall));
    journald.line("test", 6, "trapped 192.0.2.1");
    journald.line("test", 6, "trapped 192.0.2.1");
    // The second line only renews the ban.
    wait_for("both lines", || {
        (json(&site, None, &["status", "--json"])["behind"]["entries"] == 0).then_some(())
    });
    wait_for("the third ban", || (listed(&site) == [("192.0.2.1".to_owned(), json!(3), 3600)]).then_some(()));
    let text = String::from_utf8(site.pyruse(Some(&firewall), &["bans", "list"]).stdout).unwrap();
    assert!(text.contains("all (ban 3)"), "{text}");
    assert!(bans(&site, &firewall).iter().any(|(_, ip)| ip == "192.0.2.1"));
    assert!(daemon.terminate().success());
}

#[test]
fn an_entry_says_for_how_long_and_nonsense_bans_nobody() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ban"]);
    site.configure(&journald, &rules(&json!({"field": "seconds"})));
    let daemon = site.start(Some(&firewall));
    for (n, seconds) in ["600", "1h", "0", "soon", "-1", "99999999999999999999", "1e3"].iter().enumerate() {
        journald.line("test", 6, &format!("trapped 192.0.2.{n} for {seconds}"));
    }
    journald.line("test", 6, "trapped 192.0.2.8");
    journald.line("test", 6, "trapped 192.0.2.9 for 2h");
    wait_for("the last", || (listed(&site).len() == 3).then_some(()));
    let ban = |ip: &str, seconds| (ip.to_owned(), Value::Null, seconds);
    assert_eq!(listed(&site), [ban("192.0.2.0", 600), ban("192.0.2.1", 3600), ban("192.0.2.9", 7200)]);
    assert!(
        site.log().contains("`banSeconds`: `soon` is not a duration: nothing is banned"),
        "{}",
        site.log()
    );
    assert!(daemon.terminate().success());
}

//! The first Pyruse's files of bans: taken over once, or reported and left alone.

mod common;

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Firewall, Journald, Running, Site, run, wait_for};
use serde_json::json;

const NFT: &str = "action_nftBan.py.json";
const IPSET: &str = "action_ipsetBan.py.json";
const SET: &str = "ip Inet4 ssh_ban";

fn parts() -> (Journald, Firewall, Site) {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    run(firewall.command("ipset").args(["create", "mail4", "hash:ip", "timeout", "0"]));
    let ipset = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    site.configure_with(&journald, &json!({"a": [{"action": "action_noop"}]}), &ipset);
    fs::create_dir(site.path("state")).unwrap();
    (journald, firewall, site)
}

fn former(site: &Site, file: &str) -> PathBuf {
    site.path("state").join(file)
}

fn renamed(site: &Site, file: &str) -> PathBuf {
    former(site, &format!("{file}.imported"))
}

/// Unix seconds, so far from now.
fn seconds_from_now(seconds: f64) -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() + seconds
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn ipset_members(firewall: &Firewall) -> String {
    run(firewall.command("ipset").args(["save", "mail4"]))
}

#[test]
fn valid_files_are_imported_once_and_renamed() {
    let (_journald, firewall, site) = parts();
    let bans = json!([
        {"IP": "192.0.2.1", "nfSet": SET, "timestamp": seconds_from_now(5000.5)},
        {"IP": "192.0.2.2", "nftSet": SET, "timestamp": 0},
        {"IP": "192.0.2.3", "nfSet": SET, "timestamp": seconds_from_now(-1.0).floor()},
        {"IP": "2001:DB8::1", "nfSet": "ip6 Inet6 ssh_ban", "timestamp": 0},
    ]);
    let content = bans.to_string();
    fs::write(former(&site, NFT), &content).unwrap();
    fs::write(
        former(&site, IPSET),
        json!([{"IP": "192.0.2.9", "nfSet": "mail4", "timestamp": seconds_from_now(3000.0)}]).to_string(),
    )
    .unwrap();
    // Only the daemon takes them over.
    for command in [&["check"][..], &["boot", "action_nftBan"]] {
        assert!(site.pyruse(Some(&firewall), command).status.success());
        assert!(former(&site, NFT).exists() && former(&site, IPSET).exists());
    }

    let pyruse = site.start(Some(&firewall));
    wait_for("the bans", || (firewall.elements(SET).len() == 2).then_some(()));
    wait_for("the ban in IPv6", || (firewall.elements("ip6 Inet6 ssh_ban").len() == 1).then_some(()));
    wait_for("the ban of ipset", || {
        ipset_members(&firewall).contains("add mail4 192.0.2.9 timeout 2").then_some(())
    });
    let elements = firewall.elements(SET);
    assert_eq!(elements[0].0, "192.0.2.1");
    assert!(elements[0].1.is_some_and(|timeout| (4000..=5001).contains(&timeout)), "{elements:?}");
    assert_eq!(elements[1], ("192.0.2.2".to_owned(), None));
    assert!(!former(&site, NFT).exists() && !former(&site, IPSET).exists());
    assert_eq!(fs::read_to_string(renamed(&site, NFT)).unwrap(), content);
    assert!(renamed(&site, IPSET).exists());
    assert!(
        site.log().contains("3 bans (1 more had expired) of the first Pyruse imported"),
        "{}",
        site.log()
    );
    pyruse.kill();

    // What was taken over is ours.
    firewall.nft(&["flush ruleset"]);
    firewall.add_sets(&["ssh_ban"]);
    let pyruse = site.start(Some(&firewall));
    wait_for("the bans", || (firewall.elements(SET).len() == 2).then_some(()));
    stop(pyruse, &site);
    assert_eq!(site.log().matches("of the first Pyruse imported").count(), 2, "{}", site.log());

    // The same file again does no harm.
    fs::write(former(&site, NFT), &content).unwrap();
    let pyruse = site.start(Some(&firewall));
    stop(pyruse, &site);
    assert!(!former(&site, NFT).exists());
    assert_eq!(firewall.elements(SET).len(), 2);
}

#[test]
fn a_broken_file_is_reported_and_neither_changed_nor_imported() {
    let (_journald, firewall, site) = parts();
    let good = json!({"IP": "192.0.2.1", "nfSet": SET, "timestamp": 0}).to_string();
    let whole = json!([{"IP": "192.0.2.9", "nfSet": "mail4", "timestamp": 0}]).to_string();
    for (content, complaint) in [
        (format!("[{good}, {{\"IP\": \"192.0."), "the file is truncated ("),
        (String::new(), "the file is truncated ("),
        (format!("[{good}, {{\"IP\": 5}}]"), "the file is damaged, or not a list of bans ("),
        (format!("[{good}]\0\0\0"), "the file is damaged, or not a list of bans ("),
        (
            format!("[{good}, {}]", good.replace("192.0.2.1", "192.0.2.1}; flush ruleset")),
            "ban 2 of the list: `192.0.2.1}; flush ruleset` is not an IP address",
        ),
        (
            format!("[{good}, {}]", good.replace("ssh_ban", "ssh_ban {1.2.3.4}; flush ruleset")),
            "ban 2 of the list: `ip Inet4 ssh_ban {1.2.3.4}; flush ruleset` does not name a set",
        ),
    ] {
        fs::write(former(&site, NFT), &content).unwrap();
        fs::write(former(&site, IPSET), &whole).unwrap();
        run(firewall.command("ipset").args(["flush"]));
        let _ = fs::remove_file(site.path("log"));
        let pyruse = site.start(Some(&firewall));
        // The other file is none the worse.
        wait_for("the ban of ipset", || ipset_members(&firewall).contains("192.0.2.9").then_some(()));
        stop(pyruse, &site);
        let log = site.log();
        assert!(log.contains(&format!("{NFT}: {complaint}")), "{complaint}: {log}");
        assert_eq!(fs::read_to_string(former(&site, NFT)).unwrap(), content);
        assert!(!renamed(&site, NFT).exists());
        assert!(renamed(&site, IPSET).exists());
        assert_eq!(firewall.elements(SET), []);
    }
    // When it is corrected, it is imported.
    fs::write(former(&site, NFT), format!("[{good}]")).unwrap();
    let pyruse = site.start(Some(&firewall));
    wait_for("the ban", || (firewall.addresses(SET) == ["192.0.2.1"]).then_some(()));
    stop(pyruse, &site);
    assert!(renamed(&site, NFT).exists());
}

#[test]
fn a_file_that_was_imported_but_not_renamed_is_not_imported_again() {
    let (_journald, firewall, site) = parts();
    let ban = |address: &str| json!([{"IP": address, "nfSet": SET, "timestamp": 0}]).to_string();
    fs::write(former(&site, NFT), ban("192.0.2.1")).unwrap();
    // As after a crash right behind the commit: the name cannot be changed, since a directory is in the way.
    fs::create_dir(renamed(&site, NFT)).unwrap();
    let pyruse = site.start(Some(&firewall));
    wait_for("the ban", || (firewall.addresses(SET) == ["192.0.2.1"]).then_some(()));
    pyruse.kill();
    assert!(site.log().contains("was imported, but cannot be renamed"), "{}", site.log());
    assert!(former(&site, NFT).exists());

    fs::write(former(&site, NFT), ban("192.0.2.2")).unwrap();
    fs::remove_dir(renamed(&site, NFT)).unwrap();
    let pyruse = site.start(Some(&firewall));
    stop(pyruse, &site);
    assert!(!former(&site, NFT).exists() && renamed(&site, NFT).exists());
    assert_eq!(firewall.addresses(SET), ["192.0.2.1"]);

    // From now on, a file of that name is a new one.
    fs::write(former(&site, NFT), ban("192.0.2.3")).unwrap();
    let pyruse = site.start(Some(&firewall));
    wait_for("the ban", || (firewall.addresses(SET) == ["192.0.2.1", "192.0.2.3"]).then_some(()));
    stop(pyruse, &site);
}

//! The main job, live: a real journald, a real nftables, a program that takes mails.

mod common;

use std::fmt::Write as _;

use common::{BanBackend, Firewall, Journald, Site, both_ways, failed_login, ssh_rules, wait_for};

fn offenders_are_banned_with_their_timeout_and_nobody_else(way: BanBackend) {
    let (journald, firewall, site) =
        (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new().by(way));
    site.configure(&journald, &ssh_rules(600));
    let pyruse = site.start(Some(&firewall));

    let v4: Vec<String> = (0..100).map(|n| format!("198.51.100.{n}")).collect();
    let v6: Vec<String> = (0..100).map(|n| format!("2001:db8::{:x}", n + 1)).collect();
    for round in 0..3 {
        for address in v4.iter().chain(&v6) {
            failed_login(&journald, address);
        }
        // Twice is not three times.
        if round < 2 {
            failed_login(&journald, "203.0.113.1");
            journald.line("other", 6, "Failed password for root from 203.0.113.2 port 1 ssh2");
        }
    }
    wait_for("all bans", || {
        (firewall.elements("ip Inet4 ssh_ban").len() == 100
            && firewall.elements("ip6 Inet6 ssh_ban").len() == 100)
            .then_some(())
    });
    let mails = wait_for("all mails", || Some(site.mails()).filter(|mails| mails.len() == 200));
    assert!(pyruse.terminate().success(), "{}", site.log());

    let sorted = |mut addresses: Vec<String>| {
        addresses.sort();
        addresses
    };
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), sorted(v4.clone()));
    assert_eq!(firewall.addresses("ip6 Inet6 ssh_ban"), sorted(v6.clone()));
    for (address, timeout) in firewall.elements("ip Inet4 ssh_ban") {
        assert!(timeout.is_some_and(|seconds| (590..=600).contains(&seconds)), "{address}: {timeout:?}");
    }
    for address in v4.iter().chain(&v6) {
        let text = format!("\n\nbanned {address} after 3");
        assert!(mails.iter().any(|mail| mail.trim_end().ends_with(&text)), "{address}: {}", mails[0]);
    }
}

both_ways! {
    offenders_are_banned_with_their_timeout_and_nobody_else,
}

/// The memory that is taken by pages of journal files, in KiB.
fn journal_pages(pid: u32) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut is_journal = false;
    let mut pages = 0;
    for line in maps.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["Rss:", kib, _] if is_journal => pages += kib.parse::<u64>().unwrap(),
            [range, ..] if range.contains('-') => is_journal = line.ends_with(".journal"),
            _ => {}
        }
    }
    pages
}

#[test]
fn the_journal_is_reopened_to_free_memory_and_reading_continues_behind_the_last_entry() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]), Site::new());
    site.configure(&journald, &ssh_rules(600));
    let pyruse = site.start(Some(&firewall));
    let (one, other) = ("198.51.100.1", "198.51.100.2");
    failed_login(&journald, one);
    failed_login(&journald, one);
    for n in 0..12_000 {
        journald.line("chatter", 6, &format!("number {n} of many lines that nobody asked for"));
    }
    (0..3).for_each(|_| failed_login(&journald, other));
    wait_for("the ban of what was written last", || {
        (firewall.addresses("ip Inet4 ssh_ban") == [other]).then_some(())
    });
    wait_for("the journal's pages to be let go", || (journal_pages(pyruse.child.id()) < 2048).then_some(()));
    failed_login(&journald, one);
    wait_for("the other ban", || (firewall.addresses("ip Inet4 ssh_ban") == [one, other]).then_some(()));
    let mails = wait_for("both mails", || Some(site.mails()).filter(|mails| mails.len() == 2));
    assert!(mails.iter().any(|mail| mail.contains("banned 198.51.100.1 after 3")), "{mails:?}");
    assert!(pyruse.terminate().success(), "{}", site.log());
}

#[test]
fn in_a_long_backlog_the_journal_is_reopened_and_each_entry_is_read_once() {
    let site = Site::new();
    let mut export = String::new();
    for n in 0..105_000_i64 {
        let _ = write!(export, "__REALTIME_TIMESTAMP={}\nMESSAGE=number {n}\n\n", 1_795_000_000_000_000 + n);
    }
    std::fs::create_dir(site.path("journal")).unwrap();
    common::make_journal(export.as_bytes(), &site.path("journal/backlog.journal"));
    let rules = serde_json::json!({"the end": [
        {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "number 104999"}},
        {"action": "action_email", "args": {"message": "that was all"}},
    ]});
    let journal = serde_json::json!({"directory": site.path("journal"), "reader": "libsystemd"});
    let more = serde_json::json!({"journal": journal, "debug": true});
    site.configure_for("", &rules, &more);
    let pyruse = site.launch(None, &["run", "--since", "@0"]);
    wait_for("the last entry", || site.mails().pop());
    assert!(pyruse.terminate().success(), "{}", site.log());
    let log = site.log();
    assert_eq!(log.matches("the journal was opened again, to free memory").count(), 1, "{log}");
    assert!(log.contains("stopped after 105000 entries, 0 errors"), "{log}");
}

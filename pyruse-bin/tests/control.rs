//! Bans, counters and deliveries by hand: with a daemon and without, on real firewalls, and so that it lasts.

mod common;
mod operator;

use std::time::Instant;

use common::{BanBackend, Firewall, Journald, LONG, Site, both_ways, failed_login, run, ssh_rules, wait_for};
use operator::{Session, bans, json, plain, said, stop, without_pid};
use pyruse_core::time::{Expiry, Timestamp};
use serde_json::{Value, json};

/// One set for each family, and a mail; and counters, of which one is never compared.
fn rules_for(action: &str, sets: &Value) -> Value {
    let mut args = json!({"IP": "thatIP", "banSeconds": 3630});
    for (key, value) in sets.as_object().unwrap() {
        args[key] = value.clone();
    }
    let mut rules = ssh_rules(3630);
    rules["ssh"][4] = json!({"action": action, "args": args});
    rules
}

/// Both ways have the same words for what is wrong, but for the program's own.
fn of_either_way(way: BanBackend, text: &str) -> String {
    let kernel =
        text.replace("Error: Could not process rule: ", "Error: ").replace("nft: exit status 1: Error: ", "");
    assert!(way == BanBackend::Nft || kernel == text, "nft was run: {text}");
    kernel
}

fn wait_told(site: &Site, firewall: &Firewall) {
    wait_for("all deliveries", || {
        let listed = json(site, Some(firewall), &["outbox", "list", "--json"]);
        listed["deliveries"].as_array().unwrap().is_empty().then_some(())
    });
}

fn bans_are_listed_made_and_lifted_with_a_daemon_and_without(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let daemon = site.start(Some(&firewall));
    for _ in 0..3 {
        failed_login(&journald, "192.0.2.1");
    }
    wait_for("the ban", || (firewall.addresses("ip Inet4 ssh_ban") == ["192.0.2.1"]).then_some(()));
    wait_told(&site, &firewall);
    let mut session = Session::new(&site, Some(&firewall));
    session.run(&["bans", "add", "192.0.2.2", "--for", "1d 30s"]);
    session.run(&["bans", "add", "2001:DB8::1"]);
    session.run(&["bans", "add", "::ffff:192.0.2.3", "--seconds", "7230", "--set", "ip  Inet4 ssh_ban"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(firewall.elements("ip6 Inet6 ssh_ban"), [("2001:db8::1".to_owned(), None)]);
    session.run(&["bans", "list"]);
    session.run(&["bans", "remove", "192.0.2.1"]);
    session.run(&["bans", "remove", "192.0.2.3", "--set", "ip Inet4 ssh_ban"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.2"]);
    session.note("What is lifted comes back neither after a reload, nor by `boot`, nor after a restart.");
    daemon.signal("-HUP");
    daemon.wait_ready();
    stop(daemon, &site);
    session.run(&["boot", "action_nftBan"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.2"]);

    session.note("The same without a daemon.");
    session.run(&["bans", "add", "192.0.2.4", "--for", "2h 30m 30s"]);
    session.run(&["bans", "remove", "192.0.2.2"]);
    session.run(&["bans", "remove", "2001:db8:0:0::1"]);
    session.run(&["bans", "list"]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.4"]);
    assert_eq!(firewall.addresses("ip6 Inet6 ssh_ban"), [""; 0]);
    let daemon = site.start(Some(&firewall));
    assert_eq!(bans(&site, &firewall), [("ip Inet4 ssh_ban".to_owned(), "192.0.2.4".to_owned())]);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.4"]);
    session.run(&["bans", "remove", "192.0.2.4"]);
    session.run(&["bans", "list"]);
    stop(daemon, &site);
    insta::assert_snapshot!(
        "bans_are_listed_made_and_lifted_with_a_daemon_and_without",
        of_either_way(way, &session.text())
    );
}

#[test]
fn addresses_that_no_remote_host_has_are_refused_unless_they_are_allowed_and_zones_are_cut_off() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let special = ["127.0.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1%eth0", "255.255.255.255"];
    for allowed in [false, true] {
        let mut rules = ssh_rules(3600);
        rules["ssh"][3] = json!({"filter": "filter_greaterOrEquals", "args": {"field": "tries", "value": 3}});
        rules["ssh"][4]["args"]["allowSpecial"] = json!(allowed);
        site.configure(&journald, &rules);
        let daemon = site.start(Some(&firewall));
        let others = if allowed { ["192.0.2.3", "fe80::3%2"] } else { ["192.0.2.1", "fe80::1%eth0.100"] };
        for address in special.iter().chain(&others) {
            for _ in 0..3 {
                failed_login(&journald, address);
            }
        }
        let banned = |address: &str| bans(&site, &firewall).iter().any(|(_, ip)| ip == address);
        wait_for("the last ban", || banned(others[1].split('%').next().unwrap()).then_some(()));
        assert!(banned(others[0]));
        let found = bans(&site, &firewall).len();
        if allowed {
            assert_eq!(found, special.len() + 4, "{:?}", bans(&site, &firewall));
        } else {
            assert_eq!(found, 2, "{:?}", bans(&site, &firewall));
            let log = site.log();
            assert!(
                log.contains("127.0.0.1 is a loopback address: nothing is banned; `allowSpecial`"),
                "{log}"
            );
            let refused = said(&site.pyruse(Some(&firewall), &["bans", "add", "ff02::1%eth0"]));
            assert!(
                refused.starts_with("exit code 1") && refused.contains("ff02::1 is a multicast address"),
                "{refused}"
            );
            let by_hand = said(&site.pyruse(Some(&firewall), &["bans", "add", "ff02::1", "--allow-special"]));
            assert!(by_hand.starts_with("exit code 0"), "{by_hand}");
            let lifted = said(&site.pyruse(Some(&firewall), &["bans", "remove", "ff02::1%eth0"]));
            assert!(lifted.starts_with("exit code 0"), "{lifted}");
        }
        stop(daemon, &site);
    }
    wait_for("the firewall", || (firewall.addresses("ip Inet4 ssh_ban").len() == 6).then_some(()));
}

#[test]
fn ipset_gets_the_same_orders() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&[]);
    firewall.add_ipsets("ban");
    let sets = json!({"ipSetIPv4": "ban4", "ipSetIPv6": "ban6"});
    let ipset = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    site.configure_with(&journald, &rules_for("action_ipsetBan", &sets), &ipset);
    let daemon = site.start(Some(&firewall));
    let mut session = Session::new(&site, Some(&firewall));
    for with in ["a daemon", "none"] {
        session.note(&format!("With {with}."));
        session.run(&["bans", "add", "192.0.2.1", "--for", "1h 30s"]);
        session.run(&["bans", "add", "2001:db8::1"]);
        let [(ip, left)] = &firewall.ipset_elements("ban4")[..] else { panic!("one") };
        assert!(ip == "192.0.2.1" && (3600..=3630).contains(left), "{left}");
        assert_eq!(firewall.ipset_elements("ban6"), [("2001:db8::1".to_owned(), 0)]);
        // Gone already: that is no error.
        firewall.ipset(&["del", "ban6", "2001:db8::1"]);
        session.run(&["bans", "remove", "192.0.2.1"]);
        session.run(&["bans", "remove", "2001:db8::1"]);
        assert!(firewall.ipset_elements("ban4").is_empty() && firewall.ipset_elements("ban6").is_empty());
        if with == "a daemon" {
            daemon.signal("-TERM");
            wait_for("its end", || site.log().contains("stopped after").then_some(()));
        }
    }
    insta::assert_snapshot!(session.text());
}

fn many_bans_and_ends_of_bans_stand_in_one_batch(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    firewall.add_ipsets("ban");
    let mut rules = ssh_rules(3630);
    rules["other"] =
        rules_for("action_ipsetBan", &json!({"ipSetIPv4": "ban4", "ipSetIPv6": "ban6"}))["ssh"].clone();
    let ipset = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    let off = json!({"nftBan": {"nft": ["false"]}, "ipsetBan": {"ipset": ["false"]}});
    let address = |n: u32| format!("10.0.{}.{}", n / 250, n % 250 + 1);
    site.configure_with(&journald, &rules, &ipset);
    let daemon = site.start(Some(&firewall));
    let all = |verb: &str, range: std::ops::Range<u32>, expected: i32| {
        for n in range {
            for set in ["ip Inet4 ssh_ban", "ban4"] {
                let output = site.pyruse(Some(&firewall), &["bans", verb, &address(n), "--set", set]);
                assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
            }
        }
    };
    all("add", 0..15, 0);
    stop(daemon, &site);
    // While the firewall's programs fail, some are lifted, some banned, some both.
    site.configure_with(&journald, &rules, &off);
    let daemon = site.start(Some(&firewall));
    all("remove", 0..10, 1);
    all("add", 5..20, 1);
    all("remove", 12..17, 1);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban").len(), 15);
    site.configure_with(&journald, &rules, &ipset);
    daemon.signal("-HUP");
    daemon.wait_ready();
    wait_told(&site, &firewall);
    let mut expected: Vec<String> = (5..12).chain(17..20).map(address).collect();
    expected.sort();
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), expected);
    let in_ipset: Vec<String> = firewall.ipset_elements("ban4").into_iter().map(|(ip, _)| ip).collect();
    assert_eq!(in_ipset, expected);
    stop(daemon, &site);
}

fn a_ban_anew_while_its_end_still_waits_has_its_full_time(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let rules = ssh_rules(3630);
    site.configure(&journald, &rules);
    let daemon = site.start(Some(&firewall));
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1", "--for", "1m"]).status.success());
    site.configure_with(&journald, &rules, &json!({"nftBan": {"nft": ["false"]}}));
    daemon.signal("-HUP");
    daemon.wait_ready();
    assert!(!site.pyruse(Some(&firewall), &["bans", "remove", "192.0.2.1"]).status.success());
    assert!(!site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1", "--for", "1h"]).status.success());
    site.configure(&journald, &rules);
    daemon.signal("-HUP");
    daemon.wait_ready();
    wait_told(&site, &firewall);
    let [(ip, Some(left))] = &firewall.elements("ip Inet4 ssh_ban")[..] else {
        panic!("one with a time-out")
    };
    assert!(ip == "192.0.2.1" && *left > 3500, "{left}");
    stop(daemon, &site);
}

fn a_set_that_is_missing_is_told_with_the_command_that_makes_it(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&[]);
    let mut rules = ssh_rules(3630);
    rules["other"] =
        rules_for("action_ipsetBan", &json!({"ipSetIPv4": "ban4", "ipSetIPv6": "ban6"}))["ssh"].clone();
    site.configure_with(&journald, &rules, &json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}}));
    let daemon = site.start(Some(&firewall));
    let mut session = Session::new(&site, Some(&firewall));
    let mut commands = Vec::new();
    for (ip, set) in [("192.0.2.1", "ip Inet4 ssh_ban"), ("2001:db8::1", "ban6"), ("192.0.2.1", "ban4")] {
        let printed = session.run(&["bans", "add", ip, "--set", set]);
        let command = printed
            .split("create it with: ")
            .nth(1)
            .expect("a command")
            .split("; the daemon")
            .next()
            .unwrap();
        commands.push(command.to_owned());
    }
    // Tried again at its own time; how often it was by now is the machine's business.
    let listed = json(&site, Some(&firewall), &["bans", "list", "--json"]);
    for ban in listed["bans"].as_array().unwrap() {
        assert!(ban["delivery"]["error"].as_str().unwrap().contains("create it with"), "{ban}");
        assert_eq!(ban["delivery"]["state"], "waiting");
    }
    session.note("One of them is lifted: nothing of it may reach the set later.");
    session.run(&["bans", "remove", "192.0.2.1", "--set", "ban4"]);
    for command in &commands {
        run(firewall.command("sh").args(["-c", command]));
    }
    for delivery in
        json(&site, Some(&firewall), &["outbox", "list", "--json"])["deliveries"].as_array().unwrap()
    {
        // It may have gone by itself just now.
        site.pyruse(Some(&firewall), &["outbox", "retry", delivery["id"].as_str().unwrap()]);
    }
    wait_told(&site, &firewall);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.1"]);
    assert_eq!(firewall.ipset_elements("ban6"), [("2001:db8::1".to_owned(), 0)]);
    assert!(firewall.ipset_elements("ban4").is_empty());
    stop(daemon, &site);
    insta::assert_snapshot!(
        "a_set_that_is_missing_is_told_with_the_command_that_makes_it",
        of_either_way(way, &session.text())
    );
}

#[test]
fn every_mistake_is_reported_with_the_possible_values() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban", "mail_ban"]);
    let mut rules = ssh_rules(3630);
    let nft = json!({"nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 mail_ban"});
    rules["other"] = rules_for("action_nftBan", &nft)["ssh"].clone();
    site.configure(&journald, &rules);
    let mut session = Session::new(&site, Some(&firewall));
    session.note("Before the first start.");
    for args in [&["bans", "list"][..], &["bans", "add", "192.0.2.1"], &["counters", "reset", "ssh", "x"]] {
        session.run(args);
    }
    let daemon = site.start(Some(&firewall));
    failed_login(&journald, "192.0.2.9");
    wait_for("the counter", || {
        let listed = json(&site, Some(&firewall), &["counters", "list", "--json"]);
        (!listed["counters"].as_array().unwrap().is_empty()).then_some(())
    });
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1"]).status.success());
    let mistakes: [&[&str]; 21] = [
        &["bans", "add", "192.0.2.256"],
        &["bans", "add", "192.0.2.0/33"],
        &["bans", "add", "1.2.3.4}; flush ruleset"],
        &["bans", "add", "192.0.2.1", "--for", "soon"],
        &["bans", "add", "192.0.2.1", "--for", "1y"],
        &["bans", "add", "192.0.2.1", "--seconds", "0"],
        &["bans", "add", "192.0.2.1", "--seconds", "1", "--for", "1d"],
        &["bans", "add", "2001:db8::1"],
        &["bans", "add", "2001:db8::1", "--set", "ip Inet4 ssh_ban"],
        &["bans", "add", "192.0.2.1", "--set", "ip Inet4 shs_ban"],
        &["bans", "add", "192.0.2.1", "--set", "x; flush ruleset"],
        &["bans", "remove", "192.0.2.2"],
        &["bans", "remove", "192.0.2.1", "--set", "ip6 Inet6 ssh_ban"],
        &["bans", "remove", "192.0.2.2", "--set", "ip Inet4 ssh_ban"],
        &["bans", "remove", "192.0.2.1", "--set", "nonsense"],
        &["counters", "list", "shs"],
        &["counters", "reset", "shs", "192.0.2.9"],
        &["counters", "reset", "ssh", "192.0.2.8"],
        &["outbox", "retry", "12"],
        &["outbox", "drop", "nftban:3"],
        &["outbox", "retry", "email:1234567"],
    ];
    for args in mistakes {
        session.run(args);
    }
    stop(daemon, &site);
    let text = session.text();
    let with_daemon = text.split("$ pyruse bans add 192.0.2.256").nth(1).unwrap();
    let mut again = Session::new(&site, Some(&firewall));
    for args in mistakes {
        again.run(args);
    }
    let without = again.text();
    assert_eq!(without.split("$ pyruse bans add 192.0.2.256").nth(1).unwrap(), with_daemon);
    insta::assert_snapshot!(text);
}

#[test]
fn counters_are_listed_and_reset_with_a_daemon_and_without() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let mut rules = ssh_rules(3630);
    rules["ssh"][3]["args"]["value"] = 100.into();
    rules["graced"] = json!([
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^forgive (?P<who>.*)$"}},
        {"action": "action_counterReset", "args": {"counter": "forgiven", "for": "who", "graceSeconds": 3600}},
    ]);
    rules["ever"] = json!([
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^count (?P<who>.*)$"}},
        {"action": "action_counterRaise", "args": {"counter": "ever", "for": "who", "save": "n"}},
    ]);
    site.configure(&journald, &rules);
    let daemon = site.start(Some(&firewall));
    for address in ["192.0.2.10", "192.0.2.9", "192.0.2.9"] {
        failed_login(&journald, address);
    }
    journald.line("x", 6, "count \x1b[2Jme");
    journald.line("x", 6, "forgive bob");
    wait_for("all", || {
        let listed = json(&site, Some(&firewall), &["counters", "list", "--json"]);
        (listed["counters"].as_array().unwrap().len() == 4).then_some(())
    });
    let mut session = Session::new(&site, Some(&firewall));
    session.run(&["counters", "list"]);
    session.run(&["counters", "list", "ssh"]);
    session.run(&["counters", "reset", "ssh", "192.0.2.9"]);
    session.run(&["counters", "list", "ssh"]);
    daemon.kill();
    session.note("A power cut later, without a daemon.");
    session.run(&["counters", "list", "ssh"]);
    session.run(&["counters", "reset", "forgiven", "bob"]);
    session.run(&["counters", "reset", "ever", "\x1b[2Jme"]);
    session.run(&["counters", "reset", "forgiven", "bob", "--json"]);
    session.run(&["counters", "list"]);
    let daemon = site.start(Some(&firewall));
    session.run(&["counters", "list"]);
    failed_login(&journald, "192.0.2.9");
    wait_for("a tick after the reset", || {
        let listed = json(&site, Some(&firewall), &["counters", "list", "ssh", "--json"]);
        let counts = listed["counters"].as_array().unwrap();
        counts.iter().find(|c| c["key"] == "192.0.2.9").map(|count| assert_eq!(count["count"], 1))
    });
    stop(daemon, &site);
    insta::assert_snapshot!(session.text());
}

#[test]
fn deliveries_that_wait_or_were_given_up_are_listed_tried_and_dropped() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let good = site.script("sendmail.good", &format!("exec {}", site.path("real").display()));
    std::fs::rename(site.path("sendmail"), site.path("real")).unwrap();
    site.script("sendmail", "echo the mailbox is on fire >&2; exit 75");
    let daemon = site.start(Some(&firewall));
    for address in ["192.0.2.1", "192.0.2.2"] {
        for _ in 0..3 {
            failed_login(&journald, address);
        }
    }
    let list = || json(&site, Some(&firewall), &["outbox", "list", "--json"])["deliveries"].clone();
    wait_for("two mails that wait", || {
        let list = list();
        let waiting = list.as_array().unwrap().iter().filter(|mail| mail["error"].is_string()).count();
        (waiting == 2).then_some(())
    });
    stop(daemon, &site);
    // An order that makes no sense, as a damaged state would have it: it is given up.
    let state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
    let order = json!({"payload": "{\"set\": \"x; flush ruleset\", \"ip\": \"192.0.2.3\", \"until\": null, \"renew\": false}",
        "created": 1_795_000_000_000_000_i64, "due": 0, "status": "waiting"});
    let part = "(SELECT id FROM parts WHERE name = 'action_nftBan/orders')";
    let sql =
        format!("INSERT INTO rows (part, key, value) VALUES ({part}, x'0000000000000063', CAST(?1 AS BLOB))");
    state.execute(&sql, [order.to_string()]).unwrap();
    // The mails as if they had been tried many times, so that the next try is far in the future, however slow the test
    // is: then only those that are retried are tried.
    let far = serde_json::to_string(&Expiry::after_seconds(Timestamp::now(), 3600)).unwrap();
    let sql =
        "UPDATE rows SET value = CAST(json_set(CAST(value AS TEXT), '$.due', json(?1), '$.tries', 9) AS BLOB)
               WHERE part = (SELECT id FROM parts WHERE name = 'action_email')";
    assert_eq!(state.execute(sql, [far]).unwrap(), 2);
    drop(state);
    let daemon = site.start(Some(&firewall));
    let given_up = || {
        let found = list().as_array().unwrap().iter().any(|one| one["state"] == "givenUp");
        found.then_some(())
    };
    wait_for("the order to be given up", given_up);
    wait_for("the tries at the start", || {
        let list = list();
        let tried = list.as_array().unwrap().iter().filter(|mail| mail["tries"] == 10).count();
        (list.as_array().unwrap().len() == 3 && tried == 2).then_some(())
    });
    let listed = list();
    let shown: Vec<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!("{} {} {} | {} | {}", one["id"], one["module"], one["state"], one["what"], one["error"])
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n").replace(&site.path("").display().to_string(), "SITE/"));

    let mut session = Session::new(&site, Some(&firewall));
    session.run(&["outbox", "retry", "nftBan:99"]);
    wait_for("it to be given up again", given_up);
    session.run(&["outbox", "drop", "action_nftBan:99"]);
    session.run(&["outbox", "drop", "nftBan:99"]);
    session.run(&["outbox", "drop", "email:1", "--json"]);
    assert!(site.mails().is_empty());
    std::fs::copy(&good, site.path("sendmail")).unwrap();
    session.run(&["outbox", "retry", "email:0"]);
    wait_for("the mail", || (site.mails().len() == 1).then_some(()));
    wait_told(&site, &firewall);
    session.run(&["outbox", "list"]);
    assert!(site.mails()[0].contains("banned 192.0.2.1 after 3"), "{:?}", site.mails());
    stop(daemon, &site);
    insta::assert_snapshot!(session.text());
}

/// Returns `true` if a stream of the process is connected to a socket of another one.
fn has_connected(pid: u32) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let held: Vec<String> = fds
        .filter_map(|fd| std::fs::read_link(fd.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|to| Some(to.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    sockets.lines().any(|line| {
        // … type (1: a stream), state (3: connected), inode
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.len() > 6
            && (columns[4], columns[5]) == ("0001", "03")
            && held.iter().any(|inode| inode == columns[6])
    })
}

#[test]
fn a_request_is_done_completely_or_not_at_all_when_the_daemon_is_killed_before_it_answers() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let mut outcomes = std::collections::BTreeSet::new();
    for round in 0..24_u64 {
        let daemon = site.start(Some(&firewall));
        let address = format!("192.0.2.{round}");
        let stopped = round % 4 == 0;
        if stopped {
            daemon.signal("-STOP");
        }
        let asking = site
            .command(Some(&firewall), &["bans", "add", &address])
            .stderr(std::process::Stdio::piped())
            .spawn();
        let asking = asking.unwrap();
        if stopped {
            // It has connected, and waits.
            wait_for("the question", || has_connected(asking.id()).then_some(()));
        } else {
            std::thread::sleep(std::time::Duration::from_millis(3 * (round % 12)));
        }
        let pid = daemon.child.id();
        daemon.kill();
        let output = asking.wait_with_output().unwrap();
        let printed = without_pid(&String::from_utf8_lossy(&output.stderr), pid);
        if stopped {
            assert_eq!(
                printed,
                "pyruse: the daemon (process PID) stopped before it answered; check whether it is done\n"
            );
        }
        // In any case, the state and the firewall agree after the next start.
        let daemon = site.start(Some(&firewall));
        wait_told(&site, &firewall);
        let listed = bans(&site, &firewall).iter().any(|(_, ip)| *ip == address);
        assert_eq!(listed, firewall.addresses("ip Inet4 ssh_ban").contains(&address), "round {round}");
        if output.status.success() {
            assert!(listed, "what was answered holds: round {round}");
        }
        outcomes.insert((output.status.success(), listed));
        stop(daemon, &site);
    }
    assert!(outcomes.contains(&(false, false)), "{outcomes:?}");
}

#[test]
fn many_operators_at_once_all_get_their_answer_with_a_daemon_and_without() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let mut daemon = Some(site.start(Some(&firewall)));
    for (round, count) in [(0, 20), (1, 6)] {
        let asking: Vec<_> = (0..count)
            .map(|n| {
                let mut command =
                    site.command(Some(&firewall), &["bans", "add", &format!("192.0.{round}.{n}")]);
                command.stderr(std::process::Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for asked in asking {
            let output = asked.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
        if let Some(daemon) = daemon.take() {
            stop(daemon, &site);
        }
    }
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban").len(), 26);
    assert_eq!(bans(&site, &firewall).len(), 26);
}

fn twenty_thousand_bans_are_listed_at_once_and_one_of_them_is_lifted(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let former: Vec<Value> = (0..20_000)
        .map(|n| json!({"IP": format!("10.{}.{}.{}", n % 7, n / 250, n % 250), "nfSet": "ip Inet4 ssh_ban", "timestamp": 0}))
        .collect();
    std::fs::create_dir(site.path("state")).unwrap();
    std::fs::write(site.path("state/action_nftBan.py.json"), serde_json::to_string(&former).unwrap())
        .unwrap();
    let daemon = site.start(Some(&firewall));
    // While all of them wait for the firewall, and when none does.
    let start = Instant::now();
    let output = site.pyruse(Some(&firewall), &["bans", "list"]);
    let took = start.elapsed();
    assert!(output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().last().unwrap(), "20,000 bans");
    let addresses: Vec<std::net::Ipv4Addr> =
        text.lines().skip(1).filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert_eq!(addresses.len(), 20_000);
    assert!(addresses.is_sorted());
    // A moment, even on a machine that has much else to do.
    assert!(took < LONG, "{took:?}");
    wait_told(&site, &firewall);
    let output = site.pyruse(Some(&firewall), &["bans", "remove", "10.3.4.6"]);
    assert_eq!(plain(&site, &said(&output)), "exit code 1\npyruse: 10.3.4.6 is not banned\n");
    let output = site.pyruse(Some(&firewall), &["bans", "remove", &addresses[12_345].to_string()]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(bans(&site, &firewall).len(), 19_999);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban").len(), 19_999);
    stop(daemon, &site);
}

#[test]
fn thousands_of_bans_that_wait_for_a_set_that_is_missing_cost_little() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["other_ban"]);
    let runs = site.path("runs");
    let nft = site.script("nft", &format!("echo run >> {}; exec nft \"$@\"", runs.display()));
    let mut rules = ssh_rules(3630);
    let sets = json!({"nftSetIPv4": "ip Inet4 other_ban", "nftSetIPv6": "ip6 Inet6 other_ban"});
    rules["other"] = rules_for("action_nftBan", &sets)["ssh"].clone();
    site.configure_with(&journald, &rules, &json!({"nftBan": {"nft": [nft]}}));
    stop(site.start(Some(&firewall)), &site);
    // As if an attack of this size had come while the set was missing: bans that wait, each in a row of its own.
    let mut state = rusqlite::Connection::open(site.path("state/state.sqlite")).unwrap();
    let transaction = state.transaction().unwrap();
    let part = "(SELECT id FROM parts WHERE name = 'action_nftBan/orders')";
    let sql = format!("INSERT INTO rows (part, key, value) VALUES ({part}, ?1, CAST(?2 AS BLOB))");
    for n in 0..6000_u64 {
        let ip = format!("10.0.{}.{}", n / 250, n % 250);
        let payload = json!({"set": "ip Inet4 ssh_ban", "ip": ip, "until": null, "renew": false}).to_string();
        let row = json!({"payload": payload, "key": format!("ip Inet4 ssh_ban {ip}"), "created": 0, "due": 0, "status": "waiting"});
        transaction.execute(&sql, rusqlite::params![n.to_be_bytes().to_vec(), row.to_string()]).unwrap();
    }
    transaction.commit().unwrap();
    drop(state);
    let _ = std::fs::remove_file(&runs);
    let daemon = site.start(Some(&firewall));
    let count = || std::fs::read_to_string(&runs).map_or(0, |text| text.lines().count());
    let tries = || -> Vec<u64> {
        let listed = json(&site, Some(&firewall), &["outbox", "list", "--json"]);
        listed["deliveries"].as_array().unwrap().iter().map(|one| one["tries"].as_u64().unwrap()).collect()
    };
    let all_tried = |times: u64| tries().iter().all(|tried| *tried >= times).then_some(());
    wait_for("the first round", || all_tried(1));
    let written = || {
        let io = std::fs::read_to_string(format!("/proc/{}/io", daemon.child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap().parse::<u64>().unwrap()
    };
    // A round of which nothing is asked, so that nothing is answered.
    let before = (count(), written());
    wait_for("a further round", || (count() > before.0).then_some(()));
    assert!(written() - before.1 < 1 << 20, "{} bytes written", written() - before.1);
    wait_for("further rounds", || all_tried(4));
    // 6,000 are three batches; the set is found out once, and then probed by two orders of each batch.
    let programs = count() as u64;
    let rounds = tries().into_iter().max().unwrap();
    assert!(programs <= 40 + 3 * 2 * (rounds + 1), "{programs} programs for {rounds} rounds of 6,000 bans");
    // Others are not held back, and when the set comes, all go.
    assert!(
        site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.1", "--set", "ip Inet4 other_ban"])
            .status
            .success()
    );
    firewall.add_sets(&["ssh_ban"]);
    let retried = site.pyruse(Some(&firewall), &["outbox", "retry", "nftBan:0"]);
    assert!(retried.status.success(), "{}", said(&retried));
    wait_told(&site, &firewall);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban").len(), 6000);
    stop(daemon, &site);
}

fn the_firewall_may_have_lost_an_element_that_is_lifted_or_its_set_may_be_full(way: BanBackend) {
    let (journald, site) = (Journald::start(), Site::new().by(way));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let daemon = site.start(Some(&firewall));
    for ip in ["192.0.2.1", "192.0.2.2"] {
        assert!(site.pyruse(Some(&firewall), &["bans", "add", ip]).status.success());
    }
    firewall.nft(&["flush set ip Inet4 ssh_ban; delete set ip Inet4 ssh_ban"]);
    firewall.nft(&["add set ip Inet4 ssh_ban { type ipv4_addr; flags timeout; size 1; }"]);
    firewall.nft(&["add element ip Inet4 ssh_ban { 203.0.113.1 }"]);
    let mut session = Session::new(&site, Some(&firewall));
    session.run(&["bans", "remove", "192.0.2.1"]);
    session.run(&["bans", "add", "192.0.2.3"]);
    firewall.nft(&["delete element ip Inet4 ssh_ban { 203.0.113.1 }"]);
    session.run(&["bans", "remove", "192.0.2.2"]);
    wait_told(&site, &firewall);
    assert_eq!(firewall.addresses("ip Inet4 ssh_ban"), ["192.0.2.3"]);
    stop(daemon, &site);
    insta::assert_snapshot!(
        "the_firewall_may_have_lost_an_element_that_is_lifted_or_its_set_may_be_full",
        of_either_way(way, &session.text())
    );
}

#[test]
fn sigusr1_is_not_handled_any_more() {
    let (journald, site) = (Journald::start(), Site::new());
    site.configure(&journald, &ssh_rules(3630));
    let mut daemon = site.start(None);
    let caught = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
    let caught = caught.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap().to_owned();
    let usr1 = 1 << (nix::libc::SIGUSR1 - 1);
    assert_eq!(u64::from_str_radix(&caught, 16).unwrap() & usr1, 0);
    assert!(daemon.child.try_wait().unwrap().is_none());
    stop(daemon, &site);
}

both_ways! {
    bans_are_listed_made_and_lifted_with_a_daemon_and_without,
    many_bans_and_ends_of_bans_stand_in_one_batch,
    a_ban_anew_while_its_end_still_waits_has_its_full_time,
    a_set_that_is_missing_is_told_with_the_command_that_makes_it,
    twenty_thousand_bans_are_listed_at_once_and_one_of_them_is_lifted,
    the_firewall_may_have_lost_an_element_that_is_lifted_or_its_set_may_be_full,
}

#[test]
fn operators_can_use_the_daemon_while_the_configuration_has_an_error() {
    let (journald, site) = (Journald::start(), Site::new());
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &ssh_rules(3630));
    let daemon = site.start(Some(&firewall));
    // The storage must still be known: the file is wrong, but not torn.
    let whole = std::fs::read_to_string(site.path("pyruse.json")).unwrap();
    std::fs::write(site.path("pyruse.json"), whole.replace("filter_pcre", "filter_pcree")).unwrap();
    for args in [
        &["bans", "add", "192.0.2.9", "--for", "1h"][..],
        &["bans", "remove", "192.0.2.9"],
        &["bans", "list"],
        &["counters", "list"],
        &["outbox", "list"],
        &["status"],
    ] {
        let output = site.pyruse(Some(&firewall), args);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {complaint}");
        assert!(complaint.contains("there is no filter `filter_pcree`"), "{complaint}");
        let goes_on = format!(
            "the daemon (process {}) still uses the configuration that it read before, and is asked",
            daemon.child.id()
        );
        assert!(complaint.contains(&goes_on), "{complaint}");
    }
    stop(daemon, &site);
    let output = site.pyruse(Some(&firewall), &["bans", "list"]);
    assert_eq!(output.status.code(), Some(78), "without a daemon there is nobody to ask");
}

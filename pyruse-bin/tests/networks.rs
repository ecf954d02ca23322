//! Bans of networks, in real sets of nftables (by netlink and by the program nft) and of ipset: what the firewall has is
//! what `bans list` shows, also where one ban lies within another.

mod common;

use common::{BanBackend, Firewall, Journald, Running, Site, both_ways, wait_for};
use serde_json::{Value, json};

both_ways!(
    an_address_stands_for_its_network,
    a_wider_ban_replaces_those_within_it_until_it_ends_or_is_lifted,
    a_network_for_a_set_of_addresses_is_refused_with_the_remedy,
    an_element_of_somebody_else_is_in_the_way_until_it_is_gone,
    all_bans_of_a_set_are_removed,
);

const V4: &str = "inet t nets4";
const V6: &str = "inet t nets6";

fn parts(way: BanBackend) -> (Journald, Firewall, Site) {
    let firewall = Firewall::with_sets(&[]);
    firewall.nft(&["add table inet t; add set inet t nets4 { type ipv4_addr; flags interval, timeout; }; \
        add set inet t nets6 { type ipv6_addr; flags interval, timeout; }; \
        add set inet t plain4 { type ipv4_addr; flags timeout; }"]);
    (Journald::start(), firewall, Site::new().by(way))
}

/// Each line `ban ADDRESS` bans the network of the address, and `single ADDRESS` the address, in the same sets.
fn rules(sets: [&str; 2]) -> Value {
    let step = |word: &str, more: Value| {
        let mut args = json!({"IP": "ip", "banSeconds": 3600, "nftSetIPv4": sets[0], "nftSetIPv6": sets[1]});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([
            {"filter": "filter_pcre", "args": {
                "field": "MESSAGE", "re": format!("^{word} (\\S+)$"), "save": ["ip"]}},
            {"action": "action_nftBan", "args": args},
        ])
    };
    json!({"nets": step("ban", json!({"prefix4": 24, "prefix6": 64})), "single": step("single", json!({}))})
}

fn start(way: BanBackend) -> (Journald, Firewall, Site, Running) {
    let (journald, firewall, site) = parts(way);
    site.configure(&journald, &rules([V4, V6]));
    let pyruse = site.start(Some(&firewall));
    (journald, firewall, site, pyruse)
}

fn wait_has(firewall: &Firewall, set: &str, nets: &[&str], site: &Site) {
    wait_for(&format!("{nets:?} in {set}: {:?}\n{}", firewall.elements(set), site.log()), || {
        (firewall.addresses(set) == nets).then_some(())
    });
}

/// Runs a command, and returns what it printed.
fn done(site: &Site, firewall: &Firewall, args: &[&str]) -> String {
    let output = site.pyruse(Some(firewall), args);
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {printed}\n{}", site.log());
    printed
}

/// The listed bans: the network, and the wider one that the firewall has instead.
fn listed(site: &Site, firewall: &Firewall) -> Vec<(String, Option<String>)> {
    let listed: Value = serde_json::from_str(&done(site, firewall, &["bans", "list", "--json"])).unwrap();
    let bans = listed["bans"].as_array().unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    bans.iter().map(|ban| (text(&ban["ip"]).unwrap(), text(&ban["within"]))).collect()
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

fn an_address_stands_for_its_network(way: BanBackend) {
    let (journald, firewall, site, pyruse) = start(way);
    for address in ["192.0.2.7", "192.0.2.8", "::ffff:198.51.100.1", "2001:db8:1:2:3::4", "2001:db8:1:2::5"] {
        journald.line("test", 6, &format!("ban {address}"));
    }
    wait_has(&firewall, V4, &["192.0.2.0/24", "198.51.100.0/24"], &site);
    wait_has(&firewall, V6, &["2001:db8:1:2::/64"], &site);
    for (_, timeout) in firewall.elements(V4) {
        assert!((3500..=3600).contains(&timeout.unwrap()), "{timeout:?}");
    }
    // Neighbours are not merged, and each can be lifted.
    journald.line("test", 6, "ban 192.0.3.1");
    wait_has(&firewall, V4, &["192.0.2.0/24", "192.0.3.0/24", "198.51.100.0/24"], &site);
    done(&site, &firewall, &["bans", "remove", "192.0.2.0/24"]);
    wait_has(&firewall, V4, &["192.0.3.0/24", "198.51.100.0/24"], &site);
    let refused = site.pyruse(Some(&firewall), &["bans", "remove", "198.51.100.9"]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(
        words.contains("198.51.100.9 is not banned itself, but 198.51.100.0/24, which contains it, is"),
        "{words}"
    );
    // They are put back after a flush, and after a kill.
    firewall.nft(&["flush set inet t nets4"]);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_has(&firewall, V4, &["192.0.3.0/24", "198.51.100.0/24"], &site);
    pyruse.kill();
    firewall.nft(&["flush set inet t nets4; flush set inet t nets6"]);
    let pyruse = site.start(Some(&firewall));
    wait_has(&firewall, V4, &["192.0.3.0/24", "198.51.100.0/24"], &site);
    wait_has(&firewall, V6, &["2001:db8:1:2::/64"], &site);
    stop(pyruse, &site);
}

fn a_wider_ban_replaces_those_within_it_until_it_ends_or_is_lifted(way: BanBackend) {
    let (journald, firewall, site, pyruse) = start(way);
    journald.line("test", 6, "single 192.0.2.7");
    journald.line("test", 6, "single 192.0.9.9");
    wait_has(&firewall, V4, &["192.0.2.7", "192.0.9.9"], &site);
    journald.line("test", 6, "ban 192.0.2.8");
    wait_has(&firewall, V4, &["192.0.2.0/24", "192.0.9.9"], &site);
    done(&site, &firewall, &["bans", "add", "192.0.0.0/16", "--set", V4, "--for", "1h"]);
    wait_has(&firewall, V4, &["192.0.0.0/16"], &site);
    journald.line("test", 6, "single 192.0.2.9");
    let wider = Some("192.0.0.0/16".to_owned());
    let within = |net: &str| (net.to_owned(), wider.clone());
    wait_for("the ban within another", || {
        let expected = [
            ("192.0.0.0/16".to_owned(), None),
            within("192.0.2.0/24"),
            within("192.0.2.7"),
            within("192.0.2.9"),
            within("192.0.9.9"),
        ];
        (listed(&site, &firewall) == expected).then_some(())
    });
    // A reload and a restart put back the same.
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    pyruse.kill();
    firewall.nft(&["flush set inet t nets4"]);
    let pyruse = site.start(Some(&firewall));
    wait_has(&firewall, V4, &["192.0.0.0/16"], &site);
    done(&site, &firewall, &["bans", "remove", "192.0.2.9"]);
    wait_has(&firewall, V4, &["192.0.0.0/16"], &site);
    done(&site, &firewall, &["bans", "remove", "192.0.0.0/16"]);
    wait_has(&firewall, V4, &["192.0.2.0/24", "192.0.9.9"], &site);
    // One that ends by itself.
    done(&site, &firewall, &["bans", "add", "192.0.0.0/16", "--set", V4, "--seconds", "2"]);
    wait_has(&firewall, V4, &["192.0.0.0/16"], &site);
    wait_has(&firewall, V4, &["192.0.2.0/24", "192.0.9.9"], &site);
    done(&site, &firewall, &["bans", "remove", "192.0.2.0/24"]);
    wait_has(&firewall, V4, &["192.0.2.7", "192.0.9.9"], &site);
    assert!(!site.log().contains("failed"), "{}", site.log());
    stop(pyruse, &site);
}

fn a_network_for_a_set_of_addresses_is_refused_with_the_remedy(way: BanBackend) {
    let (journald, firewall, site) = parts(way);
    site.configure(&journald, &rules(["inet t plain4", V6]));
    let pyruse = site.start(Some(&firewall));
    journald.line("test", 6, "ban 192.0.2.7");
    let words = "it holds single addresses, not networks: delete it, and create it with: nft 'add table inet t; add set \
                 inet t plain4 { type ipv4_addr; flags interval, timeout; }'";
    wait_for(words, || site.log().contains(words).then_some(()));
    // As soon as the set can hold it, it is there.
    firewall.nft(&[
        "delete set inet t plain4; add set inet t plain4 { type ipv4_addr; flags interval, timeout; }",
    ]);
    wait_has(&firewall, "inet t plain4", &["192.0.2.0/24"], &site);
    stop(pyruse, &site);
}

fn an_element_of_somebody_else_is_in_the_way_until_it_is_gone(way: BanBackend) {
    let (journald, firewall, site, pyruse) = start(way);
    firewall.nft(&["add element inet t nets4 { 192.0.2.128/25 }"]);
    journald.line("test", 6, "ban 192.0.2.7");
    journald.line("test", 6, "ban 198.51.100.7");
    wait_has(&firewall, V4, &["192.0.2.128/25", "198.51.100.0/24"], &site);
    let words = "another element overlaps with 192.0.2.0/24; `nft list set inet t nets4` shows it";
    wait_for(words, || site.log().contains(words).then_some(()));
    firewall.nft(&["delete element inet t nets4 { 192.0.2.128/25 }"]);
    wait_has(&firewall, V4, &["192.0.2.0/24", "198.51.100.0/24"], &site);
    stop(pyruse, &site);
}

fn all_bans_of_a_set_are_removed(way: BanBackend) {
    let (journald, firewall, site, pyruse) = start(way);
    for n in 1..=40 {
        journald.line("test", 6, &format!("single 192.0.2.{n}"));
        journald.line("test", 6, &format!("ban 10.0.{n}.1"));
    }
    journald.line("test", 6, "ban 192.0.2.1");
    journald.line("test", 6, "ban 2001:db8::1");
    wait_has(&firewall, V6, &["2001:db8::/64"], &site);
    wait_for("all", || (firewall.elements(V4).len() == 41).then_some(()));
    done(&site, &firewall, &["bans", "remove", "--all", "--set", V4]);
    wait_has(&firewall, V4, &[], &site);
    assert_eq!(listed(&site, &firewall), [("2001:db8::/64".to_owned(), None)]);
    let refused = site.pyruse(Some(&firewall), &["bans", "remove", "--all"]);
    assert!(!refused.status.success());
    let refused = site.pyruse(Some(&firewall), &["bans", "remove", "--all", "--set", "inet t nets5"]);
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("did you mean"), "{words}");
    stop(pyruse, &site);
}

#[test]
fn ipset_holds_networks_that_overlap() {
    let (journald, firewall, site) = (Journald::start(), Firewall::with_sets(&[]), Site::new());
    firewall.ipset(&["create", "nets4", "hash:net", "timeout", "0"]);
    firewall.ipset(&["create", "nets6", "hash:net", "family", "inet6", "timeout", "0"]);
    let step = |prefixes: Value| {
        let mut args = json!({"IP": "ip", "banSeconds": 3600, "ipSetIPv4": "nets4", "ipSetIPv6": "nets6"});
        args.as_object_mut().unwrap().extend(prefixes.as_object().unwrap().clone());
        json!({"action": "action_ipsetBan", "args": args})
    };
    let find = |word: &str| {
        json!({"filter": "filter_pcre", "args": {
        "field": "MESSAGE", "re": format!("^{word} (\\S+)$"), "save": ["ip"]}})
    };
    site.configure(
        &journald,
        &json!({
            "nets": [find("ban"), step(json!({"prefix4": 24, "prefix6": 64}))],
            "single": [find("single"), step(json!({}))],
        }),
    );
    let pyruse = site.start(Some(&firewall));
    for line in ["single 192.0.2.7", "ban 192.0.2.8", "ban 2001:db8:1:2:3::4"] {
        journald.line("test", 6, line);
    }
    let has = |set: &str, nets: &[&str]| {
        wait_for(&format!("{nets:?}: {}", site.log()), || {
            let found: Vec<String> = firewall.ipset_elements(set).into_iter().map(|(net, _)| net).collect();
            (found == nets).then_some(())
        });
    };
    has("nets4", &["192.0.2.0/24", "192.0.2.7"]);
    has("nets6", &["2001:db8:1:2::/64"]);
    done(&site, &firewall, &["bans", "remove", "192.0.2.0/24"]);
    has("nets4", &["192.0.2.7"]);
    assert!(listed(&site, &firewall).contains(&("192.0.2.7".to_owned(), None)));
    stop(pyruse, &site);
}

#[test]
fn check_live_reports_sets_that_cannot_hold_networks() {
    let (journald, firewall, site) = parts(BanBackend::NetlinkOrNft);
    firewall.ipset(&["create", "single4", "hash:ip", "timeout", "0"]);
    firewall.ipset(&["create", "nets6", "hash:net", "family", "inet6", "timeout", "0"]);
    firewall.nft(&["add set inet t merged4 { type ipv4_addr; flags interval, timeout; auto-merge; }"]);
    let ban = |action: &str, args: Value| json!({"action": action, "args": args});
    let nft = |v4: &str| json!({"IP": "ip", "banSeconds": 60, "prefix4": 24, "prefix6": 64, "nftSetIPv4": v4, "nftSetIPv6": V6});
    site.configure(
        &journald,
        &json!({
            "bans": [            ban("action_nftBan", nft(V4)),
            ban("action_nftBan", nft("inet t plain4")),
            ban("action_nftBan", nft("inet t merged4")),
            ban("action_ipsetBan", json!({
                "IP": "ip", "banSeconds": 60, "prefix4": 24, "prefix6": 64, "ipSetIPv4": "single4", "ipSetIPv6": "nets6"})),],
        }),
    );
    let output = site.pyruse(Some(&firewall), &["check", "--live", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "error");
    let found: Vec<String> = found
        .map(|finding| {
            format!("{}\n    {}", finding["message"].as_str().unwrap(), finding["help"].as_str().unwrap())
        })
        .collect();
    insta::assert_snapshot!("sets", found.join("\n"));
}

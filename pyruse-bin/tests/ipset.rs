//! Bans in real sets of ipset.

mod common;

use std::fs;

use common::{Firewall, Journald, Running, Site, wait_for};
use serde_json::{Value, json};

/// The sets `NAME4` and `NAME6` for each name.
fn parts(names: &[&str]) -> (Journald, Firewall, Site) {
    let firewall = Firewall::with_sets(&[]);
    for name in names {
        firewall.add_ipsets(name);
    }
    (Journald::start(), firewall, Site::new())
}

fn timeout(firewall: &Firewall, set: &str, address: &str) -> Option<u64> {
    firewall.ipset_elements(set).into_iter().find(|(found, _)| found == address).map(|(_, timeout)| timeout)
}

fn wait_banned(firewall: &Firewall, set: &str, address: &str) -> u64 {
    wait_for(&format!("{address} in {set}"), || timeout(firewall, set, address))
}

/// Each line `NAME ADDRESS` bans at once, in the sets of that name.
fn rules(names: &[(&str, Option<u64>)]) -> Value {
    let mut chains = serde_json::Map::new();
    for (name, seconds) in names {
        let args = json!({"IP": "thatIP", "banSeconds": seconds,
            "ipSetIPv4": format!("{name}4"), "ipSetIPv6": format!("{name}6")});
        chains.insert(
            (*name).to_owned(),
            json!([
                {"filter": "filter_pcre", "args": {
                    "field": "MESSAGE", "re": format!("^{name} (\\S+)$"), "save": ["thatIP"]}},
                {"action": "action_ipsetBan", "args": args},
            ]),
        );
    }
    Value::Object(chains)
}

fn ban(journald: &Journald, name: &str, address: &str) {
    journald.line("test", 6, &format!("{name} {address}"));
}

/// A program in the place of ipset that writes down what it was called with, and on its input, and then does `body`.
fn recording_ipset(site: &Site, body: &str, options: &[&str]) -> Value {
    let record = site.path("record").display().to_string();
    let script = format!("printf '%s\\n' \"$*\" >> {record}\n{body}");
    let mut argv = vec![site.script("ipset", &script).display().to_string()];
    argv.extend(options.iter().map(|option| (*option).to_owned()));
    json!({"ipsetBan": {"ipset": argv}})
}

const AS_TOLD: &str = "exec ipset \"$@\"";

const DEFAULT: [&str; 2] = ["-exist", "-quiet"];

fn calls(site: &Site) -> Vec<String> {
    let record = fs::read_to_string(site.path("record")).unwrap_or_default();
    record.lines().map(str::to_owned).collect()
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

#[test]
fn a_ban_is_one_process_with_just_its_arguments() {
    let (journald, firewall, site) = parts(&["short", "long"]);
    let program = recording_ipset(&site, AS_TOLD, &DEFAULT);
    site.configure_with(&journald, &rules(&[("short", Some(600)), ("long", None)]), &program);
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "short", "192.0.2.1");
    assert!((500..=600).contains(&wait_banned(&firewall, "short4", "192.0.2.1")));
    ban(&journald, "short", "2001:DB8::1");
    assert!((500..=600).contains(&wait_banned(&firewall, "short6", "2001:db8::1")));
    ban(&journald, "long", "::ffff:192.0.2.2");
    assert_eq!(wait_banned(&firewall, "long4", "192.0.2.2"), 0);
    stop(pyruse, &site);
    let calls = calls(&site);
    let shape: Vec<&str> = calls.iter().map(|call| call.split(" timeout ").next().unwrap()).collect();
    assert_eq!(
        shape,
        [
            "-exist -quiet add short4 192.0.2.1",
            "-exist -quiet add short6 2001:db8::1",
            "-exist -quiet add long4 192.0.2.2"
        ]
    );
    assert!(calls[0].ends_with(" timeout 600") || calls[0].ends_with(" timeout 599"), "{calls:?}");
}

#[test]
fn an_address_that_ipset_can_never_hold_is_given_up_at_once_and_delays_no_other() {
    let (journald, firewall, site) = parts(&["ssh"]);
    let program = recording_ipset(&site, AS_TOLD, &DEFAULT);
    let mut rules = rules(&[("ssh", Some(600))]);
    rules["ssh"][1]["args"]["allowSpecial"] = json!(true);
    site.configure_with(&journald, &rules, &program);
    let pyruse = site.start(Some(&firewall));
    for address in ["0.0.0.0", "::", "127.0.0.1", "fe80::1%eth0"] {
        ban(&journald, "ssh", address);
    }
    wait_banned(&firewall, "ssh4", "127.0.0.1");
    wait_banned(&firewall, "ssh6", "fe80::1");
    wait_for("the reasons", || (site.log().matches(" is given up: ").count() == 2).then_some(()));
    assert!(
        site.log().contains("0.0.0.0 is not banned: an ipset cannot contain the unspecified address"),
        "{}",
        site.log()
    );
    stop(pyruse, &site);
    assert_eq!(calls(&site).len(), 2, "ipset was never asked");
}

#[test]
fn a_ban_again_renews_in_place_whether_or_not_the_command_has_exist() {
    for options in [&DEFAULT[..], &[]] {
        let (journald, firewall, site) = parts(&["ssh"]);
        let program = recording_ipset(&site, AS_TOLD, options);
        site.configure_with(&journald, &rules(&[("ssh", Some(600))]), &program);
        let pyruse = site.start(Some(&firewall));
        ban(&journald, "ssh", "192.0.2.1");
        wait_banned(&firewall, "ssh4", "192.0.2.1");
        firewall.ipset(&["-exist", "add", "ssh4", "192.0.2.1", "timeout", "100"]);
        ban(&journald, "ssh", "192.0.2.1");
        wait_for("the renewal", || timeout(&firewall, "ssh4", "192.0.2.1").filter(|left| *left > 100));
        stop(pyruse, &site);
        let calls = calls(&site);
        assert!(calls.iter().all(|call| call.contains("add ssh4 192.0.2.1 timeout ")), "{calls:?}");
        assert_eq!(calls.len(), if options.is_empty() { 3 } else { 2 }, "{calls:?}");
        assert!(!site.log().contains("failed"), "{}", site.log());
    }
}

#[test]
fn a_missing_set_delays_no_other_and_its_bans_arrive_when_it_exists() {
    let (journald, firewall, site) = parts(&["good"]);
    let default = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    site.configure_with(&journald, &rules(&[("good", Some(600)), ("late", Some(600))]), &default);
    let pyruse = site.start(Some(&firewall));
    pyruse.signal("-STOP");
    for n in 0..60 {
        ban(&journald, "late", &format!("10.0.0.{n}"));
        ban(&journald, "good", &format!("10.0.1.{n}"));
    }
    journald.sync();
    pyruse.signal("-CONT");
    wait_for("the good bans", || (firewall.ipset_elements("good4").len() == 60).then_some(()));
    // ipset is run with -quiet; the reason must be shown nevertheless.
    wait_for("the reason", || {
        site.log().contains("set `late4`: ipset: exit status 1: ipset v").then_some(())
    });
    assert!(site.log().contains("The set with the given name does not exist"), "{}", site.log());
    firewall.add_ipsets("late");
    wait_for("the late bans", || (firewall.ipset_elements("late4").len() == 60).then_some(()));
    stop(pyruse, &site);
}

#[test]
fn bans_are_put_back_with_their_remaining_time() {
    let (journald, firewall, site) = parts(&["short", "long"]);
    let default = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    site.configure_with(&journald, &rules(&[("short", Some(600)), ("long", None)]), &default);
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "short", "192.0.2.1");
    ban(&journald, "short", "2001:db8::1");
    ban(&journald, "long", "192.0.2.2");
    let before = wait_banned(&firewall, "short4", "192.0.2.1");
    wait_banned(&firewall, "short6", "2001:db8::1");
    wait_banned(&firewall, "long4", "192.0.2.2");
    stop(pyruse, &site);
    std::thread::sleep(std::time::Duration::from_secs(2));

    let check = |what: &str| {
        let left = wait_banned(&firewall, "short4", "192.0.2.1");
        assert!(left > 300 && left < before, "{what}: {left}, before {before}");
        wait_banned(&firewall, "short6", "2001:db8::1");
        assert_eq!(wait_banned(&firewall, "long4", "192.0.2.2"), 0, "{what}");
    };
    firewall.ipset(&["flush"]);
    let output = site.pyruse(Some(&firewall), &["boot", "action_ipsetBan"]);
    assert!(output.status.success(), "{output:?}");
    check("boot");
    // An element that is still there, with another end, gets the right one.
    firewall.ipset(&["flush"]);
    firewall.ipset(&["add", "short4", "192.0.2.1", "timeout", "100000"]);
    let pyruse = site.start(Some(&firewall));
    wait_for("the others", || timeout(&firewall, "long4", "192.0.2.2"));
    wait_for("its end", || timeout(&firewall, "short4", "192.0.2.1").filter(|left| *left < 90_000));
    check("start");
    stop(pyruse, &site);
}

#[test]
fn more_than_two_thousand_addresses_at_once_are_banned_by_few_processes() {
    let (journald, firewall, site) = parts(&["ssh"]);
    let program = recording_ipset(&site, AS_TOLD, &DEFAULT);
    site.configure_with(&journald, &rules(&[("ssh", Some(6000))]), &program);
    let pyruse = site.start(Some(&firewall));
    pyruse.signal("-STOP");
    let mut addresses: Vec<String> = (0..2500).map(|n| format!("10.9.{}.{}", n / 250, n % 250)).collect();
    for address in &addresses {
        ban(&journald, "ssh", address);
    }
    journald.sync();
    pyruse.signal("-CONT");
    addresses.sort();
    let banned =
        || firewall.ipset_elements("ssh4").into_iter().map(|(address, _)| address).collect::<Vec<_>>();
    wait_for("all bans", || (banned().len() == 2500).then_some(()));
    assert_eq!(banned(), addresses);
    stop(pyruse, &site);
    let at_once = calls(&site).len();
    assert!(at_once <= 60, "{at_once} processes");

    firewall.ipset(&["flush"]);
    let pyruse = site.start(Some(&firewall));
    wait_for("all bans after a restart", || (banned().len() == 2500).then_some(()));
    stop(pyruse, &site);
    let calls = calls(&site);
    assert!(calls.len() - at_once <= 3, "{:?}", &calls[at_once..]);
    assert!(calls[at_once..].iter().all(|call| call == "-exist -quiet restore"));
}

#[test]
fn commands_that_fail_together_are_run_one_by_one_and_a_bad_element_delays_no_other() {
    let (journald, firewall, site) = parts(&["ssh"]);
    let no_restore =
        "case \"$*\" in *restore*) echo 'no restore here' >&2; exit 1;; *\" 10.0.0.7\"*) exit 2;; esac\n";
    let program = recording_ipset(&site, &format!("{no_restore}{AS_TOLD}"), &DEFAULT);
    site.configure_with(&journald, &rules(&[("ssh", Some(600))]), &program);
    let pyruse = site.start(Some(&firewall));
    pyruse.signal("-STOP");
    for n in 0..40 {
        ban(&journald, "ssh", &format!("10.0.0.{n}"));
    }
    journald.sync();
    pyruse.signal("-CONT");
    wait_for("the good bans", || (firewall.ipset_elements("ssh4").len() == 39).then_some(()));
    assert_eq!(timeout(&firewall, "ssh4", "10.0.0.7"), None);
    wait_for("the complaint", || site.log().contains("set `ssh4`: ").then_some(()));
    recording_ipset(&site, AS_TOLD, &DEFAULT);
    wait_banned(&firewall, "ssh4", "10.0.0.7");
    stop(pyruse, &site);
}

#[test]
fn a_ban_longer_than_ipset_can_count_begins_with_its_longest() {
    let (journald, firewall, site) = parts(&["ssh"]);
    let default = json!({"ipsetBan": {"ipset": ["ipset", "-exist", "-quiet"]}});
    site.configure_with(&journald, &rules(&[("ssh", Some(10_000_000))]), &default);
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "ssh", "192.0.2.1");
    assert!(wait_banned(&firewall, "ssh4", "192.0.2.1") > 2_147_400);
    stop(pyruse, &site);
}

#[test]
fn an_invalid_name_is_refused_at_load() {
    let site = Site::new();
    let args = json!({"IP": "x", "ipSetIPv4": "two words", "ipSetIPv6": "a-name-of-thirty-two-characters."});
    let config =
        json!({"actions": {"a": [{"action": "action_ipsetBan", "args": args}]}, "ipsetBan": {"ipset": []}});
    fs::write(site.path("pyruse.json"), serde_json::to_string_pretty(&config).unwrap()).unwrap();
    let output = site.pyruse(None, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    for expected in [
        "`two words` is not a valid name of an ipset: it contains spaces or control characters",
        "`a-name-of-thirty-two-characters.` is not a valid name of an ipset: it has 32 bytes, but at most 31 are",
        "the command is empty: its first item must be a program",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

//! Bans by netlink in special cases, beside those in `both_ways!`: other families and types of sets, bad elements, bad
//! names, and a daemon without permission.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{BanBackend, Firewall, Journald, Running, Site, run, wait_for};
use serde_json::{Value, json};

const NOBODY: u32 = 65534;

/// Each line `SET ADDRESS` bans in the set with that name in the table.
fn rules(sets: &[(&str, &str)], seconds: u64) -> Value {
    let mut chains = serde_json::Map::new();
    for (word, set) in sets {
        let expression = format!("^{word} (.*)");
        chains.insert(
            (*word).to_owned(),
            json!([
                {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": expression, "save": ["thatIP"]}},
                {"action": "action_nftBan", "args": {
                    "IP": "thatIP", "banSeconds": seconds, "nftSetIPv4": set, "nftSetIPv6": set}},
            ]),
        );
    }
    Value::Object(chains)
}

fn ban(journald: &Journald, word: &str, address: &str) {
    journald.line("test", 6, &format!("{word} {address}"));
}

fn wait_banned(firewall: &Firewall, set: &str, count: usize, site: &Site) {
    wait_for(&format!("{count} in {set}: {}", site.log()), || {
        (firewall.addresses(set).len() == count).then_some(())
    });
}

fn stop(pyruse: Running, site: &Site) {
    assert!(pyruse.terminate().success(), "{}", site.log());
}

/// How often the log says this.
fn said(site: &Site, text: &str) -> usize {
    site.log().lines().filter(|line| line.contains(text)).count()
}

#[test]
fn sets_of_all_families_get_their_elements() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&[]);
    let families = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
    let names: Vec<(String, String)> = families
        .iter()
        .flat_map(|family| {
            [
                (format!("{family}-v4"), format!("{family} t v4")),
                (format!("{family}-v6"), format!("{family} t v6")),
            ]
        })
        .chain([("none-v4".to_owned(), "u v4".to_owned()), ("none-v6".to_owned(), "u v6".to_owned())])
        .collect();
    for table in families.iter().map(|family| format!("{family} t")).chain(["u".to_owned()]) {
        firewall.nft(&[&format!(
            "add table {table}; add set {table} v4 {{ type ipv4_addr; flags timeout; }}; \
             add set {table} v6 {{ type ipv6_addr; flags timeout,dynamic; counter; }}"
        )]);
    }
    let sets: Vec<(&str, &str)> = names.iter().map(|(word, set)| (word.as_str(), set.as_str())).collect();
    site.configure(&journald, &rules(&sets, 600));
    let pyruse = site.start(Some(&firewall));
    for (word, set) in &sets {
        ban(&journald, word, if set.ends_with("v4") { "192.0.2.1" } else { "2001:db8::1" });
    }
    for (_, set) in &sets {
        wait_banned(&firewall, set, 1, &site);
        let [(address, Some(timeout))] = &firewall.elements(set)[..] else { panic!("{set}") };
        assert_eq!(address, if set.ends_with("v4") { "192.0.2.1" } else { "2001:db8::1" }, "{set}");
        assert!((590..=600).contains(timeout), "{set}: {timeout}");
    }
    stop(pyruse, &site);
}

#[test]
fn refused_elements_affect_no_other_and_are_reported_once() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["good", "gone"]);
    firewall.nft(&["delete set ip Inet4 gone"]);
    firewall.nft(&["add set ip Inet4 small { type ipv4_addr; flags timeout; size 10; }"]);
    firewall.nft(&["add set ip Inet4 timeless { type ipv4_addr; }"]);
    let sets = ["good", "small", "timeless", "gone"].map(|word| (word, format!("ip Inet4 {word}")));
    let sets: Vec<(&str, &str)> = sets.iter().map(|(word, set)| (*word, set.as_str())).collect();
    site.configure(&journald, &rules(&sets, 600));
    let pyruse = site.start(Some(&firewall));
    // The daemon is stopped, so that it finds all of them at once.
    pyruse.signal("-STOP");
    for n in 0..200 {
        for (word, _) in &sets {
            ban(&journald, word, &format!("192.0.2.{n}"));
        }
    }
    journald.sync();
    pyruse.signal("-CONT");
    wait_banned(&firewall, "ip Inet4 good", 200, &site);
    wait_banned(&firewall, "ip Inet4 small", 10, &site);
    // How many at once is the machine's business.
    for words in [
        "failed and will be retried: set `ip Inet4 small`: Too many open files in system; the set is full: make it \
         larger, or create it without `size`",
        "failed and will be retried: set `ip Inet4 timeless`: Invalid argument; has the set `flags timeout`?",
        "failed and will be retried: set `ip Inet4 gone`: No such file or directory; create it with: nft \
         'add table ip Inet4; add set ip Inet4 gone { type ipv4_addr; flags timeout; }'",
    ] {
        wait_for(words, || (said(&site, words) > 0).then_some(()));
    }
    // What was in the way goes: so do they.
    firewall.nft(&["delete set ip Inet4 timeless; delete set ip Inet4 small"]);
    firewall.add_sets(&["timeless", "small", "gone"]);
    for (_, set) in &sets[2..] {
        wait_banned(&firewall, set, 200, &site);
    }
    // The set had ten elements, and the daemon does not know that it was replaced.
    wait_banned(&firewall, "ip Inet4 small", 190, &site);
    stop(pyruse, &site);
}

#[test]
fn a_set_of_another_type_is_left_to_nft() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::NetlinkOrNft));
    let firewall = Firewall::with_sets(&["plain"]);
    for set in [
        "marks { type mark; flags timeout; }",
        "six { type ipv6_addr; flags timeout; }",
        "pairs { type ipv4_addr . inet_service; flags timeout; }",
    ] {
        firewall.nft(&[&format!("add set ip Inet4 {set}")]);
    }
    firewall.nft(&["add map ip Inet4 verdicts { type ipv4_addr : verdict; flags timeout; }"]);
    let words = ["plain", "marks", "six", "pairs", "verdicts"];
    let sets = words.map(|word| (word, format!("ip Inet4 {word}")));
    let sets: Vec<(&str, &str)> = sets.iter().map(|(word, set)| (*word, set.as_str())).collect();
    site.configure(&journald, &rules(&sets, 600));
    let pyruse = site.start(Some(&firewall));
    for n in 1..=3 {
        for word in words {
            ban(&journald, word, &format!("192.0.2.{n}"));
        }
    }
    wait_banned(&firewall, "ip Inet4 plain", 3, &site);
    wait_for("all words", || (said(&site, "using the program nft for it") == 4).then_some(()));
    for why in [
        "set `ip Inet4 marks`: its elements are not IPv4 addresses: using the program nft for it",
        "set `ip Inet4 six`: its elements are not IPv4 addresses: using the program nft for it",
        "set `ip Inet4 pairs`: its elements are not IPv4 addresses: using the program nft for it",
        "set `ip Inet4 verdicts`: its elements are more than addresses: using the program nft for it",
    ] {
        wait_for(why, || (said(&site, why) == 1).then_some(()));
    }
    ban(&journald, "plain", "192.0.2.4");
    wait_banned(&firewall, "ip Inet4 plain", 4, &site);
    let listing = firewall.nft(&["list ruleset"]);
    for set in ["marks", "six", "pairs", "verdicts"] {
        assert_eq!(firewall.elements(&format!("ip Inet4 {set}")), [], "{listing}");
    }
    assert_eq!(said(&site, "the kernel takes no bans"), 0, "{}", site.log());
    stop(pyruse, &site);
}

#[test]
fn invalid_names_of_sets_do_not_disturb_the_daemon() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::NetlinkOrNft));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let long = "x".repeat(300);
    let longest = "x".repeat(100_000);
    let names = [
        "ip Inet4 @ssh_ban".to_owned(),
        "ip Inet4 ssh_ban,other".to_owned(),
        "ip Inet4 ../ssh_ban".to_owned(),
        "ip * *".to_owned(),
        "unix Inet4 ssh_ban".to_owned(),
        "flush ruleset".to_owned(),
        "ip Inet4 Sperrliste-Ä".to_owned(),
        format!("ip Inet4 {long}"),
        format!("ip {long} ssh_ban"),
        format!("ip Inet4 {longest}"),
    ];
    let words: Vec<String> = (0..names.len()).map(|n| format!("bad{n}")).collect();
    let mut sets: Vec<(&str, &str)> =
        words.iter().map(String::as_str).zip(names.iter().map(String::as_str)).collect();
    sets.push(("good", "ip Inet4 ssh_ban"));
    site.configure(&journald, &rules(&sets, 600));
    let before = firewall.nft(&["list ruleset"]);
    let pyruse = site.start(Some(&firewall));
    for (word, _) in &sets {
        ban(&journald, word, "192.0.2.1");
    }
    wait_banned(&firewall, "ip Inet4 ssh_ban", 1, &site);
    let waiting = |site: &Site| {
        let listed = site.pyruse(Some(&firewall), &["outbox", "list", "--json"]).stdout;
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        listed["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|delivery| !delivery["error"].is_null())
            .count()
    };
    wait_for("all refusals", || (waiting(&site) == names.len()).then_some(()));
    firewall.nft(&["flush set ip Inet4 ssh_ban"]);
    assert_eq!(firewall.nft(&["list ruleset"]), before);
    assert_eq!(said(&site, "the kernel takes no bans"), 0, "{}", site.log());
    stop(pyruse, &site);
}

#[test]
fn a_renewal_is_one_transaction() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    site.configure(&journald, &rules(&[("good", "ip Inet4 ssh_ban")], 600));
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "good", "192.0.2.1");
    wait_banned(&firewall, "ip Inet4 ssh_ban", 1, &site);
    let mut monitor = firewall
        .command("nft")
        .arg("monitor")
        .stdout(fs::File::create(site.path("monitor")).unwrap())
        .spawn()
        .unwrap();
    let monitored = |text: &str| fs::read_to_string(site.path("monitor")).unwrap().contains(text);
    // It does not say when it listens: it is asked until it answers.
    wait_for("nft monitor", || {
        firewall.nft(&["add element ip Inet4 ssh_ban {5.6.7.8}; delete element ip Inet4 ssh_ban {5.6.7.8}"]);
        monitored("5.6.7.8").then_some(())
    });
    ban(&journald, "good", "192.0.2.1");
    wait_for("the renewal", || monitored("192.0.2.1").then_some(()));
    ban(&journald, "good", "192.0.2.2");
    wait_for("what comes after it", || monitored("192.0.2.2").then_some(()));
    let _ = monitor.kill();
    let _ = monitor.wait();
    stop(pyruse, &site);
    let said = fs::read_to_string(site.path("monitor")).unwrap();
    let of_it =
        said.split("# new generation").find(|transaction| transaction.contains("{ 192.0.2.1 ")).unwrap();
    let kinds: Vec<&str> =
        of_it.lines().filter(|line| line.contains("192.0.2.1")).map(|line| &line[..3]).collect();
    assert!(kinds == ["del", "add"] || kinds == ["add", "del", "add"], "{said}");
}

/// Starts the daemon as a user without privileges, with this nft in place of the machine's own.
fn start_as_nobody(site: &Site, firewall: &Firewall, nft: &Path) -> Running {
    fs::set_permissions(site.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(site.path("state")).unwrap();
    fs::set_permissions(site.path("state"), fs::Permissions::from_mode(0o700)).unwrap();
    chown(site.path("state"), Some(NOBODY), Some(NOBODY)).unwrap();
    // The build directory may not be readable for everybody.
    fs::copy(env!("CARGO_BIN_EXE_pyruse"), site.path("pyruse")).unwrap();
    let mut command = firewall.command("unshare");
    let script = "mount --bind \"$1\" \"$(command -v nft)\" && shift && \
                  exec setpriv --reuid=65534 --regid=65534 --groups=systemd-journal --inh-caps=-all \"$@\"";
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(nft);
    command.arg(site.path("pyruse")).arg("--config").arg(site.path("pyruse.json")).arg("run");
    command.env_remove("JOURNAL_STREAM").env("TZ", "UTC").stdin(Stdio::null());
    let running = site.launch_command(command);
    running.wait_ready();
    running
}

#[test]
fn without_permission_for_netlink_nft_is_run_and_that_is_logged_once() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::NetlinkOrNft));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    // An administrator may give the right to the program alone.
    let nft = site.path("nft");
    fs::copy(run(Command::new("sh").args(["-c", "command -v nft"])).trim(), &nft).unwrap();
    run(Command::new("setcap").arg("cap_net_admin+ep").arg(&nft));
    site.configure(&journald, &rules(&[("good", "ip Inet4 ssh_ban")], 600));
    let pyruse = start_as_nobody(&site, &firewall, &nft);
    for n in 1..=3 {
        ban(&journald, "good", &format!("192.0.2.{n}"));
        wait_banned(&firewall, "ip Inet4 ssh_ban", n, &site);
    }
    let words = "action_nftBan: the kernel refuses our requests (Operation not permitted): using the program nft for them";
    assert_eq!(said(&site, words), 1, "{}", site.log());
    assert_eq!(said(&site, "WARN"), 1, "{}", site.log());
    stop(pyruse, &site);
}

#[test]
fn a_configuration_that_names_nft_always_uses_that_program() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::NetlinkOrNft));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let chains = rules(&[("good", "ip Inet4 ssh_ban")], 600);
    let record = site.path("record");
    let nft = site.script("nft", &format!("echo >> {}; exec nft \"$@\"", record.display()));
    site.configure_with(&journald, &chains, &json!({"nftBan": {"nft": [nft]}}));
    let pyruse = site.start(Some(&firewall));
    ban(&journald, "good", "192.0.2.1");
    wait_banned(&firewall, "ip Inet4 ssh_ban", 1, &site);
    let calls = || fs::read_to_string(&record).unwrap().lines().count();
    assert_eq!(calls(), 1);
    // No longer, after a reload: not even for what is put back.
    site.configure(&journald, &chains);
    firewall.nft(&["flush set ip Inet4 ssh_ban"]);
    pyruse.signal("-HUP");
    pyruse.wait_ready();
    wait_banned(&firewall, "ip Inet4 ssh_ban", 1, &site);
    assert_eq!(calls(), 1);
    stop(pyruse, &site);
}

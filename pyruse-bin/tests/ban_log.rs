//! Why an address is banned: in the log, a line for each ban unless there are too many, and in the list, for as long as
//! it is in force.

mod common;
mod operator;

use common::{BanBackend, Firewall, Journald, Site, failed_login, ssh_rules, wait_for};
use operator::{bans, json, said, stop};
use serde_json::{Value, json};

fn reason(site: &Site, ip: &str) -> Value {
    let listed = json(site, None, &["bans", "list", "--json"]);
    let bans = listed["bans"].as_array().unwrap();
    bans.iter().find(|ban| ban["ip"] == ip).unwrap_or_else(|| panic!("{ip}: {listed}"))["reason"].clone()
}

#[test]
fn a_ban_leaves_a_line_and_the_list_says_why() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let mut rules = ssh_rules(3600);
    // Another counter, of something else, is raised later; and one chain bans at once.
    let users = json!({"action": "action_counterRaise", "args": {"counter": "users", "for": "user"}});
    rules["ssh"].as_array_mut().unwrap().insert(4, users);
    rules["trap"] = json!([
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^trapped (\\S+)$", "save": ["trapped"]}},
        {"action": "action_nftBan", "args": {"IP": "trapped",
            "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}},
    ]);
    site.configure(&journald, &rules);
    let daemon = site.start(Some(&firewall));
    (0..3).for_each(|_| failed_login(&journald, "192.0.2.1"));
    journald.line("test", 6, "trapped 2001:db8::1");
    wait_for("both bans", || (bans(&site, &firewall).len() == 2).then_some(()));
    assert!(site.pyruse(Some(&firewall), &["bans", "add", "192.0.2.9"]).status.success());
    let log = site.log();
    let line = |part: &str| log.lines().filter(|line| line.contains(part)).collect::<Vec<_>>();
    let [banned] = line("banned 192.0.2.1 in `ip Inet4 ssh_ban` until ")[..] else { panic!("{log}") };
    assert!(banned.ends_with(": counter `ssh` at 3, chain `ssh`"), "{banned}");
    let [trapped] = line("banned 2001:db8::1 in `ip6 Inet6 ssh_ban` for ever: ")[..] else { panic!("{log}") };
    assert!(trapped.ends_with(": chain `trap`"), "{trapped}");

    let expected = [
        ("192.0.2.1", json!({"by": "rule", "chain": "ssh", "counter": "ssh", "count": 3})),
        ("2001:db8::1", json!({"by": "rule", "chain": "trap"})),
        ("192.0.2.9", json!({"by": "operator"})),
    ];
    for round in ["from the daemon", "as stored", "after a restart"] {
        for (ip, why) in &expected {
            assert_eq!(reason(&site, ip), *why, "{round}");
        }
        match round {
            "from the daemon" => {
                daemon.signal("-TERM");
                wait_for("its end", || site.log().contains("stopped after").then_some(()));
            }
            "as stored" => stop(site.start(Some(&firewall)), &site),
            _ => {}
        }
    }
    let listed = said(&site.pyruse(None, &["bans", "list"]));
    assert!(listed.contains("ssh 3, ssh") && listed.contains("by hand"), "{listed}");
    // Bans that are put back are no new ones.
    assert_eq!(site.log().matches("banned 192.0.2.1 ").count(), 1, "{}", site.log());
}

#[test]
fn the_line_of_a_ban_is_marked_in_the_journal_and_bans_nobody() {
    let (journald, site) = (Journald::start(), Site::new());
    // Were that line an entry like any other, it would ban again, and so on.
    site.configure(
        &journald,
        &json!({"all": [
            {"filter": "filter_pcre", "args": {
                "field": "MESSAGE", "re": "(?:trapped|banned|banned again) (\\d\\S+)", "save": ["thatIP"]}},
            {"action": "action_ipsetBan", "args": {"IP": "thatIP", "ipSetIPv4": "a", "ipSetIPv6": "b"}},
        ]}),
    );
    std::fs::create_dir_all("/run/systemd/journal").unwrap();
    // In the shell's place and namespace, the program finds this journald, and its standard error leads there.
    let script = "mount --bind /run/systemd/journal.$NAMESPACE /run/systemd/journal && \
                  export JOURNAL_STREAM=$(stat -L -c %d:%i /dev/stderr) && exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_pyruse"), "--config"]);
    command.arg(site.path("pyruse.json")).arg("run").env("NAMESPACE", &journald.namespace);
    let daemon = site.launch_command(command);
    daemon.wait_ready();
    let lines = || {
        journald.sync();
        let logged = journald.journalctl(&["-q", "-o", "cat", "PYRUSE_DIAGNOSTIC=1"]);
        logged.lines().filter(|line| line.contains("banned")).map(str::to_owned).collect::<Vec<_>>()
    };
    for ip in ["192.0.2.1", "192.0.2.2"] {
        journald.line("test", 6, &format!("trapped {ip}"));
        wait_for("the line", || lines().last().is_some_and(|line| line.contains(ip)).then_some(()));
    }
    assert!(daemon.terminate().success());
    let expected = ["192.0.2.1", "192.0.2.2"].map(|ip| format!("banned {ip} in `a` for ever: chain `all`"));
    assert_eq!(lines(), expected);
}

#[test]
fn thousands_of_bans_at_once_are_a_few_lines_and_a_number() {
    let (journald, site) = (Journald::start(), Site::new().by(BanBackend::Netlink));
    let firewall = Firewall::with_sets(&["ssh_ban"]);
    let trap = json!([
        {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^trapped (\\S+)$", "save": ["thatIP"]}},
        {"action": "action_nftBan", "args": {"IP": "thatIP", "banSeconds": 3600,
            "nftSetIPv4": "ip Inet4 ssh_ban", "nftSetIPv6": "ip6 Inet6 ssh_ban"}},
    ]);
    site.configure(&journald, &json!({"trap": trap}));
    let daemon = site.start(Some(&firewall));
    for n in 0..10_000 {
        journald.line("test", 6, &format!("trapped 10.{}.{}.1", n / 250, n % 250));
    }
    let banned = || json(&site, None, &["status", "--json"])["bans"] == 10_000;
    wait_for("all bans", || banned().then_some(()));
    stop(daemon, &site);
    let log = site.log();
    let lines = log.matches("banned 10.").count();
    // A slow machine may need more than one window for them.
    assert!((20..2000).contains(&lines), "{lines}");
    let logged: Vec<u64> = log
        .lines()
        .filter_map(|line| line.split_once(" more bans within ")?.0.rsplit(' ').next()?.parse().ok())
        .collect();
    assert_eq!(logged.iter().sum::<u64>() + lines as u64, 10_000, "{logged:?}");
}

//! The fleet of `examples/fleet`: three hosts, an aggregator, and a broker of three servers, all real.

#![cfg(feature = "nats")]

mod common;

use common::fleet::{Fleet, Plan, SET};
use common::wait_for;

#[test]
fn one_failure_on_each_of_twenty_hosts_bans_everywhere_and_a_lift_lifts_everywhere() {
    let senders: Vec<String> = (1..=20).map(|n| format!("sender-{n}")).collect();
    let mut fleet = Fleet::new(&Plan {
        servers: 3,
        hosts: 4,
        senders: &senders,
        aggregator: &[
            ("\"fleet.tries\": 5", "\"fleet.tries\": 20"),
            ("\"fleet.hosts\": 3", "\"fleet.hosts\": 20"),
        ],
        host: &[("\"127.0.0.0/8\"", "\"127.0.0.0/8\", \"198.51.100.200\"")],
    });
    let mut new_host = fleet.hosts.pop().unwrap();
    fleet.start();
    let counted = |line: &str, count: usize| {
        wait_for(&format!("{count} {line}: {}", fleet.aggregator.site.log()), || {
            (fleet.aggregator.report().get(line) == Some(&count)).then_some(())
        });
    };
    // A host that repeats itself is one host.
    for sender in &senders[..17] {
        fleet.fail(sender, "198.51.100.7");
    }
    for _ in 0..5 {
        fleet.fail(&senders[0], "198.51.100.7");
    }
    counted("sender-1: failed logins by ssh", 6);
    fleet.hosts[0].failed_login("198.51.100.7");
    fleet.hosts[1].failed_login("198.51.100.7");
    counted("web-2: failed logins by ssh", 1);
    assert_eq!(fleet.aggregator.json(&["bans", "list"])["bans"], serde_json::json!([]));
    fleet.hosts[2].failed_login("198.51.100.7");
    let banned = |addresses: &[&str]| {
        fleet.wait_banned(&addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>());
    };
    banned(&["198.51.100.7"]);
    // The hosts do not ban their own friends, whatever the aggregator says.
    for address in ["198.51.100.200", "198.51.100.8"] {
        for sender in &senders {
            fleet.fail(sender, address);
        }
    }
    counted("all hosts: 198.51.100.200 is banned", 1);
    banned(&["198.51.100.7", "198.51.100.8"]);
    // A host that comes later reads the bans that are in force.
    new_host.start();
    wait_for(&new_host.site.log(), || (new_host.firewall.addresses(SET).len() == 2).then_some(()));
    fleet.hosts.push(new_host);
    let removed =
        fleet.aggregator.site.pyruse(Some(&fleet.aggregator.firewall), &["bans", "remove", "198.51.100.7"]);
    assert!(removed.status.success(), "{}", String::from_utf8_lossy(&removed.stderr));
    fleet.wait_banned(&["198.51.100.8".to_owned()]);
    for member in fleet.hosts.iter_mut().chain([&mut fleet.aggregator]) {
        member.stop();
        assert!(!member.site.log().contains("ERROR"), "{}", member.site.log());
    }
}

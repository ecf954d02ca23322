//! Ten thousand addresses to ban arrive at once: how long after the last entry was read are all of them in the kernel? With
//! a real journald and a real nftables, in both ways: by netlink, and by the program nft. The same for ten thousand IPv6
//! networks in a set of intervals.
//!
//! `cargo bench -p pyruse-bin --bench burst -- [ADDRESSES]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use common::{BanBackend, Firewall, Journald, LONG, Site};
use serde_json::json;

const SET: &str = "ip Inet4 ssh_ban";

fn main() {
    let addresses = std::env::args().skip(1).find_map(|arg| arg.parse::<u32>().ok()).unwrap_or(10_000);
    let ways = [(BanBackend::Netlink, "netlink"), (BanBackend::Nft, "nft")];
    for ((way, name), networks) in ways.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let (after_reading, all) = burst(way, addresses, networks);
        let what = if networks { "bans of networks" } else { "bans" };
        println!(
            "{addresses} {what} at once, by {name}: all in the kernel {:.0} ms after the last entry was read, {:.0} ms after \
             the first could be",
            after_reading.as_secs_f64() * 1000.0,
            all.as_secs_f64() * 1000.0
        );
    }
}

fn burst(way: BanBackend, addresses: u32, networks: bool) -> (Duration, Duration) {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    firewall.nft(&["add set ip6 Inet6 nets { type ipv6_addr; flags interval, timeout; }"]);
    let set = if networks { "ip6 Inet6 nets" } else { SET };
    let site = Site::new().by(way);
    // Lines of `action_log` are sent after the commit: so this one shows that the last entry was read.
    let lines = UnixDatagram::bind(site.path("lines")).unwrap();
    lines.set_read_timeout(Some(LONG)).unwrap();
    let rules = json!({
        "ban": [
            {"filter": "filter_pcre", "args": {"field": "MESSAGE", "re": "^ban (\\S+)", "save": ["ip"]}},
            {"action": "action_nftBan", "args": {
                "IP": "ip", "banSeconds": 600, "prefix6": 64, "nftSetIPv4": SET, "nftSetIPv6": "ip6 Inet6 nets"}},
        ],
        "end": [
            {"filter": "filter_equals", "args": {"field": "MESSAGE", "value": "end"}},
            {"action": "action_log", "args": {"message": "read"}},
        ],
    });
    site.configure_with(&journald, &rules, &json!({"log": {"socket": site.path("lines")}}));
    let pyruse = site.start(Some(&firewall));
    // The daemon is stopped, so that it finds all of them at once.
    pyruse.signal("-STOP");
    let address = |n: u32| {
        if networks {
            format!("2001:db8:{:x}:{:x}::1", n / 250 % 250, n % 250 + 250 * (n / 62_500))
        } else {
            format!("10.{}.{}.{}", n / 62_500, n / 250 % 250, n % 250)
        }
    };
    for n in 0..addresses {
        journald.line("test", 6, &format!("ban {}", address(n)));
    }
    journald.line("test", 6, "end");
    journald.sync();
    pyruse.signal("-CONT");
    let begin = Instant::now();
    lines.recv(&mut [0; 4096]).expect("the line that says that all was read");
    let read = Instant::now();
    // Bans go in the order of their entries: when the last is there, all are, which is looked at afterwards.
    let last = format!("get element {set} {{ {} }}", address(addresses - 1));
    while !firewall.command("nft").arg(&last).output().unwrap().status.success() {
        assert!(read.elapsed() < LONG, "the last ban is missing: {}", site.log());
    }
    let (after_reading, all) = (read.elapsed(), begin.elapsed());
    assert_eq!(firewall.elements(set).len(), addresses as usize);
    assert!(pyruse.terminate().success(), "{}", site.log());
    (after_reading, all)
}

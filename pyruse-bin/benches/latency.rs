//! How long from the third failed login, written to the journal, to the element in the kernel's set? Measured with a
//! real journald and the kernel's own report (`nft monitor`), at a given rate of entries, with bans by netlink and by
//! programs of nft.
//!
//! `cargo bench -p pyruse-bin --bench latency -- [ADDRESSES] [ENTRIES PER SECOND]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use common::{BanBackend, Firewall, Journald, LONG, Site, failed_login, ssh_rules};

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u32>().ok());
    let addresses = numbers.next().unwrap_or(300);
    let rate = numbers.next().unwrap_or(100).max(1);
    for (way, name) in [(BanBackend::Netlink, "netlink"), (BanBackend::Nft, "nft")] {
        measure(way, name, addresses, rate);
    }
}

fn measure(way: BanBackend, name: &str, addresses: u32, rate: u32) {
    let (journald, firewall) = (Journald::start(), Firewall::with_sets(&["ssh_ban"]));
    let site = Site::new().by(way);
    let mut rules = ssh_rules(600);
    // A mail for each ban would be written by a program that a ban by itself has no need of.
    rules["ssh"].as_array_mut().unwrap().retain(|step| step["action"] != "action_email");
    site.configure(&journald, &rules);
    let pyruse = site.start(Some(&firewall));

    let mut monitor = firewall.command("nft").arg("monitor").stdout(Stdio::piped()).spawn().unwrap();
    let (seen, arrivals) = channel();
    let output = BufReader::new(monitor.stdout.take().unwrap());
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok).filter(|line| line.contains("add element")) {
            let now = Instant::now();
            if let Some(address) = line.split(['{', ' ']).find(|word| word.starts_with("10.")) {
                let _ = seen.send((address.to_owned(), now));
            }
        }
    });

    // The monitor is listening once it has shown something.
    while arrivals.recv_timeout(Duration::from_millis(50)).is_err() {
        let probe = "add element ip Inet4 ssh_ban { 10.255.255.255 }; delete element ip Inet4 ssh_ban { 10.255.255.255 }";
        firewall.nft(&[probe]);
    }
    while arrivals.recv_timeout(Duration::from_millis(200)).is_ok() {}

    let gap = Duration::from_secs(1) / rate;
    let mut written = HashMap::new();
    let mut next = Instant::now();
    for n in 0..addresses {
        let address = format!("10.0.{}.{}", n / 250, n % 250 + 1);
        for _ in 0..3 {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next += gap;
            written.insert(address.clone(), Instant::now());
            failed_login(&journald, &address);
        }
    }
    let mut latencies = Vec::new();
    while latencies.len() < written.len() {
        let (address, arrived) = arrivals.recv_timeout(LONG).expect("a ban is missing");
        if let Some(third) = written.get(&address) {
            latencies.push(arrived.saturating_duration_since(*third));
        }
    }
    let _ = monitor.kill();
    let _ = monitor.wait();
    assert!(pyruse.terminate().success());

    latencies.sort();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!(
        "journal write to element in the kernel by {name}, {} bans at {rate} entries/s: median {:.2} ms, 90 % {:.2} ms, 99 % {:.2} ms, longest {:.2} ms",
        latencies.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

//! The fleet under load, and with its parts killed. `cargo test` does a little of each; the campaign is
//! `make fleet-campaign`, and its figures are in docs/fleet.md.

#![cfg(feature = "nats")]

mod common;
mod kills;

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use common::fleet::{Fleet, LOCAL_SET, Plan, Server};
use common::{Firewall, LONG, wait_for};
use futures_util::StreamExt;
use kills::{Random, seed};

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn address(n: usize) -> String {
    format!("198.18.{}.{}", n / 250, n % 250 + 1)
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{prefix}-{n}")).collect()
}

/// Prints how long things took.
fn print_durations(what: &str, mut durations: Vec<Duration>) {
    durations.sort();
    let at = |share: usize| durations[(durations.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!(
        "{what}: {} times: median {:.1} ms, 90 % {:.1} ms, 99 % {:.1} ms, longest {:.1} ms",
        durations.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

/// Three failures, on three hosts, ban.
const THREE: &[(&str, &str)] = &[("\"fleet.tries\": 5", "\"fleet.tries\": 3")];

/// Never bans.
const NEVER: &[(&str, &str)] = &[("\"fleet.tries\": 5", "\"fleet.tries\": 1000000000")];

/// Reports the moments when addresses get into the set of a host's kernel.
fn monitor(firewall: &Firewall) -> (std::process::Child, mpsc::Receiver<(String, Instant)>) {
    let mut command = firewall.command("nft");
    let mut child = command.args(["monitor", "elements"]).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (seen, arrivals) = mpsc::channel();
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok).filter(|line| line.contains("add element")) {
            let now = Instant::now();
            if let Some(address) = line.split(['{', ' ']).find(|word| word.starts_with("198.")) {
                let _ = seen.send((address.to_owned(), now));
            }
        }
    });
    // It is listening once it has shown something.
    while arrivals.recv_timeout(Duration::from_millis(50)).is_err() {
        let element = "element inet pyruse ssh_ban4 { 198.19.0.1 }";
        firewall.nft(&[&format!("add {element}; delete {element}")]);
    }
    while arrivals.recv_timeout(Duration::from_millis(200)).is_ok() {}
    (child, arrivals)
}

#[test]
fn a_line_in_the_journal_of_one_host_bans_in_the_kernel_of_another() {
    let (bans, senders) = (number("PYRUSE_BANS", 20), names("sender", 2));
    let plan = Plan { servers: 3, hosts: 3, senders: &senders, aggregator: THREE, host: &[] };
    let mut fleet = Fleet::new(&plan);
    fleet.start();
    for sender in &senders {
        fleet.fail_all(sender, &(0..bans).map(address).collect::<Vec<_>>());
    }
    wait_for("what the others say", || {
        let lines = fleet.aggregator.report();
        senders
            .iter()
            .all(|sender| lines.get(&format!("{sender}: failed logins by ssh")) == Some(&bans))
            .then_some(())
    });
    let (mut child, arrivals) = monitor(&fleet.hosts[1].firewall);
    let mut written = HashMap::new();
    for n in 0..bans {
        written.insert(address(n), Instant::now());
        fleet.hosts[0].failed_login(&address(n));
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut latencies = Vec::new();
    while latencies.len() < bans {
        let (address, arrived) = arrivals.recv_timeout(LONG).expect("a ban is missing");
        latencies.extend(written.remove(&address).map(|begin| arrived.saturating_duration_since(begin)));
    }
    let _ = child.kill();
    let _ = child.wait();
    print_durations("journal of one host to kernel of another", latencies);
    let mut all: Vec<String> = (0..bans).map(address).collect();
    all.sort();
    fleet.wait_banned(&all);
}

#[test]
fn kills_of_all_parts_count_nothing_twice_and_lose_nothing() {
    // In each round, this many addresses fail once on each of the three hosts.
    const ADDRESSES: usize = 3;
    let (rounds, mut random) = (number("PYRUSE_KILLS", 7), Random::new(seed("a fleet")));
    let mut fleet = Fleet::new(&Plan { servers: 3, hosts: 3, senders: &[], aggregator: THREE, host: &[] });
    fleet.start();
    let begin = Instant::now();
    for round in 0..rounds {
        let journals: Vec<_> = fleet.hosts.iter().map(|host| &host.journald).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0..ADDRESSES {
                    for journald in &journals {
                        common::failed_login(journald, &address(round * ADDRESSES + n));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            std::thread::sleep(random.moment(Duration::from_millis(150)));
        });
        // Each part is the victim as often as the others.
        match random.below(7) {
            n @ 0..=2 => {
                let server = &mut fleet.servers[usize::try_from(n).unwrap()];
                server.kill();
                server.start();
            }
            n @ 3..=5 => fleet.hosts[usize::try_from(n - 3).unwrap()].kill(),
            _ => fleet.aggregator.kill(),
        }
    }
    println!("{rounds} kills in {} s", begin.elapsed().as_secs());
    let addresses: Vec<String> = (0..rounds * ADDRESSES).map(address).collect();
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for address in &addresses {
        expected.insert(format!("all hosts: {address} is banned"), 1);
    }
    for host in &fleet.hosts {
        expected.insert(format!("{}: failed logins by ssh", host.name), addresses.len());
    }
    let count = |lines: &BTreeMap<String, usize>| lines.values().sum::<usize>();
    let end = Instant::now() + 3 * LONG;
    while count(&fleet.aggregator.report()) < count(&expected) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    // What would be counted twice may still come.
    for member in fleet.hosts.iter().chain([&fleet.aggregator]) {
        member.wait_connected();
        wait_for("the outbox", || {
            member.json(&["outbox", "list"])["deliveries"].as_array().is_none_or(Vec::is_empty).then_some(())
        });
    }
    assert_eq!(fleet.aggregator.report(), expected, "{}", fleet.aggregator.site.log());
    let mut addresses = addresses;
    addresses.sort();
    fleet.wait_banned(&addresses);
}

#[test]
fn a_day_without_the_broker_costs_no_local_ban_and_the_newest_messages_come_in_order() {
    const WAITING: usize = 200;
    let host = [("\"maxWaiting\": 50000", "\"maxWaiting\": 200")];
    let mut fleet = Fleet::new(&Plan { servers: 3, hosts: 1, senders: &[], aggregator: NEVER, host: &host });
    fleet.start();
    let line = "web-1: failed logins by ssh";
    let counted = |fleet: &Fleet, count: usize| {
        wait_for(&format!("{count} failures"), || {
            (fleet.aggregator.report().get(line) == Some(&count)).then_some(())
        });
    };
    (0..3).for_each(|_| fleet.hosts[0].failed_login("198.51.100.1"));
    counted(&fleet, 3);
    fleet.servers.iter_mut().for_each(Server::kill);
    let attackers: Vec<String> = (0..WAITING).map(address).collect();
    for address in &attackers {
        (0..5).for_each(|_| fleet.hosts[0].failed_login(address));
    }
    let mut sorted = attackers.clone();
    sorted.sort();
    wait_for("the host's own bans", || {
        (fleet.hosts[0].firewall.addresses(LOCAL_SET) == sorted).then_some(())
    });
    fleet.hosts[0].stop();
    fleet.hosts[0].start_at("+1d");
    let waiting = fleet.hosts[0].json(&["outbox", "list"]);
    assert_eq!(waiting["deliveries"].as_array().map(Vec::len), Some(WAITING), "{waiting}");
    fleet.servers.iter_mut().for_each(Server::start);
    counted(&fleet, 3 + WAITING);
    let number = |identity: &str| identity.rsplit_once('/').unwrap().1.parse::<usize>().unwrap();
    let numbers: Vec<usize> =
        fleet.messages("FAIL").iter().map(|(_, identity, _)| number(identity)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    // Those that were being sent when the broker went away may be stored, so they are not dropped. Then come the newest.
    let newest = 3 + attackers.len() * 5;
    assert!(numbers.ends_with(&(newest + 1 - WAITING / 2..=newest).collect::<Vec<_>>()), "{numbers:?}");
    fleet.hosts[0].wait_connected();
    counted(&fleet, 3 + WAITING);
}

/// How much memory a process uses at most, in MiB.
fn peak_mib(pid: u32) -> usize {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[test]
fn an_aggregator_reads_what_many_hosts_have_published() {
    let messages = number("PYRUSE_MESSAGES", 2000);
    let senders = names("sender", 20);
    let mut fleet =
        Fleet::new(&Plan { servers: 3, hosts: 0, senders: &senders, aggregator: NEVER, host: &[] });
    // It begins with what comes from now on.
    fleet.start();
    fleet.aggregator.stop();
    let each = messages / senders.len();
    for (n, sender) in senders.iter().enumerate() {
        let addresses: Vec<String> = (0..each).map(|i| address((i * senders.len() + n) % 10_000)).collect();
        fleet.fail_all(sender, &addresses);
    }
    let last = format!("FAIL:{}", each * senders.len());
    let begin = Instant::now();
    fleet.aggregator.start();
    let pid = fleet.aggregator.running.as_ref().unwrap().child.id();
    loop {
        let sources = fleet.aggregator.json(&["sources"]);
        if sources["sources"][0]["cursor"] == last {
            break;
        }
        assert!(begin.elapsed() < 10 * LONG, "{sources}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let seconds = begin.elapsed().as_secs_f64();
    let total = u32::try_from(each * senders.len()).unwrap();
    println!(
        "{total} messages of {} hosts in {seconds:.1} s: {:.0} per second; at most {} MiB",
        senders.len(),
        f64::from(total) / seconds,
        peak_mib(pid)
    );
}

#[test]
fn many_subscribers_get_a_ban() {
    const BANS: usize = 11;
    let senders = names("sender", number("PYRUSE_SUBSCRIBERS", 30).max(3));
    let mut fleet =
        Fleet::new(&Plan { servers: 3, hosts: 0, senders: &senders, aggregator: THREE, host: &[] });
    fleet.start();
    let (arrived, arrivals) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (fleet, count) = (&fleet, senders.len());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            fleet.within(async move || {
                for sender in &senders {
                    subscribe(fleet, sender, arrived.clone()).await;
                }
                arrived.send((String::new(), Instant::now())).unwrap();
                let _ = stopped.await;
            });
        });
        let ready = arrivals.recv().unwrap();
        assert_eq!(ready.0, "");
        let (mut first, mut every) = (Vec::new(), Vec::new());
        for n in 0..BANS {
            fleet.fail("sender-1", &address(n));
            fleet.fail("sender-2", &address(n));
            let begin = Instant::now();
            fleet.fail("sender-3", &address(n));
            let mut times = Vec::new();
            while times.len() < count {
                let (subject, at) = arrivals
                    .recv_timeout(LONG)
                    .unwrap_or_else(|_| panic!("ban {n} reached {} of {count}", times.len()));
                assert!(subject.starts_with("ban."), "{subject}");
                times.push(at.saturating_duration_since(begin));
            }
            // With the first, all have begun to listen.
            if n > 0 {
                first.push(*times.iter().min().unwrap());
                every.extend(times);
            }
        }
        print_durations("failure to the first of all subscribers", first);
        print_durations(&format!("failure to each of {count} subscribers"), every);
        stop.send(()).unwrap();
    });
}

/// Reads bans as a host does.
async fn subscribe(fleet: &Fleet, name: &str, arrived: mpsc::Sender<(String, Instant)>) {
    let client = fleet.login(name).connect(fleet.urls()).await.unwrap();
    let stream = async_nats::jetstream::with_prefix(client, "fleet").get_stream_no_info("BAN").await.unwrap();
    let config = pull::Config {
        name: Some(name.to_owned()),
        ack_policy: AckPolicy::None,
        num_replicas: 1,
        memory_storage: true,
        inactive_threshold: Duration::from_secs(60),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    // The broker may not know yet where the answers go, and then forgets a request: the client asks again when it hears
    // nothing.
    let messages = consumer.stream().max_messages_per_batch(1000).heartbeat(Duration::from_secs(5));
    let mut messages = messages.expires(Duration::from_secs(30)).messages().await.unwrap();
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            let Ok(message) = message else { continue };
            let _ = arrived.send((message.subject.to_string(), Instant::now()));
        }
    });
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::held::{StoredBan, ends};
use super::import::FormerBans;
use super::order::{Order, OrderKind, QueuedOrder};
use super::service::BanService;
use super::store::{Bans, Kind};
use crate::courier::Outcome;
use crate::network::Network;
use crate::plugin::{Importer as _, Service as _};
use crate::state::{DueMessage, State};
use crate::time::{Clock, Expiry, Now, Timestamp};

fn net(ip: [u8; 4]) -> Network {
    Network::from(std::net::IpAddr::from(ip))
}

fn ban(ip: [u8; 4]) -> StoredBan {
    StoredBan { set: "s".into(), net: net(ip), seconds: 0, at: None, why: None, nth: None }
}

const DAY: u64 = 86_400;

fn service(state: &mut State, longest_timeout: Option<u64>) -> BanService {
    service_of(state, longest_timeout, false)
}

fn service_of(state: &mut State, longest_timeout: Option<u64>, is_exclusive: bool) -> BanService {
    service_for(state, longest_timeout, Kind { name: "action_testBan", is_exclusive, expires: true })
}

pub(super) fn service_for(state: &mut State, longest_timeout: Option<u64>, kind: Kind) -> BanService {
    let mut layout = state.layout();
    let bans = Bans::open(&mut layout, kind, 100, Arc::default()).unwrap();
    state.adopt(&layout).unwrap();
    let set_name = |set: &str| Some(set.to_owned());
    BanService {
        former: Some(FormerBans { file: "test.json", bans: bans.clone(), set_name }),
        bans,
        sets: BTreeSet::new(),
        set_name,
        longest_timeout,
        put_back: None,
        courier: None,
    }
}

/// Returns the addresses of the pending orders, and marks these as done.
fn take_orders(service: &BanService, state: &mut State, now: Timestamp) -> Vec<String> {
    let queue = state.get_mut(service.bans.orders);
    let messages = queue.take_due(Now::at(now), usize::MAX);
    for message in &messages {
        queue.settle(message.id, Outcome::Done, Now::at(now), Duration::from_secs(1));
    }
    let order = |text: &str| serde_json::from_str::<QueuedOrder>(text).unwrap().net.to_string();
    let mut addresses: Vec<String> = messages.iter().map(|message| order(&message.payload)).collect();
    addresses.sort();
    addresses
}

#[test]
fn a_ban_longer_than_the_longest_timeout_never_ends_early() {
    let longest = 20 * DAY;
    let start = Timestamp::from_seconds(1_795_000_000);
    let mut state = State::in_memory();
    let mut service = service(&mut state, Some(longest));
    service.boot(&mut state, start);
    // The elements of the firewall, with their ends.
    let mut elements = std::collections::HashMap::new();
    let days = [1, 9, 10, 11, 19, 20, 21, 29, 30, 31, 45, 100, 0];
    for hour in 0..120 * 24 {
        let now = start.plus_seconds(hour * 3600);
        if service.deadline(&state, now).unwrap() <= now {
            service.due(&mut state, now);
        }
        if hour == 5 * 24 {
            for (n, days) in (0u8..).zip(days) {
                service.bans.ban(&mut state, ban([10, 0, 0, n]), ends(now, days * DAY), now);
            }
        }
        let bans = service.bans.clone();
        for ip in take_orders(&service, &mut state, now) {
            let until = state.get(bans.held).ends(&format!("s {ip}")).unwrap().at();
            let kernel = if until == Timestamp::NEVER { until } else { until.min(now.plus_seconds(longest)) };
            elements.insert(ip, kernel);
        }
        if hour >= 5 * 24 {
            for (n, days) in (0u8..).zip(days) {
                let banned = days == 0 || now < start.plus_seconds((5 + days) * DAY);
                let held = now < elements[&format!("10.0.0.{n}")];
                assert_eq!(held, banned, "{days} days, at hour {hour}");
            }
        }
    }
}

#[test]
fn an_order_that_waits_for_its_next_try_is_due_when_bans_are_put_back() {
    let now = Timestamp::from_seconds(1_795_000_000);
    let mut state = State::in_memory();
    let mut service = service(&mut state, None);
    service.bans.ban(&mut state, ban([10, 0, 0, 1]), Expiry::NEVER, now);
    let queue = state.get_mut(service.bans.orders);
    let messages = queue.take_due(Now::at(now), 9);
    queue.settle(messages[0].id, Outcome::Retry("no set".into()), Now::at(now), Duration::from_secs(60));
    assert!(take_orders(&service, &mut state, now).is_empty(), "it waits");
    service.boot(&mut state, now);
    assert_eq!(take_orders(&service, &mut state, now), ["10.0.0.1"]);
}

#[test]
fn beyond_the_limit_the_bans_that_end_soonest_are_evicted_but_never_a_new_one() {
    let now = Timestamp::from_seconds(1_795_000_000);
    let mut state = State::in_memory();
    let service = service(&mut state, None);
    let bans = &service.bans;
    let until = |n: u16| ends(now, if n.is_multiple_of(2) { 0 } else { 60 + u64::from(n) });
    for n in 0..200_u16 {
        let [high, low] = n.to_be_bytes();
        bans.ban(&mut state, ban([10, 0, high, low]), until(n), now);
        let held = state.get(bans.held);
        assert!(held.get(&format!("s 10.0.{high}.{low}"), now).is_some(), "{n}");
        assert!(held.len() <= 100);
    }
    let ever = state.get(bans.held).live(now).filter(|(_, _, ends)| *ends == Expiry::NEVER).count();
    assert!(ever > 90, "{ever}");
    assert_eq!(take_orders(&service, &mut state, now).len(), 200, "the firewall hears of all");
}

#[test]
fn a_ban_that_was_stored_without_a_reason_is_loaded() {
    let old: StoredBan =
        serde_json::from_str(r#"{"set": "s", "ip": "10.0.0.1", "seconds": 60, "at": 5}"#).unwrap();
    assert_eq!((old.net, old.why), (net([10, 0, 0, 1]), None));
    let older: StoredBan = serde_json::from_str(r#"{"set": "s", "ip": "10.0.0.1"}"#).unwrap();
    assert_eq!((older.at, older.why), (None, None));
    let queued = |text: &str| serde_json::from_str::<QueuedOrder>(text).unwrap().net;
    assert_eq!(queued(r#"{"set": "s", "ip": "10.0.0.1", "until": 1, "renew": false}"#), net([10, 0, 0, 1]));
    let network: StoredBan = serde_json::from_str(r#"{"set": "s", "ip": "10.0.0.0/8"}"#).unwrap();
    assert_eq!(network.net, Network::parse("10.0.0.0/8").unwrap());
    // The first Pyruse put such addresses into sets for IPv6.
    let mapped: StoredBan = serde_json::from_str(r#"{"set": "s", "ip": "::ffff:10.0.0.1"}"#).unwrap();
    assert_eq!(Bans::key("s", mapped.net), "s ::ffff:10.0.0.1");
}

#[test]
fn a_firewall_without_a_longest_timeout_gets_the_whole_time() {
    let mut state = State::in_memory();
    let mut service = service(&mut state, None);
    service.boot(&mut state, Timestamp(0));
    assert_eq!(service.deadline(&state, Timestamp(0)), None);
}

#[test]
fn importing_twice_changes_nothing_and_never_shortens_a_ban() {
    let now = Timestamp::from_seconds(1_795_000_000);
    let mut state = State::in_memory();
    let mut service = service(&mut state, None);
    service.bans.ban(&mut state, ban([10, 0, 0, 1]), Expiry::NEVER, now);
    service.bans.ban(&mut state, ban([10, 0, 0, 2]), ends(now, 5), now);
    take_orders(&service, &mut state, now);
    let content = br#"[{"IP": "10.0.0.1", "nfSet": "s", "timestamp": 1795000100},
        {"IP": "10.0.0.2", "nfSet": "s", "timestamp": 1795000100},
        {"IP": "10.0.0.3", "nfSet": "s", "timestamp": 1795000000},
        {"IP": "10.0.0.4", "nfSet": "s", "timestamp": 0},
        {"IP": "10.0.0.5", "nfSet": "s", "timestamp": 1795000200},
        {"IP": "10.0.0.5", "nfSet": "s", "timestamp": 1795000100}]"#;
    for _ in 0..2 {
        let what = service.former.as_mut().unwrap().import(content, &mut state, now).unwrap();
        assert_eq!(what, "5 bans (1 more had expired)");
        let mut live: Vec<_> = state
            .get(service.bans.held)
            .live(now)
            .map(|(key, _, ends)| (key.to_owned(), ends.at()))
            .collect();
        live.sort();
        assert_eq!(
            live,
            [
                ("s 10.0.0.1".to_owned(), Timestamp::NEVER),
                ("s 10.0.0.2".to_owned(), now.plus_seconds(100)),
                ("s 10.0.0.4".to_owned(), Timestamp::NEVER),
                ("s 10.0.0.5".to_owned(), now.plus_seconds(200)),
            ]
        );
    }
    service.boot(&mut state, now);
    assert_eq!(take_orders(&service, &mut state, now), ["10.0.0.1", "10.0.0.2", "10.0.0.4", "10.0.0.5"]);
}

const NOON: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn hour(ip: [u8; 4], at: Timestamp) -> StoredBan {
    StoredBan { seconds: 3600, at: Some(at), ..ban(ip) }
}

/// Returns the timeout that the order of a message would give the firewall, in seconds.
fn timeout(message: &DueMessage, wall: Timestamp) -> u64 {
    match QueuedOrder::read(message, wall).unwrap().at(wall, None) {
        None => 0,
        Some(Order { kind: OrderKind::Ban { timeout } | OrderKind::Renew { timeout }, .. }) => {
            timeout.unwrap_or(u64::MAX)
        }
        Some(order) => panic!("{order:?}"),
    }
}

/// Returns the timeout that each order would give the firewall now, in seconds.
fn ordered(service: &BanService, state: &State, now: Now) -> Vec<u64> {
    let orders = state.get(service.bans.orders).messages();
    let left = orders.map(|(_, message)| {
        let message = DueMessage { payload: message.payload.clone(), ..DueMessage::default() };
        timeout(&message, now.wall)
    });
    left.collect()
}

#[test]
fn a_ban_by_a_clock_that_was_ahead_ends_in_time_and_is_not_put_back_for_ever() {
    let shown = std::sync::Arc::new(std::sync::Mutex::new(Now::at(NOON)));
    let set = |by: i64, seconds: u64| {
        let mut now = shown.lock().unwrap();
        *now = now.plus(Duration::from_secs(seconds));
        now.wall.0 += by;
        *now
    };
    let read = shown.clone();
    let mut state = State::in_memory().with_clock(Clock::of(move || *read.lock().unwrap()));
    let mut service = service(&mut state, Some(20 * DAY));
    let years = 72 * 365 * 86_400 * 1_000_000;
    let now = set(years, 0);
    state.tick();
    service.put_back_from(&mut state, 0, now.wall);
    service.bans.ban(&mut state, hour([10, 0, 0, 1], now.wall), ends(now.wall, 3600), now.wall);
    let now = set(-years, 2);
    state.tick();
    let key = Bans::key("s", net([10, 0, 0, 1]));
    assert_eq!(state.get(service.bans.held).ends(&key).unwrap().at(), now.wall.plus_seconds(3600));
    assert!(service.deadline(&state, now.wall).unwrap() <= now.wall.plus_seconds(10 * DAY));
    state.get_mut(service.bans.orders).remove(0);
    let now = set(0, 1800);
    state.tick();
    service.bans.put_back(&mut state, 0, now.wall);
    assert_eq!(ordered(&service, &state, now), [1800]);
    let now = set(0, 1800);
    assert_eq!(state.get(service.bans.held).live(now.wall).count(), 0);
}

#[test]
fn the_remaining_time_of_a_waiting_order_does_not_depend_on_the_wall_clock() {
    for by in [0, -3_600_000_000, 7_200_000_000, -1_794_000_000_000_000] {
        let mut state = State::in_memory().with_clock(Clock::of(|| Now::at(NOON)));
        let service = service(&mut state, None);
        // The entry was read ten minutes late.
        let at = Timestamp::from_seconds(NOON.seconds() - 600);
        service.bans.ban(&mut state, hour([10, 0, 0, 1], at), ends(at, 3600), at);
        let message = |seconds| DueMessage {
            payload: state.get(service.bans.orders).get(0).unwrap().payload.clone(),
            age: Duration::from_secs(seconds),
            ..DueMessage::default()
        };
        let left = |seconds| timeout(&message(seconds), Timestamp(NOON.0 + by).plus_seconds(seconds));
        assert_eq!([left(0), left(90), left(2999), left(3000)], [3000, 2910, 1, 0], "{by}");
    }
}

#[test]
fn an_entry_that_arrives_late_never_shortens_a_ban() {
    let mut state = State::in_memory();
    let service = service(&mut state, None);
    let earlier = Timestamp::from_seconds(NOON.seconds() - 7200);
    let key = Bans::key("s", net([10, 0, 0, 1]));
    let end = |state: &State| state.get(service.bans.held).ends(&key).unwrap().at();
    service.bans.ban(&mut state, hour([10, 0, 0, 1], NOON), ends(NOON, 3600), NOON);
    assert!(service.bans.ban(&mut state, hour([10, 0, 0, 1], earlier), ends(earlier, 3600), earlier));
    assert_eq!(end(&state), NOON.plus_seconds(3600));
    service.bans.ban(&mut state, hour([10, 0, 0, 1], earlier), ends(earlier, 3 * 3600 + 1), earlier);
    assert_eq!(end(&state), NOON.plus_seconds(3601), "nor does it lose a longer one");
    // In order, the newest entry counts.
    let later = NOON.plus_seconds(10);
    service.bans.ban(&mut state, hour([10, 0, 0, 1], later), ends(later, 60), later);
    assert_eq!(end(&state), later.plus_seconds(60));
}

#[test]
fn a_firewall_gets_the_remaining_time_in_whole_seconds() {
    let wall = Timestamp(10_000_000);
    let kind = |seconds, until, longest| {
        let order = QueuedOrder::ban("s", net([10, 0, 0, 1]), seconds, Timestamp(until), wall);
        order.at(wall, longest).map(|order| order.kind)
    };
    let ban = |timeout| Some(OrderKind::Ban { timeout });
    assert_eq!(kind(100, 70_000_000, None), ban(Some(60)));
    assert_eq!(kind(100, 70_000_001, None), ban(Some(61)));
    assert_eq!(kind(0, i64::MAX, None), ban(None));
    assert_eq!(kind(100, 10_000_000, None), None);
    assert_eq!(kind(100, 90_000_000_000_000, None), ban(Some(100)), "an entry from the future");
    assert_eq!(kind(0, 90_000_000_000_000, Some(1000)), ban(Some(1000)));
    let lift = QueuedOrder::lift("s", net([10, 0, 0, 1]), Timestamp(70_000_000), wall);
    assert_eq!(lift.clone().at(wall, None).unwrap().kind, OrderKind::Lift);
    assert_eq!(lift.at(Timestamp(70_000_000), None), None, "the firewall has removed it");
}

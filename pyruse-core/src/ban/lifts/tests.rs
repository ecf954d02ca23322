use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::*;
use crate::ban::ends::Ends;
use crate::ban::held::{StoredBan, ends};
use crate::ban::service::BanService;
use crate::ban::store::Kind;
use crate::ban::tests::service_for;
use crate::operation::BanKeeper as _;
use crate::plugin::Service as _;
use crate::state::{DueMessage, Outcome};
use crate::time::{Clock, Now};

const NOON: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// A state with a clock that is set by hand, and a firewall that does not end bans by itself.
struct Parts {
    clock: Arc<Mutex<Now>>,
    state: State,
    service: BanService,
}

impl Parts {
    fn new() -> Parts {
        let clock = Arc::new(Mutex::new(Now::at(NOON)));
        let shown = clock.clone();
        let mut state = State::in_memory().with_clock(Clock::of(move || *shown.lock().unwrap()));
        let kind = Kind { name: "action_testBan", is_exclusive: false, expires: false };
        let mut service = service_for(&mut state, None, kind);
        service.boot(&mut state, NOON);
        Parts { clock, state, service }
    }

    fn now(&self) -> Timestamp {
        self.clock.lock().unwrap().wall
    }

    /// Lets time pass, and does what is due.
    fn pass(&mut self, seconds: u64) {
        let now = self.clock.lock().unwrap().plus(Duration::from_secs(seconds));
        *self.clock.lock().unwrap() = now;
        self.tick();
    }

    fn tick(&mut self) {
        self.state.tick();
        let now = self.now();
        while self.service.deadline(&self.state, now).is_some_and(|at| at <= now) {
            self.service.due(&mut self.state, now);
        }
    }

    /// An entry of this time bans this host.
    fn ban_at(&mut self, host: u8, seconds: u64, at: Timestamp) {
        let ban = StoredBan { set: "s".into(), net: net(host), seconds, at: Some(at), why: None, nth: None };
        self.service.bans.ban(&mut self.state, ban, ends(at, seconds), at);
    }

    fn ban(&mut self, host: u8, seconds: u64) {
        self.ban_at(host, seconds, self.now());
    }

    /// An operator lifts the ban of this host.
    fn remove(&mut self, host: u8) -> Option<u64> {
        let now = self.now();
        self.service.remove(&mut self.state, "s", net(host), now)
    }

    /// Takes the orders that are due, in order, with this outcome: `+1` bans host 1, `-1` lifts it.
    fn orders(&mut self, outcome: &Outcome) -> String {
        let now = *self.clock.lock().unwrap();
        let queue = self.state.get_mut(self.service.bans.orders);
        let due = queue.take_due(now, usize::MAX);
        let mut texts = Vec::new();
        for message in due {
            // The queue measures ages by the real clock.
            let message = DueMessage { age: Duration::ZERO, ..message };
            let order = QueuedOrder::read(&message, now.wall).unwrap();
            let (lift, net) = (order.lift, order.net.to_string());
            assert!(order.at(now.wall, None).is_some(), "it is no longer valid");
            texts.push(format!("{}{}", if lift { '-' } else { '+' }, net.rsplit('.').next().unwrap()));
            queue.settle(message.id, outcome.clone(), now, Duration::from_secs(60));
        }
        texts.join(" ")
    }

    fn done(&mut self) -> String {
        self.orders(&Outcome::Done)
    }

    /// The bans as an operator sees them: the host, whether it has ended, and whether an order waits.
    fn listed(&self) -> Vec<(String, bool, bool)> {
        let bans = self.service.bans(&self.state, self.now());
        let ended = |until: Option<Timestamp>| until.is_some_and(|until| until <= self.now());
        bans.into_iter().map(|ban| (ban.net.to_string(), ended(ban.until), ban.order.is_some())).collect()
    }
}

fn net(host: u8) -> Network {
    Network::from(IpAddr::from([10, 0, 0, host]))
}

#[test]
fn a_ban_is_lifted_when_it_ends_and_not_before() {
    let mut parts = Parts::new();
    parts.ban(1, 60);
    parts.ban(2, 0);
    parts.ban(3, 120);
    assert_eq!(parts.done(), "+1 +2 +3");
    parts.pass(59);
    assert_eq!(parts.done(), "");
    parts.ban(1, 60);
    assert_eq!(parts.done(), "+1", "it is renewed");
    parts.pass(59);
    assert_eq!(parts.done(), "");
    parts.pass(1);
    assert_eq!(parts.done(), "-1");
    assert_eq!(parts.service.deadline(&parts.state, parts.now()), Some(NOON.plus_seconds(120)));
    parts.pass(1_000_000);
    assert_eq!(parts.done(), "-3");
    parts.pass(1_000_000);
    assert_eq!(parts.done(), "");
    assert_eq!(parts.listed(), [("10.0.0.2".to_owned(), false, false)]);
}

#[test]
fn what_comes_last_counts_and_is_delivered_last() {
    let mut parts = Parts::new();
    parts.ban(1, 60);
    parts.pass(60);
    parts.ban(1, 60);
    assert_eq!(parts.done(), "+1", "neither the first ban nor its end");
    parts.remove(1);
    assert_eq!(parts.done(), "-1");
    // The order to lift fails when the next ban comes.
    parts.ban(1, 60);
    assert_eq!(parts.done(), "+1");
    parts.pass(60);
    assert_eq!(parts.orders(&Outcome::Retry("no".into())), "-1");
    parts.ban(1, 60);
    assert_eq!(parts.done(), "+1");
    parts.pass(59);
    assert_eq!(parts.done(), "");
    parts.pass(1);
    assert_eq!(parts.done(), "-1");
}

#[test]
fn bans_that_ended_while_nothing_ran_are_lifted_at_the_next_start() {
    let mut parts = Parts::new();
    parts.ban(1, 60);
    parts.ban(2, 7200);
    assert_eq!(parts.done(), "+1 +2");
    // Nothing of this part is stored.
    *parts.state.get_mut(parts.service.bans.ends.unwrap()) = Ends::default();
    *parts.clock.lock().unwrap() = Now::at(NOON.plus_seconds(3600));
    parts.state.tick();
    let now = parts.now();
    parts.service.boot(&mut parts.state, now);
    assert_eq!(parts.done(), "-1 +2");
    parts.pass(3600);
    assert_eq!(parts.done(), "-2");
}

#[test]
fn the_time_of_an_entry_ends_no_other_ban_and_what_had_ended_is_never_banned() {
    let mut parts = Parts::new();
    for host in 1..=40 {
        parts.ban(host, 60);
    }
    parts.done();
    for host in 41..=80 {
        parts.ban_at(host, 60, NOON.plus_seconds(1_000_000));
    }
    assert!(!parts.done().contains('-'));
    parts.ban_at(201, 60, Timestamp(NOON.0 - 60_000_000));
    assert_eq!(parts.done(), "");
    assert!(parts.listed().iter().all(|(ip, ..)| ip != "10.0.0.201"));
    // A ban that has just ended is lifted, also if a late entry renews it.
    parts.ban(202, 60);
    assert_eq!(parts.done(), "+202");
    let late = parts.now();
    let later = parts.clock.lock().unwrap().plus(Duration::from_secs(61));
    *parts.clock.lock().unwrap() = later;
    parts.state.tick();
    parts.ban_at(202, 60, late);
    assert_eq!(parts.done(), "");
    parts.tick();
    assert!(parts.done().contains("-202"));
}

#[test]
fn a_step_of_the_clock_neither_ends_a_ban_early_nor_keeps_it_for_ever() {
    let years = 40 * 365 * 86_400;
    let mut parts = Parts::new();
    *parts.clock.lock().unwrap() = Now::at(NOON.plus_seconds(years));
    parts.state.tick();
    parts.ban(1, 3600);
    assert_eq!(parts.done(), "+1");
    let before = *parts.clock.lock().unwrap();
    *parts.clock.lock().unwrap() = Now { wall: NOON, ..before.plus(Duration::from_secs(2)) };
    parts.tick();
    parts.pass(3590);
    assert_eq!(parts.done(), "");
    parts.pass(20);
    assert_eq!(parts.done(), "-1");
}

#[test]
fn a_ban_too_many_is_lifted_and_orders_that_are_never_done_are_bounded() {
    let mut parts = Parts::new();
    let host = |n: u32| Network::from(IpAddr::from((0x0a00_0000 + n).to_be_bytes()));
    let add = |parts: &mut Parts, n: u32| {
        parts.service.add(&mut parts.state, "s", host(n), 3600, NOON);
    };
    for n in 0..150 {
        add(&mut parts, n);
    }
    let lifts = parts.done().matches('-').count();
    assert_eq!((lifts, parts.service.counts(&parts.state, NOON)["s"]), (50, 100));
    for n in 1000..2000 {
        add(&mut parts, n);
        parts.orders(&Outcome::GiveUp("no".into()));
    }
    assert!(parts.state.get(parts.service.bans.orders).len() <= 201);
}

#[test]
fn a_ban_that_is_not_lifted_is_shown_and_can_be_tried_again() {
    let mut parts = Parts::new();
    parts.ban(1, 60);
    assert_eq!(parts.done(), "+1");
    parts.pass(60);
    assert_eq!(parts.orders(&Outcome::GiveUp("no".into())), "-1");
    assert_eq!(parts.listed(), [("10.0.0.1".to_owned(), true, true)]);
    assert!(parts.service.counts(&parts.state, parts.now()).is_empty(), "it is not in force");
    parts.pass(1_000_000);
    assert_eq!(parts.done(), "");
    assert!(parts.remove(1).is_some());
    assert_eq!(parts.done(), "-1");
    assert!(parts.listed().is_empty());
    assert!(parts.remove(1).is_none());
}

//! The orders against a simulated firewall that refuses elements that overlap.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ban::held::{StoredBan, ends};
use crate::ban::order::{OrderKind, QueuedOrder};
use crate::ban::store::{Bans, Kind};
use crate::courier::Outcome;
use crate::network::Network;
use crate::state::{DueMessage, State};
use crate::time::{Clock, Now, Timestamp};

const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

/// Bans with a clock and a firewall.
struct World {
    state: State,
    bans: Bans,
    clock: Arc<Mutex<Now>>,
    /// The elements, with their ends.
    elements: BTreeMap<Network, Timestamp>,
    /// When each order was queued: the queue reads the machine's clock.
    queued: BTreeMap<u64, Timestamp>,
}

impl World {
    fn new(max_bans: u32) -> World {
        let clock = Arc::new(Mutex::new(Now::at(START)));
        let read = clock.clone();
        let mut state = State::in_memory().with_clock(Clock::of(move || *read.lock().unwrap()));
        let mut layout = state.layout();
        let kind = Kind { name: "action_testBan", is_exclusive: true, expires: true };
        let bans = Bans::open(&mut layout, kind, max_bans, Arc::default()).unwrap();
        state.adopt(&layout).unwrap();
        state.tick();
        World { state, bans, clock, elements: BTreeMap::new(), queued: BTreeMap::new() }
    }

    fn now(&self) -> Timestamp {
        self.clock.lock().unwrap().wall
    }

    /// Time passes, and what has ended by then is noticed.
    fn pass(&mut self, seconds: u64) {
        let now = {
            let mut clock = self.clock.lock().unwrap();
            *clock = clock.plus(Duration::from_secs(seconds));
            clock.wall
        };
        self.state.tick();
        self.elements.retain(|_, end| now < *end);
        if self.bans.next_uncovered(&self.state, now).is_some_and(|at| at <= now) {
            self.bans.uncover_ended(&mut self.state, now);
        }
        self.note();
    }

    fn note(&mut self) {
        let now = self.now();
        for (id, _) in self.state.get(self.bans.orders).messages() {
            self.queued.entry(id).or_insert(now);
        }
    }

    fn put_back(&mut self) {
        let now = self.now();
        self.bans.put_back(&mut self.state, 0, now);
        self.note();
    }

    fn ban(&mut self, net: &str, seconds: u64) -> bool {
        let (net, now) = (Network::parse(net).unwrap(), self.now());
        let ban = StoredBan { set: "s".into(), net, seconds, at: Some(now), why: None, nth: None };
        let renewed = self.bans.ban(&mut self.state, ban, ends(now, seconds), now);
        self.note();
        renewed
    }

    fn lift(&mut self, net: &str) -> Option<u64> {
        let now = self.now();
        let order = self.bans.lift(&mut self.state, "s", Network::parse(net).unwrap(), now);
        self.note();
        order
    }

    /// Delivers all orders; `is_noted`: the state learns that they were done.
    fn deliver(&mut self, is_noted: bool) {
        let now = *self.clock.lock().unwrap();
        let queue = self.state.get_mut(self.bans.orders);
        for message in queue.take_due(now, usize::MAX) {
            let age = self.queued[&message.id].until(now.wall);
            let message = DueMessage { age, ..message };
            if let Some(order) = QueuedOrder::read(&message, now.wall).unwrap().at(now.wall, None) {
                let end = |timeout: Option<u64>| match timeout {
                    Some(seconds) => now.wall.plus_seconds(seconds),
                    None => Timestamp::NEVER,
                };
                match order.kind {
                    OrderKind::Ban { timeout } => {
                        self.elements.entry(order.net).or_insert(end(timeout));
                    }
                    OrderKind::Renew { timeout } => {
                        self.elements.insert(order.net, end(timeout));
                    }
                    OrderKind::Lift => {
                        self.elements.remove(&order.net);
                    }
                }
                let mut others = self.elements.keys().filter(|other| **other != order.net);
                let other = others.find(|other| other.overlaps(order.net));
                assert!(
                    order.kind == OrderKind::Lift || other.is_none(),
                    "{order:?} overlaps with {other:?}"
                );
            }
            let outcome = if is_noted { Outcome::Done } else { Outcome::Retry("killed".into()) };
            queue.settle(message.id, outcome, now, Duration::ZERO);
        }
    }

    /// Returns what the firewall must have: the widest bans in force, with their ends.
    fn wanted(&self) -> BTreeMap<Network, Timestamp> {
        let held = self.state.get(self.bans.held).live(self.now());
        let live: BTreeMap<Network, Timestamp> = held.map(|(_, ban, ends)| (ban.net, ends.at())).collect();
        let is_widest =
            |net: Network| !live.keys().any(|other| other.bits() < net.bits() && other.contains(net.first()));
        live.iter().filter(|(net, _)| is_widest(**net)).map(|(net, end)| (*net, *end)).collect()
    }

    fn shown(&self) -> Vec<String> {
        let left = |end: &Timestamp| self.now().until(*end).as_secs();
        self.elements.iter().map(|(net, end)| format!("{net} {}", left(end))).collect()
    }
}

#[test]
fn a_ban_within_another_comes_into_force_when_that_one_ends() {
    let mut world = World::new(100);
    world.ban("192.0.2.7", 1000);
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.7 1000"]);
    world.ban("192.0.2.0/24", 100);
    world.ban("192.0.2.8", 50);
    world.ban("192.0.2.9", 500);
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.0/24 100"]);
    world.pass(99);
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.0/24 1"]);
    world.pass(1);
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.7 900", "192.0.2.9 400"]);
}

#[test]
fn when_the_wider_ban_is_lifted_the_others_are_ordered_and_a_covered_one_is_lifted_without_an_order() {
    let mut world = World::new(100);
    for net in ["192.0.2.0/24", "192.0.0.0/16", "192.0.2.7", "192.0.3.1"] {
        world.ban(net, 1000);
    }
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.0.0/16 1000"]);
    assert_eq!(world.lift("192.0.3.1"), None);
    assert!(world.lift("192.0.0.0/16").is_some());
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.0/24 1000"]);
    assert!(world.lift("192.0.2.0/24").is_some());
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.7 1000"]);
}

#[test]
fn when_the_clock_is_set_ahead_what_was_within_an_ended_ban_is_ordered() {
    let mut world = World::new(100);
    world.ban("192.0.2.0/24", 1000);
    world.ban("192.0.2.7", 0);
    world.deliver(true);
    // The steady clock does not step.
    world.clock.lock().unwrap().wall = START.plus_seconds(7200);
    world.state.tick();
    world.pass(0);
    world.deliver(true);
    assert_eq!(world.elements.keys().map(Network::to_string).collect::<Vec<_>>(), ["192.0.2.7"]);
}

#[test]
fn a_late_entry_whose_ban_is_over_removes_nothing() {
    let mut world = World::new(100);
    world.ban("192.0.2.7", 1000);
    world.deliver(true);
    let (net, long_ago) = (Network::parse("192.0.2.0/24").unwrap(), Timestamp(START.0 - 3_600_000_000));
    let ban = StoredBan { set: "s".into(), net, seconds: 60, at: Some(long_ago), why: None, nth: None };
    world.bans.ban(&mut world.state, ban, ends(long_ago, 60), long_ago);
    world.note();
    world.deliver(true);
    assert_eq!(world.shown(), ["192.0.2.7 1000"]);
}

/// Random numbers: a linear congruential generator.
struct Random(u64);

impl Random {
    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[usize::try_from(self.below(values.len() as u64)).unwrap()]
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn the_firewall_always_has_exactly_the_widest_bans() {
    let nets = [
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.1.0/24",
        "10.1.1.1",
        "10.1.1.2",
        "10.1.2.0/24",
        "10.1.2.3",
        "10.2.0.0",
        "10.0.0.0",
        "10.0.0.0/24",
        "11.0.0.0/8",
        "11.0.0.1",
        "2001:db8::/32",
        "2001:db8::/64",
        "2001:db8::1",
    ];
    for seed in 0..300 {
        let mut random = Random(seed);
        // Bans that are forgotten stay in the firewall.
        let mut world = World::new(100);
        for step in 0..60 {
            let net = random.one_of(&nets);
            match random.below(10) {
                0..=4 => {
                    let seconds = random.one_of(&[0, 10, 30, 100]);
                    world.ban(net, seconds);
                }
                5 => {
                    world.lift(net);
                }
                6 | 7 => {
                    // An order that shortens a ban is too late when the ban is over.
                    world.deliver(random.below(2) > 0);
                    world.pass(random.below(25));
                }
                8 => world.put_back(),
                // The firewall was reloaded.
                _ => {
                    world.elements.clear();
                    world.put_back();
                }
            }
            if random.below(3) > 0 {
                world.deliver(random.below(4) > 0);
                assert_eq!(world.elements, world.wanted(), "seed {seed}, step {step}");
            }
        }
    }
}

#[test]
fn a_forgotten_network_is_not_in_the_way() {
    let mut world = World::new(10);
    world.ban("10.0.0.0/8", 20);
    world.deliver(true);
    for n in 1..=20 {
        world.ban(&format!("10.0.0.{n}"), 1000);
    }
    world.deliver(true);
    assert!(!world.elements.is_empty());
    assert_eq!(world.elements.keys().find(|net| !net.is_single()), None, "{:?}", world.shown());
}

#[test]
fn wakes_do_not_grow_with_renewals() {
    let mut world = World::new(100);
    world.ban("10.0.0.1", 0);
    for _ in 0..1000 {
        world.pass(1);
        world.ban("10.0.0.0/8", 3600);
    }
    let nesting = world.state.get(world.bans.nesting.unwrap());
    assert_eq!(nesting.wakes(), 1);
}

//! Bans: the common parts of `action_nftBan` and similar actions.
//!
//! A ban is an address in a set of the firewall, until an absolute time. It is recorded in the state, so that it can be
//! put back, and queued for the courier of that firewall. The courier gets the *parsed* address, never text from an
//! entry.

mod batch;
mod configured;
mod held;
mod import;
mod inspect;
mod ipset;
mod keeper;
mod netlink;
mod nft;
mod obstacle;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pyruse_core::address;
use pyruse_core::courier::{Courier, Deliver};
use pyruse_core::effect::Effect;
use pyruse_core::entry::{Counted, Slot};
use pyruse_core::operation::{BanKeeper, BanSet, Family, Reason};
use pyruse_core::plugin::fact::{Ban as BanFact, Fact};
use pyruse_core::plugin::{Act, Compile, Importer, Invalid, Service, StepError, excerpt};
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Layout, Letter, Map, Queue, State, StateError};
use pyruse_core::time::{Ends, Step, Timestamp};

use self::configured::{Configured, Notes};
use self::held::Ban;

/// A queued order for a courier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Order {
    set: String,
    ip: IpAddr,
    /// The end; `None`: for ever.
    until: Option<Timestamp>,
    /// The time left when the order was queued, in microseconds. Absent: for ever, or an earlier version queued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    /// The maximum duration in seconds; 0: no limit.
    #[serde(default)]
    seconds: u64,
    /// The set may already hold the element, with another end.
    renew: bool,
    /// The order lifts the ban: the set must not hold the element any more.
    #[serde(default)]
    lift: bool,
}

/// The time left of a ban.
enum Left {
    Over,
    /// Whole seconds, rounded up.
    Seconds(u64),
    Forever,
}

impl Order {
    /// Returns the order with an end; `wall` is the wall clock.
    fn until(self, end: Timestamp, wall: Timestamp) -> Order {
        if end == Timestamp::NEVER {
            return self;
        }
        let left = wall.until(end);
        let left = if self.seconds == 0 { left } else { left.min(Duration::from_secs(self.seconds)) };
        Order { until: Some(end), left: Some(u64::try_from(left.as_micros()).unwrap_or(u64::MAX)), ..self }
    }

    /// Reads the order of a letter, with its end by the wall clock, which may have been set since the order was queued.
    fn read(letter: &Letter, wall: Timestamp) -> serde_json::Result<Order> {
        let order: Order = serde_json::from_str(&letter.payload)?;
        let end = order.left.map(|left| wall.plus(Duration::from_micros(left).saturating_sub(letter.age)));
        Ok(Order { until: end.or(order.until), ..order })
    }

    fn left(&self, now: Timestamp) -> Left {
        let Some(until) = self.until else { return Left::Forever };
        let left = now.until(until);
        if left.is_zero() {
            Left::Over
        } else {
            let left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            Left::Seconds(if self.seconds == 0 { left } else { left.min(self.seconds) })
        }
    }
}

/// How long after the end of a ban its element may still be there, in seconds: the kernel counts whole seconds, and
/// starts a little later than this process.
const KERNEL_LAG: u64 = 5;

/// The state of one kind of ban.
#[derive(Clone)]
struct Bans {
    held: Handle<Map<Ban>>,
    orders: Handle<Queue>,
    max: usize,
    /// Whether it was logged that there are too many.
    warned: Arc<AtomicBool>,
}

impl Bans {
    fn open(
        layout: &mut Layout,
        action: &str,
        max_bans: u32,
        configured: &Configured,
    ) -> Result<Bans, StateError> {
        Ok(Bans {
            held: layout.open(&format!("{action}/bans"))?,
            orders: layout.open(&format!("{action}/orders"))?,
            max: max_bans as usize,
            warned: configured.warned.clone(),
        })
    }

    fn key(set: &str, ip: IpAddr) -> String {
        format!("{set} {ip}")
    }

    /// Bans an address. Returns whether it was banned already.
    fn ban(&self, state: &mut State, mut ban: Ban, mut ends: Ends, now: Timestamp) -> bool {
        let wall = state.now().wall;
        let key = Bans::key(&ban.set, ban.ip);
        // An undelivered order, a ban or a lift, may or may not have reached the set.
        let in_doubt = state.get(self.orders).of_key(&key).is_some();
        let held = state.get_mut(self.held);
        let renewed = held.get(&key, now).is_some();
        let renew = in_doubt || held.ends(&key).is_some_and(|ends| now < ends.at().plus_seconds(KERNEL_LAG));
        // A late entry does not override a newer one: it never makes a ban shorter.
        if let (Some(known), Some(last)) = (held.ends(&key), held.last(&key))
            && last.at.is_some_and(|at| now < at)
            && ends.at() < known.at()
        {
            (ban.seconds, ban.at, ends) = (last.seconds, last.at, known);
        }
        let Ban { ref set, ip, seconds, .. } = ban;
        let order = Order { set: set.clone(), ip, until: None, left: None, seconds, renew, lift: false };
        let order = order.until(ends.at(), wall);
        held.insert(&key, ban, ends, now);
        // A struct of texts and numbers can always be serialized.
        let payload = serde_json::to_string(&order).unwrap_or_default();
        state.get_mut(self.orders).push(Some(&key), payload);
        self.bound(state, now);
        renewed
    }

    /// If too many bans are held, forgets one that ends soon: an attacker who provokes bans must not fill the memory.
    /// The element stays in the firewall until its timeout expires.
    fn bound(&self, state: &mut State, now: Timestamp) {
        let max = self.max;
        let held = state.get_mut(self.held);
        if held.len() <= max {
            return;
        }
        held.forget_one(now);
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "more than {max} bans are in force: those that end soonest are forgotten. The firewall keeps them until \
                 they end, but they are not put back after a restart"
            );
        }
    }

    /// Forgets a ban, and queues an order to remove its element from the set. Returns the order's number. The order
    /// supersedes a pending ban order for the same key, and a later order supersedes it. It expires when the element's
    /// own timeout does.
    fn lift(&self, state: &mut State, set: &str, ip: IpAddr, now: Timestamp) -> Option<u64> {
        let key = Bans::key(set, ip);
        let held = state.get_mut(self.held);
        held.get(&key, now)?;
        let end = held.ends(&key).unwrap_or(Ends::NEVER).at();
        held.remove(&key);
        let order =
            Order { set: set.to_owned(), ip, until: None, left: None, seconds: 0, renew: false, lift: true };
        let order = order.until(end.plus_seconds(KERNEL_LAG), now);
        let payload = serde_json::to_string(&order).unwrap_or_default();
        Some(state.get_mut(self.orders).push(Some(&key), payload))
    }

    /// Imports bans that another program made, unless they have expired or a later end is known. Returns a summary for
    /// the operator.
    fn import(&self, state: &mut State, bans: Vec<(Ban, Timestamp)>, now: Timestamp) -> String {
        let (mut taken, mut over) = (0, 0);
        for (ban, end) in bans {
            if end <= now {
                over += 1;
                continue;
            }
            taken += 1;
            let key = Bans::key(&ban.set, ban.ip);
            let held = state.get_mut(self.held);
            // The original duration is unknown; but it cannot be longer than the time left.
            let ends = Ends::without_span(end).with_span(now.until(end));
            match held.ends(&key) {
                Some(known) if end <= known.at() => {}
                // The firewall has another end.
                Some(_) => {
                    self.ban(state, ban, ends, now);
                }
                None => {
                    held.insert(&key, ban, ends, now);
                    self.bound(state, now);
                }
            }
        }
        let plural = if taken == 1 { "" } else { "s" };
        match over {
            0 => format!("{taken} ban{plural}"),
            _ => format!("{taken} ban{plural} ({over} more had ended)"),
        }
    }

    /// Queues all bans that are in force for more than `longer_than` seconds, for a firewall that may have forgotten
    /// them or will.
    fn put_back(&self, state: &mut State, longer_than: u64, now: Timestamp) {
        let orders: Vec<(String, Order)> = state
            .get(self.held)
            .live(now)
            .filter(|(_, _, ends)| now.plus_seconds(longer_than) < ends.at())
            .map(|(key, ban, ends)| {
                let Ban { set, ip, seconds, .. } = ban;
                let (set, ip, seconds) = (set.clone(), *ip, *seconds);
                let order = Order { set, ip, until: None, left: None, seconds, renew: false, lift: false };
                (key.to_owned(), order.until(ends.at(), now))
            })
            .collect();
        let queue = state.get_mut(self.orders);
        for (key, order) in orders {
            // A pending order says the same, and is durable.
            if queue.of_key(&key).is_none() {
                queue.push_volatile(Some(&key), serde_json::to_string(&order).unwrap_or_default());
            }
        }
    }
}

/// Returns the end of a ban of `seconds` seconds; 0: for ever.
fn ends(start: Timestamp, seconds: u64) -> Ends {
    if seconds == 0 { Ends::NEVER } else { Ends::after_seconds(start, seconds) }
}

/// The run step of a ban, for every firewall.
struct BanAction {
    action: &'static str,
    ip: Slot,
    set_v4: String,
    set_v6: String,
    seconds: u64,
    allow_special: bool,
    chain: Box<str>,
    bans: Bans,
}

impl BanAction {
    fn new(
        action: &'static str,
        (ip, set_v4, set_v6): (&str, String, String),
        (seconds, allow_special): (Option<u64>, bool),
        max_bans: u32,
        cx: &mut Compile<'_>,
    ) -> Result<BanAction, Invalid> {
        let ip = cx.reads_at("IP", ip);
        let seconds = seconds.unwrap_or(0);
        let sets = [set_v4.clone(), set_v6.clone()];
        cx.states("IP", Fact::Bans(BanFact { address: ip, ends: seconds > 0, sets }));
        let known = cx.note::<Notes>().of(action);
        for (name, family) in [(&set_v4, Family::V4), (&set_v6, Family::V6)] {
            known.sets.insert(BanSet { name: name.clone(), family });
        }
        let known = known.clone();
        let bans = match Bans::open(cx.layout(), action, max_bans, &known) {
            Ok(bans) => bans,
            Err(e) => return Err(cx.error("", e.to_string())),
        };
        let chain = cx.chain().into();
        Ok(BanAction { action, ip, set_v4, set_v6, seconds, allow_special, chain, bans })
    }

    fn act(&self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let text = run.entry.required_text(self.ip)?;
        let Some(ip) = address::parse(text) else {
            return Err(StepError::new(format!(
                "`{}` is not an IP address: nothing is banned",
                excerpt(text)
            )));
        };
        if let Some(kind) = address::special(ip).filter(|_| !self.allow_special) {
            return Err(StepError::new(format!(
                "{ip} is {kind}: nothing is banned; `allowSpecial` would ban it"
            )));
        }
        let set = if ip.is_ipv4() { &self.set_v4 } else { &self.set_v6 };
        let now = run.entry.time();
        let reason = self.reason(run.entry.counted());
        let ban =
            Ban { set: set.clone(), ip, seconds: self.seconds, at: Some(now), why: Some(reason.clone()) };
        let renewed = self.bans.ban(run.state, ban, ends(now, self.seconds), now);
        run.effect(|| Effect::Ban {
            action: self.action,
            set: set.clone(),
            ip: ip.to_string(),
            seconds: self.seconds,
            renewed,
            reason,
        });
        Ok(())
    }

    /// If several counters count the address itself, the last one is taken as the cause.
    fn reason(&self, counted: &[Counted]) -> Reason {
        let of_address = counted.iter().rfind(|counted| counted.key == self.ip);
        let counted = of_address.or(counted.last());
        Reason::Rule {
            chain: self.chain.clone(),
            counter: counted.map(|counted| (*counted.category).into()),
            count: counted.map(|counted| counted.count),
        }
    }
}

/// The service of a ban: imports the first Pyruse's bans, puts bans back, and owns the courier.
struct BanService {
    name: &'static str,
    bans: Bans,
    /// The sets that the configuration names.
    sets: BTreeSet<BanSet>,
    /// When the bans that the firewall expires too early are put back.
    put_back: Option<Timestamp>,
    /// The first Pyruse's file.
    former_file: &'static str,
    /// Returns the normal form of a set's name, or `None` if the text is not one.
    check_set: fn(&str) -> Option<String>,
    /// The longest timeout that the firewall supports, in seconds.
    longest_timeout: Option<u64>,
    batch: usize,
    deliver: Option<Box<dyn Deliver>>,
}

impl BanService {
    /// Puts back the bans that last for more than `longer_than` seconds, and sets when to do so again. A ban that is
    /// longer than the firewall's longest timeout begins with that one. At every half of it, all bans are put back that
    /// last longer than the other half. So each is put back before its element expires, at the latest in the middle of
    /// its timeout, and nothing needs to be remembered.
    fn put_back_from(&mut self, state: &mut State, longer_than: u64, now: Timestamp) {
        self.bans.put_back(state, longer_than, now);
        self.put_back = self.next_put_back(now);
    }
}

impl BanService {
    fn next_put_back(&self, now: Timestamp) -> Option<Timestamp> {
        self.longest_timeout.map(|longest| now.plus_seconds(longest / 2))
    }
}

impl Service for BanService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let deliver = self.deliver.take()?;
        let courier = Courier::new(self.name, deliver).batch(self.batch).ahead();
        Some((self.bans.orders, courier))
    }

    fn queue(&self) -> Option<Handle<Queue>> {
        Some(self.bans.orders)
    }

    fn describe(&self, payload: &str) -> String {
        match serde_json::from_str::<Order>(payload) {
            Ok(Order { set, ip, lift: false, .. }) => format!("ban {ip} in {set}"),
            Ok(Order { set, ip, lift: true, .. }) => format!("lift the ban of {ip} in {set}"),
            Err(_) => "no order for a ban".into(),
        }
    }

    fn bans(&mut self) -> Option<&mut dyn BanKeeper> {
        Some(self)
    }

    fn importer(&mut self) -> Option<&mut dyn Importer> {
        Some(self)
    }

    fn boot(&mut self, state: &mut State, now: Timestamp) {
        // Earlier versions stored no span with the end.
        let step = Step::loaded(state.now());
        state.get_mut(self.bans.held).complete(Ban::length, step);
        // The operator who reloads may have made the set that orders wait for.
        state.get_mut(self.bans.orders).hurry();
        self.put_back_from(state, 0, now);
    }

    fn deadline(&self, _: &State, now: Timestamp) -> Option<Timestamp> {
        // The deadline is never further away than that, even if the clock was wrong when it was set.
        self.put_back.min(self.next_put_back(now))
    }

    fn due(&mut self, state: &mut State, now: Timestamp) {
        self.put_back_from(state, self.longest_timeout.unwrap_or(0) / 2, now);
    }
}

impl Importer for BanService {
    fn former_file(&self) -> &'static str {
        self.former_file
    }

    fn import(&mut self, content: &[u8], state: &mut State, now: Timestamp) -> Result<String, String> {
        let bans = import::read(content, self.check_set)?;
        Ok(self.bans.import(state, bans, now))
    }
}

#[cfg(test)]
mod tests {
    use pyruse_core::courier::Outcome;
    use pyruse_core::time::{Clock, Now};

    use super::*;

    fn ban(ip: [u8; 4]) -> Ban {
        Ban { set: "s".into(), ip: ip.into(), seconds: 0, at: None, why: None }
    }

    const DAY: u64 = 86_400;

    fn service(state: &mut State, longest_timeout: Option<u64>) -> BanService {
        let mut layout = state.layout();
        let bans = Bans::open(&mut layout, "action_testBan", 100, &Configured::default()).unwrap();
        state.adopt(&layout).unwrap();
        BanService {
            name: "action_testBan",
            bans,
            sets: BTreeSet::new(),
            put_back: None,
            former_file: "test.json",
            check_set: |set| Some(set.to_owned()),
            longest_timeout,
            batch: 10,
            deliver: None,
        }
    }

    /// Returns the addresses of the pending orders, and marks these as done.
    fn take_orders(service: &BanService, state: &mut State, now: Timestamp) -> Vec<String> {
        let queue = state.get_mut(service.bans.orders);
        let letters = queue.take_due(Now::at(now), usize::MAX);
        for letter in &letters {
            queue.settle(letter.id, Outcome::Done, Now::at(now), Duration::from_secs(1));
        }
        let order = |text: &str| serde_json::from_str::<Order>(text).unwrap().ip.to_string();
        let mut addresses: Vec<String> = letters.iter().map(|letter| order(&letter.payload)).collect();
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
                let kernel =
                    if until == Timestamp::NEVER { until } else { until.min(now.plus_seconds(longest)) };
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
        service.bans.ban(&mut state, ban([10, 0, 0, 1]), Ends::NEVER, now);
        let queue = state.get_mut(service.bans.orders);
        let letters = queue.take_due(Now::at(now), 9);
        queue.settle(letters[0].id, Outcome::Retry("no set".into()), Now::at(now), Duration::from_secs(60));
        assert!(take_orders(&service, &mut state, now).is_empty(), "it waits");
        service.boot(&mut state, now);
        assert_eq!(take_orders(&service, &mut state, now), ["10.0.0.1"]);
    }

    #[test]
    fn of_too_many_bans_those_that_end_soon_are_forgotten_and_none_that_was_made_just_now() {
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
        let ever = state.get(bans.held).live(now).filter(|(_, _, ends)| *ends == Ends::NEVER).count();
        assert!(ever > 90, "{ever}");
        assert_eq!(take_orders(&service, &mut state, now).len(), 200, "the firewall hears of all");
    }

    #[test]
    fn a_ban_that_was_stored_without_a_reason_is_one() {
        let old: Ban =
            serde_json::from_str(r#"{"set": "s", "ip": "10.0.0.1", "seconds": 60, "at": 5}"#).unwrap();
        assert_eq!((old.ip, old.why), ([10, 0, 0, 1].into(), None));
        let older: Ban = serde_json::from_str(r#"{"set": "s", "ip": "10.0.0.1"}"#).unwrap();
        assert_eq!((older.at, older.why), (None, None));
    }

    #[test]
    fn a_firewall_without_such_a_bound_is_left_alone() {
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
        service.bans.ban(&mut state, ban([10, 0, 0, 1]), Ends::NEVER, now);
        service.bans.ban(&mut state, ban([10, 0, 0, 2]), ends(now, 5), now);
        take_orders(&service, &mut state, now);
        let content = br#"[{"IP": "10.0.0.1", "nfSet": "s", "timestamp": 1795000100},
            {"IP": "10.0.0.2", "nfSet": "s", "timestamp": 1795000100},
            {"IP": "10.0.0.3", "nfSet": "s", "timestamp": 1795000000},
            {"IP": "10.0.0.4", "nfSet": "s", "timestamp": 0},
            {"IP": "10.0.0.5", "nfSet": "s", "timestamp": 1795000200},
            {"IP": "10.0.0.5", "nfSet": "s", "timestamp": 1795000100}]"#;
        for _ in 0..2 {
            let what = service.import(content, &mut state, now).unwrap();
            assert_eq!(what, "5 bans (1 more had ended)");
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

    fn hour(ip: [u8; 4], at: Timestamp) -> Ban {
        Ban { seconds: 3600, at: Some(at), ..ban(ip) }
    }

    /// Returns the timeout that each order would give the firewall now, in seconds.
    fn ordered(service: &BanService, state: &State, now: Now) -> Vec<u64> {
        let orders = state.get(service.bans.orders).messages();
        let left = orders.map(|(_, message)| {
            let letter = Letter { payload: message.payload.clone(), ..Letter::default() };
            match Order::read(&letter, now.wall).unwrap().left(now.wall) {
                Left::Over => 0,
                Left::Seconds(seconds) => seconds,
                Left::Forever => u64::MAX,
            }
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
        let key = Bans::key("s", [10, 0, 0, 1].into());
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
    fn what_is_left_of_an_order_that_waits_has_nothing_to_do_with_the_wall_clock() {
        for by in [0, -3_600_000_000, 7_200_000_000, -1_794_000_000_000_000] {
            let mut state = State::in_memory().with_clock(Clock::of(|| Now::at(NOON)));
            let service = service(&mut state, None);
            // The entry was read ten minutes late.
            let at = Timestamp::from_seconds(NOON.seconds() - 600);
            service.bans.ban(&mut state, hour([10, 0, 0, 1], at), ends(at, 3600), at);
            let letter = |seconds| Letter {
                payload: state.get(service.bans.orders).get(0).unwrap().payload.clone(),
                age: Duration::from_secs(seconds),
                ..Letter::default()
            };
            let left = |seconds| {
                let wall = Timestamp(NOON.0 + by).plus_seconds(seconds);
                match Order::read(&letter(seconds), wall).unwrap().left(wall) {
                    Left::Seconds(seconds) => seconds,
                    Left::Over => 0,
                    Left::Forever => u64::MAX,
                }
            };
            assert_eq!([left(0), left(90), left(2999), left(3000)], [3000, 2910, 1, 0], "{by}");
        }
    }

    #[test]
    fn an_entry_that_comes_late_never_makes_a_ban_shorter() {
        let mut state = State::in_memory();
        let service = service(&mut state, None);
        let earlier = Timestamp::from_seconds(NOON.seconds() - 7200);
        let key = Bans::key("s", [10, 0, 0, 1].into());
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
}

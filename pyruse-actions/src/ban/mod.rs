//! Bans: what `action_nftBan` and its kin share.
//!
//! A ban is an address in a set of the firewall, until an absolute time. It is recorded in the state, so that it can be
//! put back, and queued for the courier that knows the firewall's tongue. The *parsed* address goes there, never text
//! from an entry.

mod nft;

use std::net::IpAddr;
use std::time::Duration;

use pyruse_core::address;
use pyruse_core::courier::{Courier, Deliver, Place};
use pyruse_core::effect::Effect;
use pyruse_core::entry::Slot;
use pyruse_core::plugin::{Act, Compile, Invalid, Service, StepError, excerpt};
use pyruse_core::serde::{Deserialize, Serialize};
use pyruse_core::state::{Handle, Map, Queue, State, StateError};
use pyruse_core::time::Timestamp;

/// A ban as the state holds it. Its end is the end of the state's item.
#[derive(Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Ban {
    set: String,
    ip: IpAddr,
}

/// What a courier is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "pyruse_core::serde")]
struct Order {
    set: String,
    ip: IpAddr,
    /// The end; none: for ever.
    until: Option<Timestamp>,
    /// The set may hold it already, with another end.
    renew: bool,
}

/// What is left of a ban.
enum Left {
    Over,
    /// Whole seconds, rounded up.
    Seconds(u64),
    Forever,
}

impl Order {
    fn left(&self, now: Timestamp) -> Left {
        let Some(until) = self.until else { return Left::Forever };
        let left = now.until(until);
        if left.is_zero() {
            Left::Over
        } else {
            Left::Seconds(left.as_secs() + u64::from(left.subsec_nanos() > 0))
        }
    }
}

/// The kernel counts whole seconds and began a little later than we did: for so long after the end of a ban, its
/// element may still be there.
const KERNEL_LAG: u64 = 5;

/// The state of one kind of ban.
#[derive(Clone, Copy)]
struct Bans {
    held: Handle<Map<Ban>>,
    orders: Handle<Queue>,
}

impl Bans {
    fn open(state: &mut State, action: &str) -> Result<Bans, StateError> {
        Ok(Bans {
            held: state.open(&format!("{action}/bans"))?,
            orders: state.open(&format!("{action}/orders"))?,
        })
    }

    fn key(set: &str, ip: IpAddr) -> String {
        format!("{set} {ip}")
    }

    /// Bans; was it banned already?
    fn ban(self, state: &mut State, set: &str, ip: IpAddr, until: Timestamp, now: Timestamp) -> bool {
        let key = Bans::key(set, ip);
        let held = state.get_mut(self.held);
        let renewed = held.get(&key, now).is_some();
        let renew = held.expires(&key).is_some_and(|end| now < end.plus_seconds(KERNEL_LAG));
        held.insert(&key, Ban { set: set.to_owned(), ip }, until, now);
        let order =
            Order { set: set.to_owned(), ip, until: (until != Timestamp::NEVER).then_some(until), renew };
        // A struct of texts and numbers always becomes JSON.
        let payload = serde_json::to_string(&order).unwrap_or_default();
        state.get_mut(self.orders).push(Some(&key), payload);
        renewed
    }

    /// Queues all bans that are in force, for a firewall that may have forgotten them.
    fn put_back(self, state: &mut State, now: Timestamp) {
        let orders: Vec<(String, Order)> = state
            .get(self.held)
            .live(now)
            .map(|(key, ban, end)| {
                let until = (end != Timestamp::NEVER).then_some(end);
                (key.to_owned(), Order { set: ban.set.clone(), ip: ban.ip, until, renew: false })
            })
            .collect();
        let queue = state.get_mut(self.orders);
        for (key, order) in orders {
            // What waits for delivery says the same, and is durable.
            if queue.of_key(&key).is_none() {
                queue.push_volatile(Some(&key), serde_json::to_string(&order).unwrap_or_default());
            }
        }
    }
}

/// The run step of a ban, whatever the firewall.
struct BanAction {
    action: &'static str,
    ip: Slot,
    set_v4: String,
    set_v6: String,
    seconds: u64,
    bans: Bans,
}

impl BanAction {
    fn new(
        action: &'static str,
        (ip, set_v4, set_v6): (&str, String, String),
        seconds: Option<u64>,
        cx: &mut Compile<'_>,
    ) -> Result<BanAction, Invalid> {
        let ip = cx.reads(ip);
        let bans = match Bans::open(cx.state_mut(), action) {
            Ok(bans) => bans,
            Err(e) => return Err(cx.error("", e.to_string())),
        };
        Ok(BanAction { action, ip, set_v4, set_v6, seconds: seconds.unwrap_or(0), bans })
    }

    fn act(&self, run: &mut Act<'_, '_>) -> Result<(), StepError> {
        let text = run.entry.required_text(self.ip)?;
        let Some(ip) = address::parse(text) else {
            return Err(StepError::new(format!(
                "`{}` is not an IP address: nothing is banned",
                excerpt(text)
            )));
        };
        let set = if ip.is_ipv4() { &self.set_v4 } else { &self.set_v6 };
        let now = run.entry.time();
        let until = if self.seconds == 0 { Timestamp::NEVER } else { now.plus_seconds(self.seconds) };
        let renewed = self.bans.ban(run.state, set, ip, until, now);
        run.effect(|| Effect::Ban {
            action: self.action,
            set: set.clone(),
            ip: ip.to_string(),
            seconds: self.seconds,
            renewed,
        });
        Ok(())
    }
}

/// The standing part of a ban: puts bans back, and employs the courier.
struct BanService {
    name: &'static str,
    bans: Bans,
    batch: usize,
    deliver: Option<Box<dyn Deliver>>,
}

impl Service for BanService {
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        let deliver = self.deliver.take()?;
        let courier = Courier {
            name: self.name,
            batch: self.batch,
            longest_wait: Duration::from_secs(60),
            place: Place::Thread,
            deliver,
        };
        Some((self.bans.orders, courier))
    }

    fn boot(&mut self, state: &mut State, now: Timestamp) {
        self.bans.put_back(state, now);
    }
}

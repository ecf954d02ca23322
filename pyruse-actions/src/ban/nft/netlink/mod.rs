//! Delivers bans to the kernel by netlink. A ban takes a few microseconds, where a process of nft takes milliseconds.
//!
//! A batch becomes transactions of one datagram each. What nft does is done here only for what bans need: addresses and
//! networks in sets of addresses. Networks are never merged. A set of anything else is left to nft, which supports it. If the
//! kernel refuses our messages altogether, for lack of CAP_NET_ADMIN or of nf_tables, or sends an answer that is not
//! understood, nft is run from then on, which is logged once. A refusal that is understood is reported in nft's words.

mod bounds;
mod delivery;
mod error;
mod intervals;
mod request;
mod set;
mod socket;

use std::collections::HashMap;

use pyruse_core::ban::{BatchRunner, Dialect, Order};
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::excerpt;

use self::delivery::Delivery;
use self::error::NetlinkError;
use self::socket::{Reply, Socket};

/// Whether the kernel accepts our messages.
enum Kernel {
    /// Not known yet: without bans, no socket is needed.
    NotTried,
    Connected(Socket),
    Refuses,
}

/// Delivers bans to the kernel.
pub(super) struct Netlink {
    who: &'static str,
    kernel: Kernel,
    /// The sets that are left to nft, and why; each is logged once.
    logged: HashMap<String, &'static str>,
}

impl Netlink {
    pub(super) fn new(who: &'static str) -> Netlink {
        Netlink { who, kernel: Kernel::NotTried, logged: HashMap::new() }
    }

    /// Delivers orders. `nft` delivers what the kernel does not take.
    pub(super) fn deliver(&mut self, orders: &[Order], nft: &mut BatchRunner<impl Dialect>) -> Vec<Outcome> {
        if matches!(self.kernel, Kernel::NotTried) {
            self.kernel = match begin() {
                Ok(socket) => Kernel::Connected(socket),
                Err(error) => self.refused(&error),
            };
        }
        let Kernel::Connected(socket) = &mut self.kernel else { return nft.deliver(orders) };
        let mut outcomes = vec![Outcome::Done; orders.len()];
        let mut delivery = Delivery::of(orders);
        if let Err(error) = delivery.make(socket, &mut outcomes) {
            self.kernel = self.refused(&error);
        }
        for (set, why) in &delivery.unfit {
            if self.logged.insert((*set).to_owned(), why) != Some(why) {
                tracing::info!("{}: set `{}`: {why}: using the program nft for it", self.who, excerpt(set));
            }
        }
        let left = delivery.left();
        if !left.is_empty() {
            let of_nft: Vec<Order> = left.iter().map(|at| orders[*at].clone()).collect();
            for (at, outcome) in left.into_iter().zip(nft.deliver(&of_nft)) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }

    fn refused(&self, NetlinkError(why): &NetlinkError) -> Kernel {
        tracing::warn!(
            "{}: the kernel refuses our requests ({why}): using the program nft for them",
            self.who
        );
        Kernel::Refuses
    }
}

/// Opens the socket, and checks whether the kernel supports nf_tables and permits us to use it.
fn begin() -> Result<Socket, NetlinkError> {
    let mut socket = Socket::open()?;
    let number = socket.numbers(1);
    match socket.ask(&request::generation(number))?.to(number) {
        Some(Reply::Message(..)) => Ok(socket),
        Some(Reply::Error(errno)) => Err(NetlinkError::from(*errno)),
        Some(Reply::Ack) | None => Err(NetlinkError("it does not answer".to_owned())),
    }
}

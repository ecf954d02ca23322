//! Delivers bans to the kernel by netlink. A ban takes a few microseconds, where a process of nft takes milliseconds.
//!
//! A batch becomes transactions of one datagram each. What nft does is done here only for what bans need: single
//! addresses in sets of addresses. A set of anything else, such as intervals, is left to nft, which supports it. If the
//! kernel refuses our messages altogether, for lack of CAP_NET_ADMIN or of nf_tables, or sends an answer that is not
//! understood, nft is run from then on, which is logged once. A refusal that is understood is reported in nft's words.

mod delivery;
mod request;
mod set;
mod socket;
mod trouble;

use std::collections::HashMap;

use pyruse_core::ban::{BatchRunner, Dialect, Order};
use pyruse_core::courier::Outcome;
use pyruse_core::plugin::excerpt;

use self::delivery::Delivery;
use self::socket::{Said, Socket};
use self::trouble::Trouble;

/// Whether the kernel takes our messages.
enum Kernel {
    /// Not known yet: without bans, no socket is needed.
    Unasked,
    Speaks(Socket),
    Silent,
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
        Netlink { who, kernel: Kernel::Unasked, logged: HashMap::new() }
    }

    /// Delivers orders. `nft` delivers what the kernel does not take.
    pub(super) fn deliver(&mut self, orders: &[Order], nft: &mut BatchRunner<impl Dialect>) -> Vec<Outcome> {
        if matches!(self.kernel, Kernel::Unasked) {
            self.kernel = match begin() {
                Ok(socket) => Kernel::Speaks(socket),
                Err(trouble) => self.silent(&trouble),
            };
        }
        let Kernel::Speaks(socket) = &mut self.kernel else { return nft.deliver(orders) };
        let mut outcomes = vec![Outcome::Done; orders.len()];
        let mut delivery = Delivery::of(orders);
        if let Err(trouble) = delivery.make(socket, &mut outcomes) {
            self.kernel = self.silent(&trouble);
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

    fn silent(&self, Trouble(why): &Trouble) -> Kernel {
        tracing::warn!(
            "{}: the kernel refuses our requests ({why}): using the program nft for them",
            self.who
        );
        Kernel::Silent
    }
}

/// Opens the socket, and checks whether the kernel supports nf_tables and permits us to use it.
fn begin() -> Result<Socket, Trouble> {
    let mut socket = Socket::open()?;
    let number = socket.numbers(1);
    match socket.ask(&request::generation(number))?.to(number) {
        Some(Said::Message(..)) => Ok(socket),
        Some(Said::No(errno)) => Err(Trouble::from(*errno)),
        Some(Said::Yes) | None => Err(Trouble("it does not answer".to_owned())),
    }
}

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

use pyruse_core::courier::{Deliver, Outcome};
use pyruse_core::plugin::excerpt;
use pyruse_core::state::Letter;
use pyruse_core::time::Timestamp;

use self::delivery::Delivery;
use self::socket::{Said, Socket};
use self::trouble::Trouble;
use super::batch::{self, BanCourier, Dialect};

/// Whether the kernel takes our messages.
enum Kernel {
    /// Not known yet: without bans, no socket is needed.
    Unasked,
    Speaks(Socket),
    Silent,
}

/// Delivers bans to the kernel, and to nft what the kernel does not take.
pub(super) struct NetlinkCourier<T> {
    who: &'static str,
    kernel: Kernel,
    nft: BanCourier<T>,
    /// The sets that are left to nft, and why; each is logged once.
    logged: HashMap<String, &'static str>,
}

impl<T: Dialect> Deliver for NetlinkCourier<T> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        if matches!(self.kernel, Kernel::Unasked) {
            self.kernel = match begin() {
                Ok(socket) => Kernel::Speaks(socket),
                Err(trouble) => self.silent(&trouble),
            };
        }
        let Kernel::Speaks(socket) = &mut self.kernel else { return self.nft.deliver(letters) };
        let mut outcomes = vec![Outcome::Done; letters.len()];
        let now = Timestamp::now();
        let orders = batch::orders::<T>(letters, now, &mut outcomes);
        let mut delivery = Delivery::of(orders, now);
        if let Err(trouble) = delivery.make(socket, &mut outcomes) {
            self.kernel = self.silent(&trouble);
        }
        for (set, why) in &delivery.unfit {
            if self.logged.insert(set.clone(), why) != Some(why) {
                tracing::info!("{}: set `{}`: {why}: nft is run for it", self.who, excerpt(set));
            }
        }
        let left = delivery.left();
        if !left.is_empty() {
            let of_nft: Vec<Letter> = left.iter().map(|at| letters[*at].clone()).collect();
            for (at, outcome) in left.into_iter().zip(self.nft.deliver(&of_nft)) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }
}

impl<T> NetlinkCourier<T> {
    /// `nft` delivers what the kernel does not take.
    pub(super) fn new(who: &'static str, nft: BanCourier<T>) -> NetlinkCourier<T> {
        NetlinkCourier { who, kernel: Kernel::Unasked, nft, logged: HashMap::new() }
    }

    fn silent(&self, Trouble(why): &Trouble) -> Kernel {
        tracing::warn!("{}: the kernel takes no bans from us ({why}): nft is run for them", self.who);
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

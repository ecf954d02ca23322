//! Delivers a batch of orders to the kernel.
//!
//! The sets are looked up first, once per batch: if a set changes in between, the kernel refuses the order, and adds no
//! wrong element. Then the orders are sent in transactions. One bad element fails its whole transaction, and the kernel
//! names all bad ones: so the rest succeeds at the next try, without them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use nix::errno::Errno;
use pyruse_core::ban::{Order, OrderKind};
use pyruse_core::courier::Outcome;

use super::error::{NetlinkError, text};
use super::intervals::Intervals;
use super::request::{self, Change, Transaction};
use super::set::{SetKind, SetName};
use super::socket::{Answers, Reply, Socket};
use crate::ban::nft::obstacle::Obstacle;

#[cfg(test)]
mod tests;

/// By default, a socket takes 208 KiB at once; and each transaction blocks other users of nf_tables.
const DATAGRAM: usize = 128 * 1024;

/// A set as it was found at the beginning of a batch.
enum Found {
    Set(SetName, SetKind),
    Missing,
    /// Only nft can interpret the name.
    Unknown,
}

pub(super) struct Delivery<'o> {
    /// The orders for the kernel, with their indexes.
    orders: Vec<(usize, &'o Order)>,
    sets: HashMap<&'o str, Found>,
    /// What the sets of intervals hold, as far as that matters.
    intervals: HashMap<&'o str, Intervals>,
    /// The sets of which that matters.
    to_list: BTreeSet<&'o str>,
    /// The indexes of the orders that are for nft …
    for_nft: Vec<usize>,
    /// … because of these sets, each with the reason.
    pub(super) unfit: HashMap<&'o str, &'static str>,
}

/// The sequence numbers of a transaction's messages.
struct Numbers {
    begin: u32,
    /// The number of orders, whose numbers follow that of the beginning.
    orders: u32,
}

impl<'o> Delivery<'o> {
    pub(super) fn of(orders: &'o [Order]) -> Delivery<'o> {
        let orders = orders.iter().enumerate().collect();
        Delivery {
            orders,
            sets: HashMap::new(),
            intervals: HashMap::new(),
            to_list: BTreeSet::new(),
            for_nft: Vec::new(),
            unfit: HashMap::new(),
        }
    }

    /// Sends the orders to the kernel. After error, the orders that were not sent are left.
    pub(super) fn make(&mut self, socket: &mut Socket, outcomes: &mut [Outcome]) -> Result<(), NetlinkError> {
        for (_, order) in &self.orders {
            if let Entry::Vacant(place) = self.sets.entry(&order.set) {
                place.insert(look(&order.set, socket)?);
            }
        }
        self.sort(outcomes);
        // Only what is there may be deleted.
        let deleting = self.orders.iter().filter(|(_, order)| !matches!(order.kind, OrderKind::Ban { .. }));
        self.to_list = deleting.map(|(_, order)| order.set.as_str()).collect();
        loop {
            self.list(socket, outcomes)?;
            if self.orders.is_empty() {
                return Ok(());
            }
            let (datagram, numbers) = self.transaction(socket);
            let answers = socket.ask(&datagram)?;
            self.settle(&answers, &numbers, outcomes)?;
        }
    }

    /// Asks what the sets of intervals in `to_list` hold, and drops the orders that are done already.
    fn list(&mut self, socket: &mut Socket, outcomes: &mut [Outcome]) -> Result<(), NetlinkError> {
        if self.to_list.is_empty() {
            return Ok(());
        }
        for set in std::mem::take(&mut self.to_list) {
            let Some(Found::Set(name, kind)) = self.sets.get(set) else { continue };
            if kind.has_intervals() && !self.intervals.contains_key(set) {
                self.intervals.insert(set, Intervals::list(name, socket)?);
            }
        }
        self.orders.retain(|(at, order)| {
            let Some(intervals) = self.intervals.get(order.set.as_str()) else { return true };
            let is_done = match order.kind {
                OrderKind::Ban { .. } => intervals.has(order.net),
                OrderKind::Renew { .. } => false,
                OrderKind::Lift => !intervals.has(order.net),
            };
            if is_done {
                outcomes[*at] = Outcome::Done;
            }
            !is_done
        });
        Ok(())
    }

    /// Returns the indexes of the orders that nft must deliver, in order.
    pub(super) fn left(self) -> Vec<usize> {
        let mut left = self.for_nft;
        left.extend(self.orders.iter().map(|(at, _)| at));
        left.sort_unstable();
        left
    }

    /// Keeps the orders that the kernel can take.
    fn sort(&mut self, outcomes: &mut [Outcome]) {
        for (at, order) in std::mem::take(&mut self.orders) {
            let unfit = match &self.sets[order.set.as_str()] {
                Found::Missing => {
                    outcomes[at] = refused(order, Errno::ENOENT);
                    continue;
                }
                Found::Set(_, kind) if !order.net.is_single() && !kind.has_intervals() => {
                    outcomes[at] = no_networks(order);
                    continue;
                }
                Found::Set(_, kind) => kind.unfit_for(order.net),
                Found::Unknown => Some("it is not a name that the kernel knows"),
            };
            match unfit {
                None => self.orders.push((at, order)),
                Some(why) => {
                    self.unfit.insert(&order.set, why);
                    self.for_nft.push(at);
                }
            }
        }
    }

    /// Builds a transaction of as many orders as fit, from the first on.
    fn transaction(&self, socket: &mut Socket) -> (Vec<u8>, Numbers) {
        let most = u32::try_from(self.orders.len()).unwrap_or(u32::MAX - 2);
        let begin = socket.numbers(most + 2);
        let mut transaction = Transaction::begin(begin);
        let mut number = begin;
        for (_, order) in self.orders.iter().take(most as usize) {
            // Every order in `orders` has a set that was found.
            let Some(Found::Set(name, kind)) = self.sets.get(order.set.as_str()) else { continue };
            number += 1;
            let changes = match self.intervals.get(order.set.as_str()) {
                _ if !kind.has_intervals() => changes(order),
                intervals => changes_of_interval(order, intervals),
            };
            for change in changes {
                transaction.change((name, kind.has_intervals()), order.net, change, number);
            }
            if transaction.len() >= DATAGRAM {
                break;
            }
        }
        (transaction.end(number + 1), Numbers { begin, orders: number - begin })
    }

    /// Evaluates the answers. Either all orders of the transaction are done, or the refused ones get their outcome and
    /// the others are sent again.
    fn settle(
        &mut self,
        answers: &Answers,
        numbers: &Numbers,
        outcomes: &mut [Outcome],
    ) -> Result<(), NetlinkError> {
        let sent = numbers.orders as usize;
        let mut errors: HashMap<u32, Errno> = HashMap::new();
        for answer in &answers.all {
            if let Reply::Error(errno) = answer.reply {
                // The first error of an order is its cause.
                errors.entry(answer.sequence).or_insert(errno);
            }
        }
        if let Some(errno) = errors.get(&numbers.begin) {
            if !matches!(*errno, Errno::ENOMEM | Errno::EAGAIN | Errno::EINTR) {
                return Err(NetlinkError::from(*errno));
            }
            for (at, order) in self.orders.drain(..sent) {
                outcomes[at] = refused(order, *errno);
            }
            return Ok(());
        }
        let refusals = (1..=numbers.orders).filter(|n| errors.contains_key(&(numbers.begin + n))).count();
        if refusals == 0 {
            if answers.to(numbers.begin + numbers.orders) != Some(&Reply::Ack) {
                return Err(NetlinkError("it does not answer".to_owned()));
            }
            self.orders.drain(..sent);
            return Ok(());
        }
        let mut number = numbers.begin;
        let mut error = None;
        let (sets, intervals, to_list) = (&self.sets, &mut self.intervals, &mut self.to_list);
        self.orders.retain(|(at, order)| {
            number += 1;
            let Some(errno) = errors.get(&number).filter(|_| number <= numbers.begin + numbers.orders) else {
                return true;
            };
            if order.kind == OrderKind::Lift && *errno == Errno::ENOENT {
                return false;
            }
            if let Some(Found::Set(_, kind)) = sets.get(order.set.as_str())
                && kind.has_intervals()
            {
                match (*errno, intervals.get_mut(order.set.as_str())) {
                    // Is it the same network?
                    (Errno::EEXIST, None) => {
                        to_list.insert(&order.set);
                        return true;
                    }
                    // It has expired since the set was listed.
                    (Errno::ENOENT, Some(intervals)) if intervals.has(order.net) => {
                        intervals.forget(order.net);
                        return true;
                    }
                    _ => {}
                }
            }
            if !is_understood(*errno, order, sets.get(order.set.as_str())) {
                error.get_or_insert(*errno);
                return true;
            }
            outcomes[*at] = refused(order, *errno);
            false
        });
        error.map_or(Ok(()), |errno| Err(NetlinkError::from(errno)))
    }
}

/// Asks the kernel what this set is.
fn look(set: &str, socket: &mut Socket) -> Result<Found, NetlinkError> {
    let Some(name) = SetName::parse(set) else { return Ok(Found::Unknown) };
    let number = socket.numbers(1);
    match socket.ask(&request::describe(&name, number))?.to(number) {
        Some(Reply::Message(_, message)) => match SetKind::read(message) {
            Some(kind) => Ok(Found::Set(name, kind)),
            None => Err(NetlinkError(format!("it describes set `{set}` in a way that is not understood"))),
        },
        Some(Reply::Error(Errno::ENOENT)) => Ok(Found::Missing),
        // This kernel does not support the family.
        Some(Reply::Error(Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP)) => Ok(Found::Unknown),
        Some(Reply::Error(errno)) => Err(NetlinkError::from(*errno)),
        Some(Reply::Ack) | None => Err(NetlinkError("it does not answer".to_owned())),
    }
}

/// Returns the same changes as the nft command, except that deleting a missing element is allowed: the kernel's error
/// is the answer.
fn changes(order: &Order) -> Vec<Change> {
    let add = |timeout: Option<u64>| Change::Add(timeout.map(|seconds| seconds.saturating_mul(1000)));
    match order.kind {
        OrderKind::Ban { timeout } => vec![add(timeout)],
        // In one transaction, no observer sees an intermediate state. The first change is there so that the second
        // cannot fail.
        OrderKind::Renew { timeout } => vec![add(None), Change::Delete, add(timeout)],
        OrderKind::Lift => vec![Change::Delete],
    }
}

/// Returns the changes in a set of intervals, of which it may be known what it holds. Nothing is added that is there
/// already, and only what is there is deleted.
fn changes_of_interval(order: &Order, intervals: Option<&Intervals>) -> Vec<Change> {
    let add = |timeout: Option<u64>| Change::AddNew(timeout.map(|seconds| seconds.saturating_mul(1000)));
    match order.kind {
        OrderKind::Renew { timeout } if intervals.is_some_and(|intervals| intervals.has(order.net)) => {
            vec![Change::Delete, add(timeout)]
        }
        OrderKind::Ban { timeout } | OrderKind::Renew { timeout } => vec![add(timeout)],
        OrderKind::Lift => vec![Change::Delete],
    }
}

/// Whether nft would be refused too, for a reason that may pass.
fn is_understood(errno: Errno, order: &Order, set: Option<&Found>) -> bool {
    match errno {
        // The set was removed since it was looked up, or is full; the kernel has no memory, or is busy; the timeout is
        // longer than the kernel can count.
        Errno::ENOENT
        | Errno::ENFILE
        | Errno::ENOSPC
        | Errno::ENOMEM
        | Errno::EBUSY
        | Errno::EAGAIN
        | Errno::EINTR
        | Errno::EEXIST
        | Errno::ENOTEMPTY
        | Errno::ERANGE => true,
        // A timeout for a set without timeouts.
        Errno::EINVAL => {
            let timeout = match order.kind {
                OrderKind::Ban { timeout } | OrderKind::Renew { timeout } => timeout,
                OrderKind::Lift => None,
            };
            timeout.is_some() && matches!(set, Some(Found::Set(_, kind)) if !kind.has_timeouts())
        }
        _ => false,
    }
}

/// Returns the outcome of a network for a set of single addresses. There is nothing to remove from such a set.
fn no_networks(order: &Order) -> Outcome {
    if order.kind == OrderKind::Lift {
        return Outcome::Done;
    }
    let remedy = Obstacle::NoNetworks.remedy(&order.set, order.net);
    Outcome::Retry(format!("set `{}`: {remedy}", order.set))
}

fn refused(order: &Order, errno: Errno) -> Outcome {
    let obstacle = match errno {
        Errno::ENOENT => Some(Obstacle::Missing),
        Errno::ENFILE => Some(Obstacle::Full),
        Errno::EINVAL => Some(Obstacle::NoTimeouts),
        Errno::EEXIST | Errno::ENOTEMPTY => Some(Obstacle::Overlap),
        _ => None,
    };
    let remedy = |obstacle: Obstacle| format!("; {}", obstacle.remedy(&order.set, order.net));
    let remedy = obstacle.map(remedy).unwrap_or_default();
    Outcome::Retry(format!("set `{}`: {}{remedy}", order.set, text(errno)))
}

//! Couriers: they deliver messages to the outside world, outside the reading loop.
//!
//! A service has one courier for its queue. [`Couriers`] hands it batches, one at a time, and records the outcome of
//! each message in the queue. A courier with a thread may wait as long as it must; an inline courier runs in the loop
//! right after a commit and must never wait.

mod couriers;
mod failures;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::couriers::Couriers;
use crate::state::Letter;
pub use crate::state::Outcome;

/// Delivers messages.
pub trait Deliver: Send {
    /// Delivers a batch; returns one outcome for each letter, in the same order.
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome>;
}

/// Where a courier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// On its own thread; it may wait.
    Thread,
    /// In the loop, after a commit; it must not wait.
    Inline,
}

/// A courier and its settings.
#[non_exhaustive]
pub struct Courier {
    /// Its name, for messages to people.
    pub name: &'static str,
    /// The largest batch it gets; 100 by default.
    pub batch: usize,
    /// The longest wait between two tries. The wait doubles, from one second up to this; the default is one minute.
    pub longest_wait: Duration,
    /// Where it runs; on its own thread by default.
    pub place: Place,
    /// Whether it runs before the others and does not wait for the disk. This is for messages that protect, and whose
    /// effect a power cut undoes anyway. The default is no.
    pub ahead: bool,
    /// The code that delivers.
    pub deliver: Box<dyn Deliver>,
}

impl Courier {
    /// Makes a courier on a thread, with default settings.
    pub fn new(name: &'static str, deliver: impl Deliver + 'static) -> Courier {
        let longest_wait = Duration::from_secs(60);
        let place = Place::Thread;
        Courier { name, batch: 100, longest_wait, place, ahead: false, deliver: Box::new(deliver) }
    }

    /// Sets the largest batch.
    #[must_use]
    pub fn batch(self, batch: usize) -> Courier {
        Courier { batch, ..self }
    }

    /// Sets the longest wait between two tries.
    #[must_use]
    pub fn longest_wait(self, longest_wait: Duration) -> Courier {
        Courier { longest_wait, ..self }
    }

    /// Runs it before the others, and before its messages are safely on the disk.
    #[must_use]
    pub fn ahead(self) -> Courier {
        Courier { ahead: true, ..self }
    }

    /// Runs it in the loop: it must not wait.
    #[must_use]
    pub fn inline(self) -> Courier {
        Courier { place: Place::Inline, ..self }
    }
}

/// For callers that already have it in a box.
impl<D: Deliver + ?Sized> Deliver for Box<D> {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        (**self).deliver(letters)
    }
}

//! Couriers: they deliver messages to the outside world, outside the reading loop.
//!
//! A service has one courier for its queue. The [pump](crate::pump) hands it batches, one at a time, and records the
//! outcome of each message in the queue. A courier with a thread may wait as long as it must; an inline courier runs in
//! the loop right after a commit and must never wait.

mod couriers;
mod failures;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::couriers::Couriers;
use crate::state::DueMessage;
pub use crate::state::Outcome;

/// Delivers messages.
pub trait Deliver: Send {
    /// Delivers a batch; returns one outcome for each message, in the same order.
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome>;
}

/// A courier and its settings.
pub struct Courier {
    pub(crate) name: &'static str,
    batch: usize,
    longest_wait: Duration,
    is_inline: bool,
    is_ahead: bool,
    is_in_order: bool,
    deliver: Box<dyn Deliver>,
}

impl Courier {
    /// Makes a courier that runs on its own thread and may wait. `name` is for messages to people.
    pub fn new(name: &'static str, deliver: impl Deliver + 'static) -> Courier {
        Courier {
            name,
            batch: 100,
            longest_wait: Duration::from_secs(60),
            is_inline: false,
            is_ahead: false,
            is_in_order: false,
            deliver: Box::new(deliver),
        }
    }

    /// Sets the largest number of messages that it gets together; 100 by default.
    #[must_use]
    pub fn batch(self, batch: usize) -> Courier {
        Courier { batch, ..self }
    }

    /// Sets the longest wait between two tries. The wait doubles, from one second up to this; the default is one minute.
    #[must_use]
    pub fn longest_wait(self, longest_wait: Duration) -> Courier {
        Courier { longest_wait, ..self }
    }

    /// Runs it before the others, and before its messages are safely on the disk. This is for messages that protect, and
    /// whose effect a power cut undoes anyway.
    #[must_use]
    pub fn ahead(self) -> Courier {
        Courier { is_ahead: true, ..self }
    }

    /// Has it deliver in the order in which messages were queued: while one waits for its next try, all younger ones wait,
    /// too. Without this, a message that failed is overtaken.
    #[must_use]
    pub fn in_order(self) -> Courier {
        Courier { is_in_order: true, ..self }
    }

    /// Runs it in the loop, after a commit: it must not wait.
    #[must_use]
    pub fn inline(self) -> Courier {
        Courier { is_inline: true, ..self }
    }
}

/// For callers that already have it in a box.
impl<D: Deliver + ?Sized> Deliver for Box<D> {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        (**self).deliver(messages)
    }
}

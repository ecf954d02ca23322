//! Deliveries without a pump: for a program that queues something and ends.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::courier::Couriers;
use crate::services::Services;
use crate::state::{State, StateError};

/// How often to check for a courier that has replied without waking us.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The reason why deliveries were broken off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The outcomes could not be stored.
    #[error(transparent)]
    State(#[from] StateError),
    /// The thread of a courier could not be started.
    #[error("starting couriers: {0}")]
    Courier(#[from] std::io::Error),
}

impl Services {
    /// Delivers the messages of these services, and commits the outcomes; tries again for up to `timeout`. Returns how
    /// many deliveries have not succeeded by then: they stay queued. Call it once, and not beside a
    /// [`Pump`](crate::pump::Pump), which delivers by itself.
    pub fn deliver(&mut self, state: &mut State, timeout: Duration) -> Result<usize, DeliverError> {
        let (sender, woken) = channel();
        let mut couriers = Couriers::new(Arc::new(move || {
            let _ = sender.send(());
        }));
        let queues = self.start_couriers(&mut couriers)?;
        let end = Instant::now() + timeout;
        loop {
            let now = state.tick();
            couriers.collect(state, now);
            state.commit()?;
            let left = end.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                couriers.dispatch(state, now);
            }
            let deadline = couriers.deadline(state);
            // A deadline may be that of a line for the log: nobody waits for that.
            let open =
                couriers.is_busy() || queues.iter().any(|queue| state.get(*queue).next_due().is_some());
            if !open || (left.is_zero() && !couriers.is_busy()) {
                couriers.stop(state, Duration::ZERO);
                state.commit()?;
                return Ok(queues.iter().map(|queue| state.get(*queue).pending()).sum());
            }
            let until_due =
                deadline.filter(|_| !couriers.is_busy()).map_or(left, |due| now.steady.until(due));
            // After the timeout, a courier that still works is waited for, and wakes us.
            let wait = if left.is_zero() {
                POLL_INTERVAL
            } else {
                until_due.min(left).max(Duration::from_millis(1))
            };
            let _ = woken.recv_timeout(wait);
        }
    }
}

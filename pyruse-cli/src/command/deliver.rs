//! Couriers for commands that are no daemon: what is queued is delivered, or tried for a while.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use pyruse_core::courier::Couriers;
use pyruse_core::engine::Services;
use pyruse_core::state::State;

/// How often to look whether a courier is back that has not said so.
const RETURN: Duration = Duration::from_secs(1);

/// Delivers what is queued for these services; returns how many deliveries have not gone when `patience` is over. They
/// stay queued if they are durable.
pub(super) fn deliver(
    services: &mut Services,
    state: &mut State,
    patience: Duration,
) -> anyhow::Result<usize> {
    let (sender, woken) = channel();
    let mut couriers = Couriers::new(Arc::new(move || {
        let _ = sender.send(());
    }));
    let queues = services.employ(&mut couriers)?;
    let end = Instant::now() + patience;
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
        let open = couriers.is_busy() || queues.iter().any(|queue| state.get(*queue).next_due().is_some());
        if !open || (left.is_zero() && !couriers.is_busy()) {
            couriers.stop(state, Duration::ZERO);
            state.commit()?;
            return Ok(queues.iter().map(|queue| state.get(*queue).pending()).sum());
        }
        let until_due = deadline.filter(|_| !couriers.is_busy()).map_or(left, |due| now.steady.until(due));
        // When patience is over, a courier on its way is waited for, and wakes us.
        let wait = if left.is_zero() { RETURN } else { until_due.min(left).max(Duration::from_millis(1)) };
        let _ = woken.recv_timeout(wait);
    }
}

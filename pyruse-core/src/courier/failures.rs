//! The log of failed deliveries.

use crate::throttle::Throttle;
use crate::time::{Now, Steady};

/// At most this many different failures of one courier are logged per window; the rest are only counted. If a set is
/// missing from the firewall, every ban fails: this must not fill the log.
const LOGGED: u32 = 5;

/// The kind of a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Failure {
    Retry,
    Blocked,
    GiveUp,
}

/// The log of one courier's failures: each text is logged once per window, at most [`LOGGED`] texts; at the end of the
/// window, the number of unlogged failures is logged.
pub(super) struct Failures {
    name: &'static str,
    /// Counts retries and given-up messages separately.
    pub(super) throttle: Throttle<(Failure, String), IsGivenUp>,
}

pub(super) type IsGivenUp = bool;

impl Failures {
    pub(super) fn new(name: &'static str) -> Failures {
        Failures { name, throttle: Throttle::new(1, LOGGED) }
    }

    pub(super) fn log(&mut self, kind: Failure, error: &str, count: usize) {
        self.flush_when_over();
        if !self.throttle.admits((kind, error.to_owned()), kind == Failure::GiveUp, count as u64) {
            return;
        }
        let name = self.name;
        let what = if count == 1 { "a delivery".to_owned() } else { format!("{count} deliveries") };
        match kind {
            Failure::Retry => tracing::warn!("{name}: {what} failed and will be retried: {error}"),
            Failure::Blocked => {
                tracing::error!("{name}: {what} failed because of a setting; change it and reload: {error}");
            }
            Failure::GiveUp => {
                let is = if count == 1 { "is" } else { "are" };
                tracing::error!("{name}: {what} {is} given up: {error}");
            }
        }
    }

    /// Returns when the number of unlogged failures is due.
    pub(super) fn due(&self) -> Option<Steady> {
        self.throttle.left().map(|left| Now::read().steady.plus(left))
    }

    pub(super) fn flush_when_over(&mut self) {
        self.throttle.flush_if_over(|is_given_up, more, _| log_more(self.name, is_given_up, more));
    }

    /// Logs the number of unlogged failures, and begins a new window.
    pub(super) fn flush(&mut self) {
        self.throttle.flush(|is_given_up, more, _| log_more(self.name, is_given_up, more));
    }
}

fn log_more(name: &str, is_given_up: IsGivenUp, more: u64) {
    if is_given_up {
        tracing::error!("{name}: {more} more deliveries are given up: see `pyruse outbox list`");
    } else {
        tracing::warn!("{name}: {more} more deliveries failed and will be retried");
    }
}

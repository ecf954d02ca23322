//! Notifies systemd: ready, reloading, stopping, status, watchdog.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The connection to systemd, if it started this process.
pub(crate) struct ServiceManager {
    watchdog: Option<Duration>,
    next_watchdog: Instant,
}

impl ServiceManager {
    pub(crate) fn new() -> ServiceManager {
        // Twice as often as required, as sd_watchdog_enabled(3) recommends.
        let watchdog = sd_notify::watchdog_enabled().map(|period| period / 2);
        ServiceManager { watchdog, next_watchdog: Instant::now() }
    }

    fn notify(states: &[NotifyState<'_>]) {
        // Without systemd there is no receiver, which is no error.
        if let Err(e) = sd_notify::notify(states) {
            tracing::debug!("notifying systemd: {e}");
        }
    }

    pub(crate) fn ready(status: &str) {
        ServiceManager::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub(crate) fn status(status: &str) {
        ServiceManager::notify(&[NotifyState::Status(status)]);
    }

    pub(crate) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => ServiceManager::notify(&[NotifyState::Reloading, now]),
            Err(_) => ServiceManager::notify(&[NotifyState::Reloading]),
        }
    }

    pub(crate) fn stopping() {
        ServiceManager::notify(&[NotifyState::Stopping]);
    }

    /// Notifies the watchdog if that is due; returns how long until it is due next.
    pub(crate) fn notify_watchdog(&mut self) -> Option<Duration> {
        let period = self.watchdog?;
        let now = Instant::now();
        if now >= self.next_watchdog {
            ServiceManager::notify(&[NotifyState::Watchdog]);
            self.next_watchdog = now + period;
        }
        Some(self.next_watchdog.saturating_duration_since(now))
    }
}

//! Notifies systemd: ready, reloading, stopping, status, and that we are alive.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// systemd, if it started us.
pub(crate) struct ServiceManager {
    watchdog: Option<Duration>,
    next_sign: Instant,
}

impl ServiceManager {
    pub(crate) fn new() -> ServiceManager {
        // Twice as often as asked, as sd_watchdog_enabled(3) advises.
        let watchdog = sd_notify::watchdog_enabled().map(|period| period / 2);
        ServiceManager { watchdog, next_sign: Instant::now() }
    }

    fn tell(states: &[NotifyState<'_>]) {
        // Nobody listens where systemd did not start us.
        if let Err(e) = sd_notify::notify(states) {
            tracing::debug!("notifying systemd: {e}");
        }
    }

    pub(crate) fn ready(status: &str) {
        ServiceManager::tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub(crate) fn status(status: &str) {
        ServiceManager::tell(&[NotifyState::Status(status)]);
    }

    pub(crate) fn reloading() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => ServiceManager::tell(&[NotifyState::Reloading, now]),
            Err(_) => ServiceManager::tell(&[NotifyState::Reloading]),
        }
    }

    pub(crate) fn stopping() {
        ServiceManager::tell(&[NotifyState::Stopping]);
    }

    /// Gives a sign of life if one is due; when the next one is.
    pub(crate) fn sign_of_life(&mut self) -> Option<Duration> {
        let period = self.watchdog?;
        let now = Instant::now();
        if now >= self.next_sign {
            ServiceManager::tell(&[NotifyState::Watchdog]);
            self.next_sign = now + period;
        }
        Some(self.next_sign.saturating_duration_since(now))
    }
}

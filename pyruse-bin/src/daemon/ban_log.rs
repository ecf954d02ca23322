//! Logs a line for each ban that a rule makes: the address, the set, the end, and the reason.
//!
//! The lines are diagnostics, so entries that are read from them have no consequences. An attack from ten thousand
//! addresses must not flood the log: after [`LOGGED`] lines per window, bans are only counted, and one line reports how
//! many.

use std::time::Duration;

use pyruse_core::effect::Effect;
use pyruse_core::text::printable;
use pyruse_core::throttle::Throttle;
use pyruse_core::time::Timestamp;

/// At most this many bans are logged per window.
const LOGGED: u32 = 20;

/// The log of bans; see the module documentation.
pub(crate) struct BanLog(Throttle<(), ()>);

impl Default for BanLog {
    fn default() -> BanLog {
        BanLog(Throttle::new(LOGGED, LOGGED))
    }
}

impl BanLog {
    /// Logs the effect of an entry of this time, if it is a ban.
    pub(crate) fn note(&mut self, effect: &Effect, at: Timestamp) {
        let Effect::Ban { set, ip, seconds, renewed, reason, .. } = effect else { return };
        let until = (*seconds > 0).then(|| at.plus_seconds(*seconds));
        // In a backlog, a ban may have expired already.
        if until.is_some_and(|until| until <= Timestamp::now()) {
            return;
        }
        self.flush_if_over();
        if self.0.admits((), (), 1) {
            let what = if *renewed { "banned again" } else { "banned" };
            let until =
                until.map_or_else(|| "for ever".to_owned(), |until| format!("until {}", until.local()));
            tracing::info!("{what} {ip} in `{set}` {until}: {}", printable(&reason.to_string()));
        }
    }

    /// Returns how long to wait until the number of unlogged bans is due; `None` if all are logged.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.left()
    }

    /// Logs the number of unlogged bans, if their window has ended.
    pub(crate) fn flush_if_over(&mut self) {
        self.0.flush_if_over(log_more);
    }

    /// Logs the number of unlogged bans now.
    pub(crate) fn flush(&mut self) {
        self.0.flush(log_more);
    }
}

fn log_more((): (), more: u64, window: Duration) {
    let seconds = window.as_secs().max(1);
    tracing::info!("{more} more bans within {seconds} s; `pyruse bans list` shows all that are in force");
}

#[cfg(test)]
mod tests {
    use pyruse_core::operation::BanReason;

    use super::*;

    fn ban(seconds: u64) -> Effect {
        let reason = BanReason::Operator;
        Effect::Ban { action: "a", set: "s".into(), ip: "192.0.2.1".into(), seconds, renewed: false, reason }
    }

    #[test]
    fn bans_beyond_the_limit_are_counted_and_expired_bans_are_not() {
        let (mut log, now) = (BanLog::default(), Timestamp::now());
        log.note(&ban(60), Timestamp::from_seconds(1_000_000));
        assert_eq!(log.left(), None);
        for _ in 0..LOGGED {
            log.note(&ban(60), now);
        }
        assert_eq!(log.left(), None, "all are logged");
        log.note(&ban(0), Timestamp::from_seconds(1_000_000));
        assert!(log.left().is_some());
        log.flush_if_over();
        assert_eq!(log.0.unlogged(&()), 1);
        log.flush();
        assert_eq!((log.0.unlogged(&()), log.left()), (0, None));
    }
}

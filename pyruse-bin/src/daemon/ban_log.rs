//! A line in the log for each ban that a rule makes: who, where, until when, and why.
//!
//! The lines are diagnostics, so our own reader never lets them have consequences. An attack from ten thousand addresses
//! must not flood the log: after so many lines, the rest is only counted, and told in one.

use std::time::Duration;

use pyruse_core::effect::Effect;
use pyruse_core::text::printable;
use pyruse_core::throttle::Throttle;
use pyruse_core::time::Timestamp;

/// At most this many bans are logged per window.
const LOGGED: u32 = 20;

/// See the module.
pub(crate) struct BanLog(Throttle<(), ()>);

impl Default for BanLog {
    fn default() -> BanLog {
        BanLog(Throttle::new(LOGGED, LOGGED))
    }
}

impl BanLog {
    /// An entry of that time has that effect.
    pub(crate) fn note(&mut self, effect: &Effect, at: Timestamp) {
        let Effect::Ban { set, ip, seconds, renewed, reason, .. } = effect else { return };
        let until = (*seconds > 0).then(|| at.plus_seconds(*seconds));
        // Catching up, one that is over bans nobody.
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

    /// How long until the number of bans that were not logged is due; none if all are logged.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.left()
    }

    /// Logs how many were not logged, if their window is over.
    pub(crate) fn flush_if_over(&mut self) {
        self.0.flush_if_over(log_more);
    }

    /// The same, now.
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
    use pyruse_core::operation::Reason;

    use super::*;

    fn ban(seconds: u64) -> Effect {
        let reason = Reason::Operator;
        Effect::Ban { action: "a", set: "s".into(), ip: "192.0.2.1".into(), seconds, renewed: false, reason }
    }

    #[test]
    fn many_bans_are_counted_and_those_that_are_over_are_not() {
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

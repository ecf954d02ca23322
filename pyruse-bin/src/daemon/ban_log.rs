//! A line in the log for each ban that a rule makes: who, where, until when, and why.
//!
//! The lines are diagnostics, so our own reader never lets them have consequences. An attack from ten thousand addresses
//! must not flood the log: after so many lines, the rest is only counted, and told in one.

use std::time::{Duration, Instant};

use pyruse_core::effect::Effect;
use pyruse_core::time::Timestamp;

use crate::command::printable;

/// At most so many bans are logged within [`WINDOW`].
const LOGGED: u64 = 20;

const WINDOW: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Default)]
pub(crate) struct BanLog {
    /// When the first ban of these was made.
    since: Option<Instant>,
    made: u64,
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
        self.since.get_or_insert_with(Instant::now);
        self.made += 1;
        if self.made <= LOGGED {
            let what = if *renewed { "banned again" } else { "banned" };
            let until =
                until.map_or_else(|| "for ever".to_owned(), |until| format!("until {}", until.local()));
            tracing::info!("{what} {ip} in `{set}` {until}: {}", printable(&reason.to_string()));
        }
    }

    /// For how long bans are counted yet before their number is logged; none: all are logged.
    pub(crate) fn left(&self) -> Option<Duration> {
        let since = self.since.filter(|_| self.made > LOGGED)?;
        Some(WINDOW.saturating_sub(since.elapsed()))
    }

    /// Logs how many were not logged when their time is over.
    pub(crate) fn flush_if_over(&mut self) {
        if self.since.is_some_and(|since| since.elapsed() >= WINDOW) {
            self.flush();
        }
    }

    /// The same, now.
    pub(crate) fn flush(&mut self) {
        let more = self.made.saturating_sub(LOGGED);
        if let Some(since) = self.since.take()
            && more > 0
        {
            let seconds = since.elapsed().as_secs().max(1);
            tracing::info!(
                "{more} more bans within {seconds} s; `pyruse bans list` shows all that are in force"
            );
        }
        self.made = 0;
    }
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
        assert_eq!((log.made, log.left()), (0, None));
        for _ in 0..LOGGED {
            log.note(&ban(60), now);
        }
        assert_eq!((log.made, log.left()), (LOGGED, None), "nothing is held back");
        log.note(&ban(0), Timestamp::from_seconds(1_000_000));
        assert!(log.left().is_some_and(|left| left <= WINDOW));
        log.flush_if_over();
        assert_eq!(log.made, LOGGED + 1);
        log.flush();
        assert_eq!((log.made, log.left()), (0, None));
    }
}

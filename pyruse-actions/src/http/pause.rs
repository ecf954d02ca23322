//! How long a server that cannot be reached is left alone: longer each time. All that waits for it waits together.

use std::time::{Duration, Instant};

/// The pause of a server.
pub(crate) struct Pause {
    longest: Duration,
    /// Until when it lasts, and why.
    until: Option<(Instant, String)>,
    /// The last one.
    last: Duration,
}

impl Pause {
    /// No pause lasts longer than `longest`, unless the server asks for it.
    pub(crate) fn of_at_most(longest: Duration) -> Pause {
        Pause { longest, until: None, last: Duration::ZERO }
    }

    /// Begins a pause that is longer than the last one. Returns its length.
    pub(crate) fn begin(&mut self, now: Instant, why: &str) -> Duration {
        self.last = (2 * self.last).clamp(Duration::from_secs(1), self.longest);
        self.begin_for(now, self.last, why)
    }

    /// Begins a pause of this length.
    pub(crate) fn begin_for(&mut self, now: Instant, wait: Duration, why: &str) -> Duration {
        self.until = Some((now + wait, why.to_owned()));
        wait
    }

    /// Returns why and for how long nothing may be sent.
    pub(crate) fn left(&self, now: Instant) -> Option<(String, Duration)> {
        let (until, why) = self.until.as_ref()?;
        (now < *until).then(|| (why.clone(), *until - now))
    }

    /// The server has answered.
    pub(crate) fn end(&mut self) {
        (self.last, self.until) = (Duration::ZERO, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_down_for_a_day_is_tried_less_and_less_often() {
        let start = Instant::now();
        let (mut pause, mut now, mut attempts) = (Pause::of_at_most(Duration::from_secs(300)), start, 0);
        while now.duration_since(start) < Duration::from_secs(86_400) {
            assert!(pause.left(now).is_none());
            attempts += 1;
            now += pause.begin(now, "down");
            assert!(pause.left(now.checked_sub(Duration::from_millis(1)).unwrap()).is_some());
        }
        // 1, 2, 4 … 256 s, and then every 300 s.
        assert_eq!(attempts, 9 + (86_400 - 511) / 300 + 1);
    }
}

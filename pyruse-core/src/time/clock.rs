//! The two clocks of a machine, and how each step of the wall clock is detected.
//!
//! The *wall clock* says what time it is. It may be wrong, and it steps when somebody corrects it. The *steady clock*
//! only counts, from the start of the machine, and never steps. While both run alike, their difference stays the same
//! (a slow correction by NTP changes both): so a change of the difference is a step of the wall clock.

use std::fmt;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Timestamp;

/// A smaller change of the difference, in microseconds, is not a step: it may come from reading the clocks one after
/// the other.
const TOLERANCE: i64 = 1_000_000;

/// If more microseconds than this pass between the readings of the two clocks, they are read again.
const APART: i64 = 100_000;

/// A reading of the steady clock (`CLOCK_BOOTTIME`), in microseconds. It also counts while the machine is suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Steady(i64);

impl Steady {
    /// Earlier than every reading: what is due then is due at once.
    pub const START: Steady = Steady(i64::MIN);

    fn read() -> Steady {
        Steady(micros(ClockId::CLOCK_BOOTTIME))
    }

    /// Returns the reading this much later, saturating.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Steady {
        Steady(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns the reading this much earlier, saturating.
    #[must_use]
    pub(crate) fn minus(self, duration: Duration) -> Steady {
        Steady(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns the time from `self` until `later`; zero if `later` is earlier.
    pub fn until(self, later: Steady) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// Returns the last moment, no later than `self`, that is a multiple of `step`.
    #[must_use]
    pub(crate) fn rounded_down(self, step: Duration) -> Steady {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        Steady(self.0.saturating_sub(self.0.rem_euclid(step)))
    }
}

/// One reading of both clocks. Read it once in each round of your loop, and use it for everything in that round: two
/// readings may not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The time of day, for ends that are shown to people, and for calendars.
    pub wall: Timestamp,
    /// For waiting.
    pub steady: Steady,
}

impl Now {
    /// Reads the clocks.
    pub fn read() -> Now {
        let mut tries = 0;
        loop {
            let (before, wall, steady) = (Steady::read(), Timestamp::now(), Steady::read());
            tries += 1;
            if steady.0 - before.0 < APART || tries == 3 {
                return Now { wall, steady };
            }
        }
    }

    /// Makes a reading for tests and for code without a clock: both clocks show the same number.
    pub const fn at(wall: Timestamp) -> Now {
        Now { wall, steady: Steady(wall.0) }
    }

    /// Returns the reading this much later, if nobody sets the wall clock.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Now {
        Now { wall: self.wall.plus(duration), steady: self.steady.plus(duration) }
    }

    /// Returns what the wall clock, as it is set now, showed or will show at this reading of the steady clock.
    pub fn wall_at(self, steady: Steady) -> Timestamp {
        Timestamp(self.wall.0.saturating_add(steady.0.saturating_sub(self.steady.0)))
    }

    /// Returns how far the wall clock is ahead of the steady one.
    fn difference(self) -> i64 {
        self.wall.0.saturating_sub(self.steady.0)
    }
}

/// The reason why stored times are checked: they were loaded, or a step of the wall clock was detected.
#[derive(Clone, Copy, Debug)]
pub struct ClockStep {
    /// The clocks, after the step.
    pub now: Now,
    /// By how many microseconds the wall clock went forward; 0: there was no step; the times were loaded.
    pub by: i64,
}

impl ClockStep {
    /// Makes the value for times that were loaded.
    pub fn loaded(now: Now) -> ClockStep {
        ClockStep { now, by: 0 }
    }

    /// Returns `true` if times were loaded; then it is not known which clock they came from.
    pub fn is_load(self) -> bool {
        self.by == 0
    }

    /// Returns what the wall clock would show without the step.
    pub fn before(self) -> Timestamp {
        Timestamp(self.now.wall.0.saturating_sub(self.by))
    }

    /// Returns `true` if this step sets the clock of a machine that started without the time.
    pub(super) fn sets_the_clock(self) -> bool {
        self.now.wall.is_plausible() && !self.before().is_plausible()
    }
}

/// Text for people: `the clock was set back by 1h 0m 3s`.
impl fmt::Display for ClockStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.by < 0 { "back" } else { "forward" };
        let seconds = self.by.unsigned_abs() / 1_000_000;
        write!(f, "the clock was set {direction} by ")?;
        match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
            (0, 0, 0, s) => write!(f, "{s}s"),
            (0, 0, m, s) => write!(f, "{m}m {s}s"),
            (0, h, m, s) => write!(f, "{h}h {m}m {s}s"),
            (d, h, m, _) => write!(f, "{d}d {h}h {m}m"),
        }
    }
}

/// Both clocks, with their last readings.
pub struct Clock {
    read: Box<dyn Fn() -> Now + Send>,
    now: Now,
    difference: i64,
    /// No entry before this time is from the future.
    reached: Timestamp,
}

impl Clock {
    /// Returns the clocks of this machine.
    pub fn system() -> Clock {
        Clock::of(Now::read)
    }

    /// Makes clocks that this function reads.
    pub fn of(read: impl Fn() -> Now + Send + 'static) -> Clock {
        let now = read();
        Clock { read: Box::new(read), now, difference: now.difference(), reached: now.wall }
    }

    /// Returns the last reading.
    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// Reads the clocks; returns the step if the wall clock has stepped since the last one was detected.
    pub(crate) fn tick(&mut self) -> Option<ClockStep> {
        self.now = (self.read)();
        self.reached = self.now.wall;
        // Compared with the difference at the last step, so that many small steps are detected in the end.
        let by = self.now.difference().saturating_sub(self.difference);
        if by.abs() < TOLERANCE {
            return None;
        }
        self.difference = self.now.difference();
        Some(ClockStep { now: self.now, by })
    }

    /// Returns the time of an entry, as far as it is believed: nothing has happened in the future. A clock that is not
    /// set yet is believed less than an entry.
    #[inline]
    pub(crate) fn believed(&mut self, time: Timestamp) -> Timestamp {
        if time <= self.reached { time } else { self.believed_now(time) }
    }

    #[cold]
    fn believed_now(&mut self, time: Timestamp) -> Timestamp {
        // The entry may have been written since the round began.
        self.reached = (self.read)().wall;
        if self.reached.can_judge(time) { time.min(self.reached) } else { time }
    }
}

fn micros(clock: ClockId) -> i64 {
    // Every Linux that can run this program has these clocks.
    let Ok(time) = clock_gettime(clock) else { return 0 };
    time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_nsec() / 1000)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn a_step_of_the_wall_clock_is_detected_and_passing_time_is_not_taken_for_one() {
        let start = Now::at(Timestamp::from_seconds(1_795_000_000));
        let shown = Arc::new(Mutex::new(start));
        let mut clock = {
            let shown = shown.clone();
            Clock::of(move || *shown.lock().unwrap())
        };
        let mut tick = |seconds: u64, step: i64| {
            let mut now = shown.lock().unwrap();
            *now = now.plus(Duration::from_secs(seconds));
            now.wall.0 += step;
            drop(now);
            clock.tick().map(|step| (step.by, step.to_string()))
        };
        assert_eq!(tick(100_000, 0), None);
        let step = |by: i64, text: &str| Some((by, text.to_owned()));
        assert_eq!(tick(5, -HOUR), step(-HOUR, "the clock was set back by 1h 0m 0s"));
        assert_eq!(tick(5, 0), None);
        assert_eq!(tick(0, 3_000_000), step(3_000_000, "the clock was set forward by 3s"));
        assert_eq!(tick(0, 40 * 24 * HOUR), step(40 * 24 * HOUR, "the clock was set forward by 40d 0h 0m"));
        let small: Vec<_> = (0..4).map(|_| tick(1, -400_000).is_some()).collect();
        assert_eq!(small, [false, false, true, false], "small steps add up");
    }

    #[test]
    fn an_entry_from_the_future_gets_the_current_time_unless_the_clock_is_not_set() {
        let now = Timestamp::from_seconds(1_795_000_000);
        let mut clock = Clock::of(move || Now::at(now));
        for (time, believed) in
            [(now.0 - HOUR, now.0 - HOUR), (now.0, now.0), (now.0 + 1, now.0), (i64::MAX, now.0)]
        {
            assert_eq!(clock.believed(Timestamp(time)), Timestamp(believed));
        }
        let mut unset = Clock::of(|| Now::at(Timestamp(5)));
        assert_eq!(unset.believed(now), now);
        assert_eq!(unset.believed(Timestamp(HOUR)), Timestamp(5));
    }

    #[test]
    fn the_clocks_of_this_machine_advance() {
        let (first, second) = (Now::read(), Now::read());
        assert!(first.steady <= second.steady && first.steady > Steady::START);
        assert!(first.wall.is_plausible());
    }
}

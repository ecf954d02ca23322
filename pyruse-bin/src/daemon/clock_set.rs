//! Wakes the loop when the wall clock is set: a wait for a time of day must not last longer than that.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A timer that only fires when the wall clock is set; see the module documentation.
pub(super) struct ClockSet(TimerFd);

impl ClockSet {
    pub(super) fn new() -> nix::Result<ClockSet> {
        let timer =
            TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
        arm(&timer);
        Ok(ClockSet(timer))
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Resets the timer after it has fired.
    pub(super) fn clear(&self) {
        // The error is ECANCELED; the next round reads the clock.
        let _ = self.0.wait();
        arm(&self.0);
    }
}

/// Sets the timer to a time that never comes: the kernel cancels it when the clock is set, which makes it readable. If
/// this fails, the loop notices a set clock when it next wakes up for another reason.
fn arm(timer: &TimerFd) {
    let never = Expiration::OneShot(TimeSpec::new(i64::MAX / 2, 0));
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    if let Err(e) = timer.set(never, flags) {
        tracing::debug!("changes of the clock are not watched: {e}");
    }
}

//! Wakes the loop when somebody sets the wall clock: what waits for a time of day must not sleep past it.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// See the module.
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

    /// Takes note of having been woken; waits for the next time.
    pub(super) fn clear(&self) {
        // The kernel says ECANCELED; what the clock shows is read by the next round.
        let _ = self.0.wait();
        arm(&self.0);
    }
}

/// A time that never comes; but the kernel wakes who waits for it when the clock is set. Without that, the loop hears of it
/// when it wakes for something else.
fn arm(timer: &TimerFd) {
    let never = Expiration::OneShot(TimeSpec::new(i64::MAX / 2, 0));
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    if let Err(e) = timer.set(never, flags) {
        tracing::debug!("changes of the clock are not watched: {e}");
    }
}

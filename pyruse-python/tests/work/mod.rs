//! Measures work: the processor time of this thread, independent of the load of the machine.

use std::time::Duration;

/// Measures from here on.
pub struct Work(Duration);

impl Work {
    pub fn now() -> Work {
        Work(spent())
    }

    pub fn elapsed(&self) -> Duration {
        spent().saturating_sub(self.0)
    }
}

/// proc(5), `schedstat`: the first number is the time on the processor, in nanoseconds.
fn spent() -> Duration {
    let numbers = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(numbers.split(' ').next().unwrap().parse().unwrap())
}

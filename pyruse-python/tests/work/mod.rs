//! How much work something is: the processor's time that this thread took, whatever else the machine is doing.

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

//! What a program costs: processor time, of itself and the programs that it started, and time by the clock.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// In seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub cpu: f64,
    pub wall: f64,
}

impl Cost {
    /// How many times `other`?
    pub fn per(self, other: Cost) -> Cost {
        Cost { cpu: self.cpu / other.cpu, wall: self.wall / other.wall }
    }

    /// Half of both.
    pub fn mean(self, other: Cost) -> Cost {
        Cost { cpu: f64::midpoint(self.cpu, other.cpu), wall: f64::midpoint(self.wall, other.wall) }
    }
}

/// Runs a command to its end; its output goes nowhere.
pub fn cost(command: &mut Command) -> Cost {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let (cpu, start) = (children(), Instant::now());
    let status = command.status().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(status.success(), "{command:?}: {status}");
    Cost { cpu: children() - cpu, wall: start.elapsed().as_secs_f64() }
}

/// The processor time of all programs that have been started and have ended.
pub fn children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn seconds(time: TimeVal) -> f64 {
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    u64::try_from(time.tv_sec())
        .map_or(0.0, |whole| (Duration::from_secs(whole) + Duration::from_micros(micros)).as_secs_f64())
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Both medians.
pub fn medians(costs: &[Cost]) -> Cost {
    let of = |value: fn(&Cost) -> f64| median(costs.iter().map(value).collect());
    Cost { cpu: of(|cost| cost.cpu), wall: of(|cost| cost.wall) }
}

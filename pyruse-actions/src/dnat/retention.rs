//! How long a mapping is alive: `now >> b <= 1 + (t >> b)`, in whole seconds.
//!
//! Solved for `now`, with `t` and `b` known at capture, this is one point in time: from `((t >> b) + 2) << b` on, it
//! has expired. So mappings with different retentions can be compared by their ends.
//!
//! An end is stored with its `b`: so an end that is too far ahead can be detected, see [`pyruse_core::time::Ends`].

use pyruse_core::time::{ClockStep, Timestamp};

/// The `b` of mappings that an earlier version stored without it: up to three weeks.
pub(super) const UNKNOWN_BITS: u8 = 20;

/// Returns `b`, the number of significant bits.
pub(super) fn bits(keep_seconds: u64) -> u8 {
    (0..64).find(|bits| keep_seconds >> bits == 0).unwrap_or(64)
}

/// Returns the second from which on a mapping captured at `at` has expired.
pub(super) fn end(at: Timestamp, bits: u8) -> i64 {
    let end = ((i128::from(at.seconds()) >> bits) + 2) << bits;
    i64::try_from(end).unwrap_or(i64::MAX)
}

/// Returns the end of a mapping after a step of the clock: at most as late as if it were captured now.
pub(super) fn adjusted(end: i64, bits: u8, step: ClockStep) -> i64 {
    let as_of_now = self::end(step.now.wall, bits);
    let is_for_ever = end == i64::MAX;
    if is_for_ever || !step.now.wall.can_judge(Timestamp::from_seconds(end)) {
        end
    } else {
        end.min(as_of_now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_follows_the_rule_and_keeps_at_least_the_wanted_time() {
        for keep in [0_u64, 1, 2, 3, 4, 7, 8, 63, 64, 100, 1023] {
            let bits = bits(keep);
            for t in (0..3000).chain(1_795_000_000..1_795_000_100) {
                let end = end(Timestamp(t * 1_000_000 + 999_999), bits);
                for now in [t - 1, t, end - 1, end, end + 1] {
                    assert_eq!(now < end, now >> bits <= 1 + (t >> bits), "keep {keep}, t {t}, now {now}");
                }
                let kept = u64::try_from(end - t).unwrap();
                assert!(kept >= keep && kept <= 4 * keep.max(1), "keep {keep}: {kept}");
            }
        }
    }

    #[test]
    fn the_default_keeps_between_64_and_128_seconds() {
        assert_eq!(end(Timestamp::from_seconds(128), bits(63)), 256);
        assert_eq!(end(Timestamp::from_seconds(191), bits(63)), 256);
    }

    #[test]
    fn a_very_long_duration_means_for_ever() {
        assert_eq!(end(Timestamp::from_seconds(1_795_000_000), bits(u64::MAX)), i64::MAX);
        assert_eq!(end(Timestamp::NEVER, bits(u64::MAX)), i64::MAX);
        assert!(end(Timestamp(i64::MIN), bits(63)) < 0);
    }
}

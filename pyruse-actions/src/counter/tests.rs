//! A category, rule by rule.

use pyruse_core::state::Resource;
use pyruse_core::time::{ClockStep, Now, Timestamp};

use super::category::{Caps, Category, FEW_KEYS, FEW_TICKS, FOLDED_AT};

fn category(keys: usize, ticks: usize) -> Category {
    let mut category = Category::load(Vec::new()).unwrap();
    category.configure("test", Caps { keys, ticks });
    category
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[test]
fn a_tick_expires_exactly_at_its_end() {
    let mut c = category(10, 10);
    assert_eq!(c.raise("a", at(0), at(10)), 1);
    assert_eq!(c.raise("a", at(9), at(19)), 2);
    assert_eq!(c.raise("a", at(10), at(20)), 2);
    assert_eq!(c.raise("b", at(10), at(20)), 1);
}

#[test]
fn during_a_grace_nothing_is_recorded() {
    let mut c = category(10, 10);
    c.raise("a", at(0), at(100));
    c.reset("a", at(1), Some(at(11)));
    assert_eq!(c.raise("a", at(10), at(110)), 0);
    assert_eq!(c.raise("a", at(11), at(111)), 1);
    c.reset("a", at(12), None);
    assert_eq!(c.raise("a", at(13), at(113)), 1);
}

#[test]
fn lower_removes_the_tick_that_would_live_longest() {
    let mut c = category(10, 10);
    c.raise("a", at(0), at(10));
    c.raise("a", at(0), Timestamp::NEVER);
    c.raise("a", at(0), at(20));
    assert_eq!(c.lower("a", at(1)), 2);
    assert_eq!(c.lower("a", at(1)), 1);
    assert_eq!(c.raise("a", at(10), at(30)), 1, "the one that was left ended at 10");
    assert_eq!(c.lower("b", at(1)), 0);
}

#[test]
fn the_key_raised_longest_ago_and_the_oldest_tick_are_evicted() {
    let mut c = category(3, 4);
    for key in ["a", "b", "c", "a", "d"] {
        c.raise(key, at(0), at(100));
    }
    assert_eq!(c.raise("a", at(1), at(101)), 3);
    assert_eq!(c.raise("b", at(1), at(101)), 1, "b was forgotten for d");
    for _ in 0..10 {
        c.raise("a", at(2), at(102));
    }
    assert_eq!(c.raise("a", at(3), at(103)), 4);
    for _ in 0..10 {
        c.raise("n", at(2), Timestamp::NEVER);
    }
    assert_eq!(c.raise("n", at(3), Timestamp::NEVER), 4);
}

#[test]
fn expired_mappings_are_removed_as_others_are_added() {
    let mut c = category(100_000, 10);
    for n in 0..10_000 {
        c.raise(&n.to_string(), at(n), at(n + 10));
    }
    assert!(c.keys.len() < FEW_KEYS + 100, "{}", c.keys.len());
    assert_eq!(c.live(at(9_999)), 10);
    // A day later, nothing is left of them.
    for n in 0..10_000 {
        c.raise("a", at(100_000 + n), at(100_000 + n));
    }
    assert_eq!(c.keys.len(), 1);
}

#[test]
fn a_late_entry_counts_for_its_own_time() {
    let mut c = category(10, 100);
    for n in 0..4 {
        assert_eq!(c.raise("a", at(7200 + n), at(7800 + n)), 1 + usize::try_from(n).unwrap());
    }
    assert_eq!(c.raise("a", at(0), at(600)), 1, "two hours late");
    assert_eq!(c.raise("a", at(500), at(1100)), 2);
    assert_eq!(c.raise("a", at(599), at(1199)), 3);
    assert_eq!(c.raise("a", at(600), at(1200)), 3, "the first ended at 600");
    assert_eq!(c.raise("a", at(7204), at(7804)), 5);
    assert_eq!(c.raise("a", at(7202), at(7802)), 4, "the third of those, and itself");
}

#[test]
fn a_reset_also_ends_earlier_ticks_that_arrive_late() {
    let mut c = category(10, 100);
    c.raise("a", at(10), at(100));
    c.raise("a", at(30), at(120));
    c.reset("a", at(20), None);
    assert_eq!(c.raise("a", at(31), at(121)), 2, "that of 30 is later than the reset");
    assert_eq!(c.raise("a", at(15), at(105)), 2, "the reset had not come yet");
    assert_eq!(c.raise("a", at(32), at(122)), 3, "that of 15 is over since 20");
    assert_eq!(c.lower("a", at(19)), 1);
    assert_eq!(c.lower("a", at(33)), 2);
}

#[test]
fn a_grace_period_also_applies_to_entries_that_arrive_late() {
    let mut c = category(10, 100);
    c.raise("a", at(50), at(200));
    c.raise("a", at(70), at(200));
    c.reset("a", at(40), Some(at(60)));
    assert_eq!(c.raise("a", at(39), at(200)), 1, "before the grace");
    assert_eq!(c.raise("a", at(59), at(200)), 0);
    assert_eq!(c.raise("a", at(71), at(200)), 2, "that of 50 was in the grace, that of 39 was reset");
    c.reset("a", at(45), Some(at(46)));
    assert_eq!(c.raise("a", at(50), at(200)), 1, "the newer grace took the place of the older");
    assert_eq!(c.raise("a", at(44), at(200)), 0);
}

#[test]
fn most_ticks_that_never_end_are_only_counted() {
    let mut c = category(10, 1000);
    for n in 0..600 {
        c.raise("a", at(n), Timestamp::NEVER);
    }
    let held = c.keys.iter().next().unwrap().ticks.iter().count();
    assert!(held < FOLDED_AT, "{held}");
    assert_eq!(c.raise("a", at(600), Timestamp::NEVER), 601);
    assert_eq!(c.raise("a", at(590), Timestamp::NEVER), 592);
    for left in (0..602).rev() {
        assert_eq!(c.lower("a", at(601)), left);
    }
    assert_eq!(c.lower("a", at(601)), 0);
    for n in 0..2000 {
        c.raise("b", at(n), Timestamp::NEVER);
    }
    assert_eq!(c.raise("b", at(2000), Timestamp::NEVER), 1000);
}

#[test]
fn little_is_kept_after_a_flood() {
    let mut c = category(10, 65_536);
    for n in 0..5000 {
        c.raise("a", at(n / 100), at(n / 100 + 10));
    }
    assert!(c.keys.iter().next().unwrap().ticks.len() <= 1000 + FEW_TICKS);
    c.raise("a", at(1000), at(1010));
    assert!(c.keys.iter().next().unwrap().ticks.len() <= FEW_TICKS + 1);
    for n in 0..5000 {
        c.raise("a", at(1000), at(2000 + n));
    }
    c.reset("a", at(1001), None);
    assert!(c.keys.iter().next().unwrap().ticks.len() <= FEW_TICKS);
}

/// A clock that is set to this time, having shown `before`.
fn set(now: Timestamp, before: Timestamp) -> ClockStep {
    ClockStep { now: Now::at(now), by: now.0 - before.0 }
}

#[test]
fn a_stored_end_from_a_clock_that_was_ahead_is_not_later_than_its_duration_allows() {
    let now = at(1_795_000_000);
    let ahead = now.plus_seconds(1_000_000_000);
    let later = |seconds| ahead.plus_seconds(seconds);
    for step in [set(now, later(30)), ClockStep::loaded(Now::at(now))] {
        let mut c = category(10, 100);
        for n in 0..4 {
            c.raise("innocent", later(n), later(n + 600));
        }
        c.reset("attacker", later(10), Some(later(3610)));
        for n in 0..4 {
            c.raise("forgiven", later(n), later(n + 600));
        }
        c.reset("forgiven", later(20), None);
        c.adjust(step);
        let seconds = |seconds| now.plus_seconds(seconds);
        assert_eq!(c.raise("attacker", seconds(3599), seconds(4000)), 0);
        assert_eq!(c.raise("attacker", seconds(3600), seconds(4000)), 1);
        assert_eq!(c.raise("innocent", seconds(599), seconds(1199)), 5);
        assert_eq!(c.raise("innocent", seconds(600), seconds(1200)), 2);
        assert_eq!(c.raise("forgiven", seconds(1), seconds(600)), 1);
    }
}

#[test]
fn ends_that_an_earlier_version_stored_are_limited_to_the_longest_span() {
    let now = at(1_795_000_000);
    let ahead = now.plus_seconds(1_000_000_000);
    let text = |end: Timestamp| end.0.to_be_bytes().into();
    let rows = vec![
        (b"gattacker".as_slice().into(), text(ahead)),
        (b"gin grace".as_slice().into(), text(now.plus_seconds(60))),
        (b"t\0\0\0\0\0\0\0\x01innocent".as_slice().into(), text(ahead)),
        (b"t\0\0\0\0\0\0\0\x02guessing".as_slice().into(), text(now.plus_seconds(60))),
    ];
    let mut c = Category::load(rows).unwrap();
    c.configure("test", Caps { keys: 10, ticks: 10 });
    c.adjust(ClockStep::loaded(Now::at(now)));
    c.note_durations(600, 0);
    c.note_durations(0, 3600);
    c.complete(now);
    let seconds = |seconds| now.plus_seconds(seconds);
    assert_eq!(c.raise("in grace", seconds(59), seconds(600)), 0);
    assert_eq!(c.raise("in grace", seconds(60), seconds(600)), 1);
    assert_eq!(c.raise("attacker", seconds(3599), seconds(9999)), 0);
    assert_eq!(c.raise("attacker", seconds(3600), seconds(9999)), 1);
    assert_eq!(c.raise("guessing", seconds(59), seconds(659)), 2);
    assert_eq!(c.raise("innocent", seconds(599), seconds(1199)), 2);
    assert_eq!(c.raise("innocent", seconds(600), seconds(1200)), 2);
}

#[test]
fn a_category_is_the_same_after_it_was_stored_and_loaded() {
    let mut c = category(3, 10);
    c.raise("a", at(0), at(100));
    c.raise("b", at(1), Timestamp::NEVER);
    c.raise("b", at(2), Timestamp::NEVER);
    c.raise("a", at(3), at(50));
    c.lower("a", at(4));
    c.reset("c", at(4), Some(at(60)));
    let mut loaded = Category::load(c.rows.take()).unwrap();
    loaded.configure("test", Caps { keys: 3, ticks: 10 });
    for c in [&mut c, &mut loaded] {
        assert_eq!(c.raise("a", at(10), at(110)), 2);
        assert_eq!(c.raise("b", at(10), Timestamp::NEVER), 3);
        assert_eq!(c.raise("c", at(59), at(200)), 0);
        assert_eq!(c.raise("c", at(60), at(200)), 1);
    }
}

#[test]
fn a_huge_key_does_not_cost_its_size() {
    let mut c = category(10, 10);
    let long = "ä".repeat(30_000);
    c.raise(&long, at(0), at(10));
    assert_eq!(c.raise(&long, at(0), at(10)), 2);
    assert_eq!(c.raise(&format!("{long}x"), at(0), at(10)), 1);
    assert!(c.keys.iter().all(|key| key.text.len() < 300));
}

//! Corrects what a wrong clock has stored in a category.

use std::time::Duration;

use pyruse_core::time::{ClockStep, Expiry, Now, Timestamp};

use super::category::Category;
use super::keys::Key;
use super::marks::Grace;
use super::rows::ChangedRows;
use super::ticks::{Tick, UNKNOWN};

impl Category {
    /// Items in the future were stored by a wrong clock; each then begins now, and keeps its duration.
    pub(super) fn adjust_keys(&mut self, step: ClockStep) {
        for key in self.keys.iter_mut() {
            // The time by the wrong clock.
            let newest =
                key.marks.as_ref().map_or(UNKNOWN, |marks| marks.newest()).max(key.ticks.last_start());
            let then = if step.is_load() { newest } else { step.before() };
            adjust_ticks(key, then, step, &mut self.rows);
            adjust_marks(key, step, &mut self.rows);
        }
    }

    /// Limits items that an earlier version stored without a beginning to the longest duration in the configuration.
    pub(super) fn complete(&mut self, now: Timestamp) {
        let [keep, grace] = [self.longest_keep, self.longest_grace].map(Duration::from_secs);
        let late = |end: Timestamp, span: Duration| {
            let mut ends = Expiry::without_span(end).with_span(span);
            (!span.is_zero() && ends.adjust(ClockStep::loaded(Now::at(now)))).then_some(ends.at())
        };
        let Category { keys, rows, .. } = self;
        for Key { text, ticks, marks, .. } in keys.iter_mut() {
            if ticks.iter().any(|tick| tick.start == UNKNOWN && late(tick.end, keep).is_some()) {
                ticks.change(|tick| {
                    if let Some(end) = late(tick.end, keep).filter(|_| tick.start == UNKNOWN) {
                        *tick = Tick { end, start: now, ..*tick };
                        rows.put_tick(*tick, text);
                    }
                    true
                });
            }
            let Some(marks) = marks else { continue };
            let unknown = marks.graces().first().copied().filter(|first| first.start == UNKNOWN);
            if let Some(end) = unknown.and_then(|first| late(first.end, grace)) {
                let grace = Grace { start: UNKNOWN, end };
                marks.add_grace(grace);
                rows.put_grace(grace, text);
            }
        }
    }
}

fn adjust_ticks(key: &mut Key, then: Timestamp, step: ClockStep, rows: &mut ChangedRows) {
    let Key { text, ticks, .. } = key;
    if !ticks.iter().any(|tick| adjusted(tick.start, tick.end, step).is_some()) {
        return;
    }
    ticks.change(|tick| {
        let Some((start, end)) = adjusted(tick.start, tick.end, step) else { return true };
        // If it had expired by then, it must not count again.
        let is_kept = then < tick.end;
        *tick = Tick { end, start, ..*tick };
        if is_kept {
            rows.put_tick(*tick, text);
        } else {
            rows.delete_tick(*tick, text);
        }
        is_kept
    });
}

fn adjust_marks(key: &mut Key, step: ClockStep, rows: &mut ChangedRows) {
    let Key { text, marks: Some(marks), .. } = key else { return };
    if !marks.graces().iter().any(|grace| adjusted(grace.start, grace.end, step).is_some())
        && !marks.resets().iter().any(|reset| adjusted(*reset, *reset, step).is_some())
    {
        return;
    }
    let old = std::mem::take(marks);
    for reset in old.resets() {
        rows.delete_reset(*reset, text);
        marks.add_reset(adjusted(*reset, *reset, step).map_or(*reset, |(start, _)| start));
    }
    for grace in old.graces() {
        rows.delete_grace(*grace, text);
        let (start, end) = adjusted(grace.start, grace.end, step).unwrap_or((grace.start, grace.end));
        // If several are in the future, the newest one is used.
        marks.add_grace(Grace { start, end });
    }
    marks.resets().iter().for_each(|reset| rows.put_reset(*reset, text));
    marks.graces().iter().for_each(|grace| rows.put_grace(*grace, text));
}

/// Returns the corrected beginning and end, if it cannot have begun at its stored time: that is later than now, or from
/// a clock that was not set.
fn adjusted(start: Timestamp, end: Timestamp, step: ClockStep) -> Option<(Timestamp, Timestamp)> {
    if start == UNKNOWN {
        return None;
    }
    let mut begins = Expiry::after(start, Duration::ZERO);
    let moved = begins.adjust(step).then_some(begins.at())?;
    let end = if end == Timestamp::NEVER { end } else { Timestamp(end.0 + (moved.0 - start.0)) };
    Some((moved, end))
}

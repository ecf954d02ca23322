//! What a digest is about: a day of a state.

use jiff::tz::TimeZone;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use crate::daily_report::Recorded;

/// What a digest is made from.
pub(in super::super) struct Day<'a> {
    pub(in super::super) state: &'a State,
    pub(in super::super) recorded: Recorded,
    pub(in super::super) zone: &'a TimeZone,
    pub(in super::super) now: Timestamp,
    /// After how many days without an act a rule is called blind.
    pub(in super::super) blind_days: usize,
}

impl Day<'_> {
    /// Returns the local date that the report is about.
    pub(in super::super) fn date(&self) -> String {
        self.date_of(self.now)
    }

    /// Returns the local date that a report made at this time is about: that of its last moment.
    pub(super) fn date_of(&self, made: Timestamp) -> String {
        let last = Timestamp(made.0.saturating_sub(1)).to_jiff().to_zoned_datetime(self.zone.clone());
        last.date().to_string()
    }
}

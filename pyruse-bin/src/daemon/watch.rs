//! The daemon's observer of entries: logs bans and errors without flooding the log, and counts errors and hits.

use std::collections::HashMap;
use std::time::Duration;

use pyruse_core::effect::Effect;
use pyruse_core::entry::Entry;
use pyruse_core::plugin::StepError;
use pyruse_core::throttle::Throttle;
use pyruse_core::workflow::{Observer, Site, SiteId, describe};

use super::ban_log::BanLog;
use super::tally::Tally;

/// At most this many errors of one step are logged per window.
const LOGGED_OF_STEP: u32 = 5;

/// At most this many errors of all steps are logged per window.
const LOGGED_OF_ALL: u32 = 50;

/// Logs errors of steps. Anybody who can write a log line can cause such errors, but must not be able to flood the log.
pub(crate) struct ErrorLog {
    throttle: Throttle<SiteId, SiteId>,
    /// The names of the steps with errors that were not logged.
    places: HashMap<SiteId, String>,
    /// The number of errors of each step since the start.
    pub(crate) counts: Tally,
    total: u64,
}

impl ErrorLog {
    pub(crate) fn new(sites: &[Site]) -> ErrorLog {
        let throttle = Throttle::new(LOGGED_OF_STEP, LOGGED_OF_ALL);
        ErrorLog { throttle, places: HashMap::new(), counts: Tally::of(sites), total: 0 }
    }

    fn log(&mut self, id: SiteId, site: &Site, error: &StepError) {
        self.total += 1;
        self.counts.count(id);
        self.flush_if_over();
        if self.throttle.admits(id, id, 1) {
            tracing::warn!("{}", describe(site, error));
        } else {
            self.places.entry(id).or_insert_with(|| format!("chain `{}`, step {}", site.chain, site.step));
        }
    }

    /// Returns how long to wait until the number of unlogged errors is due; `None` if all are logged.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.throttle.left()
    }

    /// Logs the number of unlogged errors, if their window has ended.
    pub(crate) fn flush_if_over(&mut self) {
        let ErrorLog { throttle, places, .. } = self;
        throttle.flush_if_over(|id, more, _| log_more(places, id, more));
    }

    /// Logs the number of unlogged errors now.
    pub(crate) fn flush(&mut self) {
        let ErrorLog { throttle, places, .. } = self;
        throttle.flush(|id, more, _| log_more(places, id, more));
    }

    /// Returns the number of errors since the start.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

fn log_more(places: &mut HashMap<SiteId, String>, id: SiteId, more: u64) {
    if let Some(place) = places.remove(&id) {
        tracing::warn!("{place}: {more} more such errors");
    }
}

/// The daemon's observer. With `HITS`, it counts how often each step was run.
pub(crate) struct Watch<'a, const HITS: bool> {
    pub(crate) errors: &'a mut ErrorLog,
    pub(crate) bans: &'a mut BanLog,
    pub(crate) hits: &'a mut Tally,
}

impl<const HITS: bool> Observer for Watch<'_, HITS> {
    const EFFECTS: bool = true;
    const STEPS: bool = HITS;

    fn step(&mut self, id: SiteId, _: &Site, _: &mut Entry<'_>, _: bool) {
        self.hits.count(id);
    }

    fn effect(&mut self, _: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        self.bans.note(effect, entry.time());
    }

    fn error(&mut self, id: SiteId, site: &Site, _: &mut Entry<'_>, error: &StepError) {
        self.errors.log(id, site, error);
    }
}

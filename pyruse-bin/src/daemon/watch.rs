//! Watches entries on their way in the daemon: logs bans and errors without flooding the log.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pyruse_core::effect::Effect;
use pyruse_core::entry::Entry;
use pyruse_core::plugin::StepError;
use pyruse_core::workflow::{Observer, Site, SiteId, describe};

use super::ban_log::BanLog;

/// So many errors of one step are told within [`WINDOW`]; the rest is counted.
const TOLD: u32 = 5;

/// So many are told of all steps together.
const TOLD_TOGETHER: u32 = 50;

const WINDOW: Duration = Duration::from_secs(60);

/// Errors of steps, for the log: whoever can write a log line can make errors, but must not flood the log with them.
pub(crate) struct ErrorLog {
    window: Instant,
    told: u32,
    steps: HashMap<SiteId, (String, u32)>,
    total: u64,
}

impl ErrorLog {
    pub(crate) fn new() -> ErrorLog {
        ErrorLog { window: Instant::now(), told: 0, steps: HashMap::new(), total: 0 }
    }

    fn tell(&mut self, id: SiteId, site: &Site, error: &StepError) {
        self.total += 1;
        self.flush_if_over();
        let (_, count) = self
            .steps
            .entry(id)
            .or_insert_with(|| (format!("chain `{}`, step {}", site.chain, site.step), 0));
        *count += 1;
        if *count <= TOLD && self.told < TOLD_TOGETHER {
            self.told += 1;
            tracing::warn!("{}", describe(site, error));
        }
    }

    /// For how long errors are counted yet before their number is logged; none: all are logged.
    pub(crate) fn left(&self) -> Option<Duration> {
        let held_back = self.steps.values().any(|(_, count)| *count > TOLD);
        held_back.then(|| WINDOW.saturating_sub(self.window.elapsed()))
    }

    /// Logs how many were not logged when their time is over.
    pub(crate) fn flush_if_over(&mut self) {
        if self.window.elapsed() >= WINDOW {
            self.flush();
        }
    }

    /// Tells how many were not told, and begins anew.
    pub(crate) fn flush(&mut self) {
        for (place, count) in self.steps.values().filter(|(_, count)| *count > TOLD) {
            tracing::warn!("{place}: {} more such errors", count - TOLD);
        }
        self.steps.clear();
        self.told = 0;
        self.window = Instant::now();
    }

    /// How many there were since the start.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

/// The daemon's observer.
pub(crate) struct Watch<'a> {
    pub(crate) errors: &'a mut ErrorLog,
    pub(crate) bans: &'a mut BanLog,
}

impl Observer for Watch<'_> {
    const EFFECTS: bool = true;
    const STEPS: bool = false;

    fn effect(&mut self, _: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        self.bans.note(effect, entry.time());
    }

    fn error(&mut self, id: SiteId, site: &Site, _: &mut Entry<'_>, error: &StepError) {
        self.errors.tell(id, site, error);
    }
}

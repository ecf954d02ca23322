//! How much the services keep: by set and by queue, and their sums for the overall status.

use crate::services::Services;
use crate::state::State;
use crate::time::Timestamp;

use super::Overview;

/// How much the services keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// The bans in force, by set; also the sets without a ban that the configuration names.
    pub bans: Vec<SetCount>,
    /// Keys that have a count or a grace period.
    pub counters: u64,
    /// The deliveries, by queue.
    pub queues: Vec<QueueCount>,
}

/// The bans in force in a set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetCount {
    /// The module, e.g. `action_nftBan`.
    pub module: &'static str,
    /// The set.
    pub set: String,
    /// How many.
    pub bans: u64,
}

/// The deliveries of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueCount {
    /// The module, e.g. `action_email`.
    pub module: &'static str,
    /// Those that wait or are on their way.
    pub waiting: u64,
    /// Those that were given up.
    pub given_up: u64,
}

impl Services {
    /// Counts what the services keep.
    pub fn counts(&mut self, state: &State, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        for (module, service) in &mut self.all {
            if let Some(keeper) = service.bans() {
                let mut bans = keeper.counts(state, now);
                for set in keeper.sets(state) {
                    bans.entry(set.name).or_default();
                }
                counts.bans.extend(bans.into_iter().map(|(set, bans)| SetCount { module, set, bans }));
            }
            counts.counters += service.counters().map_or(0, |keeper| keeper.count(state, now)) as u64;
            if let Some(queue) = service.queue() {
                let queue = state.get(queue);
                let waiting = queue.pending() as u64;
                counts.queues.push(QueueCount { module, waiting, given_up: queue.len() as u64 - waiting });
            }
        }
        counts
    }

    /// Returns the overall status.
    pub fn overview(&mut self, state: &State, now: Timestamp) -> Overview {
        let counts = self.counts(state, now);
        Overview {
            bans: counts.bans.iter().map(|set| set.bans).sum(),
            counters: counts.counters,
            waiting: counts.queues.iter().map(|queue| queue.waiting).sum(),
            given_up: counts.queues.iter().map(|queue| queue.given_up).sum(),
            report: self.report_status(state, now),
            lists: self.show_lists(state, None, now).unwrap_or_default(),
        }
    }
}

//! Runs a configuration without consequences, and reports what it would have done.
//!
//! `replay` and `run --dry-run` share this: an empty state in memory, couriers that deliver nothing, and an observer
//! that passes effects on.

use std::io;

use pyruse_core::effect::{Effect, PlacedEffect};
use pyruse_core::engine::Engine;
use pyruse_core::entry::{Entry, Record};
use pyruse_core::plugin::StepError;
use pyruse_core::pump::Pump;
use pyruse_core::state::State;
use pyruse_core::time::{Now, Timestamp};
use pyruse_core::workflow::{Observer, Site, SiteId};

use super::feedback::Feedback;

/// Queued messages are discarded once per this many entries.
const SETTLE_EVERY: u64 = 1000;

/// A configuration that runs without consequences.
pub(crate) struct Simulation {
    pub(crate) pump: Pump,
    feedback: Option<Feedback>,
    entries: u64,
}

/// The origin of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was read from the source.
    Source,
    /// It is a line of `action_log`.
    Feedback,
}

/// The receiver of what happens.
pub(crate) trait SimulationObserver {
    /// Whether it needs the addresses of entries. Making one costs as much as reading several fields.
    const CURSORS: bool = true;

    /// Whether it needs calls of [`SimulationObserver::step`].
    const STEPS: bool = false;

    fn effect(&mut self, effect: &PlacedEffect<'_>) -> io::Result<()>;
    fn entry(&mut self, _time: Timestamp, _origin: Origin) {}
    fn step(&mut self, _id: SiteId) {}
}

impl Simulation {
    pub(crate) fn new(engine: Engine, state: State) -> anyhow::Result<Simulation> {
        Ok(Simulation { pump: Pump::dry_run(engine, state)?, feedback: None, entries: 0 })
    }

    /// Lets lines of `action_log` be read as entries.
    #[must_use]
    pub(crate) fn with_feedback(self) -> Simulation {
        Simulation { feedback: Some(Feedback::new(&self.pump.engine.workflow)), ..self }
    }

    /// Runs an entry of this source, and the lines that it caused.
    pub(crate) fn run(
        &mut self,
        source: &str,
        record: &mut dyn Record,
        observer: &mut impl SimulationObserver,
    ) -> io::Result<()> {
        if let Some(feedback) = &mut self.feedback {
            feedback.begin();
        }
        observer.entry(record.realtime(), Origin::Source);
        self.run_one(source, record, observer)?;
        while let Some(mut line) = self.feedback.as_mut().and_then(Feedback::next) {
            observer.entry(line.realtime, Origin::Feedback);
            self.run_one(source, &mut line, observer)?;
        }
        Ok(())
    }

    fn run_one(
        &mut self,
        source: &str,
        record: &mut dyn Record,
        observer: &mut impl SimulationObserver,
    ) -> io::Result<()> {
        let mut adapter = Adapter { feedback: self.feedback.as_mut(), observer, result: Ok(()) };
        self.pump.run_from(source, record, &mut adapter);
        adapter.result?;
        self.entries += 1;
        if self.entries.is_multiple_of(SETTLE_EVERY) {
            self.settle()?;
        }
        Ok(())
    }

    /// Discards queued messages.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.pump.settle(Now::read()).map_err(io::Error::other)
    }
}

struct Adapter<'a, T> {
    feedback: Option<&'a mut Feedback>,
    observer: &'a mut T,
    result: io::Result<()>,
}

impl<T: SimulationObserver> Adapter<'_, T> {
    fn report(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        let cursor = if T::CURSORS { entry.cursor() } else { None };
        let placed = PlacedEffect {
            effect,
            at: entry.time(),
            cursor: cursor.as_deref(),
            chain: &site.chain,
            step: site.step,
        };
        if self.result.is_ok() {
            self.result = self.observer.effect(&placed);
        }
    }
}

impl<T: SimulationObserver> Observer for Adapter<'_, T> {
    const EFFECTS: bool = true;
    const STEPS: bool = T::STEPS;

    fn step(&mut self, id: SiteId, _: &Site, _: &mut Entry<'_>, _: bool) {
        self.observer.step(id);
    }

    fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        self.report(site, entry, effect);
        if let (Some(feedback), Effect::Log { level, message }) = (&mut self.feedback, effect)
            && let Err(message) = feedback.write(entry, *level, message)
        {
            self.report(site, entry, &Effect::Error { message });
        }
    }

    fn error(&mut self, _: SiteId, site: &Site, entry: &mut Entry<'_>, error: &StepError) {
        self.report(site, entry, &Effect::Error { message: error.to_string() });
    }
}

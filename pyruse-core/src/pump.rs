//! The pump: does everything between reading a record and delivering its messages, in the right order.
//!
//! A program reads records and passes them to [`Pump::run`]; then it calls [`Pump::settle`]. Until then, changes are
//! only in memory. Settling writes them together with the position, hands out messages that protect, waits for the
//! disk, and hands out the rest. Entries whose changes a crash takes away are read again, and nothing is counted twice.
//! The program waits for its source until [`Pump::deadline`], and calls [`Pump::collect`] and [`Pump::due`] when it
//! wakes up.
//!
//! The daemon, dry runs (`replay`, `run --dry-run`) and embedders all use this pump.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::courier::{Courier, Couriers, Deliver, Outcome};
use crate::engine::{Engine, Plan};
use crate::entry::Record;
use crate::plugin::{SourceError, WakeLoop};
use crate::sources::Sources;
use crate::state::{DueMessage, State, StateError};
use crate::time::{Now, Timestamp};
use crate::workflow::Observer;

/// A running engine, with its state and its couriers.
#[non_exhaustive]
pub struct Pump {
    /// The engine of the configuration that is in force.
    pub engine: Engine,
    /// The durable state.
    pub state: State,
    /// The sources that [`Pump::batch`] reads; a program can also pass records to [`Pump::run`] itself.
    pub sources: Sources,
    /// Whether it reads the configured sources; a program may read others by itself.
    reads_sources: bool,
    couriers: Couriers,
    wake: WakeLoop,
}

/// How much [`Pump::batch`] reads at most.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// This many records.
    pub entries: u32,
    /// About this long: so a signal or a ban never waits for a long backlog.
    pub time: Duration,
}

/// The reason why another configuration could not be put in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// Stored data cannot be used with it.
    #[error(transparent)]
    State(#[from] StateError),
    /// A source could not be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A courier could not be started.
    #[error("starting couriers: {0}")]
    Courier(#[from] io::Error),
}

/// A courier that takes every message and delivers none.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&mut self, messages: &[DueMessage]) -> Vec<Outcome> {
        vec![Outcome::Done; messages.len()]
    }
}

impl Pump {
    /// Starts the couriers of the engine's services. `wake` is called, from any thread, when a courier's reply waits
    /// for [`Pump::collect`], or when another thread of a service has made something for [`Pump::tend`]. An error means
    /// that a thread cannot be started.
    pub fn new(mut engine: Engine, mut state: State, wake: WakeLoop) -> io::Result<Pump> {
        let mut couriers = Couriers::new(wake.clone());
        engine.services.start_couriers(&mut couriers)?;
        engine.services.begin(&mut state, &wake);
        Ok(Pump { engine, state, sources: Sources::default(), reads_sources: false, couriers, wake })
    }

    /// Makes a pump without consequences: nothing is delivered, and no service sees entries. The errors are those of
    /// [`Pump::new`].
    pub fn dry_run(mut engine: Engine, state: State) -> io::Result<Pump> {
        let wake: WakeLoop = Arc::new(|| ());
        let mut couriers = Couriers::new(wake.clone());
        engine.services.remove_watchers();
        engine.services.start_couriers_as(&mut couriers, |courier| {
            Courier::new(courier.name, Nobody).inline().batch(usize::MAX)
        })?;
        Ok(Pump { engine, state, sources: Sources::default(), reads_sources: false, couriers, wake })
    }

    /// Returns the pump with sources that are already open; see [`Sources::open`].
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Pump {
        Pump { sources, reads_sources: true, ..self }
    }

    /// Puts back in force what the state says is in force. Call it once, before the first record.
    pub fn boot(&mut self, now: Timestamp) {
        self.engine.services.boot(&mut self.state, now);
    }

    /// Runs one record through the workflow; see [`Engine::run`].
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, observer: &mut O) {
        self.engine.run(record, &mut self.state, observer);
    }

    /// Runs one record of the source with this name, likewise.
    pub fn run_from<O: Observer>(&mut self, source: &str, record: &mut dyn Record, observer: &mut O) {
        self.engine.run_from(source, record, &mut self.state, observer);
    }

    /// Returns `true` if no record may be read yet, because a service does not know something that decides about entries.
    /// Then [`Pump::batch`] reads nothing, and a program should not wait for its sources: the services wake it.
    pub fn is_held(&self) -> bool {
        !self.engine.services.are_ready()
    }

    /// Reads records and runs them, until all sources are drained or the limit is reached, or `stop` returns `true`;
    /// returns whether they are drained. The positions are in the state afterwards.
    pub fn batch<O: Observer>(
        &mut self,
        limit: BatchLimit,
        observer: &mut O,
        mut stop: impl FnMut() -> bool,
    ) -> bool {
        if self.is_held() {
            return true;
        }
        let Pump { engine, state, sources, .. } = self;
        let start = Instant::now();
        let mut read = 0;
        let is_drained = loop {
            if read >= limit.entries || (read > 0 && start.elapsed() >= limit.time) {
                break false;
            }
            let Some(source) = sources.advance_or_log() else { break true };
            read += 1;
            let (name, record) = sources.record(source);
            engine.run_from(name, record, state, observer);
            if stop() {
                break false;
            }
        };
        sources.store_positions(state);
        is_drained
    }

    /// Does what sources and services have to do beside entries, and has the report say what was lost. `is_drained`: a
    /// batch has just found them drained. Returns `true` if they must be read again at once.
    pub fn tend(&mut self, is_drained: bool) -> bool {
        let held = self.is_held();
        let now = self.state.now().wall;
        self.engine.services.tend(&mut self.state, now);
        let again = self.sources.tend(is_drained) || held && !self.is_held();
        for remark in self.sources.take_logged() {
            self.engine.services.remark(&remark, &mut self.state, now);
        }
        again
    }

    /// Writes all changes, and hands out the messages that are due. After an error, the changes are kept in memory:
    /// read no further, and try again.
    pub fn settle(&mut self, now: Now) -> Result<(), StateError> {
        self.state.write()?;
        // A ban does not wait for the disk: after a power cut, the firewall is empty and entries are read again.
        let ahead = self.couriers.dispatch_ahead(&mut self.state, now);
        self.state.sync()?;
        // The work of inline couriers is worth a commit: the lines that they wrote to the journal will be read again.
        if self.couriers.dispatch(&mut self.state, now) || ahead { self.state.commit() } else { Ok(()) }
    }

    /// Records the replies of couriers.
    pub fn collect(&mut self, now: Now) {
        self.couriers.collect(&mut self.state, now);
    }

    /// Calls the services whose deadline has come.
    pub fn due(&mut self, now: Timestamp) {
        self.engine.services.due(&mut self.state, now);
    }

    /// Returns how long the earliest deadline of a service is past; zero if none is.
    pub fn overdue(&self, now: Timestamp) -> Duration {
        self.engine.services.deadline(&self.state, now).map_or(Duration::ZERO, |due| due.until(now))
    }

    /// Returns how long a program may wait for its source: until a courier or a service is due. `None`: for ever.
    pub fn deadline(&self, now: Now) -> Option<Duration> {
        // Retries wait by the steady clock; services have deadlines by the wall clock.
        let retry = self.couriers.deadline(&self.state).map(|due| now.steady.until(due));
        let due = self.engine.services.deadline(&self.state, now.wall).map(|due| now.wall.until(due));
        [retry, due].into_iter().flatten().min()
    }

    /// Returns `true` if something is due for delivery, or is being delivered.
    pub fn is_delivering(&self, now: Now) -> bool {
        self.couriers.is_busy() || self.couriers.deadline(&self.state).is_some_and(|due| due <= now.steady)
    }

    /// Puts another configuration in force, which was compiled against the layout of this state. All state is kept.
    /// After an error, the old rules stay in force. (If a thread of a courier cannot be started, couriers that were
    /// replaced before it keep their new settings.)
    pub fn reload(&mut self, mut plan: Plan, now: Timestamp) -> Result<(), ReloadError> {
        let sources = &self.sources;
        let open = || sources.prepare(&plan.engine().sources, &self.state, None);
        let sources = self.reads_sources.then(open).transpose()?;
        plan.open_parts(&mut self.state)?;
        plan.services_mut().start_couriers(&mut self.couriers)?;
        self.engine = plan.finish(&mut self.state);
        self.engine.services.begin(&mut self.state, &self.wake);
        if let Some(sources) = sources {
            self.sources.adopt(sources, &mut self.state);
        }
        self.boot(now);
        Ok(())
    }

    /// Waits up to `timeout` for busy couriers, and writes their replies. Messages of the other couriers stay queued.
    /// After an error, the last changes are not stored.
    pub fn stop(mut self, timeout: Duration) -> Result<(), StateError> {
        self.sources.flush_losses();
        self.tend(false);
        self.couriers.stop(&mut self.state, timeout);
        self.state.commit()
    }
}

//! The pump: does everything that happens with records between a source and the world, in the right order.
//!
//! A program reads records and passes them to [`Pump::run`]; then it calls [`Pump::settle`]. Until then, changes are
//! only in memory. Settling writes them together with the position, hands out messages that protect, waits for the
//! disk, and hands out the rest. Entries whose changes a crash takes away are read again, and nothing is counted twice.
//! The program waits for its source until [`Pump::deadline`], and calls [`Pump::collect`] and [`Pump::due`] when it
//! wakes up.
//!
//! The daemon, rehearsals (`replay`, `run --dry-run`) and embedders all use this pump.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::courier::{Courier, Couriers, Deliver, Outcome};
use crate::engine::{Engine, Plan};
use crate::entry::Record;
use crate::state::{Letter, State, StateError};
use crate::time::{Now, Timestamp};
use crate::workflow::Observer;

/// A running engine, with its state and its couriers.
#[non_exhaustive]
pub struct Pump {
    /// The engine of the configuration that is in force.
    pub engine: Engine,
    /// The durable state.
    pub state: State,
    couriers: Couriers,
}

/// The reason why another configuration could not be put in force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// Stored data cannot be used with it.
    #[error(transparent)]
    State(#[from] StateError),
    /// A courier could not be started.
    #[error("starting couriers: {0}")]
    Courier(#[from] io::Error),
}

/// A courier that takes every letter and delivers none.
struct Nobody;

impl Deliver for Nobody {
    fn deliver(&mut self, letters: &[Letter]) -> Vec<Outcome> {
        vec![Outcome::Done; letters.len()]
    }
}

impl Pump {
    /// Starts the couriers of the engine's services. `wake` is called, from any thread, when a courier's reply waits
    /// for [`Pump::collect`].
    pub fn new(mut engine: Engine, state: State, wake: Arc<dyn Fn() + Send + Sync>) -> io::Result<Pump> {
        let mut couriers = Couriers::new(wake);
        engine.services.employ(&mut couriers)?;
        Ok(Pump { engine, state, couriers })
    }

    /// Makes a pump without consequences: nothing is delivered, and no service sees entries.
    pub fn rehearsal(mut engine: Engine, state: State) -> io::Result<Pump> {
        let mut couriers = Couriers::new(Arc::new(|| ()));
        engine.services.close_eyes();
        engine.services.employ_as(&mut couriers, |courier| {
            Courier::new(courier.name, Nobody).inline().batch(usize::MAX)
        })?;
        Ok(Pump { engine, state, couriers })
    }

    /// Puts back in force what the state says is in force. Call it once, before the first record.
    pub fn boot(&mut self, now: Timestamp) {
        self.engine.services.boot(&mut self.state, now);
    }

    /// Runs one record through the workflow; see [`Engine::run`].
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, observer: &mut O) {
        self.engine.run(record, &mut self.state, observer);
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
        plan.open_parts(&mut self.state)?;
        plan.services_mut().employ(&mut self.couriers)?;
        self.engine = plan.finish(&mut self.state);
        self.boot(now);
        Ok(())
    }

    /// Waits up to `patience` for busy couriers, and writes their replies. Messages of the other couriers stay queued.
    pub fn stop(mut self, patience: Duration) -> Result<(), StateError> {
        self.couriers.stop(&mut self.state, patience);
        self.state.commit()
    }
}

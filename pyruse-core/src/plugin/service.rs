//! Services: the part of a module that runs beside the workflow.
//!
//! A module that acts on the world registers a service. At start, the service gets its settings and its part of the
//! state. It may return a courier for a queue, put things back in force, and ask to be called at a point in time.

use std::sync::Arc;

use super::facet::{EntryWatcher, Gate, Importer, Reporter};
use super::setup::Setup;
use crate::config::Config;
use crate::courier::Courier;
use crate::entry::{Fields, Slot};
use crate::operation::{BanKeeper, CounterKeeper, ListKeeper};
use crate::plugin::{Inspection, ModuleSettings, Settings};
use crate::state::{Handle, Layout, Queue, State, StateError};
use crate::time::Timestamp;

/// What a service can use when it starts: after the steps of the configuration are compiled, before the state exists.
pub struct Start<'a> {
    pub(crate) setup: &'a mut Setup,
    pub(crate) fields: &'a mut Fields,
    pub(crate) settings: &'a Settings,
    pub(crate) config: &'a Config,
}

impl Start<'_> {
    /// Returns the modules' settings of this type.
    pub fn settings<S: ModuleSettings>(&self) -> Arc<S> {
        self.settings.get()
    }

    /// Returns the whole configuration.
    pub fn config(&self) -> &Config {
        self.config
    }

    /// Registers a field that the service will read from entries.
    pub fn reads(&mut self, name: &str) -> Slot {
        self.fields.slot(name)
    }

    /// Returns the parts of the durable state.
    pub fn layout(&mut self) -> &mut Layout {
        &mut self.setup.layout
    }

    /// Returns the value of this type that the steps and services of this configuration share.
    pub fn shared<T: Default + Send + 'static>(&mut self) -> &mut T {
        self.setup.shared()
    }

    /// Runs `work` when the configuration is put in force. It must not fail.
    pub fn on_bind(&mut self, work: impl FnOnce(&mut State) + Send + 'static) {
        self.setup.on_bind.push(Box::new(work));
    }
}

/// Wakes the loop that a service belongs to, from any thread; then [`Service::tend`] is called.
pub type WakeLoop = Arc<dyn Fn() + Send + Sync>;

/// The part of a module that runs beside the workflow. What it does beside deliveries is in separate traits
/// ([`Importer`], [`Reporter`], [`Gate`], [`EntryWatcher`], [`BanKeeper`], [`CounterKeeper`], [`ListKeeper`]), which its
/// methods return. Which of them it returns must not change during its life.
pub trait Service: Send {
    /// Returns the queue that this service delivers, and its courier. Called once.
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        None
    }

    /// Returns the same queue; may be called any number of times, so that an operator can inspect the queue.
    fn queue(&self) -> Option<Handle<Queue>> {
        None
    }

    /// Describes a message of the queue in a few words for an operator, e.g. `ban 192.0.2.1 in ip filter ssh_ban`.
    fn describe(&self, _payload: &str) -> String {
        String::new()
    }

    /// Returns its bans, if it keeps bans that an operator may inspect and change.
    fn bans(&mut self) -> Option<&mut dyn BanKeeper> {
        None
    }

    /// Returns its counters, likewise.
    fn counters(&mut self) -> Option<&mut dyn CounterKeeper> {
        None
    }

    /// Returns its lists, likewise.
    fn lists(&mut self) -> Option<&mut dyn ListKeeper> {
        None
    }

    /// Returns its importer, if it imports what the first Pyruse stored.
    fn importer(&mut self) -> Option<&mut dyn Importer> {
        None
    }

    /// Returns its reporter, if it makes the report.
    fn reporter(&mut self) -> Option<&mut dyn Reporter> {
        None
    }

    /// Returns its gate, if it decides whether entries may have consequences.
    fn gate(&mut self) -> Option<&mut dyn Gate> {
        None
    }

    /// Returns its watcher, if it must see what every entry causes.
    fn watcher(&mut self) -> Option<&mut dyn EntryWatcher> {
        None
    }

    /// Starts the threads that it needs beside its courier. Called once, when its configuration is in force and entries
    /// will be read; not for a dry run, nor for a command that only looks at the state or changes it. The threads must
    /// end when the service is dropped.
    fn begin(&mut self, _state: &mut State, _wake: &WakeLoop) {}

    /// Takes over what its threads have made. Called between two batches, so that an entry never sees a change.
    fn tend(&mut self, _state: &mut State, _now: Timestamp) {}

    /// Returns `false` as long as no entry must be read, because something that decides about entries is not known yet.
    /// That must end soon: one of its threads calls [`WakeLoop`] then.
    fn is_ready(&self) -> bool {
        true
    }

    /// Queues the deliveries that put back in force what the state says is in force; called at every start.
    fn boot(&mut self, _state: &mut State, _now: Timestamp) {}

    /// Returns when [`Service::due`] is to be called, by the wall clock. `now` is the wall clock's reading in this
    /// round; a service that reads the clock itself may get another time, and wait for ever.
    fn deadline(&self, _state: &State, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Checks, without changing anything, whether this service can do its work: for `check --live`.
    fn inspect(&self, _inspection: &mut Inspection) {}

    /// Called when its deadline has come.
    fn due(&mut self, _state: &mut State, _now: Timestamp) {}
}

/// A linked service: `inventory::submit!(ServicePlugin::new("action_mine", |start| …));`
#[non_exhaustive]
pub struct ServicePlugin {
    /// The module it belongs to, e.g. `action_email`.
    pub name: &'static str,
    /// Whether it has something to put back in force at start, so that `pyruse boot` makes sense for it.
    pub boots: bool,
    /// Starts the service.
    pub start: fn(&mut Start<'_>) -> Result<Box<dyn Service>, StateError>,
}

impl ServicePlugin {
    /// Makes the service of the module with this name.
    pub const fn new(
        name: &'static str,
        start: fn(&mut Start<'_>) -> Result<Box<dyn Service>, StateError>,
    ) -> ServicePlugin {
        ServicePlugin { name, boots: false, start }
    }

    /// States that it has something to put back in force at start.
    #[must_use]
    pub const fn that_boots(self) -> ServicePlugin {
        ServicePlugin { boots: true, ..self }
    }
}

inventory::collect!(ServicePlugin);

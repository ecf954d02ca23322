//! The standing part of a module: what runs beside the workflow.
//!
//! A module that acts on the world registers a service. At start it gets its settings and its part of the state; it
//! may give a courier for a queue, put things back in force, and ask to be called at a point in time.

use std::sync::Arc;

use super::facet::{Gate, Importer, Reporter, Witness};
use super::setup::Setup;
use crate::config::Config;
use crate::courier::Courier;
use crate::entry::{Fields, Slot};
use crate::operation::{BanKeeper, CounterKeeper};
use crate::plugin::{Inspection, ModuleSettings, Settings};
use crate::state::{Handle, Layout, Queue, State, StateError};
use crate::time::Timestamp;

/// What a service has at hand when it starts: after the steps of the configuration are compiled, before the state is
/// there.
pub struct Start<'a> {
    pub(crate) setup: &'a mut Setup,
    pub(crate) fields: &'a mut Fields,
    pub(crate) settings: &'a Settings,
    pub(crate) config: &'a Config,
}

impl Start<'_> {
    /// The modules' settings of that type.
    pub fn settings<S: ModuleSettings>(&self) -> Arc<S> {
        self.settings.get()
    }

    /// The whole configuration.
    pub fn config(&self) -> &Config {
        self.config
    }

    /// A field that the service will read from entries.
    pub fn reads(&mut self, name: &str) -> Slot {
        self.fields.slot(name)
    }

    /// The parts of the durable state.
    pub fn layout(&mut self) -> &mut Layout {
        &mut self.setup.layout
    }

    /// What the steps of this configuration have noted.
    pub fn note<T: Default + Send + 'static>(&mut self) -> &mut T {
        self.setup.note()
    }
}

/// The standing part of a module. What it does beside deliveries stands in traits of their own ([`Importer`], [`Reporter`],
/// [`Gate`], [`Witness`], [`BanKeeper`], [`CounterKeeper`]), which it hands out. Whether it does must not change while it
/// lives.
pub trait Service: Send {
    /// The queue that this service delivers, and who does it. Asked once.
    fn courier(&mut self) -> Option<(Handle<Queue>, Courier)> {
        None
    }

    /// The same queue, as often as it is asked: an operator may look into it.
    fn queue(&self) -> Option<Handle<Queue>> {
        None
    }

    /// What a message of that queue is, in a few words for an operator, e.g. `ban 192.0.2.1 in ip filter ssh_ban`.
    fn describe(&self, _payload: &str) -> String {
        String::new()
    }

    /// Its bans, if it keeps some that an operator may look at and change.
    fn bans(&mut self) -> Option<&mut dyn BanKeeper> {
        None
    }

    /// Its counters, likewise.
    fn counters(&mut self) -> Option<&mut dyn CounterKeeper> {
        None
    }

    /// Takes over what the first Pyruse stored, if there is something.
    fn importer(&mut self) -> Option<&mut dyn Importer> {
        None
    }

    /// Makes the report, if it is the one that does.
    fn reporter(&mut self) -> Option<&mut dyn Reporter> {
        None
    }

    /// Decides whether entries may have consequences, if it does.
    fn gate(&mut self) -> Option<&mut dyn Gate> {
        None
    }

    /// Sees what every entry causes, if it wants to.
    fn witness(&mut self) -> Option<&mut dyn Witness> {
        None
    }

    /// Puts back in force, by queueing deliveries, what the state says is in force: called at every start.
    fn boot(&mut self, _state: &mut State, _now: Timestamp) {}

    /// When it wants [`Service::due`] to be called, by the wall clock. `now` is what the wall clock shows in this round;
    /// a service that reads the clock itself may get another answer, and wait for ever.
    fn deadline(&self, _state: &State, _now: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Asks the world, without changing it, whether this service can do its work: for `check --live`.
    fn inspect(&self, _inspection: &mut Inspection) {}

    /// Its deadline has come.
    fn due(&mut self, _state: &mut State, _now: Timestamp) {}
}

/// A service that is linked: `inventory::submit!(ServicePlugin::new("action_mine", |start| …));`
#[non_exhaustive]
pub struct ServicePlugin {
    /// The module it belongs to, e.g. `action_email`.
    pub name: &'static str,
    /// Does it have something to put back at start, so that `pyruse boot` makes sense for it?
    pub boots: bool,
    /// Starts it.
    pub start: fn(&mut Start<'_>) -> Result<Box<dyn Service>, StateError>,
}

impl ServicePlugin {
    /// The service of the module with this name.
    pub const fn new(
        name: &'static str,
        start: fn(&mut Start<'_>) -> Result<Box<dyn Service>, StateError>,
    ) -> ServicePlugin {
        ServicePlugin { name, boots: false, start }
    }

    /// It has something to put back at start.
    #[must_use]
    pub const fn that_boots(self) -> ServicePlugin {
        ServicePlugin { boots: true, ..self }
    }
}

inventory::collect!(ServicePlugin);

//! The services of all linked modules, together.

use crate::config::Config;
use crate::courier::{Courier, Couriers};
use crate::entry::{Entry, Fields, StepError};
use crate::operation::ReportStatus;
use crate::plugin::{
    Importer, Inspection, KeptReport, Registry, Remark, ReportForm, Reporter, Service, Settings, Setup,
    Start, WakeLoop,
};
use crate::state::{Handle, Queue, State, StateError};
use crate::time::Timestamp;
use crate::workflow::{EntryEffects, Site};

/// The services of all linked modules.
pub struct Services {
    pub(crate) all: Vec<(&'static str, Box<dyn Service>)>,
    /// The services that have a gate.
    gates: Vec<usize>,
    /// The services that have a watcher.
    watchers: Vec<usize>,
}

impl Services {
    pub(crate) fn start(
        registry: &Registry,
        settings: &Settings,
        config: &Config,
        fields: &mut Fields,
        setup: &mut Setup,
    ) -> Result<Services, StateError> {
        let mut services = Vec::new();
        for plugin in registry.services() {
            let mut start = Start { setup, fields, settings, config };
            services.push((plugin.name, (plugin.start)(&mut start)?));
        }
        Ok(Services::with(services))
    }

    /// Makes the set of these services; which of them have gates and watchers is determined once.
    pub(crate) fn with(mut services: Vec<(&'static str, Box<dyn Service>)>) -> Services {
        let (mut gates, mut watchers) = (Vec::new(), Vec::new());
        for (n, (_, service)) in services.iter_mut().enumerate() {
            if service.gate().is_some() {
                gates.push(n);
            }
            if service.watcher().is_some() {
                watchers.push(n);
            }
        }
        Services { all: services, gates, watchers }
    }

    /// Keeps only the services of these modules.
    #[must_use]
    pub fn only(mut self, modules: &[&str]) -> Services {
        self.all.retain(|(name, _)| modules.contains(name));
        Services::with(self.all)
    }

    /// Stops showing entries to services.
    pub(crate) fn remove_watchers(&mut self) {
        self.watchers.clear();
    }

    /// Starts their couriers; returns the queues that these serve. Call it once.
    pub(crate) fn start_couriers(&mut self, couriers: &mut Couriers) -> std::io::Result<Vec<Handle<Queue>>> {
        self.start_couriers_as(couriers, |courier| courier)
    }

    /// Starts other couriers in their place, e.g. ones that deliver nothing.
    pub(crate) fn start_couriers_as(
        &mut self,
        couriers: &mut Couriers,
        replace: impl Fn(Courier) -> Courier,
    ) -> std::io::Result<Vec<Handle<Queue>>> {
        let mut queues = Vec::new();
        for (_, service) in &mut self.all {
            if let Some((queue, courier)) = service.courier() {
                couriers.start(queue, replace(courier))?;
                queues.push(queue);
            }
        }
        Ok(queues)
    }

    /// Starts the threads of the services.
    pub(crate) fn begin(&mut self, state: &mut State, wake: &WakeLoop) {
        self.all.iter_mut().for_each(|(_, service)| service.begin(state, wake));
    }

    /// Lets the services take over what their threads have made.
    pub(crate) fn tend(&mut self, state: &mut State, now: Timestamp) {
        self.all.iter_mut().for_each(|(_, service)| service.tend(state, now));
    }

    /// Returns `true` if all services know what decides about entries.
    pub(crate) fn are_ready(&self) -> bool {
        self.all.iter().all(|(_, service)| service.is_ready())
    }

    /// Checks, without changing anything, whether the services can do their work on this machine.
    pub(crate) fn inspect(&self, inspection: &mut Inspection) {
        self.all.iter().for_each(|(_, service)| service.inspect(inspection));
    }

    fn importers(&mut self) -> impl Iterator<Item = &mut dyn Importer> {
        self.all.iter_mut().filter_map(|(_, service)| service.importer())
    }

    fn reporter(&mut self) -> Option<&mut dyn Reporter> {
        self.all.iter_mut().find_map(|(_, service)| service.reporter())
    }

    /// Returns the names of the first Pyruse's files that services can import.
    pub fn former_files(&mut self) -> Vec<&'static str> {
        self.importers().map(|importer| importer.former_file()).collect()
    }

    /// Passes the content of such a file to its service; see [`Importer::import`].
    pub fn import(
        &mut self,
        file: &str,
        content: &[u8],
        state: &mut State,
        now: Timestamp,
    ) -> Result<String, String> {
        match self.importers().find(|importer| importer.former_file() == file) {
            Some(importer) => importer.import(content, state, now),
            None => Err("no linked module can import this file".to_owned()),
        }
    }

    /// Queues whatever is needed to put back in force what the state says is in force.
    pub fn boot(&mut self, state: &mut State, now: Timestamp) {
        self.all.iter_mut().for_each(|(_, service)| service.boot(state, now));
    }

    /// Returns `true` if this entry may have consequences.
    pub(crate) fn admit(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool {
        let all = &mut self.all;
        self.gates.iter().all(|n| all[*n].1.gate().is_none_or(|gate| gate.admits(entry, state)))
    }

    /// Shows the watchers an error of a step.
    pub(crate) fn step_failed(&mut self, site: &Site, error: &StepError) {
        for n in &self.watchers {
            if let Some(watcher) = self.all[*n].1.watcher() {
                watcher.step_failed(site, error);
            }
        }
    }

    /// Shows the watchers an entry that has finished, and its effects.
    pub(crate) fn entry_finished(
        &mut self,
        entry: &mut Entry<'_>,
        effects: EntryEffects<'_>,
        state: &mut State,
    ) {
        for n in &self.watchers {
            if let Some(watcher) = self.all[*n].1.watcher() {
                watcher.entry_finished(entry, effects, state);
            }
        }
    }

    /// Records a fact that readers of the report must know although no entry states it.
    pub(crate) fn remark(&mut self, remark: &Remark, state: &mut State, now: Timestamp) {
        if let Some(reporter) = self.reporter() {
            reporter.remark(remark, state, now);
        }
    }

    /// Returns the report as of now; `None` if no module makes one. An error means that its lines cannot be read.
    pub fn report(
        &mut self,
        state: &mut State,
        now: Timestamp,
        form: ReportForm,
    ) -> Option<Result<String, StateError>> {
        self.reporter().map(|reporter| reporter.report(state, now, form))
    }

    /// Returns the reports that were sent and are kept, the oldest first; `None` if no module makes any.
    pub fn kept_reports(&mut self, state: &mut State) -> Option<Result<Vec<KeptReport>, StateError>> {
        self.reporter().map(|reporter| reporter.kept(state))
    }

    /// Queues the report now; `None` if no module makes one.
    pub(crate) fn send_report(
        &mut self,
        state: &mut State,
        now: Timestamp,
    ) -> Option<Result<bool, StateError>> {
        self.reporter().map(|reporter| reporter.send(state, now))
    }

    /// Returns when reports are due, and what is not as usual; `None` if no module makes one.
    pub(crate) fn report_status(&mut self, state: &State, now: Timestamp) -> Option<ReportStatus> {
        self.reporter().map(|reporter| reporter.status(state, now))
    }

    /// Returns the earliest deadline of the services, by the wall clock; `now` is the wall clock's reading in this
    /// round.
    pub(crate) fn deadline(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        self.all.iter().filter_map(|(_, service)| service.deadline(state, now)).min()
    }

    /// Calls the services whose deadline has come.
    pub(crate) fn due(&mut self, state: &mut State, now: Timestamp) {
        for (_, service) in &mut self.all {
            if service.deadline(state, now).is_some_and(|deadline| deadline <= now) {
                service.due(state, now);
            }
        }
    }
}

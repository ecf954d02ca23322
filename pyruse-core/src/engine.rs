//! All that one configuration needs, put together: workflow, services, settings.

use jiff::tz::TimeZone;

use crate::config::{Config, Diagnostics, Source};
use crate::courier::{Courier, Couriers};
use crate::entry::{Entry, Fields};
use crate::plugin::{Inspection, Registry, ReportForm, SeenEffect, Service, Settings, Start};
use crate::state::{Handle, Queue, State, StateError};
use crate::time::Timestamp;
use crate::workflow::{Compiler, Workflow};

/// A loaded configuration, ready to run.
#[non_exhaustive]
pub struct Engine {
    /// What entries ride.
    pub workflow: Workflow,
    /// What stands beside it.
    pub services: Services,
    /// What the file says.
    pub config: Config,
    /// What the file says to the modules.
    pub settings: Settings,
}

impl Engine {
    /// Loads a configuration. `Ok(None)`: it cannot be used, and `diagnostics` say why. Parts of `state` are opened,
    /// and nothing else of the world is touched.
    ///
    /// `fields` are those that an observer wants to read from entries, beside what the configuration names.
    pub fn load(
        source: &Source,
        registry: &Registry,
        mut fields: Fields,
        state: &mut State,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Engine>, StateError> {
        let keys: Vec<_> = registry.settings_keys().collect();
        let Some(config) = Config::read(source, &keys, diagnostics) else { return Ok(None) };
        let settings = registry.read_settings(&config, diagnostics);
        let mut services = Services::start(registry, &settings, &config, state)?;
        services.watch(&mut fields);
        let zone = local_zone().unwrap_or_else(|message| {
            diagnostics
                .error(0..0, None, message)
                .help("times are shown, and reports are due, by the local clock");
            TimeZone::UTC
        });
        let compiler = Compiler { source, registry, settings: &settings, zone };
        let workflow = compiler.compile(&config, fields, state, diagnostics);
        services.ask_who_sees(state);
        Ok(workflow.map(|workflow| Engine { workflow, services, config, settings }))
    }
}

/// The time zone of this process; UTC on a machine that does not say.
fn local_zone() -> Result<TimeZone, String> {
    match (TimeZone::try_system(), std::env::var("TZ")) {
        (Ok(zone), _) => Ok(zone),
        (Err(e), Ok(name)) => Err(format!("the time zone `TZ={name}` is not known: {e}")),
        (Err(_), Err(_)) => Ok(TimeZone::UTC),
    }
}

/// The services of all linked modules.
pub struct Services {
    pub(crate) services: Vec<(&'static str, Box<dyn Service>)>,
    /// Those that see every entry.
    seeing: Vec<usize>,
}

impl Services {
    fn start(
        registry: &Registry,
        settings: &Settings,
        config: &Config,
        state: &mut State,
    ) -> Result<Services, StateError> {
        let start = |plugin: &crate::plugin::ServicePlugin| {
            let mut start = Start { state, settings, config: Some(config) };
            Ok((plugin.name, (plugin.start)(&mut start)?))
        };
        Ok(Services {
            services: registry.services().map(start).collect::<Result<_, _>>()?,
            seeing: Vec::new(),
        })
    }

    #[cfg(test)]
    pub(crate) fn of(services: Vec<(&'static str, Box<dyn Service>)>) -> Services {
        Services { services, seeing: Vec::new() }
    }

    fn watch(&mut self, fields: &mut Fields) {
        self.services.iter_mut().for_each(|(_, service)| service.watch(fields));
    }

    fn ask_who_sees(&mut self, state: &State) {
        let seeing = |(n, (_, service)): (usize, &(&str, Box<dyn Service>))| service.sees(state).then_some(n);
        self.seeing = self.services.iter().enumerate().filter_map(seeing).collect();
    }

    /// Only the services of these modules.
    #[must_use]
    pub fn only(mut self, modules: &[&str]) -> Services {
        self.services.retain(|(name, _)| modules.contains(name));
        self.seeing.clear();
        self
    }

    /// Employs their couriers; returns the queues that these serve. Asked once.
    pub fn employ(&mut self, couriers: &mut Couriers) -> std::io::Result<Vec<Handle<Queue>>> {
        self.employ_as(couriers, |courier| courier)
    }

    /// Employs others in their place, e.g. some that deliver nothing.
    pub fn employ_as(
        &mut self,
        couriers: &mut Couriers,
        replace: impl Fn(Courier) -> Courier,
    ) -> std::io::Result<Vec<Handle<Queue>>> {
        let mut queues = Vec::new();
        for (_, service) in &mut self.services {
            if let Some((queue, courier)) = service.courier() {
                couriers.employ(queue, replace(courier))?;
                queues.push(queue);
            }
        }
        Ok(queues)
    }

    /// Asks the world whether they can do their work.
    pub(crate) fn inspect(&self, inspection: &mut Inspection) {
        self.services.iter().for_each(|(_, service)| service.inspect(inspection));
    }

    /// The files of the first Pyruse that services can take over.
    pub fn former_files(&self) -> Vec<&'static str> {
        self.services.iter().filter_map(|(_, service)| service.former_file()).collect()
    }

    /// Gives the content of such a file to its service; see [`Service::import`].
    pub fn import(
        &mut self,
        file: &str,
        content: &[u8],
        state: &mut State,
        now: Timestamp,
    ) -> Result<String, String> {
        let mut services = self.services.iter_mut().map(|(_, service)| service);
        match services.find(|service| service.former_file() == Some(file)) {
            Some(service) => service.import(content, state, now),
            None => Err("no linked module knows this file".to_owned()),
        }
    }

    /// Puts back in force what the state says is in force.
    pub fn boot(&mut self, state: &mut State, now: Timestamp) {
        self.services.iter_mut().for_each(|(_, service)| service.boot(state, now));
    }

    /// May this entry have consequences?
    pub fn admit(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool {
        self.services.iter_mut().all(|(_, service)| service.admits(entry, state))
    }

    /// Does one of them see every entry, so that effects are wanted?
    pub fn see(&self) -> bool {
        !self.seeing.is_empty()
    }

    /// An entry has gone its way.
    pub fn saw(&mut self, entry: &mut Entry<'_>, effects: &[SeenEffect], state: &mut State) {
        for n in &self.seeing {
            self.services[*n].1.saw(entry, effects, state);
        }
    }

    /// Something that whoever reads the report must know, although no entry says it.
    pub fn remark(&mut self, text: &str, state: &mut State, now: Timestamp) {
        for (_, service) in &mut self.services {
            service.remark(text, state, now);
        }
    }

    /// The report as it stands now; `None` where no module makes one.
    pub fn report(
        &mut self,
        state: &mut State,
        now: Timestamp,
        form: ReportForm,
    ) -> Option<Result<String, StateError>> {
        self.services.iter_mut().find_map(|(_, service)| service.report(state, now, form))
    }

    /// Queues the report now; `None` where no module makes one.
    pub fn send_report(&mut self, state: &mut State, now: Timestamp) -> Option<Result<bool, StateError>> {
        self.services.iter_mut().find_map(|(_, service)| service.send_report(state, now))
    }

    /// The nearest of their deadlines, by the wall clock; `now` is that of this round.
    pub fn deadline(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        self.services.iter().filter_map(|(_, service)| service.deadline(state, now)).min()
    }

    /// Calls those whose deadline has come.
    pub fn due(&mut self, state: &mut State, now: Timestamp) {
        for (_, service) in &mut self.services {
            if service.deadline(state, now).is_some_and(|deadline| deadline <= now) {
                service.due(state, now);
            }
        }
    }
}

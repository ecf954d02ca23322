//! The engine: everything that one configuration needs, put together (workflow, services, settings).

use jiff::tz::TimeZone;

use crate::config::{Config, ConfigText, Diagnostics};
pub use crate::deliver::DeliverError;
use crate::effect::Effect;
use crate::entry::{Entry, Fields, Record, Slot, StepError};
use crate::plugin::{OnBind, Registry, Settings, Setup};
pub use crate::services::Services;
use crate::sources::{self, Configure, ConfiguredSource};
use crate::state::{Layout, State, StateError};
use crate::workflow::{Compiler, EntryEffects, Observer, Site, SiteId, SkipReason, Workflow};

/// The field that marks our own diagnostics in the journal. An entry that has it never has consequences: otherwise an
/// error about an entry would become an entry with an error.
pub const DIAGNOSTIC: &str = "PYRUSE_DIAGNOSTIC";

/// A loaded configuration, ready to run.
#[non_exhaustive]
pub struct Engine {
    /// The compiled workflow.
    pub workflow: Workflow,
    /// The services that run beside it.
    pub services: Services,
    /// The configuration file.
    pub config: Config,
    /// The settings of the modules.
    pub settings: Settings,
    /// The sources of the configuration.
    pub sources: Vec<ConfiguredSource>,
    /// The slot of the field [`DIAGNOSTIC`].
    mark: Slot,
}

impl Engine {
    /// Compiles a configuration against the parts that `layout` already has. `Ok(None)` means that it cannot be used;
    /// `diagnostics` holds the reasons. An error means that a service cannot register its parts. Nothing outside is
    /// changed.
    ///
    /// `fields` are the fields that an observer wants to read from entries, beside those that the configuration names.
    pub fn plan(
        source: &ConfigText,
        registry: &Registry,
        mut fields: Fields,
        layout: Layout,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Plan>, StateError> {
        let keys: Vec<_> = registry.settings_keys().collect();
        let config = Config::read(source, &keys, diagnostics).filter(|config| config.is_whole);
        let Some(config) = config else { return Ok(None) };
        let settings = registry.read_settings(&config, diagnostics);
        let zone = local_zone().unwrap_or_else(|message| {
            diagnostics
                .error(0..0, None, message)
                .help("times are shown, and reports are due, in local time");
            TimeZone::UTC
        });
        let mark = fields.slot(DIAGNOSTIC);
        let mut setup = Setup::new(layout);
        let from = Configure { text: source, config: &config, registry, settings: &settings };
        let sources = sources::configure(&from, &mut fields, &mut setup, diagnostics);
        // A program that reads without configured sources may get entries of any of them.
        let tables = if sources.is_empty() { registry.field_tables() } else { sources::tables(&sources) };
        fields.set_tables(tables);
        let compiler = Compiler { source, registry, settings: &settings };
        let Some(steps) = compiler.compile(&config, &mut fields, &mut setup, diagnostics) else {
            return Ok(None);
        };
        let services = Services::start(registry, &settings, &config, &mut fields, &mut setup)?;
        let workflow = Workflow::new(steps, fields, config.eight_bit, zone);
        let Setup { layout, on_bind, .. } = setup;
        Ok(Some(Plan {
            engine: Engine { workflow, services, config, settings, sources, mark },
            layout,
            on_bind,
        }))
    }

    /// Compiles a configuration and puts it in force at once: [`Engine::plan`] followed by [`Plan::bind`], with the
    /// errors of both.
    pub fn load(
        source: &ConfigText,
        registry: &Registry,
        fields: Fields,
        state: &mut State,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Engine>, StateError> {
        let plan = Engine::plan(source, registry, fields, state.layout(), diagnostics)?;
        plan.map(|plan| plan.bind(state)).transpose()
    }

    /// Runs one record through the workflow. An entry that may have no consequences has none; services see the
    /// consequences of the others. Changes are in `state` and in the observer afterwards.
    pub fn run<O: Observer>(&mut self, record: &mut dyn Record, state: &mut State, observer: &mut O) {
        let mut gate = Gate { services: &mut self.services, mark: self.mark, observer };
        self.workflow.run(record, state, &mut gate);
    }

    /// Runs one record of the source with this name, likewise.
    pub fn run_from<O: Observer>(
        &mut self,
        source: &str,
        record: &mut dyn Record,
        state: &mut State,
        observer: &mut O,
    ) {
        self.workflow.set_source(source);
        self.run(record, state, observer);
    }
}

/// A valid configuration that is not in force yet. Making one changes nothing, and dropping it leaves no trace.
pub struct Plan {
    engine: Engine,
    layout: Layout,
    on_bind: Vec<OnBind>,
}

impl Plan {
    /// Returns the engine that it will become, for inspection.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Makes its workflow faster; see [`Workflow::optimize`].
    pub fn optimize(&mut self) {
        self.engine.workflow.optimize();
    }

    /// Opens the parts of the state that it uses. An error means that stored data cannot be used; you can then try
    /// again with another state.
    pub fn open_parts(&self, state: &mut State) -> Result<(), StateError> {
        state.adopt(&self.layout)
    }

    /// Puts it in force with this state, which must have the parts that it was compiled against. An error is one of
    /// [`Plan::open_parts`].
    pub fn bind(self, state: &mut State) -> Result<Engine, StateError> {
        self.open_parts(state)?;
        Ok(self.finish(state))
    }

    pub(crate) fn services_mut(&mut self) -> &mut Services {
        &mut self.engine.services
    }

    /// The second half of [`Plan::bind`], after [`Plan::open_parts`].
    pub(crate) fn finish(self, state: &mut State) -> Engine {
        self.on_bind.into_iter().for_each(|work| work(state));
        self.engine
    }
}

/// Sits between the workflow and an observer: checks whether an entry is admitted, and shows services what happens.
struct Gate<'a, O> {
    services: &'a mut Services,
    mark: Slot,
    observer: &'a mut O,
}

impl<O: Observer> Observer for Gate<'_, O> {
    // Services may want to see effects too.
    const EFFECTS: bool = true;
    const STEPS: bool = O::STEPS;

    fn admits(&mut self, entry: &mut Entry<'_>, state: &mut State) -> bool {
        let refused = if entry.value(self.mark).is_some() {
            SkipReason::OwnDiagnostic
        } else if !self.services.admit(entry, state) {
            SkipReason::Repeated
        } else {
            return self.observer.admits(entry, state);
        };
        self.observer.refused(refused);
        false
    }

    fn enter(&mut self, id: SiteId, site: &Site, entry: &mut Entry<'_>) {
        self.observer.enter(id, site, entry);
    }

    fn step(&mut self, id: SiteId, site: &Site, entry: &mut Entry<'_>, passed: bool) {
        self.observer.step(id, site, entry, passed);
    }

    fn effect(&mut self, site: &Site, entry: &mut Entry<'_>, effect: &Effect) {
        if O::EFFECTS {
            self.observer.effect(site, entry, effect);
        }
    }

    fn finished(&mut self, entry: &mut Entry<'_>, state: &mut State, done: EntryEffects<'_>) {
        self.services.entry_finished(entry, done, state);
        self.observer.finished(entry, state, done);
    }

    fn error(&mut self, id: SiteId, site: &Site, entry: &mut Entry<'_>, error: &StepError) {
        self.services.step_failed(site, error);
        self.observer.error(id, site, entry, error);
    }
}

/// Returns the time zone of this process; UTC if the machine does not set one.
fn local_zone() -> Result<TimeZone, String> {
    match (TimeZone::try_system(), std::env::var("TZ")) {
        (Ok(zone), _) => Ok(zone),
        (Err(e), Ok(name)) => Err(format!("unknown time zone `TZ={name}`: {e}")),
        (Err(_), Err(_)) => Ok(TimeZone::UTC),
    }
}

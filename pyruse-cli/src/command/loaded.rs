//! The loaded configuration of a command: found, read and compiled, or refused with all its errors.

use std::path::{Path, PathBuf};

use anyhow::bail;
use pyruse_core::config::{Config, ConfigText, Diagnostics};
use pyruse_core::engine::{Engine, Plan};
use pyruse_core::entry::Fields;
use pyruse_core::plugin::Registry;
use pyruse_core::review;
use pyruse_core::state::{Layout, State};

use crate::{configuration, messages};

/// Compiles a configuration; findings that a comment allows are left out.
pub fn load(
    source: &ConfigText,
    registry: &Registry,
    layout: Layout,
    diagnostics: &mut Diagnostics,
) -> anyhow::Result<Option<Plan>> {
    let plan = Engine::plan(source, registry, Fields::default(), layout, diagnostics)?;
    if let Some(plan) = &plan {
        review::apply_allows(source, &plan.engine().config, diagnostics);
    }
    Ok(plan)
}

/// A configuration without errors.
pub struct Loaded {
    /// The path of the file.
    pub path: PathBuf,
    /// The text of the file.
    pub source: ConfigText,
    /// The linked modules.
    pub registry: Registry,
    /// The compiled plan.
    pub plan: Plan,
    /// The findings: only warnings and notes.
    pub diagnostics: Diagnostics,
}

impl Loaded {
    /// For commands that only read.
    pub fn open(config: Option<&Path>) -> anyhow::Result<Loaded> {
        Loaded::read(config, configuration::read)
    }

    /// For commands that act, and may be root: see [`configuration::read_trusted`].
    pub fn open_trusted(config: Option<&Path>) -> anyhow::Result<Loaded> {
        Loaded::read(config, configuration::read_trusted)
    }

    fn read(
        config: Option<&Path>,
        read: impl FnOnce(&Path) -> anyhow::Result<ConfigText>,
    ) -> anyhow::Result<Loaded> {
        let path = configuration::find(config)?;
        let registry = Registry::linked()?;
        let source = read(&path)?;
        let mut diagnostics = Diagnostics::default();
        let Some(plan) = load(&source, &registry, Layout::default(), &mut diagnostics)? else {
            return Err(configuration::refuse(&source, &diagnostics));
        };
        messages::start(plan.engine().config.debug);
        Ok(Loaded { path, source, registry, plan, diagnostics })
    }

    /// Returns the parsed file.
    pub fn config(&self) -> &Config {
        &self.plan.engine().config
    }

    /// Binds it to an empty state in memory.
    pub(super) fn for_dry_run(self) -> anyhow::Result<(Engine, State)> {
        let mut state = State::for_dry_run();
        Ok((self.plan.bind(&mut state)?, state))
    }

    /// Binds it to a copy of the state in that file; changes are never written.
    pub(super) fn with_state_of(self, file: &Path) -> anyhow::Result<(Engine, State)> {
        if !State::is_in_file(file)? {
            bail!("there is no state in {} yet", file.display());
        }
        let mut state = State::read_file(file)?;
        Ok((self.plan.bind(&mut state)?, state))
    }
}

//! What a command works with: the configuration found, read and compiled, or refused with all that is wrong.

use std::path::{Path, PathBuf};

use anyhow::bail;
use pyruse_core::config::{Diagnostics, Source};
use pyruse_core::engine::Engine;
use pyruse_core::entry::Slot;
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;

use crate::daemon::load;
use crate::{configuration, messages};

/// A configuration that can be used.
pub(super) struct Loaded {
    pub(super) path: PathBuf,
    pub(super) source: Source,
    pub(super) registry: Registry,
    pub(super) engine: Engine,
    /// The field that marks our own diagnostics.
    pub(super) mark: Slot,
    /// What it was compiled with: fresh, and kept nowhere.
    pub(super) state: State,
    /// What there is to say about it: warnings only.
    pub(super) diagnostics: Diagnostics,
}

impl Loaded {
    /// For commands that only look.
    pub(super) fn open(config: Option<&Path>) -> anyhow::Result<Loaded> {
        Loaded::read(config, configuration::read)
    }

    /// For commands that act, and may be root: see [`configuration::read_trusted`].
    pub(super) fn open_trusted(config: Option<&Path>) -> anyhow::Result<Loaded> {
        Loaded::read(config, configuration::read_trusted)
    }

    fn read(
        config: Option<&Path>,
        read: impl FnOnce(&Path) -> anyhow::Result<Source>,
    ) -> anyhow::Result<Loaded> {
        let path = configuration::find(config)?;
        let registry = Registry::linked().map_err(anyhow::Error::msg)?;
        let source = read(&path)?;
        // Checked as a whole before any state is touched: a broken configuration must leave no trace.
        let mut diagnostics = Diagnostics::default();
        let mut state = State::of_rehearsal();
        let Some((engine, mark)) = load(&source, &registry, &mut state, &mut diagnostics)? else {
            return Err(configuration::refuse(&source, &diagnostics));
        };
        messages::start(engine.config.debug);
        Ok(Loaded { path, source, registry, engine, mark, state, diagnostics })
    }

    /// The same configuration with a copy of the state in that file; what is done to it is never written.
    pub(super) fn with_state_of(self, file: &Path) -> anyhow::Result<Loaded> {
        if !State::is_in_file(file)? {
            bail!("there is no state in {} yet", file.display());
        }
        let mut state = State::read_file(file)?;
        let (engine, mark) = self.compile_with(&mut state)?;
        Ok(Loaded { engine, mark, state, ..self })
    }

    /// The same configuration with parts of that state.
    pub(super) fn compile_with(&self, state: &mut State) -> anyhow::Result<(Engine, Slot)> {
        let mut diagnostics = Diagnostics::default();
        let Some(loaded) = load(&self.source, &self.registry, state, &mut diagnostics)? else {
            if let Some(loss) = state.loss() {
                return Err(loss.clone().into());
            }
            // The configuration was good a moment ago: it is the state that a step cannot use.
            configuration::show(&self.source, &diagnostics);
            bail!("the state cannot be used");
        };
        Ok(loaded)
    }
}

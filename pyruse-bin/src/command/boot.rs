//! `pyruse boot MODULE`: the module's boot step, then exit.
//!
//! The state is only looked at, so that this can be done beside a running daemon.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use pyruse_core::config::{Diagnostics, nearest};
use pyruse_core::plugin::Registry;
use pyruse_core::state::State;
use pyruse_core::time::Timestamp;

use super::deliver::deliver;
use crate::cli::Ending;
use crate::daemon::{load, storage};
use crate::{configuration, messages};

/// A courier that fails is tried again for so long.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(config: Option<&Path>, module: &str) -> anyhow::Result<Ending> {
    let registry = Registry::linked().map_err(anyhow::Error::msg)?;
    let boots = || registry.services().filter(|service| service.boots).map(|service| service.name);
    if !boots().any(|name| name == module) {
        let hint =
            nearest(module, boots()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        bail!(
            "`{module}` has no boot step; modules that have one: {}{hint}",
            boots().collect::<Vec<_>>().join(", ")
        );
    }
    let path = configuration::find(config)?;
    let source = configuration::read_trusted(&path)?;
    let mut diagnostics = Diagnostics::default();
    let Some((engine, _)) = load(&source, &registry, &mut State::in_memory(), &mut diagnostics)? else {
        return Ok(configuration::refuse(&source, &diagnostics));
    };
    messages::start(engine.config.debug);
    let file = storage::file(&engine.config.storage);
    let storage = engine.config.storage.display();
    if !file.try_exists().with_context(|| format!("the state in {storage} cannot be read"))? {
        tracing::info!("there is no state in {storage} yet: nothing to put back");
        return Ok(Ending::Good);
    }
    configuration::check_ownership(&engine.config.storage).map_err(anyhow::Error::msg)?;
    let mut state = State::read_file(&file)?;
    let Some((engine, _)) = load(&source, &registry, &mut state, &mut diagnostics)? else {
        // The configuration was good a moment ago: it is the state that a step cannot use.
        configuration::show(&source, &diagnostics);
        bail!("the state cannot be used; nothing is put back");
    };
    let mut services = engine.services.only(module);
    services.boot(&mut state, Timestamp::now());
    match deliver(services, &mut state, PATIENCE)? {
        0 => Ok(Ending::Good),
        left => bail!("within {} s, {left} of the deliveries did not succeed", PATIENCE.as_secs()),
    }
}
